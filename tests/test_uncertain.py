"""What a person is asked about first: what an answer teaches most."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from core.events import Sampled
from core.intervals import Interval
from core.settings import EventSettings
from core.tricks import Review, Verdict
from core.uncertain import asked, candidates, doubt

SETTINGS = EventSettings(default_threshold=0.5)


def sampled(peaks: Sequence[tuple[int, float]], n: int = 200) -> Sampled:
    """Stretches of five sampled frames of every second frame, 15 a second, each as likely as told."""
    probability = np.full(n, 0.05)
    for row, height in peaks:
        probability[row : row + 5] = height
    return Sampled(2 * np.arange(n, dtype=np.int32), np.arange(n) / 15, probability, 2 * n)


def places(peaks: Sequence[tuple[int, float]], settings: EventSettings = SETTINGS) -> list[tuple[int, bool]]:
    return [(one.event.start_frame // 2, one.found) for one in candidates(sampled(peaks), settings)]


def review(start: int, end: int, verdict: Verdict, kept: tuple[int, int] | None = None) -> Review:
    first, last = kept or (None, None)
    return Review(start, end, "trick", verdict, 0, first, last, None, datetime.now(UTC))


def test_the_least_sure_comes_first() -> None:
    assert places([(20, 0.99), (60, 0.55), (100, 0.8), (140, 0.4)]) == [
        (60, True),
        (140, False),
        (100, True),
        (20, True),
    ]


def test_of_equals_the_earlier_comes_first() -> None:
    assert places([(100, 1.0), (20, 1.0), (60, 1.0)]) == [(20, True), (60, True), (100, True)]


def test_far_below_the_threshold_nothing_is_asked() -> None:
    assert places([(20, 0.17), (60, 0.16)]) == [(20, False)]  # a third of 0.5 is 0.1667
    assert places([(20, 0.16)], EventSettings(default_threshold=0.2)) == [(20, False)]


def test_what_is_found_is_not_asked_about_twice() -> None:
    """A lower threshold finds the same trick, only wider, and what is within its cooldown is part of it."""
    wide = sampled([(60, 0.9), (65, 0.3), (75, 0.3)])
    assert [(one.event.start_frame // 2, one.found) for one in candidates(wide, SETTINGS)] == [(60, True)]


def test_the_rules_hold_below_the_threshold_too() -> None:
    assert places([(20, 0.3)], EventSettings(required_streak=6)) == []
    short = sampled([(20, 0.3), (22, 0.9), (27, 0.3)])  # too short at the threshold, and not below it
    assert candidates(short, EventSettings(required_streak=6)) == []


def test_doubt_is_counted_in_odds() -> None:
    assert doubt(0.5, 0.5) == 0
    assert doubt(0.75, 0.5) == pytest.approx(np.log(3))
    assert doubt(0.25, 0.5) == pytest.approx(np.log(3))
    assert doubt(0.01, 0.02) == pytest.approx(doubt(0.99, 0.98))
    assert np.isfinite([doubt(1.0, 0.5), doubt(0.5, 0.0), doubt(0.0, 1.0)]).all()


def test_what_was_decided_or_labelled_is_not_asked_about() -> None:
    listed = candidates(sampled([(20, 0.9), (60, 0.7), (100, 0.6), (140, 0.3), (170, 0.55)]), SETTINGS)
    made = [
        review(120, 129, "keep"),
        review(196, 213, "", kept=(198, 212)),  # moved edges are an answer
        review(280, 289, "reject"),  # below the threshold
        review(40, 49, ""),  # stars alone are none
    ]
    labels = [Interval(338, 352)]
    assert [one.event.start_frame // 2 for one in asked(listed, made, labels)] == [20]
