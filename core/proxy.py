"""A light copy of a video for watching, where the browser cannot play the footage itself.

    >>> if needs_proxy(video):                                               # doctest: +SKIP
    ...     make_proxy(video, proxy_path(workspace, content))

The copy has the same frames at the same times, upright, so that a frame number means the same picture in both. Nothing
is measured on it and no clip is cut from it. Where only the container is in the way, the pictures are not encoded anew:
an hour then takes seconds.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from core.atomic import atomic_path
from core.colour import sdr_filters
from core.errors import UserError
from core.ffmpeg import FFmpegError, Progress, StopWish, run
from core.video import Video, picture_stream, sound_stream
from core.workspace import Workspace

log = logging.getLogger(__name__)

LONG_SIDE = 1280
"""Of a proxy, pixels: about what the player of a 1440 px wide page shows."""
KEYFRAME_EVERY_S = 0.5
"""A seek decodes from the keyframe before, so this bounds what dragging through the video costs."""
SAME_S = 0.002
"""How far a frame of the copy may stand from its time: the ticks of Matroska and FLV are 1 ms."""

_VERSION = 2
_MP4, _WEBM = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
_PLAYED = {_MP4: {"h264", "vp9", "av1"}, _WEBM: {"vp8", "vp9", "av1"}}
"""What every Chromium decodes, by FFmpeg's name of the container (https://www.chromium.org/audio-video/). HEVC depends
on the machine, and H.264 in Matroska on the browser."""
_PIXELS = {"yuv420p", "yuvj420p"}
_HEARD = {"aac", "mp3", "mp3float", "opus", "vorbis", "flac"}
_HEAVY_PIXELS_S = 1920 * 1080 * 61
"""Pixels a second from which on a copy is made for the sake of smooth play alone: more than 1080p at 60 fps, which is
what laptops without a graphics card are made for."""
_HEAVY_BITS_S = 80e6
"""Bits a second likewise: more than phones and action cameras write at 1080p."""
_SHORT = 600
"""Frames of a video that is searched for an open GOP from end to end."""
_NAMES = {
    "hevc": "HEVC (H.265)",
    "mpeg4": "MPEG-4 Part 2",
    "mpeg2video": "MPEG-2",
    "prores": "ProRes",
    "mjpeg": "MJPEG",
}
_NEARLY_ALL = 0.9

# Phone clips take 3 to 5 Mbit/s so. Without B-frames the file needs no edit list, which players read in different
# ways.
_ENCODER = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "25", "-bf", "0", "-sc_threshold", "0"]
_KEYFRAMES = ["-g", "600", "-force_key_frames", f"expr:gte(t,n_forced*{KEYFRAME_EVERY_S})"]
_SOUND = ["-c:a", "aac", "-b:a", "128k", "-ac", "2"]
_CONTAINER = ["-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4"]
_STILL = ["-f", "lavfi", "-i", "anullsrc=channel_layout=mono:sample_rate=48000"]


@dataclass(frozen=True)
class _Source:
    """What the proxy needs to know beyond :class:`core.video.VideoInfo`."""

    container: str
    bits_s: float
    sound: int | None
    """Index of the sound stream among all streams."""
    counted: bool
    """Whether frames are told apart by counting, because the file does not store their times."""
    open_gop: bool
    """Whether frames shown before a keyframe are stored after it and refer to what comes before."""


def proxy_path(workspace: Workspace, content: str) -> Path:
    """Where the proxy of the video with this content id is kept."""
    return workspace.artifact(content, "proxy", {"long_side": LONG_SIDE}, "mp4", version=_VERSION)


def needs_proxy(video: Video) -> bool:
    """Whether the browser needs a light copy to play ``video`` frame by frame and without stuttering."""
    return obstacle(video) is not None


def obstacle(video: Video) -> str | None:
    """Why the browser cannot play ``video`` well, as a clause that follows "because"; None if it can."""
    return _obstacle(video, _source(video))


def _obstacle(video: Video, source: _Source) -> str | None:
    info = video.info
    return (
        _obstacle_in_picture(video, source)
        or (f"its sound is coded as {info.audio.codec}" if info.audio and info.audio.codec not in _HEARD else None)
        or (None if info.codec in _PLAYED.get(source.container, ()) else f"it is {_article(video.path)} file")
        # A browser counts from zero and not from where the file begins (tried on Chromium 156).
        or (f"its clock starts at {info.start_s:.2f} s" if abs(info.start_s) > SAME_S else None)
    )


def _obstacle_in_picture(video: Video, source: _Source) -> str | None:
    """What only encoding anew can mend."""
    info = video.info
    if info.codec not in set.union(*_PLAYED.values()):
        return f"it is {_NAMES.get(info.codec, info.codec.upper())} video"
    if info.bit_depth > 8:
        return f"its colours have {info.bit_depth} bits"
    if info.pixel_format not in _PIXELS:
        return f"its colours are stored as {info.pixel_format}"
    if source.open_gop:
        return "its frames depend on each other across keyframes (open GOP)"
    if info.width * info.height * info.average_rate > _HEAVY_PIXELS_S or source.bits_s > _HEAVY_BITS_S:
        size = f"{info.width} × {info.height} at {float(info.average_rate):.0f} frames"
        return f"it is heavy ({size} and {source.bits_s / 1e6:.0f} Mbit a second)"
    return None


def _article(path: Path) -> str:
    kind = path.suffix.removeprefix(".").upper()
    return f"an {kind}" if kind[:1] in "AFMN" else f"a {kind}" if kind else "an unknown"


def make_proxy(video: Video, out: Path, progress: Progress | None = None, cancelled: StopWish | None = None) -> Path:
    """Write the light copy: H.264, 8 bit, upright, a keyframe every half second, sound as AAC, index first.

    Colours are those of the clips; see :func:`core.colour.sdr_filters`.

    Args:
        out: an MP4 file; missing folders are made.
        progress: told the fraction done, 0 to 1.
        cancelled: polled ten times a second.

    Raises:
        UserError: the footage is gone or mostly damaged; the disk is full or write-protected.
        Cancelled: ``cancelled`` said so.
        FFmpegError: FFmpeg failed in another way, or the copy has other frames or times than the footage.

    Whatever is raised, nothing half-written is left behind. Frames that are damaged in the footage are missing in the
    copy; all others have their times.
    """
    source = _source(video)
    ways = [_encoded]
    # Repacked, B-frames at an uneven rate get wrong durations: a browser then seeks to the frame after the right one.
    plain = video.info.codec == "h264" and not source.counted and not video.info.variable_rate
    if plain and _obstacle_in_picture(video, source) is None:
        ways.insert(0, _repacked)
    with atomic_path(out) as partial:
        partial.touch()  # learns of a read-only folder from the system and not from FFmpeg's words
        for way in ways:
            try:
                complaints = run(way(video, source, partial), video.n_frames, progress, cancelled)
                _check(video, partial, bool(complaints))
                break
            except FFmpegError as error:
                if not video.path.is_file():
                    raise UserError(f"{video.path} is gone: bring it back and try again.") from error
                if error.disk_full:
                    raise OSError(errno.ENOSPC, "no space left") from error  # atomic_path names the folder
                if way is _encoded:
                    raise
                log.info("%s is encoded anew, because repacking failed: %s", video.path.name, error)
    if progress:
        progress(1.0)
    return out


def _repacked(video: Video, source: _Source, partial: Path) -> list[str]:
    """FFmpeg's arguments for the same pictures in another container."""
    keep_sound = video.info.audio is not None and video.info.audio.codec in ("aac", "mp3", "mp3float")
    return [
        *["-i", str(video.path), "-map", "0:V:0"],
        *([] if source.sound is None else ["-map", f"0:{source.sound}"]),
        *["-c:v", "copy", *(["-c:a", "copy"] if keep_sound else _SOUND), *_CONTAINER, str(partial.absolute())],
    ]


