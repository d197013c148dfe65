"""What an engine has yet to begin."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable

from core.engine import Done, More, Outcome, Work, ended

_PAUSE_S = 5.0
"""Between two attempts to reach records that are away."""

log = logging.getLogger(__name__)


class Waiting:
    """Works in their order, each with the number of its attempt.

    Args:
        more: as of :meth:`core.engine.Engine.run`.
    """

    def __init__(self, works: Iterable[Work], more: More | None = None) -> None:
        self._works = deque((work, 1) for work in works)
        self._more = more
        self._paused_until = 0.0
        self._told = ""

    def __bool__(self) -> bool:
        return bool(self._works)

    def take(self) -> tuple[Work, int] | None:
        """The next one; None if there is none, or none is to begin now."""
        if not self._works or time.monotonic() < self._paused_until:
            return None
        return self._works.popleft()

    def end(self, work: Work, outcome: Outcome, attempt: int) -> Done:
        """One has ended; what follows from that comes after all others.

        Raises:
            Cancelled: it was told to stop.
        """
        done = ended(work, outcome, attempt)
        self._works.extend((following, 1) for following in (self._more(done) if self._more else ()))
        return done

    def again(self, work: Work, attempt: int) -> None:
        """One that died, before all others."""
        self._works.appendleft((work, attempt))

    def after_pause(self, work: Work, attempt: int, reason: str) -> None:
        """One that came too early, before all others, and nothing begins for a while; said once for each reason."""
        if reason != self._told:
            log.warning("%s Trickline tries again every %d s.", reason, _PAUSE_S)
            self._told = reason
        self._paused_until = time.monotonic() + _PAUSE_S
        self._works.appendleft((work, attempt))
