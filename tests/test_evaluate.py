"""The figures by which detectors are judged: a wrong one would let a worse detector replace a better one."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluate import (
    TIOUS,
    Counts,
    EventMetrics,
    event_metrics,
    format_table,
    frame_metrics,
    pooled,
)
from core.intervals import Event, Interval

PTS_S = np.arange(1200) / 20  # one minute at 20 fps
N_FRAMES = 200

quick = settings(max_examples=60, deadline=None)


def intervals(*pairs: tuple[int, int]) -> list[Interval]:
    return [Interval(start, end) for start, end in pairs]


@st.composite
def apart(draw: st.DrawFn) -> list[Interval]:
    """Intervals that share no frame, as labels and events are."""
    edges = sorted(draw(st.sets(st.integers(0, N_FRAMES - 1), max_size=16)))
    return [Interval(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]


def counts(metrics: EventMetrics) -> list[tuple[int, int, int]]:
    return [(metrics.by_tiou[t].found, metrics.by_tiou[t].missed, metrics.by_tiou[t].wrong) for t in TIOUS]


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        pytest.param([(100, 109)], [(100, 109)], [(1, 0, 0)] * 3, id="exact"),
        pytest.param([(100, 109)], [(100, 104)], [(1, 0, 0)] * 3, id="tIoU 0.5 is enough for 0.5"),
        pytest.param([(100, 109)], [(100, 103)], [(1, 0, 0), (1, 0, 0), (0, 1, 1)], id="tIoU 0.4"),
        pytest.param([(100, 109)], [(108, 117)], [(1, 0, 0), (0, 1, 1), (0, 1, 1)], id="tIoU 2/18"),
        pytest.param([(100, 109)], [(109, 118)], [(0, 1, 1)] * 3, id="one shared frame is not found"),
        pytest.param([(100, 109)], [(110, 119)], [(0, 1, 1)] * 3, id="touching"),
        pytest.param([(100, 109)], [(100, 104), (105, 109)], [(1, 0, 1)] * 3, id="two halves are found once"),
        pytest.param([(100, 109), (110, 119)], [(100, 119)], [(1, 1, 0)] * 3, id="one event is one trick"),
        pytest.param(
            [(0, 9), (20, 29), (40, 49)],
            [(0, 9), (44, 53), (60, 69)],
            [(2, 1, 1), (2, 1, 1), (1, 2, 2)],
            id="some of each",
        ),
        pytest.param(
            # The wide event overlaps both tricks best; taking it for the first would leave the other without a partner.
            [(100, 119), (120, 139)],
            [(95, 129), (100, 104)],
            [(2, 0, 0), (1, 1, 1), (1, 1, 1)],
            id="as many pairs as possible",
        ),
        pytest.param([(100, 109)], [], [(0, 1, 0)] * 3, id="nothing found"),
        pytest.param([], [(100, 109)], [(0, 0, 1)] * 3, id="nothing true"),
        pytest.param([], [], [(0, 0, 0)] * 3, id="nothing at all"),
    ],
)
def test_counts_events(
    truth: list[tuple[int, int]], found: list[tuple[int, int]], expected: list[tuple[int, int, int]]
) -> None:
    assert counts(event_metrics(intervals(*truth), intervals(*found), PTS_S)) == expected


@pytest.mark.parametrize(
    ("hits", "precision", "recall", "f1"),
    [
        (Counts(3, 1, 2), 3 / 5, 3 / 4, 2 / 3),
        (Counts(0, 1, 2), 0.0, 0.0, 0.0),
        (Counts(0, 1, 0), math.nan, 0.0, 0.0),
        (Counts(0, 0, 2), 0.0, math.nan, 0.0),
        (Counts(0, 0, 0), math.nan, math.nan, math.nan),
    ],
)
def test_ratios(hits: Counts, precision: float, recall: float, f1: float) -> None:
    """A detector that never fires must not look precise, nor footage without tricks as if all had been found."""
    assert (hits.precision, hits.recall, hits.f1) == pytest.approx((precision, recall, f1), nan_ok=True)


def test_times_come_from_the_pts_table() -> None:
    """On a phone's variable rate, frames / fps would put the ends elsewhere."""
    pts_s = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.5, 2.5, 3.0, 3.1, 3.2, 3.3])
    truth, found = intervals((1, 3), (5, 6), (8, 10)), intervals((2, 3), (5, 7), (8, 11))
    metrics = event_metrics(truth, found, pts_s)
    assert metrics.start.errors_ms == pytest.approx((100, 0, 0))
    assert metrics.end.errors_ms == pytest.approx((0, 1000, 100))
    assert metrics.end.median_ms == pytest.approx(100)
    assert metrics.end.p95_abs_ms == pytest.approx(100 + 0.9 * 900)  # linear between the 2nd and the 3rd of three
    assert metrics.mean_tiou == pytest.approx((2 / 3 + 2 / 3 + 3 / 4) / 3)
    assert metrics.minutes == pytest.approx(3.4 / 60)  # the last frame stays for the usual 0.1 s


