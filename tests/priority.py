"""The scheduling of the tests' own process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_ordinary() -> Iterator[None]:
    """Around what encodes AV1: run as root, SVT-AV1 gives the thread that calls it real-time priority and leaves it so.

    Browsers and servers that are started later would inherit it and starve everything else on the machine.
    """
    try:
        yield
    finally:
        if hasattr(os, "sched_setscheduler"):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
