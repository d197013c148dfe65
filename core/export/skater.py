"""What is known of the skater in the footage, as far as an export asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.framing.bodies import Bodies
from core.framing.session import nobody
from core.intervals import Interval

_LEAST_HOP = 0.15
"""Torso lengths; a lower hop is the trembling of the joints."""
_GROUND = 0.2
"""Of the hop's height: below it the feet are about to leave the ground or have come back to it."""


@dataclass(frozen=True)
class Skater:
    """Where he is, and how high."""

    bodies: Bodies
    table: pd.DataFrame
    """One row a sampled frame with ``frame``, ``hop_feet`` and ``hop_ankle`` (torso lengths); see
    :mod:`core.metrics`."""

    @classmethod
    def nowhere(cls) -> Skater:
        """Of a video in which nobody is seen."""
        return cls(nobody(), pd.DataFrame({"frame": [], "hop_feet": [], "hop_ankle": []}))

    def peak(self, trick: Interval) -> int:
        """The frame in which he is highest; the middle of a trick without a hop."""
        frames, heights = self._hop(trick)
        return int(frames[heights.argmax()]) if len(frames) else (trick.start_frame + trick.end_frame) // 2

    def air(self, trick: Interval) -> Interval:
        """From take-off to landing: the frames round the peak up to where his feet are on the ground, within the trick;
        the whole of a trick without a hop."""
        frames, heights = self._hop(trick)
        if not len(frames):
            return trick
        peak = int(heights.argmax())
        ground = np.flatnonzero(heights <= _GROUND * heights[peak])
        before, after = ground[ground < peak], ground[ground > peak]
        first = int(frames[before[-1]]) if len(before) else trick.start_frame
        last = int(frames[after[0]]) if len(after) else trick.end_frame
        return Interval(first, last, trick.label)

    def _hop(self, trick: Interval) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Sampled frames of the trick in which the height of his feet is known, and that height; none where he does not
        leave the ground."""
        rows = self.table[self.table["frame"].between(trick.start_frame, trick.end_frame)]
        # The lower foot first: pushing lifts the other one.
        for column in ("hop_feet", "hop_ankle"):
            known = rows[rows[column].notna()]
            heights = known[column].to_numpy(np.float64)
            if len(known) and heights.max() >= _LEAST_HOP:
                return known["frame"].to_numpy(np.int64), heights
        return np.empty(0, np.int64), np.empty(0)
