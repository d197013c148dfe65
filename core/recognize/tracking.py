"""Several persons told apart through a video: sightings of a pose table become tracks.

:func:`core.pose.subject.link` finds the one skater whom a camera follows; this tells people apart who cross. It is the
way of ByteTrack (Zhang et al. 2022, arXiv:2110.06864): sure sightings first continue tracks, then weak ones continue
those that are left, and only a sure one begins a track. Instead of the overlap of boxes, the likelihood of place, size
and pose decides, under a constant-velocity filter that the measured motion of the camera carries along. Afterwards
tracks are joined over gaps.

Why no library: the ByteTrack of ``trackers`` 2.6 (Apache-2.0, the successor of that in supervision), with the same
scores to begin a track, tells 68 % of two drawn persons who cross apart when the camera pans, and 18 % of three; given
the coordinates of the ground instead it tells 100 and 72 % apart, but leaves 12 % of the reference session's skater,
whom the camera follows, in one piece. Here it is 100, 98 and 99.7 %
(``python -m tests.bench.bench_players 40 --byte``). That of Ultralytics, which is under the AGPL and needs ``lap``,
has the same two faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.motion import cuts
from core.pose.table import CameraTable, PoseTable

SURE_SCORE = 0.15
"""A sighting of this score may begin a track. MoveNet gives the skater of the reference session 0.12 to 0.57."""
_BEST_SCORE, _MEDIAN_SCORE = 0.2, 0.09
"""A track that never reaches these is a tree: the limits of :mod:`core.pose.subject`."""
_MIN_SEEN_S = 0.4
MAX_LOST_S = 1.0
"""So long a track looks for its next sighting at once (seconds)."""
MAX_GAP_S = 3.0
"""So long a gap is bridged afterwards (seconds)."""

# Of a person's size, the longer side of his box; the times per second.
_PLACE_NOISE = 0.04
_SIZE_NOISE = 0.12
"""Of the logarithm of the size from one sighting to the next."""
_PUSH = 3.0
"""Acceleration, sizes a second squared: a skater in the air has about 5, a walker 1. With less, those who turn round
are mistaken for each other; with more, three who cross. Two who cross are told apart alike from 1.5 to 5."""
_FIRST_SPEED = 1.5
"""Of somebody just met, sizes a second."""
_POSE_NOISE = 0.1
_SURE_JOINT = 0.3
_MIN_JOINTS = 5
_GATE = 20.0
"""What a sighting may be away at most: squared standard deviations, of place and of size together."""
_MAX_STEP = 0.9
"""And in sizes."""
_SIZE_MEMORY = 0.8
_GAP_STEP, _GAP_GROWTH = 1.2, 0.5
"""Over a gap: sizes, and the logarithm of the sizes' ratio."""


@dataclass
class Tracklet:
    """One person while he is seen, with the filter's state; lengths in frame heights."""

    place: NDArray[np.float64]
    size: float
    pose: NDArray[np.float64]
    """Joints from the middle of the box, in sizes: shape ``(17, 2)``, NaN where not seen."""
    seen_s: float
    rows: list[int]
    speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    spread: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))
    """Covariance of place and speed, the same along both axes."""
    last_speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    """At the last sighting, in the picture of that frame."""

    def __post_init__(self) -> None:
        self.spread = np.diag([(_PLACE_NOISE * self.size) ** 2, (_FIRST_SPEED * self.size) ** 2])

    def move(self, matrix: NDArray[np.float64], seconds: float) -> None:
        """On to the next sampled frame: the camera's motion, a similarity of shape ``(2, 3)``, then the person's."""
        turned = matrix[:, :2]
        zoom = float(np.hypot(*turned[:, 0]))
        self.place, self.speed = turned @ self.place + matrix[:, 2], turned @ self.speed
        self.size *= zoom
        self.place = self.place + self.speed * seconds
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        push = np.array([seconds**2 / 2, seconds]) * _PUSH * self.size
        self.spread = step @ (self.spread * zoom**2) @ step.T + np.outer(push, push)

    def see(self, sighting: _Sighting, now_s: float) -> None:
        """Go on from a sighting."""
        noise = (_PLACE_NOISE * max(sighting.size, self.size)) ** 2
        gain = self.spread[:, 0] / (self.spread[0, 0] + noise)
        off = sighting.place - self.place
        self.place, self.speed = self.place + gain[0] * off, self.speed + gain[1] * off
        self.spread = self.spread - np.outer(gain, self.spread[0])
        self.size = max(sighting.size, self.size**_SIZE_MEMORY * sighting.size ** (1 - _SIZE_MEMORY))
        self.pose = np.where(np.isnan(sighting.pose), self.pose, sighting.pose)
        self.seen_s, self.last_speed = now_s, self.speed
        self.rows.append(sighting.row)


