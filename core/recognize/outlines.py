"""Outlines of persons who were clicked on, followed through a video by SAM 2.

    >>> clicks = [Click(120, 0.42, 0.6)]                                     # doctest: +SKIP
    >>> weights = ready(workspace.home / "weights")                          # doctest: +SKIP
    >>> layer = outlined(video, workspace, clicks, (100, 210), weights)      # doctest: +SKIP

SAM 2 (Ravi et al. 2024, arXiv:2408.00714) is run by Ultralytics where that is installed and the user has put the
weights; nothing is downloaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core.atomic import check_folder
from core.clips import ClipPlan
from core.content import content_id
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.intervals import Interval
from core.recognize.annotate import even_size
from core.recognize.masks import Background, MaskLayer, check_background, cut_out
from core.video import Video
from core.workspace import Workspace

WEIGHTS = tuple(f"sam{version}_{size}.pt" for version in ("2.1", "2") for size in "tsbl")
"""Names by which Ultralytics knows how to build a SAM 2, from the best choice on."""
_MISSING = (
    "There are no weights of SAM 2{where}: download sam2.1_t.pt (about 80 MB, Apache-2.0, by Meta) from "
    "https://github.com/ultralytics/assets/releases and put it into {folder}; the program that runs it, Ultralytics, "
    "is under the AGPL-3.0."
)
_UNINSTALLED = (
    "Outlines need Ultralytics (AGPL-3.0), which is not installed: install requirements.txt instead of "
    "requirements-light.txt."
)
_SIDE = 1024
"""Pixels that SAM 2 was trained on."""
_HELD_BYTES = 1 << 27
"""Of pictures at a time, to turn their order round."""
_MASK_WORK = 9
"""Of the progress, in pictures of the film that SAM 2 reads: a mask takes as long as so many, or longer."""
_Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Click:
    """A point on somebody to be outlined, or on what is not to be."""

    frame: int
    """Decoded frame that it was made in."""
    x: float
    """0..1 of the upright picture."""
    y: float
    inside: bool = True
    """Whether what is there belongs to the outline."""


def layer_path(
    workspace: Workspace, content: str, clicks: Sequence[Click], span: tuple[int, int], weights: Path
) -> Path:
    """Where the layer of these clicks on the video with this content id is kept.

    Raises:
        UserError: the weights are not there.
    """
    key = {"clicks": [asdict(click) for click in clicks], "span": list(span), "weights": content_id(weights)}
    return workspace.artifact(content, "masks", key, "parquet")


def ready(folder: Path, path: Path | None = None) -> Path:
    """The weights of SAM 2, where all that outlining needs is here; arguments as :func:`find_weights`.

    Raises:
        UserError: there are no weights, or Ultralytics is not installed; with what to get.
    """
    weights = find_weights(folder, path)
    if not all(map(find_spec, ("torch", "ultralytics"))):
        raise UserError(_UNINSTALLED)
    return weights


def find_weights(folder: Path, path: Path | None = None) -> Path:
    """The weights of SAM 2: those named, or the best in a folder.

    Args:
        folder: where the user puts weights; ``weights`` of the workspace.

    Raises:
        UserError: there are none, the name is none that Ultralytics knows, or nobody may look there; with what to get
            and where to put it.
    """
    if path is None:
        there = next((folder / name for name in WEIGHTS if _is_file(folder / name)), None)
        if there is None:
            raise UserError(_MISSING.format(where="", folder=folder))
        return there
    if not _is_file(path):
        raise UserError(_MISSING.format(where=f" at {path}", folder=folder))
    if path.name not in WEIGHTS:
        raise UserError(f"{path.name} is none of the weights of SAM 2 that can be run: choose {', '.join(WEIGHTS)}.")
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # below a folder that may not be entered, or with a name too long for any disk
        raise UserError(
            f"{path} cannot be looked at ({error.strerror}): check the path and its permissions."
        ) from error


def cut_out_clicked(
    video: Video,
    workspace: Workspace,
    clicks: Sequence[Click],
    span: tuple[int, int],
    weights: Path,
    out: Path,
    background: Background,
    progress: Callable[[str, float], None] | None = None,
    cancelled: StopWish | None = None,
) -> None:
    """Write a clip of whom was clicked on, the background cut out: :func:`outlined`, then
    :func:`core.recognize.masks.cut_out`.

    Args:
        span: first and last decoded frame of the clip.
        progress: told the step, in words, and how much of it is done, 0 to 1.

    Raises:
        UserError, Cancelled: as these two; that the clip cannot have this name or background, or its folder cannot be
            written to, is said before anybody is outlined.
    """
    check_background(background, out)
    check_folder(out.parent)
    told = progress or (lambda step, done: None)
    layer = outlined(video, workspace, clicks, span, weights, lambda done: told("outlining", done), cancelled)
    first, last = span
    plan = ClipPlan(first, last, float(video.pts_s[first]), video.end_of(last), (Interval(first, last),))
    cut_out(video, plan, layer, out, background, lambda done: told("cutting", done), cancelled)


def outlined(
    video: Video,
    workspace: Workspace,
    clicks: Sequence[Click],
    span: tuple[int, int],
    weights: Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> MaskLayer:
    """The layer of these clicks, from the workspace where it was made before; raises as :func:`outline`."""
    path = layer_path(workspace, content_id(video.path), clicks, span, weights)
    with suppress(UserError):  # there is none yet, or it is damaged
        return MaskLayer.read(path)
    layer = outline(video, clicks, span, weights, progress, cancelled)
    layer.write(path)
    return layer


def outline(
    video: Video,
    clicks: Sequence[Click],
    span: tuple[int, int],
    weights: Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
    side: int = _SIDE,
) -> MaskLayer:
    """Outline who was clicked on: from the frame of the clicks to the end of the span, and back to its beginning.
    Several persons are one mask.

    Args:
        clicks: all in one frame, each on another person or thing; what those that are not ``inside`` hit belongs to
            none of them.
        span: first and last decoded frame to be outlined.
        weights: see :func:`find_weights`.
        progress: told the fraction done, 0 to 1.
        cancelled: asked before every frame.
        side: pixels of the square that SAM 2 sees.

    Raises:
        UserError: the clicks are in several frames, outside of the span or of the picture, nothing of the span can be
            decoded, weights or Ultralytics cannot be used, or the memory is too small.
        Cancelled: ``cancelled`` said so.
    """
    at = _frame_of(video, clicks, span)
    first, last = span
    ways = [range(at, last + 1)] + ([range(at, first - 1, -1)] if first < at else [])
    told = progress or (lambda _: None)
    size = even_size(video)
    points = _points(clicks, size)
    work = sum(map(len, ways)) * (1 + _MASK_WORK)
    done = 0

    def advance(by: int = 1) -> None:
        nonlocal done
        done += by
        told(done / work)

    def masks() -> Iterator[tuple[int, NDArray[np.bool_]]]:
        for way in ways:
            film = Path(folder) / f"{len(way)} frames {way.step}.mp4"
            _write_film(video, way, size, film, advance, cancelled)
            for frame, mask in zip(way, _outlines(film, len(way), *points, weights, side), strict=True):
                if cancelled and cancelled():
                    raise Cancelled
                if frame != at or way.step > 0:  # else it has its mask from the way forward
                    yield frame, np.zeros(size[::-1], dtype=bool) if mask is None else mask
                advance(_MASK_WORK)

    with tempfile.TemporaryDirectory(prefix="trickline-") as folder:
        return MaskLayer.from_masks(masks())


def _frame_of(video: Video, clicks: Sequence[Click], span: tuple[int, int]) -> int:
    """The frame of the clicks."""
    if not any(click.inside for click in clicks) or len({click.frame for click in clicks}) > 1:
        raise UserError("Click on everybody who is to be outlined in one and the same frame.")
    (first, last), at = span, clicks[0].frame
    if not 0 <= first <= last < video.n_frames:
        raise UserError(
            f"Frames {first} to {last} are not in {video.path.name}, which has the frames 0 to {video.n_frames - 1}."
        )
    if not first <= at <= last:
        raise UserError(f"The click in frame {at} is not within the frames {first} to {last}: click in one of these.")
    if not all(0 <= click.x <= 1 and 0 <= click.y <= 1 for click in clicks):
        raise UserError("A click lies outside of the picture: its x and y go from 0 to 1.")
    return at


def _points(clicks: Sequence[Click], size: tuple[int, int]) -> tuple[list[list[list[float]]], list[list[int]]]:
    """Places in pixels and what they say, 1 for inside and 0 for not, for each person or thing: the click on it, and
    all that are on nobody."""
    places = [[click.x * size[0], click.y * size[1]] for click in clicks]
    outside = [place for place, click in zip(places, clicks, strict=True) if not click.inside]
    points = [[place, *outside] for place, click in zip(places, clicks, strict=True) if click.inside]
    return points, [[1, *[0] * len(outside)]] * len(points)


def _write_film(
    video: Video,
    frames: range,
    size: tuple[int, int],
    path: Path,
    advance: Callable[[], None],
    cancelled: StopWish | None,
) -> None:
    """The pictures of these frames, in their order, for Ultralytics: it reads through OpenCV, whose numbers of frames
    are other ones than the decoder's, and only forward. A film of its own has no others. ``advance`` is called for
    each."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(30), options={"crf": "12", "preset": "veryfast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for picture in _pictures(video, frames, size):
            if cancelled and cancelled():
                raise Cancelled
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            advance()
        container.mux(stream.encode(None))


