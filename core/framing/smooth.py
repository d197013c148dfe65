"""The calmest path of a window along one axis that keeps what must be kept: a linear programme over a whole shot.

Paths of least absolute speed, acceleration and jerk are made of standing still, even pans and even starts and stops, as
a cameraman's are, where least squares would never stand still (Grundmann, Kwatra and Essa, Auto-Directed Video
Stabilization with Robust L1 Optimal Camera Paths, CVPR 2011). The path is a cubic B-spline in time, so that it has no
steps at any frame rate, and so that limits on its control points are limits on the path (the convex hull property).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KNOT_S = 0.125
"""Between control points of the path (seconds)."""
MAX_SPEED = 2.0
"""Window sides a second that the window may move, except where a trick would be cut off."""
DEAD_ZONE = 0.06
"""So far off the middle of the window the skater may be before it follows him (window sides)."""
# What is paid for a window side moved, for each side a second of speed and each side a second squared of acceleration
# gained or lost, and for a second with the skater a side off the middle, within the dead zone and beyond it.
_SPEED, _ACCELERATION, _JERK = 0.3, 0.15, 0.05
_OFF, _FAR_OFF = 0.1, 3.0
# For a second with a side of the skater cut off, and for a side moved above the limit of speed.
_CUT_OFF, _TRICK_CUT_OFF, _TOO_FAST = 15.0, 400.0, 5.0
_ASKED_EVERY_S = 1 / 40
"""Of frames closer than this only one is asked (seconds)."""


@dataclass(frozen=True)
class Wish:
    """Where the middle of the window should be in each of ``n`` frames of a shot; unit: the window's side."""

    low: NDArray[np.float64]
    """The lowest place at which nothing is cut off; NaN where nothing needs to be kept."""
    high: NDArray[np.float64]
    """The highest, never below ``low``."""
    middle: NDArray[np.float64]
    """Where it were best; NaN where it does not matter."""
    trick: NDArray[np.bool_]
    """Whether cutting off is worse than haste."""


def calmest_path(time_s: NDArray[np.float64], wish: Wish, lowest: float, highest: float) -> NDArray[np.float64]:
    """Where the middle of the window is in each frame: shape ``(n,)``, in sides of the window.

    Args:
        time_s: of the frames, ascending.
        lowest: the middle is never below this, nor above ``highest``.
    """
    from scipy import sparse
    from scipy.interpolate import BSpline
    from scipy.optimize import linprog

    begin_s, end_s = float(time_s[0]), float(time_s[-1])
    steps = max(1, int(np.ceil((end_s - begin_s) / KNOT_S)))
    step_s = max((end_s - begin_s) / steps, 1e-3)
    knots = begin_s + step_s * np.arange(-3, steps + 4)
    basis = BSpline.design_matrix(np.clip(time_s, knots[3], knots[-4]), knots, 3)
    n = steps + 3

    asked = np.flatnonzero(np.diff(np.floor((time_s - begin_s) / _ASKED_EVERY_S + 1e-6), prepend=-1.0) > 0)
    seconds = np.diff(time_s[asked], append=end_s + _ASKED_EVERY_S)
    pulled, kept = np.isfinite(wish.middle[asked]), np.isfinite(wish.low[asked])
    near, inside = basis[asked[pulled]], basis[asked[kept]]
    middle, low, high = wish.middle[asked[pulled]], wish.low[asked[kept]], wish.high[asked[kept]]
    speed, acceleration, jerk = (_differences(n, order) for order in (1, 2, 3))
    # The control points that shape a frame of a trick, and the moves between them, which alone may be hasty.
    hasty = np.abs(speed) @ (basis[wish.trick] != 0).sum(axis=0) > 0

    # The unknowns: control points; moves within the limit of speed and above it; changes of speed and of acceleration;
    # how far the skater is off the middle, and how far over the edge.
    sizes = n, n - 1, n - 1, n - 2, n - 3, len(middle), len(low)
    one = [sparse.eye_array(size) for size in sizes]
    lines: list[tuple[Any, dict[int, Any], NDArray[np.float64]]] = [
        *((sign * speed, {1: one[1], 2: one[2]}, np.zeros(n - 1)) for sign in (1, -1)),
        *((sign * acceleration, {3: one[3]}, np.zeros(n - 2)) for sign in (1, -1)),
        *((sign * jerk, {4: one[4]}, np.zeros(n - 3)) for sign in (1, -1)),
        *((sign * _OFF * near, {5: one[5]}, sign * _OFF * middle) for sign in (1, -1)),
        *((sign * _FAR_OFF * near, {5: one[5]}, _FAR_OFF * (sign * middle + DEAD_ZONE)) for sign in (1, -1)),
        (inside, {6: one[6]}, high),
        (-inside, {6: one[6]}, -low),
    ]
    none = [sparse.csr_array((0, size)) for size in sizes]
    rows = [[matrix, *(-at[i] if i in at else None for i in range(1, 7))] for matrix, at, _ in lines]
    cost = [
        np.zeros(n),
        np.full(n - 1, _SPEED),
        np.full(n - 1, _SPEED + _TOO_FAST),
        np.full(n - 2, _ACCELERATION / step_s),
        np.full(n - 3, _JERK / step_s**2),
        seconds[pulled],
        seconds[kept] * np.where(wish.trick[asked[kept]], _TRICK_CUT_OFF, _CUT_OFF),
    ]
    least = np.concatenate([np.full(n, lowest), np.zeros(sum(sizes[1:]))])
    most = np.full(sum(sizes), np.inf)
    most[:n] = highest
    most[n : 2 * n - 1] = MAX_SPEED * step_s
    most[2 * n - 1 : 3 * n - 2] = np.where(hasty, np.inf, 0.0)
    solved = linprog(
        np.concatenate(cost),
        A_ub=sparse.block_array([none, *rows], format="csr"),
        b_ub=np.concatenate([limit for _, _, limit in lines]),
        bounds=np.stack([least, most], axis=1),
        method="highs-ipm",  # the simplex takes two to eight times as long
    )
    if solved.x is None:
        raise RuntimeError(f"no path found: {solved.message}")
    return np.asarray(basis @ solved.x[:n])


def _differences(n: int, order: int) -> Any:
    """The matrix of the differences of ``n`` numbers: sparse, shape ``(n - order, n)``."""
    from scipy import sparse
    from scipy.special import comb

    weights = [(-1.0) ** (order - i) * comb(order, i) for i in range(order + 1)]
    return sparse.diags_array(weights, offsets=range(order + 1), shape=(n - order, n), format="csr")
