"""How good detectors are on skaters that they have not seen, on sessions composed of real clips.

    python -m tests.bench.bench_detector [FOLDER]

FOLDER keeps the composed sessions and what was looked at (about 100 MB), so that a second run takes minutes. Tricks of
a composed session are whole clips, so any overlap finds one; edges are judged by take-offs and landings labelled by
eye. One of six groups of scenes is left out at a time: no scene is on both sides, and a sixth of the little there is to
learn from is missing from each training.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core import sighting
from core.detector import Detector, TrickDetector
from core.ensemble import Ensemble
from core.evaluate import Counts, EventMetrics, bounds, event_metrics, overlaps, pooled
from core.events import find_events
from core.features import features, usable_rows
from core.hop_rule import HopRule
from core.intervals import Interval
from core.labels import read_labels
from core.lessons import Example, Lesson, lessons_of, positive_rows
from core.settings import EventSettings, PoseSettings, TrainSettings
from core.sighting import Look
from core.workspace import Workspace
from sample_data.make_session import make_session
from tests.bench.composed import SHARED, Composed, compose, groups, plans

ENSEMBLE = TrainSettings(feature_set="kinematics", model="ensemble")
YOLO = SHARED.parent / "models" / "yolov8n-pose_int8_openvino_model"
BACKENDS = {
    "MoveNet": PoseSettings(backend="movenet"),
    "YOLO int8": PoseSettings(backend="yolo", weights=str(YOLO)),
}
WEIGHTS = {"cruising": 3.0, "slow": 2.0}
"""Of what there is little to learn from, and much in real footage."""
EVENTS = EventSettings(default_threshold=0.85, min_event_s=0.2)
"""What is shorter is a jump of a player more often than a trick."""
OTHERS_AT = (0.5, 0.85)
LEVEL = ("along", "leg_extension", "tilt", "stance", "leg_conf", "torso", "box_conf", "legs_seen")
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
                return sighting.look(video, workspace, settings)

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
ALL: tuple[str, ...] = ()
"""Names what was trained on all scenes; the reference session and the drawn one are in no training."""


def fitted(sessions: Sequence[Seen], fit: Fit) -> dict[tuple[str, ...], Detector]:
    """A detector for each group of scenes that has not seen it, and one that has seen all of them."""
    taught = [i for i, one in enumerate(sessions) if one.scenes[0] not in ("reference", "drawn")]
    folds = {fold: [i for i in taught if not set(sessions[i].scenes) & set(fold)] for fold in groups()}
    return {fold: fit(train) for fold, train in {**folds, ALL: taught}.items()}


def unseeing(one: Seen, detectors: dict[tuple[str, ...], Detector]) -> Detector:
    """The one that has seen none of the session's scenes."""
    return next((found for fold, found in detectors.items() if set(one.scenes) <= set(fold)), detectors[ALL])


def judged(sessions: Sequence[Seen], detectors: dict[tuple[str, ...], Detector]) -> list[NDArray[np.float64]]:
    """Probabilities of each session."""
    return [unseeing(one, detectors).predict_proba(one.example.table) for one in sessions]


def calibrate(sessions: Sequence[Seen], detectors: dict[tuple[str, ...], Detector]) -> None:
    """Give all of them the probabilities that are right for sessions that they have not seen."""
    logits, answers = [], []
    for one in sessions:
        detector = unseeing(one, detectors)
        if detector is not detectors[ALL]:
            assert isinstance(detector, TrickDetector)
            rows = usable_rows(one.example.table, ENSEMBLE.feature_set)
            logits.append(detector.estimator.logit(features(one.example.table, ENSEMBLE.feature_set)[0][rows]))
            answers.append(positive_rows(one.example, 1)[rows])
    for detector in detectors.values():
        assert isinstance(detector, TrickDetector)
        detector.estimator = detector.estimator.calibrated(np.concatenate(logits), np.concatenate(answers))


def lessons(sessions: Sequence[Seen], settings: TrainSettings) -> list[list[Lesson]]:
    """Of every session, to be put together for each training."""
    return [
        [replace(lesson, weight=WEIGHTS.get(one.kind, 1.0)) for lesson in lessons_of(one.example, settings)]
        for one in sessions
    ]


def trainer(made: Sequence[Sequence[Lesson]], settings: TrainSettings) -> Fit:
    """Trains on what is put together."""

    def fit(train: Sequence[int]) -> Detector:
        together = [lesson for i in train for lesson in made[i]]
        return TrickDetector.taught(together, settings, None, {"sampling_rate": 15.0, "videos": []})

    return fit


class Level:
    """The same ensemble without any vertical motion: what the place, the stance and the speed give away alone."""

    events = EventSettings()

    def __init__(self, together: Sequence[Lesson]) -> None:
        x, y = np.concatenate([lesson.x for lesson in together]), np.concatenate([lesson.y for lesson in together])
        self._columns = [i for i, name in enumerate(together[0].columns) if level(name)]
        self._ensemble = Ensemble.fit(x[:, self._columns], y, np.where(y, 0.5 * (~y).sum() / y.sum(), 1.0), 42)

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """As :class:`core.detector.Detector`."""
        return self._ensemble.predict_proba(features(table, "kinematics")[0][:, self._columns])[:, 1]


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


def starters(sessions: Sequence[Seen], kinematic: Sequence[Sequence[Lesson]]) -> dict[tuple[str, ...], Detector]:
    """The starter, under ``ALL``, and its like for each group of scenes left out."""
    detectors = fitted(sessions, trainer(kinematic, ENSEMBLE))
    calibrate(sessions, detectors)
    return detectors


def main(folder: Path) -> None:
    """Print everything."""
    sessions = look_at_all(folder)
    kinematic = lessons(sessions, ENSEMBLE)
    made = judged(sessions, starters(sessions, kinematic))
    report("the starter's recipe", sessions, made, EVENTS)
    spread(sessions, made, EVENTS)
    rule = [HopRule().predict_proba(one.example.table) for one in sessions]
    for threshold in OTHERS_AT:
        report("rule of hops", sessions, rule, with_threshold(threshold))
    boosting = TrainSettings(feature_set="kinematics", model="gb")
    original, motion = TrainSettings(feature_set="temporal"), TrainSettings(feature_set="motion")
    for name, fit in (
        ("without vertical motion", lambda train: Level([lesson for i in train for lesson in kinematic[i]])),
        ("original's recipe", trainer(lessons(sessions, original), original)),
        ("forest on motion", trainer(lessons(sessions, motion), motion)),
        ("boosting on the same features", trainer(kinematic, boosting)),
    ):
        made = judged(sessions, fitted(sessions, fit))
        for threshold in OTHERS_AT:
            report(name, sessions, made, with_threshold(threshold))


def with_threshold(threshold: float) -> EventSettings:
    """The same rules for events at another threshold."""
    return EVENTS.model_copy(update={"default_threshold": threshold})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
