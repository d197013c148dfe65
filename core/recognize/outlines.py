"""Outlines of persons who were clicked on, followed through a video by SAM 2.

    >>> clicks = [Click(120, 0.42, 0.6)]                                     # doctest: +SKIP
    >>> weights = find_weights(workspace.home / "weights")                   # doctest: +SKIP
    >>> layer = outlined(video, workspace, clicks, 210, weights)             # doctest: +SKIP

SAM 2 (Ravi et al. 2024, arXiv:2408.00714) is run by Ultralytics where that is installed and the user has put the
weights; nothing is downloaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clips import ClipPlan, cut_clip
from core.content import content_id
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.intervals import Interval
from core.recognize.annotate import even_size
from core.recognize.masks import MaskLayer
from core.video import Video
from core.workspace import Workspace

WEIGHTS = tuple(f"sam{version}_{size}.pt" for version in ("2.1", "2") for size in "tsbl")
"""Names by which Ultralytics knows how to build a SAM 2, from the best choice on."""
_MISSING = (
    "There are no weights of SAM 2{where}: download sam2.1_t.pt (about 80 MB, Apache-2.0, by Meta) from "
    "https://github.com/ultralytics/assets/releases and put it into {folder}; the program that runs it, Ultralytics, "
    "is under the AGPL-3.0."
)
_SIDE = 1024
"""Pixels that SAM 2 was trained on."""


@dataclass(frozen=True)
class Click:
    """A point on somebody to be outlined."""

    frame: int
    """Decoded frame that it was made in."""
    x: float
    """0..1 of the upright picture."""
    y: float


def layer_path(workspace: Workspace, content: str, clicks: Sequence[Click], end_frame: int, weights: Path) -> Path:
    """Where the layer of these clicks on the video with this content id is kept.

    Raises:
        UserError: the weights are not there.
    """
    key = {"clicks": [asdict(click) for click in clicks], "end_frame": end_frame, "weights": content_id(weights)}
    return workspace.artifact(content, "masks", key, "parquet")


def find_weights(folder: Path, path: Path | None = None) -> Path:
    """The weights of SAM 2: those named, or the best in a folder.

    Args:
        folder: where the user puts weights; ``weights`` of the workspace.

    Raises:
        UserError: there are none, or the name is none that Ultralytics knows; with what to get and where to put it.
    """
    if path is None:
        there = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
        if there is None:
            raise UserError(_MISSING.format(where="", folder=folder))
        return there
    if not path.is_file():
        raise UserError(_MISSING.format(where=f" at {path}", folder=folder))
    if path.name not in WEIGHTS:
        raise UserError(f"{path.name} is none of the weights of SAM 2 that can be run: choose {', '.join(WEIGHTS)}.")
    return path


def outlined(
    video: Video,
    workspace: Workspace,
    clicks: Sequence[Click],
    end_frame: int,
    weights: Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> MaskLayer:
    """The layer of these clicks, from the workspace where it was made before; raises as :func:`outline`."""
    path = layer_path(workspace, content_id(video.path), clicks, end_frame, weights)
    if not path.exists():
        outline(video, clicks, end_frame, weights, progress, cancelled).write(path)
    return MaskLayer.read(path)


def outline(
    video: Video,
    clicks: Sequence[Click],
    end_frame: int,
    weights: Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
    side: int = _SIDE,
) -> MaskLayer:
    """Outline who was clicked on, from the frame of the clicks on to ``end_frame``; several persons are one mask.

    Args:
        clicks: all in one frame, each on another person: from there SAM 2 goes forward.
        end_frame: last decoded frame to be outlined.
        weights: see :func:`find_weights`.
        progress: told the fraction done, 0 to 1.
        cancelled: asked before every frame.
        side: pixels of the square that SAM 2 sees.

    Raises:
        UserError: the clicks are in several frames or outside of the picture, or weights or Ultralytics cannot be used.
        Cancelled: ``cancelled`` said so.
    """
    start = _start(video, clicks, end_frame)
    width, height = even_size(video)
    points = [[click.x * width, click.y * height] for click in clicks]
    frames = end_frame - start + 1
    told = progress or (lambda _: None)
    with tempfile.TemporaryDirectory(prefix="trickline-") as folder:
        # Ultralytics reads through OpenCV, whose numbers of frames are other ones: a clip of its own has no others.
        clip = Path(folder) / "clip.mp4"
        plan = ClipPlan(
            start, end_frame, float(video.pts_s[start]), video.end_of(end_frame), (Interval(start, end_frame),)
        )
        cut_clip(video, plan, clip, "exact", None, cancelled)

        def masks() -> Iterator[tuple[int, NDArray[np.bool_]]]:
            for number, mask in enumerate(_outlines(clip, points, weights, side)):
                if cancelled and cancelled():
                    raise Cancelled
                yield start + number, np.zeros((height, width), dtype=bool) if mask is None else mask
                told((number + 1) / frames)

        layer = MaskLayer.from_masks(masks())
    if len(layer.frames) != frames:
        raise RuntimeError(f"SAM 2 outlined {len(layer.frames)} of {frames} frames")
    return layer


def _start(video: Video, clicks: Sequence[Click], end_frame: int) -> int:
    """The frame of the clicks."""
    if not clicks or len({click.frame for click in clicks}) > 1:
        raise UserError("Click on everybody who is to be outlined in one and the same frame.")
    start = clicks[0].frame
    if not 0 <= start <= end_frame < video.n_frames:
        raise UserError(
            f"Frames {start} to {end_frame} are not in {video.path.name}, which has the frames 0 to "
            f"{video.n_frames - 1}: click in the first frame to be outlined."
        )
    if not all(0 <= click.x <= 1 and 0 <= click.y <= 1 for click in clicks):
        raise UserError("A click lies outside of the picture: its x and y go from 0 to 1.")
    return start


def _outlines(clip: Path, points: list[list[float]], weights: Path, side: int) -> Iterator[NDArray[np.bool_] | None]:
    """The mask of each frame of a clip, None where nobody is."""
    try:
        import torch
        from ultralytics.models.sam import SAM2VideoPredictor
    except ImportError as error:
        raise UserError(
            "Outlines need Ultralytics (AGPL-3.0), which is not installed: install requirements.txt instead of "
            "requirements-light.txt."
        ) from error
    try:
        # Ultralytics would run any program that is pickled into the file.
        torch.load(weights, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, ValueError, EOFError, KeyError, UnpicklingError) as error:
        raise UserError(f"{weights.name} holds no weights of SAM 2, or is damaged: download it again.") from error
    options: dict[str, Any] = {"task": "segment", "mode": "predict", "model": str(weights.absolute()), "imgsz": side}
    try:
        predictor = SAM2VideoPredictor(overrides={**options, "save": False, "verbose": False, "conf": 0.25})
        results = predictor(source=str(clip), points=points, labels=[1] * len(points), stream=True)
        for result in results:
            yield None if result.masks is None else result.masks.data.bool().any(dim=0).cpu().numpy()
    except (RuntimeError, KeyError) as error:
        if "state_dict" in str(error):
            raise UserError(f"{weights.name} does not hold what its name says: download it again.") from error
        raise
