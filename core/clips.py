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
import math
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import UserError
from core.ffmpeg import FFmpegError, Progress, StopWish, run
from core.intervals import Interval
from core.settings import ClipSettings, CutMode
from core.video import Video

_SAME_S = 1e-6
"""Times closer than this are one: far more than a float's rounding, far less than a tick of any container."""
_CLOCK_S = 0.002
"""How far a frame of a clip may stand from its time: the ticks of Matroska and FLV are 1 ms."""
_LONG_ARGUMENT = 8000
"""Characters; Windows takes 32767 for the whole command line, Linux 131072 for an argument."""
_SURE_START_S = 1.0
"""What lies nearer to the first frame than this is read without a seek, which gains nothing there and may fail."""

# Measured on a 360p session and two 1080p phone clips: veryfast takes a third to two thirds of the time of fast. In
# VMAF it scores 95.8 to 99.5 at crf 18, 94.0 to 99.1 at crf 20 and 90.3 to 95.7 at crf 23 (the encoder's default).
_ENCODER = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p"]
_SOUND = ["-c:a", "aac", "-b:a", "160k"]
# Picture and first sound only: the data tracks of phones and action cameras break a cut. No metadata: a clip is made to
# be shared, and phones write down where it was filmed.
_STREAMS = ["-map", "0:v:0", "-map", "0:a:0?", "-map_metadata", "-1", "-map_chapters", "-1"]
_CONTAINER = ["-movflags", "+faststart", "-f", "mp4"]


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
) -> Clip:
    """Write one clip as MP4, with its sound; a clip of that name is replaced.

    Args:
        video: the footage.
        plan: a plan made for this very video.
        out_path: must end in ``.mp4``; missing folders are made.
        mode: ``exact`` encodes anew (H.264, 8 bit, upright, HDR by its colour tags only) and holds exactly the planned
            frames with their own timing; ``fast`` copies, from the keyframe at or before the plan's start.
        progress: told the fraction done, 0 to 1.
        cancelled: polled ten times a second.
        long_side: the most pixels of its longer side, for a preview of an exact clip; None leaves the size.
        shape: FFmpeg's filters from the upright planned frames to the pictures of an exact clip, with even sides; they
            count frames from the clip's first. Instead of ``long_side``.

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
    if long_side and long_side < max(video.info.width, video.info.height):
        width, height = video.fit(long_side, 2)
        shape = f"scale={width}:{height},setsar=1"
    with atomic_path(out_path) as partial:
        partial.touch()  # learns of a read-only folder from the system and not from FFmpeg's words
        try:
            if mode == "fast":
                start_frame, end_frame, frames = _cut_fast(video, plan, partial, progress, cancelled)
            else:
                start_frame, end_frame, frames = _cut_exact(video, plan, partial, shape, progress, cancelled)
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


@dataclass(frozen=True)
class _Entry:
    """Where to begin reading so that a frame can be decoded."""

    seek_s: float | None
    """What to seek to, seconds of the footage; None reads from the beginning of the file."""
    keyframe_s: float
    """When the first picture met from there is shown: a keyframe at or before the wanted frame, or the first frame."""
    time_base: Fraction
    """Seconds a tick of the video stream."""
    timed: bool
    """Whether the file stores when each frame is shown."""


def _find_entry(video: Video, frame: int) -> _Entry:
    """Look up where to begin reading for ``frame``.

    Files with an index (MP4, Matroska) land on a keyframe at or before the time asked for. Files without one (MPEG-TS,
    MPEG-PS) land anywhere, and the frames up to the next keyframe are lost: there the seek goes back until a keyframe
    is met in time.
    """
    target_s, first_s = float(video.pts_s[frame]), float(video.pts_s[0])
    with av.open(str(video.path), metadata_errors="ignore") as container:
        stream: Any = container.streams.video[0]
        time_base: Fraction = stream.time_base
        # AVI stores no timestamps, and what FFmpeg makes up for them differs after a seek. Where the video's table of
        # times is made up, it counts from zero and not from the start of the container.
        begins_s = container.start_time / av.time_base if container.start_time is not None else math.inf
        timed = container.format.name != "avi" and abs(begins_s - video.info.start_s) <= _SAME_S
        back_s = 0.0
        while timed and target_s - back_s > first_s + _SURE_START_S:
            seek_s = target_s - back_s
            container.seek(round((seek_s + video.info.start_s) * av.time_base))
            keyframe_s = _next_keyframe_s(container, video)
            if keyframe_s <= target_s + _SAME_S:
                # A file that was trimmed without encoding keeps the keyframe of its first frames, but does not show it.
                return _Entry(seek_s, max(keyframe_s, first_s), time_base, timed)
            back_s = 2 * back_s + 1
    return _Entry(None, first_s, time_base, timed)


def _next_keyframe_s(container: Any, video: Video) -> float:
    """Time of the next keyframe to be read, in seconds; infinite where there is none."""
    stream = container.streams.video[0]
    for packet in container.demux(stream):
        if packet.is_keyframe and packet.pts is not None:
            return float(packet.pts * stream.time_base) - video.info.start_s
    return math.inf


def _input(video: Video, seek_s: float | None, *options: str) -> list[str]:
    """FFmpeg's input, with the seek before it: what lies ahead of the place is then neither read nor decoded."""
    # With -seek_timestamp the time counts from zero and not from what this FFmpeg takes for the start of the file.
    seek = [] if seek_s is None else ["-seek_timestamp", "1", *options, "-ss", _us(seek_s + video.info.start_s)]
    return [*seek, "-i", str(video.path.absolute())]


