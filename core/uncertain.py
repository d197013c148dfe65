"""Which moments to ask a person about first: those of which the detector is least sure.

    >>> asked(candidates(sampled, settings), reviews(workspace, session.id))[0].event      # doctest: +SKIP
    Event(start_frame=300, end_frame=318, label='trick', confidence=0.52)

Uncertainty sampling (Lewis and Gale, A sequential algorithm for training text classifiers, SIGIR 1994): an answer
teaches most where the detector could as well have said the opposite. How far a confidence is from the threshold is
counted in log-odds, so that 0.01 and 0.02 are as far apart as 0.98 and 0.99. Besides what is found, what a lower
threshold would find is asked about: a trick that was missed shows up nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.events import Sampled, weed
from core.intervals import Event, Interval, frame_mask
from core.settings import EventSettings
from core.tricks import Review, matched, nested

BELOW = 1 / 3
"""The part of the threshold down to which is asked. At a threshold of 0.5 that is 0.17, a fifth of the odds."""
_CERTAIN = 1e-6  # a forest is often sure to the last tree, and no odds are infinite


@dataclass(frozen=True)
class Candidate:
    """A moment that may be a trick."""

    event: Event
    found: bool
    """False if only a lower threshold would find it."""
    doubt: float
    """How far its confidence is from the threshold, in log-odds: the smaller, the more uncertain."""


def candidates(sampled: Sampled, settings: EventSettings) -> list[Candidate]:
    """What is found, and what would be found from a third of the threshold on; the most uncertain first, of equals the
    earlier.

    What lies below the threshold shares no frame with what is found. A moment that passed it and that another rule took
    away is not asked about.
    """
    threshold = settings.default_threshold
    found = _events(sampled, settings)
    taken = frame_mask(found, int(sampled.until[-1]) + 1 if len(sampled.until) else 0)
    below = [
        event
        for event in _events(sampled, settings.model_copy(update={"default_threshold": BELOW * threshold}))
        if event.confidence < threshold and not taken[event.start_frame : event.end_frame + 1].any()
    ]
    listed = [Candidate(event, True, doubt(event.confidence, threshold)) for event in found]
    listed += [Candidate(event, False, doubt(event.confidence, threshold)) for event in below]
    return sorted(listed, key=lambda one: (one.doubt, one.event.start_frame))


def doubt(confidence: float, threshold: float) -> float:
    """How far a confidence is from the threshold, in log-odds; both 0 to 1."""
    odds = [np.clip(value, _CERTAIN, 1 - _CERTAIN) for value in (confidence, threshold)]
    return abs(float(np.log(odds[0] / (1 - odds[0])) - np.log(odds[1] / (1 - odds[1]))))


def asked(listed: Sequence[Candidate], made: Sequence[Review], labels: Sequence[Interval] = ()) -> list[Candidate]:
    """Those that nobody has decided on yet, in the same order.

    Args:
        labels: the session's true intervals; what one of them stands for is not asked about.
    """
    places = [Interval(one.event.start_frame, one.event.end_frame, one.event.label) for one in listed]
    decided = matched(places, [review for review in made if review.verdict or review.adjusted])
    return [
        one
        for one, place, review in zip(listed, places, decided, strict=True)
        if review is None and not any(nested(place, label) for label in labels)
    ]


def _events(sampled: Sampled, settings: EventSettings) -> list[Event]:
    weeding = weed(sampled, settings)
    return sampled.events(weeding.joined[weeding.kept])
