"""Waiting for a store that does not answer for a while: a network that drops, a server that is started anew."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from core.errors import Cancelled
from core.stores.sentences import StoreAway

PAUSES_S = (2.0, 5.0, 15.0, 60.0, 120.0)
"""Between the attempts, seconds."""
_LOOK_S = 0.2

_Value = TypeVar("_Value")

log = logging.getLogger(__name__)


def patiently(act: Callable[[], _Value], waiting: Callable[[], object], cancelled: Callable[[], bool]) -> _Value:
    """Do what needs a store, and do it again after a pause while that is away, for three and a half minutes.

    Args:
        act: appears whole or not at all, however often it is begun.
        waiting: told at each pause.

    Raises:
        StoreAway: it was away for all that time.
        Cancelled: ``cancelled`` said so during a pause.
        UserError: what ``act`` raises else.
    """
    for pause_s in PAUSES_S:
        try:
            return act()
        except StoreAway as error:
            log.warning("%s It is tried again in %g s.", error, pause_s)
        waiting()
        until = time.monotonic() + pause_s
        while time.monotonic() < until:
            if cancelled():
                raise Cancelled
            time.sleep(_LOOK_S)
    return act()
