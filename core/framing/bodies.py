"""What must stay in the picture: the skater from head to board in every sampled frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics import Signals
from core.motion import cuts
from core.pose.subject import MAX_LOST_S
from core.pose.table import CameraTable, PoseTable

_HEAD, _ANKLES = slice(0, 5), slice(15, 17)
_BODY = (0, 1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16)  # arms may leave the picture
_SURE = 0.2
"""A joint below this confidence is a guess; the box stands in where head or ankles are guesses."""
# Torso lengths, half a metre or so: from the eyes to the crown and some air; a board of 0.8 m is longer than the stance
# by a foot on either side, and an ankle is 0.2 m above the ground.
_ABOVE_HEAD, _BESIDE, _BOARD, _BELOW_ANKLES = 0.5, 0.25, 0.6, 0.45
_TORSO_OF_BOX = 0.3


@dataclass(frozen=True)
class Bodies:
    """The skater in each of ``n`` sampled frames; places in 0..1 of the upright picture, NaN where he is not seen."""

    frame: NDArray[np.int64]
    """Decoded frames, ascending."""
    time_s: NDArray[np.float64]
    core: NDArray[np.float64]
    """From ankles to head: shape ``(n, 4)``: x1, y1, x2, y2."""
    needed: NDArray[np.float64]
    """The same with the crown, the board and some air round it, and without slips of a single frame."""
    shot: NDArray[np.int64]
    """Number of the shot between hard cuts, ascending."""

    def shot_of(self, frame: NDArray[np.int64]) -> NDArray[np.int64]:
        """The shot that decoded frames lie in; a new one begins with the first sampled frame after the cut."""
        return self.shot[np.maximum(np.searchsorted(self.frame, frame, side="right") - 1, 0)]

    def at(self, frame: NDArray[np.int64], time_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """``core`` and ``needed`` at decoded frames: two arrays of shape ``(len(frame), 4)``.

        In a straight line over gaps up to 0.8 s of one shot, NaN over longer ones. A sampled frame stands for those up
        to the next.
        """
        seen = np.flatnonzero(np.isfinite(self.core[:, 0]))
        both = np.full((2, len(frame), 4), np.nan)
        if not len(seen):
            return both[0], both[1]
        shot = self.shot_of(frame)
        last = np.searchsorted(self.frame[seen], frame, side="right") - 1
        before, after = seen[np.maximum(last, 0)], seen[np.minimum(last + 1, len(seen) - 1)]
        has_before = (last >= 0) & (self.shot[before] == shot)
        has_after = (self.frame[after] > frame) & (self.shot[after] == shot)
        gap_s = self.time_s[after] - self.time_s[before]
        between = has_before & has_after & (gap_s <= MAX_LOST_S)
        alone = has_before & ~between & (before == np.searchsorted(self.frame, frame, side="right") - 1)
        share = np.where(between, (time_s - self.time_s[before]) / np.where(between, gap_s, 1.0), 0.0)[:, None]
        for values, source in zip(both, (self.core, self.needed), strict=True):
            values[:] = np.where(between[:, None], (1 - share) * source[before] + share * source[after], np.nan)
            values[alone] = source[before[alone]]
        return both[0], both[1]


def look_at_bodies(signals: Signals, pose: PoseTable, camera: CameraTable, aspect: float) -> Bodies:
    """The skater as he was seen and followed.

    Args:
        signals: measured on ``pose`` and ``camera``.
        aspect: width / height of the upright picture.
    """
    boxes, seen = signals.boxes, signals.rows >= 0
    points = np.full((camera.n, 17, 3), np.nan)
    points[seen] = pose.keypoints[signals.rows[seen]]
    points[~(points[..., 2] >= _SURE)] = np.nan
    scale = signals.table["body_scale"].to_numpy()
    torso = np.where(scale > 0, scale, _TORSO_OF_BOX * (boxes[:, 3] - boxes[:, 1]))[:, None] / [aspect, 1.0]

    core = _around(points[:, _BODY, :2])
    # Where head, feet or half of the joints are guesses, the box says how far the body goes; it has its own margin.
    unsure = np.tile(np.isnan(points[:, _BODY, 0]).mean(axis=1) > 0.5, (4, 1)).T
    unsure[:, 1] |= np.isnan(points[:, _HEAD, 1]).all(axis=1)
    unsure[:, 3] |= np.isnan(points[:, _ANKLES, 1]).all(axis=1)
    core = np.where(unsure, boxes, core)
    air = torso[:, [0, 1, 0, 1]] * [-_BESIDE, -_ABOVE_HEAD, _BESIDE, _BELOW_ANKLES]
    board = _around(points[:, _ANKLES, :2]) + torso[:, [0, 1, 0, 1]] * [-_BOARD, 0.0, _BOARD, 0.0]
    needed = core + np.where(unsure, 0.0, air)
    needed[:, :2] = np.fmin(needed[:, :2], board[:, :2])
    needed[:, 2:] = np.fmax(needed[:, 2:], board[:, 2:])
    shot = np.cumsum(cuts(camera.difference), dtype=np.int64)
    steady = _without_slips(needed, camera.time_s, shot)
    return Bodies(camera.frame.astype(np.int64), camera.time_s, core, steady, shot)


def _around(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes of points: from shape ``(n, k, 2)`` to ``(n, 4)``."""
    return np.concatenate([np.fmin.reduce(points, axis=1), np.fmax.reduce(points, axis=1)], axis=1)


def _without_slips(
    boxes: NDArray[np.float64], time_s: NDArray[np.float64], shot: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Each side is the middle one of three sightings: an ankle that was seen on a tree for one frame pulls nothing."""
    steady = boxes.copy()
    seen = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    before, middle, after = seen[:-2], seen[1:-1], seen[2:]
    near = (shot[before] == shot[after]) & (time_s[after] - time_s[before] <= MAX_LOST_S)
    steady[middle[near]] = np.median([boxes[rows[near]] for rows in (before, middle, after)], axis=0)
    return steady
