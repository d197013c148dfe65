"""FFmpeg's part in a clip: encode frames anew, or copy them, and see that the file holds what it should.

A frame is found by where reading has to begin for it, which differs from container to container; see :class:`Entry`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core.encoders import H264
from core.errors import UserError
from core.ffmpeg import FFmpegError, Progress, StopWish, run
from core.video import Video, picture_stream, sound_stream

_SAME_S = 1e-6
"""Times closer than this are one: far more than a float's rounding, far less than a tick of any container."""
_CLOCK_S = 0.002
"""How far a frame of a clip may stand from its time: the ticks of Matroska and FLV are 1 ms."""
_LONG_ARGUMENT = 8000
"""Characters; Windows takes 32767 for the whole command line, Linux 131072 for an argument."""
_SURE_START_S = 1.0
"""What lies nearer to the first frame than this is read without a seek, which gains nothing there and may fail."""

_SOUND = ["-c:a", "aac", "-b:a", "160k"]
# No metadata: a clip is made to be shared, and phones write down where it was filmed.
_NO_METADATA = ["-map_metadata", "-1", "-map_chapters", "-1"]
_CONTAINER = ["-movflags", "+faststart", "-f", "mp4"]


@dataclass(frozen=True)
class Entry:
    """Where to begin reading so that a frame can be decoded."""

    seek_s: float | None
    """What to seek to, seconds of the footage; None reads from the beginning of the file."""
    keyframe_s: float
    """When the first picture met from there is shown: a keyframe at or before the wanted frame, or the first frame."""
    streams: tuple[int, ...]
    """Indices of the picture and of its sound, if any: covers and the data tracks of cameras break a cut."""
    time_base: Fraction
    """Seconds a tick of the video stream."""
    timed: bool
    """Whether the file stores when each frame is shown."""


def find_entry(video: Video, frame: int) -> Entry:
    """Look up where to begin reading for ``frame``.

    Files with an index (MP4, Matroska) land on a keyframe at or before the time asked for. Files without one (MPEG-TS,
    MPEG-PS) land anywhere, and the frames up to the next keyframe are lost: there the seek goes back until a keyframe
    is met in time.
    """
    target_s, first_s = float(video.pts_s[frame]), float(video.pts_s[0])
    with av.open(str(video.path), metadata_errors="ignore") as container:
        stream = picture_stream(container)
        time_base: Fraction = stream.time_base
        streams = tuple(found.index for found in (stream, sound_stream(container)) if found is not None)
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
                return Entry(seek_s, max(keyframe_s, first_s), streams, time_base, timed)
            back_s = 2 * back_s + 1
    return Entry(None, first_s, streams, time_base, timed)


def copy_entry(video: Video, frame: int) -> Entry:
    """Where a copy begins that is to show ``frame``.

    Raises:
        UserError: the footage does not say when its frames are shown.
    """
    entry = find_entry(video, frame)
    if not entry.timed:
        raise UserError(
            f"{video.path.name} does not store when its frames are shown, so a fast cut cannot tell where it begins: "
            "cut in exact mode."
        )
    return entry


def _next_keyframe_s(container: Any, video: Video) -> float:
    """Time of the next keyframe to be read, in seconds; infinite where there is none."""
    stream = picture_stream(container)
    for packet in container.demux(stream):
        if packet.is_keyframe and packet.pts is not None:
            return float(packet.pts * stream.time_base) - video.info.start_s
    return math.inf


def _input(video: Video, entry: Entry, *options: str) -> list[str]:
    """FFmpeg's input, with the seek before it: what lies ahead of the place is then neither read nor decoded."""
    seek: list[str] = []
    if entry.seek_s is not None:
        # With -seek_timestamp the time counts from zero and not from what this FFmpeg takes for the start of the file.
        seek = ["-seek_timestamp", "1", *options, "-ss", _us(entry.seek_s + video.info.start_s)]
    streams = [word for index in entry.streams for word in ("-map", f"0:{index}")]
    return [*seek, "-i", str(video.path.absolute()), *streams, *_NO_METADATA]


