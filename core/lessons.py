"""What one video teaches a detector: rows of features, each inside a trick or outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.features import features, usable_rows
from core.intervals import Interval, frame_mask
from core.metrics import with_amplitude
from core.settings import TrainSettings

HIGHER_AND_LOWER = ((0.5, 0.7, 1.0, 1.4, 2.0), (0.5, 0.7, 1.0))
"""Factors by which the motion of frames in tricks, and of frames outside, is repeated in training. A lower jump is
still a jump and a softer push still a push; without this a forest that has seen two tricks takes the height of the
lower one for the limit. Leave-one-trick-out on the reference session: 1 of 3 found without, 3 of 3 with, none wrong."""
_TAUGHT_AT = (0.8, 1.0, 1.6, 2.5, 4.0)
"""At which rates footage without tricks teaches, so that a stroll played fast is not taken for a trick."""
_ORDINARY_S = (0.12, 0.75, 1.0)
"""A trick teaches at rates at which it lasts no shorter than the first and no longer than the last; at other rates than
1 only if it is in slow motion, which is longer than the second."""


@dataclass(frozen=True)
class Example:
    """One video to learn from."""

    table: pd.DataFrame
    """:attr:`core.metrics.Signals.table`."""
    truth: Sequence[Interval]
    n_frames: int
    """Decoded frames in the video."""
    name: str = ""
    known: Sequence[Interval] | None = None
    """Where it is known what is a trick and what is none, such as the moments that somebody reviewed; None for the
    whole video. Of the rest nothing is learnt."""

    def known_rows(self) -> NDArray[np.bool_]:
        """Which sampled frames may be learnt from, shape ``(n,)``."""
        if self.known is None:
            return np.ones(len(self.table), bool)
        return np.asarray(frame_mask(self.known, self.n_frames)[self.table["frame"].to_numpy()])


@dataclass(frozen=True, eq=False)
class Lesson:
    """Rows to learn from."""

    x: NDArray[np.float32]
    y: NDArray[np.bool_]
    columns: tuple[str, ...]
    rate: float
    """Rows a second."""
    weight: float = 1.0
    """How much each row counts; the ensemble alone heeds it."""


def lessons_of(example: Example, settings: TrainSettings, rows: NDArray[np.bool_] | None = None) -> list[Lesson]:
    """What one video teaches, also with its movements higher, lower, faster and slower where that is no less true.

    Args:
        rows: which sampled frames may be used, shape ``(n,)``.
    """
    positive = positive_rows(example, settings.min_overlap_frames)
    usable = usable_rows(example.table, settings.feature_set) & example.known_rows()
    if rows is not None:
        usable = usable & rows
    rate = sampling_rate(example.table)
    if settings.feature_set != "kinematics":
        inside, outside = HIGHER_AND_LOWER if settings.feature_set == "motion" else ((1.0,), (1.0,))
        made = []
        for factor in sorted({*inside, *outside}):
            matrix, columns = features(with_amplitude(example.table, factor), settings.feature_set)
            wanted = usable & ((positive & (factor in inside)) | (~positive & (factor in outside)))
            made.append(Lesson(matrix[wanted], positive[wanted], columns, rate))
        return made
    pairs = [(1.0, r) for r in _TAUGHT_AT] + [(0.7, 1.0), (1.4, 1.0)]
    made = []
    for factor, playback in pairs:
        matrix, columns = features(with_amplitude(example.table, factor), settings.feature_set, playback)
        teaching = _teaching_rows(example, positive, playback)
        wanted = usable & (teaching if factor <= 1.0 else teaching & positive)
        if playback != 1.0:
            wanted &= positive | (np.arange(len(wanted)) % 2 == 0)  # neighbours say nearly the same
        made.append(Lesson(matrix[wanted], positive[wanted], columns, rate))
    return made


def _teaching_rows(example: Example, positive: NDArray[np.bool_], playback: float) -> NDArray[np.bool_]:
    """All rows outside tricks, and those in tricks that look like tricks at this rate."""
    frame, time_s = example.table["frame"].to_numpy(), example.table["time_s"].to_numpy()
    shortest, slow, longest = _ORDINARY_S
    rows = ~positive
    for trick in example.truth:
        inside = (frame >= trick.start_frame) & (frame <= trick.end_frame)
        if inside.any():
            lasts_s = float(np.ptp(time_s[inside])) + 1 / sampling_rate(example.table)
            if shortest <= lasts_s / playback <= longest and (playback == 1.0 or lasts_s > slow):
                rows |= inside
    return rows


def positive_rows(example: Example, min_overlap_frames: int) -> NDArray[np.bool_]:
    """Which sampled frames belong to a trick, shape ``(n,)``: so many of the decoded frames each stands for are inside.

    A frame that stands for fewer than ``min_overlap_frames`` must lie inside with all of them.
    """
    inside = np.concatenate([[0], np.cumsum(frame_mask(example.truth, example.n_frames))])
    frame = example.table["frame"].to_numpy()
    until = np.append(frame[1:], example.n_frames)
    shared = inside[until] - inside[frame]
    return np.asarray(shared >= np.minimum(min_overlap_frames, until - frame))


def sampling_rate(table: pd.DataFrame) -> float:
    """Sampled frames a second."""
    if len(table) < 2:
        return float("nan")
    return float(1.0 / np.median(np.diff(table["time_s"].to_numpy())))
