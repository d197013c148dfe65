"""Who is in the video of a sample, from the workspace where somebody has looked at it before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from core import sighting
from core.content import content_id
from core.metrics import Signals, signals
from core.pose import PoseEstimator, backends
from core.pose.extract import extract
from core.pose.table import CameraTable, PoseTable
from core.settings import GuardrailSettings, PoseSettings
from core.video import Video
from core.workspace import Workspace


@lru_cache(maxsize=4)
def _estimator(weights_folder: Path, found: Path | None) -> PoseEstimator:
    """Kept for the process, as long as the weights that are ``found`` there are the same."""
    return backends.choose(PoseSettings(), weights_folder)


@dataclass(frozen=True, eq=False)
class Sight:
    """What a moment is found by."""

    pose: PoseTable
    signals: Signals


class Eyes:
    """Looks at one video after the other and remembers the last one. What it sees stays in the workspace.

    A session of the studio is seen as it was looked at there, with the person who was chosen as the skater. Other
    videos do not become sessions.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._sessions = {one.id: one for one in workspace.sessions() if one.facts.get("looked")}
        self._contents: dict[Path, str] = {}
        self._video: Video | None = None
        self._last: tuple[str, Sight] | None = None

    @cached_property
    def _estimator(self) -> PoseEstimator:
        folder = self._workspace.home / "weights"
        return _estimator(folder, backends.find_weights(folder))

    def content(self, path: Path) -> str:
        """Id of a video's content.

        Raises:
            UserError: it cannot be read.
        """
        if path not in self._contents:
            self._contents[path] = content_id(path)
        return self._contents[path]

    def video(self, path: Path) -> Video:
        """A video, opened once for all samples in a row that are of it.

        Raises:
            UserError: it cannot be read.
        """
        if self._video is None or self._video.path != path.absolute():
            self._video = Video.open(path)
        return self._video

    def key(self, content: str) -> dict[str, Any]:
        """What the sight of a video depends on, beside its content."""
        if content not in self._sessions:
            return {"backend": self._estimator.name, "stride": PoseSettings().sample_stride, "choices": []}
        choices = [asdict(choice) for choice in self._workspace.subjects(content)]
        return {**self._sessions[content].facts["looked"], "choices": choices}

    def see(self, video: Video, cancelled: Callable[[], bool] | None = None) -> Sight:
        """Who is in it.

        Raises:
            UserError: it cannot be decoded.
            Cancelled: ``cancelled`` said so; what was seen so far is kept.
        """
        content = self.content(video.path)
        if self._last is None or self._last[0] != content:
            self._last = content, self._of_session(video, content) or self._look(video, content, cancelled)
        return self._last[1]

    def _of_session(self, video: Video, content: str) -> Sight | None:
        if content not in self._sessions:
            return None
        # The sample's own path: the session's video may have been moved since.
        look = sighting.kept(replace(self._sessions[content], path=video.path), self._workspace)
        if look is None:
            del self._sessions[content]
            return None
        return Sight(look.pose, look.signals)

    def _look(self, video: Video, content: str, cancelled: Callable[[], bool] | None) -> Sight:
        key = self.key(content)
        pose_path, camera_path = (
            self._workspace.artifact(content, f"{table}-alone", key, "parquet") for table in ("pose", "camera")
        )
        extract(video, self._estimator, key["stride"], pose_path, camera_path, cancelled=cancelled)
        pose, camera = PoseTable.read(pose_path), CameraTable.read(camera_path)
        return Sight(pose, signals(pose, camera, video.info.width / video.info.height, GuardrailSettings()))
