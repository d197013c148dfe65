"""The starter that needs no labels, the trained detectors, and the files that they are shared in."""

from __future__ import annotations

import json
import math
import pickle
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.preprocessing import FunctionTransformer

from core import detector as detector_module
from core.detector import (
    HIGHER_AND_LOWER,
    PLAYBACKS,
    Example,
    HopRule,
    TrickDetector,
    _with_slower,
    lessons_of,
    positive_rows,
    sampling_rate,
    starter,
)
from core.errors import UserError
from core.events import find_events
from core.features import FEATURE_SETS, features
from core.intervals import Interval
from core.metrics import signals
from core.settings import EventSettings, FeatureSet, GuardrailSettings, ModelKind, TrainSettings
from tests.skater import ASPECT, JUMPS_S, filmed, table, tricks

MODELS: tuple[ModelKind, ...] = get_args(ModelKind)
OTHER_JUMPS_S = (3.0, 6.5, 12.0, 16.0)


@pytest.fixture(scope="module")
def footage() -> pd.DataFrame:
    return table(15)


@pytest.fixture(scope="module")
def elsewhere() -> pd.DataFrame:
    """Footage that no detector here is trained on."""
    return table(15, OTHER_JUMPS_S)


def settings(model: ModelKind = "rf", feature_set: FeatureSet | None = None, **more: int) -> TrainSettings:
    feature_set = feature_set or ("kinematics" if model in {"network", "adapted"} else "motion")
    return TrainSettings.model_validate({"model": model, "feature_set": feature_set, "trees": 20, **more})


def example(footage: pd.DataFrame) -> Example:
    return Example(footage, tricks(), len(footage), "monday")


@pytest.fixture(scope="module", params=MODELS)
def trained(request: pytest.FixtureRequest, footage: pd.DataFrame) -> TrickDetector:
    events = EventSettings(default_threshold=0.4, max_gap_frames=3)
    return TrickDetector.fit([example(footage)], settings(request.param), events, meta={"pose": "movenet-256"})


@pytest.fixture(scope="module")
def forest(footage: pd.DataFrame) -> TrickDetector:
    return TrickDetector.fit([example(footage)], settings(), meta={"pose": "movenet-256"})


