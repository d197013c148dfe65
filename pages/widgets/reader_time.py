"""The time zone of whoever looks at the page, who may sit elsewhere than the server."""

from __future__ import annotations

from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import streamlit as st


def reader_zone() -> tzinfo | None:
    """What the browser says; None, which is the server's own zone, where it says nothing that makes sense."""
    return zone_of(st.context.timezone, st.context.timezone_offset)


def zone_of(name: str | None, offset_min: int | None) -> tzinfo | None:
    """From an IANA name, or else from the minutes that UTC is ahead."""
    try:
        return ZoneInfo(name or "")
    except (KeyError, ValueError, OSError):  # no name, none that this machine's tables have, or a path
        pass
    if offset_min is None or abs(offset_min) >= 24 * 60:
        return None
    return timezone(timedelta(minutes=-offset_min))
