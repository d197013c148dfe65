"""How the maps of a network change in the course of a moment: one vector, whatever the scene looks like.

The mean of a map says what is in the picture, and with it where it was filmed; its changes say what moves. Both kinds
are needed: changes of a channel's mean over the picture (something appears, such as the graphic on the underside of a
board that flips) and the mean of the changes at each place (something moves).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.recognize.light.backbone import CHANNELS, Maps

LAGS = (1, 3)
"""Pictures between the two that are compared: a thirtieth and a tenth of a second, in which a board flips a third of
a turn."""
COUNT = 2 * len(LAGS) * sum(CHANNELS)
"""Features of a moment."""
_FLOOR = 1e-3  # logarithms make ratios of changes; this is far below any change of a moving picture


def changes(maps: Sequence[Maps]) -> NDArray[np.float32]:
    """Logarithms of the mean absolute differences in time.

    Args:
        maps: of each picture of the moment, in order, more than the longest lag: for each layer ``(h, w, c)``.

    Returns:
        Float32, for each layer and each lag two values a channel: of its mean over the picture, and of its places.
    """
    parts = []
    for layer in range(len(maps[0])):
        stack = np.stack([one[layer] for one in maps])
        pooled = stack.mean(axis=(1, 2))
        for lag in LAGS:
            parts.append(np.abs(pooled[lag:] - pooled[:-lag]).mean(axis=0))
            parts.append(np.abs(stack[lag:] - stack[:-lag]).mean(axis=(0, 1, 2)))
    return np.log(np.concatenate(parts) + np.float32(_FLOOR)).astype(np.float32)