@dataclass(frozen=True)
class _Sighting:
    row: int
    place: NDArray[np.float64]
    size: float
    pose: NDArray[np.float64]
    sure: bool


def tracklets(pose: PoseTable, camera: CameraTable, aspect: float) -> list[Tracklet]:
    """Everybody who is seen without a long break, in order of the first sighting; see :func:`joined`.

    Args:
        aspect: width / height of the upright frame.
    """
    alive: list[Tracklet] = []
    every: list[Tracklet] = []
    cut, matrices = cuts(camera.difference), camera.matrices()
    for at, sightings in enumerate(_sightings(pose, camera, aspect)):
        now_s = float(camera.time_s[at])
        if cut[at]:
            alive = []
        for track in alive:
            track.move(matrices[at], now_s - float(camera.time_s[at - 1]))
        alive = [track for track in alive if now_s - track.seen_s <= MAX_LOST_S]
        free = alive
        for sure in (True, False):
            offered = [sighting for sighting in sightings if sighting.sure == sure]
            pairs = _pairs(free, offered)
            for track, sighting in pairs:
                track.see(sighting, now_s)
            taken = {sighting.row for _, sighting in pairs}
            free = [track for track in free if track.rows[-1] not in taken]
            begun = [
                Tracklet(one.place, one.size, one.pose, now_s, [one.row])
                for one in offered
                if sure and one.row not in taken
            ]
            every += begun
            alive = alive + begun
    return every


def _sightings(pose: PoseTable, camera: CameraTable, aspect: float) -> Iterator[list[_Sighting]]:
    """Those of each sampled frame."""
    corners = pose.boxes.reshape(-1, 2, 2).astype(np.float64) * [aspect, 1.0]
    places, sizes = corners.mean(axis=1), (corners[:, 1] - corners[:, 0]).max(axis=1)
    joints = pose.keypoints[:, :, :2].astype(np.float64) * [aspect, 1.0] - places[:, None]
    joints /= np.maximum(sizes, 1e-6)[:, None, None]
    joints[~(pose.keypoints[:, :, 2] >= _SURE_JOINT)] = np.nan
    first = np.searchsorted(pose.frame, camera.frame)
    last = np.searchsorted(pose.frame, camera.frame, side="right")
    for begin, end in zip(first, last, strict=True):
        yield [
            _Sighting(row, places[row], float(sizes[row]), joints[row], bool(pose.score[row] >= SURE_SCORE))
            for row in range(begin, end)
            if sizes[row] > 0
        ]


def _pairs(tracks: list[Tracklet], sightings: list[_Sighting]) -> list[tuple[Tracklet, _Sighting]]:
    """Which sighting continues which track, all together being likeliest."""
    from scipy.optimize import linear_sum_assignment  # a third of a second, which pages need not wait

    if not tracks or not sightings:
        return []
    cost = np.array([[_unlikeliness(track, sighting) for sighting in sightings] for track in tracks])
    pairs = zip(*linear_sum_assignment(np.where(np.isinf(cost), 1e6, cost)), strict=True)
    return [(tracks[i], sightings[j]) for i, j in pairs if np.isfinite(cost[i, j])]


def _unlikeliness(track: Tracklet, sighting: _Sighting) -> float:
    """Minus twice the logarithm of the likelihood, up to a constant; infinite beyond the gates.

    The spread's own share keeps a track that has been lost for long, and could be anywhere, from taking the sightings
    of one that knows where it is.
    """
    larger = max(sighting.size, track.size)
    spread = float(track.spread[0, 0]) + (_PLACE_NOISE * larger) ** 2
    off = float(np.sum((sighting.place - track.place) ** 2))
    away = off / spread + (np.log(sighting.size / track.size) / _SIZE_NOISE) ** 2
    if away > _GATE or off > (_MAX_STEP * larger) ** 2 + spread:
        return np.inf
    return float(away + 2 * np.log(spread / larger**2) + _pose_unlikeliness(track.pose, sighting.pose))


