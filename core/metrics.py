"""The signals of the skater's body: tuck_ratio, hop height, speeds and what the guardrails rejected.

``signals`` gives one row per sampled frame; ``movement_metrics`` keeps the rows that passed the guardrails. Everything
here comes from the stored tables, so a changed knob never runs the pose network again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.background_path import BackgroundPath, background_path, body_scale, hop_height, length, middle, slope
from core.intervals import Interval, from_mask
from core.motion import cuts
from core.pose import KEYPOINTS, SubjectChoice
from core.pose.subject import main_person
from core.pose.table import CameraTable, PoseTable
from core.settings import GuardrailSettings

REASONS = ("no_person", "missing_boxes", "invalid_keypoints", "touching_edge", "torso_too_small", "impossible_ratio")
"""Why a sampled frame was rejected, in the order in which it is asked."""

REASON_WORDS = {
    "no_person": "nobody seen",
    "missing_boxes": "no box",
    "invalid_keypoints": "joints not seen",
    "touching_edge": "at the edge",
    "torso_too_small": "too small",
    "impossible_ratio": "impossible legs",
}
"""The reasons as people say them."""

CORE_JOINTS = (5, 6, 11, 12, 15, 16)
"""Shoulders, hips and ankles: the joints that tuck_ratio is made of."""

METRIC_COLUMNS = (
    "frame", "time_s", "tuck_ratio", "hip_y", "torso_len", "leg_len", "shoulder_y", "ankle_y",
    *(f"{KEYPOINTS[joint]}_conf" for joint in CORE_JOINTS),
    "mean_kpt_conf", "min_core_conf", "box_area", "box_conf", "box_cx", "box_cy", "tuck_ratio_2d",
)  # fmt: skip

MOTION_COLUMNS = (
    "hop_ankle", "hop_ankle_slow", "hop_hip", "hop_feet",
    "ankle_vy", "ankle_ay", "hip_vy", "hip_ay", "shoulder_vy", "ankle_vx",
    "leg_extension", "body_scale", "camera_dx", "camera_dy", "camera_zoom", "camera_agreement",
)  # fmt: skip

PATH_COLUMNS = (
    "feet_up", "left_foot_up", "right_foot_up", "hips_up", "shoulders_up", "head_up", "feet_x", "hips_x",
    "feet_path", "hips_path", "tilt", "stance", "torso", "leg_conf",
)  # fmt: skip
"""Where the body is against the background, in torso lengths from anywhere, up being positive; the numbers of the
unbroken stretches over which feet and hips were followed (-1 nowhere); the torso's lean (radians), the feet's distance
along the ground and the torso, in torso lengths; confidence in the legs; how fast the background passes, torso lengths
a second."""

HOP_WINDOW_S = 0.4
"""An ollie rises and falls within this, each way (seconds)."""
HOP_SLOW_WINDOW_S = 1.6
"""The same four times slowed down."""
_LEGS = slice(13, 17)  # knees and ankles
_BORDER, _NEAR_BORDER = 0.012, 0.05  # of width and height: there networks put joints that lie beyond
_UNSURE = 0.3


_AMPLITUDES = (
    "hop_ankle", "hop_ankle_slow", "hop_hip", "hop_feet", "ankle_vy", "ankle_ay", "hip_vy", "hip_ay", "shoulder_vy",
    "ankle_vx", "feet_up", "left_foot_up", "right_foot_up", "hips_up", "shoulders_up", "head_up",
)  # fmt: skip


@dataclass(frozen=True)
class Signals:
    """What was measured on one video with one choice of stride and backend."""

    table: pd.DataFrame
    """One row per sampled frame: METRIC_COLUMNS, MOTION_COLUMNS, PATH_COLUMNS, ``person`` and ``rejected`` (a reason,
    or empty)."""
    boxes: NDArray[np.float64]
    """The skater's, shape ``(n, 4)``: x1, y1, x2, y2 in 0..1, NaN where he is not seen."""
    rows: NDArray[np.int64]
    """Which row of the pose table shows him, -1 where he is not seen: shape ``(n,)``."""

    def judged(self, guardrails: GuardrailSettings) -> Signals:
        """The same measurements under other guardrails."""
        return replace(self, table=self.table.assign(rejected=_rejected(self.table, self.boxes, guardrails)))

    @property
    def movement_metrics(self) -> pd.DataFrame:
        """The rows that passed the guardrails, without the column ``rejected``."""
        return self.table[self.table["rejected"] == ""].drop(columns="rejected").reset_index(drop=True)

    @property
    def rejections(self) -> dict[str, int]:
        """How many sampled frames each guardrail rejected."""
        counts = self.table["rejected"].value_counts()
        return {reason: int(counts.get(reason, 0)) for reason in REASONS}


