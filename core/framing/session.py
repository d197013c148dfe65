"""The crop of a session's clip, as its settings want it.

>>> path = clip_path(bodies, look.video, plan, settings.framing)                       # doctest: +SKIP
>>> path.notes if path else "the whole picture"                                        # doctest: +SKIP
()
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.clips import ClipPlan
from core.framing.bodies import Bodies
from core.framing.crop import CropPath, crop_path
from core.intervals import Interval
from core.settings import FramingSettings
from core.video import Video

NOT_LOOKED = "This footage has not been looked at yet, so there is nobody to follow: the crop stays in the middle."


def clip_path(bodies: Bodies | None, video: Video, plan: ClipPlan, framing: FramingSettings) -> CropPath | None:
    """The crop in every frame of a clip; None where the clip shows the whole picture.

    Args:
        bodies: None where nobody has looked at the video: the crop stays in the middle then, unless keyframes lead it.
        framing: keyframes beyond the video, which may be of another one, are passed over.
    """
    if framing.aspect == "source":
        return None
    path = crop_path(
        nobody() if bodies is None else bodies,
        (video.info.width, video.info.height),
        video.pts_s,
        Interval(plan.start_frame, plan.end_frame),
        plan.events,
        framing.aspect,
        [key for key in framing.keyframes if key.frame < video.n_frames],
    )
    return replace(path, notes=(NOT_LOOKED,)) if bodies is None else path


def nobody() -> Bodies:
    """A video of one shot in which nobody is seen."""
    unseen = np.full((1, 4), np.nan)
    return Bodies(np.zeros(1, np.int64), np.zeros(1), unseen, unseen, np.zeros(1, np.int64))