def _cut_exact(
    video: Video,
    plan: ClipPlan,
    partial: Path,
    shape: str | None,
    progress: Progress | None,
    cancelled: StopWish | None,
) -> tuple[int, int, int]:
    """Write the clip and check it: first frame, last frame, frames written."""
    entry = _find_entry(video, plan.start_frame)
    zero_s = entry.seek_s or 0.0  # FFmpeg counts from where it seeks to
    if entry.timed:
        # Limits a quarter of a frame early, so that no rounding of ticks moves them to another frame.
        trim = f"start={_us(_just_before(video, plan.start_frame) - zero_s)}"
        if plan.end_frame + 1 < video.n_frames:
            trim += f":end={_us(_just_before(video, plan.end_frame + 1) - zero_s)}"
    else:
        trim = f"start_frame={plan.start_frame}:end_frame={plan.end_frame + 1}"
    # H.264 in 4:2:0 wants even sides: an odd one loses its last line.
    picture = f"trim={trim},setpts=PTS-STARTPTS,{shape or 'crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0'}"
    # Silence fills gaps, a late start and an early end, so that sound and picture are equally long in every clip.
    sound = (
        f"aresample=async=1:first_pts=0,apad,atrim=start={_us(plan.start_s - zero_s)}:end={_us(plan.end_s - zero_s)},"
        "asetpts=PTS-STARTPTS"
    )
    sound_options = ["-af", sound, *_SOUND] if video.info.audio else []
    if video.info.audio and video.info.audio.channels > 2:
        sound_options += ["-ac", "2"]
    # Passthrough and the footage's own time base: frames are neither doubled nor dropped, and keep their times. The
    # filters set the end, because -frames:v would take up to a packet of sound away there.
    timing = [
        "-fps_mode",
        "passthrough",
        "-enc_time_base:v",
        f"{entry.time_base.numerator}:{entry.time_base.denominator}",
    ]
    with _filters(picture) as filters:
        complaints = run(
            [
                *_input(video, entry.seek_s, "-noaccurate_seek"),
                *_STREAMS,
                *filters,
                *timing,
                *_ENCODER,
                *sound_options,
                *_CONTAINER,
                str(partial.absolute()),
            ],
            plan.frames,
            progress,
            cancelled,
        )
    times_s = _frame_times(partial)
    if len(times_s) != plan.frames and complaints:
        raise UserError(
            f"{video.path.name} is damaged between {plan.start_s:.1f} s and {plan.end_s:.1f} s, where only "
            f"{len(times_s)} of {plan.frames} frames can be read: leave the damaged part out, or cut it in fast mode."
        )
    if len(times_s) != plan.frames:
        raise FFmpegError(f"The clip of {video.path.name} has {len(times_s)} frames, not {plan.frames}.")
    wanted_s = video.pts_s[plan.start_frame : plan.end_frame + 1] - plan.start_s
    if entry.timed and np.abs(times_s - wanted_s).max() > _CLOCK_S:
        raise FFmpegError(f"The frames of the clip of {video.path.name} are not shown at their times.")
    return plan.start_frame, plan.end_frame, plan.frames


