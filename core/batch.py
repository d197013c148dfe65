"""Many videos at once: one queue over the processes of this machine or the machines of a cluster.

    >>> footage, notes = gather([Path("2024/park")])                         # doctest: +SKIP
    >>> with Workspace.open() as workspace, open_engine() as engine:         # doctest: +SKIP
    ...     for ended in run_batch(footage, BatchSettings(out="clips"), workspace, engine):
    ...         print(ended.footage.name, ended.state)

One bad file stops nothing, and what was done with the same settings is not done again, wherever it lies now and
whatever it is called. A long video is looked at in spans, beside each other, where there is more than one to do it.
"""

from __future__ import annotations

import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from core import stores
from core.atomic import check_folder
from core.clips import session_part
from core.engine import Cancel, Done, Engine, Function, Work
from core.gathering import Footage
from core.one_video import finish, start
from core.settings import BatchSettings
from core.spans import gpu_share, span_work
from core.workspace import Workspace

State = Literal["done", "known", "failed"]
Progress = Callable[[Footage, str, float], None]
"""Called with the footage, the step that it is at, and how much of that is done, 0 to 1."""


@dataclass(frozen=True)
class Ended:
    """What became of a recording."""

    footage: Footage
    state: State
    """``known`` was done before."""
    result: dict[str, Any] = field(default_factory=dict)
    """What ``trickline run --json`` prints of it; empty if it failed."""
    message: str | None = None
    """Why it failed, a sentence."""


@dataclass
class Tally:
    """What became of all, so far."""

    done: int = 0
    known: int = 0
    failed: int = 0
    tricks: int = 0
    clips: int = 0
    footage_s: float = 0.0

    def add(self, ended: Ended) -> None:
        """Count one more."""
        setattr(self, ended.state, getattr(self, ended.state) + 1)
        self.tricks += len(ended.result.get("events", ()))
        self.clips += len(ended.result.get("clips", ()))
        self.footage_s += ended.result.get("duration_s", 0.0)

    def to_json(self) -> dict[str, Any]:
        """As it is printed."""
        return {**asdict(self), "footage_s": round(self.footage_s, 3)}


def check_out(out: str | None) -> None:
    """Learn before hours of work that no clips can be written to a folder, a path or an address.

    Raises:
        UserError: nothing can be written there, or its store cannot be reached.
    """
    if out and stores.is_url(out):
        stores.check_writable(out)
    elif out:
        check_folder(Path(out))


def run_batch(
    footage: Iterable[Footage],
    settings: BatchSettings,
    workspace: Workspace,
    engine: Engine,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
    *,
    checked: bool = False,
) -> Iterator[Ended]:
    """Look, find and cut in all of the footage; each is handed out as it ends, once.

    Args:
        checked: whether :func:`check_out` was asked before.

    Raises:
        UserError: nothing can be written into ``out``, or the cluster is gone.
        Cancelled: ``cancelled`` said so; what was finished is known the next time.
    """
    if not checked:
        check_out(settings.out)
    queue = _Queue(footage, settings, workspace, engine.slots)

    def told(work: Work, step: str, share: float) -> None:
        if progress:
            progress(queue.footage_of(work), step, queue.share(work, share))

    for done in engine.run(queue.first(), queue.following, told, cancelled):
        ended = queue.ended(done)
        if ended:
            yield ended


class _Queue:
    """What has to be done for each recording, one thing after the other."""

    def __init__(self, footage: Iterable[Footage], settings: BatchSettings, workspace: Workspace, slots: int) -> None:
        self._footage = list(footage)
        self._home, self._pose = workspace.home, settings.run.pose
        self._arguments = {
            "home": str(workspace.home),
            "settings": settings.model_dump(mode="json"),
            "slots": slots,
            "batch": secrets.token_hex(8),
        }
        # The clips of videos of one name find names that are free: one after the other.
        self._waiting: dict[str, deque[int]] = defaultdict(deque)
        for number, one in enumerate(self._footage):
            self._waiting[_clips_name(one)].append(number)
        self._shares: dict[int, dict[str, float]] = {}
        """Of a recording that is looked at in spans: by the span's work, how much of it is done."""
        self._copies: dict[int, list[str]] = {}
        """Of such a recording: the fetched copies that go when it has ended."""
        self._failed: set[int] = set()
        self._active: set[str] = set()
        """Names of clips that somebody works for."""
        self._notes: dict[int, str] = {}

    def first(self) -> Iterator[Work]:
        """What everything begins with."""
        for name in list(self._waiting):
            yield from self._next(name)

    def following(self, done: Done) -> Iterator[Work]:
        """What has to be done next."""
        number, result = self._number(done.work), done.result or {}
        if "spans" in result:
            path = Path(result["path"])
            works = [
                replace(
                    span_work(f"{done.work.id}, part {begin}", self._home, path, self._pose, range(begin, end)),
                    unwanted=lambda: number in self._failed,
                )
                for begin, end in result["spans"]
            ]
            self._shares[number] = {work.id: 0.0 for work in works}
            self._copies[number] = result["copies"]
            yield from works
            return
        if number in self._shares:
            self._shares[number][done.work.id] = 1.0
            if min(self._shares[number].values()) < 1.0:
                return
            del self._shares[number]
            copies = self._copies.pop(number)
            if number not in self._failed and not done.error:
                yield self._work(number, finish)
                return
            stores.drop_copies(copies)
        name = _clips_name(self._footage[number])
        self._active.discard(name)
        freed = [name]
        if "apart" in result:  # chapters that do not join are recordings of their own
            for source in self._footage[number].sources:
                one = Footage((source,))
                self._notes.setdefault(len(self._footage), result["apart"])
                freed.append(_clips_name(one))
                self._waiting[freed[-1]].append(len(self._footage))
                self._footage.append(one)
        for name in freed:
            yield from self._next(name)

    def _next(self, name: str) -> Iterator[Work]:
        """The next recording whose clips have this name, unless somebody works for one."""
        if name not in self._active and self._waiting[name]:
            self._active.add(name)
            yield self._work(self._waiting[name].popleft(), start)

    def ended(self, done: Done) -> Ended | None:
        """What became of the recording, if this was the last that had to be done for it."""
        number = self._number(done.work)
        if number in self._failed:
            return None
        if done.error:
            self._failed.add(number)
            return Ended(self._footage[number], "failed", message=done.error)
        if not done.result or "events" not in done.result:
            return None
        if number in self._notes:
            done.result["notes"] = [self._notes[number], *done.result["notes"]]
        return Ended(self._footage[number], "known" if done.result.pop("known") else "done", done.result)

    def footage_of(self, work: Work) -> Footage:
        """The recording that work belongs to."""
        return self._footage[self._number(work)]

    def share(self, work: Work, share: float) -> float:
        """How much of the recording's step is done, if so much of this work's is."""
        of_spans = self._shares.get(self._number(work), {})
        if work.id not in of_spans:
            return share
        of_spans[work.id] = min(share, 0.999)  # it is done when it ends
        return sum(of_spans.values()) / len(of_spans)

    def _work(self, number: int, function: Function) -> Work:
        one = self._footage[number]
        name = f"{number} {one.name}" if function is start else f"{number} {one.name}, joined"
        return Work(name, function, {**self._arguments, "sources": one.sources}, gpus=gpu_share(self._pose))

    @staticmethod
    def _number(work: Work) -> int:
        return int(work.id.partition(" ")[0])


def _clips_name(footage: Footage) -> str:
    """What the names of its clips begin with, without regard to case."""
    return session_part(Path(footage.sources[0])).casefold()