def _pose_unlikeliness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How much two poses differ, 0 where too few joints are seen in both."""
    away = np.linalg.norm(one - other, axis=1)
    seen = away[~np.isnan(away)]
    return float(min(4.0, (np.median(seen) / _POSE_NOISE) ** 2)) if len(seen) >= _MIN_JOINTS else 0.0


def joined(tracks: list[Tracklet], pose: PoseTable, camera: CameraTable, aspect: float) -> list[list[int]]:
    """Tracks joined over gaps, and those left out that are too short or weak to be people.

    Who goes out of sight comes back where he would be had he gone on, or stood on the ground, or stayed in the picture
    of a camera that follows him; as large as he was, and in a like pose if there are several to choose from.

    Returns:
        The rows of ``pose`` of each person, ascending; persons in order of their first sighting.
    """
    by_row = {one.row: one for of_frame in _sightings(pose, camera, aspect) for one in of_frame}
    moved = MovedCamera(camera)
    begins_s = np.array([pose.time_s[track.rows[0]] for track in tracks])  # ascending
    gaps = []
    for i, before in enumerate(tracks):
        left = by_row[before.rows[-1]]
        left_s = pose.time_s[left.row]
        for j in range(*np.searchsorted(begins_s, [left_s, left_s + MAX_GAP_S], side="right").tolist()):
            cost = _gap_cost(before, left, by_row[tracks[j].rows[0]], pose, moved)
            if np.isfinite(cost):
                gaps.append((cost, i, j))
    follows: dict[int, int] = {}
    followed: set[int] = set()
    for _, i, j in sorted(gaps):
        if i not in follows and j not in followed:
            follows[i] = j
            followed.add(j)
    people = []
    for start in sorted(set(range(len(tracks))) - followed):
        rows, at = list(tracks[start].rows), start
        while at in follows:
            at = follows[at]
            rows += tracks[at].rows
        people.append(rows)
    return [rows for rows in people if _believable(pose, rows)]


class MovedCamera:
    """The camera's motion over several sampled frames."""

    def __init__(self, camera: CameraTable) -> None:
        self.camera = camera
        self._cut = cuts(camera.difference)
        self._steps = np.tile(np.eye(3), (camera.n, 1, 1))
        self._steps[:, :2] = camera.matrices()

    def between(self, first: int, last: int) -> NDArray[np.float64] | None:
        """From one sampled frame, by its decoded number, to a later one: shape ``(3, 3)``; None across a cut."""
        begin, end = np.searchsorted(self.camera.frame, [first, last])
        if self._cut[begin + 1 : end + 1].any():
            return None
        whole = np.eye(3)
        for step in self._steps[begin + 1 : end + 1]:
            whole = step @ whole
        return whole


def _gap_cost(before: Tracklet, left: _Sighting, came: _Sighting, pose: PoseTable, moved: MovedCamera) -> float:
    """How unlikely it is that who left came back there; infinite where it is out of question."""
    gap_s = float(pose.time_s[came.row] - pose.time_s[left.row])
    whole = moved.between(int(pose.frame[left.row]), int(pose.frame[came.row]))
    if whole is None:
        return np.inf
    zoom = float(np.hypot(*whole[:2, 0]))
    ground = whole[:2, :2] @ left.place + whole[:2, 2]
    lead = min(gap_s, MAX_LOST_S)  # nobody goes straight on for longer
    going = ground + whole[:2, :2] @ before.last_speed * lead
    larger = max(came.size, left.size * zoom)
    away = min(float(np.linalg.norm(came.place - at)) for at in (ground, going, left.place)) / larger
    growth = min(abs(np.log(came.size / (left.size * zoom))), abs(np.log(came.size / left.size)))
    if away > _GAP_STEP or growth > _GAP_GROWTH:
        return np.inf
    return float(
        away / _GAP_STEP + growth / _GAP_GROWTH + _pose_unlikeliness(left.pose, came.pose) / 8 + gap_s / MAX_GAP_S
    )


def _believable(pose: PoseTable, rows: list[int]) -> bool:
    score = pose.score[rows]
    seen_s = pose.time_s[rows[-1]] - pose.time_s[rows[0]]
    return bool(score.max() >= _BEST_SCORE and np.median(score) >= _MEDIAN_SCORE and seen_s >= _MIN_SEEN_S)
