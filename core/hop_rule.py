"""A detector that knows nothing but hops: what is left without the starter's file."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.metrics import hop
from core.settings import EventSettings

HOP_TORSOS = 0.5
"""A hop of half a torso length has probability 0.5. On the reference session tricks hop 1.0 and more, pushing up to
0.47; at this setting 127 of 133 clips of unseen skaters hold a hop."""
_EDGE = 0.3  # the part of its height at which a hop begins and ends


class HopRule:
    """A trick is where the feet or the hips rise above the ground and come back.

    The height is :func:`core.metrics.hop`, in torso lengths, against the background. A hop spans the frames above 30 %
    of its height, all with the probability of its peak.
    """

    def __init__(self, events: EventSettings | None = None) -> None:
        self.events = events or EventSettings()

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        known = hop(table).to_numpy(np.float64)
        height = np.nan_to_num(known)
        heights = height.tolist()  # far quicker to step through than an array
        plateau = np.zeros(len(height))
        for peak in np.argsort(-height, kind="stable"):
            if height[peak] <= 0:
                break
            if plateau[peak]:
                continue
            edge, first, after = _EDGE * heights[peak], peak, peak + 1
            while first > 0 and heights[first - 1] >= edge:
                first -= 1
            while after < len(heights) and heights[after] >= edge:
                after += 1
            plateau[first:after] = np.maximum(plateau[first:after], height[peak])
        probability = plateau**2 / (plateau**2 + HOP_TORSOS**2)
        return np.where(np.isnan(known), np.nan, probability)
