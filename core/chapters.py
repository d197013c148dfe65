"""Chapters: cameras part a long recording into several files; here they are found and joined without encoding again.

    >>> groups = chapter_groups(sorted(folder.iterdir()))                    # doctest: +SKIP
    >>> [[path.name for path in group] for group in groups]                  # doctest: +SKIP
    [['GX010123.MP4', 'GX020123.MP4'], ['GX010124.MP4']]
    >>> join_chapters(groups[0], Path("joined"))                             # doctest: +SKIP
    PosixPath('joined/GX010123_5d41402abc4b.mp4')

GoPro names tell what belongs together: ``GH``, ``GX``, ``GL`` or ``GS``, two digits for the chapter (from 01), four for
the recording; up to HERO5 ``GOPR0123`` is followed by ``GP010123``, ``GP020123``. Looped recordings (``GHAA0001``) have
letters there and are treated as other names. Other cameras (DJI, Sony, Insta360, Canon) number files through, a new
recording as well as a further chapter, so that only their times tell: see :func:`chapter_groups`.

Sources: GoPro support, "GoPro Camera File Naming Convention" and "GoPro Camera File Chaptering Information"; FFmpeg's
documentation of the concat demuxer (its directive ``duration``) and of the bitstream filter ``noise``.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from core.atomic import atomic_path, make_folder
from core.content import content_id
from core.errors import UserError
from core.ffmpeg import FFmpegError, Progress, StopWish, run
from core.video import picture_stream, sound_stream

log = logging.getLogger(__name__)

_GOPRO = re.compile(r"(?P<kind>G[HXLS])(?P<chapter>\d\d)(?P<recording>\d{4})", re.IGNORECASE)
_GOPRO_OLD = re.compile(r"GOPR(?P<first>\d{4})|GP(?P<chapter>\d\d)(?P<recording>\d{4})", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_LONGEST_COUNTER = 5
"""Digits; longer runs in a name are dates and times, as in ``DJI_20240501120000_0001_D``."""
_TOLERANCE_S = 2.0
"""Creation times are whole seconds, and cameras write them some moments after the first frame."""
_SAME_RATE = 0.0005
"""Share by which two average rates may differ: 24 and 24000/1001 differ by 0.001."""
_SUFFIXES = {".mp4", ".m4v", ".mov", ".360", ".insv", ".lrv", ".3gp"}
"""ISO files, whose index tells frames and times without reading them through."""
_SPARE = 64 << 20
"""Bytes that stay free beside the joined file."""


class NotJoined(UserError):
    """Chapters did not become one file; each of them may be good by itself."""


@dataclass(frozen=True)
class _Name:
    """What a file's name says."""

    series: tuple[str, ...]
    """What chapters of one recording share: folder, ending, and the name without its number."""
    number: int
    by_name: bool
    """Whether the name alone says that they belong together."""


