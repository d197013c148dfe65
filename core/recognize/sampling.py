"""Which frames of a moment a network looks at.

>>> chosen("even", 30, 4)
array([ 0, 10, 19, 29])
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.recognize.samples import ClipSample
from core.video import Video

Scheme = Literal["window", "segments", "even"]
"""Frames at one distance, one frame of each of equal segments (Wang et al. 2016), or equally spaced, first to last."""


def chosen(
    scheme: Scheme, length: int, frames: int, stride: int = 1, rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Frames of a moment of ``length`` frames: shape ``(frames,)``, ascending, 0-based.

    A window that is longer than the moment repeats the last frame. In a long moment its frames lie further apart, so
    that it reaches over all of it: of a moment that has one name as a whole, the frames of a dense window are a small
    part, and the rest is not seen (Wang et al. 2016, section 1; Varol et al., Long-term Temporal Convolutions, 2018,
    find longer reach to name better).

    Args:
        stride: of a window, at least.
        rng: where the window lies and which frame of a segment is taken, for training; None takes the middle.

    Raises:
        ValueError: an empty moment.
    """
    if length < 1:
        raise ValueError("a moment without a frame")
    if scheme == "window":
        stride = max(stride, length // frames)
        room = max(0, length - 1 - (frames - 1) * stride)
        start = int(rng.integers(room + 1)) if rng else room // 2
        return np.minimum(start + stride * np.arange(frames), length - 1)
    if scheme == "segments":
        within = rng.random(frames) if rng else 0.5
        return np.minimum(((np.arange(frames) + within) * length / frames).astype(np.int64), length - 1)
    if frames == 1:
        return np.array([(length - 1) // 2])
    return np.round(np.linspace(0, length - 1, frames)).astype(np.int64)


def frame_count(sample: ClipSample, video: Video | None = None) -> int:
    """How many frames a moment has, from the index of its video.

    Raises:
        UserError: the video cannot be read, or the moment has no frame in it.
    """
    there = (video or Video.open(sample.path)).n_frames
    last = there - 1 if sample.end_frame is None else min(sample.end_frame, there - 1)
    if last < sample.start_frame:
        raise UserError(
            f"{sample.path.name} has {there} frames, so that the moment at frame {sample.start_frame} holds none: "
            "correct its label or leave it out."
        )
    return last - sample.start_frame + 1


def duration_s(sample: ClipSample, frames: int, video: Video) -> float:
    """How long a moment of so many frames is on screen, in seconds."""
    return video.end_of(sample.start_frame + frames - 1) - float(video.pts_s[sample.start_frame])
