"""The pictures of a moment as a network takes them: chosen frames, upright, all or the window around somebody.

    >>> read_frames(sample, 16, (176, 128)).shape                            # doctest: +SKIP
    (16, 128, 176, 3)

Frames are chosen as Temporal Segment Networks do (Wang et al., ECCV 2016): a moment is cut into ``n`` equal segments,
and one frame stands for each, the middle one when testing and a random one when training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.errors import Cancelled, UserError
from core.recognize.samples import ClipSample, Track
from core.recognize.sampling import chosen
from core.video import Picture, Video

MARGIN = 0.15
"""Of a box's longer side, to each side: a fist or a ball is often just outside of the box of its owner."""

_APART = 300
"""Frames. Over a wider gap it is faster to begin anew at the keyframe before: encoders set one every 250 at most."""


def spread(start: int, end: int, n: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
    """Frames of ``n`` equal segments, ascending: shape ``(n,)``.

    A moment of ``n`` frames gives each once, a shorter one some of them several times.

    Args:
        start: first frame of the moment.
        end: last frame of it.
        n: how many.
        rng: takes a random place of each segment; None takes its middle.

    >>> spread(0, 9, 5).tolist(), spread(4, 6, 6).tolist()
    ([1, 3, 5, 7, 9], [4, 4, 5, 5, 6, 6])
    """
    if n < 1 or end < start:
        raise ValueError(f"not {n} frames of {start} to {end}")
    return start + chosen("segments", end - start + 1, n, rng=rng)


def read_frames(
    sample: ClipSample,
    which: int | Sequence[int] | NDArray[np.int64],
    size: int | tuple[int, int],
    rng: np.random.Generator | None = None,
    margin: float = MARGIN,
    video: Video | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> NDArray[np.uint8]:
    """Pictures of a moment in RGB: uint8, shape ``(n, height, width, 3)``.

    With a track the pictures are a window that follows the middle of the box, of one size for all of them, so that
    nothing seems to grow; it is as wide and high as the largest box needs, with ``margin`` on each side. It stays
    inside of the picture where it fits into it; beyond, the picture's edge goes on. Without a track they are the whole
    picture. Either is stretched to ``size``, so that a followed player looks as he does in clips that were cut out
    round players, such as SpaceJam's.

    Args:
        sample: the moment.
        which: how many frames, evenly spread over the moment (:func:`spread`), or which decoded frames of the video, in
            any order. Of an ``end_frame`` beyond the video's end the video's last frame counts.
        size: width and height; one number is the short side of a whole picture, whose aspect is kept, or both sides of
            a window.
        rng: for :func:`spread`.
        margin: of a box's longer side, to each side.
        video: that of the sample where it is open already; opening a file of hours takes longer than its frames.
        cancelled: asked for every picture: those of a moment of an hour take a while.

    Raises:
        UserError: the file cannot be read, has no frame that can be decoded here, or ends before the moment begins.
        Cancelled: ``cancelled`` said so.
    """
    video = video or Video.open(sample.path)
    frames = _wanted(sample, which, video, rng)
    width, height = _out_size(size, video, whole=sample.track is None)
    corners = None if sample.track is None else _windows(sample.track, frames, video, margin)
    pictures: dict[int, NDArray[np.uint8]] = {}
    needed = np.unique(frames)
    place_of = dict(zip(frames.tolist(), range(len(frames)), strict=True))
    for begin, end in pairwise([0, *(np.flatnonzero(np.diff(needed) > _APART) + 1).tolist(), len(needed)]):
        near = needed[begin:end]
        # Decoders pass over frames between the wanted ones where no other frame refers to them.
        stride = int(np.gcd.reduce(np.diff(near))) if len(near) > 1 else 1
        for picture in video.pictures(stride, int(near[0]), int(near[-1]) + 1):
            if cancelled and cancelled():
                raise Cancelled
            if picture.index in place_of:
                window = None if corners is None else corners[place_of[picture.index]]
                pictures[picture.index] = _seen(picture, video, window, width, height)
    if not pictures:
        raise UserError(
            f"{sample.path.name} has no frame that can be decoded from {needed[0]} to {needed[-1]}: copy it again, or"
            " leave it out."
        )
    # A damaged frame is stood for by the nearest of the others.
    decoded = np.array(sorted(pictures))
    after = np.searchsorted(decoded, frames).clip(max=len(decoded) - 1)
    before = np.maximum(after - 1, 0)
    nearest = decoded[np.where(np.abs(decoded[before] - frames) <= np.abs(decoded[after] - frames), before, after)]
    return np.stack([pictures[int(frame)] for frame in nearest])


def _wanted(
    sample: ClipSample,
    which: int | Sequence[int] | NDArray[np.int64],
    video: Video,
    rng: np.random.Generator | None,
) -> NDArray[np.int64]:
    last = video.n_frames - 1
    if isinstance(which, int):
        if sample.start_frame > last:
            raise UserError(
                f"{sample.path.name} has {last + 1} frames and no moment that begins at frame {sample.start_frame}: its"
                " labels seem to belong to another video."
            )
        end = last if sample.end_frame is None else min(sample.end_frame, last)
        return spread(sample.start_frame, end, which, rng)
    frames = np.asarray(which, dtype=np.int64)
    if frames.ndim != 1 or not len(frames):
        raise ValueError("name at least one frame")
    if frames.min() < 0 or frames.max() > last:
        raise UserError(f"{sample.path.name} has the frames 0 to {last}, and {frames.max()} was asked for.")
    return frames


def _out_size(size: int | tuple[int, int], video: Video, whole: bool) -> tuple[int, int]:
    if not isinstance(size, int):
        return size
    if not whole:
        return size, size
    scale = size / min(video.info.width, video.info.height)
    return round(video.info.width * scale), round(video.info.height * scale)


def _windows(track: Track, frames: NDArray[np.int64], video: Video, margin: float) -> NDArray[np.float64]:
    """Left, top, right and bottom of each frame's window in pixels of the upright picture: shape ``(n, 4)``."""
    full = np.array([video.info.width, video.info.height], dtype=np.float64)
    boxes = np.stack([np.interp(frames, track.frames, side) for side in track.boxes.T], axis=1) * np.tile(full, 2)
    low, high = boxes[:, :2], boxes[:, 2:]
    sides = high - low
    window = np.maximum(2.0, (sides + 2 * margin * sides.max(axis=1, keepdims=True)).max(axis=0))
    corner = (low + high - window) / 2
    room = full - window
    corner = np.where(room >= 0, np.clip(corner, 0, np.maximum(room, 0)), corner)
    return np.concatenate([corner, corner + window], axis=1)


def _seen(
    picture: Picture, video: Video, window: NDArray[np.float64] | None, width: int, height: int
) -> NDArray[np.uint8]:
    """The whole picture, or what the window shows of it, in the wanted size."""
    if window is None:
        return picture.rgb(width, height)
    import cv2

    # Large pictures are scaled down first, so that most of the work is done by the decoder's own scaler.
    scale = min(1.0, max((width, height) / (window[2:] - window[:2])))
    full = max(1, round(video.info.width * scale)), max(1, round(video.info.height * scale))
    image = picture.rgb(*full)
    ratio = np.array(full) / (video.info.width, video.info.height)
    left, top = window[:2] * ratio
    across, down = (window[2:] - window[:2]) * ratio / (width, height)
    # Pixels are squares, whose middles lie half a pixel from their edges.
    place = np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(image, place, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown, dtype=np.uint8)