def signals(
    pose: PoseTable,
    camera: CameraTable,
    aspect: float,
    guardrails: GuardrailSettings,
    choices: Iterable[SubjectChoice] = (),
) -> Signals:
    """Measure the skater in every sampled frame.

    Args:
        aspect: width / height of the upright frame.
        choices: who is the skater, where that was said.
    """
    row = main_person(pose, camera, choices)
    seen = row >= 0
    keypoints = np.full((camera.n, 17, 3), np.nan)
    boxes = np.full((camera.n, 4), np.nan)
    score = np.full(camera.n, np.nan)
    person = np.full(camera.n, -1)
    keypoints[seen], boxes[seen] = pose.keypoints[row[seen]], pose.boxes[row[seen]]
    score[seen], person[seen] = pose.score[row[seen]], pose.person[row[seen]]
    columns = {"frame": camera.frame, "time_s": camera.time_s}
    columns |= _metrics(keypoints, boxes, score, aspect)
    columns |= _motion(keypoints, person, camera, aspect)
    table = pd.DataFrame({name: columns[name] for name in (*METRIC_COLUMNS, *MOTION_COLUMNS, *PATH_COLUMNS)})
    table["person"] = person
    table["rejected"] = _rejected(table, boxes, guardrails)
    return Signals(table, boxes, row)


def hop(table: pd.DataFrame) -> pd.Series:
    """How high the skater hops in each sampled frame, torso lengths: the larger of the feet's hop within 1.6 s, slow
    motion included, and the hips' within 0.4 s; NaN where neither is known."""
    return table[["hop_ankle_slow", "hop_hip"]].max(axis=1)


def rejected_stretches(table: pd.DataFrame, reason: str, n_frames: int) -> list[Interval]:
    """Where frames were rejected for one reason, each sampled frame standing for those up to the next, labelled with
    the reason in words."""
    until = np.append(table["frame"].to_numpy()[1:], n_frames) - 1
    frame = table["frame"].to_numpy()
    runs = from_mask(table["rejected"].to_numpy() == reason)
    return [Interval(int(frame[run.start_frame]), int(until[run.end_frame]), REASON_WORDS[reason]) for run in runs]


def summary(table: pd.DataFrame, start_frame: int, end_frame: int, columns: Sequence[str]) -> pd.DataFrame:
    """What some signals did between two decoded frames, both included: a row each, indexed by name, with ``lowest``,
    ``median``, ``highest`` and ``seen``, the share of the sampled frames in which it was measured. NaN where none."""
    inside = table[table["frame"].between(start_frame, end_frame)][list(columns)]
    return pd.DataFrame(
        {"lowest": inside.min(), "median": inside.median(), "highest": inside.max(), "seen": inside.notna().mean()}
    )


def with_amplitude(table: pd.DataFrame, factor: float) -> pd.DataFrame:
    """The same movements, ``factor`` times as high and as fast."""
    if factor == 1.0:
        return table
    scaled = table.copy()
    scaled[list(_AMPLITUDES)] *= factor
    return scaled


