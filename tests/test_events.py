"""From probabilities to events: an event too many is a clip of nothing, one too few is a lost trick."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.events import find_events
from core.intervals import Event, frame_mask
from core.settings import EventSettings

quick = hypothesis_settings(max_examples=100, deadline=None)

PLAIN = {"max_gap_frames": 0, "timestamp_cooldown_s": 0.0}


def found(
    probability: list[float],
    stride: int = 1,
    fps: float = 10.0,
    n_frames: int | None = None,
    **settings: float,
) -> list[Event]:
    """Events in a video of a steady rate, every ``stride``-th frame of which was sampled."""
    frame = np.arange(len(probability), dtype=np.int32) * stride
    total = len(probability) * stride if n_frames is None else n_frames
    chosen = EventSettings.model_validate(PLAIN | settings)
    return find_events(frame, frame / fps, np.array(probability, np.float64), chosen, total)


def spans(events: list[Event]) -> list[tuple[int, int]]:
    return [(event.start_frame, event.end_frame) for event in events]


# Threshold and streak


@pytest.mark.parametrize(
    ("probability", "threshold", "expected"),
    [
        pytest.param([0.1, 0.6, 0.7, 0.2], 0.5, [(1, 2)], id="a run"),
        pytest.param([0.1, 0.5, 0.1], 0.5, [(1, 1)], id="at the threshold is in"),
        pytest.param([0.1, 0.4999, 0.1], 0.5, [], id="just below is out"),
        pytest.param([0.9, 0.1, 0.9], 0.5, [(0, 0), (2, 2)], id="first and last frame"),
        pytest.param([0.6, 0.7, 0.8], 0.5, [(0, 2)], id="all above"),
        pytest.param([0.1, 0.2, 0.3], 0.5, [], id="all below"),
        pytest.param([1.0, 0.99], 1.0, [(0, 0)], id="threshold 1"),
        pytest.param([0.0, 0.2], 0.0, [(0, 1)], id="threshold 0 is everything"),
        pytest.param([0.9, math.nan, 0.9], 0.5, [(0, 0), (2, 2)], id="NaN parts"),
        pytest.param([math.nan] * 3, 0.5, [], id="nothing measured"),
        pytest.param([math.nan, 0.2], 0.0, [(0, 1)], id="NaN counts as 0"),
        pytest.param([0.9], 0.5, [(0, 0)], id="one frame"),
        pytest.param([], 0.5, [], id="no frame"),
    ],
)
def test_threshold(probability: list[float], threshold: float, expected: list[tuple[int, int]]) -> None:
    assert spans(found(probability, default_threshold=threshold)) == expected


@pytest.mark.parametrize(
    ("streak", "expected"),
    [(1, [(1, 1), (3, 4), (6, 8)]), (2, [(3, 4), (6, 8)]), (3, [(6, 8)]), (4, [])],
)
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_streak_counts_sampled_frames(streak: int, expected: list[tuple[int, int]], stride: int) -> None:
    """And does so before joining: two flickers near each other are no streak."""
    probability = [0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.1]
    scaled = [(start * stride, (end + 1) * stride - 1) for start, end in expected]
    assert spans(found(probability, stride, required_streak=streak)) == scaled
    assert found([0.9, 0.1, 0.9], required_streak=2, max_gap_frames=10) == []


# Where an event ends


@pytest.mark.parametrize(
    ("stride", "n_frames", "expected"),
    [
        (1, 5, [(1, 2), (4, 4)]),
        (2, 10, [(2, 5), (8, 9)]),
        (2, 9, [(2, 5), (8, 8)]),
        (3, 13, [(3, 8), (12, 12)]),
        (3, 15, [(3, 8), (12, 14)]),
        (4, 18, [(4, 11), (16, 17)]),
    ],
)
def test_a_sampled_frame_stands_for_those_up_to_the_next(
    stride: int, n_frames: int, expected: list[tuple[int, int]]
) -> None:
    """At stride 4 a clip would else end up to three frames before the landing; at the end of the video none is
    invented."""
    assert spans(found([0.1, 0.9, 0.9, 0.1, 0.9], stride, n_frames=n_frames)) == expected


def test_sampled_frames_may_be_uneven() -> None:
    frame = np.array([3, 4, 10, 11, 30], np.int32)
    events = find_events(frame, frame / 10, np.array([0.1, 0.9, 0.1, 0.9, 0.9]), EventSettings(**PLAIN), 40)
    assert spans(events) == [(4, 9), (11, 39)]


# Joining


@pytest.mark.parametrize(
    ("gap", "max_gap_frames", "joined"),
    [(10, 10, True), (11, 10, False), (1, 1, True), (2, 1, False), (1, 0, False), (30, 30, True)],
)
def test_gaps_count_decoded_frames_between(gap: int, max_gap_frames: int, joined: bool) -> None:
    """10 join at the default, 11 do not."""
    events = found([0.9] * 3 + [0.1] * gap + [0.8] * 3, max_gap_frames=max_gap_frames)
    assert spans(events) == ([(0, gap + 5)] if joined else [(0, 2), (gap + 3, gap + 5)])


@pytest.mark.parametrize(("stride", "longest"), [(1, 10), (2, 5), (3, 3), (4, 2)])
def test_the_gap_does_not_grow_with_the_stride(stride: int, longest: int) -> None:
    for gap in (longest, longest + 1):
        events = found([0.9, *[0.1] * gap, 0.9], stride, max_gap_frames=EventSettings().max_gap_frames)
        assert len(events) == (1 if gap == longest else 2)


def test_an_event_is_as_sure_as_its_surest_frame() -> None:
    probability = [0.6, 0.8, 0.7, 0.1, 0.95, 0.1, 0.1, 0.1, 0.55]
    assert [e.confidence for e in found(probability)] == [0.8, 0.95, 0.55]
    assert [e.confidence for e in found(probability, max_gap_frames=1)] == [0.95, 0.55]


def test_the_label_is_passed_on() -> None:
    frame = np.arange(3, dtype=np.int32)
    events = find_events(frame, frame / 10, np.array([0.1, 0.9, 0.1]), EventSettings(), 3, label="ollie")
    assert events == [Event(1, 1, "ollie", 0.9)]
    assert {event.label for event in found([0.9, 0.1, 0.9])} == {"trick"}


# Length


@pytest.mark.parametrize(
    ("frames", "stride", "min_event_s", "kept"),
    [
        pytest.param(3, 1, 0.3, True, id="three frames of a tenth"),
        pytest.param(3, 1, 0.31, False, id="a little too short"),
        pytest.param(1, 1, 0.1, True, id="one frame is on screen for a tenth"),
        pytest.param(1, 1, 0.11, False, id="and no longer"),
        pytest.param(2, 2, 0.4, True, id="two sampled frames stand for four"),
        pytest.param(2, 4, 0.8, True, id="or for eight"),
        pytest.param(2, 4, 0.81, False, id="and for no more"),
        pytest.param(1, 1, 0.0, True, id="no minimum"),
    ],
)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_minimum_length(frames: int, stride: int, min_event_s: float, kept: bool, at_the_end: bool) -> None:
    """The length is the time on screen, until the next sampled frame; the last one stays as long as they usually do."""
    probability = [0.1] * 5 + [0.9] * frames + [0.1] * (0 if at_the_end else 5)
    assert bool(found(probability, stride, min_event_s=min_event_s - 1e-9 if min_event_s else 0.0)) == kept


def test_the_length_is_that_of_the_joined_event() -> None:
    probability = [0.9, 0.1, 0.9, 0.1, 0.1]
    assert found(probability, min_event_s=0.25) == []
    assert spans(found(probability, min_event_s=0.25, max_gap_frames=1)) == [(0, 2)]


def test_lengths_of_a_variable_rate() -> None:
    """The same three frames last 0.3 s in the sun and 1.5 s in the dark."""
    frame = np.arange(12, dtype=np.int32)
    time_s = np.concatenate([np.arange(6) / 10, 0.6 + np.arange(6) / 2])
    probability = np.array([0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1])
    events = find_events(frame, time_s, probability, EventSettings(**PLAIN, min_event_s=1.0), 12)
    assert spans(events) == [(7, 9)]


# Cooldown


@pytest.mark.parametrize(
    ("peaks", "cooldown_s", "expected"),
    [
        pytest.param({0: 0.9, 20: 0.8}, 1.0, [0, 20], id="far apart"),
        pytest.param({0: 0.9, 5: 0.8}, 1.0, [0], id="the weaker goes"),
        pytest.param({0: 0.8, 5: 0.9}, 1.0, [5], id="also if it was first"),
        pytest.param({0: 0.9, 10: 0.8}, 1.0, [0], id="exactly the cooldown apart"),
        pytest.param({0: 0.9, 11: 0.8}, 1.0, [0, 11], id="just beyond"),
        pytest.param({0: 0.9, 5: 0.9}, 1.0, [0], id="of equals the first stays"),
        pytest.param({0: 0.7, 8: 0.9, 16: 0.8}, 1.0, [8], id="the middle one outdoes both"),
        pytest.param({0: 0.9, 8: 0.7, 16: 0.8}, 1.0, [0, 16], id="a dropped event drops no other"),
        pytest.param({0: 0.9, 5: 0.8}, 0.0, [0, 5], id="no cooldown"),
    ],
)
def test_cooldown(peaks: dict[int, float], cooldown_s: float, expected: list[int]) -> None:
    """One trick's landing must not become a trick of its own."""
    probability = [peaks.get(frame, 0.1) for frame in range(30)]
    events = found(probability, timestamp_cooldown_s=cooldown_s)
    assert [event.start_frame for event in events] == expected


