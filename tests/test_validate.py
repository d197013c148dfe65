"""How good a detector would be on unseen footage. A figure that is too good sends people out with a bad model, so most
tests here are about what must not be seen."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core import validate
from core.detector import TrickDetector
from core.errors import UserError
from core.features import REACH_S
from core.intervals import Interval
from core.lessons import Example, positive_rows
from core.settings import EventSettings, FeatureSet, TrainSettings
from core.validate import ORIGINAL, STARTER, Labelled, compare, report
from tests.skater import table, tricks

FPS = 15
SECONDS = 38.0
JUMPS_S = (6.0, 19.0, 32.0)
CUTS_S = (12.5, 25.5)
"""Halfway between the jumps."""
QUICK = TrainSettings(model="logreg")


def session(jumps_s: Sequence[float] = JUMPS_S, seconds: float = SECONDS, stride: int = 1) -> Labelled:
    """A labelled video whose sampled frames come 15 times a second."""
    footage = table(FPS, jumps_s, seconds, stride=stride)
    n_frames = stride * len(footage)
    return Labelled(Example(footage, tricks(FPS, jumps_s, stride), n_frames), np.arange(n_frames) / (FPS * stride))


def showing(video: Labelled, footage: pd.DataFrame) -> Labelled:
    """The same labels on other footage."""
    return replace(video, example=replace(video.example, table=footage))


@pytest.fixture(autouse=True)
def _small_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests train the original's recipe dozens of times."""
    monkeypatch.setattr(validate, "ORIGINAL", ORIGINAL.model_copy(update={"trees": 10}))


@dataclass
class Training:
    """One call of ``TrickDetector.fit``."""

    settings: TrainSettings
    rows: list[NDArray[np.bool_]]
    """What was used of each video."""
    detector: TrickDetector


@dataclass
class Spy:
    """Every training there was."""

    trainings: list[Training] = field(default_factory=list)

    def of(self, feature_set: FeatureSet) -> list[Training]:
        return [training for training in self.trainings if training.settings.feature_set == feature_set]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    noted = Spy()
    fit = TrickDetector.fit

    def watched(
        examples: Sequence[Example], settings: TrainSettings, *, rows: list[NDArray[np.bool_]], **more: Any
    ) -> TrickDetector:
        detector = fit(examples, settings, rows=rows, **more)
        noted.trainings.append(Training(settings, rows, detector))
        return detector

    monkeypatch.setattr(TrickDetector, "fit", watched)
    return noted


# What is compared


@pytest.mark.parametrize("stride", [1, 2])
def test_one_video_is_left_out_trick_by_trick(stride: int) -> None:
    video = session(stride=stride)
    outcomes = compare([video], QUICK)
    assert list(outcomes) == [
        STARTER,
        "motion logreg, leave one trick out",
        "original's recipe, leave one trick out",
        "motion logreg, last 20%",
        "original's recipe, last 20%",
    ]
    whole, late = outcomes["motion logreg, leave one trick out"], outcomes["motion logreg, last 20%"]
    assert (whole.events.by_tiou[0.3].found, whole.events.by_tiou[0.3].wrong) == (3, 0)
    assert whole.frames.n_frames == len(video.example.table)
    assert whole.events.minutes == pytest.approx(SECONDS / 60)
    assert (late.events.by_tiou[0.3].found, late.events.by_tiou[0.3].missed) == (1, 0)
    assert late.frames.n_frames == 0.2 * len(video.example.table)
    assert late.events.minutes == pytest.approx(0.2 * SECONDS / 60, rel=0.02)
    assert outcomes[STARTER].events.by_tiou[0.1].found == 3


