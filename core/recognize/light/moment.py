"""Where and when in a clip the moment is: the window in time, and the squares of its pictures that are looked at.

Of a skater the window is 0.8 s round the peak of the hop, and the squares follow the feet, where the board is. Of a
followed player it is the whole moment, and the squares follow his box. Where no hop or no feet are seen, the middle of
the moment, the skater's box or the middle of the picture stand in, and the moment says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.metrics import hop
from core.recognize.light.sight import Sight
from core.recognize.samples import ClipSample, Track
from core.video import Video

FRAMES = 25
"""Pictures of a moment: one each thirtieth of a second, both ends included."""
HALF_S = 0.4
"""The window reaches so far before the peak of the hop and after it (seconds): an ollie takes 0.5 to 0.7 s."""
SIDE_TORSOS = 2.85
"""Side of the squares, torso lengths: they hold the feet, the board beneath them and the ground that it left."""
SIDE_BOXES = 1.2
"""Side of the squares round a whole body, in longer sides of its box: arms and ball reach over it."""
MIN_HOP = 0.25
"""Torso lengths. Of 133 clips of one trick each one hops less, and does so elsewhere; pushing reaches 0.47."""
_SMOOTH_S = 0.1
"""Spread of the Gaussian that smooths the path of the feet: a square that shook with the joints would move all that is
seen in it."""
_SMALLEST, _LARGEST = 0.08, 1.5  # sides of the squares, frame heights: below are no pixels, above is no crop


@dataclass(frozen=True, eq=False)
class Moment:
    """What of a video is looked at."""

    frames: NDArray[np.int64]
    """Decoded frames, ascending: shape ``(FRAMES,)``; some twice where the video has fewer."""
    squares: Track
    """What is looked at in them."""
    note: str | None
    """What was not found and what stands in for it; None where nothing is amiss."""


def moment_of(sample: ClipSample, video: Video, sight: Sight | None) -> Moment:
    """Find the window and the squares.

    Args:
        sight: who was seen in the video; None for a sample with a track.

    Raises:
        UserError: the video holds a single frame, or the sample begins after its end.
    """
    if video.n_frames < 2:
        raise UserError(f"{sample.path.name} holds a single frame, in which nothing can move: leave it out.")
    last = video.n_frames - 1 if sample.end_frame is None else min(sample.end_frame, video.n_frames - 1)
    if sample.start_frame > last:
        raise UserError(
            f"{sample.path.name} has {video.n_frames} frames and no moment that begins at frame {sample.start_frame}: "
            "its labels seem to belong to another video."
        )
    notes: list[str] = []
    if sample.track is not None and len(sample.track.frames):
        times = np.linspace(video.pts_s[sample.start_frame], video.pts_s[last], FRAMES)
        track_s = video.pts_s[np.clip(sample.track.frames, 0, video.n_frames - 1)]
        squares = _round_boxes(times, track_s, sample.track.boxes, video)
    else:
        peak_s = _peak(sight, sample.start_frame, last) if sight else None
        if peak_s is None:
            peak_s = float(video.pts_s[sample.start_frame] + video.pts_s[last]) / 2
            notes.append("no hop was seen, so the middle of the moment is looked at")
        times = peak_s + np.linspace(-HALF_S, HALF_S, FRAMES)
        squares = _round_skater(sight, times, video, notes)
    middle_s = (video.pts_s[1:] + video.pts_s[:-1]) / 2
    frames = np.searchsorted(middle_s, times).astype(np.int64)
    return Moment(frames, _as_track(frames, squares, video), ", and ".join(notes) or None)


def _peak(sight: Sight, first: int, last: int) -> float | None:
    """When the skater is highest (seconds); None if he does not hop."""
    table = sight.signals.table
    inside = table["frame"].between(first, last).to_numpy()
    height = np.where(inside, np.nan_to_num(hop(table).to_numpy(np.float64)), 0.0)
    return float(table["time_s"].iloc[int(height.argmax())]) if height.max(initial=0.0) >= MIN_HOP else None


def _round_skater(
    sight: Sight | None, times: NDArray[np.float64], video: Video, notes: list[str]
) -> NDArray[np.float64]:
    """Middle x, y and side in frame heights at each of the times: shape ``(n, 3)``."""
    if sight:
        table, rows = sight.signals.table, sight.signals.rows
        seen_s, scale = table["time_s"].to_numpy(np.float64), table["body_scale"].to_numpy(np.float64)
        near = (rows >= 0) & (seen_s >= times[0] - HALF_S) & (seen_s <= times[-1] + HALF_S)
        feet = np.full((len(rows), 2), np.nan)
        feet[near] = _feet(sight.pose.keypoints[rows[near], 15:17, :2].astype(np.float64))
        known = near & np.isfinite(feet).all(axis=1) & np.isfinite(scale)
        if known.any():
            path = _at(times, seen_s[known], feet[known] * [video.info.width / video.info.height, 1.0])
            return _squares(path, SIDE_TORSOS * float(np.median(scale[known])), times)
        if near.any():
            notes.append("no feet were seen, so the whole body is looked at")
            return _round_boxes(times, seen_s[near], sight.signals.boxes[near], video)
    notes.append("nobody was seen, so the middle of the picture is looked at")
    aspect = video.info.width / video.info.height
    return np.tile([aspect / 2, 0.5, min(aspect, 1.0)], (len(times), 1))


def _round_boxes(
    times: NDArray[np.float64], seen_s: NDArray[np.float64], boxes: NDArray[np.float64], video: Video
) -> NDArray[np.float64]:
    corners = _at(times, seen_s, boxes).reshape(-1, 2, 2) * [video.info.width / video.info.height, 1.0]
    longer = (corners[:, 1] - corners[:, 0]).max(axis=1)
    return _squares(corners.mean(axis=1), SIDE_BOXES * float(np.median(longer)), times)


def _feet(ankles: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle of both ankles, or the one that is seen: ``(n, 2, 2)`` to ``(n, 2)``."""
    left, right = ankles[:, 0], ankles[:, 1]
    return np.where(np.isfinite(left), np.where(np.isfinite(right), (left + right) / 2, left), right)


def _squares(path: NDArray[np.float64], side: float, times: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    ticks = _SMOOTH_S / max((times[-1] - times[0]) / (len(times) - 1), 1e-3)
    smooth = gaussian_filter1d(path, ticks, axis=0, mode="nearest")
    return np.column_stack([smooth, np.full(len(path), np.clip(side, _SMALLEST, _LARGEST))])


def _as_track(frames: NDArray[np.int64], squares: NDArray[np.float64], video: Video) -> Track:
    once, first = np.unique(frames, return_index=True)
    middle, half = squares[first, :2], squares[first, 2:] / 2
    corners = np.concatenate([middle - half, middle + half], axis=1)
    return Track(once, corners / np.tile([video.info.width / video.info.height, 1.0], 2))


def _at(times: NDArray[np.float64], known_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.interp(times, known_s, column) for column in values.T])