def test_an_early_event_has_a_negative_error() -> None:
    metrics = event_metrics(intervals((100, 119), (200, 219)), intervals((98, 117), (194, 213)), PTS_S)
    assert (metrics.start.median_ms, metrics.start.median_abs_ms) == pytest.approx((-200, 200))


@pytest.mark.parametrize(
    ("truth", "found", "fragmented", "merged"),
    [
        ([(0, 19)], [(0, 4), (10, 14)], 1, 0),
        ([(0, 19)], [(0, 4), (8, 9), (15, 30)], 1, 0),
        ([(0, 4), (10, 14)], [(0, 19)], 0, 1),
        ([(0, 9), (20, 29)], [(5, 21), (27, 40)], 1, 1),
        ([(0, 9), (20, 29)], [(0, 9), (20, 29)], 0, 0),
        ([(0, 9)], [(9, 15), (0, 0)], 1, 0),  # one frame is an overlap
        ([(0, 9)], [(10, 15), (0, 0)], 0, 0),
        ([], [(0, 4)], 0, 0),
    ],
)
def test_pieces_and_joined_tricks(
    truth: list[tuple[int, int]], found: list[tuple[int, int]], fragmented: int, merged: int
) -> None:
    """These two tell the user which way to turn the joining of events."""
    metrics = event_metrics(intervals(*truth), intervals(*found), PTS_S)
    assert (metrics.fragmented, metrics.merged) == (fragmented, merged)


def test_labels_and_confidences_play_no_part() -> None:
    truth = [Interval(100, 109, "kickflip"), Interval(200, 209, "ollie")]
    found = [Event(200, 209, "trick", 0.3), Event(100, 109, "trick", 0.9)]
    assert counts(event_metrics(truth, found, PTS_S)) == [(2, 0, 0)] * 3


def test_false_alarms_per_minute() -> None:
    found = intervals((100, 109), (300, 309), (500, 509))
    assert event_metrics(found[:1], found, PTS_S).false_alarms_per_minute == pytest.approx(2)
    assert event_metrics(found[:1], found, PTS_S, duration_s=30).false_alarms_per_minute == pytest.approx(4)


def test_labels_of_another_video_are_refused() -> None:
    with pytest.raises(ValueError, match="ends at frame 1200, the video has 1200"):
        event_metrics(intervals((1190, 1200)), [], PTS_S)


@quick
@given(apart())
def test_a_perfect_detector(truth: list[Interval]) -> None:
    metrics = event_metrics(truth, truth, PTS_S)
    perfect = 1.0 if truth else math.nan
    for tiou in TIOUS:
        hits = metrics.by_tiou[tiou]
        assert (hits.precision, hits.recall, hits.f1) == pytest.approx((perfect,) * 3, nan_ok=True)
    assert metrics.mean_tiou == pytest.approx(perfect, nan_ok=True)
    assert set(metrics.start.errors_ms + metrics.end.errors_ms) <= {0.0}
    assert (metrics.false_alarms_per_minute, metrics.fragmented, metrics.merged) == (0, 0, 0)


