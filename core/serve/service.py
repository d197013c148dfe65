"""A few desks at which requests are worked on, each with a workspace of its own, and a line of those that wait.

>>> with Service(Limits(), lambda spaces: open_each(Path("recognizer"), spaces)) as service:   # doctest: +SKIP
...     uvicorn.run(make_app(service))
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Protocol, TypeVar

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray
from sqlalchemy import URL
from starlette.requests import ClientDisconnect

from core.atomic import make_folder
from core.database import Database
from core.detector import Detector, starter
from core.errors import Cancelled
from core.recognize.loading import LIGHT, OpenedRecognizer, open_recognizer
from core.recognize.samples import ClipSample
from core.serve.limits import Limits
from core.workspace import Workspace

RETRY_S = 10
"""After so many seconds a client that was turned away may ask again."""
_LOOK_S = 0.2
"""So often it is looked whether the work is overdue or the client has gone."""
Answer = TypeVar("Answer")
Progress = Callable[[str, float], None]
Cancel = Callable[[], bool]


class Namer(Protocol):
    """Whatever gives moments names, such as :class:`core.recognize.loading.OpenedRecognizer`."""

    @property
    def folder(self) -> Path:
        """Where it comes from."""

    @property
    def architecture(self) -> str:
        """What it is."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the probabilities."""

    @property
    def unsure_below(self) -> float:
        """A moment whose highest probability is below had better stay unnamed."""

    @property
    def clip_s(self) -> float | None:
        """How long the clips of its training were, in seconds; None where nobody knows."""

    def predict(
        self, samples: Sequence[ClipSample], /, progress: Progress | None = None, cancelled: Cancel | None = None
    ) -> NDArray[np.floating]:
        """Probabilities, shape ``(n, classes)``; each row adds up to 1."""


Namers = Callable[[Sequence[Workspace]], Sequence[Namer]]
"""Opens a recognizer for each of the workspaces."""


@dataclass(frozen=True, eq=False)
class Desk:
    """What one request at a time works with."""

    workspace: Workspace
    recognizer: Namer | None
    detector: Detector
    judging: threading.Lock
    """Held while the detector judges: it limits the threads of the whole process meanwhile, and on how many there are
    depends the last bit of what it says."""

    def clear(self) -> None:
        """Forget what was looked at."""
        for session in self.workspace.sessions():
            self.workspace.remove_session(session.id)
        shutil.rmtree(self.workspace.home / "videos", ignore_errors=True)  # not all that is looked at is a session


Work = Callable[[Desk, Cancel], Answer]


