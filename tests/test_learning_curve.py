"""A replay of corrections says what they were worth, and judges on nothing that they touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.detector import Detector, TrickDetector
from core.errors import Cancelled, UserError
from core.features import REACH_S
from core.hop_rule import HopRule
from core.intervals import Interval
from core.learning_curve import Order, Part, parts, replay, worth
from core.lessons import Example
from core.settings import EventSettings, TrainSettings
from core.validate import Labelled
from tests.skater import table, tricks

QUICK = TrainSettings(model="logreg")
TRUE_S = (4.0, 16.0, 28.0, 40.0)
FALSE_S = (10.0, 22.0, 34.0, 46.0)
SECONDS = 52.0


def footage(name: str, shift_s: float = 0.0) -> Labelled:
    """Every other jump is a trick, and only those pop: the starter, who does not listen, takes all for tricks."""
    true, false = (tuple(at + shift_s for at in places) for places in (TRUE_S, FALSE_S))
    seen = table(15, (*true, *false), SECONDS)
    time_s = seen["time_s"].to_numpy()
    seen["audio_onset"] = sum(30 * np.exp(-(((time_s - at) / 0.3) ** 2)) for at in true)
    return Labelled(Example(seen, tricks(15, true), len(seen), name), time_s)


VIDEOS = [footage("monday"), footage("tuesday", 0.7), footage("friday", 1.3), footage("sunday", 1.9)]


class Known:
    """A detector with a probability for each moment, in the units of its table."""

    def __init__(self, peaks: dict[int, float], threshold: float = 0.5) -> None:
        self.events = EventSettings(default_threshold=threshold)
        self.peaks = peaks

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        probability = np.zeros(len(table))
        for row, height in self.peaks.items():
            probability[row : row + 9] = height
        return probability


def whole(video: Labelled) -> Part:
    return Part(video, np.ones(len(video.example.table), bool))


def taught(
    start: Detector, order: Order, video: Labelled, counts: Sequence[int]
) -> tuple[list[int], list[list[Example]]]:
    """After how many corrections there were points, and what was learnt from before each."""
    learnt: list[list[Example]] = []

    def fit(examples: Sequence[Example]) -> Detector:
        learnt.append(list(examples))
        return start

    points = list(replay([whole(video)], [whole(VIDEOS[1])], start, fit, order, counts))
    return [point.corrections for point in points], learnt


def test_corrections_teach_what_the_starter_cannot_know() -> None:
    curve = worth(VIDEOS, QUICK)
    assert curve[0].corrections == 0
    assert curve[0].f1() == pytest.approx(2 * 16 / (16 + 32), abs=0.05)  # all 32 jumps are found, half of them wrong
    assert curve[-1].f1() > 0.9
    assert curve[-1].events.false_alarms_per_minute < curve[0].events.false_alarms_per_minute / 4
    assert [point.corrections for point in curve[:4]] == [0, 2, 5, 10]
    assert 10 < curve[-1].corrections <= 16  # as many jumps are in each half of the videos
    assert curve[0].to_json()["corrections"] == 0
    assert curve[0].to_json()["tiou"]["0.1"]["found"] == 16


def test_the_same_seed_gives_the_same_curve() -> None:
    first, second = (worth(VIDEOS[:2], TrainSettings(trees=10)) for _ in range(2))
    assert first == second


def test_the_most_uncertain_is_asked_first_and_the_missed_come_last() -> None:
    """Rows of the jumps: 60 and 240 are true, 150 and 330 are not."""
    start = Known({55: 0.99, 145: 0.55, 235: 0.3, 325: 0.1})
    counts, learnt = taught(start, "uncertain", VIDEOS[0], (0, 1, 2, 3, 4, 5))
    assert counts == [0, 1, 2, 3, 4, 5]
    truths = [[trick.start_frame for (example,) in [examples] for trick in example.truth] for examples in learnt]
    starts = [trick.start_frame for trick in VIDEOS[0].example.truth]
    # 0.55 is no trick, 0.3 is one that was not found, 0.99 is one; what nobody saw is added in its order.
    assert truths == [[], starts[1:2], starts[:2], starts[:3], starts]


def test_in_the_order_of_time_what_is_missed_is_added_where_it_lies() -> None:
    start = Known({55: 0.99, 145: 0.55, 325: 0.9})
    _, learnt = taught(start, "time", VIDEOS[0], (0, 1, 2, 3, 4, 5, 6))
    starts = [trick.start_frame for trick in VIDEOS[0].example.truth]
    assert [[trick.start_frame for trick in examples[0].truth] for examples in learnt] == [
        starts[:1],
        starts[:1],
        starts[:2],
        starts[:2],
        starts[:3],
        starts,
    ]


def test_only_what_was_corrected_is_known_until_all_is() -> None:
    start = Known({55: 0.99, 145: 0.55})
    _, learnt = taught(start, "time", VIDEOS[0], (0, 1, 2))
    (place,) = learnt[0][0].known or ()
    true = VIDEOS[0].example.truth[0]
    assert (place.start_frame, place.end_frame) == (55 - 15, max(true.end_frame, 63) + 15)
    assert learnt[1][0].known == [Interval(0, len(VIDEOS[0].pts_s) - 1)]  # every found one is decided


def test_a_second_around_a_correction_stops_at_what_is_undecided() -> None:
    start = Known({55: 0.99, 68: 0.0, 80: 0.9}, threshold=0.5)
    _, learnt = taught(start, "time", VIDEOS[0], (0, 1))
    places = learnt[0][0].known or ()
    assert not any(place.overlap(Interval(80, 88)) for place in places)


def test_where_nothing_can_be_learnt_the_detector_stays() -> None:
    def fit(_: Sequence[Example]) -> Detector:
        raise UserError("There is nothing but tricks.")

    points = list(replay([whole(VIDEOS[0])], [whole(VIDEOS[1])], HopRule(), fit, "time", (0, 2)))
    assert points[0].events == points[1].events


def test_prior_knowledge_can_be_replayed_too() -> None:
    prior = TrickDetector.fit([VIDEOS[3].example], QUICK)

    def fit(examples: Sequence[Example]) -> Detector:
        return TrickDetector.fit([VIDEOS[3].example, *examples], QUICK)

    curve = worth(VIDEOS, QUICK, start=prior, fit=fit)
    assert min(point.f1() for point in curve) > 0.9


def test_nothing_is_judged_where_a_correction_came_from() -> None:
    (one, other), (again, _) = parts(VIDEOS)
    assert {part.video.example.name for part in (*one, *other)} == {"monday", "tuesday", "friday", "sunday"}
    assert len(one) == len(other) == 2
    assert [part.video.example.name for part in again] == [part.video.example.name for part in other]


def test_one_video_is_judged_by_its_later_half() -> None:
    ((early,), (late,)) = parts([VIDEOS[0]])[0]
    time_s = VIDEOS[0].pts_s
    assert time_s[late.rows].min() - time_s[early.rows].max() > 2 * REACH_S
    assert late.rows[-1]
    assert early.rows[0]
    assert late.seconds == pytest.approx(SECONDS / 2, abs=0.1)
    assert late.truth == [trick for trick in VIDEOS[0].example.truth if trick.start_frame > 390]


def test_a_trick_in_the_middle_is_not_cut() -> None:
    middle = Interval(380, 400)
    video = replace(VIDEOS[0], example=replace(VIDEOS[0].example, truth=[middle]))
    ((early,), (late,)) = parts([video])[0]
    assert early.truth == late.truth == []
    assert not late.frames[: middle.end_frame + 1].any()


def test_where_the_truth_is_not_known_nothing_is_asked_or_judged() -> None:
    """Of a session of which only some moments were reviewed."""
    known = [Interval(45, 90), Interval(135, 180)]
    video = replace(VIDEOS[0], example=replace(VIDEOS[0].example, known=known))
    ((one,), _) = parts([video, VIDEOS[1]])[0]
    part = one if one.video is video else parts([video, VIDEOS[1]])[1][0][0]
    assert part.truth == list(VIDEOS[0].example.truth[:1])
    assert part.seconds == pytest.approx(92 / 15)
    start = Known({55: 0.9, 145: 0.8, 325: 0.7})
    learnt: list[Example] = []

    def fit(examples: Sequence[Example]) -> Detector:
        learnt.extend(examples)
        return start

    points = list(replay([part], [whole(VIDEOS[1])], start, fit, "time", (0, 5)))
    assert [point.corrections for point in points] == [0, 2]
    assert learnt[-1].known == known


def test_too_little_for_a_curve_is_said() -> None:
    with pytest.raises(UserError, match="nothing to replay"):
        parts([])
    once = replace(VIDEOS[0], example=replace(VIDEOS[0].example, truth=VIDEOS[0].example.truth[:1]))
    with pytest.raises(UserError, match="a curve needs two: label or review more"):
        worth([once], QUICK)
    with pytest.raises(UserError, match=r"The replay has \d corrections, and a curve needs 5"):
        worth([VIDEOS[0]], QUICK)


def test_a_replay_says_how_far_it_is_and_can_be_stopped() -> None:
    told: list[float] = []
    worth(VIDEOS[:2], QUICK, progress=told.append)
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] <= 1

    def stop(_: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        worth(VIDEOS[:2], QUICK, progress=stop)