@quick
@given(st.data(), apart(), apart())
def test_the_order_of_events_is_irrelevant(data: st.DataObject, truth: list[Interval], found: list[Interval]) -> None:
    shuffled = event_metrics(data.draw(st.permutations(truth)), data.draw(st.permutations(found)), PTS_S)
    assert shuffled == event_metrics(truth, found, PTS_S)


def test_a_tie_does_not_depend_on_the_order() -> None:
    truth, found = intervals((10, 19)), intervals((5, 14), (15, 24))
    assert event_metrics(truth, found, PTS_S) == event_metrics(truth, found[::-1], PTS_S)


@quick
@given(apart(), apart())
def test_a_false_event_never_helps(truth: list[Interval], found: list[Interval]) -> None:
    before = event_metrics(truth, found, PTS_S)
    after = event_metrics(truth, [*found, Interval(N_FRAMES + 10, N_FRAMES + 20)], PTS_S)
    for tiou in TIOUS:
        was, now = before.by_tiou[tiou], after.by_tiou[tiou]
        assert now.recall == pytest.approx(was.recall, nan_ok=True)
        assert now.precision <= (1.0 if math.isnan(was.precision) else was.precision)
        assert now.f1 <= (1.0 if math.isnan(was.f1) else was.f1)
    assert after.false_alarms_per_minute > before.false_alarms_per_minute


@quick
@given(apart(), apart())
def test_a_stricter_overlap_never_finds_more(truth: list[Interval], found: list[Interval]) -> None:
    metrics = event_metrics(truth, found, PTS_S)
    hits = [metrics.by_tiou[tiou] for tiou in TIOUS]
    assert all(strict.found <= loose.found for loose, strict in pairwise(hits))
    assert {hit.found + hit.missed for hit in hits} == {len(truth)}
    assert {hit.found + hit.wrong for hit in hits} == {len(found)}


@quick
@given(apart(), apart(), apart(), apart())
def test_pooling_two_videos_is_one_long_video(
    truth_a: list[Interval], found_a: list[Interval], truth_b: list[Interval], found_b: list[Interval]
) -> None:
    """A mean of per-video ratios would let a video with one trick weigh as much as one with fifty."""
    pts_s = np.arange(N_FRAMES) / 16
    both = np.arange(2 * N_FRAMES) / 16

    def later(some: Sequence[Interval]) -> list[Interval]:
        return [Interval(i.start_frame + N_FRAMES, i.end_frame + N_FRAMES) for i in some]

    pool = pooled([event_metrics(truth_a, found_a, pts_s), event_metrics(truth_b, found_b, pts_s)])
    assert pool == event_metrics([*truth_a, *later(truth_b)], [*found_a, *later(found_b)], both)


def test_pooling_no_video() -> None:
    assert pooled([]).to_json()["false_alarms_per_minute"] is None