def test_several_videos_are_left_out_one_by_one() -> None:
    videos = [session(), session((5.0, 14.0), 20.0), session((), 10.0)]
    outcomes = compare(videos, QUICK)
    assert list(outcomes) == [
        STARTER,
        "motion logreg, leave one video out",
        "original's recipe, leave one video out",
        "motion logreg, last 20%",
        "original's recipe, last 20%",
    ]
    whole = outcomes["motion logreg, leave one video out"]
    assert (whole.events.by_tiou[0.3].found, whole.events.by_tiou[0.3].wrong) == (5, 0)
    assert whole.events.minutes == pytest.approx((38 + 20 + 10) / 60)
    assert whole.frames.n_positive == sum(int(positive_rows(video.example, 1).sum()) for video in videos)


def test_where_nobody_knows_nothing_counts() -> None:
    """Two of three jumps were decided on: the third is neither found nor a false alarm."""
    video = session()
    known = [Interval(0, round(22 * FPS) - 1)]
    reviewed = replace(video, example=replace(video.example, truth=tricks(FPS, JUMPS_S[:2]), known=known))
    other = session((5.0, 14.0), 20.0)
    outcomes = compare([reviewed, other], QUICK)
    counts = outcomes["motion logreg, leave one video out"].events.by_tiou[0.1]
    assert (counts.found, counts.missed, counts.wrong) == (4, 0, 0)
    for name in (STARTER, "motion logreg, leave one video out"):
        assert outcomes[name].events.minutes == pytest.approx((22 + 20) / 60)
        assert outcomes[name].frames.n_frames == (22 + 20) * FPS
    late = outcomes["motion logreg, last 20%"]
    assert late.frames.n_frames == 0.2 * 20 * FPS  # the last part of the first is known to nobody


def test_the_name_says_what_was_chosen() -> None:
    chosen = TrainSettings(feature_set="basic", model="logreg", test_frac=0.25)
    assert list(compare([session()], chosen))[1::2] == ["basic logreg, leave one trick out", "basic logreg, last 25%"]


def test_the_originals_recipe_stands_beside_on_the_same_footage(spy: Spy) -> None:
    assert (ORIGINAL.feature_set, ORIGINAL.model, ORIGINAL.trees, ORIGINAL.seed) == ("temporal", "rf", 200, 42)
    compare([session()], TrainSettings(model="logreg", test_frac=0.3))
    ours, theirs = spy.of("motion"), spy.of("temporal")
    assert len(ours) == len(theirs) == 4
    assert {training.settings.model for training in theirs} == {"rf"}
    for one, other in zip(ours, theirs, strict=True):
        assert [rows.tolist() for rows in one.rows] == [rows.tolist() for rows in other.rows]


def test_the_event_settings_are_used() -> None:
    strict = compare([session()], QUICK, EventSettings(default_threshold=1.0))
    assert strict[STARTER].events.by_tiou[0.1].found == 0
    assert strict[STARTER].frames.threshold == 1.0


# What is not seen


def test_no_training_comes_near_the_trick_that_is_left_out(spy: Spy) -> None:
    """Every other sampled frame is used; those within the margin of the stretch that is judged are not."""
    video = session()
    compare([video], QUICK)
    time_s = video.example.table["time_s"].to_numpy()
    edges = (-np.inf, *CUTS_S, np.inf)
    for feature_set in ("motion", "temporal"):
        left_out = spy.of(feature_set)[:3]
        for k, training in enumerate(left_out):
            rows = training.rows[0]
            tested = (time_s > edges[k]) & (time_s <= edges[k + 1])
            away_s = np.abs(time_s[:, None] - time_s[tested][None]).min(axis=1)
            assert away_s[rows].min() > 2 * REACH_S - 1e-9
            assert rows[away_s > 2 * REACH_S + 0.1].all()
            trick = video.example.truth[k]
            assert not rows[trick.start_frame : trick.end_frame + 1].any()


