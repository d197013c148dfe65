"""Pieces of work side by side, each in a thread that waits for an FFmpeg of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

from core.cores import cores
from core.errors import Cancelled
from core.ffmpeg import Progress, StopWish

_POLL_S = 0.1
AT_ONCE = max(2, min(4, cores() // 4))
"""An encoder keeps a few cores busy by itself, but not while it starts, seeks and closes its file."""

Made = TypeVar("Made")
Piece = Callable[[Progress, StopWish], Made]
"""Does its work, saying how much is done and asking whether to stop."""


def side_by_side(
    pieces: Sequence[Piece[Made]],
    made: Callable[[int, Made], None],
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> None:
    """Do all pieces, a few at once, begun in their order.

    Args:
        made: told the number of a piece and its result as soon as it is done, also of those that are still finished
            while the others stop. Like ``progress`` and ``cancelled`` it is called in the caller's thread alone.
        progress: told the share of all that is done, never less than before.

    Raises:
        Cancelled: ``cancelled`` said so.
        Exception: what the first piece that failed raised; the others are stopped.

    Whatever is raised, no piece runs any more then.
    """
    stop = Event()
    shares = [0.0] * len(pieces)

    def saying(number: int) -> Progress:
        def say(done: float) -> None:
            shares[number] = max(shares[number], done)

        return say

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="export") as pool:
        running: dict[Future[Made], int] = {}
        try:
            for number, piece in enumerate(pieces):
                running[pool.submit(_unless(stop, piece), saying(number), stop.is_set)] = number
            while running:
                if cancelled and cancelled():
                    raise Cancelled
                for future in wait(running, _POLL_S, FIRST_COMPLETED).done:
                    number = running.pop(future)
                    made(number, future.result())
                    shares[number] = 1.0
                if progress:
                    progress(sum(shares) / len(shares))
        finally:
            stop.set()
            for future in wait(running).done:
                if not future.exception():
                    made(running[future], future.result())


def _unless(stop: Event, piece: Piece[Made]) -> Piece[Made]:
    """The piece, if nobody wants to stop by the time that its turn comes."""

    def begin(progress: Progress, wish: StopWish) -> Made:
        if stop.is_set():
            raise Cancelled
        return piece(progress, wish)

    return begin
