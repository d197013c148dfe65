"""The clips of the mistakes, small enough to be carried by a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.clips import plan_clips
from core.errors import Cancelled, UserError
from core.intervals import Interval
from core.recognize.judging import JudgedClip
from core.recognize.loading import Cancel, Progress
from core.recognize.report.figures import Mistake
from core.report.clips import SmallClip, small_clip
from core.settings import ClipSettings
from core.video import Video

MOST_BYTES = 16_000_000
"""Of all clips as they stand on the page: what still goes by mail."""


def cut_mistakes(
    mistakes: Sequence[Mistake], progress: Progress | None = None, cancelled: Cancel | None = None
) -> dict[int, SmallClip]:
    """Clips of just what the recognizer was shown, without anything around, by the number of the mistake.

    A clip that cannot be cut says why. No further one is cut once all of them take ``MOST_BYTES``.

    Raises:
        Cancelled: ``cancelled`` said so.
    """
    videos: dict[str, Video] = {}
    clips: dict[int, SmallClip] = {}
    written = 0
    for done, mistake in enumerate(mistakes, start=1):
        if cancelled and cancelled():
            raise Cancelled
        clip = _cut(mistake.clip, videos, cancelled)
        written += len(clip.video) + len(clip.poster)
        if written > MOST_BYTES:
            break
        clips[mistake.number] = clip
        if progress:
            progress("cutting", done / len(mistakes))
    return clips


def _cut(clip: JudgedClip, videos: dict[str, Video], cancelled: Cancel | None) -> SmallClip:
    path = Path(clip.path)
    try:
        if clip.path not in videos:
            videos[clip.path] = Video.open(path)
        video = videos[clip.path]
        last = max(clip.start_frame, video.n_frames - 1) if clip.end_frame is None else clip.end_frame
        moment = Interval(clip.start_frame, last, clip.label)
        plan = plan_clips([moment], video, ClipSettings(clip_padding_s=0.0))[0]
        return small_clip(video, plan, (plan.start_frame + plan.end_frame) // 2, cancelled)
    except (UserError, ValueError) as error:  # what was kept may have been changed by hand
        # The page is for others: it tells the name of a file, and not in whose folder it is.
        return SmallClip(fault=str(error).replace(str(path.absolute()), path.name))
