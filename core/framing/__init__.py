"""The window that follows the skater, for vertical and square clips.

    >>> bodies = look_at_bodies(look.signals, look.pose, look.camera, 16 / 9)            # doctest: +SKIP
    >>> path = crop_path(bodies, (1920, 1080), video.pts_s, clip, tricks, "9:16")        # doctest: +SKIP
    >>> path.window, kept_share(path, bodies, tricks)                                    # doctest: +SKIP
    ((606, 1080), 1.0)

:mod:`core.framing.bodies` says what must stay in the picture, :mod:`core.framing.smooth` finds the calmest way of doing
so along one axis, :mod:`core.framing.crop` puts both together with what the user wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Aspect = Literal["source", "9:16", "4:5", "1:1"]
"""Width to height of a clip; ``source`` is the whole picture."""


@dataclass(frozen=True)
class Keyframe:
    """Where the user wants the crop in one frame; what would reach beyond the picture is moved inside."""

    frame: int
    x: float
    """Middle of the crop, 0..1 of the picture's width."""
    y: float
    """0..1 of its height."""
    zoom: float = 1.0
    """How many times smaller than the largest crop, at least 1."""

    def __post_init__(self) -> None:
        if not (self.frame >= 0 and 0 <= self.x <= 1 and 0 <= self.y <= 1 and 1 <= self.zoom < float("inf")):
            raise ValueError(f"not a keyframe: frame {self.frame}, middle {self.x}, {self.y}, zoom {self.zoom}")