@contextmanager
def _filters(picture: str) -> Iterator[list[str]]:
    """The option for the picture's filters: from a file where they are longer than an argument may be."""
    if len(picture) < _LONG_ARGUMENT:
        yield ["-vf", picture]
        return
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "filters.txt"
        script.write_text(picture, encoding="ascii")
        yield ["-/filter:v", str(script)]


def _just_before(video: Video, frame: int) -> float:
    """A time shortly before ``frame``, after the one ahead of it."""
    at_s = float(video.pts_s[frame])
    return at_s - (at_s - float(video.pts_s[frame - 1])) / 4 if frame else at_s - _CLOCK_S


def _cut_fast(
    video: Video, plan: ClipPlan, partial: Path, progress: Progress | None, cancelled: StopWish | None
) -> tuple[int, int, int]:
    """Copy the clip and see what it holds: first frame, last frame, frames written."""
    entry = _find_entry(video, plan.start_frame)
    if not entry.timed:
        raise UserError(
            f"{video.path.name} does not store when its frames are shown, so a fast cut cannot tell where it begins: "
            "cut in exact mode."
        )
    zero_s = entry.seek_s or 0.0  # FFmpeg counts from where it seeks to
    try:
        run(
            [
                *_input(video, entry.seek_s),
                *_STREAMS,
                *["-t", _us(plan.end_s - zero_s), "-c", "copy"],
                *(["-tag:v", "hvc1"] if video.info.codec == "hevc" else []),  # Apple's players know no other
                # The keyframe becomes the clip's zero.
                *["-output_ts_offset", _us(zero_s - entry.keyframe_s)],
                *_CONTAINER,
                str(partial.absolute()),
            ],
            plan.end_frame - video.frame_at(entry.keyframe_s) + 1,
            progress,
            cancelled,
        )
    except FFmpegError as error:
        if error.says("codec not currently supported in container"):
            raise UserError(
                f"{video.path.name} is coded in a way that an MP4 file cannot hold: cut in exact mode."
            ) from error
        raise
    times_s = _frame_times(partial)
    if not len(times_s) or times_s[0] > _CLOCK_S:
        raise FFmpegError(f"The copy from {video.path.name} begins too late.")
    end_frame = int(np.abs(video.pts_s - (entry.keyframe_s + times_s[-1])).argmin())
    if end_frame < plan.end_frame:
        raise FFmpegError(f"The copy from {video.path.name} ends at frame {end_frame}, not {plan.end_frame}.")
    return video.frame_at(entry.keyframe_s), end_frame, len(times_s)


def _frame_times(path: Path) -> NDArray[np.float64]:
    """When each frame of a clip is shown, in seconds, ascending: shape ``(n,)``.

    Leading pictures of an open GOP, which are shown before the first keyframe and cannot be decoded without the GOP
    before, do not count, nor does anything before the clip's zero.
    """
    with av.open(str(path)) as container:
        if not container.streams.video:
            return np.empty(0)
        stream: Any = container.streams.video[0]
        times_s = np.array(
            [packet.pts * stream.time_base for packet in container.demux(stream) if packet.size], np.float64
        )
    return np.sort(times_s[times_s >= np.maximum(times_s[:1], -_CLOCK_S)])


def _us(seconds: float) -> str:
    """Whole microseconds, FFmpeg's finest unit."""
    return f"{round(seconds * 1e6)}us"
