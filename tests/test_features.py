"""What a detector sees. Training and finding share it, so a slip here spoils every model without any error."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.features import FEATURE_SETS, REACH_S, features, usable_rows
from core.metrics import HOP_SLOW_WINDOW_S, Signals, signals
from core.settings import FeatureSet, GuardrailSettings
from tests.skater import ASPECT, filmed, table, tricks

BY_FRAME = tuple(feature_set for feature_set in FEATURE_SETS if feature_set != "kinematics")
"""Sets that are made of the frames themselves; the one on a clock of its own is tested in test_kinematics.py."""
WINDOWED: tuple[FeatureSet, ...] = ("temporal", "rich_temporal", "motion")
WIDEST_S = REACH_S - HOP_SLOW_WINDOW_S
POSE = ["tuck_ratio", "hip_y", "torso_len", "leg_len"]
MOTION = [
    "hop_ankle", "hop_ankle_slow", "hop_hip", "hop_feet", "ankle_vy", "ankle_ay", "hip_vy", "hip_ay", "shoulder_vy",
    "leg_extension", "tuck_ratio", "audio_onset",
]  # fmt: skip


@pytest.fixture(scope="module")
def footage() -> pd.DataFrame:
    return table(15)


def named(made: tuple[NDArray[np.float32], tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(made[0], columns=list(made[1]))


def equal(a: pd.DataFrame, b: pd.DataFrame) -> NDArray[np.bool_]:
    """Cell by cell, up to the rounding of float32; NaN equals NaN."""
    return np.asarray(np.isclose(a, b, rtol=1e-5, atol=1e-5, equal_nan=True))


# Columns


@pytest.mark.parametrize(
    ("feature_set", "first", "count"),
    [
        ("basic", POSE, 4),
        ("temporal", POSE, 4 + 4 * (2 * 4 + 2)),
        ("rich", [*POSE, "shoulder_y", "ankle_y", "left_shoulder_conf"], 18),
        ("rich_temporal", [*POSE, "shoulder_y", "ankle_y", "left_shoulder_conf"], 18 + 4 * (2 * 4 + 2)),
        ("motion", MOTION, 12 + 8 * (2 * 4 + 2)),
    ],
)
def test_columns_and_their_order(footage: pd.DataFrame, feature_set: FeatureSet, first: list[str], count: int) -> None:
    """A model knows its columns by place: another order would feed it hip heights for torso lengths."""
    matrix, names = features(footage, feature_set)
    assert matrix.shape == (len(footage), count)
    assert matrix.dtype == np.float32
    assert len(set(names)) == len(names) == count
    assert list(names[: len(first)]) == first
    signal = "|".join(footage.columns)
    pattern = rf"({signal})(_(mean|std|min|max)_0\.(2|7)5s|_(since|until)_0\.2s)?"
    assert [name for name in names if not re.fullmatch(pattern, name)] == []


@pytest.mark.parametrize("feature_set", FEATURE_SETS)
def test_columns_do_not_depend_on_the_footage(footage: pd.DataFrame, feature_set: FeatureSet) -> None:
    """Nor on the order of the table's own columns: a model trained on one video must fit the next."""
    matrix, names = features(footage, feature_set)
    turned, turned_names = features(footage[footage.columns[::-1]], feature_set)
    assert turned_names == names
    assert np.array_equal(turned, matrix, equal_nan=True)
    blind = footage.copy()
    blind[blind.select_dtypes("float64").columns.drop("time_s")] = np.nan
    blind[["person", "feet_path", "hips_path"]] = -1
    blind["rejected"] = "no_person"
    seen_nothing, blind_names = features(blind, feature_set)
    assert blind_names == names
    assert np.isnan(seen_nothing[:, [name != "legs_seen" for name in names]]).all()


@pytest.mark.parametrize("feature_set", FEATURE_SETS)
@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.filterwarnings("error")
def test_hardly_any_footage(footage: pd.DataFrame, feature_set: FeatureSet, rows: int) -> None:
    """Two decoded frames at stride 2 are one row. It has no spread and no neighbour, and is no fault."""
    matrix, names = features(footage.iloc[:rows], feature_set)
    assert matrix.shape == (rows, len(names))
    assert names == features(footage, feature_set)[1]
    assert usable_rows(footage.iloc[:rows], feature_set).shape == (rows,)


def test_without_the_column_of_the_sound(footage: pd.DataFrame) -> None:
    whole, silent = features(footage, "motion"), features(footage.drop(columns="audio_onset"), "motion")
    assert silent[1] == tuple(name for name in whole[1] if not name.startswith("audio_onset"))
    assert equal(named(silent), named(whole)[list(silent[1])]).all()


# Frame rates


