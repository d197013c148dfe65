"""Clips: from found events to files.

    >>> plans = plan_clips(events, video, ClipSettings())                    # doctest: +SKIP
    >>> name = clip_name(video.path, 1, plans[0].label)                      # doctest: +SKIP
    >>> cut_clip(video, plans[0], Path("clips") / name).frames               # doctest: +SKIP
    147

An exact clip is encoded anew and holds the planned frames, no more and no less, each shown for as long as in the
footage. A fast clip is copied without encoding: it can only begin at a keyframe, and says at which.
"""

from __future__ import annotations

import errno
import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from core.atomic import atomic_path
from core.colour import sdr_filters
from core.cut import copy, copy_entry, encode
from core.encoders import SOFTWARE, encoder_arguments
from core.errors import UserError
from core.ffmpeg import FFmpegError, Progress, StopWish
from core.intervals import Interval
from core.settings import ClipSettings, CutMode, Encoder
from core.video import Video

log = logging.getLogger(__name__)

_SAME_S = 1e-6
"""Times closer than this are one: far more than a float's rounding, far less than a tick of any container."""
_EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"
"""H.264 in 4:2:0 wants even sides: an odd one loses its last line."""


@dataclass(frozen=True)
class ClipPlan:
    """What one clip is to show."""

    start_frame: int
    """First frame inside."""
    end_frame: int
    """Last frame inside."""
    start_s: float
    """When the first frame is shown, seconds of the footage."""
    end_s: float
    """When the last frame leaves the screen."""
    events: tuple[Interval, ...]
    """What the clip was made for, in order; never empty."""

    @property
    def frames(self) -> int:
        """How many frames are inside."""
        return self.end_frame - self.start_frame + 1

    @property
    def label(self) -> str:
        """The labels of the events, each once, in order."""
        return "+".join(dict.fromkeys(event.label for event in self.events))


@dataclass(frozen=True)
class Clip:
    """A clip that was written, with what it really shows."""

    path: Path
    mode: CutMode
    start_frame: int
    """First frame of the footage in it; in a fast clip the keyframe at or before the wanted one."""
    end_frame: int
    """Last frame of the footage in it; a fast clip may hold a few frames more than wanted."""
    start_s: float
    """When that first frame is shown in the footage, seconds."""
    end_s: float
    wanted_start_s: float
    """Where the plan starts: ``wanted_start_s - start_s`` seconds of a fast clip are a lead-in."""
    wanted_end_s: float
    frames: int
    """How many frames the file holds."""


def plan_clips(events: Sequence[Interval], video: Video, settings: ClipSettings) -> list[ClipPlan]:
    """Pad the events, and join those that are close.

    Events at most ``merge_gap_s`` apart (from where one leaves the screen to where the next begins, before padding)
    share a clip; overlapping and touching ones always do. Clips that only overlap once they are padded stay apart.
    Padding reaches at least as far as asked, to the frame on screen there, and never beyond the video.

    Returns:
        The plans, in order of time.

    Raises:
        UserError: an event begins after the last frame.
    """
    groups: list[list[Interval]] = []
    group_end_s = 0.0
    for event in sorted(events, key=lambda event: (event.start_frame, event.end_frame)):
        if event.start_frame >= video.n_frames:
            raise UserError(
                f"{video.path.name} ends at frame {video.n_frames - 1}, but a {event.label} is to begin at frame "
                f"{event.start_frame}: check that these labels belong to this video."
            )
        start_s = float(video.pts_s[event.start_frame])
        end_s = video.end_of(min(event.end_frame, video.n_frames - 1))
        if groups and start_s - group_end_s <= settings.merge_gap_s + _SAME_S:
            groups[-1].append(event)
            group_end_s = max(group_end_s, end_s)
        else:
            groups.append([event])
            group_end_s = end_s
    return [_padded(group, video, settings.clip_padding_s) for group in groups]


def _padded(events: list[Interval], video: Video, padding_s: float) -> ClipPlan:
    last_frame = min(max(event.end_frame for event in events), video.n_frames - 1)
    start_frame = video.frame_at(float(video.pts_s[events[0].start_frame]) - padding_s)
    # The last frame that begins before the padding ends.
    end_frame = int(np.searchsorted(video.pts_s, video.end_of(last_frame) + padding_s - _SAME_S)) - 1
    return ClipPlan(start_frame, end_frame, float(video.pts_s[start_frame]), video.end_of(end_frame), tuple(events))


def clip_name(video_path: Path, index: int, label: str) -> str:
    """File name of a clip: ``{stem of the video}_{index:02d}_{label}.mp4``.

    Both parts keep letters of any script, digits, ``-`` and ``_``; all else becomes ``-``, so that a label cannot lead
    to another folder.

    >>> clip_name(Path("/footage/Park day 2.mov"), 3, "../kick/flip")
    'Park-day-2_03_kick-flip.mp4'
    """
    return f"{session_part(video_path)}_{index:02d}_{label_part(label)}.mp4"


def session_part(video_path: Path) -> str:
    """What the names of files made from a video begin with."""
    return _safe(video_path.stem, 100) or "video"


def label_part(label: str) -> str:
    """A label as part of a file name; see :func:`clip_name`."""
    return _safe(label, 60) or "clip"


