"""Where points of the skater's body went against the background, how high they hopped on the way, and how fast.

The camera's own motion is taken off, and lengths are in torso lengths, so that near and far skaters compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.pose.subject import MAX_LOST_S
from core.pose.table import CameraTable

_SCALE_WINDOW_S = 1.4
EDGE_S = 0.002
"""A frame this little outside a window counts as inside: containers round times, Matroska to milliseconds, and a frame
that is right on the edge must not come and go with the rounding (seconds)."""
_THIGH, _SHIN = 0.8, 0.8  # in torso lengths: stand in for the torso where the picture shows only legs


def body_scale(points: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long the skater's torso is in each sampled frame, frame heights: a running median over 1.4 s, shape ``(n,)``.

    Where the picture cuts the torso off, the longer of thigh and shin stands in for it.

    Args:
        points: keypoints in frame heights, shape ``(n, 17, 2)``, NaN where unseen.
    """
    shoulder, hip, knee, ankle = (middle(points, a, a + 1) for a in (5, 11, 13, 15))
    torso = length(hip - shoulder)
    legs = np.fmax(length(knee - hip) / _THIGH, length(ankle - knee) / _SHIN)
    return _running_median(np.where(np.isfinite(torso), torso, legs), time_s, _SCALE_WINDOW_S)


@dataclass(frozen=True)
class BackgroundPath:
    """Where a point went against the background, in torso lengths from where its segment began; y downwards."""

    xy: NDArray[np.float64]
    """Shape ``(n, 2)``, NaN where it was not followed; gaps up to 0.8 s are bridged in a straight line."""
    segment: NDArray[np.int64]
    """Stretch over which the path is unbroken, shape ``(n,)``, -1 where there is none: cuts, long gaps, another
    person."""


def background_path(
    place: NDArray[np.float64],
    camera: CameraTable,
    scale: NDArray[np.float64],
    shot: NDArray[np.int64],
    person: NDArray[np.int64],
) -> BackgroundPath:
    """Add up, from one sighting to the next, how far a point moved beyond what the camera's motion explains.

    Adding up steps instead of chaining transforms keeps an hour of footage free of drift in scale.

    Args:
        place: the point in each sampled frame, frame heights, shape ``(n, 2)``, NaN where unseen.
        scale: torso length in each sampled frame, frame heights.
        shot: number of the shot between hard cuts.
        person: track shown in each sampled frame.
    """
    n = len(place)
    xy, segment = np.full((n, 2), np.nan), np.full(n, -1, np.int64)
    seen = np.flatnonzero(np.isfinite(place).all(axis=1) & (scale > 0))
    if not len(seen):
        return BackgroundPath(xy, segment)
    before, after = seen[:-1], seen[1:]
    carried = _carried(place[before], before, after, camera.matrices())
    step = (place[after] - carried) / ((scale[before] + scale[after]) / 2)[:, None]
    joined = (
        (camera.time_s[after] - camera.time_s[before] <= MAX_LOST_S)
        & (shot[after] == shot[before])
        & (person[after] == person[before])
    )
    number = np.concatenate([[0], np.cumsum(~joined)])
    total = np.concatenate([[[0.0, 0.0]], np.cumsum(np.where(joined[:, None], step, 0.0), axis=0)])
    xy[seen], segment[seen] = total, number
    last = np.searchsorted(seen, np.arange(n), side="right") - 1  # the sighting at or before each row
    between = np.flatnonzero(np.append(joined, False)[last] & (last >= 0))
    last = last[between]
    share = (camera.time_s[between] - camera.time_s[before[last]]) / (
        camera.time_s[after[last]] - camera.time_s[before[last]]
    )
    xy[between], segment[between] = total[last] + share[:, None] * step[last], number[last]
    return BackgroundPath(xy, segment)


def hop_height(path: BackgroundPath, time_s: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    """How high a point is above where it came from and where it goes: torso lengths, shape ``(n,)``, NaN where not
    followed.

    The lower of the rise within ``window_s`` before and the fall within ``window_s`` after: a jump has both, a step
    up, a drift of the camera or a stretch of the leg has one.
    """
    hop = np.full(len(time_s), np.nan)
    for rows in _segments(path.segment):
        height = -path.xy[rows, 1]
        at = time_s[rows]
        rise = height - _lowest_before(height, at, window_s)
        fall = height - _lowest_before(height[::-1], -at[::-1], window_s)[::-1]
        hop[rows] = np.maximum(0.0, np.minimum(rise, fall))
    return hop


def _lowest_before(values: NDArray[np.float64], at: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    """The lowest value within ``window_s`` up to and including each row."""
    index = pd.to_timedelta(at - at[0], unit="s")
    lowest = pd.Series(values, index=index).rolling(pd.Timedelta(seconds=window_s + EDGE_S), closed="both").min()
    return lowest.to_numpy()


def _segments(segment: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    rows = np.flatnonzero(segment >= 0)
    return np.split(rows, np.flatnonzero(np.diff(segment[rows])) + 1) if len(rows) else []


def _carried(
    place: NDArray[np.float64], before: NDArray[np.int64], after: NDArray[np.int64], matrices: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where points of the background that stood at ``place`` in frames ``before`` stand in frames ``after``."""
    carried = place.copy()
    longest = int((after - before).max(initial=0))
    for step in range(1, longest + 1):
        moving = np.flatnonzero(before + step <= after)
        if step > 60:  # a gap of seconds breaks the path anyway
            break
        matrix = matrices[before[moving] + step]
        carried[moving] = np.einsum("nij,nj->ni", matrix[:, :, :2], carried[moving]) + matrix[:, :, 2]
    return carried


def slope(values: NDArray[np.float64], segment: NDArray[np.int64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central difference by time within each segment: per second, shape as ``values``, NaN where there is no
    neighbour."""
    slope = np.full_like(values, np.nan)
    for rows in _segments(segment):
        if len(rows) > 2:
            slope[rows] = np.gradient(values[rows], time_s[rows], axis=0)
    return slope


def _running_median(values: NDArray[np.float64], time_s: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    if not len(values):
        return values
    series = pd.Series(values, index=pd.to_timedelta(time_s, unit="s") + pd.Timestamp(0))
    width = pd.Timedelta(seconds=window_s + 2 * EDGE_S)
    return series.rolling(width, center=True, closed="both", min_periods=1).median().to_numpy()


def middle(points: NDArray[np.float64], a: int, b: int) -> NDArray[np.float64]:
    """Halfway between two joints: of keypoints of shape ``(n, 17, 2 or more)``, shape ``(n, 2)``."""
    return (points[:, a, :2] + points[:, b, :2]) / 2


def length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean, of vectors of shape ``(n, 2)``."""
    return np.hypot(vectors[:, 0], vectors[:, 1])
