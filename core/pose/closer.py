"""A second look, from nearer, at a skater who is small in the picture.

Networks see people of 20 to 60 pixels weakly and place their joints coarsely. Where the skater is that small, the part
of the picture round him is taken from a larger one and shown to the network too, and the surer answer is kept: slicing
(Akyon et al., Slicing Aided Hyper Inference, ICIP 2022) in the one place that counts. A skater who was lost is looked
for where he was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from core.motion import CameraMotion
from core.pose import People, PoseEstimator
from core.pose.subject import MAX_LOST_S

LONG_SIDE = 1280
"""Longer side in pixels of the picture that the part is taken from, where the video has as many."""
SMALL, LARGE = 0.15, 0.19
"""Longer side of his box, in longer sides of the picture, below which he is looked at again, and from which on he no
longer is: in between it stays as it was, so that the two kinds of answers do not alternate."""
_ROOM = 3.5
"""How much of the picture is looked at, in lengths of his box."""
_MIN_PART = 0.2
_NEAR = 1.5
_TRUSTED = 0.7
_SURE = 0.2
_SAME_BODY = 0.3
_EDGE = 0.01


@dataclass
class _Place:
    """Where the small skater was last seen, frame heights."""

    middle: NDArray[np.float64]
    size: float
    seen_s: float


class CloserLook:
    """Feeds on what was seen in one picture after the other. After :meth:`reset` it knows of no skater.

    Args:
        aspect: width / height of the upright frame.
    """

    def __init__(self, estimator: PoseEstimator, aspect: float) -> None:
        self._estimator = estimator
        self._square = np.array([aspect, 1.0])
        self.reset()

    def reset(self) -> None:
        """Forget where the skater was."""
        self._place: _Place | None = None

    def people(
        self, seen: People, motion: CameraMotion, time_s: float, picture: Callable[[], NDArray[np.uint8]]
    ) -> People:
        """Everybody seen, a small skater more surely.

        Args:
            seen: at the first look.
            motion: of the camera, from the picture before.
            picture: makes a large picture, upright RGB; called only where a second look is worth it.
        """
        place = self._place = self._where(seen, _moved(self._place, motion), time_s)
        if place is None:
            return seen
        side = max(_MIN_PART, min(1.0, _ROOM * place.size / self._square.max()))
        corner = np.clip(place.middle / self._square - side / 2, 0, 1 - side)
        image = picture()
        height, width = image.shape[:2]
        x, y = np.round(corner * [width, height]).astype(int)
        part = image[y : y + round(side * height), x : x + round(side * width)]
        scale = self._estimator.long_side / max(height, width)
        shown = cv2.resize(part, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_LINEAR)
        at = np.array([x / width, y / height])
        share = np.array([part.shape[1] / width, part.shape[0] / height])
        nearer = _in_frame(self._estimator.estimate(np.asarray(shown, np.uint8)), at, share)
        together = _merged(seen, nearer)
        self._place = self._found(together, place, time_s) or place
        return together

    def _where(self, seen: People, place: _Place | None, time_s: float) -> _Place | None:
        """The small skater to look at again: he who was followed, else the one with the largest score x area."""
        if place and time_s - place.seen_s > MAX_LOST_S:
            place = None
        if not len(seen.score):
            return place
        size = (seen.boxes[:, 2:] - seen.boxes[:, :2]).astype(np.float64)
        best = int(np.argmax(seen.score * size.prod(axis=1)))
        longer = float((size[best] * self._square).max())
        cut_off = (seen.boxes[best, :2] < _EDGE).any() or (seen.boxes[best, 2:] > 1 - _EDGE).any()
        if longer >= (LARGE if place else SMALL) * self._square.max() or cut_off:
            return None  # who is partly out of the picture may well be large
        return place or _Place(self._middle(seen)[best], longer, time_s)

    def _found(self, people: People, place: _Place, time_s: float) -> _Place | None:
        """Where he is, who was expected at ``place``."""
        if not len(people.score):
            return None
        middle = self._middle(people)
        size = ((people.boxes[:, 2:] - people.boxes[:, :2]) * self._square).max(axis=1)
        away = np.linalg.norm(middle - place.middle, axis=1) / np.maximum(size, place.size)
        worth = np.where(away < _NEAR, people.score * (1 - away / (2 * _NEAR)), 0.0)
        best = int(np.argmax(worth))
        return _Place(middle[best], float(size[best]), time_s) if worth[best] > 0 else None

    def _middle(self, people: People) -> NDArray[np.float64]:
        return np.asarray((people.boxes[:, :2] + people.boxes[:, 2:]) / 2 * self._square, np.float64)


def _moved(place: _Place | None, motion: CameraMotion) -> _Place | None:
    """Where the place on the ground is after the camera's motion."""
    if place is None or not np.isfinite(motion.dx):
        return place
    cos, sin = motion.scale * np.cos(motion.rotation), motion.scale * np.sin(motion.rotation)
    middle = np.array([[cos, -sin], [sin, cos]]) @ place.middle + [motion.dx, motion.dy]
    return _Place(middle, place.size * motion.scale, place.seen_s)


def _in_frame(people: People, corner: NDArray[np.float64], share: NDArray[np.float64]) -> People:
    """Who is surely seen in a part of the frame, and not cut off by the part's edge: in the frame's coordinates."""
    inner = ((corner > 0) & (people.boxes[:, :2] < _EDGE)) | ((corner + share < 1) & (people.boxes[:, 2:] > 1 - _EDGE))
    whole = ~inner.any(axis=1) & (people.score >= _SURE)
    boxes = people.boxes * np.tile(share, 2) + np.tile(corner, 2)
    keypoints = people.keypoints * [*share, 1.0] + [*corner, 0.0]
    return People(people.score[whole], boxes[whole].astype(np.float32), keypoints[whole].astype(np.float32))


def _merged(seen: People, nearer: People) -> People:
    """Both looks' people, best first, each body once: as seen from nearer unless that is much less sure."""
    low = np.maximum(seen.boxes[:, None, :2], nearer.boxes[None, :, :2])
    high = np.minimum(seen.boxes[:, None, 2:], nearer.boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area, area_nearer = ((people.boxes[:, 2:] - people.boxes[:, :2]).prod(axis=1) for people in (seen, nearer))
    same = shared > _SAME_BODY * (area[:, None] + area_nearer[None] - shared)
    trusted = nearer.score[None] >= _TRUSTED * seen.score[:, None]
    kept, kept_nearer = ~(same & trusted).any(axis=1), ~(same & ~trusted).any(axis=0)
    together = [
        np.concatenate([getattr(seen, field.name)[kept], getattr(nearer, field.name)[kept_nearer]])
        for field in fields(People)
    ]
    order = np.argsort(-together[0], kind="stable")
    return People(*(values[order] for values in together))