def encode(
    video: Video,
    first: int,
    last: int,
    partial: Path,
    picture: str,
    encoder: H264,
    progress: Progress | None,
    cancelled: StopWish | None,
) -> None:
    """Write frames ``first`` to ``last`` anew, and check that the file holds these and shows them at their times.

    Args:
        partial: where to.
        picture: FFmpeg's filters from the upright frames to those of the clip.

    Raises:
        UserError: the footage is damaged there.
        FFmpegError: FFmpeg failed, or wrote other frames.
    """
    frames, start_s, end_s = last - first + 1, float(video.pts_s[first]), video.end_of(last)
    entry = find_entry(video, first)
    zero_s = entry.seek_s or 0.0  # FFmpeg counts from where it seeks to
    if entry.timed:
        # Limits a quarter of a frame early, so that no rounding of ticks moves them to another frame.
        trim = f"start={_us(_just_before(video, first) - zero_s)}"
        if last + 1 < video.n_frames:
            trim += f":end={_us(_just_before(video, last + 1) - zero_s)}"
    else:
        trim = f"start_frame={first}:end_frame={last + 1}"
    filters = ",".join(filter(None, [f"trim={trim}", "setpts=PTS-STARTPTS", picture, encoder.upload]))
    # Silence fills gaps, a late start and an early end, so that sound and picture are equally long in every clip.
    sound = (
        f"aresample=async=1:first_pts=0,apad,atrim=start={_us(start_s - zero_s)}:end={_us(end_s - zero_s)},"
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
        *(_lasting(video, first, last) if entry.timed else []),
    ]
    with _filters(filters) as filter_options:
        complaints = run(
            [
                *encoder.device,
                *_input(video, entry, "-noaccurate_seek"),
                *filter_options,
                *timing,
                *encoder.options,
                *sound_options,
                *_CONTAINER,
                str(partial.absolute()),
            ],
            frames,
            progress,
            cancelled,
        )
    times_s = _frame_times(partial)
    if len(times_s) != frames and complaints:
        raise UserError(
            f"{video.path.name} is damaged between {start_s:.1f} s and {end_s:.1f} s, where only "
            f"{len(times_s)} of {frames} frames can be read: leave the damaged part out, or cut it in fast mode."
        )
    if len(times_s) != frames:
        raise FFmpegError(f"The clip of {video.path.name} has {len(times_s)} frames, not {frames}.")
    wanted_s = video.pts_s[first : last + 1] - start_s
    if entry.timed and np.abs(times_s - wanted_s).max() > _CLOCK_S:
        raise FFmpegError(f"The frames of the clip of {video.path.name} are not shown at their times.")


def _lasting(video: Video, first: int, last: int) -> list[str]:
    """Options that show the last frame for as long as in the footage: at an uneven rate FFmpeg forgets it, and players
    may pass over that frame where no sound goes on."""
    start_s = float(video.pts_s[first])
    from_s, lasts_s = _just_before(video, last) - start_s, video.end_of(last) - float(video.pts_s[last])
    return ["-bsf:v", f"setts=pts=PTS:dts=DTS:duration=if(gte(PTS*TB\\,{from_s:.6f})\\,{lasts_s:.6f}/TB\\,DURATION)"]


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


def copy(
    video: Video, first: int, last: int, partial: Path, progress: Progress | None, cancelled: StopWish | None
) -> tuple[int, int, int]:
    """Copy frames ``first`` to ``last``, and what comes along with them, without encoding.

    Returns:
        The first frame and the last one in the file, and how many it holds.

    Raises:
        UserError: the footage does not say when its frames are shown, or its codec does not go into an MP4.
        FFmpegError: FFmpeg failed, or wrote other frames.
    """
    entry = copy_entry(video, first)
    zero_s = entry.seek_s or 0.0  # FFmpeg counts from where it seeks to
    try:
        run(
            [
                *_input(video, entry),
                *["-t", _us(video.end_of(last) - zero_s), "-c", "copy"],
                *(["-tag:v", "hvc1"] if video.info.codec == "hevc" else []),  # Apple's players know no other
                # The keyframe becomes the clip's zero.
                *["-output_ts_offset", _us(zero_s - entry.keyframe_s)],
                *_CONTAINER,
                str(partial.absolute()),
            ],
            last - video.frame_at(entry.keyframe_s) + 1,
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
    if end_frame < last:
        raise FFmpegError(f"The copy from {video.path.name} ends at frame {end_frame}, not {last}.")
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
