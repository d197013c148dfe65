"""How the camera moved: a background similarity from each sampled frame to the next, and hard cuts.

Corners are followed by Lucas-Kanade on a small grey picture; RANSAC finds the one rotation, scale and shift that most
of them agree on, which is the background's as long as people fill less than half of the corners. Measured on 320x180:
1.1 to 1.3 ms a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LONG_SIDE = 320
"""Longer side, in pixels, of the grey pictures that the motion is measured on."""
MIN_CORNERS = 12
"""Fewer corners than this say nothing about the camera."""
MIN_AGREEMENT = 0.25
"""A motion that fewer of the corners agree on is refused."""
SCALE_RANGE = (0.8, 1.25)
"""A change of scale outside this between two frames is a failure, not a zoom."""
_REDETECT_BELOW = 60
_MAX_CORNERS = 120
_CUT_SIDE = 48
_CUT_LEVELS = 14.0


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
    """Mean absolute difference of 48x48 thumbnails, grey levels: a hard cut stands out."""


class MotionEstimator:
    """Feeds on grey pictures one after the other. After :meth:`reset` the next one only starts it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the last picture, its corners and its thumbnail."""
        self._last: NDArray[np.uint8] | None = None
        self._corners: NDArray[np.float32] = np.empty((0, 1, 2), np.float32)
        self._thumb: NDArray[np.float32] | None = None

    def step(self, gray: NDArray[np.uint8]) -> CameraMotion:
        """The motion from the last picture to ``gray`` (uint8, shape ``(h, w)``); no motion for the first one."""
        thumb = cv2.resize(gray, (_CUT_SIDE, _CUT_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        last, last_thumb = self._last, self._thumb
        self._last, self._thumb = gray, thumb
        if last is None or last_thumb is None:
            return CameraMotion(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        difference = float(np.abs(thumb - last_thumb).mean())
        if len(self._corners) < _REDETECT_BELOW:
            self._corners = _corners(last)
        before, after = self._follow(last, gray)
        if len(before) < MIN_CORNERS:
            self._corners = np.empty((0, 1, 2), np.float32)
            return CameraMotion(1.0, 0.0, np.nan, np.nan, 0.0, difference)
        matrix, inliers = cv2.estimateAffinePartial2D(
            before, after, method=cv2.RANSAC, ransacReprojThreshold=1.5, maxIters=200, confidence=0.99, refineIters=5
        )
        agreement = 0.0 if inliers is None else float(inliers.mean())
        if matrix is None or agreement < MIN_AGREEMENT:
            self._corners = np.empty((0, 1, 2), np.float32)
            return CameraMotion(1.0, 0.0, np.nan, np.nan, agreement, difference)
        # Only corners of the background are followed further.
        self._corners = after[inliers.ravel() == 1].reshape(-1, 1, 2)
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if not SCALE_RANGE[0] <= scale <= SCALE_RANGE[1]:
            return CameraMotion(1.0, 0.0, np.nan, np.nan, agreement, difference)
        height = gray.shape[0]
        rotation = float(np.arctan2(matrix[1, 0], matrix[0, 0]))
        return CameraMotion(scale, rotation, matrix[0, 2] / height, matrix[1, 2] / height, agreement, difference)

    def _follow(
        self, last: NDArray[np.uint8], gray: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if len(self._corners) < MIN_CORNERS:
            return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
        nowhere: Any = None  # OpenCV's own types forbid the None that its documentation asks for
        after, found, _ = cv2.calcOpticalFlowPyrLK(
            last, gray, self._corners, nowhere, winSize=(15, 15), maxLevel=3, criteria=(3, 12, 0.03)
        )
        good = found.ravel() == 1
        return self._corners[good].reshape(-1, 2), np.asarray(after[good], np.float32).reshape(-1, 2)


def cuts(difference: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a hard cut lies: shape ``(n,)``, true at the first sampled frame of a new shot.

    A cut's thumbnails differ by more than 14 levels and by more than 2.5 times the local median + 4, so that a fast
    pan is none.
    """
    import pandas as pd

    local = pd.Series(difference).rolling(15, center=True, min_periods=1).median().to_numpy()
    return (difference > _CUT_LEVELS) & (difference > 2.5 * local + 4.0)


def _corners(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    found = cv2.goodFeaturesToTrack(gray, maxCorners=_MAX_CORNERS, qualityLevel=0.01, minDistance=7, blockSize=3)
    return np.empty((0, 1, 2), np.float32) if found is None else np.asarray(found, np.float32)
