"""The window that follows the skater, for vertical and square clips.

    >>> bodies = look_at_bodies(look.signals, look.pose, look.camera, 16 / 9)            # doctest: +SKIP
    >>> path = crop_path(bodies, (1920, 1080), video.pts_s, clip, tricks, "9:16")        # doctest: +SKIP
    >>> path.window, kept_share(path, bodies, tricks)                                    # doctest: +SKIP
    ((606, 1080), 1.0)

:mod:`core.framing.bodies` says what must stay in the picture, :mod:`core.framing.smooth` finds the calmest way of doing
so along one axis, :mod:`core.framing.crop` puts both together with what the user wants.
"""

from __future__ import annotations

from typing import Literal

Aspect = Literal["source", "9:16", "4:5", "1:1"]
"""Width to height of a clip; ``source`` is the whole picture."""
