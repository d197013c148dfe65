"""What is held out: a frame on both sides of a cut would make every detector look better than it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import UserError
from core.folds import Fold, fold_last_fraction, folds_by_group, folds_by_trick, out_of_fold_probability
from core.intervals import Interval

N_FRAMES = 200

quick = settings(max_examples=60, deadline=None)


def intervals(*pairs: tuple[int, int]) -> list[Interval]:
    return [Interval(start, end) for start, end in pairs]


def frames_of(mask: NDArray[np.bool_], frame: NDArray[np.int64]) -> tuple[int, int]:
    """First and last frame, after a check that the stretch has no hole."""
    inside = np.flatnonzero(mask)
    assert np.all(np.diff(inside) == 1)
    return int(frame[inside[0]]), int(frame[inside[-1]])


def test_folds_by_trick() -> None:
    frame = np.arange(0, 600, 2)
    folds = folds_by_trick(frame / 20, intervals((400, 419), (100, 119), (203, 219)), frame, margin_s=1.0)
    assert [fold.name for fold in folds] == ["frames 100 to 119", "frames 203 to 219", "frames 400 to 419"]
    # Halfway between frames 119 and 203, and between 219 and 400; one second is 20 frames.
    assert [frames_of(fold.test, frame) for fold in folds] == [(0, 160), (162, 308), (310, 598)]
    assert frames_of(folds[0].train, frame) == (182, 598)
    assert frame[folds[1].train].tolist() == [*range(0, 142, 2), *range(330, 600, 2)]
    assert frames_of(folds[2].train, frame) == (0, 288)


def test_the_cut_is_halfway_in_time() -> None:
    """Where a phone slowed down to 2 fps, the middle frame is close to the second trick in time."""
    frame = np.arange(40)
    time_s = np.concatenate((np.arange(20) / 20, 1 + np.arange(20) / 2))
    folds = folds_by_trick(time_s, intervals((2, 10), (30, 35)), frame, margin_s=0)
    assert frames_of(folds[0].test, frame) == (0, 24)  # between 0.5 s and 6.0 s
    assert frames_of(folds[0].train, frame) == (25, 39)


@st.composite
def session(draw: st.DrawFn) -> tuple[NDArray[np.float64], list[Interval], NDArray[np.int64]]:
    """A video of variable rate, some of whose sampled frames were rejected."""
    steps = draw(st.lists(st.sampled_from([1 / 60, 1 / 30, 0.1, 0.5]), min_size=N_FRAMES, max_size=N_FRAMES))
    frame = np.array(sorted(draw(st.sets(st.integers(0, N_FRAMES - 1), min_size=10))))
    edges = sorted(draw(st.sets(st.integers(0, N_FRAMES - 1), min_size=4, max_size=16)))
    return np.cumsum(steps)[frame], intervals(*zip(edges[::2], edges[1::2], strict=False)), frame


@quick
@given(session(), st.floats(0, 3))
def test_folds_by_trick_hold(
    made: tuple[NDArray[np.float64], list[Interval], NDArray[np.int64]], margin_s: float
) -> None:
    """Each frame is tested once, no trick is parted, and nothing near the test stretch is trained on."""
    time_s, truth, frame = made
    folds = folds_by_trick(time_s, truth, frame, margin_s)
    assert np.all(sum(fold.test.astype(int) for fold in folds) == 1)
    for trick in truth:
        inside = (frame >= trick.start_frame) & (frame <= trick.end_frame)
        assert sum(bool((fold.test & inside).any()) for fold in folds) <= 1
    for fold in folds:
        frames_of(fold.test, frame)
        gaps = np.abs(time_s[fold.train][:, None] - time_s[fold.test][None, :])
        assert gaps.size == 0 or gaps.min() > margin_s - 1e-9
        # ... and no frame is given away either.
        far = np.abs(time_s[:, None] - time_s[fold.test][None, :]).min(axis=1) > margin_s + 1e-9
        assert np.all(fold.train[far])


@pytest.mark.parametrize(("margin_s", "leaks"), [(1.0, False), (0.0, True)])
def test_windows_do_not_leak(margin_s: float, leaks: bool) -> None:
    """Features that look 0.5 s each way must not carry footage of the test frames into the training frames."""
    frame = np.arange(0, 600, 2)
    time_s = frame / 30
    signal = np.random.default_rng(42).normal(size=len(frame))

    def windowed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([values[np.abs(time_s - t) <= 0.5].max() for t in time_s])

    folds = folds_by_trick(time_s, intervals((90, 110), (300, 330), (480, 500)), frame, margin_s)
    changed = []
    for fold in folds:
        seen_in_test = np.abs(time_s[:, None] - time_s[fold.test][None, :]).min(axis=1) <= 0.5
        other = windowed(np.where(seen_in_test, 100.0, signal))
        changed.append(bool((other != windowed(signal))[fold.train].any()))
    assert changed == [leaks] * 3


def test_overlapping_tricks_are_held_out_together() -> None:
    """Two skaters at once: the cut would go through both tricks."""
    frame = np.arange(300)
    truth = [Interval(50, 80, "ollie"), Interval(70, 90, "kickflip"), Interval(200, 210, "ollie")]
    folds = folds_by_trick(frame / 30, truth, frame)
    assert [fold.name for fold in folds] == ["frames 50 to 90", "frames 200 to 210"]


def test_a_trick_in_rejected_footage_makes_no_empty_fold() -> None:
    frame = np.concatenate((np.arange(100), np.arange(280, 300)))
    folds = folds_by_trick(frame / 30, intervals((40, 50), (150, 160), (180, 190), (290, 295)), frame)
    assert [fold.name for fold in folds] == ["frames 40 to 50", "frames 290 to 295"]


def test_a_trick_before_the_first_sampled_frame_parts_no_other() -> None:
    """Its time is not known, and a guess would give the next trick's first frame to the wrong fold."""
    frame = np.arange(20, 100)
    folds = folds_by_trick(frame / 30, intervals((5, 19), (20, 29), (60, 69)), frame, margin_s=0)
    assert [frames_of(fold.test, frame) for fold in folds] == [(20, 44), (45, 99)]