def _metrics(
    keypoints: NDArray[np.float64], boxes: NDArray[np.float64], score: NDArray[np.float64], aspect: float
) -> dict[str, NDArray[np.float64]]:
    shoulder, hip, ankle = middle(keypoints, 5, 6), middle(keypoints, 11, 12), middle(keypoints, 15, 16)
    torso, leg = np.abs(hip[:, 1] - shoulder[:, 1]), np.abs(ankle[:, 1] - hip[:, 1])
    square = np.array([aspect, 1.0])
    torso_2d, leg_2d = length((hip - shoulder) * square), length((ankle - hip) * square)
    confidence = keypoints[..., 2]
    core = confidence[:, CORE_JOINTS]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, ratio_2d = leg / torso, leg_2d / torso_2d
    return {
        "tuck_ratio": ratio,
        "tuck_ratio_2d": ratio_2d,
        "hip_y": hip[:, 1],
        "torso_len": torso,
        "leg_len": leg,
        "shoulder_y": shoulder[:, 1],
        "ankle_y": ankle[:, 1],
        **{f"{KEYPOINTS[joint]}_conf": confidence[:, joint] for joint in CORE_JOINTS},
        "mean_kpt_conf": confidence.mean(axis=1),
        "min_core_conf": core.min(axis=1),
        "box_area": (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
        "box_conf": score,
        "box_cx": (boxes[:, 0] + boxes[:, 2]) / 2,
        "box_cy": (boxes[:, 1] + boxes[:, 3]) / 2,
    }


def _rejected(table: pd.DataFrame, boxes: NDArray[np.float64], guardrails: GuardrailSettings) -> NDArray[np.object_]:
    edge = guardrails.edge_margin
    with np.errstate(invalid="ignore"):
        tests = (
            table["person"].to_numpy() < 0,
            ~(table["box_area"].to_numpy() > 0),
            table[["torso_len", "leg_len"]].isna().any(axis=1).to_numpy(),
            (boxes[:, :2] < edge).any(axis=1) | (boxes[:, 2:] > 1 - edge).any(axis=1),
            table["torso_len"].to_numpy() < guardrails.min_torso_len,
            ~(table["tuck_ratio"].to_numpy() >= guardrails.min_tuck_ratio),
        )
    return np.select(tests, REASONS, default="").astype(object)


def _motion(
    keypoints: NDArray[np.float64], person: NDArray[np.int64], camera: CameraTable, aspect: float
) -> dict[str, NDArray[np.float64]]:
    points = keypoints[..., :2] * [aspect, 1.0]  # frame heights
    points[:, _LEGS] = np.where(_outside(keypoints[:, _LEGS])[..., None], np.nan, points[:, _LEGS])
    shoulder, hip = middle(points, 5, 6), middle(points, 11, 12)
    left, right = points[:, 15], points[:, 16]
    ankle = (left + right) / 2
    feet = np.where(np.isfinite(ankle), ankle, np.where(np.isfinite(left), left, right))
    scale = body_scale(points, camera.time_s)
    shot = np.cumsum(cuts(camera.difference), dtype=np.int64)
    time_s = camera.time_s
    paths = {
        name: background_path(place, camera, scale, shot, person)
        for name, place in (
            ("feet", feet),
            ("left", left),
            ("right", right),
            ("hip", hip),
            ("shoulder", shoulder),
            ("head", points[:, 0]),
        )
    }
    speed = {name: slope(path.xy, path.segment, time_s) for name, path in paths.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        extension = length(feet - hip) / scale
    hop_left, hop_right = (hop_height(paths[side], time_s, HOP_WINDOW_S) for side in ("left", "right"))
    return {
        "hop_ankle": hop_height(paths["feet"], time_s, HOP_WINDOW_S),
        "hop_ankle_slow": hop_height(paths["feet"], time_s, HOP_SLOW_WINDOW_S),
        "hop_hip": hop_height(paths["hip"], time_s, HOP_WINDOW_S),
        "hop_feet": np.minimum(hop_left, hop_right),
        "ankle_vy": -speed["feet"][:, 1],
        "ankle_ay": -slope(speed["feet"], paths["feet"].segment, time_s)[:, 1],
        "hip_vy": -speed["hip"][:, 1],
        "hip_ay": -slope(speed["hip"], paths["hip"].segment, time_s)[:, 1],
        "shoulder_vy": -speed["shoulder"][:, 1],
        "ankle_vx": speed["feet"][:, 0],
        "leg_extension": extension,
        "body_scale": scale,
        "camera_dx": camera.dx,
        "camera_dy": camera.dy,
        "camera_zoom": camera.scale,
        "camera_agreement": camera.agreement,
        **_paths(paths),
        "tilt": np.abs(np.arctan2((shoulder - hip)[:, 0], (hip - shoulder)[:, 1])),
        "stance": np.abs((left - right)[:, 0]) / scale,
        "torso": length(hip - shoulder) / scale,
        "leg_conf": keypoints[:, 11:, 2].mean(axis=1),
    }


def _outside(keypoints: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Joints on the border of the picture, or unsure and close to it: shape as ``keypoints`` without the last axis. It
    is where the networks put those that lie beyond, and they go along with the picture, not with the body."""
    place, confidence = keypoints[..., :2], keypoints[..., 2]
    margin = np.where(confidence < _UNSURE, _NEAR_BORDER, _BORDER)[..., None]
    with np.errstate(invalid="ignore"):
        return np.asarray(((place < margin) | (place > 1 - margin)).any(axis=-1))


def _paths(paths: dict[str, BackgroundPath]) -> dict[str, NDArray[Any]]:
    names = {
        "feet": "feet_up", "left": "left_foot_up", "right": "right_foot_up", "hip": "hips_up",
        "shoulder": "shoulders_up", "head": "head_up",
    }  # fmt: skip
    return {
        **{name: -paths[point].xy[:, 1] for point, name in names.items()},
        "feet_x": paths["feet"].xy[:, 0],
        "hips_x": paths["hip"].xy[:, 0],
        "feet_path": paths["feet"].segment,
        "hips_path": paths["hip"].segment,
    }