def test_the_cooldown_runs_from_peak_to_peak() -> None:
    """Two long tricks in a line end and begin close together, and both are tricks."""
    line = [0.9, 0.9, *[0.6] * 8, 0.1, *[0.6] * 8, 0.9, 0.9]
    assert spans(found(line, timestamp_cooldown_s=1.0)) == [(0, 9), (11, 20)]


def test_the_peak_is_not_where_nothing_was_measured() -> None:
    """The skater behind a bin in the middle of a trick: the gap is joined, and the trick is as sure as before."""
    hidden = [0.9, math.nan, 0.6, *[0.1] * 8, 0.7]
    events = found(hidden, max_gap_frames=1, timestamp_cooldown_s=1.0)
    assert [(event.start_frame, event.confidence) for event in events] == [(0, 0.9), (11, 0.7)]


# Properties


@st.composite
def judged(draw: st.DrawFn) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], int]:
    """Sampled frames of a video of variable rate, and what a detector made of them."""
    n = draw(st.integers(0, 60))
    steps = draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    frame = np.cumsum(steps).astype(np.int32)
    ticks = draw(st.lists(st.sampled_from([1, 2, 3, 15]), min_size=n, max_size=n))
    values = st.one_of(st.just(math.nan), st.floats(0, 1))
    probability = np.array(draw(st.lists(values, min_size=n, max_size=n)), np.float64)
    last = int(frame[-1]) if n else 0
    return frame, np.cumsum(ticks) / 30, probability, last + draw(st.integers(1, 5))


