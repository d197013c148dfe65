"""How the camera moved: a background similarity from each sampled frame to the next, and hard cuts.

Corners spread over a small grey picture, off the people in it, are followed by Lucas-Kanade there and back again: those
that do not return were lost (Kalal, Mikolajczyk and Matas, Forward-Backward Error, ICPR 2010). RANSAC finds the one
rotation, scale and shift that most of them agree on. Where few do, as in a hard pan, they are followed once more from
the shift that the phase correlation of thumbnails suggests (Kuglin and Hines, 1975). Measured on 320x180: 1.4 to 1.6 ms
a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LONG_SIDE = 320
"""Longer side, in pixels, of the grey pictures that the motion is measured on."""
MIN_CORNERS = 8
"""Fewer corners than this say nothing about the camera."""
MIN_AGREEMENT = 0.25
"""A motion that fewer of the corners agree on is refused."""
SCALE_RANGE = (0.8, 1.25)
"""A change of scale outside this between two frames is a failure, not a zoom."""
_MAX_CORNERS, _REDETECT_BELOW = 90, 45
_CANDIDATES = 400
_GRID = (5, 8)
_WINDOW = 11
_NEAR_PEOPLE = 7  # pixels: nearer corners would be followed with a part of the body in their window
_THERE_AND_BACK = 1.0  # pixels
_SURE = 0.5
_THUMB = 80
_PEAKS = 5
_MIN_OVERLAP = 0.2
_MIN_FREE = 0.2
_CUT_LEVELS = 6.0
_NO_CUT = 0.4  # where so many corners were found again
_APART_CALM = 1.6
_CALM = 0.1  # frame heights between two pictures
_FLASH = 0.3

_Points = NDArray[np.float32]
_NO_POINTS = np.empty((0, 2), np.float32)
_NOBODY = np.empty((0, 4), np.float32)


@dataclass(frozen=True)
class CameraMotion:
    """From the sampled frame before to this one. Coordinates are in frame heights, y downwards, origin at the upper
    left."""

    scale: float
    """How much larger the background got (1 = no zoom)."""
    rotation: float
    """Radians, clockwise on the screen."""
    dx: float
    """Shift of the background, frame heights; NaN where it could not be measured."""
    dy: float
    agreement: float
    """Share of the followed corners that moved like the background, 0 to 1."""
    difference: float
    """How far the picture changed beyond the camera's motion, grey levels: a hard cut stands out. Negative where the
    picture is again what it was before a flash."""


@dataclass(frozen=True)
class _Sight:
    """What is kept of a picture until the next."""

    gray: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    """Of the people, pixels; none if they leave hardly anything of the picture."""
    thumb: NDArray[np.uint8]
    levels: NDArray[np.float64]
    """Shares of the thumbnail that are no brighter than each grey level."""


class MotionEstimator:
    """Feeds on grey pictures one after the other. After :meth:`reset` the next one only starts it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the last pictures, their people and their corners."""
        self._last: _Sight | None = None
        self._earlier: tuple[NDArray[np.float64], float] | None = None
        self._corners: _Points = _NO_POINTS
        self._calm = True
        """Whether the last motion was measured, and slow."""

    def step(self, gray: NDArray[np.uint8], boxes: NDArray[np.float32] = _NOBODY) -> CameraMotion:
        """The motion from the last picture to ``gray`` (uint8, shape ``(h, w)``); no motion for the first one.

        Args:
            boxes: of the people in it, shape ``(p, 4)``: x1, y1, x2, y2 in 0..1. Corners on them are left out, unless
                they leave hardly anything of the picture.
        """
        last, now = self._last, _seen(gray, boxes)
        self._last = now
        if last is None:
            return CameraMotion(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        if len(self._corners) < _REDETECT_BELOW:
            self._corners = _corners(last)
        small = len(now.thumb) / len(gray)
        shift = np.zeros(2, np.float32)
        after, matrix, agree = self._fit(last, now, shift)
        if agree.sum() < _SURE * len(self._corners) or not len(self._corners):
            shift = _coarse_shift(last, now, small)
            if shift.any():
                again = self._fit(last, now, shift / np.float32(small))
                if again[2].sum() > agree.sum():
                    after, matrix, agree = again
        agreement = float(agree.mean()) if len(agree) else 0.0
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if agreement < MIN_AGREEMENT or not SCALE_RANGE[0] <= scale <= SCALE_RANGE[1]:
            self._corners = _NO_POINTS
            moved = np.column_stack([np.eye(2), shift])
            difference = self._difference(last, now, moved)
            self._calm = False
            return CameraMotion(1.0, 0.0, np.nan, np.nan, agreement, difference)
        self._corners = after[agree]  # only corners of the background are followed further
        rotation = float(np.arctan2(matrix[1, 0], matrix[0, 0]))
        dx, dy = (matrix[:, 2] / len(gray)).tolist()
        matrix[:, 2] *= small
        difference = self._difference(last, now, matrix)
        if agreement >= _NO_CUT:
            difference = min(difference, _CUT_LEVELS)
        self._calm = agreement >= _NO_CUT and bool(np.hypot(dx, dy) < _CALM)
        return CameraMotion(scale, rotation, dx, dy, agreement, difference)

    def _fit(self, last: _Sight, now: _Sight, shift: _Points) -> tuple[_Points, NDArray[np.float64], NDArray[np.bool_]]:
        """Where the corners went, looked for about ``shift`` pixels on; the similarity, and who agrees with it."""
        before, after = _followed(last, now, self._corners, shift)
        matrix = inliers = None
        if len(before) >= MIN_CORNERS:
            matrix, inliers = cv2.estimateAffinePartial2D(
                before, after, method=cv2.RANSAC, ransacReprojThreshold=1.0, maxIters=200, refineIters=5
            )
        if matrix is None or inliers is None:
            return after, np.eye(2, 3), np.zeros(len(after), np.bool_)
        return after, np.asarray(matrix, np.float64), inliers.ravel() == 1

    def _difference(self, last: _Sight, now: _Sight, moved: NDArray[np.float64]) -> float:
        """The lower of two: how far the thumbnails differ with the motion taken off and apart from a change of
        exposure, and how far their grey levels do wherever they are (earth mover's distance), which is counted more
        where the camera was calm.

        Of 164 cuts between real clips 95 % are more than 11 levels apart and 90 % more than 14, of hard pans that could
        not be measured 15 % and 5 %.
        """
        height, width = now.thumb.shape
        carried = cv2.warpAffine(last.thumb, moved, (width, height)).astype(np.float32)
        seen = cv2.warpAffine(np.full_like(last.thumb, 255), moved, (width, height)) == 255
        if seen.mean() < _MIN_OVERLAP:
            carried, seen = last.thumb.astype(np.float32), np.ones_like(seen)
        change = (now.thumb - carried)[seen]
        apart = float(np.abs(last.levels - now.levels).sum())
        difference = min(float(np.abs(change - np.median(change)).mean()), (_APART_CALM if self._calm else 1.0) * apart)
        earlier, self._earlier = self._earlier, (last.levels, apart)
        if earlier and np.abs(earlier[0] - now.levels).sum() < _FLASH * min(apart, earlier[1]):
            return -difference
        return difference


def cuts(difference: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a hard cut lies: shape ``(n,)``, true at the first sampled frame of a new shot.

    A cut differs by more than 6 levels and by more than 3 times the local median + 3, and is no flash, after which the
    picture is what it was.
    """
    import pandas as pd

    local = pd.Series(np.abs(difference)).rolling(15, center=True, min_periods=1).median().to_numpy()
    return (difference > _CUT_LEVELS) & (difference > 3.0 * local + 3.0) & (np.append(difference[1:], 0.0) >= 0)


def _seen(gray: NDArray[np.uint8], boxes: NDArray[np.float32]) -> _Sight:
    height, width = gray.shape
    scale = _THUMB / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    thumb = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    levels = np.cumsum(np.bincount(thumb.ravel(), minlength=256)) / thumb.size
    if len(boxes) and (_off_people(boxes * 64, (64, 64), 0) > 0).mean() < _MIN_FREE:
        boxes = _NOBODY
    return _Sight(gray, boxes * np.array([width, height] * 2, np.float32), thumb, levels)


def _corners(sight: _Sight) -> _Points:
    """The best corners of each cell of a grid, off the people: else all would be where the texture is, and one moving
    thing be taken for the background."""
    height, width = sight.gray.shape
    found = cv2.goodFeaturesToTrack(
        sight.gray,
        maxCorners=_CANDIDATES,
        qualityLevel=0.006,
        minDistance=5,
        mask=_off_people(sight.boxes, (height, width), _NEAR_PEOPLE),
        blockSize=3,
    )
    points = _NO_POINTS if found is None else np.asarray(found, np.float32).reshape(-1, 2)  # best first
    row, column = (points * [_GRID[1] / width, _GRID[0] / height]).astype(int).T[::-1]
    cell = row * _GRID[1] + column
    by_cell = np.argsort(cell, kind="stable")
    rank = np.empty(len(points), np.int64)
    rank[by_cell] = np.arange(len(points)) - np.searchsorted(cell[by_cell], cell[by_cell])
    return points[np.argsort(rank, kind="stable")[:_MAX_CORNERS]]


def _followed(last: _Sight, now: _Sight, corners: _Points, shift: _Points) -> tuple[_Points, _Points]:
    """The corners that were found again, and where: those that did not get among the people."""
    if len(corners) < MIN_CORNERS:
        return _NO_POINTS, _NO_POINTS
    after, found = _lucas_kanade(last.gray, now.gray, corners, corners + shift)
    back, returned = _lucas_kanade(now.gray, last.gray, after, after - shift)
    height, width = now.gray.shape
    good = found & returned & (np.abs(back - corners).max(axis=1) < _THERE_AND_BACK)
    good &= ((after >= 0) & (after < [width, height])).all(axis=1)
    low, high = now.boxes[:, :2] - _NEAR_PEOPLE, now.boxes[:, 2:] + _NEAR_PEOPLE
    on_people = np.logical_and(after[:, None] > low, after[:, None] < high).all(axis=2)
    good &= ~np.any(on_people, axis=1)
    return corners[good], after[good]


def _lucas_kanade(
    first: NDArray[np.uint8], second: NDArray[np.uint8], points: _Points, guess: _Points
) -> tuple[_Points, NDArray[np.bool_]]:
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        points,
        guess.copy(),  # it is written to
        winSize=(_WINDOW, _WINDOW),
        maxLevel=3,
        criteria=(3, 12, 0.03),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(there, np.float32), found.ravel() == 1


def _coarse_shift(last: _Sight, now: _Sight, small: float) -> _Points:
    """Where the background went, in whole pixels of the thumbnails; nowhere if that explains no more.

    Of the highest peaks of the phase correlation the one counts that leaves the least difference, people apart: the
    highest may be that of a skater whom the camera follows.
    """
    height, width = now.thumb.shape
    usable = _off_people(np.vstack([last.boxes, now.boxes]) * small, (height, width), 0) > 0
    if usable.mean() < _MIN_FREE:
        usable[:] = True
    before, after = (np.where(usable, sight.thumb - sight.thumb[usable].mean(), 0) for sight in (last, now))
    cross = np.conj(np.fft.rfft2(before)) * np.fft.rfft2(after)
    peaks = np.fft.irfft2(cross / (np.abs(cross) + 1e-3), s=(height, width))
    peaks[0, 0] = -np.inf
    best, least = np.zeros(2, np.float32), 0.7 * _left(last, now, usable, 0, 0)
    for peak in np.argsort(-peaks, axis=None, kind="stable")[:_PEAKS]:
        y, x = divmod(int(peak), width)
        for dx, dy in ((x, y), (x - width, y), (x, y - height), (x - width, y - height)):  # it goes round the edges
            left = _left(last, now, usable, dx, dy)
            if left < least:
                best, least = np.array([dx, dy], np.float32), left
    return best


def _left(last: _Sight, now: _Sight, usable: NDArray[np.bool_], dx: int, dy: int) -> float:
    """Mean difference of the thumbnails, people apart, if the background went by ``dx, dy``."""
    height, width = usable.shape
    before = slice(max(0, -dy), height - max(0, dy)), slice(max(0, -dx), width - max(0, dx))
    after = slice(max(0, dy), height - max(0, -dy)), slice(max(0, dx), width - max(0, -dx))
    both = usable[before] & usable[after]
    if both.sum() < _MIN_OVERLAP * usable.size:
        return np.inf
    return float(np.abs(now.thumb[after].astype(np.float32) - last.thumb[before])[both].mean())


def _off_people(boxes: NDArray[np.float32], shape: tuple[int, int], margin: int) -> NDArray[np.uint8]:
    """255 away from the people, 0 on them and ``margin`` pixels round them."""
    mask = np.full(shape, 255, np.uint8)
    for x1, y1, x2, y2 in boxes:
        rows = slice(max(0, int(y1) - margin), int(np.ceil(y2)) + margin)
        mask[rows, max(0, int(x1) - margin) : int(np.ceil(x2)) + margin] = 0
    return mask
