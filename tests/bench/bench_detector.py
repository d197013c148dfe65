"""How good detectors are on skaters that they have not seen: leave one scene out, on sessions composed of real clips.

    python -m tests.bench.bench_detector [FOLDER]

FOLDER keeps the composed sessions and what was looked at (about 100 MB), so that a second run takes minutes. Tricks of
a composed session are whole clips, so any overlap finds one; edges are judged by take-offs and landings labelled by
eye.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core import pipeline
from core.detector import Detector, Example, HopRule, Lesson, TrickDetector, lessons_of
from core.evaluate import Counts, EventMetrics, bounds, event_metrics, overlaps, pooled
from core.events import find_events
from core.intervals import Interval
from core.labels import read_labels
from core.network import Network
from core.pipeline import Look
from core.settings import EventSettings, PoseSettings, TrainSettings
from core.workspace import Workspace
from sample_data.make_session import make_session
from tests.bench.composed import SHARED, Composed, compose, groups, plans

NETWORK = TrainSettings(feature_set="kinematics", model="network")
YOLO = SHARED.parent / "models" / "yolov8n-pose_int8_openvino_model"
BACKENDS = {
    "MoveNet": PoseSettings(backend="movenet"),
    "YOLO int8": PoseSettings(backend="yolo", weights=str(YOLO)),
}
LEVEL = ("along", "leg_extension", "tilt", "stance", "leg_conf", "torso", "box_conf", "coverage", "camera")
"""Beginnings of the features that hold no vertical motion."""


@dataclass(frozen=True)
class Seen:
    """A session under one backend."""

    name: str
    kind: str
    """tricks, cruising, slow, reference or drawn."""
    scenes: tuple[str, ...]
    backend: str
    example: Example
    clips: tuple[Interval, ...]
    """What is a trick by the whole clip; empty where take-off and landing are all that counts."""
    pts_s: NDArray[np.float64]


def look_at_all(folder: Path, seed: int = 42) -> list[Seen]:
    """Every session under every backend; what is there already is read."""
    made = []
    drawn = make_session(folder / "drawn")
    sessions: list[Composed] = [compose(plan, folder / "composed") for plan in plans(seed)]
    for backend, settings in BACKENDS.items():
        with Workspace.open(folder / "workspace") as workspace:

            def look(video: Path, workspace: Workspace = workspace, settings: PoseSettings = settings) -> Look:
                return pipeline.look(video, workspace, settings)

            for one in sessions:
                seen = look(one.video)
                example = Example(seen.signals.table, one.tricks, seen.video.n_frames, one.name)
                made.append(Seen(one.name, one.kind, one.scenes, backend, example, tuple(one.clips), seen.video.pts_s))
            for kind, video, labels in (
                ("reference", SHARED / "session" / "skate_video.mp4", SHARED / "session" / "annotations.xml"),
                ("drawn", drawn.video, drawn.video.with_name("annotations.xml")),
            ):
                seen = look(video)
                example = Example(seen.signals.table, read_labels(labels).intervals, seen.video.n_frames, kind)
                made.append(Seen(kind, kind, (kind,), backend, example, (), seen.video.pts_s))
    return made


Fit = Callable[[Sequence[int]], Detector]
"""Trains on the sessions with these numbers."""


def left_out(sessions: Sequence[Seen], fit: Fit, folds: Iterable[tuple[str, ...]]) -> list[NDArray[np.float64]]:
    """Probabilities of each session by a detector that has seen none of its scenes; the reference session and the drawn
    one are in no training."""
    made: list[NDArray[np.float64] | None] = [None] * len(sessions)
    everything = [i for i, one in enumerate(sessions) if one.scenes[0] not in ("reference", "drawn")]
    for fold in folds:
        train = [i for i in everything if not set(sessions[i].scenes) & set(fold)]
        tested = [i for i in everything if made[i] is None and set(sessions[i].scenes) <= set(fold)]
        if tested:
            detector = fit(train)
            for i in tested:
                made[i] = detector.predict_proba(sessions[i].example.table)
    detector = fit(everything)
    return [
        detector.predict_proba(one.example.table) if probability is None else probability
        for one, probability in zip(sessions, made, strict=True)
    ]


def lessons(sessions: Sequence[Seen], settings: TrainSettings) -> list[list[Lesson]]:
    """Of every session, to be put together for each training."""
    return [lessons_of(one.example, settings) for one in sessions]


def trainer(made: Sequence[Sequence[Lesson]], settings: TrainSettings) -> Fit:
    """Trains on what is put together."""

    def fit(train: Sequence[int]) -> Detector:
        together = [lesson for i in train for lesson in made[i]]
        return TrickDetector.taught(together, settings, None, {"sampling_rate": 15.0, "videos": []})

    return fit


class Level:
    """The same network without any vertical motion: what the place, the stance and the speed give away alone."""

    events = EventSettings()

    def __init__(self, together: Sequence[Lesson]) -> None:
        x, y = np.concatenate([lesson.x for lesson in together]), np.concatenate([lesson.y for lesson in together])
        self._columns = [i for i, name in enumerate(together[0].columns) if level(name)]
        self._network = Network.fit(x[:, self._columns], y, np.where(y, 0.5 * (~y).sum() / y.sum(), 1.0), 42)

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """As :class:`core.detector.Detector`."""
        from core.features import features

        return self._network.predict_proba(features(table, "kinematics")[0][:, self._columns])[:, 1]


def level(name: str) -> bool:
    """Whether a feature holds no vertical motion."""
    return name.startswith(LEVEL) or "_along" in name


@dataclass(frozen=True)
class Figures:
    """What a detector found in some sessions."""

    clips: Counts
    """Whole clips found, by any overlap."""
    edges: EventMetrics
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]
    """Session and second."""

    @property
    def minutes(self) -> float:
        return self.edges.minutes

    def row(self) -> dict[str, str]:
        """For the table."""
        c, e = self.clips, self.edges
        text = {
            "clips": f"{c.found}/{c.found + c.missed}",
            "wrong": str(c.wrong),
            "wrong/min": f"{c.wrong / e.minutes:.2f}",
        }
        text |= {"F1 any": f"{c.f1:.3f}", **{f"F1@{t}": f"{n.f1:.3f}" for t, n in e.by_tiou.items()}}
        text |= {"P@0.5": f"{e.by_tiou[0.5].precision:.3f}", "R@0.5": f"{e.by_tiou[0.5].recall:.3f}"}
        for name, errors in (("start", e.start), ("end", e.end)):
            text[f"{name} ms"] = f"{errors.median_ms:+.0f} |{errors.median_abs_ms:.0f}| p95 {errors.p95_abs_ms:.0f}"
        return text


def figures(sessions: Sequence[Seen], probabilities: Sequence[NDArray[np.float64]], events: EventSettings) -> Figures:
    """Over all of these sessions together."""
    total, edges = Counts(), []
    missed, alarms = [], []
    for one, probability in zip(sessions, probabilities, strict=True):
        table = one.example.table
        found = find_events(
            table["frame"].to_numpy(), table["time_s"].to_numpy(), probability, events, one.example.n_frames
        )
        edges.append(event_metrics(one.example.truth, found, one.pts_s))
        whole = one.clips or tuple(one.example.truth)
        true = sorted(whole)
        pairs = overlaps(bounds(true), bounds(found)).matched(1e-9)
        total += Counts(len(pairs), len(true) - len(pairs), len(found) - len(pairs))
        hit, right = set(pairs.truth.tolist()), set(pairs.found.tolist())
        missed += [f"{one.name}:{true[i].label}" for i in range(len(true)) if i not in hit]
        alarms += [f"{one.name}@{one.pts_s[e.start_frame]:.1f}s" for i, e in enumerate(found) if i not in right]
    return Figures(total, pooled(edges), tuple(missed), tuple(alarms))


def table(rows: dict[str, Figures]) -> str:
    """As plain text."""
    return pd.DataFrame({name: one.row() for name, one in rows.items()}).T.to_string()


def report(name: str, sessions: Sequence[Seen], made: Sequence[NDArray[np.float64]], events: EventSettings) -> None:
    """Print each set under each backend."""
    rows = {}
    for backend in BACKENDS:
        for kind in ("tricks", "cruising", "slow", "reference", "drawn"):
            mine = [i for i, one in enumerate(sessions) if (one.backend, one.kind) == (backend, kind)]
            if mine:
                rows[f"{backend} {kind}"] = figures([sessions[i] for i in mine], [made[i] for i in mine], events)
    print(f"\n{name}, threshold {events.default_threshold}\n{table(rows)}", flush=True)
    for which, one in rows.items():
        print(f"  {which}: missed {', '.join(one.missed) or 'none'}; wrong {', '.join(one.false_alarms) or 'none'}")


def spread(sessions: Sequence[Seen], made: Sequence[NDArray[np.float64]], events: EventSettings) -> None:
    """Print F1 by scene."""
    scenes = sorted({one.scenes[0] for one in sessions if one.kind == "tricks"})
    by_scene = {}
    for scene in scenes:
        mine = [i for i, one in enumerate(sessions) if one.kind == "tricks" and one.scenes == (scene,)]
        by_scene[scene] = figures([sessions[i] for i in mine], [made[i] for i in mine], events).clips
    low, middle, high = np.percentile([count.f1 for count in by_scene.values()], (10, 50, 90))
    print(
        f"  by scene: F1 {low:.2f} (10th percentile), {middle:.2f} (median), {high:.2f} (90th); "
        + ", ".join(f"{scene} {count.f1:.2f}" for scene, count in by_scene.items() if count.f1 < 0.93)
    )


def main(folder: Path) -> None:
    """Print everything."""
    sessions = look_at_all(folder)
    scenes = sorted({scene for group in groups() for scene in group})
    single = [*((scene,) for scene in scenes), *groups()]
    kinematic = lessons(sessions, NETWORK)
    made = left_out(sessions, trainer(kinematic, NETWORK), single)
    for threshold in (0.5, 0.7):
        events = EventSettings(default_threshold=threshold)
        report("the starter's recipe, leave one scene out", sessions, made, events)
        spread(sessions, made, events)
    report("rule of hops", sessions, [HopRule().predict_proba(one.example.table) for one in sessions], EventSettings())
    usual = EventSettings()
    boosting = TrainSettings(feature_set="kinematics", model="gb")
    original, motion = TrainSettings(feature_set="temporal"), TrainSettings(feature_set="motion")
    for name, fit in (
        ("without vertical motion", lambda train: Level([lesson for i in train for lesson in kinematic[i]])),
        ("original's recipe", trainer(lessons(sessions, original), original)),
        ("forest on motion", trainer(lessons(sessions, motion), motion)),
        ("boosting on the same features", trainer(kinematic, boosting)),
    ):
        report(f"{name}, leave one of six groups of scenes out", sessions, left_out(sessions, fit, groups()), usual)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
