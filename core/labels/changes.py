"""What is different between two sets of labels: for looking before an import, and for the history.

>>> told = changes([Interval(1, 9), Interval(40, 50)], [Interval(2, 9), Interval(90, 120)], n_frames=100)
>>> str(told)
'1 removed, 1 moved, 1 past the end'
>>> told.moved[0][1], told.beyond[0]
(Interval(start_frame=2, end_frame=9, label='trick'), Interval(start_frame=90, end_frame=120, label='trick'))
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from core.intervals import Interval

MOVED_IOU = 0.5
"""An old and a new interval of one label are the same trick if more than this of what they cover is shared (tIoU)."""


@dataclass(frozen=True)
class Changes:
    """Every old interval is in one of ``removed``, ``moved`` and ``kept``; every new one in one of the other lists."""

    added: tuple[Interval, ...] = ()
    removed: tuple[Interval, ...] = ()
    moved: tuple[tuple[Interval, Interval], ...] = ()
    """Old and new, which differ in their ends."""
    kept: tuple[Interval, ...] = ()
    beyond: tuple[Interval, ...] = ()
    """New ones that end after the video."""

    @property
    def none(self) -> bool:
        """Whether all is as it was."""
        return not (self.added or self.removed or self.moved)

    def __str__(self) -> str:
        """In few words, such as ``2 added, 1 moved``."""
        counts = {"added": self.added, "removed": self.removed, "moved": self.moved, "past the end": self.beyond}
        return ", ".join(f"{len(items)} {name}" for name, items in counts.items() if items) or "nothing changed"


def changes(old: Collection[Interval], new: Collection[Interval], n_frames: int) -> Changes:
    """Compare two sets of labels of one video. Each list is in order of the frames; events count as plain intervals.

    A removed and an added interval of one label become one that moved if their tIoU is above ``MOVED_IOU``. Where the
    intervals of a label do not overlap each other there is at most one such partner; else the best pairs come first.

    Args:
        n_frames: decoded frames of the video.
    """
    was, becomes = _plain(old), _plain(new)
    beyond = {interval for interval in becomes if interval.end_frame >= n_frames}
    becomes -= beyond
    pairs = _pairs(was - becomes, becomes - was)
    return Changes(
        added=tuple(sorted(becomes - was - {after for _, after in pairs})),
        removed=tuple(sorted(was - becomes - {before for before, _ in pairs})),
        moved=tuple(sorted(pairs)),
        kept=tuple(sorted(was & becomes)),
        beyond=tuple(sorted(beyond)),
    )


def _plain(intervals: Collection[Interval]) -> set[Interval]:
    return {Interval(interval.start_frame, interval.end_frame, interval.label) for interval in intervals}


def _pairs(gone: Collection[Interval], come: Collection[Interval]) -> list[tuple[Interval, Interval]]:
    by_label: defaultdict[str, list[Interval]] = defaultdict(list)
    for interval in sorted(gone):
        by_label[interval.label].append(interval)
    starts = {label: [interval.start_frame for interval in group] for label, group in by_label.items()}
    candidates = []
    for after in come:
        group = by_label.get(after.label, [])
        # More than half shared: the partner is less than twice as long, so it cannot begin earlier than that.
        first = bisect_left(starts.get(after.label, []), after.start_frame - 2 * after.frames)
        last = bisect_right(starts.get(after.label, []), after.end_frame)
        candidates += [(-iou, b, after) for b in group[first:last] if (iou := b.iou(after)) > MOVED_IOU]
    taken: set[Interval] = set()
    pairs = []
    for _, before, after in sorted(candidates):
        # An old and a new interval are never equal, so that one set can hold both.
        if before not in taken and after not in taken:
            taken |= {before, after}
            pairs.append((before, after))
    return pairs
