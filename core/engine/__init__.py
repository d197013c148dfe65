"""Where heavy steps run: in processes of this machine, or on a Ray cluster. One seam, two engines.

    >>> with open_engine("auto") as engine:                                  # doctest: +SKIP
    ...     for done in engine.run([Work("1", look_at, {"path": "park.mp4"})]):
    ...         print(done.result or done.error)

A piece of work is a function of a module and plain arguments, so that it can begin in any process on any machine. One
that dies with its process or its machine is begun again; its function therefore writes files whole or not at all, and
the same ones each time.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.errors import Cancelled, UserError

if TYPE_CHECKING:
    from core.tasks import Report

CRASHES = 3
"""Work whose process died so often is not begun again: it may well be what kills it."""
CRASHED = "What did this died again and again, most often because the memory ran out: free some and try again."
_FAULT = "This failed by a fault of Trickline's, which is told in the log."

log = logging.getLogger(__name__)

Function = Callable[[dict[str, Any], "Report"], Any]
"""At the top of a module. Gets the arguments and a way to say how far it is; its result is plain JSON values. Raises
UserError or Cancelled."""


@dataclass(frozen=True)
class Work:
    """One piece of work."""

    id: str
    """Told apart by it, also for people; no two of an engine's run share one."""
    function: Function
    arguments: dict[str, Any] = field(default_factory=dict)
    """JSON values."""
    cpus: float = 1
    """Cores to reserve on a cluster."""
    gpus: float = 0
    """Share of a card to reserve, where the cluster has cards."""
    unwanted: Cancel | None = None
    """Asked before it is handed to a process or to the cluster: then it fails without having begun."""


@dataclass(frozen=True)
class Done:
    """How a piece of work ended."""

    work: Work
    result: Any = None
    error: str | None = None
    """A sentence for the user on why it failed; None if it did not."""
    attempts: int = 1
    """How often it was begun."""


Outcome = tuple[Literal["done", "failed", "away", "cancelled", "fault"], Any]
"""What a process says of its work's end, with the result, the sentence, or the traceback; ``away`` is a failure that
waiting mends."""
DROPPED: Outcome = ("failed", "This was not begun, for nobody wants it any more.")
Progress = Callable[[Work, str, float], None]
"""Called with the work, its step, and how much of that is done, 0 to 1."""
More = Callable[[Done], Iterable[Work]]
"""What has to be done because something ended."""
Cancel = Callable[[], bool]


class Engine(Protocol):
    """Does work, several pieces at a time."""

    @property
    def slots(self) -> int:
        """How many pieces of one core it does at a time, as far as is known now; at least 1."""

    def run(
        self,
        works: Iterable[Work],
        more: More | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Generator[Done]:
        """Do all works, in their order as far as there is room, and hand out each as it ends. What runs when it is
        closed is told to stop.

        Args:
            more: asked at each end for works that follow.
            cancelled: asked several times a second; then what runs is told to stop.

        Raises:
            Cancelled: ``cancelled`` said so; nothing runs any more.
            UserError: the cluster is gone for good.
        """


@contextmanager
def open_engine(cluster: str | None = None) -> Iterator[Engine]:
    """The engine to work with.

    Args:
        cluster: ``auto`` for the Ray cluster that this machine belongs to, or an address such as ``10.0.0.7:6379``;
            None for processes of this machine.

    Raises:
        UserError: Ray is not installed, or no cluster answers there.
    """
    if cluster is None:
        from core.engine.local import LocalEngine

        yield LocalEngine()
        return
    from core.engine.cluster import connected

    with connected(cluster) as engine:
        yield engine


def perform(function: Function, arguments: dict[str, Any], report: Report) -> Outcome:
    """Do work in the process that was made for it."""
    try:
        return "done", function(arguments, report)
    except UserError as error:
        from core.database_errors import DatabaseAway

        return "away" if isinstance(error, DatabaseAway) else "failed", str(error)
    except Cancelled:
        return "cancelled", None
    except Exception:  # noqa: BLE001 -- whoever gets the traceback logs it
        return "fault", traceback.format_exc()


def ended(work: Work, outcome: Outcome, attempts: int) -> Done:
    """How work ended, for who wanted it.

    Raises:
        Cancelled: it was told to stop.
    """
    kind, said = outcome
    if kind == "cancelled":
        raise Cancelled
    if kind == "fault":
        log.error("%s failed:\n%s", work.id, said)
        return Done(work, error=_FAULT, attempts=attempts)
    return Done(work, error=said, attempts=attempts) if kind == "failed" else Done(work, said, attempts=attempts)
