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
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.atomic import atomic_path, check_folder, make_folder
from core.audio import onset_strength
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
from core.lessons import Example
from core.metrics import Signals, signals
from core.pose import PoseEstimator, SubjectChoice, backends
from core.pose.extract import PART_FRAMES, Seconds, extract, extract_parts, missing_parts
from core.pose.table import CameraTable, PoseTable
from core.records import Session, interval_rows
from core.settings import EventSettings, ExportSettings, GuardrailSettings, PoseSettings, RunSettings, SessionSettings
from core.video import Video
from core.workspace import Workspace

log = logging.getLogger(__name__)

Step = Literal["looking", "training", "cutting"]
Progress = Callable[[Step, float], None]
"""Called with the step and how much of it is done, 0 to 1."""
Cancel = Callable[[], bool]

_LOOK_VERSION = 3


@dataclass(frozen=True)
class Look:
    """What was seen in one video."""

    video: Video
    content: str
    """Id of the video's content."""
    pose: PoseTable
    camera: CameraTable
    signals: Signals
    backend: str
    """Name of the pose backend."""
    stride: int
    """Every n-th decoded frame was looked at."""
    choices: tuple[SubjectChoice, ...]
    """Who was chosen as the skater."""
    seconds: Seconds
    """What the looking took; zeros where all of it was kept from before."""

    def with_guardrails(self, guardrails: GuardrailSettings) -> Look:
        """The same sightings under other guardrails."""
        return replace(self, signals=self.signals.judged(guardrails))

    def every(self, step: int) -> Look:
        """Measured on every ``step``-th of the frames that were looked at, without looking again, and judged by the
        default guardrails."""
        camera = self.camera.every(step)
        pose = self.pose.of_frames(camera.frame)
        measured = _measure(self.video, pose, camera, GuardrailSettings(), self.choices)
        onset = self.signals.table["audio_onset"].to_numpy()
        measured.table["audio_onset"] = np.maximum.reduceat(onset, np.arange(0, len(onset), step))
        return replace(self, pose=pose, camera=camera, signals=measured, stride=self.stride * step)

    def example(self, truth: Sequence[Interval]) -> Example:
        """This video as something to learn from."""
        return Example(self.signals.table, truth, self.video.n_frames, self.video.path.stem)


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


def open_video(path: Path, workspace: Workspace) -> Video:
    """Open a video, without reading it through where that was done before.

    The times of its frames are kept once the workspace has something of the video, and not for every file that is
    opened.

    Raises:
        UserError: as :meth:`core.video.Video.open`.
    """
    return Video.open(path, lambda file: workspace.artifact(content_id(file), "times", {}, "npy", version=1))


