"""How the body moves, as a detector sees it: heights, speeds, hops and their surroundings on an even clock.

    >>> matrix, names = kinematics(signals.table, playback=2.0)              # doctest: +SKIP

The measured heights are put on a clock of 30 ticks a second, on which every window is a whole number of ticks, and read
off again at the sampled frames; so footage of any rate gives the same features. ``playback`` runs that clock faster:
footage in slow motion looks like any other once it is played as many times faster as it was slowed down. Wherever a
path breaks, at a hard cut or with another person, the clock stands still for longer than any window is, so that no
feature mixes what was before with what comes after.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.pose.subject import MAX_LOST_S

TICKS_HZ = 30.0
"""Ticks of the even clock a second."""
REACH_S = 1.6
"""How far to either side a feature looks at ordinary speed, at most (seconds): the mean over a second of hops that look
half a second far, of heights that are smoothed over two ticks."""
_SMOOTHING_TICKS = 0.6  # a Gaussian: keypoints jitter from frame to frame, a hop lasts ten ticks
_HOPS_S = (0.2, 0.33, 0.5, 0.8)
_PARABOLAS_S = (0.17, 0.3)
_AROUND_S = (0.2, 0.5, 1.0)
_AWAY_S = (0.1, 0.2, 0.4, 0.8)
_STANDSTILL = 32
"""Ticks between two paths: more than the longest window looks to one side."""

_Signals = dict[str, NDArray[np.float64]]


def kinematics(table: pd.DataFrame, playback: float = 1.0) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The features of each sampled frame.

    Args:
        table: :attr:`core.metrics.Signals.table`.
        playback: how many times faster than it was filmed.

    Returns:
        A float32 matrix of shape ``(n, k)``, NaN where the body was not followed, and the ``k`` names. Heights are in
        torso lengths, speeds in torso lengths a second of the faster clock. ``legs_seen``, the share of the time
        around in which the feet were followed, is known everywhere.
    """
    time_s = table["time_s"].to_numpy(np.float64)
    if not len(time_s):
        _, names = kinematics(pd.DataFrame(0, index=[0], columns=table.columns))
        return np.empty((0, len(names)), np.float32), names
    at = (time_s - time_s[0]) / playback
    at += np.cumsum(_breaks(table)) * (_STANDSTILL / TICKS_HZ)
    ticks = np.arange(0.0, at[-1] + 0.5 / TICKS_HZ, 1 / TICKS_HZ)
    columns = _features(_ticking(table, at, ticks, playback))
    nearest = np.minimum(np.rint(at * TICKS_HZ).astype(np.int64), len(ticks) - 1)
    matrix = np.column_stack([values[nearest] for values in columns.values()]).astype(np.float32)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix, tuple(columns)


