"""The crop of every frame of a clip: the automatic path, what the user set by hand, and how good it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from core.framing import Aspect, Keyframe
from core.framing.bodies import Bodies
from core.framing.keyframes import led_by_hand
from core.framing.smooth import Wish, calmest_path
from core.intervals import Interval

HOLD_S = 1.0
"""So long the crop waits where the skater was lost, before it goes to the middle of the picture (seconds)."""
_AROUND_TRICK_S = 0.2
_ROOM = 0.03
"""A skater hardly smaller than the window may move by this either way before it moves too, else it would tremble with
him (window sides)."""
_HARDLY_SEEN = 0.5
_SLACK = 1.0  # pixels
_DIGEST_STEPS = 100
"""Parts of a pixel that make a crop another one."""


@dataclass(frozen=True)
class CropPath:
    """The crop in each of the ``n`` decoded frames of a clip, never beyond the picture; square pixels, upright."""

    frame: NDArray[np.int64]
    x: NDArray[np.float64]
    """Left side: shape ``(n,)``."""
    y: NDArray[np.float64]
    """Upper side."""
    width: NDArray[np.float64]
    """``window[0]`` in every frame, unless a keyframe zooms."""
    height: NDArray[np.float64]
    window: tuple[int, int]
    """Width and height of the largest crop of this aspect, even."""
    picture: tuple[int, int]
    """Width and height of the upright picture."""
    shot: NDArray[np.int64]
    """The crop moves on from frame to frame within a shot, and starts anew with the next."""
    followed: NDArray[np.bool_]
    """Where there was somebody to follow."""
    notes: tuple[str, ...]
    """What the user should know, in sentences."""

    def digest(self) -> str:
        """The same for the same crop, to a hundredth of a pixel."""
        places = np.stack([self.x, self.y, self.width, self.height])
        return blake2b(np.round(places * _DIGEST_STEPS).astype("<i8").tobytes(), digest_size=8).hexdigest()


def window_of(picture: tuple[int, int], aspect: Aspect) -> tuple[int, int]:
    """Width and height, even, of the largest window of an aspect in a picture."""
    width, height = picture
    if aspect != "source":
        across, down = (int(side) for side in aspect.split(":"))
        width, height = min(width, height * across // down), min(height, width * down // across)
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def crop_path(
    bodies: Bodies,
    picture: tuple[int, int],
    pts_s: NDArray[np.float64],
    clip: Interval,
    tricks: Sequence[Interval],
    aspect: Aspect,
    keyframes: Iterable[Keyframe] = (),
) -> CropPath:
    """The crop that follows the skater calmly through a clip, and keeps him whole through the tricks.

    Args:
        picture: width and height of the upright picture, pixels.
        pts_s: when each frame of the video is shown, seconds.
        clip: the decoded frames of the clip.
        tricks: where cutting off head or board is worst.
        keyframes: set by hand; those close to the clip count too, within their shot.

    Raises:
        ValueError: the clip or a keyframe lies beyond the video.
    """
    frame = np.arange(clip.start_frame, clip.end_frame + 1)
    keyframes = list(keyframes)
    if max([clip.end_frame, *(key.frame for key in keyframes)]) >= len(pts_s):
        raise ValueError(f"the clip or a keyframe lies beyond the {len(pts_s)} frames of the video")
    time_s, shot = pts_s[frame], bodies.shot_of(frame)
    core, needed = bodies.at(frame, time_s)
    followed, trick = np.isfinite(core[:, 0]), _around(tricks, pts_s, time_s)
    window = window_of(picture, aspect)
    led = np.ones((len(frame), 3))
    key_shots = bodies.shot_of(np.array([key.frame for key in keyframes], np.int64))
    for number in np.unique(shot):
        rows = np.flatnonzero(shot == number)
        for axis in (0, 1):
            whole = picture[axis] / window[axis]
            ends = np.ix_(rows, np.array([axis, axis + 2]))
            if picture[axis] - window[axis] < 2:  # nothing to gain, and a crop between two pixels would blur
                led[rows, axis] = 0.5 * window[axis]
                continue
            wish = _wish(core[ends] * whole, needed[ends] * whole, time_s[rows], trick[rows], whole)
            led[rows, axis] = calmest_path(time_s[rows], wish, 0.5, whole - 0.5) * window[axis]
        keys = [(float(pts_s[key.frame]), key) for key, of in zip(keyframes, key_shots, strict=True) if of == number]
        led[rows] = led_by_hand(led[rows], time_s[rows], keys, picture, window)
    sides = led[:, 2:] * window
    corner = np.clip(led[:, :2] - sides / 2, 0.0, np.array(picture) - sides)
    notes = tuple(_notes(followed, trick, core, picture, window, aspect))
    (x, y), (width, height) = corner.T, sides.T
    return CropPath(frame, x, y, width, height, window, picture, shot, followed, notes)


def _around(tricks: Iterable[Interval], pts_s: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    near = np.zeros(len(time_s), bool)
    for trick in tricks:
        start_s, end_s = pts_s[np.minimum([trick.start_frame, trick.end_frame], len(pts_s) - 1)]
        near |= (time_s >= start_s - _AROUND_TRICK_S) & (time_s <= end_s + _AROUND_TRICK_S)
    return near


def _wish(
    core: NDArray[np.float64],
    needed: NDArray[np.float64],
    time_s: NDArray[np.float64],
    trick: NDArray[np.bool_],
    whole: float,
) -> Wish:
    """What the bodies of one shot ask of the window along one axis.

    Args:
        core: where the body begins and ends, in window sides: shape ``(n, 2)``.
        needed: the same with what should be round it.
        whole: side of the picture.
    """
    core, needed = np.clip(core, 0, whole), np.clip(needed, 0, whole)
    air = (needed - core)[:, 1] - (needed - core)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        # As much of the air round the body as the window has room for.
        share = np.clip((1 - 2 * _ROOM - (core[:, 1] - core[:, 0])) / air, 0, 1)[:, None]
    kept = core + np.where(np.isnan(share), 1.0, share) * (needed - core)
    low, high = kept[:, 1] - 0.5, kept[:, 0] + 0.5
    low[low > high] = np.nan  # larger than the window: there is only the middle
    low, high, best = (np.clip(values, 0.5, whole - 0.5) for values in (low, high, needed.mean(axis=1)))
    return Wish(low, high, _waiting(best, time_s, whole / 2), trick)


def _waiting(best: NDArray[np.float64], time_s: NDArray[np.float64], centre: float) -> NDArray[np.float64]:
    """Filled in where nobody is seen: where he was lost for a while, then the middle of the picture, and anywhere for
    as long before he comes back."""
    seen = np.flatnonzero(np.isfinite(best))
    if not len(seen):
        return np.full(len(best), centre)
    at = np.searchsorted(seen, np.arange(len(best)), side="right") - 1
    last, following = seen[np.maximum(at, 0)], seen[np.minimum(at + 1, len(seen) - 1)]
    lost = np.isnan(best)
    held = lost & (at >= 0) & (time_s - time_s[last] <= HOLD_S)
    coming = lost & (at + 1 < len(seen)) & (time_s[following] - time_s <= HOLD_S)
    filled = np.where(lost, np.where(coming, np.nan, centre), best)
    return np.where(held, best[last], filled)


def _notes(
    followed: NDArray[np.bool_],
    trick: NDArray[np.bool_],
    core: NDArray[np.float64],
    picture: tuple[int, int],
    window: tuple[int, int],
    aspect: Aspect,
) -> Iterable[str]:
    if not followed.any():
        yield "Nobody was seen in this clip: the crop stays in the middle."
    elif followed.mean() < _HARDLY_SEEN:
        yield f"Nobody was seen in {1 - followed.mean():.0%} of this clip: there the crop goes to the middle."
    body = np.clip(core, 0, 1) * np.tile(picture, 2)
    with np.errstate(invalid="ignore"):
        too_large = np.any(body[trick, 2:] - body[trick, :2] > window, axis=1)
    if too_large.any():
        yield (
            f"In {too_large.mean():.0%} of the trick the skater is larger than a crop of {aspect}, which is centred on "
            "him there: choose a wider one to see him whole."
        )


def kept_share(path: CropPath, bodies: Bodies, within: Sequence[Interval] | None = None) -> float:
    """In which share of the sampled frames in which the skater is seen he lies inside the crop from ankles to head, to
    a pixel and as far as the picture shows him; NaN where he is never seen.

    Args:
        within: only in these frames of the clip.
    """
    rows = np.flatnonzero(
        (bodies.frame >= path.frame[0]) & (bodies.frame <= path.frame[-1]) & np.isfinite(bodies.core[:, 0])
    )
    if within is not None:
        asked = [(bodies.frame[rows] >= part.start_frame) & (bodies.frame[rows] <= part.end_frame) for part in within]
        rows = rows[np.any(asked, axis=0)]
    if not len(rows):
        return float("nan")
    at = bodies.frame[rows] - path.frame[0]
    body = np.clip(bodies.core[rows], 0, 1) * np.tile(path.picture, 2)
    corner = np.stack([path.x[at], path.y[at]], axis=1)
    end = corner + np.stack([path.width[at], path.height[at]], axis=1)
    return float(((body[:, :2] >= corner - _SLACK) & (body[:, 2:] <= end + _SLACK)).all(axis=1).mean())


def acceleration(path: CropPath, pts_s: NDArray[np.float64]) -> tuple[float, float]:
    """How hard the middle of the crop is pushed: 95th percentile and maximum over the clip, in widths of the window a
    second squared; zeros for less than three frames of a shot.

    Args:
        pts_s: when each frame of the video is shown, seconds.
    """
    middle = np.stack([path.x + path.width / 2, path.y + path.height / 2], axis=1) / path.window[0]
    time_s = pts_s[path.frame]
    speed = np.diff(middle, axis=0) / np.diff(time_s)[:, None]
    change = np.linalg.norm(np.diff(speed, axis=0), axis=1) / ((time_s[2:] - time_s[:-2]) / 2)
    change = change[path.shot[2:] == path.shot[:-2]]
    return (float(np.percentile(change, 95)), float(change.max())) if len(change) else (0.0, 0.0)