def _encoded(video: Video, source: _Source, partial: Path) -> list[str]:
    """FFmpeg's arguments for new pictures."""
    first_s = float(video.pts_s[0])
    # The file begins with what comes first. Where the picture comes later than the beginning and nothing is heard until
    # then, silence holds its place.
    still = source.sound is None and first_s > SAME_S
    sound = ["-map", "1:a:0", "-shortest"] if still else [] if source.sound is None else ["-map", f"0:{source.sound}"]
    rate = video.info.average_rate
    timing = (
        [f"setpts=N*{rate.denominator}/({rate.numerator}*TB)"]
        if source.counted
        # What stands before the first keyframe cannot be shown, but FFmpeg shows what it makes of it.
        else [f"trim=start={round((first_s - SAME_S) * 1e6)}us"]
    )
    return [
        *["-i", str(video.path), *(_STILL if still else []), "-map", "0:V:0", *sound],
        *["-vf", ",".join([*timing, *_picture(video)])],
        *["-fps_mode", "passthrough", "-enc_time_base:v", "demux", *_ENCODER, *_KEYFRAMES],
        # Silence fills gaps and a late start.
        *(["-af", "aresample=async=1:first_pts=0", *_SOUND] if sound else []),
        *[*_CONTAINER, str(partial.absolute())],
    ]