def _safe(text: str, max_bytes: int) -> str:
    # NFKC first: it turns look-alikes of separators, such as the full-width slash, into the separators themselves.
    words = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFKC", text)).strip("-_")
    return words.encode()[:max_bytes].decode(errors="ignore").strip("-_")


def cut_clip(
    video: Video,
    plan: ClipPlan,
    out_path: str | Path,
    mode: CutMode = "exact",
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
    long_side: int | None = None,
    shape: str | None = None,
    encoder: Encoder = "software",
) -> Clip:
    """Write one clip as MP4, with its sound; a clip of that name is replaced.

    Args:
        video: the footage.
        plan: a plan made for this very video.
        out_path: must end in ``.mp4``; missing folders are made.
        mode: ``exact`` encodes anew (H.264, upright, in the colours of :func:`core.colour.sdr_filters`) and holds
            exactly the planned frames with their own timing; ``fast`` copies, from the keyframe at or before the
            plan's start; see :func:`fast_start`.
        progress: told the fraction done, 0 to 1.
        cancelled: polled ten times a second.
        long_side: the most pixels of its longer side, for a preview of an exact clip; None leaves the size.
        shape: FFmpeg's filters from the upright planned frames to the pictures of an exact clip, with even sides; they
            count frames from the clip's first. Instead of ``long_side``.
        encoder: of an exact clip; where the ``hardware`` fails, the clip is encoded in software.

    Raises:
        UserError: the footage is gone, damaged or cannot be copied into an MP4; the disk is full or write-protected.
        Cancelled: ``cancelled`` said so.
        FFmpegError: FFmpeg failed in another way, or the clip is not what was planned.

    Whatever is raised, nothing half-written is left behind.
    """
    out_path = Path(out_path)
    if not 0 <= plan.start_frame <= plan.end_frame < video.n_frames:
        raise ValueError(
            f"frames {plan.start_frame} to {plan.end_frame} of {video.n_frames}: not a plan for this video"
        )
    if out_path.suffix.lower() != ".mp4":
        raise UserError(f"{out_path.name} is not a name for an MP4 file: let it end in .mp4.")
    if out_path.resolve() == video.path.resolve():
        raise UserError(f"{out_path} is the footage itself: choose another name or folder for the clip.")
    with atomic_path(out_path) as partial:
        partial.touch()  # learns of a read-only folder from the system and not from FFmpeg's words
        try:
            if mode == "fast":
                start_frame, end_frame, frames = copy(
                    video, plan.start_frame, plan.end_frame, partial, progress, cancelled
                )
            else:
                start_frame, end_frame, frames = plan.start_frame, plan.end_frame, plan.frames
                _encode(video, plan, partial, _picture(video, long_side, shape), encoder, progress, cancelled)
        except (FFmpegError, av.FFmpegError) as error:
            if not video.path.is_file():
                raise UserError(f"{video.path} is gone: bring it back and cut again.") from error
            if isinstance(error, FFmpegError) and error.disk_full:
                raise OSError(errno.ENOSPC, "no space left") from error  # atomic_path names the folder
            raise
    if progress:
        progress(1.0)
    start_s, end_s = float(video.pts_s[start_frame]), video.end_of(end_frame)
    return Clip(out_path, mode, start_frame, end_frame, start_s, end_s, plan.start_s, plan.end_s, frames)


def fast_start(video: Video, plan: ClipPlan) -> tuple[int, float]:
    """The frame at which a fast cut will begin, and when it is shown, in seconds, without cutting.

    Raises:
        UserError: the footage is gone, or does not say when its frames are shown.
    """
    try:
        frame = video.frame_at(copy_entry(video, plan.start_frame).keyframe_s)
    except av.FFmpegError as error:
        raise UserError(f"{video.path} is gone: bring it back and cut again.") from error
    return frame, float(video.pts_s[frame])


def _picture(video: Video, long_side: int | None, shape: str | None) -> str:
    """FFmpeg's filters from upright frames to those of an exact clip."""
    colours = sdr_filters(video)
    if long_side and long_side < max(video.info.width, video.info.height):
        width, height = video.fit(long_side, 2)
        filters = [f"scale={width}:{height}", "setsar=1", colours]  # scaled first, because mapping tones is slow
    else:
        filters = [colours, shape or _EVEN]
    return ",".join(filter(None, filters))


def _encode(
    video: Video,
    plan: ClipPlan,
    partial: Path,
    picture: str,
    wish: Encoder,
    progress: Progress | None,
    cancelled: StopWish | None,
) -> None:
    """Encode as wished, and in software where that fails."""
    encoder = encoder_arguments(wish)
    for chosen in dict.fromkeys([encoder, SOFTWARE]):
        try:
            encode(video, plan.start_frame, plan.end_frame, partial, picture, chosen, progress, cancelled)
            return
        except (FFmpegError, av.FFmpegError, UserError) as error:
            full = isinstance(error, FFmpegError) and error.disk_full
            if chosen is SOFTWARE or full or not video.path.is_file():
                raise
            log.warning("%s failed, so the clip is encoded by %s: %s", chosen.name, SOFTWARE.name, error)
