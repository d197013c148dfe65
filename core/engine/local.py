"""Work in processes of this machine.

A process does one piece after the other and keeps what it loaded. One that dies, as by a file that a decoder cannot
stand, is replaced; only what it was doing is lost with it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

from core.cores import VARIABLE, cores, free_memory
from core.engine import CRASHED, CRASHES, DROPPED, Cancel, Done, More, Outcome, Progress, Work, perform
from core.engine.waiting import Waiting
from core.errors import Cancelled

_CORES_EACH = 2
"""Looking decodes in one thread and runs its network in others: a second core nearly doubles its pace, a third does
little."""
_BYTES_EACH = 1 << 30
"""For a process: looking takes 0.4 GB at 640 x 360 and 0.6 GB at 4K, and an encoder comes on top."""
_POLL_S = 0.1
_REPORT_S = 0.25
_STOP_S = 10.0

_starting = threading.Lock()

log = logging.getLogger(__name__)


class LocalEngine:
    """Processes of this machine.

    Args:
        slots: how many of them; None goes by the cores, and by the memory where that is scarcer.
    """

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or int(max(1, min(cores() // _CORES_EACH, free_memory() // _BYTES_EACH)))

    def run(
        self,
        works: Iterable[Work],
        more: More | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Generator[Done]:
        """See :meth:`core.engine.Engine.run`."""
        waiting = Waiting(works, more)
        idle: list[_Hand] = []
        busy: dict[Connection, _Hand] = {}
        try:
            while waiting or busy:
                if cancelled and cancelled():
                    raise Cancelled
                while len(busy) < self.slots and (next_one := waiting.take()):
                    work, attempt = next_one
                    if work.unwanted and work.unwanted():
                        yield waiting.end(work, DROPPED, attempt)
                        continue
                    hand = idle.pop() if idle else _Hand(max(1, cores() // self.slots))
                    hand.begin(work, attempt)
                    busy[hand.pipe] = hand
                if not busy and waiting:
                    time.sleep(_POLL_S)
                for pipe in wait(list(busy), _POLL_S):
                    assert isinstance(pipe, Connection)
                    hand = busy[pipe]
                    outcome = hand.hear(progress)
                    if outcome is None:
                        continue
                    del busy[pipe]
                    if hand.alive:
                        idle.append(hand)
                    elif hand.attempt < CRASHES:
                        waiting.again(hand.work, hand.attempt + 1)
                        continue
                    if outcome[0] == "away":
                        waiting.after_pause(hand.work, hand.attempt, outcome[1])
                        continue
                    yield waiting.end(hand.work, outcome, hand.attempt)
        finally:
            for hand in (*idle, *busy.values()):
                hand.tell_to_end()
            for hand in (*idle, *busy.values()):
                hand.wait_for_end()


class _Hand:
    """A process, and what it is at."""

    work: Work
    attempt: int

    def __init__(self, with_cores: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="trickline")
        with _starting, _told_of(with_cores), _deaf():
            self._process.start()
        theirs.close()
        self.alive = True

    def begin(self, work: Work, attempt: int) -> None:
        """Give it something to do."""
        self.work, self.attempt = work, attempt
        with suppress(OSError):  # if it died, that is heard next
            self.pipe.send((work.function, work.arguments))

    def hear(self, progress: Progress | None) -> Outcome | None:
        """What it says next: how the work has ended, by the end of the process too, or None for how far it is."""
        try:
            kind, *said = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            self.pipe.close()
            self.alive = False
            log.warning("%s: its process ended with code %s.", self.work.id, self._process.exitcode)
            return "failed", CRASHED
        if kind == "progress":
            if progress:
                progress(self.work, *said)
            return None
        return kind, said[0]

    def tell_to_end(self) -> None:
        """Let it stop: a closed pipe says so, as the death of this process does, and needs no lock that could be left
        locked by one that was killed."""
        self.pipe.close()

    def wait_for_end(self) -> None:
        """Stop it, if it does not by itself."""
        self._process.join(_STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


@contextmanager
def _told_of(with_cores: int) -> Iterator[None]:
    """A process that starts meanwhile finds in its environment how many cores it has: what it imports first, which is
    the program that started it, may count them."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(with_cores)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


@contextmanager
def _deaf() -> Iterator[None]:
    """A process that starts meanwhile does not hear Ctrl-C, which reaches the whole group; the parent says what to do.
    Ignoring it as the first thing there is too late: before that it imports the program that started it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it, which the first process does else, lets the signal in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Report:
    """See :class:`core.tasks.Report`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._step, self._said_at = "", 0.0

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        now = time.monotonic()
        if step == self._step and now - self._said_at < _REPORT_S:
            return
        self._step, self._said_at = step, now
        try:
            self._pipe.send(("progress", step, fraction))
        except OSError as error:
            raise Cancelled from error

    def cancelled(self) -> bool:
        return self._pipe.poll()  # nothing comes while it works but the end of the pipe


def _serve(pipe: Connection) -> None:
    """The life of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # see _deaf; also for the programs that are started here
    logging.basicConfig(level=logging.WARNING, format="trickline: %(message)s")
    with suppress(EOFError, OSError, Cancelled):
        while True:
            function, arguments = pipe.recv()
            pipe.send(perform(function, arguments, _Report(pipe)))
