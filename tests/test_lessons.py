"""What one video teaches: which rows, and at which rates."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from core.detector import PLAYBACKS
from core.intervals import Interval
from core.lessons import Example, lessons_of, positive_rows, sampling_rate
from tests.skater import table, tricks
from tests.taught import example, settings


def test_lessons_at_other_playbacks() -> None:
    """A trick of 0.6 s is none of 0.15 s: it teaches at ordinary speed alone, unless it is long enough to be in slow
    motion; footage without tricks teaches at every rate that it may be played at."""
    footage = table(15)
    positive = positive_rows(example(footage), 1)
    lessons = lessons_of(example(footage), settings("ensemble"))
    assert sum(int(lesson.y.sum()) for lesson in lessons) == 3 * int(positive.sum())  # higher and lower
    assert sum(not lesson.y.any() for lesson in lessons) >= len(PLAYBACKS) - 2
    assert all((~lesson.y).any() for lesson in lessons if not lesson.y.any())
    slow = [Interval(trick.start_frame - 10, trick.end_frame + 10) for trick in tricks()]  # two seconds
    faster = lessons_of(Example(footage, slow, len(footage)), settings("ensemble"))
    assert not faster[0].y.any()
    assert sum(bool(lesson.y.any()) for lesson in faster) == 2  # at which two seconds are half to one


@pytest.mark.parametrize(
    ("truth", "min_overlap_frames", "expected"),
    [
        pytest.param([(4, 7)], 1, [0, 0, 1, 1, 0], id="two whole rows"),
        pytest.param([(5, 6)], 1, [0, 0, 1, 1, 0], id="a frame of each is enough"),
        pytest.param([(5, 6)], 2, [0, 0, 0, 0, 0], id="or is not"),
        pytest.param([(4, 6)], 2, [0, 0, 1, 0, 0], id="both frames of one"),
        pytest.param([(0, 0), (9, 9)], 1, [1, 0, 0, 0, 1], id="first and last frame"),
        pytest.param([(8, 9)], 5, [0, 0, 0, 0, 1], id="more than a row stands for is all of it"),
        pytest.param([(8, 40)], 1, [0, 0, 0, 0, 1], id="beyond the end"),
        pytest.param([], 1, [0, 0, 0, 0, 0], id="none"),
    ],
)
def test_positive_rows(truth: list[tuple[int, int]], min_overlap_frames: int, expected: list[int]) -> None:
    """Five sampled frames at stride 2."""
    sampled = pd.DataFrame({"frame": np.arange(0, 10, 2, dtype=np.int32)})
    labelled = Example(sampled, [Interval(*span) for span in truth], 10)
    assert positive_rows(labelled, min_overlap_frames).tolist() == [bool(x) for x in expected]
    assert positive_rows(Example(sampled.iloc[:0], labelled.truth, 10), 1).tolist() == []


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [([0, 0.1, 0.2], 10), ([0, 0.1, 0.2, 0.3, 5.0], 10), ([1.0], math.nan), ([], math.nan)],
)
def test_sampling_rate(time_s: list[float], expected: float) -> None:
    """The usual step counts: a pause in the recording does not change the rate."""
    assert sampling_rate(pd.DataFrame({"time_s": time_s})) == pytest.approx(expected, nan_ok=True)
