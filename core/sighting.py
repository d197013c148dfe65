"""What is seen in a video: who is in it, how the camera moves, and how the skater moves in front of it.

    >>> with Workspace.open() as workspace:                                  # doctest: +SKIP
    ...     seen = look(Path("footage.mp4"), workspace)
    >>> seen.signals.table["tuck_ratio"]                                     # doctest: +SKIP

It is kept in the workspace by the content of the video and by who looked at it, so that asking again is instant and a
stopped look carries on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from core.atomic import atomic_path, make_folder
from core.audio import onset_strength
from core.content import content_id
from core.errors import NobodySeen, UserError
from core.intervals import Interval
from core.lessons import Example
from core.metrics import Signals, signals
from core.pose import PoseEstimator, SubjectChoice, backends
from core.pose.extract import PART_FRAMES, Seconds, extract, extract_parts, missing_parts
from core.pose.table import CameraTable, PoseTable
from core.records import Session
from core.settings import GuardrailSettings, PoseSettings
from core.video import Video
from core.workspace import Workspace

Step = Literal["looking", "training", "cutting"]
Progress = Callable[[Step, float], None]
"""Called with the step and how much of it is done, 0 to 1."""
Cancel = Callable[[], bool]

VERSION = 3
"""Of what is kept; what was kept by another is made anew."""


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
    pose_path, camera_path, sound_path = tables(workspace, content, estimator.name, pose.sample_stride)

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
    pose_path, camera_path, _ = tables(workspace, content_id(path), estimator.name, pose.sample_stride)
    make_folder(camera_path.parent)  # before it is opened: whoever takes the next span does not read it through
    return open_video(path, workspace), estimator, pose_path, camera_path


def kept(session: Session, workspace: Workspace, guardrails: GuardrailSettings | None = None) -> Look | None:
    """What was last seen in a session, from the workspace; None if nobody has looked at it to the end.

    Raises:
        UserError: the video is not where it was.
    """
    last = session.facts.get("looked")
    if not last or not all(path.exists() for path in tables(workspace, session.id, **last)):
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


def tables(workspace: Workspace, content: str, backend: str, stride: int) -> tuple[Path, Path, Path]:
    """Where persons, camera and sound of a video are kept."""
    key = {"backend": backend, "stride": stride}
    pose, camera, sound = (
        workspace.artifact(content, step, key, "parquet", version=VERSION) for step in ("pose", "camera", "sound")
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
    pose_path, camera_path, sound_path = tables(workspace, content, backend, stride)
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
