"""Many videos: ``python -m tests.bench.bench_scale [pace|overhead|nodes|spans|many]``, or all of them.

    pace      how much footage a core gets through, and two
overhead  what a file costs beyond the work itself, over 500 tiny ones
nodes     two Ray nodes of a core each beside one of them, in turn
spans     ten minutes in eight spans beside the whole, to the last digit
many      10,000 videos through the real engine, with an estimator that sees a standing person everywhere
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import pipeline, sighting
from core.batch import Ended, run_batch
from core.engine import Cancel, Done, Engine, Function, More, Progress, Work, open_engine
from core.engine.local import LocalEngine
from core.ffmpeg import run
from core.gathering import Footage, gather
from core.pose import People, backends
from core.settings import BatchSettings, PoseSettings, RunSettings
from core.tasks import Report
from core.workspace import Workspace
from sample_data.make_session import Session, make_session
from tests.ray_nodes import ray_nodes
from tests.shots import shots

RUN = RunSettings(pose=PoseSettings(backend="movenet"))
_SIZES = (360, 1080)
_NODE_VIDEOS, _ROUNDS = 24, 2
_MINUTES = 10


def pace(session: Session, folder: Path) -> None:
    """Looking, finding and cutting, with the network loaded."""
    mine = os.sched_getaffinity(0)
    for size in _SIZES:
        path = folder / f"{size}p.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        encoding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-c:a", "copy"]
        run(["-i", str(session.video), "-vf", f"scale=-2:{size}", *encoding, str(path)], frames=1800)
        (warm,) = shots(Session(path, path, path, ()), folder / f"warm {size}", 1, 2.0)
        for count in (1, 2):
            os.sched_setaffinity(0, set(sorted(mine)[:count]))  # for the processes to inherit
            try:
                ends = _batch(
                    [Footage((str(warm),)), Footage((str(path),))], folder / f"{size} {count}", LocalEngine(1)
                )
            finally:
                os.sched_setaffinity(0, mine)
            one = next(one.result for one in ends if one.footage.name == path.name)
            took_s = one["seconds"]["total"]
            print(
                f"{size}p, {count} core{'s' * (count > 1)}: {one['duration_s'] / took_s:.2f} s of footage a second "
                f"({1000 * took_s / one['sampled']:.1f} ms a sampled frame, {len(one['clips'])} clips cut)",
                flush=True,
            )


def overhead(session: Session, folder: Path, count: int = 500) -> None:
    """Tiny files, each another."""
    (tiny,) = shots(session, folder / "drawn", 1, 0.4)
    paths = _alike(tiny, folder / "tiny", count)
    begun = time.perf_counter()
    footage, _ = gather([folder / "tiny"])
    gathered_s = time.perf_counter() - begun
    with Workspace.open(folder / "ws") as workspace:
        begun = time.perf_counter()
        ends = list(run_batch(footage, BatchSettings(run=RUN), workspace, LocalEngine(1)))
        took_s = time.perf_counter() - begun
        begun = time.perf_counter()
        again = list(run_batch(footage, BatchSettings(run=RUN), workspace, LocalEngine(1)))
        again_s = time.perf_counter() - begun
    worked_s = sum(one.result["seconds"]["total"] for one in ends)
    assert [one.state for one in ends] == ["done"] * len(paths)
    assert [one.state for one in again] == ["known"] * len(paths)
    print(
        f"{count} files: gathering {1000 * gathered_s / count:.1f} ms a file, work {1000 * worked_s / count:.0f} ms, "
        f"beyond it {1000 * (took_s - worked_s) / count:.1f} ms; done before: {1000 * again_s / count:.1f} ms"
    )


def nodes(session: Session, folder: Path) -> None:
    """One node, two, one, two: their ratio."""
    paths = shots(session, folder / "shots", _NODE_VIDEOS, 2.4)
    footage = [Footage((str(path),)) for path in paths]
    took: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(_ROUNDS):
        for count in (1, 2):
            with ray_nodes(count) as there, open_engine(there.address) as engine:
                _batch(footage[:2], folder / f"warm {turn} {count}", engine)  # networks and modules are loaded now
                begun = time.perf_counter()
                _batch(footage, folder / f"ws {turn} {count}", engine)
                took[count].append(time.perf_counter() - begun)
    one, two = min(took[1]), min(took[2])
    print(f"{_NODE_VIDEOS} videos on one node {one:.1f} s, on two {two:.1f} s: {one / two:.2f} times ({took})")


def spans(session: Session, folder: Path) -> None:
    """The same tables, bit for bit, and the same events."""
    folder.mkdir(parents=True)
    long = folder / "long.mp4"
    looped = ["-stream_loop", str(_MINUTES - 1), "-i", str(session.video), "-c", "copy", str(long)]
    run(looped, frames=1800 * _MINUTES)
    settings = BatchSettings(run=RUN, span_s=85.0)  # five parts of 17 s: eight spans
    with Workspace.open(folder / "apart") as apart, Workspace.open(folder / "whole") as whole:
        begun = time.perf_counter()
        engine = _Counting(LocalEngine(2))
        (ended,) = run_batch(gather([long])[0], settings, apart, engine)
        apart_s = time.perf_counter() - begun
        begun = time.perf_counter()
        alone = pipeline.run(long, whole, RUN, None)
        whole_s = time.perf_counter() - begun
        joined = sighting.kept(apart.session(alone.look.content), apart)
    assert joined
    ours, theirs = joined.signals.table, alone.look.signals.table
    differing = int((ours.ne(theirs) & ~(ours.isna() & theirs.isna())).any(axis=1).sum())
    print(
        f"{_MINUTES} min in {engine.spans} spans {apart_s:.0f} s, whole {whole_s:.0f} s: {len(ours)} and {len(theirs)} "
        f"frames, {differing} of them differ in any digit; events {len(ended.result['events'])} and "
        f"{len(alone.events)}, the same: {ended.result['events'] == alone.to_json()['events']}"
    )


def many(session: Session, folder: Path, count: int = 10_000) -> None:
    """Through the queue, the processes and the records; only the network is none."""
    (tiny,) = shots(session, folder / "drawn", 1, 0.2)
    _alike(tiny, folder / "tiny", count)
    begun = time.perf_counter()
    footage, _ = gather([folder / "tiny"])
    gathered_s = time.perf_counter() - begun
    states: dict[str, int] = {}
    with Workspace.open(folder / "ws") as workspace:
        begun = time.perf_counter()
        for number, ended in enumerate(run_batch(footage, BatchSettings(run=RUN), workspace, _Stubbed(2)), start=1):
            states[ended.state] = states.get(ended.state, 0) + 1
            if number % (count // 10) == 0:
                took_s = time.perf_counter() - begun
                print(f"  {number:6}: {1000 * took_s / number:.1f} ms a video so far", flush=True)
        took_s = time.perf_counter() - begun
        begun = time.perf_counter()
        known = len(workspace.sessions())
        listed_s = time.perf_counter() - begun
    size = sum(path.stat().st_size for path in (folder / "ws").rglob("*") if path.is_file())
    print(
        f"{count} videos: gathered in {gathered_s:.1f} s, {states} in {took_s:.0f} s; {known} sessions, listed in "
        f"{listed_s:.2f} s; {size / count / 1000:.1f} kB kept of each"
    )


def _batch(footage: list[Footage], home: Path, engine: Engine) -> list[Ended]:
    with Workspace.open(home) as workspace:
        ends = list(run_batch(footage, BatchSettings(run=RUN, out=str(home / "clips")), workspace, engine))
    assert [one.state for one in ends] == ["done"] * len(footage)
    return ends


def _alike(video: Path, folder: Path, count: int) -> list[Path]:
    """Copies that differ: a box at the end that no player reads."""
    folder.mkdir(parents=True)
    content = video.read_bytes()
    paths = [folder / f"{number:05d}.mp4" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(content + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
    return paths


class _Counting:
    """An engine that counts the spans."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.spans = engine, 0
        self.slots = engine.slots

    def run(
        self,
        works: Iterable[Work],
        more: More | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Generator[Done]:
        for done in self._engine.run(works, more, progress, cancelled):
            self.spans += ", part " in done.work.id
            yield done


class _Stubbed:
    """The local engine, with work that sees without a network."""

    def __init__(self, slots: int) -> None:
        self._engine = LocalEngine(slots)
        self.slots = self._engine.slots

    def run(
        self,
        works: Iterable[Work],
        more: More | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Generator[Done]:
        def wrapped(works: Iterable[Work]) -> Iterator[Work]:
            for work in works:
                yield Work(work.id, _Blindly(work.function), work.arguments)

        then: Callable[[Done], Iterable[Work]] | None = (lambda done: wrapped(more(done))) if more else None
        yield from self._engine.run(wrapped(works), then, progress, cancelled)


@dataclass(frozen=True)
class _Blindly:
    """A function whose process has no network."""

    function: Function

    def __call__(self, arguments: dict[str, Any], report: Report) -> Any:
        backends.choose = lambda settings, folder: _Standing()  # type: ignore[assignment]
        return self.function(arguments, report)


class _Standing:
    """Sees the same person in every picture."""

    name, long_side = "standing", 320

    def estimate(self, image: NDArray[np.uint8]) -> People:
        keypoints = np.full((1, 17, 3), 0.9, np.float32)
        keypoints[0, :, 0] = 0.5
        keypoints[0, :, 1] = np.linspace(0.2, 0.9, 17)
        box = np.array([[0.4, 0.15, 0.6, 0.95]], np.float32)
        return People(np.array([0.9], np.float32), box, keypoints)


KINDS: dict[str, Callable[[Session, Path], None]] = {
    "pace": pace,
    "overhead": overhead,
    "nodes": nodes,
    "spans": spans,
    "many": many,
}


def main(kinds: Iterable[str] = KINDS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        session = make_session(Path(name) / "session")
        for kind in kinds:
            KINDS[kind](session, Path(name) / kind)
            shutil.rmtree(Path(name) / kind)


if __name__ == "__main__":
    main(sys.argv[1:] or KINDS)
