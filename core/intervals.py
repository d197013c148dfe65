"""Intervals of frames and their algebra.

    >>> a, b = Interval(247, 272, "trick"), Interval(250, 280, "trick")
    >>> a.frames, a.overlap(b), round(a.iou(b), 3)
    (26, 23, 0.676)

Frames are 0-based ordinals of the decoded frames; both ends belong to the interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, order=True)
class Interval:
    """A labelled stretch of frames."""

    start_frame: int
    """First frame inside, 0-based."""
    end_frame: int
    """Last frame inside, so that an interval of one frame has ``start_frame == end_frame``."""
    label: str = "trick"

    def __post_init__(self) -> None:
        if self.start_frame < 0 or self.end_frame < self.start_frame:
            raise ValueError(f"not an interval: frames {self.start_frame} to {self.end_frame}")

    @property
    def frames(self) -> int:
        """How many frames are inside."""
        return self.end_frame - self.start_frame + 1

    def overlap(self, other: Interval) -> int:
        """How many frames the two share."""
        return max(0, min(self.end_frame, other.end_frame) - max(self.start_frame, other.start_frame) + 1)

    def iou(self, other: Interval) -> float:
        """Temporal intersection over union (tIoU), 0 to 1."""
        shared = self.overlap(other)
        return shared / (self.frames + other.frames - shared)

    def pad(self, before: int, after: int, last_frame: int) -> Interval:
        """Widened by ``before`` and ``after`` frames and kept within ``0..last_frame``."""
        return replace(
            self, start_frame=max(0, self.start_frame - before), end_frame=min(last_frame, self.end_frame + after)
        )


@dataclass(frozen=True, order=True)
class Event(Interval):
    """An interval that a detector found."""

    confidence: float = 1.0
    """0 to 1: how sure the detector is."""


AnyInterval = TypeVar("AnyInterval", bound=Interval)


def merge(intervals: Iterable[AnyInterval], max_gap_frames: int = 0) -> list[AnyInterval]:
    """Join intervals of one label that overlap or have at most ``max_gap_frames`` frames between them.

    Returns them in the order of their frames. Events that are joined keep the largest of their confidences.
    """
    joined: list[AnyInterval] = []
    for interval in sorted(intervals, key=lambda i: (i.label, i.start_frame, i.end_frame)):
        last = joined[-1] if joined else None
        if last and last.label == interval.label and interval.start_frame - last.end_frame - 1 <= max_gap_frames:
            last = replace(last, end_frame=max(last.end_frame, interval.end_frame))
            if isinstance(last, Event) and isinstance(interval, Event):
                last = replace(last, confidence=max(last.confidence, interval.confidence))
            joined[-1] = last
        else:
            joined.append(interval)
    return sorted(joined, key=lambda i: (i.start_frame, i.end_frame, i.label))


def frame_mask(intervals: Iterable[Interval], n_frames: int) -> NDArray[np.bool_]:
    """Which frames lie in an interval: shape ``(n_frames,)``."""
    mask = np.zeros(n_frames, dtype=bool)
    for interval in intervals:
        mask[interval.start_frame : interval.end_frame + 1] = True
    return mask


def from_mask(mask: NDArray[np.bool_], label: str = "trick") -> list[Interval]:
    """The runs of true frames: the inverse of :func:`frame_mask` for intervals that do not touch."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [Interval(int(start), int(stop) - 1, label) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def match(truth: Sequence[Interval], found: Sequence[Interval], min_iou: float) -> list[tuple[int, int]]:
    """Pair true and found intervals one to one so that as many as possible meet ``min_iou``.

    Returns index pairs ``(truth, found)``. Solved as an assignment and not greedily, so that one long event cannot
    take the partner of another: pairs count first, their total tIoU second. A pair with no shared frame never counts.
    """
    from scipy.optimize import linear_sum_assignment

    if not truth or not found:
        return []
    iou = np.array([[t.iou(f) for f in found] for t in truth])
    good = (iou >= min_iou) & (iou > 0)
    rows, cols = linear_sum_assignment(np.where(good, 1.0 + iou / (len(truth) + 1.0), 0.0), maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, cols, strict=True) if good[r, c]]
