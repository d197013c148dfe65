"""Feature sets: what a detector sees of a sampled frame. One function, for training and for finding.

    >>> matrix, names = features(signals.table, "motion")                    # doctest: +SKIP

``basic``, ``temporal``, ``rich`` and ``rich_temporal`` are made of tuck_ratio and the pose's quality alone, as the
original classifier's; ``motion`` adds how the body moves against the background; ``kinematics`` looks at the same
movement on an even clock, at any playback rate (:mod:`core.kinematics`). Windows are set in seconds, so that
footage of 24, 30 and 60 frames a second gives the same features.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.background_path import EDGE_S
from core.kinematics import kinematics
from core.metrics import METRIC_COLUMNS
from core.settings import FeatureSet

FEATURE_SETS: tuple[FeatureSet, ...] = get_args(FeatureSet)

_BASIC = ("tuck_ratio", "hip_y", "torso_len", "leg_len")
_RICH = tuple(name for name in METRIC_COLUMNS if name not in {"frame", "time_s", "tuck_ratio_2d"})
_MOTION = (
    "hop_ankle", "hop_ankle_slow", "hop_hip", "hop_feet", "ankle_vy", "ankle_ay", "hip_vy", "hip_ay", "shoulder_vy",
    "leg_extension", "tuck_ratio",
)  # fmt: skip
_WIDE_SIGNALS = ("hop_ankle", "hop_ankle_slow", "hop_hip", "ankle_vy", "hip_vy", "leg_extension", "tuck_ratio")

_WINDOWS_S = (0.25, 0.75)
"""Half widths of the windows, in seconds: about a take-off, and about a whole trick."""
_STEP_S = 0.2

REACH_S = 1.6 + max(_WINDOWS_S)
"""How far to either side a feature looks at movement, the slow hop included (seconds). The body's length, in which
movement is counted, looks another 0.7 s, and a bridged gap 0.8 s: training and test footage are kept twice this far
apart, so that no training frame holds anything of a test frame. Who the skater is and how loud his place usually is
are settled over longer times."""


def features(
    table: pd.DataFrame, feature_set: FeatureSet, playback: float = 1.0
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The features of each sampled frame.

    Args:
        table: :attr:`core.metrics.Signals.table`.
        playback: how many times faster than it was filmed the footage is looked at; ``kinematics`` alone can.

    Returns:
        A float32 matrix of shape ``(n, k)``, NaN where something was not seen, and the ``k`` names: first the signals
        themselves; in the sets that look around then ``<signal>_<mean, std, min or max>_<half width>s`` and
        ``<signal>_<since or until>_0.2s``, the change from 0.2 s ago and to 0.2 s later. ``audio_onset`` is in the
        motion set if the table has it. Of ``kinematics`` see there.
    """
    if feature_set == "kinematics":
        return kinematics(table, playback)
    columns = _columns(table, feature_set)
    matrix = np.column_stack(list(columns.values())).astype(np.float32)
    # A ratio over a vanishing torso is no measurement, and no estimator takes infinity.
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix, tuple(columns)


def usable_rows(table: pd.DataFrame, feature_set: FeatureSet) -> NDArray[np.bool_]:
    """Which sampled frames a detector judges, shape ``(n,)``.

    The sets made of pose alone know only frames that passed the guardrails. Motion is known wherever the body was
    followed, which is also where the skater leaves the frame in the middle of a trick.
    """
    if feature_set in {"motion", "kinematics"}:
        return table["hop_ankle"].notna().to_numpy() | table["hop_hip"].notna().to_numpy()
    return (table["rejected"] == "").to_numpy()


def _columns(table: pd.DataFrame, feature_set: FeatureSet) -> dict[str, NDArray[np.float64]]:
    if feature_set == "motion":
        names = [*_MOTION, *(["audio_onset"] if "audio_onset" in table else [])]
        signals = table[names]
        wide = [*_WIDE_SIGNALS, *names[len(_MOTION) :]]
        return _values(signals) | _around(table, signals[wide]) | _before_and_after(table, signals[wide])
    seen = table.where(table["rejected"] == "")
    own = seen[list(_RICH if feature_set.startswith("rich") else _BASIC)]
    if feature_set in {"temporal", "rich_temporal"}:
        changing = seen[list(_BASIC)]
        return _values(own) | _around(table, changing) | _before_and_after(table, changing)
    return _values(own)


def _values(frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    return {str(name): frame[name].to_numpy(dtype=np.float64) for name in frame}


def _around(table: pd.DataFrame, signals: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Mean, spread and extremes in centred windows."""
    timed = signals.set_index(pd.to_timedelta(table["time_s"].to_numpy(), unit="s") + pd.Timestamp(0))
    columns: dict[str, NDArray[np.float64]] = {}
    for half in _WINDOWS_S:
        width = pd.Timedelta(seconds=2 * (half + EDGE_S))
        window = timed.rolling(width, center=True, closed="both", min_periods=1)
        for statistic, frame in (
            ("mean", window.mean()),
            ("std", window.std()),
            ("min", window.min()),
            ("max", window.max()),
        ):
            columns |= {f"{name}_{statistic}_{half}s": frame[name].to_numpy() for name in signals}
    return columns


def _before_and_after(table: pd.DataFrame, signals: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """How each signal differs from what it was, and will be, a fifth of a second away."""
    time_s = table["time_s"].to_numpy()
    columns: dict[str, NDArray[np.float64]] = {}
    for name in signals:
        values = signals[name].to_numpy(dtype=np.float64)
        for word, shift in (("since", -_STEP_S), ("until", _STEP_S)):
            there = np.interp(time_s + shift, time_s, values) if len(values) else values
            columns[f"{name}_{word}_{_STEP_S}s"] = values - there
    return columns
