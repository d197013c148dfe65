"""Who is at work: the name that stands beside what he changes."""

from __future__ import annotations

import getpass
import os


def author() -> str | None:
    """``TRICKLINE_USER``, or else the system's name of the user whose process this is; None if it has none.

    It is the name of whoever started the studio: where several people use one server, each gives his own on the page.
    """
    named = " ".join(os.environ.get("TRICKLINE_USER", "").split())
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number that no user has
        return None