def _breaks(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Where a path begins other than the one before: shape ``(n,)``."""
    begins = np.zeros(len(table), np.bool_)
    for name in ("feet_path", "hips_path"):
        path = table[name].to_numpy(np.int64)
        followed = np.flatnonzero(path >= 0)
        begins[followed[1:]] |= np.diff(path[followed]) != 0
    return begins


def _ticking(table: pd.DataFrame, at: NDArray[np.float64], ticks: NDArray[np.float64], playback: float) -> _Signals:
    """The measured signals on the even clock."""
    feet, hips = (table[name].to_numpy(np.int64) for name in ("feet_path", "hips_path"))
    shown = np.cumsum(_breaks(table), dtype=np.int64)
    longest = MAX_LOST_S / playback

    def known(name: str, path: NDArray[np.int64]) -> NDArray[np.float64]:
        return _at_ticks(table[name].to_numpy(np.float64), path, at, ticks, longest)

    made: _Signals = {}
    for name in ("feet_up", "left_foot_up", "right_foot_up", "feet_x"):
        made[name] = _smooth(known(name, feet))
    for name in ("hips_up", "shoulders_up", "head_up", "hips_x"):
        made[name] = _smooth(known(name, hips))
    for name in ("leg_extension", "tilt", "stance", "leg_conf", "torso"):
        made[name] = _smooth(known(name, shown))
    made["box_conf"] = known("box_conf", shown)
    made["legs_seen"] = _at_ticks((feet >= 0).astype(np.float64), shown, at, ticks, np.inf)
    return made


def _features(signals: _Signals) -> _Signals:
    heights = {name: signals[f"{name}_up"] for name in ("feet", "hips", "shoulders", "head")}
    left, right = signals["left_foot_up"], signals["right_foot_up"]
    made = {f"{name}_speed": _speed(height) for name, height in heights.items()}
    made["feet_push"], made["hips_push"] = _speed(made["feet_speed"]), _speed(made["hips_speed"])
    made["lower_foot_speed"] = np.fmin(_speed(left), _speed(right))
    made["feet_along"], made["hips_along"] = (np.abs(_speed(signals[name])) for name in ("feet_x", "hips_x"))
    for name in ("feet", "hips"):
        made |= {f"{name}_hop_{window_s}": _hop(heights[name], window_s) for window_s in _HOPS_S}
    made |= {f"both_feet_hop_{window_s}": np.fmin(_hop(left, window_s), _hop(right, window_s)) for window_s in _HOPS_S}
    made["feet_apart"] = np.abs(left - right)
    made["shoulders_hop"] = _hop(heights["shoulders"], 0.4)
    for name in ("feet", "hips"):
        for half_s in _PARABOLAS_S:
            made[f"{name}_bend_{half_s}"], made[f"{name}_flight_{half_s}"] = _parabola(heights[name], half_s)
    made |= {name: signals[name] for name in ("leg_extension", "tilt", "stance", "leg_conf", "torso", "box_conf")}
    made["legs_seen"] = _mean(signals["legs_seen"], _whole_ticks(0.4))
    around = (
        "feet_speed", "hips_speed", "shoulders_speed", "feet_along", "feet_hop_0.5", "hips_hop_0.5", "leg_extension",
        "feet_push", "tilt", "stance", "leg_conf", "lower_foot_speed", "feet_apart",
    )  # fmt: skip
    for name in around:
        for half_s in _AROUND_S:
            half = _whole_ticks(half_s)
            mean, square = _mean(made[name], half), _mean(made[name] ** 2, half)
            made[f"{name}_mean_{half_s}"] = mean
            made[f"{name}_spread_{half_s}"] = np.sqrt(np.maximum(square - mean**2, 0.0))
    compared = heights | {name: made[name] for name in ("leg_extension", "feet_speed", "hips_speed")}
    for name, values in compared.items():
        for away_s in _AWAY_S:
            away = _whole_ticks(away_s)
            made[f"{name}_since_{away_s}"] = values - _mean(values, 1, -away)
            made[f"{name}_until_{away_s}"] = values - _mean(values, 1, away)
    for name in ("feet_speed", "hips_speed"):
        half = _whole_ticks(0.4)
        made[f"{name}_max"], made[f"{name}_min"] = _highest(made[name], half), -_highest(-made[name], half)
    for half_s in (0.5, 1.0):
        made[f"feet_hop_max_{half_s}"] = _highest(made["feet_hop_0.5"], _whole_ticks(half_s))
    return made


def _whole_ticks(seconds: float) -> int:
    return max(1, round(seconds * TICKS_HZ))


def _at_ticks(
    values: NDArray[np.float64],
    path: NDArray[np.int64],
    at: NDArray[np.float64],
    ticks: NDArray[np.float64],
    longest: float,
) -> NDArray[np.float64]:
    """A signal in straight lines between where it was measured, within each unbroken path and across gaps up to
    ``longest``; NaN elsewhere."""
    made = np.full(len(ticks), np.nan)
    known = np.flatnonzero(np.isfinite(values) & (path >= 0))
    apart = (np.diff(path[known]) != 0) | (np.diff(at[known]) > longest + 1e-9)
    for rows in np.split(known, np.flatnonzero(apart) + 1) if len(known) else []:
        # The ticks that are nearest to the first and the last row may lie just outside.
        first, after = np.searchsorted(ticks, at[rows[[0, -1]]] + np.array([-1, 1]) * (0.5 / TICKS_HZ + 1e-9))
        made[first:after] = np.interp(ticks[first:after], at[rows], values[rows])
    return made


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    known = np.isfinite(values)
    weight = gaussian_filter1d(known.astype(np.float64), _SMOOTHING_TICKS, mode="constant")
    total = gaussian_filter1d(np.where(known, values, 0.0), _SMOOTHING_TICKS, mode="constant")
    return np.where(known, total / np.maximum(weight, 1e-6), np.nan)


def _speed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central difference a second; NaN beside what is not known."""
    speed = np.full(len(values), np.nan)
    speed[1:-1] = (values[2:] - values[:-2]) * (TICKS_HZ / 2)
    return speed


def _hop(height: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    """The lower of the rise within ``window_s`` before and the fall within ``window_s`` after; as
    :func:`core.background_path.hop_height`, on the even clock."""
    window = _whole_ticks(window_s)
    before, after = _lowest(height, window, past=True), _lowest(height, window, past=False)
    return np.maximum(0.0, height - np.maximum(before, after))


def _lowest(values: NDArray[np.float64], window: int, past: bool) -> NDArray[np.float64]:
    """The lowest of a value and the ``window`` before it, or after it."""
    from scipy.ndimage import minimum_filter1d

    known = np.where(np.isfinite(values), values, np.inf)
    size = window + 1
    # SciPy's origin shifts the window to the left, and of an even size one more lies to the left.
    origin = (size - 1) // 2 if past else -(size // 2)
    return np.asarray(minimum_filter1d(known, size, mode="constant", cval=np.inf, origin=origin))


def _highest(values: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    from scipy.ndimage import maximum_filter1d

    known = np.where(np.isfinite(values), values, -np.inf)
    return np.asarray(maximum_filter1d(known, 2 * half + 1, mode="constant", cval=-np.inf))


def _mean(values: NDArray[np.float64], half: int, shift: int = 0) -> NDArray[np.float64]:
    """Of what is known within ``half`` ticks of the tick ``shift`` later."""
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    middle = np.arange(len(values)) + shift
    first, after = np.clip(middle - half, 0, len(values)), np.clip(middle + half + 1, 0, len(values))
    with np.errstate(invalid="ignore"):
        return np.asarray((total[after] - total[first]) / (count[after] - count[first]))


def _parabola(height: NDArray[np.float64], half_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How a parabola fits within ``half_s`` to each side: its downward bend, torso lengths a second squared, and the
    share of the movement that it explains, as a body in free flight is wholly explained."""
    half = max(2, round(half_s * TICKS_HZ))
    bend, share = np.full(len(height), np.nan), np.full(len(height), np.nan)
    if len(height) > 2 * half:
        x = np.arange(-half, half + 1) / TICKS_HZ
        powers = np.stack([np.ones_like(x), x, x * x], axis=1)
        window = np.lib.stride_tricks.sliding_window_view(height, 2 * half + 1)
        fitted = window @ np.linalg.pinv(powers).T
        left = ((window - fitted @ powers.T) ** 2).sum(axis=1)
        moved = ((window - window.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        bend[half:-half], share[half:-half] = -2 * fitted[:, 2], 1 - left / np.maximum(moved, 1e-9)
    return bend, share
