"""A video file: what it is, when each frame is shown, and its frames one after the other.

    >>> video = Video.open("footage.mp4")                                    # doctest: +SKIP
    >>> video.info.average_rate, video.n_frames, video.pts_s[247]            # doctest: +SKIP
    (Fraction(30, 1), 714, 8.233333333333333)
    >>> for picture in video.pictures(stride=2):                             # doctest: +SKIP
    ...     small = picture.rgb(256, 144)

Time is the player's clock: the presentation timestamp (PTS) less the start time of the container, in seconds, as
browsers show it and as FFmpeg's ``-ss`` takes it. A frame's number is its ordinal in presentation order, 0-based.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from core.errors import UserError
from core.frame_times import average_rate, keep_times, kept_times, numbered, packet_times
from core.whole_file import check_file, reason

log = logging.getLogger(__name__)

_HELD = 3
"""So many frames wait for one that the decoder hands out too late."""
_DROPPABLE = {"h264", "hevc", "mpeg4", "mpeg2video"}
"""Decoders that can pass over one frame at a time (others, such as dav1d, take the wish for the whole stream)."""

_RANGES = {1: False, 2: True}
"""Whether FFmpeg's ``AVCOL_RANGE`` of this number is the full one."""

logging.getLogger("libav").setLevel(logging.CRITICAL)  # what FFmpeg mutters about odd files is not for the user


@dataclass(frozen=True)
class AudioInfo:
    """The first sound stream that can be decoded."""

    codec: str
    sample_rate: int
    """Hz."""
    channels: int


