"""What the settings of the events do: a wrong figure here would make a user choose settings that lose tricks."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from core.errors import UserError
from core.evaluate import event_metrics
from core.events import find_events
from core.hop_rule import HopRule
from core.intervals import Interval
from core.lessons import Example, positive_rows
from core.settings import EventSettings
from core.tune import THRESHOLDS, Judged, best, effect, event_curve, frame_curve, scattered
from core.validate import Labelled
from tests.skater import table, tricks

PLAIN = EventSettings(timestamp_cooldown_s=0.0, max_gap_frames=0)
FPS = 10


def judged(probability: Sequence[float], truth: Sequence[tuple[int, int]] = (), stride: int = 1) -> Judged:
    """Ten decoded frames a second."""
    frame = np.arange(len(probability), dtype=np.int32) * stride
    n_frames = len(probability) * stride
    intervals = tuple(Interval(*span) for span in truth)
    return Judged(frame, frame / FPS, np.array(probability, np.float64), intervals, np.arange(n_frames) / FPS)


def bumps(n: int, tops: dict[int, float], width: int = 5, ground: float = 0.05) -> list[float]:
    """A stretch of ``width`` frames with each probability, from each frame on."""
    values = np.full(n, ground)
    for first, height in tops.items():
        values[first : first + width] = height
    return values.tolist()


def random_video(rng: np.random.Generator, n: int) -> Judged:
    noise: NDArray[np.float64] = np.convolve(rng.random(n), np.ones(5) / 5, "same")
    truth = [(int(start), int(start) + 6) for start in np.arange(10, n - 10, 40)]
    for start, end in truth:
        noise[start:end] = np.maximum(noise[start:end], rng.uniform(0.3, 1))
    return judged(np.round(noise, 2).tolist(), truth)


# The effect of one choice


def test_hits_false_alarms_and_misses_are_told_apart() -> None:
    """The lists beside the timeline are made of them."""
    video = judged(bumps(100, {10: 0.9, 40: 0.8, 70: 0.3}), [(10, 14), (70, 74)])
    made = effect([video], PLAIN)
    (found,) = made.videos
    assert [(event.start_frame, event.end_frame, event.confidence) for event in found.events] == [
        (10, 14, 0.9),
        (40, 44, 0.8),
    ]
    assert [(trick.start_frame, event.start_frame) for trick, event in found.hits] == [(10, 10)]
    assert [event.start_frame for event in found.wrong] == [40]
    assert found.missed == (Interval(70, 74),)
    assert (made.counts.found, made.counts.missed, made.counts.wrong) == (1, 1, 1)
    assert (made.frames.precision, made.frames.recall, made.frames.n_positive) == (0.5, 0.5, 10)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_effect_is_what_the_detector_would_find(stride: int) -> None:
    """What is tuned on this page must come out again of a run with the saved settings."""
    rng = np.random.default_rng(stride)
    for _ in range(20):
        plain = random_video(rng, 200)
        video = judged(plain.probability.tolist(), [(t.start_frame, t.end_frame) for t in plain.truth], stride)
        chosen = EventSettings(
            default_threshold=float(rng.choice([0.4, 0.5, 0.6])),
            required_streak=int(rng.integers(1, 4)),
            max_gap_frames=int(rng.integers(0, 8)),
            min_event_s=float(rng.choice([0.0, 0.3])),
            timestamp_cooldown_s=float(rng.choice([0.0, 1.0])),
        )
        made = effect([video], chosen)
        found = find_events(video.frame, video.time_s, video.probability, chosen, len(video.pts_s))
        assert list(made.videos[0].events) == found
        assert made.events == event_metrics(video.truth, found, video.pts_s)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_frames_are_positive_as_in_training(stride: int) -> None:
    footage = table(15, stride=stride)
    truth = tuple(tricks(15, stride=stride))
    n_frames = len(footage) * stride
    video = Judged(
        footage["frame"].to_numpy(),
        footage["time_s"].to_numpy(),
        HopRule().predict_proba(footage),
        truth,
        np.arange(n_frames) / (15 * stride),
    )
    assert video.positive.tolist() == positive_rows(Example(footage, truth, n_frames), 1).tolist()


def test_several_videos_count_together() -> None:
    first = judged(bumps(50, {10: 0.9}), [(10, 14)])
    second = judged(bumps(50, {10: 0.9, 30: 0.9}), [(40, 44)])
    made = effect([first, second], PLAIN)
    assert [len(one.hits) for one in made.videos] == [1, 0]
    assert (made.counts.found, made.counts.missed, made.counts.wrong) == (1, 1, 2)
    assert made.frames.n_frames == 100


def test_without_labels_there_is_no_figure_but_there_are_events() -> None:
    made = effect([judged(bumps(50, {10: 0.9}))], PLAIN)
    assert len(made.videos[0].events) == 1
    assert math.isnan(made.counts.recall)
    assert math.isnan(made.frames.average_precision)


def test_what_was_not_judged_is_no_trick() -> None:
    video = judged([*bumps(20, {5: 0.9}), *[math.nan] * 20], [(5, 9), (25, 29)])
    assert [event.start_frame for event in effect([video], PLAIN).videos[0].events] == [5]


def test_where_nobody_knows_nothing_is_right_or_wrong() -> None:
    """A find that nobody has decided on would else pass for a false alarm, and the best threshold rise above it."""
    footage = table(15)
    n = len(footage)
    truth = [Interval(50, 70), Interval(260, 262)]
    example = Example(footage, truth, n, known=[Interval(40, 99), Interval(200, 229)])
    probability = np.array(bumps(n, {60: 0.6, 120: 0.9, 210: 0.3}))
    video = Judged.of(Labelled(example, np.arange(n) / 15), probability)
    made = effect([video], PLAIN)
    assert (made.counts.found, made.counts.missed, made.counts.wrong) == (1, 0, 0)
    assert made.frames.n_frames == 60 + 30
    assert made.events.minutes == pytest.approx(90 / 15 / 60)
    assert best([video]).effect.settings.default_threshold < 0.6
    assert frame_curve([video]).precision[-1] == 1.0
    assert scattered([video]) > scattered([replace(video, known=None)])  # chance keeps to what is known, too


def test_an_hour_answers_at_once() -> None:
    """The slider is dragged: 54,000 sampled frames have 50 ms, and more on a machine that is busy with tests."""
    rng = np.random.default_rng(42)
    video = random_video(rng, 54_000)
    effect([video], PLAIN)
    times = []
    for threshold in (0.3, 0.5, 0.7):
        started = time.thread_time()
        effect([video], PLAIN.model_copy(update={"default_threshold": threshold}))
        times.append(time.thread_time() - started)
    assert min(times) < 0.15


# Curves


def test_the_curve_of_frames_is_scikit_learns() -> None:
    video = random_video(np.random.default_rng(1), 300)
    precision, recall, threshold = precision_recall_curve(video.positive, video.probability, drop_intermediate=True)
    curve = frame_curve([video])
    assert curve.threshold.tolist() == threshold.tolist()
    assert curve.precision.tolist() == precision[:-1].tolist()
    assert curve.recall.tolist() == recall[:-1].tolist()


def test_the_curve_of_events_goes_through_every_effect() -> None:
    """Else the handle would stand beside its curve."""
    videos = [random_video(np.random.default_rng(seed), 200) for seed in (1, 2)]
    chosen = PLAIN.model_copy(update={"required_streak": 2, "max_gap_frames": 3})
    curve = event_curve(videos, chosen)
    assert curve.threshold.tolist() == THRESHOLDS.tolist()
    for row in range(0, len(THRESHOLDS), 7):
        counts = effect(videos, chosen.model_copy(update={"default_threshold": float(THRESHOLDS[row])})).counts
        assert curve.precision[row] == pytest.approx(counts.precision, nan_ok=True)
        assert curve.recall[row] == pytest.approx(counts.recall)
        assert curve.f1[row] == pytest.approx(counts.f1)


def test_a_long_curve_is_drawn_with_few_points() -> None:
    curve = frame_curve([random_video(np.random.default_rng(1), 30_000)])
    thin = curve.thinned(20)
    assert 5 < len(thin.threshold) <= 22
    assert set(thin.threshold) <= set(curve.threshold)
    assert curve.thinned(100_000) is curve


# The best settings


def test_the_best_threshold_is_the_middle_of_what_does_the_same() -> None:
    """The farther from going wrong the better the chance on other footage."""
    video = judged(bumps(200, {10: 0.8, 100: 0.9, 150: 0.4}), [(10, 14), (100, 104)])
    found = best([video])
    assert (found.from_threshold, found.to_threshold) == (0.41, 0.8)
    assert found.effect.settings.default_threshold == pytest.approx(0.6, abs=0.011)
    assert found.effect.settings == EventSettings(default_threshold=found.effect.settings.default_threshold)
    assert found.effect.counts.f1 == 1


def test_every_rule_can_be_what_helps() -> None:
    """Settings are searched together, since one rule makes up for another."""
    spikes = bumps(200, {10: 0.8, 100: 0.8}, width=6)
    spikes[50] = spikes[150] = 0.9
    found = best([judged(spikes, [(10, 15), (100, 105)])])
    assert found.effect.counts.f1 == 1
    chosen = found.effect.settings
    assert chosen.required_streak > 1 or chosen.min_event_s > 0

    halves = bumps(200, {10: 0.8, 20: 0.8, 100: 0.8, 110: 0.8}, width=5)
    found = best([judged(halves, [(10, 24), (100, 114)])], base=EventSettings(max_gap_frames=0))
    assert found.effect.counts.f1 == 1
    assert found.effect.settings.max_gap_frames >= 5

    landings = bumps(200, {10: 0.9, 28: 0.8, 100: 0.9, 118: 0.8})
    found = best([judged(landings, [(10, 14), (100, 104)])], base=EventSettings(default_threshold=0.5))
    assert found.effect.counts.f1 == 1


def test_of_equally_many_hits_the_better_aligned_win() -> None:
    wide = np.full(100, 0.05)
    wide[20:60], wide[35:45] = 0.4, 0.9
    found = best([judged(wide.tolist(), [(35, 44)])])
    assert found.effect.events.mean_tiou == 1
    assert found.from_threshold == 0.41


def test_never_miss_takes_false_alarms_into_account() -> None:
    values = bumps(400, {10: 0.9, 60: 0.9, 110: 0.9, 160: 0.3, 210: 0.4, 260: 0.4, 310: 0.4, 360: 0.4})
    video = judged(values, [(10, 14), (60, 64), (110, 114), (160, 164)])
    strict, loose = best([video]), best([video], wanted_recall=1.0)
    assert (strict.effect.counts.found, strict.effect.counts.wrong) == (3, 0)
    assert (loose.effect.counts.found, loose.effect.counts.wrong) == (4, 4)
    assert best([video], wanted_recall=0.75).effect.settings == strict.effect.settings


def test_a_recall_out_of_reach_gives_the_highest_there_is() -> None:
    video = judged(bumps(200, {10: 0.9}), [(10, 14), (100, 104)])
    video.probability[100:105] = math.nan
    assert best([video], wanted_recall=1.0).effect.counts.recall == 0.5


def test_where_nothing_helps_the_settings_stay() -> None:
    video = judged(bumps(200, {10: 0.9}, ground=0.0), [(100, 104)])
    base = EventSettings(default_threshold=0.7, required_streak=4)
    assert best([video], base=base).effect.settings == base


def test_the_search_is_quick_and_always_ends_the_same() -> None:
    footage = table(15)
    video = Judged(
        footage["frame"].to_numpy(),
        footage["time_s"].to_numpy(),
        HopRule().predict_proba(footage),
        tuple(tricks(15)),
        footage["time_s"].to_numpy(),
    )
    started = time.thread_time()
    first = best([video])
    assert time.thread_time() - started < 2
    assert first == best([video])
    assert first.effect.counts.f1 == 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_nothing_on_the_curve_beats_the_best(seed: int) -> None:
    video = random_video(np.random.default_rng(seed), 120)
    found = best([video])
    assert found.effect.counts.f1 >= event_curve([video], EventSettings()).f1.max() - 1e-9
    for threshold in (found.from_threshold, found.to_threshold):
        same = effect([video], found.effect.settings.model_copy(update={"default_threshold": threshold}))
        assert same.counts == found.effect.counts


# Chance, and what cannot be done


def test_chance_is_the_share_that_is_hit_by_luck() -> None:
    crowded = judged([0.0] * 60, [(5, 24), (35, 54)])
    sparse = judged([0.0] * 6000, [(5, 24), (3500, 3519)])
    assert 0.3 < scattered([crowded]) <= 1
    assert scattered([sparse]) < 0.05
    assert scattered([sparse]) == scattered([sparse])


@pytest.mark.parametrize("ask", [best, frame_curve, lambda v: event_curve(v, PLAIN), scattered])
def test_without_labels_nothing_can_be_tuned(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(UserError, match="No trick is labelled in these sessions"):
        ask([judged([0.1, 0.9])])
