"""A drawn skater who rolls and jumps: one continuous movement that can be filmed at any frame rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.events import find_events
from core.intervals import Interval
from core.metrics import signals
from core.pose.table import CameraTable, PoseTable
from core.settings import EventSettings, GuardrailSettings

JUMPS_S = (4.0, 9.0, 15.0)
OTHER_JUMPS_S = (3.0, 6.5, 12.0, 16.0)
"""For footage that no detector was trained on."""
SECONDS = 20.0
TORSO = 0.2
"""Frame heights."""
ASPECT = 16 / 9


def filmed(
    time_s: NDArray[np.float64], jumps_s: Sequence[float] = JUMPS_S, height: float = 1.0, stride: int = 1
) -> tuple[PoseTable, CameraTable]:
    """What the pose network and a camera that stands still would see.

    Args:
        time_s: of the sampled frames, shape ``(n,)``.
        height: of the jumps, torso lengths.
        stride: decoded frames from one sampled frame to the next.
    """
    n = len(time_s)
    air, tuck = _bumps(time_s, jumps_s, 0.16), _bumps(time_s, jumps_s, 0.2)
    leg = 0.25 * (1 - 0.4 * tuck + 0.06 * np.sin(2 * np.pi * 0.7 * time_s) + 0.02 * np.sin(2 * np.pi * 1.9 * time_s))
    x = 0.5 + 0.15 * np.sin(0.5 * time_s)
    ankle = 0.8 - TORSO * height * air
    hip = ankle - leg
    shoulder = hip - TORSO
    rows = {0: shoulder - 0.05, 5: shoulder, 7: (shoulder + hip) / 2, 11: hip, 13: (hip + ankle) / 2, 15: ankle}
    keypoints = np.full((n, 17, 3), 0.9)
    for first, y in rows.items():
        keypoints[:, first:, 0], keypoints[:, first:, 1] = x[:, None], y[:, None]
    keypoints[:, 1::2, 0] += 0.02
    keypoints[:, 2::2, 0] -= 0.02
    boxes = np.column_stack([x - 0.05, shoulder - 0.1, x + 0.05, ankle + 0.02])
    frame = np.arange(n, dtype=np.int32) * stride
    still, one = np.zeros(n), np.ones(n)
    score = np.full(n, 0.9, np.float32)
    people = PoseTable(
        frame, time_s, np.zeros(n, np.int32), score, boxes.astype(np.float32), keypoints.astype(np.float32)
    )
    return people, CameraTable(frame, time_s, one, still, still, still, one, still)


def table(
    fps: float = 15.0,
    jumps_s: Sequence[float] = JUMPS_S,
    seconds: float = SECONDS,
    height: float = 1.0,
    stride: int = 1,
) -> pd.DataFrame:
    """:attr:`core.metrics.Signals.table`, ``fps`` sampled frames a second, with the pop of every jump in the sound."""
    time_s = np.arange(round(seconds * fps)) / fps
    pose, camera = filmed(time_s, jumps_s, height, stride)
    measured = signals(pose, camera, ASPECT, GuardrailSettings()).table
    measured["audio_onset"] = 30 * _bumps(time_s, jumps_s, 0.1)
    return measured


def tricks(fps: float = 15.0, jumps_s: Sequence[float] = JUMPS_S, stride: int = 1) -> list[Interval]:
    """The labels that a person would give: 0.3 s to either side of the top of each jump."""
    return [Interval(round((jump - 0.3) * fps) * stride, round((jump + 0.3) * fps) * stride) for jump in jumps_s]


def tops_s(footage: pd.DataFrame, probability: NDArray[np.float64]) -> list[float]:
    """The middle of each found event, seconds."""
    frame, time_s = footage["frame"].to_numpy(), footage["time_s"].to_numpy()
    step = int(frame[1] - frame[0])
    events = find_events(frame, time_s, probability, EventSettings(), int(frame[-1]) + step)
    return [float(time_s[(event.start_frame + event.end_frame) // 2 // step]) for event in events]


def _bumps(time_s: NDArray[np.float64], at_s: Sequence[float], width_s: float) -> NDArray[np.float64]:
    return np.asarray(sum((np.exp(-(((time_s - at) / width_s) ** 2)) for at in at_s), 0.0 * time_s))