class Service:
    """The desks and the line. To be closed: what lies in its temporary folder goes then.

    Args:
        namers: opens the recognizer; None where there is none.
        detector: what finds moments; the starter by default.
        detector_name: what to call it.
        weights: folder with weights of pose networks, as in a workspace; a temporary one by default.

    Raises:
        UserError: the recognizer cannot be used.
    """

    def __init__(
        self,
        limits: Limits,
        namers: Namers | None = None,
        detector: Detector | None = None,
        detector_name: str = "starter",
        weights: Path | None = None,
    ) -> None:
        self.limits = limits
        self.detector_name = detector_name
        self._held = ExitStack()
        with ExitStack() as opened:
            self._home = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="trickline-serve-")))
            spaces = [opened.enter_context(_workspace(self._home / f"{n}", weights)) for n in range(limits.at_once)]
            recognizers: Sequence[Namer | None] = namers(spaces) if namers else [None] * limits.at_once
            self.recognizer = recognizers[0]
            """As it is at every desk."""
            judging = threading.Lock()
            self._desks: SimpleQueue[Desk] = SimpleQueue()
            for space, recognizer in zip(spaces, recognizers, strict=True):
                self._desks.put(Desk(space, recognizer, detector or starter(), judging))
            self._pool = ThreadPoolExecutor(limits.at_once, "serve")
            opened.callback(self._pool.shutdown, cancel_futures=True)  # before what the threads work with goes
            self._held = opened.pop_all()
        self._places = limits.at_once + limits.waiting
        self._taken = 0
        self._counting = threading.Lock()

    @property
    def under_way(self) -> int:
        """Requests that are received, wait or are worked on, those included whose client was given up."""
        return self._taken

    def place(self) -> ExitStack:
        """A place in the line, to be closed, and a path for what is sent: see :meth:`path`.

        Raises:
            HTTPException: 503, the line is full.
        """
        with self._counting:
            if self._taken >= self._places:
                raise HTTPException(
                    503,
                    f"All {self._places} places are taken: ask again in some seconds.",
                    {"Retry-After": str(RETRY_S)},
                )
            self._taken += 1
        held = ExitStack()
        held.callback(self._leave)
        return held

    def path(self, held: ExitStack) -> Path:
        """Where a file can be received. It goes with the place."""
        path = self._home / f"upload-{secrets.token_hex(12)}"
        held.callback(path.unlink, missing_ok=True)
        return path

    async def do(self, work: Work[Answer], held: ExitStack, gone: Callable[[], Awaitable[bool]]) -> Answer:
        """Let a desk do the work, as soon as one is free.

        Args:
            held: what the work needs; closed when it is really over, which may be after the client was answered.
            gone: whether nobody waits for the answer any more.

        Raises:
            HTTPException: 504, it takes too long.
            ClientDisconnect: the client has gone.
            Exception: whatever the work raises.
        """
        watch = _Watch(self.limits.timeout_s)
        done = self._pool.submit(self._at_a_desk, work, held, watch)
        done.add_done_callback(lambda _: held.close())  # it may be given up before it begins
        waiting = asyncio.wrap_future(done)
        try:
            while not (await asyncio.wait([waiting], timeout=_LOOK_S))[0]:
                if watch.overdue():
                    raise self._too_long()
                if await gone():
                    raise ClientDisconnect
            return waiting.result()
        except Cancelled as error:
            raise self._too_long() from error
        finally:
            watch.stop()
            waiting.cancel()

    def close(self) -> None:
        """Wait for what is worked on, and let go of everything."""
        self._held.close()

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _at_a_desk(self, work: Work[Answer], held: ExitStack, watch: _Watch) -> Answer:
        desk = self._desks.get()
        try:
            with held:
                watch.begin()
                try:
                    return work(desk, watch)
                finally:
                    desk.clear()
        finally:
            self._desks.put(desk)

    def _leave(self) -> None:
        with self._counting:
            self._taken -= 1

    def _too_long(self) -> HTTPException:
        return HTTPException(
            504,
            f"The work took longer than {self.limits.timeout_s:g} s and was stopped: send a shorter video, or start the"
            " server with a larger --timeout.",
        )


class _Watch:
    """Whether the work shall stop."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._until: float | None = None
        self._stopped = False

    def __call__(self) -> bool:
        return self._stopped or self.overdue()

    def begin(self) -> None:
        """From now on the time counts."""
        self._until = time.monotonic() + self._limit_s

    def overdue(self) -> bool:
        """Whether the time is over."""
        return self._until is not None and time.monotonic() > self._until

    def stop(self) -> None:
        """Nobody wants the work any more."""
        self._stopped = True


def open_each(folder: Path, workspaces: Sequence[Workspace]) -> list[OpenedRecognizer]:
    """A recognizer for each workspace. A network needs none and is large: it is loaded once, for all of them.

    Raises:
        UserError: as :func:`core.recognize.loading.open_recognizer`.
    """
    first = open_recognizer(folder, workspaces[0])
    if first.architecture != LIGHT:
        return [first] * len(workspaces)
    return [first, *(open_recognizer(folder, workspace) for workspace in workspaces[1:])]


def _workspace(home: Path, weights: Path | None) -> Workspace:
    """A workspace that is nobody else's, even where ``TRICKLINE_DB`` names a database for all."""
    make_folder(home)
    if weights is not None:
        make_folder(weights)
        (home / "weights").symlink_to(weights.absolute(), target_is_directory=True)
    return Workspace(home, Database(URL.create("sqlite", database=str(home / "trickline.db"))))
