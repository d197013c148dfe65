"""Places of the crop that were set by hand, and the ways to and from them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from core.framing import Keyframe

EASE_S = 1.0
"""So long before and after a keyframe the crop is on its way to and from it (seconds)."""


def led_by_hand(
    automatic: NDArray[np.float64],
    time_s: NDArray[np.float64],
    keyframes: Iterable[tuple[float, Keyframe]],
    size: tuple[int, int],
    window: tuple[int, int],
) -> NDArray[np.float64]:
    """The automatic path of one shot, led through the keyframes.

    Args:
        automatic: middle x, middle y and scale of the crop in each frame, pixels and 1 / zoom: shape ``(n, 3)``.
        time_s: of the frames, shape ``(n,)``.
        keyframes: of this shot, with their times.
        size: of the picture, pixels.
        window: the largest crop.

    Returns:
        The same for the path by hand: it meets each keyframe, and between two that are at most ``2 * EASE_S`` apart the
        automatic path plays no part.
    """
    path = automatic.copy()
    by_time = dict(sorted(keyframes, key=lambda pair: pair[0]))
    if not by_time:
        return path
    at_s = np.array(list(by_time))
    places = np.array([_placed(key, size, window) for key in by_time.values()])
    for run in np.split(np.arange(len(at_s)), np.flatnonzero(np.diff(at_s) > 2 * EASE_S) + 1):
        first_s, last_s = at_s[run[0]], at_s[run[-1]]
        away_s = np.maximum(np.maximum(first_s - time_s, time_s - last_s), 0.0)
        share = np.clip(1 - away_s / EASE_S, 0.0, 1.0)
        share = (share**3 * (share * (6 * share - 15) + 10))[:, None]  # starts and ends without a jolt
        path = (1 - share) * path + share * _through(at_s[run], places[run], time_s)
    return path


def _placed(key: Keyframe, size: tuple[int, int], window: tuple[int, int]) -> tuple[float, float, float]:
    x, y = (
        min(max(share * whole, side / key.zoom / 2), whole - side / key.zoom / 2)
        for share, whole, side in zip((key.x, key.y), size, window, strict=True)
    )
    return x, y, 1 / key.zoom


def _through(
    at_s: NDArray[np.float64], places: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A smooth way through the places that never swings beyond them and rests at both ends."""
    from scipy.interpolate import PchipInterpolator

    rest_s = np.concatenate([[at_s[0] - EASE_S], at_s, [at_s[-1] + EASE_S]])
    way = PchipInterpolator(rest_s, np.concatenate([places[:1], places, places[-1:]]))
    return np.asarray(way(np.clip(time_s, rest_s[0], rest_s[-1])))
