"""Finding people and their joints in pictures.

A backend is anything that satisfies :class:`PoseEstimator`; ``choose`` in :mod:`core.pose.backends` picks one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
"""The 17 keypoints of COCO, in COCO's order: shoulders are 5 and 6, hips 11 and 12, ankles 15 and 16."""

MIN_KEYPOINT_CONF = 0.05
"""Below this a keypoint counts as not seen and its place is NaN. Low on purpose: what to trust is decided later."""

_SAME_BODY = 0.1
"""Two rows whose keypoints are closer than this, in lengths of the box, are one person."""
_INSIDE = 0.6


@dataclass(frozen=True)
class SubjectChoice:
    """A click on a person: this is the skater from here on."""

    frame: int
    x: float
    """0..1 of the upright frame's width."""
    y: float
    """0..1 of its height."""


@dataclass(frozen=True)
class People:
    """Everybody seen in one picture; arrays share their first axis, best first. Coordinates are 0..1 of the upright
    frame."""

    score: NDArray[np.float32]
    """Shape ``(p,)``, 0 to 1."""
    boxes: NDArray[np.float32]
    """Shape ``(p, 4)``: x1, y1, x2, y2."""
    keypoints: NDArray[np.float32]
    """Shape ``(p, 17, 3)``: x, y, confidence; x and y are NaN where a keypoint was not seen."""

    @classmethod
    def from_pixels(
        cls,
        score: NDArray[np.float32],
        boxes: NDArray[np.float32],
        keypoints: NDArray[np.float32],
        size: tuple[int, int],
        min_score: float,
    ) -> People:
        """From network output in pixels of a picture of ``size`` (width, height).

        Best first, each body once, nobody below ``min_score``, scaled and clipped to the frame, unseen keypoints made
        NaN.
        """
        width, height = size
        keep = np.flatnonzero(score >= min_score)
        keep = _each_body_once(keep[np.argsort(-score[keep], kind="stable")], score, boxes, keypoints)
        corners = np.clip(boxes[keep] / np.array([width, height] * 2), 0, 1)
        points = keypoints[keep] / np.array([width, height, 1])
        points[..., :2] = np.clip(points[..., :2], 0, 1)  # networks guess beyond the border too
        points[points[..., 2] < MIN_KEYPOINT_CONF, :2] = np.nan
        return cls(*(np.asarray(values, np.float32) for values in (score[keep], corners, points)))


def _each_body_once(
    best_first: NDArray[np.int64],
    score: NDArray[np.float32],
    boxes: NDArray[np.float32],
    keypoints: NDArray[np.float32],
) -> NDArray[np.int64]:
    """Leave out a row that shows a body again: its keypoints lie on those of a better row, or it is a weak part of one.

    Suppression by overlap of boxes alone keeps a second, tighter box round the same legs, and would drop somebody who
    crosses.
    """
    kept: list[int] = []
    for row in best_first:
        width, height = boxes[row, 2:] - boxes[row, :2]
        apart = np.median(np.linalg.norm(keypoints[kept, :, :2] - keypoints[row, :, :2], axis=2), axis=1)
        shared = np.minimum(boxes[kept, 2:], boxes[row, 2:]) - np.maximum(boxes[kept, :2], boxes[row, :2])
        inside = np.clip(shared, 0, None).prod(axis=1) > _INSIDE * width * height
        again = (apart <= _SAME_BODY * max(width, height)) | (inside & (score[row] < score[kept] / 2))
        if not again.any():
            kept.append(int(row))
    return np.array(kept, dtype=np.int64)


class PoseEstimator(Protocol):
    """A network that finds people. One instance may be used by several threads at once."""

    @property
    def name(self) -> str:
        """Backend and network, for people to read and for the key under which its results are kept."""

    @property
    def long_side(self) -> int:
        """Length in pixels of the longer side of the pictures it wants."""

    def estimate(self, image: NDArray[np.uint8]) -> People:
        """Find people in an upright RGB picture: uint8, shape ``(height, width, 3)``, longer side ``long_side``."""


def pad_to_multiple(image: NDArray[np.uint8], multiple: tuple[int, int], value: int) -> NDArray[np.uint8]:
    """Pad right and below until height and width are multiples of ``multiple``, so that coordinates need no shift.

    Shape ``(h', w', 3)``.
    """
    height, width = image.shape[:2]
    pad = ((0, -height % multiple[0]), (0, -width % multiple[1]), (0, 0))
    return np.pad(image, pad, constant_values=value) if any(sum(p) for p in pad) else image
