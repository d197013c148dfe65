"""Two annotators: figures as in the literature, and a list that leads to each place where they differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.agreement import Disagreement, agreement, cohens_kappa
from core.intervals import Interval

# A variable rate, so that a difference by frame / fps would show.
PTS_S = np.concatenate([np.arange(50) / 30, 50 / 30 + np.arange(50) / 10])
INTERVALS = st.lists(
    st.builds(
        lambda start, frames, label: Interval(start, start + frames, label),
        st.integers(0, 80),
        st.integers(0, 15),
        st.sampled_from(["ollie", "grind"]),
    ),
    max_size=6,
)


@pytest.mark.parametrize(
    ("both", "only_a", "only_b", "neither", "expected"),
    [
        (20, 5, 10, 15, 0.4),  # p_o 0.7, p_e 0.5
        (45, 15, 25, 15, 0.1304),  # p_o 0.6, p_e 0.54
        (25, 35, 5, 35, 0.2593),  # p_o 0.6, p_e 0.46: the same agreement is worth more with uneven habits
        (10, 0, 0, 90, 1.0),
        (0, 50, 50, 0, -1.0),
    ],
)
def test_kappa_by_hand(both: int, only_a: int, only_b: int, neither: int, expected: float) -> None:
    """Worked out by hand from the four-field table."""
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    assert cohens_kappa(a, b) == pytest.approx(expected, abs=5e-5)


def test_kappa_without_anything_to_agree_on() -> None:
    """A perfect figure for two people who have not begun would be a lie."""
    nothing = np.zeros(10, dtype=bool)
    assert math.isnan(cohens_kappa(nothing, nothing))
    assert math.isnan(cohens_kappa(~nothing, ~nothing))
    assert math.isnan(cohens_kappa(nothing[:0], nothing[:0]))
    assert cohens_kappa(nothing, ~nothing) == 0
    with pytest.raises(ValueError, match="10 frames and 5"):
        cohens_kappa(nothing, nothing[:5])


def test_places_where_they_differ() -> None:
    ann = [Interval(5, 9, "ollie"), Interval(20, 29, "ollie"), Interval(40, 60, "grind"), Interval(70, 75, "ollie")]
    ben = [Interval(5, 9, "ollie"), Interval(41, 63, "grind"), Interval(70, 75, "kickflip"), Interval(90, 92, "ollie")]
    told = agreement(ann, ben, PTS_S)
    assert [(d.first, d.second) for d in told.disagreements] == [
        (ann[1], None),
        (ann[2], ben[1]),
        (ann[3], ben[2]),
        (None, ben[3]),
    ]
    ends = told.disagreements[1]
    assert (round(ends.start_ms), round(ends.end_ms)) == (33, 300)
    assert (told.disagreements[2].start_ms, told.disagreements[2].end_ms) == (0, 0)
    assert [d.place for d in told.disagreements] == [(20, 29), (40, 63), (70, 75), (90, 92)]
    assert (told.events[0.1].found, told.events[0.1].missed, told.events[0.1].wrong) == (2, 2, 2)
    assert told.events[0.5].f1 == 0.5
    assert told.by_label["kickflip"] == 0
    assert told.by_label["grind"] == pytest.approx(0.8835, abs=5e-5)


def test_agreement_is_whole() -> None:
    labels = [Interval(5, 9, "ollie"), Interval(20, 29, "grind")]
    told = agreement(labels, labels, PTS_S)
    assert (told.kappa, told.by_label, told.disagreements) == (1.0, {"ollie": 1.0, "grind": 1.0}, ())
    assert {tiou: counts.f1 for tiou, counts in told.events.items()} == {0.1: 1.0, 0.5: 1.0}


def test_one_has_not_begun() -> None:
    told = agreement([Interval(5, 9)], [], PTS_S)
    assert (told.kappa, told.events[0.1].f1) == (0, 0)
    assert told.disagreements == (Disagreement(Interval(5, 9), None),)
    assert math.isnan(agreement([], [], PTS_S).kappa)


def test_labels_of_another_video() -> None:
    with pytest.raises(ValueError, match="frame 100, the video has 100"):
        agreement([Interval(5, 100)], [], PTS_S)


@settings(max_examples=200, deadline=None)
@given(INTERVALS, INTERVALS)
def test_who_comes_first_does_not_matter(ann: list[Interval], ben: list[Interval]) -> None:
    one, other = agreement(ann, ben, PTS_S), agreement(ben, ann, PTS_S)
    assert one.kappa == pytest.approx(other.kappa, nan_ok=True)
    assert one.events[0.5].f1 == pytest.approx(other.events[0.5].f1, nan_ok=True)
    assert one.kappa <= 1 or math.isnan(one.kappa)
    same = set(map(str, ann)) == set(map(str, ben)) and len(ann) == len(ben)
    assert not (same and one.disagreements and len(set(ann)) == len(ann))