def _picture(video: Video) -> list[str]:
    """Filters from the upright picture to 4:2:0 in 8 bits, with even sides and square pixels."""
    width, height = video.fit(min(LONG_SIDE, max(video.info.width, video.info.height)), 2)
    # Scaled first, because mapping tones is slow.
    colours = sdr_filters(video)
    return [f"scale={width}:{height}", *([colours] if colours else []), "format=yuv420p", "setsar=1"]


def _check(video: Video, partial: Path, damaged: bool) -> None:
    """See that the copy has the frames of the footage at their times.

    Raises:
        UserError: more than a tenth of the footage is damaged.
        FFmpegError: the copy is wrong.
    """
    copy = Video.open(partial)
    if copy.n_frames != video.n_frames and damaged:
        if copy.n_frames < _NEARLY_ALL * video.n_frames:
            raise UserError(
                f"{video.path.name} is damaged: only {copy.n_frames} of {video.n_frames} frames can be read; "
                "copy it again from the camera."
            )
    elif copy.n_frames != video.n_frames:
        raise FFmpegError(f"The copy of {video.path.name} has {copy.n_frames} frames, not {video.n_frames}.")
    own_s = video.pts_s[[video.frame_at(time_s + SAME_S) for time_s in copy.pts_s]]
    off_s = max(float(np.abs(copy.pts_s - own_s).max()), abs(copy.info.start_s))
    if off_s > SAME_S:
        raise FFmpegError(f"The frames of the copy of {video.path.name} are up to {off_s:.3f} s off their times.")


def _source(video: Video) -> _Source:
    try:
        with av.open(str(video.path), metadata_errors="ignore") as container:
            stream = picture_stream(container)
            sound = sound_stream(container)
            # An AVI stores no times. Where its frames come at an even rate, they are counted.
            counted = container.start_time is None or container.format.name == "avi"
            return _Source(
                container.format.name,
                container.bit_rate or 8 * video.path.stat().st_size / max(video.info.duration_s, 0.001),
                sound.index if sound else None,
                counted and not video.info.variable_rate,
                video.info.codec == "h264" and _open_gop(video, container, stream),
            )
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{video.path} cannot be read any more: bring it back and try again.") from error


def _open_gop(video: Video, container: Any, stream: Any) -> bool:
    """Whether leading pictures follow a keyframe: browsers cannot seek there (tried on Chromium 156).

    A long video is looked at in three places.
    """
    if video.n_frames <= _SHORT:
        return _leads(container.demux(stream))
    for share in (0.25, 0.5, 0.75):
        container.seek(round((share * video.info.duration_s + video.info.start_s) / stream.time_base), stream=stream)
        if _leads(islice(container.demux(stream), _SHORT)):
            return True
    return False


def _leads(packets: Iterable[Any]) -> bool:
    keyframe = None
    for packet in packets:
        if packet.pts is None or packet.is_discard:
            continue
        if packet.is_keyframe:
            keyframe = packet.pts
        elif keyframe is not None and packet.pts < keyframe:
            return True
    return False