@pytest.mark.parametrize(
    ("truth", "probability", "precision", "recall", "f1", "average_precision", "accuracy"),
    [
        pytest.param(
            [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 1.0, 0.5, 2 / 3, 0.5 * 1 + 0.5 * 2 / 3, 3 / 4, id="one missed"
        ),
        pytest.param(
            [0, 1, 1, 0], [0.5, 0.5, 0.6, 0.4], 2 / 3, 1.0, 0.8, 0.5 * 1 + 0.5 * 2 / 3, 3 / 4, id="at the threshold"
        ),
        pytest.param([0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0], 1.0, 1.0, 1.0, 1.0, 1.0, id="perfect"),
        pytest.param(
            [0, 1, 1, 0], [math.nan, 0.9, math.nan, math.nan], 1.0, 0.5, 2 / 3, 0.5 + 0.5 * 0.5, 3 / 4, id="NaN is 0"
        ),
        pytest.param(
            [0, 0, 0, 1], [0.7, 0.7, 0.7, 0.7], 0.25, 1.0, 0.4, 0.25, 1 / 4, id="a constant has the AP of chance"
        ),
        pytest.param(
            [0, 1, 0, 0], [0.1, 0.2, 0.1, 0.1], math.nan, 0.0, 0.0, 1.0, 3 / 4, id="nothing over the threshold"
        ),
        pytest.param([0, 0, 0, 0], [0.9, 0.1, 0.1, 0.1], 0.0, math.nan, 0.0, math.nan, 3 / 4, id="no trick"),
        pytest.param([], [], math.nan, math.nan, math.nan, math.nan, math.nan, id="no frame"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_frame_metrics(
    truth: list[int],
    probability: list[float],
    precision: float,
    recall: float,
    f1: float,
    average_precision: float,
    accuracy: float,
) -> None:
    metrics = frame_metrics(np.array(truth, dtype=bool), np.array(probability), threshold=0.5)
    got = (metrics.precision, metrics.recall, metrics.f1, metrics.average_precision, metrics.accuracy)
    assert got == pytest.approx((precision, recall, f1, average_precision, accuracy), nan_ok=True)
    assert (metrics.n_frames, metrics.n_positive) == (len(truth), sum(truth))
    assert metrics.prevalence == pytest.approx(sum(truth) / len(truth) if truth else math.nan, nan_ok=True)


def test_frames_of_two_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="3 frames of truth, 4 of probability"):
        frame_metrics(np.zeros(3, dtype=bool), np.zeros(4), 0.5)


def test_json_has_no_nan() -> None:
    """Browsers and PostgreSQL refuse it."""
    nothing = event_metrics([], [], PTS_S[:1]).to_json()
    json.dumps(nothing, allow_nan=False)
    assert nothing["tiou"]["0.1"] == {
        "found": 0,
        "missed": 0,
        "wrong": 0,
        "precision": None,
        "recall": None,
        "f1": None,
    }
    assert nothing["start_error"] == {"median_ms": None, "median_abs_ms": None, "p95_abs_ms": None}
    assert (nothing["mean_tiou"], nothing["false_alarms_per_minute"]) == (None, None)
    json.dumps(frame_metrics(np.zeros(0, dtype=bool), np.zeros(0), 0.5).to_json(), allow_nan=False)


def test_json_carries_every_figure() -> None:
    metrics = event_metrics(intervals((100, 109), (200, 209)), intervals((102, 109), (400, 409)), PTS_S)
    assert metrics.to_json() == {
        "tiou": {
            str(tiou): {"found": 1, "missed": 1, "wrong": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5}
            for tiou in TIOUS
        },
        "start_error": pytest.approx({"median_ms": 100, "median_abs_ms": 100, "p95_abs_ms": 100}),
        "end_error": {"median_ms": 0, "median_abs_ms": 0, "p95_abs_ms": 0},
        "fragmented": 0,
        "merged": 0,
        "minutes": pytest.approx(1),
        "mean_tiou": 0.8,
        "false_alarms_per_minute": pytest.approx(1),
    }


def test_event_table() -> None:
    truth = intervals((100, 109), (200, 209), (300, 309))
    table = format_table(
        {
            "starter": event_metrics(truth, intervals((102, 109), (204, 213), (400, 409)), PTS_S),
            "trained": event_metrics(truth, truth, PTS_S),
            "no tricks": event_metrics([], [], PTS_S),
        }
    )
    assert table.splitlines()[:4] == [
        "           found  wrong  F1@0.1  F1@0.3  F1@0.5  tIoU   start ms     end ms  wrong/min  split  joined",
        "starter      2/3      1    0.67    0.67    0.33  0.61  +150 ±195  +100 ±190       1.00      0       0",
        "trained      3/3      0    1.00    1.00    1.00  1.00      +0 ±0      +0 ±0       0.00      0       0",
        "no tricks    0/0      0       –       –       –     –          –          –       0.00      0       0",
    ]
    assert "+ is late" in table


def test_mixed_table() -> None:
    """Frames and events of one detector side by side, and a row that has only one of them."""
    frames = frame_metrics(np.array([False, True]), np.array([0.2, 0.9]), 0.5)
    lines = format_table({"a": frames, "b": event_metrics([], [], PTS_S)}).splitlines()
    assert lines[0].split()[:2] == ["AP", "chance"]
    assert lines[1].split() == ["a", "1.00", "0.50", "1.00", "1.00", "1.00", "0.50", "2", "1"]
    assert lines[2].index("0/0") > len(lines[1])
    assert len(lines) == 6
    assert format_table({}) == ""
