"""A clip with a moving crop: FFmpeg's filters for a path, and the cut itself.

FFmpeg's ``crop`` moves by whole pixels, in 4:2:0 by two, which is seen as trembling in a slow pan. So it only takes a
rough window, and ``perspective`` takes the exact one out of that, to 1/256 of a pixel. At 1080p that takes 1.4 times as
long as moving by whole pixels. Everything else is as in :mod:`core.clips`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.clips import Clip, ClipPlan, cut_clip
from core.ffmpeg import Progress, StopWish
from core.framing.crop import CropPath
from core.settings import Encoder
from core.video import Video

_MARGIN = 4
"""So much larger than the window is what it is taken from: it begins at an even pixel, and cubic interpolation asks one
pixel before and two after."""
_STEPS = 256
"""Parts of a pixel that ``perspective`` tells apart."""


def cut_cropped(
    video: Video,
    plan: ClipPlan,
    path: CropPath,
    out_path: str | Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
    long_side: int | None = None,
    encoder: Encoder = "software",
) -> Clip:
    """Write an exact clip of the planned frames along ``path``; see :func:`cut_clip`.

    Args:
        long_side: the most pixels of its longer side; None leaves it in the size of the window.

    Raises:
        ValueError: the path is one for other frames.
    """
    if (path.frame[0], path.frame[-1]) != (plan.start_frame, plan.end_frame):
        raise ValueError(f"a crop of frames {path.frame[0]} to {path.frame[-1]} for another clip")
    filters = crop_filters(path)
    if long_side and long_side < max(path.window):
        width, height = (max(2, round(side * long_side / max(path.window) / 2) * 2) for side in path.window)
        filters += f",scale={width}:{height}"
    return cut_clip(video, plan, out_path, "exact", progress, cancelled, shape=filters, encoder=encoder)


def crop_filters(path: CropPath) -> str:
    """FFmpeg's filters from upright pictures of any pixel shape to the crop of each, in the size of the window."""
    (left, right, rough_x, across), (top, bottom, rough_y, down) = (
        _axis(start, side, window, picture)
        for start, side, window, picture in zip(
            (path.x, path.y), (path.width, path.height), path.window, path.picture, strict=True
        )
    )
    width, height = path.picture
    filters = [
        f"scale={width}:{height}",
        "setsar=1",
        f"crop={across}:{down}:{_by_frame(rough_x, 'n')}:{_by_frame(rough_y, 'n')}",
    ]
    if np.any(left) or np.any(top) or np.any(right != across) or np.any(bottom != down):
        # Its frames are counted from 1.
        x0, x1, y0, y1 = (_by_frame(values, "on-1") for values in (left, right, top, bottom))
        corners = f"x0={x0}:y0={y0}:x1={x1}:y1={y0}:x2={x0}:y2={y1}:x3={x1}:y3={y1}"
        filters.append(f"perspective={corners}:interpolation=cubic:eval=frame")
    return ",".join([*filters, f"crop={path.window[0]}:{path.window[1]}:0:0"])


def _axis(
    start: NDArray[np.float64], side: NDArray[np.float64], window: int, picture: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Along one axis: where what fills the rough window, enlarged, begins and ends in it, where that window begins in
    the picture, and how large it is."""
    size = min(window + _MARGIN, picture // 2 * 2)
    rough = np.clip(np.floor(start / 2) * 2 - 2, 0, (picture - size) // 2 * 2)
    scale = side / window
    # The filter reckons in numbers of pixels, whose middles lie half a pixel on.
    begin = np.round((start - rough + (scale - 1) / 2) * _STEPS) / _STEPS
    return begin, begin + size * scale, rough, size


def _by_frame(values: NDArray[np.float64], number: str) -> str:
    """An expression for FFmpeg that takes the value of each frame: halves of halves, so that it is found quickly."""
    return f"'{_halves(values, number, 0)}'"


def _halves(values: Sequence[float] | NDArray[np.float64], number: str, first: int) -> str:
    if np.all(values == values[0]):
        return f"{values[0]:.5f}".rstrip("0").rstrip(".")
    half = len(values) // 2
    before, after = _halves(values[:half], number, first), _halves(values[half:], number, first + half)
    return f"if(lt({number},{first + half}),{before},{after})"
