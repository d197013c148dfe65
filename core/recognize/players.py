"""Players: everybody in a video, each followed by a box of his own.

    >>> everybody = players(seen.pose, seen.camera, seen.video)              # doctest: +SKIP
    >>> [(player.id, len(player.track.frames)) for player in everybody]      # doctest: +SKIP
    [(1, 714), (2, 186)]
    >>> drawn = drawn_player(everybody, seen.camera, seen.video, 0, (0.4, 0.2, 0.5, 0.8))   # doctest: +SKIP

A box that the user draws is followed by whom it was drawn round, not by its pixels: of the trackers in OpenCV's wheel
only MIL works without weights of its own, and on the reference session, begun on the skater at three places, it was off
him (IoU below 0.3) after 3, 99 and 51 of 100 sampled frames at 10 frames a second, where his sightings go on for 99.7 %
of the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.pose.table import CameraTable, PoseTable
from core.recognize.samples import Track
from core.recognize.tracking import MovedCamera, joined, tracklets
from core.video import Video

BRIDGED_S = 0.8
"""Between sightings no further apart the box goes on in a straight line (seconds); over longer gaps there is none."""
_DRAWN_S = 1.0
"""So long after the frame that a box was drawn in, somebody has to be seen in it (seconds)."""
_DRAWN_IOU = 0.2


@dataclass(frozen=True)
class Player:
    """Somebody in a video."""

    id: int
    """From 1 on, in order of appearance."""
    track: Track
    """His box in every decoded frame in which he is seen or :data:`BRIDGED_S` pass at most between sightings."""
    rows: NDArray[np.int64]
    """Which rows of the pose table show him, ascending."""


def players(pose: PoseTable, camera: CameraTable, video: Video) -> tuple[Player, ...]:
    """Everybody who is seen in a video for a while.

    Args:
        pose: sightings; their column ``person`` does not matter.
        camera: measured on the same sampled frames.
        video: what they were measured on.
    """
    aspect = video.info.width / video.info.height
    people = joined(tracklets(pose, camera, aspect), pose, camera, aspect)
    moved = MovedCamera(camera)
    return tuple(
        Player(number, _dense(pose, np.array(rows), moved, video), np.array(rows, np.int64))
        for number, rows in enumerate(people, start=1)
    )


def drawn_player(
    everybody: Sequence[Player],
    camera: CameraTable,
    video: Video,
    frame: int,
    box: tuple[float, float, float, float],
) -> Player:
    """Whom a box was drawn round, from that frame on.

    Where nobody is seen in it yet, the box stands on the ground for a second, carried along by the camera's motion.

    Args:
        everybody: the video's players.
        frame: decoded frame that the box was drawn in.
        box: x1, y1, x2, y2 in 0..1 of the upright picture.

    Raises:
        UserError: it is no box, or nobody is seen in it.
    """
    x1, y1, x2, y2 = box
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 and 0 <= frame < video.n_frames):
        raise UserError(f"That is no box inside of frame {frame} of {video.path.name}: draw it again round somebody.")
    aspect = video.info.width / video.info.height
    corners = np.array([[x1 * aspect, y1, 1.0], [x2 * aspect, y2, 1.0]])
    moved = MovedCamera(camera)
    at = max(0, int(np.searchsorted(camera.frame, frame, side="right")) - 1)
    until = int(np.searchsorted(camera.time_s, camera.time_s[at] + _DRAWN_S, side="right"))
    for later in range(at, until):
        whole = moved.between(int(camera.frame[at]), int(camera.frame[later]))
        if whole is None:
            break
        carried = (corners @ whole.T)[:, :2] / [aspect, 1.0]
        shown = [(_iou(carried.ravel(), boxes), player) for player in everybody
                 if (boxes := _box_at(player.track, int(camera.frame[later]))) is not None]  # fmt: skip
        iou, best = max(shown, key=lambda one: one[0], default=(0.0, None))
        if best is not None and iou >= _DRAWN_IOU:
            later_on = best.track.frames >= frame
            track = Track(best.track.frames[later_on], best.track.boxes[later_on])
            return Player(best.id, track, best.rows)
    raise UserError(
        f"Nobody is seen in the box drawn in frame {frame} of {video.path.name}: draw it round a whole person, in a "
        "frame that shows him well."
    )


def _box_at(track: Track, frame: int) -> NDArray[np.float64] | None:
    at = int(np.searchsorted(track.frames, frame))
    return track.boxes[at] if at < len(track.frames) and track.frames[at] == frame else None


def _iou(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / (areas - shared)


def _dense(pose: PoseTable, rows: NDArray[np.int64], moved: MovedCamera, video: Video) -> Track:
    """Sightings as a box in every decoded frame, in straight lines between those that are near each other."""
    seen, boxes = pose.frame[rows].astype(np.int64), pose.boxes[rows].astype(np.float64)
    pieces = []
    for begin, end in pairwise(seen.tolist()):
        near = video.pts_s[end] - video.pts_s[begin] <= BRIDGED_S
        pieces.append(np.arange(begin, end) if near and moved.between(begin, end) is not None else np.array([begin]))
    frames = np.concatenate([*pieces, seen[-1:]])
    return Track(frames, np.stack([np.interp(frames, seen, side) for side in boxes.T], axis=1))
