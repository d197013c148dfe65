"""Small silent clips that a page carries in itself.

They are not cut by :func:`core.clips.cut_clip`, because a report is the same for the same input: with its settings
x264 gives other bytes now and then, see ``_ENCODER``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import pandas as pd

from core.clips import ClipPlan, plan_clips
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.previews import best_frame
from core.report.evaluation import Moment
from core.settings import ClipSettings
from core.video import Picture, Video

AROUND_S = 1.0
"""Kept before and after what a clip shows, seconds."""
LONG_SIDE = 320
"""Pixels."""
LONGEST_S = 12.0
"""An event that goes on and on shows its first so many seconds."""

# About 90 kB for three seconds. Without mbtree, whose code for AVX-512 (x264 core 165) makes twelve different files of
# one clip in twelve runs; the price is 10 % in size. The number of threads is fixed, since it changes the bytes too.
_ENCODER = {"crf": "26", "preset": "slow", "threads": "1", "x264-params": "mbtree=0"}
_TICK = Fraction(1, 90_000)
"""Fine enough for every usual rate, so that each frame keeps its time."""
_JPEG_QUALITY = 75


@dataclass(frozen=True)
class SmallClip:
    """A clip for a page, or why there is none."""

    video: str = ""
    """H.264 without sound, as a data URI."""
    poster: str = ""
    """The frame that shows the trick best, a JPEG, as a data URI."""
    width: int = 0
    """Pixels."""
    height: int = 0
    shortened: bool = False
    """Whether it ends before what it shows does."""
    fault: str = ""


def cut_small(
    video: Video,
    moments: Sequence[Moment],
    probability: pd.Series | None = None,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> dict[Moment, SmallClip]:
    """Clips of the moments, with a second before and after.

    A stretch that cannot be decoded costs its own clip and no other.

    Args:
        probability: of a trick by sampled frame, for choosing the poster.
        progress: told the fraction of the clips done, 0 to 1.

    Raises:
        UserError: the video is gone.
        Cancelled: ``cancelled`` said so.
    """
    clips: dict[Moment, SmallClip] = {}
    known = pd.Series(dtype=float) if probability is None else probability
    for number, moment in enumerate(moments):
        plan = plan_clips([moment.span], video, ClipSettings(clip_padding_s=AROUND_S))[0]
        try:
            clips[moment] = small_clip(video, plan, best_frame(moment.found or moment.span, known), cancelled)
        except UserError as error:
            if not video.path.is_file():
                raise
            clips[moment] = SmallClip(fault=str(error))
        if progress:
            progress((number + 1) / len(moments))
    return clips


def small_clip(video: Video, plan: ClipPlan, best: int, cancelled: StopWish | None = None) -> SmallClip:
    """One clip, of at most ``LONGEST_S``.

    Args:
        best: the frame for the poster; the nearest one that can be decoded stands for it.

    Raises:
        UserError: nothing of it can be decoded.
        Cancelled: ``cancelled`` said so.
    """
    shown = _shortened(video, plan)
    width, height = video.fit(min(LONG_SIDE, max(video.info.width, video.info.height)), 2)
    poster: Picture | None = None
    written = BytesIO()
    with av.open(written, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("libx264", rate=video.info.average_rate, options=_ENCODER)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = _TICK
        for picture in video.pictures(1, shown.start_frame, shown.end_frame + 1):
            if cancelled and cancelled():
                raise Cancelled
            if poster is None or abs(picture.index - best) < abs(poster.index - best):
                poster = picture
            frame = av.VideoFrame.from_ndarray(picture.rgb(width, height), format="rgb24")
            frame.pts, frame.time_base = round((picture.time_s - shown.start_s) / _TICK), _TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if poster is None:
        raise UserError(f"{video.path.name} cannot be decoded there: check that it plays.")
    return SmallClip(
        _data_uri("video/mp4", written.getvalue()),
        _data_uri("image/jpeg", _jpeg(poster, width, height)),
        width,
        height,
        shortened=shown is not plan,
    )


def _shortened(video: Video, plan: ClipPlan) -> ClipPlan:
    if plan.end_s - plan.start_s <= LONGEST_S:
        return plan
    end_frame = video.frame_at(plan.start_s + LONGEST_S)
    return replace(plan, end_frame=end_frame, end_s=video.end_of(end_frame))


def _jpeg(picture: Picture, width: int, height: int) -> bytes:
    import cv2

    _, encoded = cv2.imencode(".jpg", picture.rgb(width, height)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"
