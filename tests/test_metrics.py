"""Every curve on the timeline and every feature of the detectors comes from here.

Drawn bodies have known proportions and jump by known heights, in frames of 16:9.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike, NDArray

from core.background_path import body_scale
from core.intervals import Interval
from core.metrics import (
    CORE_JOINTS,
    METRIC_COLUMNS,
    MOTION_COLUMNS,
    PATH_COLUMNS,
    REASONS,
    Signals,
    rejected_stretches,
    signals,
    summary,
    with_amplitude,
)
from core.pose.table import CameraTable, PoseTable
from core.settings import GuardrailSettings
from tests.test_subject import ASPECT, camera

TORSO = 0.15
"""Of the drawn bodies, frame heights."""
LEG = 0.24
SHOULDERS, HIPS, KNEES, ANKLES = (5, 6), (11, 12), (13, 14), (15, 16)

Points = NDArray[np.float64]


def body(x: ArrayLike, y: ArrayLike) -> Points:
    """People who stand upright with the hips at ``x, y``, frame heights: shape ``(n, 17, 2)``."""
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    points = np.stack([x, y], axis=-1)[:, None] + np.zeros((17, 2))
    points[:, :5, 1] -= TORSO + 0.06
    points[:, 5:9, 1] -= TORSO
    points[:, KNEES, 1] += LEG / 2
    points[:, ANKLES, 1] += LEG
    points[:, 1::2, 0] += 0.02  # left joints
    points[:, 2::2, 0] -= 0.02
    return points


def seen(points: Points, still: CameraTable, where: NDArray[np.bool_] | None = None) -> PoseTable:
    """One tracked person a sampled frame, ``where`` true, from joints in frame heights; unseen joints are NaN."""
    rows = np.flatnonzero(np.ones(len(points), bool) if where is None else where)
    xy = (points / [ASPECT, 1.0])[rows]
    low, high = np.nanmin(xy, axis=1), np.nanmax(xy, axis=1)
    confidence = np.where(np.isfinite(xy[..., :1]), 0.8, 0.01)
    return PoseTable(
        frame=still.frame[rows],
        time_s=still.time_s[rows],
        person=np.zeros(len(rows), np.int32),
        score=np.full(len(rows), 0.9, np.float32),
        boxes=np.hstack([low - 0.01, high + 0.01]).astype(np.float32),
        keypoints=np.concatenate([xy, confidence], axis=-1).astype(np.float32),
    )


def measured(pose: PoseTable, still: CameraTable, **guardrails: float) -> Signals:
    return signals(pose, still, ASPECT, GuardrailSettings(**guardrails))


## Lengths and ratios


def test_tuck_ratio_is_leg_by_torso_of_the_midpoints_heights() -> None:
    # By hand: shoulders at 0.28 and 0.32, hips at 0.50 and 0.54, ankles at 0.60 and 0.68: 0.12 / 0.22.
    points = body([0.9], [0.5])
    for joints, heights in ((SHOULDERS, (0.28, 0.32)), (HIPS, (0.50, 0.54)), (ANKLES, (0.60, 0.68))):
        points[0, joints, 1] = heights
    still = camera(1)
    row = measured(seen(points, still), still).movement_metrics.iloc[0]
    assert row["tuck_ratio"] == pytest.approx(0.12 / 0.22)
    assert (row["torso_len"], row["leg_len"]) == (pytest.approx(0.22), pytest.approx(0.12))
    assert (row["shoulder_y"], row["hip_y"], row["ankle_y"]) == tuple(map(pytest.approx, (0.30, 0.52, 0.64)))


def test_a_body_that_lies_is_measured_by_the_ratio_of_lengths() -> None:
    # A grab or a fall: the heights collapse, the body does not.
    points = body([0.9], [0.5])
    for joints, x, y in ((SHOULDERS, 0.6, 0.495), (HIPS, 0.8, 0.505), (ANKLES, 1.1, 0.5)):
        points[0, joints, 0], points[0, joints, 1] = x, y
    still = camera(1)
    table = measured(seen(points, still), still).table
    assert table["rejected"].tolist() == ["torso_too_small"]
    assert table["tuck_ratio_2d"][0] == pytest.approx(np.hypot(0.3, 0.005) / np.hypot(0.2, 0.01), rel=1e-4)


def test_the_ratio_of_lengths_does_not_depend_on_the_shape_of_the_frame() -> None:
    # A body that leans by 45 degrees has legs 1.6 times its torso in every frame: x counts by the frame's width.
    points = body([0.9], [0.5])
    for joints, along in ((SHOULDERS, -0.10), (HIPS, 0.0), (ANKLES, 0.16)):
        points[0, joints] = [0.8 + along, 0.5 + along]
    points[0, ANKLES] = [[0.8 + 0.16, 0.5 - 0.16]] * 2  # legs folded the other way
    still = camera(1)
    assert measured(seen(points, still), still).table["tuck_ratio_2d"][0] == pytest.approx(1.6, rel=1e-4)


def test_the_rest_of_the_row() -> None:
    still = camera(1)
    pose = seen(body([0.9], [0.5]), still)
    pose.keypoints[0, CORE_JOINTS, 2] = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
    row = measured(pose, still).movement_metrics.iloc[0]
    x1, y1, x2, y2 = pose.boxes[0]
    told = {"left_shoulder": 0.9, "right_shoulder": 0.8, "left_hip": 0.7, "right_hip": 0.6, "left_ankle": 0.5}
    for joint, confidence in (told | {"right_ankle": 0.4}).items():
        assert row[f"{joint}_conf"] == pytest.approx(confidence)
    assert row["min_core_conf"] == pytest.approx(0.4)
    assert row["mean_kpt_conf"] == pytest.approx((11 * 0.8 + 3.9) / 17)
    assert row["box_conf"] == pytest.approx(0.9)
    assert row["box_area"] == pytest.approx((x2 - x1) * (y2 - y1))
    assert (row["box_cx"], row["box_cy"]) == (pytest.approx((x1 + x2) / 2), pytest.approx((y1 + y2) / 2))


def test_columns_are_the_ones_that_others_rely_on() -> None:
    still = camera(3)
    result = measured(seen(body([0.9] * 3, [0.5] * 3), still), still)
    assert tuple(result.table.columns) == (*METRIC_COLUMNS, *MOTION_COLUMNS, *PATH_COLUMNS, "person", "rejected")
    assert tuple(result.movement_metrics.columns) == (*METRIC_COLUMNS, *MOTION_COLUMNS, *PATH_COLUMNS, "person")


## Guardrails


def _spoil(pose: PoseTable, row: int, reason: str) -> None:
    """Give row ``row`` one fault."""
    box, points = pose.boxes[row], pose.keypoints[row]
    if reason == "missing_boxes":
        box[2] = box[0]
    elif reason == "invalid_keypoints":
        points[15] = (np.nan, np.nan, 0.01)
    elif reason == "touching_edge":
        box[3] = 0.99
    elif reason == "torso_too_small":
        points[HIPS, 1] = points[SHOULDERS, 1] + 0.019
    elif reason == "impossible_ratio":
        points[ANKLES, 1] = points[HIPS, 1] + 0.19 * TORSO
    else:
        raise ValueError(reason)


def _spoilt(reasons: tuple[str, ...]) -> Signals:
    """Ten good frames, the first of which have one fault each."""
    still = camera(10)
    where = np.ones(10, bool)
    where[[i for i, reason in enumerate(reasons) if reason == "no_person"]] = False
    pose = seen(body([0.9] * 10, [0.5] * 10), still, where)
    for i, reason in enumerate(reasons):
        if reason != "no_person":
            _spoil(pose, int(np.flatnonzero(pose.frame == still.frame[i])[0]), reason)
    return measured(pose, still)


@pytest.mark.parametrize("reason", REASONS)
def test_each_fault_is_rejected_for_its_own_reason_and_counted(reason: str) -> None:
    # The health check tells the filmer why frames are missing: "too small" asks for other footage than "cut off".
    result = _spoilt((reason,))
    assert result.rejections == {**dict.fromkeys(REASONS, 0), reason: 1}
    assert result.table["rejected"].tolist() == [reason] + [""] * 9
    assert len(result.movement_metrics) == 9


def test_all_faults_together_are_counted_apart() -> None:
    result = _spoilt(REASONS)
    assert result.rejections == dict.fromkeys(REASONS, 1)
    assert result.movement_metrics["frame"].tolist() == result.table["frame"].tolist()[len(REASONS) :]


@pytest.mark.parametrize(
    ("edge", "rejected"),
    [((0, 0.019), True), ((1, 0.019), True), ((2, 0.981), True), ((3, 0.981), True), ((0, 0.021), False)],
    ids=["left", "top", "right", "bottom", "just inside"],
)
def test_a_box_at_each_border_is_cut_off(edge: tuple[int, float], rejected: bool) -> None:
    still = camera(1)
    pose = seen(body([0.9], [0.5]), still)
    pose.boxes[0, edge[0]] = edge[1]
    assert measured(pose, still).rejections["touching_edge"] == rejected


def test_a_knob_that_is_loosened_lets_frames_in() -> None:
    still = camera(3)
    pose = seen(body([0.9] * 3, [0.5] * 3), still)
    for row, reason in enumerate(("touching_edge", "torso_too_small", "impossible_ratio")):
        _spoil(pose, row, reason)
    assert len(measured(pose, still).movement_metrics) == 0
    assert len(measured(pose, still, edge_margin=0, min_torso_len=0.01, min_tuck_ratio=0.1).movement_metrics) == 3


def test_what_was_not_seen_is_nan_and_never_zero() -> None:
    # A zero is a place: the upper left corner. One such point is a jump of the whole frame's height.
    still = camera(9)
    where = np.arange(9) != 4
    pose = seen(body([0.9] * 9, [0.5] * 9), still, where)
    pose.keypoints[2, 15:17, :2] = np.nan
    table = measured(pose, still).table
    gone = ["tuck_ratio", "tuck_ratio_2d", "hip_y", "torso_len", "leg_len", "shoulder_y", "ankle_y", "box_conf"]
    assert table.loc[4, gone].isna().all()
    assert table.loc[2, ["tuck_ratio", "tuck_ratio_2d", "leg_len", "ankle_y"]].isna().all()
    assert table.loc[2, "torso_len"] == pytest.approx(TORSO)
    others = table.drop(index=[2, 4])
    assert (others[gone] > 0.05).all(axis=None)
    assert table["hop_ankle"].notna().all()  # bridged
    assert (table["person"] == np.where(where, 0, -1)).all()


def test_nobody_at_all_gives_rows_of_nan() -> None:
    still = camera(6)
    result = measured(seen(body([0.9] * 6, [0.5] * 6), still, np.zeros(6, bool)), still)
    assert result.rejections["no_person"] == 6
    assert result.movement_metrics.empty
    assert result.table[["tuck_ratio", "hop_ankle", "hop_hip", "ankle_vy", "body_scale"]].isna().all(axis=None)


## Hops: what finds the tricks

RISE_S = 0.32
"""So long does a jump of one torso, half a metre, rise: the root of 2 x 0.5 m / 9.81 m/s^2."""


def hop(time_s: NDArray[np.float64], at_s: float, torsos: float = 1.0) -> NDArray[np.float64]:
    """Height of a jump above the ground, frame heights."""
    return TORSO * np.maximum(0.0, torsos - ((time_s - at_s) / RISE_S) ** 2)


def jumping(hz: float, phase: float = 0.0, seconds: float = 4.0) -> tuple[CameraTable, Points]:
    """Somebody who rolls and jumps by one torso at 2 s; ``phase`` shifts the samples by parts of one."""
    still = camera(round(seconds * hz), hz)
    time_s = still.time_s + phase / hz
    return still, body(0.4 + 0.25 * time_s, 0.6 - hop(time_s, 2.0))


def filmed(
    still: CameraTable, points: Points, zoom: NDArray[np.float64], turn: NDArray[np.float64], shift: Points
) -> tuple[CameraTable, Points]:
    """The same, seen by a camera that moves: ``zoom``, ``turn`` (radians) and ``shift`` (frame heights) by frame."""
    middle = np.array([ASPECT / 2, 0.5])
    linear = zoom[:, None, None] * np.stack([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).transpose(
        2, 0, 1
    )
    offset = middle + shift - linear @ middle
    on_screen = np.einsum("nij,nkj->nki", linear, points) + offset[:, None]
    step = linear[1:] @ np.linalg.inv(linear[:-1])
    moved = offset[1:] - np.einsum("nij,nj->ni", step, offset[:-1])
    columns = {
        "scale": np.append(1.0, np.hypot(step[:, 0, 0], step[:, 1, 0])),
        "rotation": np.append(0.0, np.arctan2(step[:, 1, 0], step[:, 0, 0])),
        "dx": np.append(0.0, moved[:, 0]),
        "dy": np.append(0.0, moved[:, 1]),
    }
    return replace(still, **columns), on_screen


@pytest.mark.parametrize("hz", [10.0, 15.0, 30.0])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5])
def test_a_jump_of_one_torso_is_a_hop_of_one(hz: float, phase: float) -> None:
    # Heights must not depend on the sampling rate, or a detector trained at 15 a second misses at 30.
    still, points = jumping(hz, phase)
    table = measured(seen(points, still), still).table
    for column in ("hop_ankle", "hop_ankle_slow", "hop_hip", "hop_feet"):
        assert table[column].max() == pytest.approx(1.0, abs=0.1)
        assert abs(still.time_s[table[column].to_numpy().argmax()] + phase / hz - 2.0) < 0.6 / hz
        assert table[column][(table["time_s"] - 2.0).abs() > 0.5].max() < 0.02


@pytest.mark.parametrize("hz", [10.0, 15.0, 30.0])
@pytest.mark.parametrize("way", ["pan", "tilt with the jump", "shake", "zoom in", "zoom out", "roll"])
def test_a_moving_camera_does_not_change_the_hop(hz: float, way: str) -> None:
    # A filmer follows the jump with the lens, and his own steps shake the picture.
    still, points = jumping(hz)
    time_s, n = still.time_s, still.n
    zoom, turn, shift = np.ones(n), np.zeros(n), np.zeros((n, 2))
    if way == "pan":
        shift[:, 0] = -0.2 * time_s
    elif way == "tilt with the jump":
        shift[:, 1] = hop(time_s, 2.0)
    elif way == "shake":
        shift = 0.08 * np.stack([np.sin(9 * time_s), np.cos(7 * time_s)], axis=1)
    elif way == "roll":
        turn = 0.1 * np.sin(3 * time_s)
    else:
        zoom = np.exp((0.15 if way == "zoom in" else -0.15) * (time_s - 2.0))
    moving, on_screen = filmed(still, points, zoom, turn, shift)
    table = measured(seen(on_screen, moving), moving).table
    for column in ("hop_ankle", "hop_hip", "hop_feet"):
        assert table[column].max() == pytest.approx(1.0, abs=0.1)
        assert table[column][(table["time_s"] - 2.0).abs() > 0.5].max() < 0.1


def test_a_camera_that_follows_the_jump_hides_it_unless_its_motion_is_taken_off() -> None:
    # Says that the test before tests something.
    still, points = jumping(15.0)
    shift = np.stack([np.zeros(still.n), hop(still.time_s, 2.0)], axis=1)
    _, on_screen = filmed(still, points, np.ones(still.n), np.zeros(still.n), shift)
    assert measured(seen(on_screen, still), still).table["hop_ankle"].max() < 0.02


def test_feet_on_the_border_of_the_picture_are_not_seen() -> None:
    """There the networks put feet that lie beyond it: they move with the picture and would hop in every pan."""
    still, points = jumping(15.0)
    cut_off = points.copy()
    cut_off[:, 13:17, 1] = 0.995
    table = measured(seen(cut_off, still), still).table
    assert table["feet_up"].isna().all()
    assert (table["feet_path"] == -1).all()
    assert table["hop_hip"].max() == pytest.approx(measured(seen(points, still), still).table["hop_hip"].max())


@pytest.mark.parametrize("nearer", [0.5, 1.3])
def test_heights_are_in_torsos_however_near_the_skater_is(nearer: float) -> None:
    still, points = jumping(15.0)
    points = (points - [0.9, 0.5]) * nearer + [0.9, 0.5]
    assert measured(seen(points, still), still).table["hop_ankle"].max() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("hz", [10.0, 15.0, 30.0])
def test_a_gap_of_a_third_of_a_second_in_the_jump_is_bridged(hz: float) -> None:
    # Blur costs poses in the fastest part. What is left of the height is what was seen beside the gap.
    still, points = jumping(hz)
    gap = (still.time_s - 2.0 >= -0.05) & (still.time_s - 2.0 < 0.25 - 1e-9)
    table = measured(seen(points, still, ~gap), still).table
    assert table["hop_ankle"].notna().all()
    assert 0.7 < table["hop_ankle"].to_numpy(np.float64).max() < 1.1
    assert (table["rejected"] == "no_person").sum() == gap.sum()


def test_a_gap_of_a_second_is_not_bridged() -> None:
    # What happened in a second is anybody's guess, and a straight line through it a claim.
    still, points = jumping(15.0)
    gap = (still.time_s > 1.5) & (still.time_s < 2.5)
    table = measured(seen(points, still, ~gap), still).table
    assert table.loc[gap, ["hop_ankle", "hop_hip", "ankle_vy", "ankle_vx"]].isna().all(axis=None)
    assert table.loc[~gap, "hop_ankle"].notna().all()
    assert table["hop_ankle"].max() < 0.1


def test_a_hop_on_one_side_of_a_long_gap_does_not_see_across_it() -> None:
    # He comes back elsewhere in the frame: no rise and no fall.
    still = camera(60)
    y = np.where(np.arange(60) < 30, 0.65, 0.4)
    gap = (np.arange(60) >= 22) & (np.arange(60) < 38)
    assert measured(seen(body(np.full(60, 0.9), y), still, ~gap), still).table["hop_ankle"].max() < 0.01


@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.0])
def test_a_step_up_is_no_hop(seconds: float) -> None:
    # Climbing a kerb, a stair or a ramp rises and does not come back.
    still = camera(60)
    y = 0.65 - TORSO * 1.2 * np.clip((still.time_s - 2.0) / seconds, 0, 1)
    table = measured(seen(body(np.full(60, 0.9), y), still), still).table
    assert (table[["hop_ankle", "hop_ankle_slow", "hop_hip"]] < 0.02).all(axis=None)


def test_one_lifted_foot_is_no_hop_of_the_feet() -> None:
    # Pushing off lifts one foot only.
    still = camera(60)
    points = body(np.full(60, 0.9), np.full(60, 0.5))
    points[:, 15, 1] -= hop(still.time_s, 2.0)
    table = measured(seen(points, still), still).table
    assert table["hop_feet"].max() < 0.02
    assert table["hop_hip"].max() < 0.02


def test_a_cut_is_no_hop() -> None:
    # Three frames of another shot, in which the skater stands higher.
    n = 60
    difference = np.full(n, 2.0)
    difference[[28, 31]] = 60.0
    shots = camera(n, difference=difference)
    y = np.where((np.arange(n) >= 28) & (np.arange(n) < 31), 0.4, 0.6)
    assert measured(seen(body(np.full(n, 0.9), y), shots), shots).table["hop_ankle"].max() < 0.01


def test_another_person_is_no_hop() -> None:
    # Three skaters take turns, and the second stands on a ledge.
    turn = np.repeat([0, 1, 2], 22)
    still = camera(66)
    pose = seen(body(np.full(66, 0.9), np.where(turn == 1, 0.4, 0.6)), still)
    table = measured(replace(pose, person=turn.astype(np.int32)), still).table
    assert table["person"].tolist() == turn.tolist()
    assert (table[["hop_ankle", "hop_ankle_slow", "hop_hip"]] < 0.01).all(axis=None)


def test_a_jump_in_slow_motion_shows_in_the_slow_hop() -> None:
    # Footage slowed down to a quarter: the rise takes 1.3 s.
    still = camera(150)
    y = 0.6 - hop(still.time_s / 4, 1.25)
    table = measured(seen(body(np.full(150, 0.9), y), still), still).table
    assert table["hop_ankle_slow"].max() == pytest.approx(1.0, abs=0.1)
    assert table["hop_ankle"].max() < 0.3


@pytest.mark.parametrize("hz", [10.0, 15.0, 30.0])
def test_speeds_are_in_torsos_a_second_and_upwards(hz: float) -> None:
    still = camera(round(2 * hz), hz)
    rising = body(0.5 + 0.3 * still.time_s, 0.7 - 0.06 * still.time_s)
    table = measured(seen(rising, still), still).table
    for column in ("ankle_vy", "hip_vy", "shoulder_vy"):
        assert table[column].to_numpy() == pytest.approx(0.06 / TORSO, rel=0.01)
    assert table["ankle_vx"].to_numpy() == pytest.approx(0.3 / TORSO, rel=0.01)
    assert table["ankle_ay"].abs().max() < 0.02


def test_free_fall_has_its_acceleration() -> None:
    still, points = jumping(30.0)
    table = measured(seen(points, still), still).table
    flight = (table["time_s"] - 2.0).abs() < RISE_S - 0.1
    assert table["ankle_ay"][flight].to_numpy() == pytest.approx(-2.0 / RISE_S**2, rel=0.02)


def test_the_scale_comes_from_the_legs_where_the_torso_is_out_of_the_picture() -> None:
    # Filmed from below the knees up to the hips, a hop must still be in body lengths.
    points = body(np.full(30, 0.9), np.full(30, 0.3))
    points[:, KNEES, 1] = points[:, HIPS, 1] + 0.8 * TORSO
    points[:, ANKLES, 1] = points[:, KNEES, 1] + 0.8 * TORSO
    points[:, SHOULDERS] = np.nan
    assert body_scale(points, np.arange(30) / 15) == pytest.approx(TORSO)


def test_a_single_bad_torso_does_not_change_the_scale() -> None:
    points = body(np.full(30, 0.9), np.full(30, 0.5))
    points[15, SHOULDERS, 1] += 0.1
    assert body_scale(points, np.arange(30) / 15) == pytest.approx(TORSO)


def test_unmeasured_camera_motion_stays_unmeasured() -> None:
    still = camera(20)
    blind = replace(still, dx=np.full(20, np.nan), dy=np.full(20, np.nan), agreement=np.zeros(20))
    table = measured(seen(body(np.full(20, 0.9), np.full(20, 0.5)), still), blind).table
    assert table[["camera_dx", "camera_dy"]].isna().all(axis=None)
    assert table["hop_ankle"].max() < 0.01


def test_amplitude_scales_heights_and_speeds_and_nothing_else() -> None:
    # Training repeats a jump higher and lower; a tuck ratio or a time must stay.
    still, points = jumping(15.0)
    table = measured(seen(points, still), still).table
    twice = with_amplitude(table, 2.0)
    changed = [name for name in table if not table[name].equals(twice[name])]
    rising = {name for name in PATH_COLUMNS if name.endswith("_up")}
    moving = {name for name in MOTION_COLUMNS if name.startswith(("hop_", "ankle_", "hip_", "shoulder_"))}
    assert set(changed) <= moving | rising
    assert rising <= set(changed)
    pd.testing.assert_series_equal(twice["hop_ankle"], 2 * table["hop_ankle"])
    assert with_amplitude(table, 1.0) is table


def test_rejected_frames_are_shown_as_stretches_of_the_video() -> None:
    """A click on "9 at the edge" leads to the frames themselves, those between the sampled ones included."""
    table = pd.DataFrame({"frame": [0, 2, 4, 6, 8], "rejected": ["", "no_person", "no_person", "", "no_person"]})
    assert rejected_stretches(table, "no_person", n_frames=9) == [
        Interval(2, 5, "nobody seen"),
        Interval(8, 8, "nobody seen"),
    ]
    assert rejected_stretches(table, "touching_edge", n_frames=9) == []


def test_the_summary_of_a_stretch_knows_what_was_not_measured() -> None:
    table = pd.DataFrame({"frame": [0, 2, 4, 6], "hop": [9.0, 1.0, np.nan, 3.0], "gone": [np.nan] * 4})
    said = summary(table, 1, 6, ["hop", "gone"])
    assert said[["lowest", "median", "highest"]].to_numpy().tolist()[0] == [1, 2, 3]
    assert said["seen"].tolist() == pytest.approx([2 / 3, 0.0])
    assert said.isna().to_numpy().tolist()[1] == [True, True, True, False]
