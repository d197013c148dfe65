"""Two people edit the same labels at once: the changes of one are done to what the other has saved since.

>>> rebased = rebase(before=[Interval(10, 20)], after=[Interval(10, 25)], newest=[Interval(10, 20), Interval(40, 50)])
>>> rebased.intervals
(Interval(start_frame=10, end_frame=25, label='trick'), Interval(start_frame=40, end_frame=50, label='trick'))
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate

from core.intervals import Interval


@dataclass(frozen=True)
class Rebased:
    """What comes of an edit that was made on labels which had changed in the meantime."""

    intervals: tuple[Interval, ...]
    """In order of their frames, each once."""
    overruled: tuple[Interval, ...] = ()
    """What the others had set since and is not in ``intervals``, because the edit set the same trick otherwise."""


def rebase(before: Collection[Interval], after: Collection[Interval], newest: Collection[Interval]) -> Rebased:
    """Do to ``newest`` what changed from ``before`` to ``after``. All are sets of intervals, compared by value.

    What the edit added is added, what it removed is removed, and the rest of ``newest`` stays. Where the others have
    set an interval since ``before`` that shares a frame and the label with an added one, both mean the same trick: the
    edit, being newer, wins.

    Args:
        before: the labels that the edit began with.
        after: the labels as the edit left them.
        newest: the labels as they are now, others' changes in them.
    """
    added, removed = set(after) - set(before), set(before) - set(after)
    since = set(newest) - set(before) - added
    overruled = sharing(since, added)
    return Rebased(tuple(sorted((set(newest) - removed - overruled) | added)), tuple(sorted(overruled)))


def sharing(some: Collection[Interval], others: Collection[Interval], *, any_label: bool = False) -> set[Interval]:
    """Those of ``some`` that share a frame with one of ``others``, which must have their label unless ``any_label``."""
    by_label: defaultdict[str, list[Interval]] = defaultdict(list)
    for other in sorted(others):
        by_label["" if any_label else other.label].append(other)
    starts = {label: [other.start_frame for other in group] for label, group in by_label.items()}
    reach = {label: list(accumulate((other.end_frame for other in group), max)) for label, group in by_label.items()}
    found = set()
    for interval in some:
        label = "" if any_label else interval.label
        # Of those that begin before it ends, one shares a frame if the furthest of them reaches it.
        begun = bisect_left(starts.get(label, []), interval.end_frame + 1)
        if begun and reach[label][begun - 1] >= interval.start_frame:
            found.add(interval)
    return found