def _pictures(video: Video, frames: range, size: tuple[int, int]) -> Iterator[_Image]:
    """One for each of ``frames``, in their order: a damaged one is stood for by the nearest of the others.

    Raises:
        UserError: none can be decoded.
    """
    done, before = 0, None
    for frame, picture in _decoded(video, frames, size):
        place = frames.index(frame)
        for missing in range(done, place):
            yield picture if before is None or place - missing < missing - (done - 1) else before
        yield picture
        done, before = place + 1, picture
    if before is None:
        raise UserError(
            f"{video.path.name} has no frame that can be decoded from {min(frames)} to {max(frames)}: copy it again, "
            "or choose another stretch."
        )
    yield from repeat(before, len(frames) - done)


def _decoded(video: Video, frames: range, size: tuple[int, int]) -> Iterator[tuple[int, _Image]]:
    """The frames that can be decoded, in this order; backwards some are read forward at a time."""
    held = max(1, _HELD_BYTES // (3 * size[0] * size[1]))
    for begin in range(0, len(frames), held):
        part = frames[begin : begin + held]
        read = ((picture.index, picture.rgb(*size)) for picture in video.pictures(1, min(part), max(part) + 1))
        yield from read if frames.step > 0 else reversed(list(read))


def _outlines(
    clip: Path, n_frames: int, points: list[list[list[float]]], labels: list[list[int]], weights: Path, side: int
) -> Iterator[NDArray[np.bool_] | None]:
    """The mask of each frame of a clip, None where nobody is."""
    try:
        import torch
        from ultralytics.models.sam import SAM2VideoPredictor

        from core.recognize.memory import lacks_memory
    except ImportError as error:
        raise UserError(_UNINSTALLED) from error
    try:
        # Ultralytics would run any program that is pickled into the file.
        torch.load(weights, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, ValueError, EOFError, KeyError, UnpicklingError) as error:
        raise UserError(f"{weights.name} holds no weights of SAM 2, or is damaged: download it again.") from error
    options: dict[str, Any] = {"task": "segment", "mode": "predict", "model": str(weights.absolute()), "imgsz": side}
    try:
        predictor = SAM2VideoPredictor(overrides={**options, "save": False, "verbose": False, "conf": 0.25})
        results = predictor(source=str(clip), points=points, labels=labels, stream=True)
        for result in results:
            yield None if result.masks is None else result.masks.data.bool().any(dim=0).cpu().numpy()
    except (RuntimeError, MemoryError, KeyError) as error:
        if lacks_memory(error):
            raise UserError(
                f"There is too little memory to outline {n_frames} frames: choose a shorter stretch, or the weights of "
                "a smaller SAM 2."
            ) from error
        if "state_dict" in str(error):
            raise UserError(f"{weights.name} does not hold what its name says: download it again.") from error
        raise