def test_folds_by_group() -> None:
    folds = folds_by_group(["b", "a", "b", "c"])
    assert [(fold.name, fold.train.tolist(), fold.test.tolist()) for fold in folds] == [
        ("b", [False, True, False, True], [True, False, True, False]),
        ("a", [True, False, True, True], [False, True, False, False]),
        ("c", [True, True, True, False], [False, False, False, True]),
    ]


@pytest.mark.parametrize(
    ("n", "test_frac", "n_test"),
    [(10, 0.2, 2), (11, 0.2, 3), (357, 0.2, 72), (2, 0.2, 1), (55, 0.2, 11), (100, 0.07, 7)],
)
def test_fold_last_fraction(n: int, test_frac: float, n_test: int) -> None:
    fold = fold_last_fraction(n, test_frac)
    assert fold.test.tolist() == [False] * (n - n_test) + [True] * n_test
    assert np.array_equal(fold.train, ~fold.test)


def test_too_little_to_hold_out() -> None:
    """Each sentence says what is missing and what to do."""
    frame = np.arange(100)
    for truth in ([], intervals((10, 20)), intervals((10, 20), (15, 30))):
        with pytest.raises(UserError, match=r"needs at least two labelled tricks .* label more of it"):
            folds_by_trick(frame / 30, truth, frame)
    with pytest.raises(UserError, match="No frame of this video was measured"):
        folds_by_trick(np.zeros(0), intervals((10, 20), (40, 50)), frame[:0])
    for groups in ([], ["a", "a"]):
        with pytest.raises(UserError, match=r"needs at least two labelled videos, and there are [01]: label another"):
            folds_by_group(groups)
    with pytest.raises(UserError, match=r"1 sampled frames cannot be parted with 20% held out"):
        fold_last_fraction(1)


def test_out_of_fold_probability() -> None:
    """Each frame's value comes from the fold that tests it, in the frame's own place."""
    frame = np.arange(300)
    positive = np.isin(frame, [*range(50, 60), *range(150, 160), *range(250, 260)])
    folds = folds_by_trick(frame / 30, intervals((50, 59), (150, 159), (250, 259)), frame)
    trained_on = []

    def fit_predict(fold: Fold) -> NDArray[np.float64]:
        trained_on.append(int(positive[fold.train].sum()))
        return frame[fold.test] / 300

    assert np.array_equal(out_of_fold_probability(folds, positive, fit_predict), frame / 300)
    assert trained_on == [20, 20, 20]


def test_what_was_never_tested_is_nan(caplog: pytest.LogCaptureFixture) -> None:
    """The only video with tricks cannot be held out: there would be nothing to learn from, and no figure to trust."""
    positive = np.array([True, False, False, False])
    folds = folds_by_group(["tricks", "tricks", "none", "none"])
    assert [fold.usable(positive) for fold in folds] == [False, True]
    assert [fold.usable(~positive) for fold in folds] == [False, True]
    probability = out_of_fold_probability(folds, positive, lambda fold: np.full(fold.test.sum(), 0.25))
    assert np.array_equal(probability, [math.nan, math.nan, 0.25, 0.25], equal_nan=True)
    assert "tricks: not tested" in caplog.text