def test_a_detector_knows_nothing_of_what_it_is_judged_on(spy: Spy) -> None:
    """Other footage in the stretch that is left out gives the same detector, but for the rounding of running sums; in
    a stretch that is trained on it gives another."""
    video = session()
    footage = video.example.table
    middle = footage["time_s"].between(CUTS_S[0] + 0.01, CUTS_S[1]).to_numpy()
    other = footage.copy()
    values = other.select_dtypes("float64").columns.drop("time_s")
    other.loc[middle, values] = np.random.default_rng(42).normal(size=(int(middle.sum()), len(values)))
    probabilities = []
    for shown in (video, showing(video, other)):
        spy.trainings.clear()
        compare([shown], QUICK)
        probabilities.append(
            {
                feature_set: [t.detector.predict_proba(footage) for t in spy.of(feature_set)[:3]]
                for feature_set in ("motion", "temporal")
            }
        )
    for feature_set in ("motion", "temporal"):
        pairs = zip(*(probability[feature_set] for probability in probabilities), strict=True)
        same = [np.allclose(first, second, atol=1e-6) for first, second in pairs]
        assert same == [False, True, False]


def test_a_video_that_is_left_out_is_left_out_whole(spy: Spy) -> None:
    videos = [session(), session((5.0, 14.0), 20.0)]
    compare(videos, QUICK)
    for feature_set in ("motion", "temporal"):
        used = [[bool(rows.any()) for rows in training.rows] for training in spy.of(feature_set)]
        assert used == [[False, True], [True, False], [True, True]]


def test_the_last_part_is_not_trained_on(spy: Spy) -> None:
    videos = [session(), session((5.0, 14.0), 20.0)]
    compare(videos, QUICK)
    for feature_set in ("motion", "temporal"):
        last = spy.of(feature_set)[-1]
        assert [rows.tolist() for rows in last.rows] == [
            [row < 0.8 * len(video.example.table) for row in range(len(video.example.table))] for video in videos
        ]


def test_a_trick_at_the_cut_counts_with_what_is_after_it() -> None:
    """Else the event that covers the judged half of it would be found with half the overlap, or not at all."""
    video = session((6.0, 19.0, 30.4))
    late = compare([video], QUICK)["motion logreg, last 20%"]
    counted = late.events.by_tiou[0.1]
    assert counted.found + counted.missed == 1
    assert late.frames.n_positive == int(positive_rows(video.example, 1)[-114:].sum())
    assert 0 < late.frames.n_positive < 9


# Where labels do not suffice


@pytest.mark.parametrize("jumps_s", [(), (10.0,)])
def test_one_trick_cannot_be_left_out(jumps_s: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="needs at least two labelled tricks"):
        compare([session(jumps_s, 20.0)], QUICK)


def test_what_cannot_be_judged_has_no_row(caplog: pytest.LogCaptureFixture) -> None:
    """A row of misses would say that the detector is bad, when it was never trained."""
    close = session((16.5, 19.0), 20.0)
    with caplog.at_level(logging.WARNING):
        assert list(compare([close], QUICK)) == [STARTER]
    assert "not tested, because the footage left to train on has one class only" in caplog.text


def test_tricks_that_the_guardrails_reject_leave_motion_to_be_judged() -> None:
    """A skater who jumps out of the picture: the original's recipe has nothing to learn from, ours has."""
    video = session()
    footage = video.example.table.copy()
    for trick in video.example.truth:
        footage.loc[trick.start_frame : trick.end_frame, "rejected"] = "touching_edge"
    outcomes = compare([showing(video, footage)], QUICK)
    assert list(outcomes) == [STARTER, "motion logreg, leave one trick out", "motion logreg, last 20%"]
    assert outcomes["motion logreg, leave one trick out"].events.by_tiou[0.1].found == 3


# What is shown


def test_report_and_json() -> None:
    outcomes = compare([session()], QUICK)
    text = report(outcomes)
    for name in outcomes:
        assert text.count(name) == 2  # once with the events and once with the frames
    plain = json.loads(json.dumps({name: outcome.to_json() for name, outcome in outcomes.items()}, allow_nan=False))
    assert plain["motion logreg, leave one trick out"]["events"]["tiou"]["0.3"]["found"] == 3
    assert plain[STARTER]["frames"]["n_frames"] == len(session().example.table)