event_settings = st.builds(
    EventSettings,
    default_threshold=st.floats(0.01, 1),
    required_streak=st.integers(1, 4),
    timestamp_cooldown_s=st.sampled_from([0.0, 0.2, 1.0]),
    max_gap_frames=st.integers(0, 12),
    min_event_s=st.sampled_from([0.0, 0.1, 0.5]),
)


@quick
@given(judged(), event_settings)
def test_events_are_sorted_apart_and_within_the_video(
    made: tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], int], settings: EventSettings
) -> None:
    frame, time_s, probability, n_frames = made
    events = find_events(frame, time_s, probability, settings, n_frames)
    for event in events:
        assert 0 <= event.start_frame <= event.end_frame < n_frames
        assert settings.default_threshold <= event.confidence <= 1
        assert event.confidence in probability
    for before, after in pairwise(events):
        assert after.start_frame - before.end_frame - 1 > settings.max_gap_frames


@quick
@given(judged(), event_settings, st.floats(0, 0.5))
def test_a_higher_threshold_never_finds_more_footage(
    made: tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], int],
    settings: EventSettings,
    higher: float,
) -> None:
    """The slider would be unusable otherwise. Only the cooldown may break it: what it drops no longer drops others."""
    frame, time_s, probability, n_frames = made
    loose = settings.model_copy(update={"timestamp_cooldown_s": 0.0})
    strict = loose.model_copy(update={"default_threshold": min(1.0, loose.default_threshold + higher)})
    wide, narrow = (
        frame_mask(find_events(frame, time_s, probability, chosen, n_frames), n_frames) for chosen in (loose, strict)
    )
    assert not (narrow & ~wide).any()


@quick
@given(judged(), event_settings)
def test_every_rule_only_takes_away(
    made: tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], int], settings: EventSettings
) -> None:
    """Streak, minimum length and cooldown drop events; none of them moves or makes one."""
    frame, time_s, probability, n_frames = made
    weeded = find_events(frame, time_s, probability, settings, n_frames)
    free = settings.model_copy(update={"timestamp_cooldown_s": 0.0, "min_event_s": 0.0})
    assert set(weeded) <= set(find_events(frame, time_s, probability, free, n_frames))
    loose = free.model_copy(update={"required_streak": 1})
    wide = frame_mask(find_events(frame, time_s, probability, loose, n_frames), n_frames)
    assert not (frame_mask(weeded, n_frames) & ~wide).any()
