"""Training detectors and finding with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core import detector as detector_module
from core.detector import TrickDetector, _with_slower, starter
from core.errors import UserError
from core.features import FEATURE_SETS, features
from core.hop_rule import HopRule
from core.intervals import Interval
from core.lessons import HIGHER_AND_LOWER, Example, positive_rows
from core.metrics import signals
from core.settings import FeatureSet, GuardrailSettings, ModelKind
from tests.skater import ASPECT, OTHER_JUMPS_S, filmed, table, tops_s, tricks
from tests.taught import MODELS, example, settings, taught


@pytest.fixture(scope="module")
def footage() -> pd.DataFrame:
    return table(15)


@pytest.fixture(scope="module")
def elsewhere() -> pd.DataFrame:
    """Footage that no detector here is trained on."""
    return table(15, OTHER_JUMPS_S)


@pytest.fixture(scope="module", params=MODELS)
def trained(request: pytest.FixtureRequest) -> TrickDetector:
    return taught(request.param)


@pytest.fixture(scope="module")
def forest() -> TrickDetector:
    return taught("rf")


# Training and finding


def test_trained_detectors_find_unseen_jumps(trained: TrickDetector, elsewhere: pd.DataFrame) -> None:
    probability = trained.predict_proba(elsewhere)
    assert probability.shape == (len(elsewhere),)
    assert np.nanmin(probability) >= 0
    assert np.nanmax(probability) <= 1
    assert tops_s(elsewhere, probability) == pytest.approx(OTHER_JUMPS_S, abs=0.15)


@pytest.mark.parametrize("feature_set", FEATURE_SETS)
@pytest.mark.parametrize("fps", [24, 30, 60])
def test_a_model_survives_a_change_of_frame_rate(footage: pd.DataFrame, feature_set: FeatureSet, fps: int) -> None:
    """Trained at 15 fps: the windows are in seconds, so the model knows the movement again."""
    detector = TrickDetector.fit([example(footage)], settings("logreg", feature_set))
    other = table(fps, OTHER_JUMPS_S)
    assert tops_s(other, detector.predict_proba(other)) == pytest.approx(OTHER_JUMPS_S, abs=0.15)


def test_sampled_frames_keep_their_place(footage: pd.DataFrame) -> None:
    """At stride 2 labels count decoded frames and rows do not."""
    every_second = table(15, stride=2)
    labelled = Example(every_second, tricks(15, stride=2), 2 * len(every_second))
    same = TrickDetector.fit([labelled], settings()).predict_proba(every_second)
    assert same.tobytes() == TrickDetector.fit([example(footage)], settings()).predict_proba(footage).tobytes()


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_detector(
    footage: pd.DataFrame, elsewhere: pd.DataFrame, model: ModelKind
) -> None:
    """To the last bit: a figure in a report must come out again."""
    first, second = (TrickDetector.fit([example(footage)], settings(model)) for _ in range(2))
    assert first.predict_proba(elsewhere).tobytes() == second.predict_proba(elsewhere).tobytes()


def test_another_seed_gives_another_forest(footage: pd.DataFrame, elsewhere: pd.DataFrame) -> None:
    first, second = (TrickDetector.fit([example(footage)], settings(seed=seed)) for seed in (1, 2))
    assert first.predict_proba(elsewhere).tobytes() != second.predict_proba(elsewhere).tobytes()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sound", ["no column", "unheard", "heard in training alone", "heard in finding alone"])
@pytest.mark.filterwarnings("error")
def test_footage_without_sound(footage: pd.DataFrame, elsewhere: pd.DataFrame, model: ModelKind, sound: str) -> None:
    """Drones and old cameras record none, and one session is shot with and the next without."""
    if sound == "no column":
        footage, elsewhere = (t.drop(columns="audio_onset") for t in (footage, elsewhere))
    if sound in {"unheard", "heard in finding alone"}:
        footage = footage.assign(audio_onset=np.nan)
    if sound in {"unheard", "heard in training alone"}:
        elsewhere = elsewhere.assign(audio_onset=np.nan)
    found = TrickDetector.fit([example(footage)], settings(model)).predict_proba(elsewhere)
    assert tops_s(elsewhere, found) == pytest.approx(OTHER_JUMPS_S, abs=0.15)


def test_what_was_not_measured_is_not_judged(trained: TrickDetector, elsewhere: pd.DataFrame) -> None:
    hidden = elsewhere.copy()
    hidden.loc[40:50, ["hop_ankle", "hop_ankle_slow", "hop_hip"]] = np.nan
    probability = trained.predict_proba(hidden)
    assert np.flatnonzero(np.isnan(probability)).tolist() == list(range(40, 51))


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_footage(trained: TrickDetector, elsewhere: pd.DataFrame, rows: int) -> None:
    assert trained.predict_proba(elsewhere.iloc[:rows]).shape == (rows,)
    assert trained.warnings_for(elsewhere.iloc[:rows], "movenet-256") == []
    assert HopRule().predict_proba(elsewhere.iloc[:rows]).shape == (rows,)


def test_a_detector_knows_lower_jumps_than_it_was_shown(footage: pd.DataFrame) -> None:
    """Without the repeated heights a forest takes the lowest jump it has seen for the limit."""
    detector = TrickDetector.fit([example(footage)], settings())
    low = table(15, OTHER_JUMPS_S, height=0.2)
    assert tops_s(low, detector.predict_proba(low)) == pytest.approx(OTHER_JUMPS_S, abs=0.15)


class Recorder:
    """Stands in for an estimator and keeps what it is trained on."""

    x: NDArray[np.float32]
    y: NDArray[np.bool_]

    def fit(self, x: NDArray[np.float32], y: NDArray[np.bool_]) -> None:
        self.x, self.y = x, y


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(detector_module, "_estimator", lambda settings: made)
    return made


def test_training_sees_the_chosen_rows_alone(footage: pd.DataFrame, recorder: Recorder) -> None:
    """Whoever leaves footage out to test on must be able to rely on it."""
    marked = footage.assign(box_conf=np.arange(len(footage), dtype=np.float64))
    marked.loc[30:40, "rejected"] = "touching_edge"
    rows = np.zeros(len(footage), bool)
    rows[20:120] = True
    detector = TrickDetector.fit([example(marked)], settings(feature_set="rich"), rows=[rows])
    seen = recorder.x[:, detector.columns.index("box_conf")]
    assert seen.tolist() == [row for row in range(20, 120) if not 30 <= row <= 40]
    assert np.array_equal(recorder.y, positive_rows(example(footage), 1)[seen.astype(int)])


def test_motion_is_shown_higher_and_lower(footage: pd.DataFrame, recorder: Recorder) -> None:
    detector = TrickDetector.fit([example(footage)], settings())
    positive = positive_rows(example(footage), 1)
    inside, outside = HIGHER_AND_LOWER
    assert int(recorder.y.sum()) == len(inside) * int(positive.sum())
    assert int((~recorder.y).sum()) == len(outside) * int((~positive).sum())
    hop = recorder.x[:, detector.columns.index("hop_ankle")]
    assert hop.max() == pytest.approx(max(inside) * footage["hop_ankle"].max(), rel=1e-5)


@pytest.mark.parametrize(
    ("truth", "lacking"),
    [
        ([], "no frame inside a labelled trick"),
        ([Interval(0, 299)], "no frame outside the labelled tricks"),
    ],
)
def test_one_class_cannot_be_learned(footage: pd.DataFrame, truth: list[Interval], lacking: str) -> None:
    with pytest.raises(UserError, match=f"There is {lacking} to learn from: label tricks"):
        TrickDetector.fit([Example(footage, truth, len(footage))], settings())


def test_a_trick_that_no_frame_shows_cannot_be_learned(footage: pd.DataFrame) -> None:
    rejected = footage.assign(rejected="touching_edge")
    with pytest.raises(UserError, match="no frame inside a labelled trick"):
        TrickDetector.fit([example(rejected)], settings(feature_set="rich"))


def reviewed(footage: pd.DataFrame, tricks: list[Interval], known: list[Interval]) -> Example:
    return Example(footage, tricks, len(footage), known=known)


def test_a_rejection_makes_an_adaptation_less_sure_and_a_trick_surer(footage: pd.DataFrame) -> None:
    """The starter knows what a trick is, so a person who only ever rejects teaches too, as does one who only keeps."""
    moment = Interval(55, 65)
    less = TrickDetector.fit([reviewed(footage, [], [moment])], settings("adapted"))
    more = TrickDetector.fit([reviewed(footage, [moment], [moment])], settings("adapted"))
    low, usual, high = (one.predict_proba(footage)[57:63].max() for one in (less, starter(), more))
    assert low < usual < high
    assert less.events == starter().events


def test_an_adaptation_needs_a_moment(footage: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="no moment to learn from: label or review"):
        TrickDetector.fit([reviewed(footage, [], [])], settings("adapted"))


def test_many_corrections_move_an_adaptation_farther_than_one(footage: pd.DataFrame) -> None:
    once = reviewed(footage, [], [Interval(55, 65)])
    usual, *moved = (
        one.predict_proba(footage)[57:63].max()
        for one in (starter(), *(TrickDetector.fit([once] * n, settings("adapted")) for n in (1, 2, 10)))
    )
    assert usual > moved[0] > moved[1] > moved[2] > 0.01


def test_what_is_held_out_moves_no_adaptation(footage: pd.DataFrame) -> None:
    both = reviewed(footage, [], [Interval(55, 65), Interval(0, 20)])
    rows = np.arange(len(footage)) >= 55
    held_out = TrickDetector.fit([both], settings("adapted"), rows=[rows])
    alone = TrickDetector.fit([reviewed(footage, [], [Interval(55, 65)])], settings("adapted"))
    assert held_out.estimator.bias == pytest.approx(alone.estimator.bias)


@pytest.mark.parametrize("model", ["ensemble", "adapted"])
@pytest.mark.parametrize("feature_set", ["motion", "temporal", "basic"])
def test_an_ensemble_sees_kinematics_alone(model: ModelKind, feature_set: FeatureSet) -> None:
    with pytest.raises(UserError, match=f"The model {model} goes with .* kinematics alone, not with {feature_set}"):
        settings(model, feature_set)


def test_a_single_frame_among_the_videos_leaves_the_rate_known(footage: pd.DataFrame) -> None:
    glimpse = Example(footage.iloc[:1], [], 1, "glimpse")
    assert TrickDetector.fit([example(footage), glimpse], settings()).meta["sampling_rate"] == pytest.approx(15)


def test_a_detector_needs_the_features_it_was_trained_with(forest: TrickDetector, elsewhere: pd.DataFrame) -> None:
    """Columns are known by place, so others would be taken for them."""
    with pytest.raises(UserError, match="trained with other features than this version makes: train it again"):
        forest.predict_proba(elsewhere.drop(columns="audio_onset"))


def test_columns_are_those_of_the_features(trained: TrickDetector, footage: pd.DataFrame) -> None:
    assert trained.columns == features(footage, trained.settings.feature_set)[1]


# Warnings


@pytest.mark.parametrize(
    ("fps", "pose", "expected"),
    [
        (15, "movenet-256", []),
        (15, "movenet-160x256", []),
        (12, "movenet-256", []),
        (22, "movenet-256", []),
        (30, "movenet-256", ["trained at 15.0 sampled frames a second, this footage has 30.0: change the stride"]),
        (7, "movenet-256", ["trained at 15.0 sampled frames a second, this footage has 7.0"]),
        (15, "yolov8n-pose", ["trained on poses of movenet-256, these are of yolov8n-pose"]),
        (30, "yolov8n-pose", ["sampled frames a second", "trained on poses of movenet-256"]),
    ],
)
def test_footage_unlike_the_training_is_said(forest: TrickDetector, fps: int, pose: str, expected: list[str]) -> None:
    """Else a model that finds nothing at another rate or backend looks like a bad model."""
    warnings = forest.warnings_for(table(fps), pose)
    assert [part in warning for part, warning in zip(expected, warnings, strict=True)] == [True] * len(expected)


def test_an_even_clock_knows_no_other_rate(footage: pd.DataFrame) -> None:
    """Whoever was told to change the stride would look at an hour of footage again for nothing."""
    detector = TrickDetector.fit([example(footage)], settings("logreg", "kinematics"), meta={"pose": "movenet-256"})
    assert detector.warnings_for(table(60), "movenet-256") == []
    assert len(detector.warnings_for(table(60), "yolov8n-pose")) == 1


# Slow motion


def slowed(slower: float, jumps_s: tuple[float, ...] = OTHER_JUMPS_S) -> pd.DataFrame:
    """What was filmed, so many times as long: measured in slow motion, from the joints on."""
    time_s = np.arange(round(20 * 15 * slower)) / (15 * slower)
    pose, camera = filmed(time_s, jumps_s)
    late_s = time_s * slower
    return signals(replace(pose, time_s=late_s), replace(camera, time_s=late_s), ASPECT, GuardrailSettings()).table


@pytest.mark.parametrize("slower", [1.0, 2.0, 3.0, 5.0])
def test_slow_motion_is_found_and_covered(footage: pd.DataFrame, slower: float) -> None:
    """Taught at ordinary speed alone, and found once each, wherever the slowed jump is long or short."""
    detector = TrickDetector.fit([example(footage)], settings("ensemble"))
    slow = slowed(slower)
    expected = slower * np.array(OTHER_JUMPS_S)
    assert tops_s(slow, detector.predict_proba(slow)) == pytest.approx(expected, abs=0.15 * slower)


def test_what_one_playback_has_found_keeps_its_bounds() -> None:
    """A faster one that is no surer adds only what it finds elsewhere."""
    time_s = np.arange(40) / 10
    once, played = np.zeros(40), np.zeros(40)
    once[10:13] = 0.9
    played[8:15] = 0.8  # around it
    played[17] = 0.7  # 0.5 s after its end
    played[25:30] = 0.7  # elsewhere
    once[39] = np.nan
    made = _with_slower(once, played, time_s)
    assert np.flatnonzero(made >= 0.5).tolist() == [10, 11, 12, *range(25, 30)]
    assert made[10:13].tolist() == [0.9] * 3
    assert np.isnan(made[39])
    assert once[26] == 0


@pytest.mark.parametrize(
    ("first", "last", "sure", "widened"),
    [
        (8, 14, 0.9, True),
        (8, 14, 0.75, False),  # no surer
        (10, 12, 0.9, False),  # no longer
        (12, 18, 0.9, False),  # it begins later
    ],
)
def test_a_faster_playback_gives_the_bounds_of_slow_motion(first: int, last: int, sure: float, widened: bool) -> None:
    """At ordinary speed only its middle is found. What is sure at another rate is no surer at this one."""
    once, played = np.zeros(40), np.zeros(40)
    once[10:13] = 0.8
    played[first : last + 1] = sure
    made = _with_slower(once, played, np.arange(40) / 10)
    assert np.flatnonzero(made >= 0.5).tolist() == (list(range(first, last + 1)) if widened else [10, 11, 12])
    assert made.max() == 0.8