@dataclass(frozen=True)
class ColourInfo:
    """What the numbers of the pictures stand for: code points of ITU-T H.273, 2 where the file does not say."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool | None = None
    """Whether black is 0 and white 255 (in 8 bits), and not 16 and 235; None where the file does not say."""


@dataclass(frozen=True)
class VideoInfo:
    """What the file says about its first video stream, as shown upright."""

    width: int
    """Pixels, after rotation and with square pixels."""
    height: int
    rotation: int
    """Degrees, counterclockwise, that turn the stored picture upright: 0, 90, 180 or -90."""
    codec: str
    pixel_format: str
    bit_depth: int
    average_rate: Fraction
    """Frames a second over the whole file."""
    variable_rate: bool
    audio: AudioInfo | None
    start_s: float
    """Start time of the container: what was taken off every PTS."""
    duration_s: float
    """From 0 to the end of the last frame."""
    colour: ColourInfo = ColourInfo()


class Picture:
    """One decoded frame; converted and scaled only when asked."""

    def __init__(self, index: int, time_s: float, frame: Any, rotation: int, scalers: dict[Any, Any]) -> None:
        self.index = index
        self.time_s = time_s
        self._frame = frame
        self._rotation = rotation
        self._scalers = scalers

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """Upright and scaled: shape ``(height, width, 3)``, uint8."""
        return self._convert("rgb24", width, height)

    def gray(self, width: int, height: int) -> NDArray[np.uint8]:
        """Upright, scaled luma: shape ``(height, width)``, uint8."""
        return self._convert("gray", width, height)

    def _convert(self, pixel_format: str, width: int, height: int) -> NDArray[np.uint8]:
        turns = self._rotation // 90
        if turns % 2:
            width, height = height, width
        # Setting up a scaler takes twice as long as scaling with it, so those of one video are kept.
        scaler = self._scalers.setdefault((width, height, pixel_format), VideoReformatter())
        image = scaler.reformat(self._frame, width, height, pixel_format, interpolation="FAST_BILINEAR").to_ndarray()
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


class Video:
    """One readable video file. Opening decodes the first picture, and reads the file through for the times of all."""

    def __init__(self, path: Path, info: VideoInfo, pts: NDArray[np.int64] | None, pts_s: NDArray[np.float64]) -> None:
        self.path = path
        self.info = info
        self.pts_s = pts_s
        """When each frame is shown: float64, shape ``(n_frames,)``, seconds, ascending."""
        self._pts = pts  # in ticks of the stream; None where the file does not say which frame a time belongs to

    @classmethod
    def open(cls, path: str | Path, kept: Callable[[Path], Path] | None = None) -> Video:
        """Probe ``path`` and read its PTS table.

        Args:
            path: the file.
            kept: says of the file, given by its absolute path, where its times are kept once they were read, if the
                folder is there: 10 GB on a network folder take minutes. It must go by the content, as
                :func:`core.sighting.open_video` does.

        Raises:
            UserError: not a file, empty, not a video, cut short, sound only, or no frame that can be decoded.
        """
        path = Path(path).absolute()  # a name such as "park:1.mp4" would be taken for a protocol
        check_file(path)
        try:
            with av.open(str(path), metadata_errors="ignore") as container:
                return cls._read(path, container, kept(path) if kept else None)
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{path.name} cannot be read as a video ({reason(error)}): check that it plays.") from error

    @classmethod
    def _read(cls, path: Path, container: Any, kept: Path | None) -> Video:
        stream = picture_stream(container)
        if stream is None:
            raise UserError(f"{path.name} holds no picture, only sound: choose a video file.")
        if stream.codec_context is None:
            raise UserError(f"{path.name} is coded in a way that is not known here: convert it to H.264.")
        times = kept_times(kept) if kept else None
        ticks, last_duration, in_order = times or packet_times(container, stream)
        if not len(ticks):
            raise UserError(f"{path.name} holds no frame that can be shown: record or copy it again.")
        if kept and not times and kept.parent.is_dir():
            keep_times(kept, ticks, last_duration, in_order)
        first = _first_picture(path)
        time_base: Fraction = stream.time_base
        start = Fraction(container.start_time, av.time_base) if container.start_time is not None else Fraction(0)
        if ticks[0] is not None:
            pts = np.array(sorted(set(ticks)), dtype=np.int64)
            rate, variable = average_rate(pts, time_base, stream)
            start = min(start, int(pts[0]) * time_base)  # FFmpeg rounds to microseconds, and so may put it too late
            # Integers first: a tick times a rounded time base drifts over hours.
            pts_s = pts * time_base.numerator / time_base.denominator - float(start)
            last_s = float(last_duration * time_base) if last_duration else float(1 / rate)
        else:
            pts, variable = np.arange(len(ticks)), False
            rate = Fraction(stream.guessed_rate or stream.average_rate or 25)
            pts_s = pts * rate.denominator / rate.numerator
            last_s, start = float(1 / rate), Fraction(0)
        rotation = 180 - (180 - round(first.rotation / 90) * 90) % 360  # FFmpeg says -180 for 180
        width, height = first.width, first.height
        if stream.sample_aspect_ratio:
            width = round(width * stream.sample_aspect_ratio)
        if rotation % 180:
            width, height = height, width
        audio = sound_stream(container)
        info = VideoInfo(
            width=width,
            height=height,
            rotation=rotation,
            codec=stream.codec_context.codec.canonical_name,
            pixel_format=first.format.name,
            bit_depth=max(component.bits for component in first.format.components),
            average_rate=rate,
            variable_rate=variable,
            audio=AudioInfo(audio.codec_context.name, audio.sample_rate, audio.channels) if audio else None,
            start_s=float(start),
            duration_s=float(pts_s[-1]) + last_s,
            colour=ColourInfo(
                int(first.color_primaries),
                int(first.color_trc),
                int(first.colorspace),
                _RANGES.get(2 if first.format.name.startswith("yuvj") else int(first.color_range)),
            ),
        )
        return cls(path, info, None if in_order else pts, pts_s)

    @property
    def n_frames(self) -> int:
        """How many frames are shown."""
        return len(self.pts_s)

    def frame_at(self, time_s: float) -> int:
        """The frame on screen at ``time_s`` seconds (the first one before the video starts, the last after its end)."""
        return int(np.clip(np.searchsorted(self.pts_s, time_s + 1e-6, side="right") - 1, 0, self.n_frames - 1))

    def end_of(self, frame: int) -> float:
        """When frame ``frame`` leaves the screen, in seconds."""
        return float(self.pts_s[frame + 1]) if frame + 1 < self.n_frames else self.info.duration_s

    def fit(self, long_side: int, multiple: int = 1) -> tuple[int, int]:
        """Width and height with the given long side and the video's aspect, each rounded to ``multiple``."""
        scale = long_side / max(self.info.width, self.info.height)
        width, height = (
            max(multiple, round(side * scale / multiple) * multiple) for side in (self.info.width, self.info.height)
        )
        return width, height

    def pictures(self, stride: int = 1, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
        """Frames ``start, start + stride, ...`` below ``stop``, decoded in order with constant memory.

        A damaged stretch is passed over, so a number may be missing; numbers never shift.

        Raises:
            UserError: the file went away or cannot be decoded at all.
        """
        wanted = range(start, self.n_frames if stop is None else min(stop, self.n_frames), stride)
        try:
            # With a thread per frame, an error among the last frames takes those after it along: decode them again.
            for threads in ("AUTO", "SLICE"):
                if wanted:
                    for picture in self._decode(wanted, threads):
                        wanted = range(picture.index + stride, wanted.stop, stride)
                        yield picture
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{self.path.name} cannot be decoded ({reason(error)}): check that it plays.") from error

    def _decode(self, wanted: range, threads: str) -> Iterator[Picture]:
        scalers: dict[Any, Any] = {}
        with self._packets(wanted.start) as (stream, packets):
            stream.thread_type = threads
            for number, frame in _ascending(self._frames(stream, packets, wanted)):
                if number >= wanted.stop:
                    return
                if number in wanted:
                    yield Picture(number, float(self.pts_s[number]), frame, self.info.rotation, scalers)

    def _frames(self, stream: Any, packets: Iterator[Any], wanted: range) -> Iterator[tuple[int, Any]]:
        """The decoded frames with their numbers (-1: not in the table), without some of those that are not wanted."""
        droppable = stream.codec_context.name in _DROPPABLE
        number = -1
        for packet in packets:
            if droppable and self._pts is not None and packet.pts is not None:
                # Frames that no other frame refers to need no decoding when they are not asked for.
                skip = int(np.searchsorted(self._pts, packet.pts)) not in wanted
                stream.codec_context.skip_frame = "NONREF" if skip else "DEFAULT"
            for frame in _decoded(stream, packet):
                if self._pts is not None:
                    number = self._index(frame.pts)
                elif frame.key_frame and frame.pts is not None:
                    # A keyframe is shown after all that is stored before it: so the count passes over lost frames.
                    number = max(number + 1, frame.pts)
                else:
                    number += 1
                yield number, frame

    @contextmanager
    def _packets(self, frame: int) -> Iterator[tuple[Any, Iterator[Any]]]:
        """The video stream and its packets, from a place on from which ``frame`` can be decoded."""
        with av.open(str(self.path), metadata_errors="ignore") as container:
            packets = self._seek(container, frame)
            if packets:
                yield picture_stream(container), packets
                return
        with av.open(str(self.path), metadata_errors="ignore") as container:
            stream = picture_stream(container)
            packets = container.demux(stream)
            yield stream, packets if self._pts is not None else numbered(packets)

    def _seek(self, container: Any, frame: int) -> Iterator[Any] | None:
        """The packets from a keyframe on from which ``frame`` can be decoded; None means all packets of the file.

        MPEG-TS and MPEG-PS have no index: a seek lands anywhere, and the frames up to the next keyframe are lost. An
        open GOP stores a keyframe ahead of frames that are shown before it and need the keyframe before. So the seek
        goes back until the keyframe met is shown no later than ``frame``, at a time that is in the table: FFmpeg
        guesses the times that an MPEG-PS leaves out, and guesses otherwise after a seek.
        """
        if self._pts is None:
            return None
        stream = picture_stream(container)
        target, back, second = int(self._pts[frame]), 0, round(1 / stream.time_base)
        while target - back > self._pts[0]:
            container.seek(target - back, stream=stream)
            packets = container.demux(stream)
            keyframe = next((packet for packet in packets if packet.is_keyframe), None)
            if keyframe is not None and 0 <= self._index(keyframe.pts) <= frame:
                return chain([keyframe], packets)
            back = 2 * back + second
        return None

    def _index(self, pts: int | None) -> int:
        """The number of the frame that is shown at ``pts`` ticks, -1 if there is none."""
        if self._pts is None or pts is None:
            return -1
        index = int(np.searchsorted(self._pts, pts))
        return index if index < len(self._pts) and self._pts[index] == pts else -1


def sound_stream(container: Any) -> Any:
    """The first sound stream of an open container that can be decoded; None if there is none."""
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def picture_stream(container: Any) -> Any:
    """The first video stream that is no cover picture of a song; None if there is none."""
    cover = av.stream.Disposition.attached_pic
    return next((stream for stream in container.streams.video if not stream.disposition & cover), None)


def _first_picture(path: Path) -> Any:
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = picture_stream(container)
        for packet in container.demux(stream):
            for frame in _decoded(stream, packet):
                return frame
    raise UserError(f"{path.name} holds no frame that can be decoded: record or copy it again.")


def _decoded(stream: Any, packet: Any) -> list[Any]:
    """The frames that ``packet`` completes; a packet that is damaged gives none."""
    try:
        return list(stream.codec_context.decode(packet if packet.size else None))
    except av.InvalidDataError as error:
        log.warning("%s: a damaged stretch was passed over (%s)", stream.container.name, error)
        return []


def _ascending(frames: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Numbered frames with each number once and in ascending order; one that comes far too late is passed over.

    Decoders hand frames out as shown, unless damage, or a stream copy with wrong decoding times, has upset their PTS.
    """
    held: list[tuple[int, int, Any]] = []
    last = -1
    for serial, (number, frame) in enumerate(chain(frames, [(sys.maxsize, None)] * _HELD)):
        heappush(held, (number, serial, frame))
        if len(held) > _HELD:
            number, _, frame = heappop(held)
            if last < number < sys.maxsize:
                last = number
                yield number, frame
