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

from core.intervals import Interval, from_mask
from core.motion import cuts
from core.pose import KEYPOINTS, SubjectChoice
from core.pose.subject import MAX_LOST_S, main_person
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
_SCALE_WINDOW_S = 1.4
EDGE_S = 0.002
"""A frame this little outside a window counts as inside: containers round times, Matroska to milliseconds, and a frame
that is right on the edge must not come and go with the rounding (seconds)."""
_LEGS = slice(13, 17)  # knees and ankles
_BORDER, _NEAR_BORDER = 0.012, 0.05  # of width and height: there networks put joints that lie beyond
_UNSURE = 0.3
_THIGH, _SHIN = 0.8, 0.8  # in torso lengths: stand in for the torso where the picture shows only legs


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
    shoulder, hip, ankle = _middle(keypoints, 5, 6), _middle(keypoints, 11, 12), _middle(keypoints, 15, 16)
    torso, leg = np.abs(hip[:, 1] - shoulder[:, 1]), np.abs(ankle[:, 1] - hip[:, 1])
    square = np.array([aspect, 1.0])
    torso_2d, leg_2d = _length((hip - shoulder) * square), _length((ankle - hip) * square)
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
    shoulder, hip = _middle(points, 5, 6), _middle(points, 11, 12)
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
    speed = {name: _slope(path.xy, path.segment, time_s) for name, path in paths.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        extension = _length(feet - hip) / scale
    hop_left, hop_right = (hop_height(paths[side], time_s, HOP_WINDOW_S) for side in ("left", "right"))
    return {
        "hop_ankle": hop_height(paths["feet"], time_s, HOP_WINDOW_S),
        "hop_ankle_slow": hop_height(paths["feet"], time_s, HOP_SLOW_WINDOW_S),
        "hop_hip": hop_height(paths["hip"], time_s, HOP_WINDOW_S),
        "hop_feet": np.minimum(hop_left, hop_right),
        "ankle_vy": -speed["feet"][:, 1],
        "ankle_ay": -_slope(speed["feet"], paths["feet"].segment, time_s)[:, 1],
        "hip_vy": -speed["hip"][:, 1],
        "hip_ay": -_slope(speed["hip"], paths["hip"].segment, time_s)[:, 1],
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
        "torso": _length(hip - shoulder) / scale,
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


def body_scale(points: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long the skater's torso is in each sampled frame, frame heights: a running median over 1.4 s, shape ``(n,)``.

    Where the picture cuts the torso off, the longer of thigh and shin stands in for it.

    Args:
        points: keypoints in frame heights, shape ``(n, 17, 2)``, NaN where unseen.
    """
    shoulder, hip, knee, ankle = (_middle(points, a, a + 1) for a in (5, 11, 13, 15))
    torso = _length(hip - shoulder)
    legs = np.fmax(_length(knee - hip) / _THIGH, _length(ankle - knee) / _SHIN)
    return _running_median(np.where(np.isfinite(torso), torso, legs), time_s, _SCALE_WINDOW_S)


@dataclass(frozen=True)
class BackgroundPath:
    """Where a point went against the background, in torso lengths from where its segment began; y downwards."""

    xy: NDArray[np.float64]
    """Shape ``(n, 2)``, NaN where it was not followed; gaps up to 0.8 s are bridged in a straight line."""
    segment: NDArray[np.int64]
    """Stretch over which the path is unbroken, shape ``(n,)``, -1 where there is none: cuts, long gaps, another
    person."""


def background_path(
    place: NDArray[np.float64],
    camera: CameraTable,
    scale: NDArray[np.float64],
    shot: NDArray[np.int64],
    person: NDArray[np.int64],
) -> BackgroundPath:
    """Add up, from one sighting to the next, how far a point moved beyond what the camera's motion explains.

    Adding up steps instead of chaining transforms keeps an hour of footage free of drift in scale.

    Args:
        place: the point in each sampled frame, frame heights, shape ``(n, 2)``, NaN where unseen.
        scale: torso length in each sampled frame, frame heights.
        shot: number of the shot between hard cuts.
        person: track shown in each sampled frame.
    """
    n = len(place)
    xy, segment = np.full((n, 2), np.nan), np.full(n, -1, np.int64)
    seen = np.flatnonzero(np.isfinite(place).all(axis=1) & (scale > 0))
    if not len(seen):
        return BackgroundPath(xy, segment)
    before, after = seen[:-1], seen[1:]
    carried = _carried(place[before], before, after, camera.matrices())
    step = (place[after] - carried) / ((scale[before] + scale[after]) / 2)[:, None]
    joined = (
        (camera.time_s[after] - camera.time_s[before] <= MAX_LOST_S)
        & (shot[after] == shot[before])
        & (person[after] == person[before])
    )
    number = np.concatenate([[0], np.cumsum(~joined)])
    total = np.concatenate([[[0.0, 0.0]], np.cumsum(np.where(joined[:, None], step, 0.0), axis=0)])
    xy[seen], segment[seen] = total, number
    last = np.searchsorted(seen, np.arange(n), side="right") - 1  # the sighting at or before each row
    between = np.flatnonzero(np.append(joined, False)[last] & (last >= 0))
    last = last[between]
    share = (camera.time_s[between] - camera.time_s[before[last]]) / (
        camera.time_s[after[last]] - camera.time_s[before[last]]
    )
    xy[between], segment[between] = total[last] + share[:, None] * step[last], number[last]
    return BackgroundPath(xy, segment)


def hop_height(path: BackgroundPath, time_s: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    """How high a point is above where it came from and where it goes: torso lengths, shape ``(n,)``, NaN where not
    followed.

    The lower of the rise within ``window_s`` before and the fall within ``window_s`` after: a jump has both, a step
    up, a drift of the camera or a stretch of the leg has one.
    """
    hop = np.full(len(time_s), np.nan)
    for rows in _segments(path.segment):
        height = -path.xy[rows, 1]
        at = time_s[rows]
        rise = height - _lowest_before(height, at, window_s)
        fall = height - _lowest_before(height[::-1], -at[::-1], window_s)[::-1]
        hop[rows] = np.maximum(0.0, np.minimum(rise, fall))
    return hop


def _lowest_before(values: NDArray[np.float64], at: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    """The lowest value within ``window_s`` up to and including each row."""
    index = pd.to_timedelta(at - at[0], unit="s")
    lowest = pd.Series(values, index=index).rolling(pd.Timedelta(seconds=window_s + EDGE_S), closed="both").min()
    return lowest.to_numpy()


def _segments(segment: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    rows = np.flatnonzero(segment >= 0)
    return np.split(rows, np.flatnonzero(np.diff(segment[rows])) + 1) if len(rows) else []


def _carried(
    place: NDArray[np.float64], before: NDArray[np.int64], after: NDArray[np.int64], matrices: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where points of the background that stood at ``place`` in frames ``before`` stand in frames ``after``."""
    carried = place.copy()
    longest = int((after - before).max(initial=0))
    for step in range(1, longest + 1):
        moving = np.flatnonzero(before + step <= after)
        if step > 60:  # a gap of seconds breaks the path anyway
            break
        matrix = matrices[before[moving] + step]
        carried[moving] = np.einsum("nij,nj->ni", matrix[:, :, :2], carried[moving]) + matrix[:, :, 2]
    return carried


def _slope(values: NDArray[np.float64], segment: NDArray[np.int64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central difference by time within each segment: per second, shape as ``values``, NaN where there is no
    neighbour."""
    slope = np.full_like(values, np.nan)
    for rows in _segments(segment):
        if len(rows) > 2:
            slope[rows] = np.gradient(values[rows], time_s[rows], axis=0)
    return slope


def _running_median(values: NDArray[np.float64], time_s: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    if not len(values):
        return values
    series = pd.Series(values, index=pd.to_timedelta(time_s, unit="s") + pd.Timestamp(0))
    width = pd.Timedelta(seconds=window_s + 2 * EDGE_S)
    return series.rolling(width, center=True, closed="both", min_periods=1).median().to_numpy()


def _middle(points: NDArray[np.float64], a: int, b: int) -> NDArray[np.float64]:
    return (points[:, a, :2] + points[:, b, :2]) / 2


def _length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hypot(vectors[:, 0], vectors[:, 1])
