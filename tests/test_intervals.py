"""Everything that is found, labelled, scored or cut is an interval: a frame lost here is lost everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intervals import Event, Interval, frame_mask, from_mask, match, merge

N_FRAMES = 100
FRAME = st.integers(0, N_FRAMES - 1)
FRAMES = st.tuples(FRAME, FRAME).map(lambda pair: (min(pair), max(pair)))
INTERVAL = st.builds(
    lambda frames, label: Interval(frames[0], frames[1], label), FRAMES, st.sampled_from(["ollie", "kickflip"])
)
EVENT = st.builds(lambda frames, sure: Event(frames[0], frames[1], "ollie", sure), FRAMES, st.floats(0, 1))
MASK = st.lists(st.booleans(), max_size=N_FRAMES).map(lambda frames: np.array(frames, dtype=bool))


def frames_in(interval: Interval) -> set[int]:
    return set(range(interval.start_frame, interval.end_frame + 1))


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (5, 4)])
def test_what_holds_no_frame_is_refused(start: int, end: int) -> None:
    # A label file with swapped frames has to fail where it is read, and not as a clip of negative length.
    with pytest.raises(ValueError, match=f"frames {start} to {end}"):
        Interval(start, end)


@given(INTERVAL, INTERVAL)
def test_both_ends_belong_to_an_interval(a: Interval, b: Interval) -> None:
    # One frame off at an end moves every cut, every score and every exported label.
    shared, either = frames_in(a) & frames_in(b), frames_in(a) | frames_in(b)
    assert a.frames == len(frames_in(a))
    assert a.overlap(b) == b.overlap(a) == len(shared)
    assert a.iou(b) == b.iou(a) == len(shared) / len(either)
    assert a.iou(a) == 1


@pytest.mark.parametrize(
    ("before", "after", "last_frame", "padded"),
    [
        (0, 0, 99, (10, 20)),
        (4, 6, 99, (6, 26)),
        (10, 79, 99, (0, 99)),
        (11, 80, 99, (0, 99)),
        (3, 3, 20, (7, 20)),
    ],
)
def test_padding_stays_within_the_video(before: int, after: int, last_frame: int, padded: tuple[int, int]) -> None:
    # A trick in the first or last second must still give a clip that FFmpeg can cut.
    event = Event(10, 20, "ollie", 0.7)
    assert event.pad(before, after, last_frame) == Event(*padded, "ollie", 0.7)


@given(st.lists(INTERVAL, max_size=8), st.integers(0, 20))
def test_merged_intervals_are_further_apart_than_the_gap(intervals: list[Interval], gap: int) -> None:
    # A second merge, or another order of the same labels, must not give other events.
    merged = merge(intervals, gap)
    assert merge(merged, gap) == merge(reversed(intervals), gap) == merged == sorted(merged)
    for label in ("ollie", "kickflip"):
        before, after = ([i for i in some if i.label == label] for some in (intervals, merged))
        assert all(right.start_frame - left.end_frame - 1 > gap for left, right in pairwise(after))
        assert {i.start_frame for i in after} <= {i.start_frame for i in before}
        assert {i.end_frame for i in after} <= {i.end_frame for i in before}
        assert all(any(frames_in(i) <= frames_in(j) for j in after) for i in before)


@pytest.mark.parametrize(
    ("second", "max_gap_frames", "joined"),
    [
        (Interval(20, 25), 9, False),
        (Interval(20, 25), 10, True),
        (Interval(10, 25), 0, True),
        (Interval(11, 25), 0, False),
        (Interval(9, 25), 0, True),
        (Interval(10, 25, "kickflip"), 10, False),
    ],
    ids=["10-over-9", "10-over-10", "no-frame-between", "one-frame-between", "overlap", "other-label"],
)
def test_gap_counts_the_frames_between(second: Interval, max_gap_frames: int, joined: bool) -> None:
    # Between frames 9 and 20 lie ten frames: at the default of 10 these are one trick, and no default may shift by one.
    first = Interval(0, 9)
    assert merge([second, first], max_gap_frames) == ([Interval(0, 25)] if joined else [first, second])


def test_an_interval_within_another_does_not_shorten_it() -> None:
    # The one that starts last need not end last.
    assert merge([Interval(0, 50), Interval(10, 20), Interval(45, 60)]) == [Interval(0, 60)]


@given(st.lists(EVENT, max_size=8), st.integers(0, 20))
def test_joined_events_keep_the_largest_confidence(events: list[Event], gap: int) -> None:
    # A sure trick that swallows an unsure flicker before it would drop below the threshold of the review page.
    merged = merge(events, gap)
    for event in merged:
        inside = [part.confidence for part in events if frames_in(part) <= frames_in(event)]
        assert event == Event(event.start_frame, event.end_frame, "ollie", max(inside))


def test_events_and_labels_can_be_merged_together() -> None:
    # The timeline shows what was found beside what was labelled.
    found, labelled = Event(30, 40, confidence=0.6), Interval(0, 9)
    assert merge([found, labelled]) == [labelled, found]


@given(MASK)
def test_a_mask_is_the_same_after_intervals(mask: np.ndarray) -> None:
    # Training reads labels as a mask and the detector answers with one: what is trained on must be what was labelled.
    intervals = from_mask(mask, "ollie")
    assert np.array_equal(frame_mask(intervals, len(mask)), mask)
    assert all(interval.label == "ollie" for interval in intervals)
    assert merge(intervals) == intervals


@given(st.lists(FRAMES.map(lambda frames: Interval(*frames)), max_size=8))
def test_intervals_are_the_same_after_a_mask(intervals: list[Interval]) -> None:
    # Where none touch, and merge sees to that, each comes back with its own first and last frame.
    assert from_mask(frame_mask(intervals, N_FRAMES)) == merge(intervals)


def test_a_mask_ends_with_the_video() -> None:
    # Labels of a longer cut of the same footage reach beyond its end.
    assert frame_mask([Interval(3, 9), Interval(20, 30)], 6).tolist() == [False, False, False, True, True, True]


def best_pairing(iou: np.ndarray, min_iou: float) -> tuple[int, float]:
    """How many pairs are possible, and the greatest total tIoU of so many, by trying all."""
    if not len(iou):
        return 0, 0.0
    results = [best_pairing(iou[1:], min_iou)]
    for column, value in enumerate(iou[0]):
        if value >= min_iou and value > 0:
            pairs, total = best_pairing(np.delete(iou[1:], column, axis=1), min_iou)
            results.append((pairs + 1, total + float(value)))
    return max(results)


SHORT_LISTS = st.lists(INTERVAL, max_size=4)


@given(SHORT_LISTS, SHORT_LISTS, st.sampled_from([0.0, 0.1, 0.3, 0.5]))
@settings(deadline=None)  # the first call imports SciPy
def test_matching_is_one_to_one_and_the_best_there_is(
    truth: Sequence[Interval], found: Sequence[Interval], min_iou: float
) -> None:
    # Recall and precision come from the number of pairs: a trick must not count twice, nor a pair be missed.
    pairs = match(truth, found, min_iou)
    rows, columns = [row for row, _ in pairs], [column for _, column in pairs]
    assert len(set(rows)) == len(set(columns)) == len(pairs)
    values = [truth[row].iou(found[column]) for row, column in pairs]
    assert all(value >= min_iou and value > 0 for value in values)
    iou = np.array([[t.iou(f) for f in found] for t in truth]).reshape(len(truth), len(found))
    possible, total = best_pairing(iou, min_iou)
    assert len(pairs) == possible
    assert sum(values) == pytest.approx(total)


def test_the_closest_pair_may_have_to_part() -> None:
    # Greedy pairing takes (0, 0) with a tIoU of 0.91, and nothing is left for truth 1 and found 1.
    truth = [Interval(0, 9), Interval(6, 13)]
    found = [Interval(0, 10), Interval(0, 4)]
    ious = np.array([[t.iou(f) for f in found] for t in truth])
    assert ious.argmax() == 0
    assert ious[1, 1] == 0
    assert match(truth, found, 0.3) == [(0, 1), (1, 0)]


def test_matching_goes_by_frames_and_not_by_label() -> None:
    # Whether it is the right trick is asked after whether it was found.
    assert match([Interval(0, 9, "ollie")], [Event(0, 9, "kickflip")], 1.0) == [(0, 0)]
