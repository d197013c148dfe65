"""The whole way for one video: look, measure, find, cut. The command line, the app and the workers call this.

    >>> with Workspace.open() as workspace:                                  # doctest: +SKIP
    ...     result = run(Path("footage.mp4"), workspace, RunSettings(), Path("clips"))
    >>> result.events, result.exported.clips                                 # doctest: +SKIP

What a step computes is kept in the workspace by the content of the video and the settings that matter, so that asking
again is instant and a stopped step carries on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.atomic import atomic_path, check_folder
from core.author import author
from core.content import content_id
from core.detector import STARTER, Detector, TrickDetector, starter
from core.errors import NobodySeen, UserError
from core.events import find_events
from core.export import Export, Skater, export
from core.framing.bodies import look_at_bodies
from core.intervals import Event, Interval
from core.labels import read_labels
from core.labels.label_set import check_within
from core.pose import backends
from core.records import interval_rows
from core.settings import EventSettings, ExportSettings, PoseSettings, RunSettings, SessionSettings
from core.sighting import VERSION as LOOK_VERSION
from core.sighting import Cancel, Look, Progress, kept, look, video_told
from core.video import Video
from core.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What a run found and cut."""

    look: Look
    events: tuple[Event, ...]
    exported: Export | None
    """None where nothing was to be cut."""
    warnings: tuple[str, ...]
    total_s: float
    probability: pd.Series = field(repr=False)
    """Of a trick, by sampled frame."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``trickline run --json`` prints."""
        video, seconds = self.look.video, self.look.seconds
        return {
            **video_told(video),
            "pose": self.look.backend,
            "sampled": self.look.camera.n,
            "events": [
                {
                    "label": event.label,
                    "start_frame": event.start_frame,
                    "end_frame": event.end_frame,
                    "start_s": round(float(video.pts_s[event.start_frame]), 6),
                    "end_s": round(float(video.pts_s[event.end_frame]), 6),
                    "confidence": round(event.confidence, 4),
                }
                for event in self.events
            ],
            "clips": self.exported.to_json()["clips"] if self.exported else [],
            "seconds": {name: round(value, 3) for name, value in {**asdict(seconds), "total": self.total_s}.items()},
        }


def labels_for(path: Path, video: Video, *, may_be_empty: bool = False) -> tuple[Interval, ...]:
    """The intervals of ``video`` from a label file.

    Raises:
        UserError: the file cannot be read, its frames lie beyond the end of the video, or it holds none.
    """
    labels = read_labels(path, video.pts_s, video.path, may_be_empty=may_be_empty)
    check_within(labels, video.n_frames, path.name)
    for warning in labels.warnings:
        log.warning("%s", warning)
    return labels.intervals


def with_label(intervals: Sequence[Interval], label: str | None, name: str) -> tuple[Interval, ...]:
    """The intervals with one label, or all of them for None.

    Args:
        name: of the file that they come from.

    Raises:
        UserError: none has the label.
    """
    wanted = tuple(interval for interval in intervals if label in (None, interval.label))
    if not wanted:
        there = ", ".join(sorted({interval.label for interval in intervals}))
        raise UserError(f"{name} has no interval labelled {label}: choose one of {there}.")
    return wanted