@pytest.mark.parametrize("feature_set", BY_FRAME)
@pytest.mark.parametrize(("fps", "tolerance"), [(15, 0.15), (24, 0.05), (30, 0.05)])
def test_the_same_movement_at_any_frame_rate(feature_set: FeatureSet, fps: int, tolerance: float) -> None:
    """At the moments that both sample, a feature is what it is at 60 fps within one sampled frame of there, give or
    take this share of its signal's range. Otherwise a model would not survive a change of camera."""
    fine, coarse = table(60), table(fps)
    expected, found = named(features(fine, feature_set)), named(features(coarse, feature_set))
    frames = 2 * -(-60 // fps) + 1
    low = expected.rolling(frames, center=True, min_periods=1).min()
    high = expected.rolling(frames, center=True, min_periods=1).max()
    moments = np.arange(1, 59) / 3  # seconds
    at, fine_at = (np.searchsorted(t["time_s"], moments - 1e-6) for t in (coarse, fine))
    signal = [max((c for c in fine.columns if str(name).startswith(c)), key=len) for name in expected]
    size = np.ptp(fine[signal].to_numpy(), axis=0) + 1e-6
    beyond = np.maximum(low.iloc[fine_at].to_numpy() - found.iloc[at], found.iloc[at] - high.iloc[fine_at].to_numpy())
    assert (np.abs(coarse["time_s"].iloc[at] - moments) < 1e-6).all()
    assert (beyond / size).max().max() <= tolerance


@pytest.mark.parametrize("feature_set", WINDOWED)
@pytest.mark.parametrize("fps", [12, 60])
def test_times_in_whole_milliseconds_change_nothing(feature_set: FeatureSet, fps: int) -> None:
    """At these rates a frame stands right at the edge of a window. Matroska rounds times to milliseconds, and the
    frame would come and go with the rounding: a maximum would flicker by a whole jump."""
    exact = table(fps)
    rounded = exact.assign(time_s=exact["time_s"].round(3))
    difference = (named(features(exact, feature_set)) - named(features(rounded, feature_set))).abs()
    windows = [name for name in difference if not re.search("since|until", str(name))]
    assert difference[windows].max().max() < 1e-5


def test_windows_are_in_seconds_where_the_rate_changes() -> None:
    """A phone that drops to a third of its rate in the dark still shows a quarter of a second to either side."""
    footage = table(30)
    varying = footage[(footage["time_s"] < 10) | (footage["frame"] % 3 == 0)]
    made = named(features(varying, "temporal"))
    time_s, hip = varying["time_s"].to_numpy(), varying["hip_y"].to_numpy()
    for row in range(0, len(varying), 7):
        near = np.abs(time_s - time_s[row]) < 0.2505
        assert made["hip_y_min_0.25s"][row] == pytest.approx(hip[near].min())
        assert made["hip_y_mean_0.25s"][row] == pytest.approx(hip[near].mean())
        if 0.2 < time_s[row] < 19.5:
            ago = np.interp(time_s[row] - 0.2, time_s, hip)
            assert made["hip_y_since_0.2s"][row] == pytest.approx(hip[row] - ago, abs=1e-6)


# What was not seen


def test_unseen_is_nan_and_never_zero(footage: pd.DataFrame) -> None:
    """A zero would say that the skater stood still on the ground with legs of no length."""
    hidden = footage.copy()
    gone = hidden["time_s"].between(6, 8)
    signal_columns = hidden.select_dtypes("float64").columns.drop("time_s")
    hidden.loc[gone, signal_columns] = np.nan
    hidden.loc[gone, "rejected"] = "no_person"
    for feature_set in BY_FRAME:
        made = named(features(hidden, feature_set))
        assert not np.isinf(made).any().any()
        names = [str(name) for name in made]
        own = [name for name in names if not re.search(r"\ds$", name)]
        changes = [name for name in names if re.search(r"(since|until)_0\.2s$", name)]
        windows = [name for name in names if name.endswith("_0.25s")]
        assert made.loc[gone, own + changes].isna().all().all()
        assert made.loc[hidden["time_s"].between(6.3, 7.7), windows].isna().all().all()
        # The windows that still see something tell what they see.
        shoulder = hidden["time_s"].between(5.8, 6)
        around = [name for name in windows if not name.endswith("std_0.25s")]
        assert made.loc[shoulder, around].notna().all().all()


def test_a_vanishing_torso_gives_no_infinity(footage: pd.DataFrame) -> None:
    """No estimator takes infinity, and one bad frame must not reach beyond the windows around it."""
    broken = footage.copy()
    broken.loc[150, ["tuck_ratio", "leg_extension"]] = np.inf
    broken.loc[200, "tuck_ratio"] = 1e12
    far = (np.abs(footage["time_s"] - 10) > WIDEST_S + 0.01) & (np.abs(footage["time_s"] - 200 / 15) > WIDEST_S + 0.01)
    for feature_set in BY_FRAME:
        made = named(features(broken, feature_set))
        assert not np.isinf(made).any().any()
        assert np.isnan(made["tuck_ratio"][150])
        assert equal(made[far], named(features(footage, feature_set))[far]).all()


@pytest.mark.parametrize("feature_set", ["basic", "temporal", "rich", "rich_temporal"])
def test_rejected_frames_are_unseen_to_the_pose_sets(footage: pd.DataFrame, feature_set: FeatureSet) -> None:
    rejected = footage.copy()
    rejected.loc[100:120, "rejected"] = "touching_edge"
    wild = rejected.copy()
    wild.loc[100:120, [*POSE, "box_area", "left_hip_conf"]] = 99.0
    made = named(features(rejected, feature_set))
    assert made.loc[100:120, POSE].isna().all().all()
    assert equal(named(features(wild, feature_set)), made).all()
    assert np.flatnonzero(~usable_rows(rejected, feature_set)).tolist() == list(range(100, 121))


def test_motion_goes_on_where_the_guardrails_reject(footage: pd.DataFrame) -> None:
    """The skater who leaves the frame in the middle of a trick is still followed by feet or hips."""
    leaving = footage.copy()
    leaving.loc[50:70, "rejected"] = "touching_edge"
    leaving.loc[60:65, ["hop_ankle", "hop_ankle_slow"]] = np.nan
    leaving.loc[64:65, "hop_hip"] = np.nan
    assert np.flatnonzero(~usable_rows(leaving, "motion")).tolist() == [64, 65]


# Reach


@pytest.mark.parametrize("feature_set", BY_FRAME)
def test_features_look_no_further_than_their_windows(footage: pd.DataFrame, feature_set: FeatureSet) -> None:
    changed = footage.copy()
    rng = np.random.default_rng(42)
    values = changed.select_dtypes("float64").columns.drop("time_s")
    changed.loc[150:, values] += rng.normal(size=(len(changed) - 150, len(values)))
    same = equal(named(features(changed, feature_set)), named(features(footage, feature_set)))
    away_s = footage["time_s"][150] - footage["time_s"].to_numpy()
    assert same[away_s > WIDEST_S + 0.01].all()
    assert not same[away_s <= 0].all()
    if feature_set in WINDOWED:
        assert not same[(away_s > 0.5) & (away_s <= WIDEST_S)].all()


@pytest.mark.parametrize("hidden", [False, True], ids=["always seen", "lost now and then"])
def test_no_footage_further_than_the_margin_is_seen(hidden: bool) -> None:
    """From the joints on, not from the signals: this is what keeps test footage out of training. Twice ``REACH_S`` is
    the margin of the evaluation; what happens beyond it must leave no trace in any feature."""
    fps, cut = 14.0, 196  # at 15 a frame stands right at the edge of the hop's window
    time_s = np.arange(round(20 * fps)) / fps
    pose, camera = filmed(time_s)
    rng = np.random.default_rng(7)
    pose.keypoints[:, :, :2] += rng.normal(0, 0.01, (len(time_s), 17, 2))
    seen = np.ones(len(time_s), bool)
    if hidden:
        for start in rng.integers(0, len(seen), 12):
            seen[start : start + rng.integers(1, 11)] = False
    other = pose.keypoints.copy()
    other[cut:, :, :2] += rng.normal(0, 0.2, (len(time_s) - cut, 17, 2))

    def made(keypoints: NDArray[np.float32]) -> tuple[Signals, pd.DataFrame]:
        columns = {name: getattr(pose, name)[seen] for name in ("frame", "time_s", "person", "score", "boxes")}
        measured = signals(replace(pose, **columns, keypoints=keypoints[seen]), camera, ASPECT, GuardrailSettings())
        return measured, pd.concat([named(features(measured.table, s)) for s in FEATURE_SETS], axis=1)

    (_, before), (_, after) = made(pose.keypoints), made(other)
    same = equal(before, after)
    away_s = time_s[cut] - time_s
    assert same[away_s > 2 * REACH_S].all()
    assert not same[(away_s > 0) & (away_s < HOP_SLOW_WINDOW_S)].all()


def test_tricks_stand_out(footage: pd.DataFrame) -> None:
    """The heart of the motion set: the highest hop within 0.75 s is a torso at a jump and nothing elsewhere."""
    highest = named(features(footage, "motion"))["hop_ankle_max_0.75s"]
    near = np.zeros(len(footage), bool)
    for trick in tricks():
        near[trick.start_frame - 15 : trick.end_frame + 16] = True
    assert all(highest[trick.start_frame : trick.end_frame].min() > 0.9 for trick in tricks())
    assert highest[~near].max() < 0.1
