"""How the body moves on an even clock. The network knows nothing else, so a slip here is a skater it has never seen."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.features import usable_rows
from core.kinematics import REACH_S, TICKS_HZ, kinematics
from core.metrics import PATH_COLUMNS, signals, with_amplitude
from core.settings import GuardrailSettings
from tests.skater import ASPECT, JUMPS_S, filmed, table

HEIGHTS = ("feet_up", "left_foot_up", "right_foot_up", "hips_up", "shoulders_up", "head_up")
FLAT = 60
"""Frames of footage to either side of what a test draws: two seconds, which is more than any feature looks."""


def made(footage: pd.DataFrame, playback: float = 1.0) -> pd.DataFrame:
    matrix, names = kinematics(footage, playback)
    return pd.DataFrame(matrix, columns=list(names))


def risen(heights: NDArray[np.floating], fps: float = TICKS_HZ) -> pd.DataFrame:
    """A body that stands stiff, its feet and all the rest at these heights."""
    n = len(heights)
    footage = pd.DataFrame({name: np.zeros(n) for name in (*PATH_COLUMNS, "leg_extension", "box_conf")})
    for name in HEIGHTS:
        footage[name] = heights
    whole = dict.fromkeys(("feet_path", "hips_path", "person"), np.zeros(n, np.int64))
    return footage.assign(time_s=np.arange(n) / fps, torso=1.0, **whole)


def plateau(up: int, height: float = 1.0) -> pd.DataFrame:
    """On the ground, ``up`` frames in the air, on the ground."""
    return risen(np.concatenate([np.zeros(FLAT), np.full(up, height), np.zeros(FLAT)]))


# By hand


def test_a_steady_rise_has_its_speed_and_is_no_hop() -> None:
    """Three torso lengths a second up a ramp, two of them along it. Smoothing leaves a straight line alone."""
    ramp = risen(np.arange(120) * 0.1).assign(feet_x=np.arange(120) / 15, hips_x=-np.arange(120) / 15)
    row = made(ramp).iloc[60]
    for name in ("feet_speed", "hips_speed", "shoulders_speed", "head_speed", "lower_foot_speed"):
        assert row[name] == pytest.approx(3.0)
    assert (row["feet_along"], row["hips_along"]) == pytest.approx((2.0, 2.0))
    assert (row["feet_speed_mean_0.5"], row["feet_speed_max"], row["feet_speed_min"]) == pytest.approx((3, 3, 3))
    assert (row["feet_push"], row["feet_speed_spread_0.5"]) == pytest.approx((0, 0), abs=1e-3)
    assert row.filter(like="_hop").max() < 1e-6
    # Six and twelve ticks away the ramp is 0.6 and 1.2 lower and higher.
    assert (row["feet_since_0.2"], row["feet_until_0.2"]) == pytest.approx((0.6, -0.6), abs=1e-5)
    assert (row["head_since_0.4"], row["head_until_0.4"]) == pytest.approx((1.2, -1.2), abs=1e-5)


def test_a_fall_in_free_flight_is_a_parabola() -> None:
    """A torso is about half a metre, so gravity is 20 torso lengths a second squared."""
    at = (np.arange(61) - 30) / TICKS_HZ
    flight = made(risen(-10 * at**2)).iloc[30]
    for name in ("feet", "hips"):
        for half_s in ("0.17", "0.3"):
            assert flight[f"{name}_bend_{half_s}"] == pytest.approx(20, rel=1e-3)
            assert flight[f"{name}_flight_{half_s}"] == pytest.approx(1, abs=1e-4)
    assert (flight["feet_speed"], flight["feet_push"]) == pytest.approx((0, -20), abs=1e-3)


@pytest.mark.parametrize(
    ("up", "found", "not_found"),
    [
        (5, ["0.2", "0.33", "0.5", "0.8"], []),
        (17, ["0.33", "0.5", "0.8"], ["0.2"]),
        (25, ["0.5", "0.8"], ["0.2", "0.33"]),
        (41, ["0.8"], ["0.2", "0.33", "0.5"]),
        (61, [], ["0.2", "0.33", "0.5", "0.8"]),
    ],
)
def test_a_hop_is_up_and_down_within_its_window(up: int, found: list[str], not_found: list[str]) -> None:
    """In the middle of the time in the air the ground is (up + 1) / 2 ticks away to either side."""
    middle = made(plateau(up)).iloc[FLAT + up // 2]
    for name in ("feet_hop", "hips_hop"):
        assert [middle[f"{name}_{window_s}"] > 0.95 for window_s in found] == [True] * len(found)
        assert [middle[f"{name}_{window_s}"] for window_s in not_found] == pytest.approx([0.0] * len(not_found))


def test_a_step_up_and_a_step_down_are_no_hops() -> None:
    up = np.repeat([0.0, 1.0], FLAT)
    for heights in (up, 1 - up):
        hops = made(risen(heights)).filter(like="_hop")
        assert hops.max().max() < 0.02


def test_both_feet_have_to_leave_the_ground() -> None:
    kick = plateau(9)
    kick["left_foot_up"] = 0.0
    row = made(kick).iloc[FLAT + 4]
    assert row["feet_hop_0.5"] > 0.9
    assert (row["both_feet_hop_0.5"], row["lower_foot_speed"]) == pytest.approx((0, 0))


def smoothed(heights: NDArray[np.floating]) -> NDArray[np.float64]:
    """By a Gaussian of 0.6 ticks, as far as two ticks."""
    at = np.arange(len(heights))
    apart = at[:, None] - at
    weight = np.exp(-(apart**2) / (2 * 0.6**2)) * (np.abs(apart) <= 2)
    return np.asarray(weight @ heights / weight.sum(axis=1))


def test_windows_against_every_single_tick() -> None:
    """What was lowest before and after, the highest, the mean: looked up one tick after the other, ends included."""
    heights = np.cumsum(np.random.default_rng(3).normal(0, 0.2, 150))
    found, n = made(risen(heights)), len(heights)
    height = smoothed(heights)
    speed = np.full(n, np.nan)
    speed[1:-1] = (height[2:] - height[:-2]) * 15
    for row in range(n):
        for window_s, ticks in (("0.2", 6), ("0.33", 10), ("0.5", 15), ("0.8", 24)):
            before, after = height[max(0, row - ticks) : row + 1].min(), height[row : row + ticks + 1].min()
            expected = height[row] - max(before, after)
            assert found[f"feet_hop_{window_s}"][row] == pytest.approx(expected, abs=1e-5)
            assert found[f"hips_hop_{window_s}"][row] == pytest.approx(expected, abs=1e-5)
        for half_s, ticks in (("0.2", 6), ("0.5", 15), ("1.0", 30)):
            near = speed[max(0, row - ticks) : row + ticks + 1]
            assert found[f"hips_speed_mean_{half_s}"][row] == pytest.approx(np.nanmean(near), abs=1e-4)
            assert found[f"hips_speed_spread_{half_s}"][row] == pytest.approx(np.nanstd(near), abs=1e-4)
        near = speed[max(0, row - 12) : row + 13]
        assert found["feet_speed_max"][row] == pytest.approx(np.nanmax(near), abs=1e-4)
        assert found["feet_speed_min"][row] == pytest.approx(np.nanmin(near), abs=1e-4)
        for word, away in (("since", -6), ("until", 6)):
            there = height[max(0, row + away - 1) : max(0, row + away + 2)]
            changed = height[row] - there.mean() if len(there) else np.nan
            assert found[f"head_{word}_0.2"][row] == pytest.approx(changed, abs=1e-5, nan_ok=True)


# The clock


@pytest.mark.parametrize(("fps", "tolerance"), [(15, 0.12), (24, 0.1), (30, 0.01)])
def test_the_same_movement_at_any_frame_rate(fps: int, tolerance: float) -> None:
    """At the moments that both sample, a feature is nearly what it is at 60 fps: within this share of its range."""
    fine, coarse = table(60), table(fps)
    moments = np.arange(1, 59) / 3  # seconds
    at, fine_at = (np.searchsorted(t["time_s"], moments - 1e-6) for t in (coarse, fine))
    expected, found = made(fine), made(coarse)
    size = np.maximum(np.ptp(expected.dropna().to_numpy(), axis=0), 1e-3)  # the drawn skater's stance never changes
    apart = np.abs(expected.iloc[fine_at].to_numpy() - found.iloc[at].to_numpy()) / size
    assert np.nanmax(apart) <= tolerance
    assert np.isfinite(apart).mean() > 0.99


@pytest.mark.parametrize("slower", [1.5, 2.0, 4.0])
def test_slow_motion_played_faster_is_the_ordinary_movement(slower: float) -> None:
    """From the joints on: this is how a trick in slow motion is found."""
    time_s = np.arange(600) / 30
    pose, camera = filmed(time_s)
    ordinary = signals(pose, camera, ASPECT, GuardrailSettings()).table
    late_s = time_s * slower
    slow = signals(replace(pose, time_s=late_s), replace(camera, time_s=late_s), ASPECT, GuardrailSettings()).table
    for expected, found in zip(made(ordinary).items(), made(slow, slower).items(), strict=True):
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-3, atol=1e-3, err_msg=str(found[0]))
    unlike = (made(slow) - made(ordinary)).abs()
    assert unlike["feet_speed"].max() > 1


def test_every_frame_has_its_own_heights() -> None:
    """Frames between two ticks too, at the ends of the footage and of every stretch that was followed."""
    for fps in (24, 25, 50, 60):
        footage = table(fps)
        footage.loc[100:, ["feet_path", "hips_path"]] += 1
        found = made(footage)
        for name in ("feet_hop_0.5", "hips_hop_0.5", "leg_extension", "tilt", "leg_conf", "box_conf"):
            assert found[name].notna().all()


def test_higher_movements_are_higher_in_every_height_and_speed() -> None:
    """Training repeats a trick higher and lower: how much of a body in flight it is must stay."""
    footage = table(30)
    once, twice = made(footage), made(with_amplitude(footage, 2.0))
    for name in ("feet_hop_0.5", "hips_speed", "feet_push", "head_since_0.4", "feet_bend_0.3", "hips_hop_0.5_mean_1.0"):
        np.testing.assert_allclose(twice[name], 2 * once[name], rtol=1e-3, atol=1e-3)
    for name in ("leg_extension", "tilt", "legs_seen"):
        pd.testing.assert_series_equal(twice[name], once[name])


# What was not seen


def hidden(footage: pd.DataFrame, first_s: float, last_s: float) -> pd.DataFrame:
    """Nobody is seen for so long, and the paths begin anew."""
    gone = footage["time_s"].between(first_s, last_s)
    without = footage.astype({"feet_path": np.int64, "hips_path": np.int64})
    without.loc[gone, [*HEIGHTS, "feet_x", "hips_x", "tilt", "stance", "torso", "leg_conf"]] = np.nan
    without.loc[gone, ["leg_extension", "box_conf"]] = np.nan
    without.loc[gone, ["feet_path", "hips_path", "person"]] = -1
    without.loc[footage["time_s"] > last_s, ["feet_path", "hips_path"]] += 1
    return without


@pytest.mark.parametrize("playback", [1.0, 2.25])
def test_nobody_is_no_body_on_the_ground(playback: float) -> None:
    """A zero would say that the skater stood still; the windows around still tell what they see."""
    footage = hidden(table(15), 5, 12)
    found = made(footage, playback)
    inside = footage["time_s"].between(5.1, 11.9)
    names = [str(name) for name in found]
    own = [name for name in names if not re.search("_mean|_spread|_max|_min|legs_seen", name)]
    assert found.loc[inside, own].isna().all().all()
    middle = footage["time_s"].between(5 + 1.2 * playback, 12 - 1.2 * playback)
    assert found.loc[middle].drop(columns="legs_seen").isna().all().all()
    assert found["legs_seen"][footage["time_s"].between(5 + 0.5 * playback, 12 - 0.5 * playback)].eq(0).all()
    # Just before he was lost, the windows hold what was seen until then.
    assert (
        found.loc[footage["time_s"].between(4.5, 4.9), [name for name in names if "_mean_" in name]].notna().all().all()
    )
    assert not np.isinf(found).any().any()


def test_nobody_at_all() -> None:
    found = made(hidden(table(15), -1, 99))
    assert found["legs_seen"].eq(0).all()
    assert found.drop(columns="legs_seen").isna().all().all()


def test_nothing_is_drawn_across_a_long_gap() -> None:
    """Who comes back after seconds must not change what was seen before he went: it may be another person, and it may
    be footage that was held out."""
    footage = hidden(table(15), 8, 11)
    late = footage["time_s"] > 11
    other = footage.copy()
    other.loc[late, [*HEIGHTS, "leg_extension", "tilt", "leg_conf", "torso", "stance", "box_conf"]] += 0.5
    early = footage["time_s"] < 8
    pd.testing.assert_frame_equal(made(footage)[early], made(other)[early])
    assert not made(footage)[late].equals(made(other)[late])


def test_shots_know_nothing_of_each_other() -> None:
    """What a hard cut joins is judged as if each shot were alone: other heights, another person, another place."""
    first, second = table(30)[:200], table(30)[200:450]
    together = pd.concat([first, second.assign(feet_path=7, hips_path=7)], ignore_index=True)
    for name in HEIGHTS:
        together.loc[200:, name] += 5.0
    apart = pd.concat([made(first), made(second)], ignore_index=True)
    pd.testing.assert_frame_equal(made(together), apart, atol=2e-3)


def test_a_short_gap_is_bridged() -> None:
    """Three frames without a sure pose on a ramp, which the paths have bridged already."""
    ramp = risen(np.arange(120) * 0.1).assign(leg_extension=np.arange(120) * 0.01, tilt=0.4)
    blinked = ramp.copy()
    blinked.loc[60:62, ["leg_extension", "tilt", "stance", "torso", "leg_conf", "box_conf"]] = np.nan
    pd.testing.assert_frame_equal(made(blinked), made(ramp), atol=1e-5)
    assert made(blinked)["leg_extension"][61] == pytest.approx(0.61)


def test_hips_alone_tell_nothing_of_the_feet() -> None:
    """Only the hips are in the picture: what they do is known, what the feet do is not made up."""
    footage = table(15)
    footage[["feet_up", "left_foot_up", "right_foot_up", "feet_x"]] = np.nan
    footage["feet_path"] = -1
    found = made(footage)
    assert usable_rows(footage, "kinematics").all()
    assert found["hips_hop_0.5"].max() > 0.5
    assert found.filter(regex="^(feet|lower_foot|both_feet)").isna().all().all()


def test_a_vanishing_torso_gives_no_infinity() -> None:
    """No estimator takes infinity, and one bad frame must not reach beyond the windows around it."""
    footage, broken = table(15), table(15)
    broken.loc[150, ["leg_extension", "torso", "feet_up"]] = np.inf
    broken.loc[150, "hips_up"] = 1e4
    found = made(broken)
    assert not np.isinf(found).any().any()
    far = np.abs(footage["time_s"] - 10) > REACH_S + 1 / 15
    np.testing.assert_allclose(found[far], made(footage)[far], atol=1e-3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("playback", [1.0, 5.0])
def test_hardly_any_footage(playback: float) -> None:
    footage = table(15)
    names = kinematics(footage)[1]
    for rows in range(5):
        matrix, same = kinematics(footage.iloc[:rows], playback)
        assert matrix.shape == (rows, len(names))
        assert matrix.dtype == np.float32
        assert same == names


# Reach


@pytest.mark.parametrize("playback", [1.0, 2.25, 5.0])
@pytest.mark.parametrize("fps", [15, 30, 60])
def test_nothing_farther_than_the_reach_matters(fps: int, playback: float) -> None:
    """Whoever leaves footage out to test on must be able to rely on it. Frames between ticks are drawn from those to
    either side, so a sampled frame comes on top."""
    footage = table(fps, (*JUMPS_S, 26.0, 33.0), seconds=40)
    cut = 20 * fps
    away_s = footage["time_s"][cut] - footage["time_s"]
    rng = np.random.default_rng(1)
    values = footage.select_dtypes("float64").columns.drop("time_s")
    before = made(footage, playback)
    farthest = 0.0
    for _ in range(3):
        changed = footage.copy()
        changed.loc[cut:, values] += rng.normal(size=(len(changed) - cut, len(values)))
        same = np.isclose(made(changed, playback), before, rtol=1e-5, atol=1e-5, equal_nan=True).all(axis=1)
        farthest = max(farthest, away_s[~same].max())
    assert farthest <= REACH_S * playback + 1 / fps
    assert farthest > 1.0 * playback


def test_the_farthest_that_a_feature_sees() -> None:
    """A second of hops of which the last is over, or not, half a second later."""
    farthest = 0
    for top in range(12, 18):
        heights = np.repeat([0.0, 1.0], [90, 90])
        over = heights.copy()
        over[90 + top :] = -5.0  # below where it came from, so that the rise counts where the fall did not
        changed = (made(risen(heights)) - made(risen(over))).abs().max(axis=1) > 1e-6
        farthest = max(farthest, 90 + top - int(np.flatnonzero(changed)[0]))
    assert 1.5 <= farthest / TICKS_HZ <= REACH_S