def run(
    path: Path,
    workspace: Workspace,
    settings: RunSettings,
    out: Path | None,
    labels: Path | None = None,
    model: Path | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Result:
    """Footage in, tricks found, clips out.

    Args:
        out: folder for the clips; None finds without cutting.
        labels: true intervals of this very video: a detector is trained on them first, and they are kept.
        model: a detector's bundle; without one and without labels the starter decides.

    Raises:
        UserError, Cancelled: as the steps do.
    """
    started = time.perf_counter()
    # What cannot be opened or written is said before the work.
    trained = TrickDetector.load(model) if model else None
    if out:
        check_folder(out)
    truth = labels_for(labels, Video.open(path)) if labels else None
    seen = look(path, workspace, settings.pose, settings.guardrails, progress, cancelled)
    detector: Detector
    if trained:
        detector = trained
    elif truth is not None:
        keep_labels(workspace, seen.content, truth, str(labels))
        if progress:
            progress("training", 0.0)
        detector = TrickDetector.fit([seen.example(truth)], settings.train, meta={"pose": seen.backend})
    else:
        detector = starter()
    warnings = trained.warnings_for(seen.signals.table, seen.backend) if trained else []
    events, probability = find(seen, detector, settings.threshold)
    cutting = (lambda done: progress("cutting", done)) if progress else None
    exported = (
        export(
            seen.video, seen.content, events, out, ExportSettings(clips=settings.clips), None, None, cutting, cancelled
        )
        if out
        else None
    )
    return Result(seen, tuple(events), exported, tuple(warnings), time.perf_counter() - started, probability)


def find(seen: Look, detector: Detector, threshold: float | None = None) -> tuple[list[Event], pd.Series]:
    """The events in a video and the probability of a trick by sampled frame."""
    settings = detector.events
    if threshold is not None:
        settings = settings.model_copy(update={"default_threshold": threshold})
    probability = _by_frame(seen, detector.predict_proba(seen.signals.table))
    return _events(seen, probability, settings), probability


def _by_frame(seen: Look, probability: NDArray[np.float64]) -> pd.Series:
    return pd.Series(probability, index=seen.signals.table["frame"].to_numpy(), name="probability")


def _events(seen: Look, probability: pd.Series, settings: EventSettings) -> list[Event]:
    table = seen.signals.table
    frame, time_s = table["frame"].to_numpy(), table["time_s"].to_numpy()
    return find_events(frame, time_s, probability.to_numpy(), settings, seen.video.n_frames)


def detector_for(workspace: Workspace, settings: SessionSettings) -> Detector:
    """The detector that a session chose, with the event settings that it chose.

    Raises:
        UserError: its model is gone or damaged.
    """
    detector = TrickDetector.load(workspace.model(settings.model).path) if settings.model else starter()
    if settings.events:
        detector = copy(detector)  # the starter is everybody's
        detector.events = settings.events
    return detector


def found(seen: Look, workspace: Workspace, settings: SessionSettings) -> tuple[list[Event], pd.Series]:
    """What the detector and the event settings that a session chose find in it; see :func:`find`.

    The probabilities are kept: an hour of footage takes seconds, and another threshold changes none of them.

    Raises:
        UserError: the session's model is gone or damaged, or was trained with other features.
    """
    detector = detector_for(workspace, settings)
    key = {
        "looked": [seen.backend, seen.stride],
        "choices": [str(choice) for choice in seen.choices],
        "guardrails": settings.guardrails.model_dump(),
        "model": settings.model or _starter_id(),
    }
    path = workspace.artifact(seen.content, "probability", key, "parquet", version=LOOK_VERSION)
    if path.exists():
        probability = _by_frame(seen, pd.read_parquet(path)["probability"].to_numpy())
    else:
        probability = _by_frame(seen, detector.predict_proba(seen.signals.table))
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            probability.to_frame().to_parquet(temporary)
    return _events(seen, probability, detector.events), probability


def finding_key(workspace: Workspace, content: str, pose: PoseSettings, model: Path | None) -> dict[str, Any]:
    """What decides, beside the settings of a run, which tricks it finds in a video: whoever keeps its result asks
    whether this is still so.

    Args:
        model: a detector's bundle; None is the starter.

    Raises:
        UserError: the backend or the model cannot be used.
    """
    return {
        "looked": [LOOK_VERSION, backends.choose(pose, workspace.home / "weights").name],
        "choices": [str(choice) for choice in workspace.subjects(content)],
        "model": content_id(model) if model else _starter_id(),
    }


def _starter_id() -> str:
    return content_id(STARTER) if STARTER.exists() else "rule"


def keep_labels(workspace: Workspace, content: str, truth: Sequence[Interval], source: str) -> None:
    """Add a revision to the history of a session's labels, unless they are what it has already."""
    newest = workspace.labels(content)
    if newest is None or interval_rows(newest.intervals) != interval_rows(truth):
        workspace.save_labels(content, truth, source, author())


def skater(seen: Look) -> Skater:
    """The skater as an export asks for him."""
    aspect = seen.video.info.width / seen.video.info.height
    return Skater(look_at_bodies(seen.signals, seen.pose, seen.camera, aspect), seen.signals.table)


def find_skater(
    video: Video,
    workspace: Workspace,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
    *,
    looking: bool = True,
) -> Skater | None:
    """The skater as the workspace has him, or as he is seen now; nowhere if nobody is in the video.

    Args:
        looking: whether to look for him where nobody has yet; else there is None.

    Raises:
        UserError, Cancelled: as :func:`look`.
    """
    content, seen = content_id(video.path), None
    settings = workspace.settings(content)
    if any(session.id == content for session in workspace.sessions()):
        seen = kept(workspace.session_for(video.path), workspace, settings.guardrails)
    if not (seen or looking):
        return None
    try:
        return skater(seen or look(video.path, workspace, settings.pose, settings.guardrails, progress, cancelled))
    except NobodySeen:
        return Skater.nowhere()