def look(
    path: Path,
    workspace: Workspace,
    pose: PoseSettings | None = None,
    guardrails: GuardrailSettings | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Look:
    """See who is in a video and how he moves, from the workspace where that is kept.

    Raises:
        UserError: the video or the backend cannot be used, or nobody is in view.
        Cancelled: ``cancelled`` said so; what was seen so far is kept.
    """
    pose, guardrails = pose or PoseSettings(), guardrails or GuardrailSettings()
    video = open_video(path, workspace)
    if video.n_frames < 2:
        raise UserError(f"{path.name} holds a single frame, in which nothing can move: choose a video.")
    content = content_id(video.path)
    estimator = backends.choose(pose, workspace.home / "weights")
    pose_path, camera_path, sound_path = _tables(workspace, content, estimator.name, pose.sample_stride)

    def looked(done: int, frames: int) -> None:
        if progress:
            progress("looking", done / frames)

    seconds = extract(video, estimator, pose.sample_stride, pose_path, camera_path, looked, cancelled)
    if not sound_path.exists():
        onset = pd.DataFrame({"audio_onset": onset_strength(video, CameraTable.read(camera_path).frame)})
        with atomic_path(sound_path) as temporary:
            onset.to_parquet(temporary)
    seen = _read(video, content, workspace, estimator.name, pose.sample_stride, guardrails, seconds)
    if not (seen.pose.person >= 0).any():
        raise NobodySeen(
            f"{path.name}: nobody was found in any of {seen.camera.n} frames; use footage with a person in view."
        )
    workspace.session_for(
        video.path, {**video_facts(video), "looked": {"backend": estimator.name, "stride": pose.sample_stride}}
    )
    return seen


def parts_to_look_at(path: Path, workspace: Workspace, pose: PoseSettings) -> list[range]:
    """The parts of a video that nobody has looked at, as runs of their numbers; see :func:`look_at_parts`.

    Raises:
        UserError: the video or the backend cannot be used.
    """
    video, _, pose_path, camera_path = _asked(path, workspace, pose)
    return missing_parts(video, pose.sample_stride, pose_path, camera_path)


def look_at_parts(
    path: Path,
    workspace: Workspace,
    pose: PoseSettings,
    span: range,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> None:
    """Look at some parts of a video; :func:`look` takes them as they are, wherever they were looked at.

    Raises:
        UserError: the video or the backend cannot be used.
        Cancelled: ``cancelled`` said so; finished parts stay.
    """
    video, estimator, pose_path, camera_path = _asked(path, workspace, pose)
    first, last = (number * PART_FRAMES * pose.sample_stride for number in (span.start, span.stop))

    def looked(done: int, _: int) -> None:
        if progress:
            progress("looking", (done - first) / (last - first))

    extract_parts(video, estimator, pose.sample_stride, pose_path, camera_path, span, looked, cancelled)


def _asked(path: Path, workspace: Workspace, pose: PoseSettings) -> tuple[Video, PoseEstimator, Path, Path]:
    """The video, who looks at it, and where the persons and the camera go."""
    estimator = backends.choose(pose, workspace.home / "weights")
    pose_path, camera_path, _ = _tables(workspace, content_id(path), estimator.name, pose.sample_stride)
    make_folder(camera_path.parent)  # before it is opened: whoever takes the next span does not read it through
    return open_video(path, workspace), estimator, pose_path, camera_path


def kept(session: Session, workspace: Workspace, guardrails: GuardrailSettings | None = None) -> Look | None:
    """What was last seen in a session, from the workspace; None if nobody has looked at it to the end.

    Raises:
        UserError: the video is not where it was.
    """
    last = session.facts.get("looked")
    if not last or not all(path.exists() for path in _tables(workspace, session.id, **last)):
        return None
    video = open_video(session.path, workspace)
    return _read(video, session.id, workspace, last["backend"], last["stride"], guardrails or GuardrailSettings())


def video_facts(video: Video) -> dict[str, Any]:
    """What a session keeps of its video."""
    return {**asdict(video.info), "average_rate": str(video.info.average_rate), "frames": video.n_frames}


def video_told(video: Video) -> dict[str, Any]:
    """What the command line prints of a video itself."""
    return {
        "video": str(video.path),
        "frames": video.n_frames,
        "fps": round(float(video.info.average_rate), 6),
        "duration_s": round(video.info.duration_s, 6),
    }


def _tables(workspace: Workspace, content: str, backend: str, stride: int) -> tuple[Path, Path, Path]:
    """Where persons, camera and sound of a video are kept."""
    key = {"backend": backend, "stride": stride}
    pose, camera, sound = (
        workspace.artifact(content, step, key, "parquet", version=_LOOK_VERSION) for step in ("pose", "camera", "sound")
    )
    return pose, camera, sound


def _read(
    video: Video,
    content: str,
    workspace: Workspace,
    backend: str,
    stride: int,
    guardrails: GuardrailSettings,
    seconds: Seconds | None = None,
) -> Look:
    pose_path, camera_path, sound_path = _tables(workspace, content, backend, stride)
    people, camera = PoseTable.read(pose_path), CameraTable.read(camera_path)
    choices = workspace.subjects(content)
    measured = _measure(video, people, camera, guardrails, choices)
    measured.table["audio_onset"] = pd.read_parquet(sound_path)["audio_onset"].to_numpy()
    return Look(video, content, people, camera, measured, backend, stride, choices, seconds or Seconds())


def _measure(
    video: Video,
    people: PoseTable,
    camera: CameraTable,
    guardrails: GuardrailSettings,
    choices: Sequence[SubjectChoice],
) -> Signals:
    return signals(people, camera, video.info.width / video.info.height, guardrails, choices)


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
    path = workspace.artifact(seen.content, "probability", key, "parquet", version=_LOOK_VERSION)
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
        "looked": [_LOOK_VERSION, backends.choose(pose, workspace.home / "weights").name],
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
