"""What there is to review: tricks with what was decided on them.

    >>> chosen(tricks(events, reviews(workspace, session.id), labels))       # doctest: +SKIP
    [Interval(start_frame=247, end_frame=272, label='trick')]

The same trick is found a little earlier or later whenever the thresholds or the model change, so a decision holds for
what is found in its place: the same label and a tIoU of at least 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from core.intervals import Event, Interval, match

Verdict = Literal["", "keep", "reject"]
"""Empty is undecided."""

SAME_IOU = 0.5
"""From this tIoU on two intervals are the same trick."""
MAX_STARS = 5


@dataclass(frozen=True)
class Review:
    """What was decided on one found trick."""

    start_frame: int
    """As it was found when it was last decided on."""
    end_frame: int
    label: str
    verdict: Verdict
    stars: int
    """0 to 5; 0 is none given."""
    kept_start: int | None
    """Where it really begins; None for where it was found."""
    kept_end: int | None
    author: str | None
    reviewed_at: datetime
    """UTC."""

    @property
    def found(self) -> Interval:
        """As it was found."""
        return Interval(self.start_frame, self.end_frame, self.label)

    @property
    def adjusted(self) -> bool:
        """Whether its bounds were set by a person."""
        return self.kept_start is not None

    @property
    def kept(self) -> Interval:
        """With the bounds that were set for it."""
        if self.kept_start is None or self.kept_end is None:
            return self.found
        return Interval(self.kept_start, self.kept_end, self.label)


@dataclass(frozen=True)
class Trick:
    """Something to review: found, or kept before, or labelled by a person where nothing was found."""

    found: Interval
    review: Review | None = None
    confidence: float | None = None
    """None if it is not found (any more)."""
    by_hand: bool = False
    """A person's label that no found trick stands for."""

    @property
    def verdict(self) -> Verdict:
        """Empty if undecided."""
        return self.review.verdict if self.review else ""

    @property
    def stars(self) -> int:
        """0 to 5."""
        return self.review.stars if self.review else 0

    @property
    def kept(self) -> Interval:
        """What a clip of it is to show, without padding."""
        return self.review.kept if self.review and self.review.adjusted else self.found


def matched(events: Sequence[Interval], made: Sequence[Review]) -> list[Review | None]:
    """What was decided on each of ``events``: one to one, by the bounds as found and else by the adjusted ones."""
    # Most often nothing has moved since.
    unmoved = {(review.start_frame, review.end_frame, review.label): review for review in made}
    found = [unmoved.pop((event.start_frame, event.end_frame, event.label), None) for event in events]
    left = list(unmoved.values())
    for adjusted in (False, True):
        for label in {review.label for review in left}:
            places = [i for i, event in enumerate(events) if event.label == label and found[i] is None]
            theirs = [review for review in left if review.label == label]
            bounds = [review.kept if adjusted else review.found for review in theirs]
            for place, review in match([events[i] for i in places], bounds, SAME_IOU):
                found[places[place]] = theirs[review]
                left.remove(theirs[review])
    return found


def tricks(events: Sequence[Event], made: Sequence[Review], labels: Sequence[Interval] = ()) -> list[Trick]:
    """What there is to review, in order of the frames.

    Kept tricks stay on the list when they are not found any more, and so does what a person labelled and nothing was
    found for.

    Args:
        labels: the session's true intervals.
    """
    listed = [
        Trick(Interval(event.start_frame, event.end_frame, event.label), review, event.confidence)
        for event, review in zip(events, matched(events, made), strict=True)
    ]
    known = {id(trick.review) for trick in listed}
    listed += [Trick(review.found, review) for review in made if review.verdict == "keep" and id(review) not in known]
    begin = np.array([min(trick.found.start_frame, trick.kept.start_frame) for trick in listed])
    end = np.array([max(trick.found.end_frame, trick.kept.end_frame) for trick in listed])
    labelled = [
        label
        for label in labels
        if not any(
            _stands_for(listed[place], label)
            for place in np.flatnonzero((begin <= label.end_frame) & (end >= label.start_frame))
        )
    ]
    listed += [
        Trick(label, review, by_hand=True) for label, review in zip(labelled, matched(labelled, made), strict=True)
    ]
    return sorted(listed, key=lambda trick: (trick.kept, trick.found))


def chosen(listed: Sequence[Trick], min_stars: int = 0) -> list[Interval]:
    """What an export holds: every trick with its bounds that is not rejected; undecided ones count as kept."""
    return [trick.kept for trick in listed if trick.verdict != "reject" and trick.stars >= min_stars]


def _stands_for(trick: Trick, label: Interval) -> bool:
    # A rejected one may lie around a label that is right: only its equal is rejected with it.
    if trick.verdict == "reject":
        return trick.kept.iou(label) >= SAME_IOU
    return nested(trick.kept, label) or nested(trick.found, label)


def nested(one: Interval, other: Interval) -> bool:
    """Whether most of the shorter one lies in the longer one."""
    return 2 * one.overlap(other) >= min(one.frames, other.frames)