def tops_s(footage: pd.DataFrame, probability: NDArray[np.float64]) -> list[float]:
    """The middle of each found event, seconds."""
    frame, time_s = footage["frame"].to_numpy(), footage["time_s"].to_numpy()
    step = int(frame[1] - frame[0])
    events = find_events(frame, time_s, probability, EventSettings(), int(frame[-1]) + step)
    return [float(time_s[(event.start_frame + event.end_frame) // 2 // step]) for event in events]


# The starter


def heights(feet: list[float], hips: list[float] | None = None) -> pd.DataFrame:
    return pd.DataFrame({"hop_ankle_slow": feet, "hop_hip": hips or [math.nan] * len(feet)})


@pytest.mark.parametrize(
    ("feet", "hips", "expected"),
    [
        pytest.param(0.5, math.nan, 0.5, id="half a torso is even odds"),
        pytest.param(0.49, math.nan, 0.4899, id="a little less is less"),
        pytest.param(1.0, math.nan, 0.8, id="a whole torso"),
        pytest.param(0.0, 0.0, 0.0, id="rolling"),
        pytest.param(math.nan, 0.5, 0.5, id="hips alone"),
        pytest.param(0.2, 1.0, 0.8, id="the larger of the two"),
        pytest.param(1.0, 0.2, 0.8, id="whichever it is"),
        pytest.param(math.nan, math.nan, math.nan, id="not followed"),
    ],
)
def test_probability_of_a_hop(feet: float, hips: float, expected: float) -> None:
    probability = HopRule().predict_proba(heights([feet], [hips]))
    assert probability == pytest.approx([expected], nan_ok=True, abs=1e-4)


def test_even_odds_are_found_at_the_default_threshold() -> None:
    """The docs say that a hop of half a torso counts, so it has to pass a threshold of 0.5 exactly."""
    assert HopRule().predict_proba(heights([0.5]))[0] >= EventSettings().default_threshold


@pytest.mark.parametrize(
    ("feet", "expected"),
    [
        pytest.param([0, 0.29, 0.31, 1, 0.6, 0.3, 0.29, 0], [0, 0.29, 1, 1, 1, 1, 0.29, 0], id="from 30 % to 30 %"),
        pytest.param([0.5, 1, 0.5, 0.8, 0.5], [1, 1, 1, 1, 1], id="a peak on the shoulder of a higher one"),
        pytest.param([0, 1, 0.1, 0.8, 0], [0, 1, 0.1, 0.8, 0], id="two hops with the ground between"),
        pytest.param([1, 0.4], [1, 1], id="at the beginning"),
        pytest.param([0.4, 1], [1, 1], id="at the end"),
        pytest.param([1, math.nan, 0.9], [1, math.nan, 0.9], id="lost in between"),
        pytest.param([0, 0, 0], [0, 0, 0], id="rolling"),
        pytest.param([0.35, 0.4, 0.2, 1.0, 0], [0.4, 0.4, 0.4, 1.0, 0], id="of a low hop beside a high one"),
        pytest.param([], [], id="no frame"),
    ],
)
def test_a_hop_has_one_probability(feet: list[float], expected: list[float]) -> None:
    """The clip begins when the feet leave the ground, not when they are at the top."""
    probability = HopRule().predict_proba(heights(feet))
    height = np.array(expected, np.float64)
    assert probability == pytest.approx(height**2 / (height**2 + 0.25), nan_ok=True)


@pytest.mark.parametrize("fps", [15, 24, 30, 60])
def test_the_starter_finds_jumps_at_any_rate(fps: int) -> None:
    footage = table(fps)
    assert tops_s(footage, HopRule().predict_proba(footage)) == pytest.approx(JUMPS_S, abs=0.1)
    rolling = table(fps, ())
    assert tops_s(rolling, HopRule().predict_proba(rolling)) == []


def test_the_starter_keeps_up_with_a_day_of_footage() -> None:
    """Four hours at 15 fps, with the jitter of a pose network; it took minutes when each hop searched the whole day."""
    rng = np.random.default_rng(42)
    jitter = np.maximum(0.0, rng.normal(0, 0.1, 216_000))
    started = time.perf_counter()
    HopRule().predict_proba(heights(jitter.tolist()))
    assert time.perf_counter() - started < 3


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


def test_lessons_at_other_playbacks(footage: pd.DataFrame) -> None:
    """A trick of 0.6 s is none of 0.15 s: it teaches at ordinary speed alone, unless it is long enough to be in slow
    motion; footage without tricks teaches at every rate that it may be played at."""
    positive = positive_rows(example(footage), 1)
    lessons = lessons_of(example(footage), settings("network"))
    assert sum(int(lesson.y.sum()) for lesson in lessons) == 3 * int(positive.sum())  # higher and lower
    assert sum(not lesson.y.any() for lesson in lessons) >= len(PLAYBACKS) - 2
    assert all((~lesson.y).any() for lesson in lessons if not lesson.y.any())
    slow = [Interval(trick.start_frame - 10, trick.end_frame + 10) for trick in tricks()]  # two seconds
    faster = lessons_of(Example(footage, slow, len(footage)), settings("network"))
    assert not faster[0].y.any()
    assert sum(bool(lesson.y.any()) for lesson in faster) == 2  # at which two seconds are half to one


def test_an_adaptation_learns_from_a_rejection_alone(footage: pd.DataFrame, elsewhere: pd.DataFrame) -> None:
    """Its starter knows what a trick is, so a person who only ever rejects teaches too."""
    rejected = Example(footage, [], len(footage), known=[Interval(55, 65)])
    detector = TrickDetector.fit([rejected], settings("adapted"))
    plain = starter()
    before, after = (one.predict_proba(footage)[57:63].mean() for one in (plain, detector))
    assert after < before
    with pytest.raises(UserError, match="no frame inside a labelled trick"):
        TrickDetector.fit([replace(rejected, known=[])], settings("adapted"))


@pytest.mark.parametrize("model", ["network", "adapted"])
@pytest.mark.parametrize("feature_set", ["motion", "temporal", "basic"])
def test_a_network_sees_kinematics_alone(model: ModelKind, feature_set: FeatureSet) -> None:
    with pytest.raises(UserError, match=f"The model {model} goes with .* kinematics alone, not with {feature_set}"):
        settings(model, feature_set)


# What counts as positive


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


def test_a_single_frame_among_the_videos_leaves_the_rate_known(footage: pd.DataFrame) -> None:
    glimpse = Example(footage.iloc[:1], [], 1, "glimpse")
    assert TrickDetector.fit([example(footage), glimpse], settings()).meta["sampling_rate"] == pytest.approx(15)


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
    detector = TrickDetector.fit([example(footage)], settings("network"))
    slow = slowed(slower)
    expected = slower * np.array(OTHER_JUMPS_S)
    assert tops_s(slow, detector.predict_proba(slow)) == pytest.approx(expected, abs=0.15 * slower)


def test_what_one_playback_has_found_keeps_its_bounds() -> None:
    """A faster one sees the same trick longer; only what it finds elsewhere counts."""
    time_s = np.arange(40) / 10
    once, played = np.zeros(40), np.zeros(40)
    once[10:13] = 0.8
    played[8:15] = 0.9  # around it
    played[17] = 0.7  # 0.5 s after its end
    played[25:30] = 0.6  # elsewhere
    once[39] = np.nan
    made = _with_slower(once, played, time_s)
    assert np.flatnonzero(made >= 0.5).tolist() == [10, 11, 12, *range(25, 30)]
    assert made[10:13].tolist() == [0.8] * 3
    assert np.isnan(made[39])
    assert once[26] == 0


# Bundles


def test_a_saved_detector_comes_back_whole(trained: TrickDetector, elsewhere: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "models" / "trick.skops"
    trained.meta["validation"] = {"leave one trick out": {"f1": 0.1 + 0.2, "precision": None}}
    trained.save(path)
    loaded = TrickDetector.load(path)
    assert loaded.predict_proba(elsewhere).tobytes() == trained.predict_proba(elsewhere).tobytes()
    assert (loaded.settings, loaded.events, loaded.columns) == (trained.settings, trained.events, trained.columns)
    assert loaded.meta == trained.meta
    assert {"pose", "sampling_rate", "videos", "versions", "validation"} <= loaded.meta.keys()
    assert [entry.name for entry in path.parent.iterdir()] == ["trick.skops"]


@pytest.mark.parametrize(("model", "most_kb"), [("rf", 800), ("gb", 500), ("logreg", 20), ("network", 150)])
def test_bundles_are_small_enough_to_send(
    footage: pd.DataFrame, tmp_path: Path, model: ModelKind, most_kb: int
) -> None:
    """At the default of 200 trees."""
    path = tmp_path / "trick.skops"
    TrickDetector.fit([example(footage)], settings(model, trees=200)).save(path)
    assert path.stat().st_size < most_kb * 1000
    with zipfile.ZipFile(path) as bundle:
        assert {entry.compress_type for entry in bundle.infolist()} == {zipfile.ZIP_DEFLATED}


def test_a_detector_needs_the_features_it_was_trained_with(forest: TrickDetector, elsewhere: pd.DataFrame) -> None:
    """Columns are known by place, so others would be taken for them."""
    with pytest.raises(UserError, match="trained with other features than this version makes: train it again"):
        forest.predict_proba(elsewhere.drop(columns="audio_onset"))


def test_a_folder_that_cannot_be_written_to(forest: TrickDetector, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(UserError, match="Cannot write into the folder"):
        forest.save(tmp_path / "models" / "trick.skops")


def test_a_failed_save_leaves_the_old_model(
    forest: TrickDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trick.skops"
    forest.save(path)
    before = path.read_bytes()

    def half(content: object, file: Path, **_: object) -> None:
        file.write_bytes(before[: len(before) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(skops.io, "dump", half)
    with pytest.raises(KeyboardInterrupt):
        forest.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


NOT_A_MODEL = "trick.skops is not a Trickline model: use a file that trickline train wrote"


@pytest.mark.parametrize("kept", [0, 1, 200, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file(forest: TrickDetector, tmp_path: Path, kept: float) -> None:
    """A download that broke off."""
    path = tmp_path / "trick.skops"
    forest.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept if isinstance(kept, int) else kept * len(whole))])
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)


def test_damaged_bytes(forest: TrickDetector, tmp_path: Path) -> None:
    """Whatever byte a failing disk flips, it is a sentence or the very same model."""
    path = tmp_path / "trick.skops"
    forest.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(42)
    refused = 0
    for place in rng.integers(0, len(whole), 12):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            assert TrickDetector.load(path).meta == forest.meta
        except UserError as error:
            refused += NOT_A_MODEL in str(error)
    assert refused >= 8


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({}, id="nothing in it"),
        pytest.param({"readme.txt": "hello"}, id="something else"),
        pytest.param({"schema.json": "hello"}, id="a schema that is no JSON"),
        pytest.param({"schema.json": "[1, 2]"}, id="a schema of another kind"),
        pytest.param({"schema.json": "{}"}, id="an empty schema"),
    ],
)
def test_a_zip_of_something_else(tmp_path: Path, parts: dict[str, str]) -> None:
    path = tmp_path / "trick.skops"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in parts.items():
            file.writestr(name, text)
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)


def test_arrays_that_are_no_arrays(forest: TrickDetector, tmp_path: Path) -> None:
    """Made to measure, so that neither the zip nor its checksums give it away."""
    path, spoilt = tmp_path / "whole.skops", tmp_path / "trick.skops"
    forest.save(path)
    with zipfile.ZipFile(path) as source:
        arrays = [name for name in source.namelist() if name.endswith(".npy")]
        for junk in (b"", b"\x93NUMPY\x01\x00\x10\x00{'descr':       ", b"\x80\x04N."):
            with zipfile.ZipFile(spoilt, "w") as target:
                for name in source.namelist():
                    target.writestr(name, junk if name in arrays else source.read(name))
            with pytest.raises(UserError, match=NOT_A_MODEL):
                TrickDetector.load(spoilt)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.skops", tmp_path):
        with pytest.raises(UserError, match="does not exist: give the path of a model that trickline train wrote"):
            TrickDetector.load(path)


def test_a_file_that_must_not_be_read(forest: TrickDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trick.skops"
    forest.save(path)

    def refuse(**_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(skops.io, "get_untrusted_types", refuse)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\): check its permissions"):
        TrickDetector.load(path)


class Trap:
    """Runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path, marker = tmp_path / "trick.skops", tmp_path / "was here"
    path.write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())  # the trap works
    assert marker.exists()


def test_foreign_code_is_refused_by_name(tmp_path: Path) -> None:
    """An estimator may carry any function, and would call it on the first frame."""
    path = tmp_path / "trick.skops"
    skops.io.dump({"estimator": FunctionTransformer(func=sys.exit), "about": "{}"}, path)
    with pytest.raises(UserError, match=r"trick\.skops holds sys\.exit, which no Trickline model does: do not use it"):
        TrickDetector.load(path)


def test_foreign_modules_are_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing runs a module's code, and it could lie in the folder that the model was unpacked to."""
    marker = tmp_path / "was here"
    (tmp_path / "bait_module.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Bait:\n    x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "trick.skops"
    import bait_module  # type: ignore[import-not-found]

    bait = bait_module.Bait()
    bait.level = 1
    skops.io.dump({"estimator": bait, "about": "{}"}, path)
    del sys.modules["bait_module"]
    marker.unlink()
    with pytest.raises(UserError, match=r"holds bait_module\.Bait"):
        TrickDetector.load(path)
    assert not marker.exists()
    assert "bait_module" not in sys.modules


@pytest.fixture(scope="module")
def about(forest: TrickDetector, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a sound bundle says of itself."""
    path = tmp_path_factory.mktemp("bundle") / "trick.skops"
    forest.save(path)
    said: dict[str, Any] = json.loads(skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))["about"])
    return said


def bundle(path: Path, estimator: Any, about: Any) -> Path:
    skops.io.dump({"estimator": estimator, "about": about}, path)
    return path


def test_the_bundle_of_this_version_opens(forest: TrickDetector, about: dict[str, Any], tmp_path: Path) -> None:
    """Guards the tests below, which spoil one thing each."""
    path = bundle(tmp_path / "trick.skops", forest.estimator, json.dumps(about))
    assert TrickDetector.load(path).columns == forest.columns


@pytest.mark.parametrize("version", [2, 0, "1.0", None])
def test_another_version_is_said(forest: TrickDetector, about: dict[str, Any], tmp_path: Path, version: object) -> None:
    """Also where that version says things that this one does not know."""
    text = json.dumps({**about, "bundle": version, "windows": [1, 2]})
    with pytest.raises(UserError, match=r"trick\.skops was made by another version of Trickline: train it again"):
        TrickDetector.load(bundle(tmp_path / "trick.skops", forest.estimator, text))


@pytest.mark.parametrize(
    "change",
    [
        *[pytest.param({key: None}, id=f"no {key}") for key in ("bundle", "settings", "events", "columns", "meta")],
        pytest.param({"settings": {"feature_set": "clairvoyance"}}, id="unknown feature set"),
        pytest.param({"settings": {"feature_set": "motion", "learning_rate": 1}}, id="unknown setting"),
        pytest.param({"events": {"default_threshold": 1.5}}, id="threshold out of range"),
        pytest.param({"events": [1, 2]}, id="events of another kind"),
        pytest.param({"columns": "hop_ankle"}, id="columns of another kind"),
        pytest.param({"columns": ["hop_ankle"]}, id="fewer columns than the estimator has"),
        pytest.param({"columns": []}, id="no columns at all"),
        pytest.param({"meta": []}, id="meta of another kind"),
        pytest.param({"meta": {}}, id="no sampling rate"),
        pytest.param({"meta": {"sampling_rate": 0}}, id="a rate of nothing"),
        pytest.param({"meta": {"sampling_rate": "fast"}}, id="a rate in words"),
        pytest.param({"more": 1}, id="something unknown"),
    ],
)
def test_a_bundle_that_says_nonsense(
    forest: TrickDetector, about: dict[str, Any], tmp_path: Path, change: dict[str, Any]
) -> None:
    said = {key: value for key, value in {**about, **change}.items() if value is not None}
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(bundle(tmp_path / "trick.skops", forest.estimator, json.dumps(said)))


@pytest.mark.parametrize("text", ["", "hello", "[]", "null", "7", '{"bundle": 1', 5, None, {"bundle": 1}])
def test_a_bundle_that_says_nothing(forest: TrickDetector, tmp_path: Path, text: object) -> None:
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(bundle(tmp_path / "trick.skops", forest.estimator, text))


def test_a_bundle_without_a_detector_in_it(forest: TrickDetector, about: dict[str, Any], tmp_path: Path) -> None:
    """Else the fault shows only after an hour of looking at the footage."""
    x = np.random.default_rng(42).normal(size=(30, len(forest.columns)))
    three = np.arange(30) % 3
    path = tmp_path / "trick.skops"
    for estimator in (
        {"trees": 200},
        None,
        RandomForestClassifier(2),
        RandomForestRegressor(2).fit(x, three),
        RandomForestClassifier(2).fit(x, three),
        RandomForestClassifier(2).fit(x[:, 1:], three > 0),
    ):
        with pytest.raises(UserError, match=NOT_A_MODEL):
            TrickDetector.load(bundle(path, estimator, json.dumps(about)))
    for content in ({"about": json.dumps(about)}, {"estimator": forest.estimator}, [1, 2], "hello"):
        skops.io.dump(content, path)
        with pytest.raises(UserError, match=NOT_A_MODEL):
            TrickDetector.load(path)


def test_columns_are_those_of_the_features(trained: TrickDetector, footage: pd.DataFrame) -> None:
    assert trained.columns == features(footage, trained.settings.feature_set)[1]