def chapter_groups(paths: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Chapters of one recording together and in order, every path once, in the given order of the first ones.

    GoPro chapters of one folder follow each other by name; a missing one parts them, and :func:`missing_chapters` says
    so. Others are joined only where their names differ by one in the last number (``DJI_0001``, ``DJI_0002``) and all
    this holds: size, codec, rate and ending are equal, and the next one's creation time lies within 2 s of the end of
    the one before (creation time and duration as the header says; a file without is alone). Only the headers of files
    with such names are read; one that cannot be read is alone.
    """
    paths = list(dict.fromkeys(paths))
    after: dict[Path, Path] = {}
    for members in _by_series(paths).values():
        for number, (path, _) in members.items():
            if following := _following(members, number):
                after[path] = following
    groups, later = [], set(after.values())
    for path in paths:
        if path not in later:
            group = [path]
            while group[-1] in after:
                group.append(after[group[-1]])
            groups.append(tuple(group))
    return groups


def recording_of(path: Path, among: Iterable[Path]) -> tuple[Path, ...]:
    """The chapters of the recording that ``path`` belongs to, in order, of which ``among`` may hold the others.

    As :func:`chapter_groups` has them; but only the headers of files next to it are read, however many there are.
    """
    name = _name(path)
    if name is None:
        return (path,)
    members, first, last = _by_series([path, *among])[name.series], name.number, name.number
    while first - 1 in members and _following(members, first - 1):
        first -= 1
    while _following(members, last):
        last += 1
    return tuple(members[number][0] for number in range(first, last + 1))


def may_belong(path: Path, chapters: Sequence[Path]) -> bool:
    """Whether ``path`` may be one more chapter of a recording, as far as its name tells.

    Of a GoPro's recording each with its number may be; of others what comes just before or just after.
    """
    name, first, last = _name(path), _name(chapters[0]), _name(chapters[-1])
    if name is None or first is None or last is None or name.series != first.series:
        return False
    return name.by_name or name.number in (first.number - 1, last.number + 1)


def missing_chapters(groups: Iterable[tuple[Path, ...]]) -> list[str]:
    """A sentence for every recording of a GoPro of which a later chapter is among ``groups``, but one before it is
    neither there nor in the folder."""
    found: defaultdict[tuple[str, ...], dict[int, Path]] = defaultdict(dict)
    for path in (path for group in groups for path in group):
        name = _name(path)
        if name and name.by_name:
            found[name.series][name.number] = path
    sentences = []
    for series, chapters in found.items():
        numbers = sorted(chapters)
        lacking = sorted(set(range(1, numbers[-1])) - set(numbers))
        if lacking:
            beside = _by_series(_files_in(chapters[numbers[0]].parent))[series]
            lacking = [number for number in lacking if number not in beside]
        if lacking:
            told = ", ".join(map(str, lacking[:5])) + (", ..." if len(lacking) > 5 else "")
            sentences.append(
                f"Chapter{'s' if len(lacking) > 1 else ''} {told} of the recording that goes on in "
                f"{chapters[min(number for number in numbers if number > lacking[0])].name} "
                f"{'are' if len(lacking) > 1 else 'is'} not there: copy what is missing from the card, or the parts "
                "stay apart."
            )
    return sentences


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


def _by_series(paths: Iterable[Path]) -> defaultdict[tuple[str, ...], dict[int, tuple[Path, bool]]]:
    """By series and number each path, and whether its name alone says what belongs together."""
    series: defaultdict[tuple[str, ...], dict[int, tuple[Path, bool]]] = defaultdict(dict)
    for path in paths:
        name = _name(path)
        if name:
            series[name.series].setdefault(name.number, (path, name.by_name))
    return series


def _following(members: dict[int, tuple[Path, bool]], number: int) -> Path | None:
    """The next of a series if the recording goes on in it."""
    if number + 1 not in members:
        return None
    (path, by_name), (following, _) = members[number], members[number + 1]
    return following if by_name or _goes_on(path, following) else None


def _files_in(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except OSError:
        return []


def _name(path: Path) -> _Name | None:
    where = (str(path.parent), path.suffix.lower())
    if found := _GOPRO.fullmatch(path.stem):
        return _Name((*where, found["kind"].upper(), found["recording"]), int(found["chapter"]), True)
    if found := _GOPRO_OLD.fullmatch(path.stem):
        # GOPR0123 is the first chapter, GP010123 the second.
        chapter = 1 if found["first"] else int(found["chapter"]) + 1
        return _Name((*where, "GOPR", found["first"] or found["recording"]), chapter, True)
    counters = [run for run in _DIGITS.finditer(path.stem) if len(run[0]) <= _LONGEST_COUNTER]
    if not counters:
        return None
    start, end = counters[-1].span()
    dateless = (re.sub(rf"\d{{{_LONGEST_COUNTER + 1},}}", "@", part) for part in (path.stem[:start], path.stem[end:]))
    # Cameras pad their numbers: "clip 9" and "clip 10" were named by a person.
    return _Name((*where, *dateless, str(end - start)), int(counters[-1][0]), False)


def _goes_on(path: Path, following: Path) -> bool:
    """Whether two headers say that the second file begins where the first one ends."""
    headers = [_header(path), _header(following)]
    before, after = headers
    return (
        before is not None
        and after is not None
        and before[:3] == after[:3]
        and _same_rate(before[3], after[3])
        and abs((after[4] - before[4] - before[5]).total_seconds()) <= _TOLERANCE_S
    )


def _header(path: Path) -> tuple[str, int, int, Fraction, datetime, timedelta] | None:
    """Codec, width, height, rate, when it was begun and how long it is; None where a file does not say all of it."""
    try:
        with av.open(str(path.absolute()), metadata_errors="ignore") as container:
            stream = picture_stream(container)
            if stream is None or stream.codec_context is None or not stream.average_rate or not container.duration:
                return None
            began = datetime.fromisoformat(container.metadata["creation_time"])
            lasts = timedelta(microseconds=container.duration)
            context = stream.codec_context
            return context.codec.canonical_name, context.width, context.height, stream.average_rate, began, lasts
    except (av.FFmpegError, OSError, KeyError, ValueError):
        return None


def _same_rate(one: Fraction, other: Fraction) -> bool:
    return abs(one / other - 1) < _SAME_RATE


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
        differing = [] if _same_rate(self.rate, first.rate) else ["frame rate"]
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
