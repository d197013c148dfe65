"""Chapters as one file: pictures, sound and measurements, copied and not encoded.

Sources: FFmpeg's documentation of the concat demuxer (its directive ``duration``) and of the bitstream filter
``noise``.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from core.atomic import atomic_path, make_folder
from core.chapters.finding import same_rate
from core.content import content_id
from core.errors import UserError
from core.ffmpeg import FFmpegError, Progress, StopWish, run
from core.video import picture_stream, sound_stream

log = logging.getLogger(__name__)

_SUFFIXES = {".mp4", ".m4v", ".mov", ".360", ".insv", ".lrv", ".3gp"}
"""ISO files, whose index tells frames and times without reading them through."""
_SPARE = 64 << 20
"""Bytes that stay free beside the joined file."""


class NotJoined(UserError):
    """Chapters did not become one file; each of them may be good by itself."""


def join_chapters(
    paths: Sequence[Path], folder: Path, progress: Progress | None = None, cancelled: StopWish | None = None
) -> Path:
    """One file of all chapters: pictures, sound, measurements (``gpmd``) and time code, copied and not encoded.

    The frames of a chapter follow those of the one before after one frame's time, wherever the sound ends. Packets of
    sound that two chapters both have (priming at the start, a tail beyond the last frame) are left out, so that sound
    and picture do not drift apart; what remains is less than a packet, 21 ms of AAC, where the sounds overlap.

    Args:
        paths: in order; MP4, MOV and their kin. Of a single one nothing is made.
        folder: where the file goes, made if need be.
        progress: told the share that is done, 0 to 1.

    Returns:
        The file, named after the first chapter and the contents of all: asked again, it is there at once. A single
        path itself.

    Raises:
        NotJoined: a file cannot be read, differs from the first one (codec, size, rate, pixel format, rotation, sound),
            or is no MP4 or MOV; there is no room; nothing can be written; FFmpeg failed, or wrote something else than
            the sum of the chapters.
        Cancelled: ``cancelled`` said so; nothing half-written is left.
        ValueError: no path.
    """
    if not paths:
        raise ValueError("there is no chapter")
    if len(paths) == 1:
        return paths[0]
    try:
        return _join(paths, folder, progress, cancelled)
    except FFmpegError as error:
        log.warning("%s and what follows it could not be joined: %s", paths[0], error)
        raise NotJoined(
            f"{paths[0].name} and what follows it could not be joined: copy the chapters again from the card."
        ) from error
    except UserError as error:
        raise NotJoined(str(error)) from error


def _join(paths: Sequence[Path], folder: Path, progress: Progress | None, cancelled: StopWish | None) -> Path:
    names = blake2b("".join(content_id(path) for path in paths).encode(), digest_size=6).hexdigest()
    joined = folder / f"{paths[0].stem}_{names}{paths[0].suffix.lower()}"
    if joined.exists():
        return joined
    chapters = [_Chapter.read(path) for path in paths]
    for chapter in chapters[1:]:
        chapter.check_like(chapters[0])
    make_folder(folder)
    _check_room(folder, paths)
    with atomic_path(joined) as partial:
        _copy(chapters, partial, progress, cancelled)
        _check_joined(chapters, partial)
    return joined


@dataclass(frozen=True)
class _Chapter:
    """What has to be known of a file before it is joined."""

    path: Path
    looks: dict[str, object]
    """What has to be equal in all chapters, by what it is called in a sentence."""
    rate: Fraction
    streams: tuple[int, ...]
    """Indices of what is copied: pictures without covers, sound, measurements."""
    beyond: tuple[tuple[int, int, int], ...]
    """Of each of them how many packets it has, how many of these come before the first frame, and how many from the end
    of the last frame on; no packet of a picture is told."""
    frames: int
    lasts_s: Fraction
    """From the first frame to the end of the last one."""
    late_s: Fraction
    """How much later than the container the picture starts."""

    @classmethod
    def read(cls, path: Path) -> _Chapter:
        if path.suffix.lower() not in _SUFFIXES:
            raise UserError(f"{path.name} is no MP4 or MOV file, and only chapters of that kind can be joined.")
        if "\n" in str(path.absolute()):
            raise UserError(f"{path.name!r} has a line break in its path: rename it, so that it can be joined.")
        try:
            with av.open(str(path.absolute()), metadata_errors="ignore") as container:
                return cls._of(path, container)
        except (av.FFmpegError, OSError) as error:
            raise UserError(
                f"{path.name} cannot be read as a video ({error.strerror}): copy it again from the card."
            ) from error

    @classmethod
    def _of(cls, path: Path, container: Any) -> _Chapter:
        stream = picture_stream(container)
        if stream is None or stream.codec_context is None or not stream.frames:
            raise UserError(f"{path.name} does not say how many frames it has: copy it again from the card.")
        context, audio = stream.codec_context, sound_stream(container)
        cover = av.stream.Disposition.attached_pic
        copied = [found for found in container.streams.video if not found.disposition & cover]
        copied += [found for found in container.streams.audio if found.codec_context is not None]
        copied += [found for found in container.streams.data if found.name == "bin_data"]
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        begins_s = Fraction(stream.start_time or 0) * stream.time_base
        lasts_s = _last_shown_s(container, stream) - begins_s + 1 / rate
        zero_s = Fraction(container.start_time or 0, av.time_base)
        beyond = tuple(
            (0, 0, 0) if found.type == "video" else _beyond(found, begins_s, begins_s + lasts_s) for found in copied
        )
        first = next(container.decode(stream), None)
        indices = tuple(found.index for found in copied)
        looks: dict[str, object] = {
            "codec": context.codec.canonical_name,
            "picture size": (context.width, context.height),
            "pixel format": context.pix_fmt,
            "rotation": None if first is None else round(first.rotation),
            "sound": audio and (audio.codec_context.name, audio.sample_rate, audio.layout.name),
            "order of streams": indices,
            # H.264 alone may change its parameters from file to file: FFmpeg puts them before the pictures.
            "coding": b"" if context.codec.canonical_name == "h264" else bytes(context.extradata or b""),
        }
        return cls(path, looks, rate, indices, beyond, stream.frames, lasts_s, begins_s - zero_s)

    def check_like(self, first: _Chapter) -> None:
        """Raises UserError if it cannot be joined to ``first``."""
        differing = [] if same_rate(self.rate, first.rate) else ["frame rate"]
        differing += [what for what, value in first.looks.items() if self.looks[what] != value]
        if differing:
            raise UserError(
                f"{self.path.name} has another {differing[0]} than {first.path.name}, so that the two are not chapters "
                "of one recording: add it as a session of its own."
            )


def _last_shown_s(container: Any, stream: Any) -> Fraction:
    """When the last frame is shown, in seconds of the file.

    Neither the header's duration nor an edit list's is used: they are rounded, often to thousandths.
    """
    container.seek(2**62, stream=stream)
    shown = [packet.pts for packet in container.demux(stream) if packet.size and packet.pts is not None]
    container.seek(0, stream=stream)
    return max(shown, default=0) * Fraction(stream.time_base)


def _beyond(stream: Any, first_s: Fraction, end_s: Fraction) -> tuple[int, int, int]:
    """How many packets ``stream`` has, and how many begin before ``first_s`` and from ``end_s`` on."""
    times_s = [entry.timestamp * stream.time_base for entry in stream.index_entries]
    return len(times_s), sum(time_s < first_s for time_s in times_s), sum(time_s >= end_s for time_s in times_s)


def _check_room(folder: Path, paths: Sequence[Path]) -> None:
    needed = sum(path.stat().st_size for path in paths) + _SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"There is no room to join {paths[0].name} and what follows it: {folder} has {free / 1e9:,.1f} GB free and "
            f"{needed / 1e9:,.1f} GB are needed; free some space."
        )


def _copy(chapters: Sequence[_Chapter], partial: Path, progress: Progress | None, cancelled: StopWish | None) -> None:
    """Write all chapters one after the other to ``partial``."""
    lines = ["ffconcat version 1.0"]
    for chapter, following in zip(chapters, [*chapters[1:], None], strict=True):
        # From the first frame of one to the first frame of the next; left alone FFmpeg takes the longest stream.
        lasts_s = chapter.lasts_s + chapter.late_s - (following.late_s if following else 0)
        quoted = str(chapter.path.absolute()).replace("'", "'\\''")
        lines += [f"file 'file:{quoted}'", f"duration {float(lasts_s):.6f}"]
    first = chapters[0]
    streams = [word for index in first.streams for word in ("-map", f"0:{index}")]
    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch) / "chapters.txt"
        listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
        # The time code is no stream that FFmpeg copies: it writes one anew from what the picture's says.
        options = [
            *["-f", "concat", "-safe", "0", "-i", str(listed), "-i", str(first.path.absolute())],
            *[*streams, "-c", "copy", "-copyts", "-map_metadata", "1"],
            *_overlapping(chapters),
            *(["-tag:v", "hvc1"] if first.looks["codec"] == "hevc" else []),  # Apple's players know no other
            *["-f", "mov" if partial.suffix == ".mov" else "mp4", str(partial.absolute())],
        ]
        try:
            run(options, sum(chapter.frames for chapter in chapters), progress, cancelled)
        except FFmpegError as error:
            if error.disk_full:
                raise UserError(
                    f"There is no room to join {first.path.name} and what follows it in {partial.parent}: free some "
                    "space."
                ) from error
            raise


def _overlapping(chapters: Sequence[_Chapter]) -> list[str]:
    """The options that leave out what lies beyond a seam, by the number of each packet in the whole stream."""
    options = []
    for stream in range(len(chapters[0].streams)):
        dropped, at = [], 0
        for chapter in chapters:
            count, early, late = chapter.beyond[stream]
            if chapter is not chapters[0]:
                dropped.append((at, at + early - 1))
            at += count
            if chapter is not chapters[-1]:
                dropped.append((at - late, at - 1))
        within = "+".join(f"between(n\\,{first}\\,{last})" for first, last in dropped if first <= last)
        options += [f"-bsf:{stream}", f"noise=drop={within}"] if within else []
    return options


def _check_joined(chapters: Sequence[_Chapter], joined: Path) -> None:
    """Raises FFmpegError unless all frames are there, and follow each other at the seams."""
    first = chapters[0]
    wrong = f"{first.path.name} and what follows it were not joined well"
    with av.open(str(joined.absolute()), metadata_errors="ignore") as container:
        stream = picture_stream(container)
        frames = sum(chapter.frames for chapter in chapters)
        if stream is None or stream.frames != frames:
            raise FFmpegError(f"{wrong}: {stream.frames if stream else 0} frames of {frames}.")
        frame_s, seam_s = 1 / first.rate, Fraction(stream.start_time or 0) * stream.time_base
        for chapter in chapters[:-1]:
            seam_s += chapter.lasts_s
            times_s = _shown_around(container, stream, seam_s, 10 * frame_s)
            ascending = all(one < other for one, other in pairwise(times_s))
            if not ascending or not any(abs(time_s - seam_s) < frame_s / 4 for time_s in times_s):
                raise FFmpegError(f"{wrong}: the times of the frames around {float(seam_s):.3f} s.")


def _shown_around(container: Any, stream: Any, seam_s: Fraction, reach_s: Fraction) -> list[Fraction]:
    """When the frames near a seam are shown, seconds, ascending."""
    container.seek(max(0, int((seam_s - reach_s) / stream.time_base)), stream=stream)
    times_s = []
    for packet in container.demux(stream):
        if packet.size and packet.pts is not None:
            times_s.append(packet.pts * stream.time_base)
            if packet.dts is not None and packet.dts * stream.time_base > seam_s + reach_s:
                break
    return sorted(time_s for time_s in times_s if abs(time_s - seam_s) <= reach_s)
