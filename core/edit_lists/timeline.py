"""The tricks of one video as an editor's timeline: one clip after the other, all in whole frames of a standard rate.

The rate is the standard one nearest to the video's average, or the smallest that it divides (12.5 becomes 25). A moment
of the video lies on the timeline frame nearest to its PTS, counted from the first frame shown. Where the video runs
steadily at that rate, these are its own frames, to the frame. Where its rate varies or is another, or a format cannot
carry it, a cut lies at most half a frame of the timeline off (one frame where the clip is shorter than that, for it
takes a whole one); ``Timeline.off_s`` says by how much.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av

from core.clips import ClipPlan
from core.edit_lists.smpte import drops_frames, read_timecode
from core.errors import UserError
from core.intervals import Interval
from core.video import Video

STANDARD_RATES = tuple(
    Fraction(*rate)
    for rate in [
        *((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48000, 1001), (48, 1), (50, 1)),
        *((60000, 1001), (60, 1), (100, 1), (120000, 1001), (120, 1)),
    ]
)
"""Rates of timelines that editors offer, frames a second."""
MAX_NAME = 120
"""Longest name that is written, characters: it is read in a small field."""
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
_TOLD_S = 0.002
"""Deviations up to this are the rounding of the container's timestamps and not worth a word."""


@dataclass(frozen=True)
class Found:
    """One event, with its name and note as they may be written into any file."""

    event: Interval
    name: str
    note: str
    """Confidence and stars in words; may be empty."""


@dataclass(frozen=True)
class Entry:
    """One stretch of the video that is to be in the list."""

    plan: ClipPlan
    name: str
    """The labels in it, on one line."""
    found: tuple[Found, ...]
    """What it was made for; never empty."""
    confidence: float | None
    """The highest of its events, 0 to 1."""
    stars: int | None
    """The most of its events."""


@dataclass(frozen=True)
class Selection:
    """All that a list is made of."""

    video: Video
    media: Path
    """Where the editor finds the video: absolute."""
    entries: tuple[Entry, ...]
    """In the order of the list; never empty."""
    names: tuple[str, ...]
    """What the exported clip of each is called, without its ending."""

    @property
    def title(self) -> str:
        """The video's name, on one line."""
        return one_line(self.media.stem) or "video"

    def timeline(self, max_rate: Fraction = STANDARD_RATES[-1]) -> Timeline:
        """Laid out at the standard rate; one above ``max_rate`` frames a second is halved until it is not."""
        return _lay_out(self, max_rate)


@dataclass(frozen=True)
class Document:
    """A list as it goes to the disk."""

    text: str
    entries: int
    """How many clips or chapters it has."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""
    rate: Fraction | None = None
    """Frames a second of its timeline; None where it tells seconds."""


class Format(Protocol):
    """What a format's module has."""

    NAME: str
    """What it is and what opens it, for the user's eyes."""
    SUFFIX: str
    """Ending of its files, with the dot."""

    def compose(self, selection: Selection, /) -> Document:
        """The whole file; raises ``UserError`` where the format cannot hold it."""


@dataclass(frozen=True)
class Mark:
    """One event on the timeline. Frames of the timeline's rate; the clip's place is that of its :class:`Cut`."""

    found: Found
    start: int
    """First frame inside, counted from the first one of the video."""
    end: int
    """First frame no longer inside."""


@dataclass(frozen=True)
class Cut:
    """One clip of the timeline, in frames of its rate."""

    name: str
    start: int
    """First frame inside, counted from the first one of the video."""
    end: int
    """First frame no longer inside."""
    at: int
    """Where the clip begins on the timeline, counted from its beginning."""
    marks: tuple[Mark, ...]

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True)
class Timeline:
    """The clips back to back."""

    selection: Selection
    rate: Fraction
    """Frames a second: of the timeline, and of every number here."""
    drop_frame: bool
    """Whether its timecodes drop numbers."""
    media_start: int
    """The source timecode of the video's first frame, as a frame number; 0 where it has none."""
    media_frames: int
    """How long the video is."""
    cuts: tuple[Cut, ...]
    off_s: float
    """The largest distance of a cut from where it is in the video, seconds."""
    timecode_notes: tuple[str, ...]

    @property
    def frames(self) -> int:
        """How long it is."""
        return sum(cut.frames for cut in self.cuts)

    @property
    def record_start(self) -> int:
        """01:00:00:00 as a frame number: there timelines begin by custom."""
        return read_timecode("01:00:00;00" if self.drop_frame else "01:00:00:00", self.rate)[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user on what could not be exact."""
        if self.off_s <= _TOLD_S:
            return self.timecode_notes
        video = self.selection.video
        why = "a varying frame rate" if video.info.variable_rate else f"{spoken(video.info.average_rate)} fps"
        return (
            f"{video.path.name} has {why}: laid out at {spoken(self.rate)} fps, its cuts lie up to "
            f"{self.off_s * 1e3:.0f} ms off.",
            *self.timecode_notes,
        )


def one_line(text: str) -> str:
    """``text`` on one line and harmless: no control characters, half surrogates or marks that turn the direction of
    writing, at most ``MAX_NAME`` characters. May come out empty."""
    # All white space becomes blanks first, for line breaks and tabs are control characters, too.
    kept = "".join(
        c
        for c in " ".join(text.split())
        if unicodedata.category(c) not in ("Cc", "Cs")
        and unicodedata.bidirectional(c) not in _TURNING
        and c not in "\ufffe\uffff"
    )
    return " ".join(kept.split())[:MAX_NAME].rstrip()


def spoken(rate: Fraction) -> str:
    """Frames a second as people say it: ``29.97``."""
    return f"{float(rate):.5g}"


def standard_rate(average: Fraction) -> Fraction:
    """The rate of the timeline for a video with ``average`` frames a second; see above."""
    multiples = [rate for rate in STANDARD_RATES if (rate / average).denominator == 1]
    return multiples[0] if multiples else min(STANDARD_RATES, key=lambda rate: abs(rate / average - 1))


def _lay_out(selection: Selection, max_rate: Fraction) -> Timeline:
    video = selection.video
    video_rate = rate = standard_rate(video.info.average_rate)
    while rate > max_rate:
        rate /= 2
    begins, drop_frame = 0, drops_frames(rate)
    notes: tuple[str, ...] = ()
    told = _source_timecode(video)
    if told:
        try:
            begins, drop_frame = read_timecode(told, video_rate)
        except ValueError as error:
            notes = (f"The timecode of {video.path.name} was passed over: {error}.",)
    cuts: list[Cut] = []
    for entry in selection.entries:
        at = cuts[-1].at + cuts[-1].frames if cuts else 0
        start, end = _place(video, rate, entry.plan)
        marks = []
        for found in entry.found:
            mark_start, mark_end = _place(video, rate, found.event)
            marks.append(Mark(found, min(mark_start, end - 1), min(mark_end, end)))
        cuts.append(Cut(entry.name, start, end, at, tuple(marks)))
    return Timeline(
        selection=selection,
        rate=rate,
        drop_frame=drop_frame,
        media_start=math.floor(begins * rate / video_rate),
        media_frames=_place(video, rate, Interval(0, video.n_frames - 1))[1],
        cuts=tuple(cuts),
        off_s=max(
            abs(frame / rate - time_s)
            for entry, cut in zip(selection.entries, cuts, strict=True)
            for frame, time_s in zip((cut.start, cut.end), _span_s(video, entry.plan), strict=True)
        ),
        timecode_notes=notes,
    )


def _span_s(video: Video, span: Interval | ClipPlan) -> tuple[float, float]:
    """From when to when it is on screen, in seconds since the first frame of the video."""
    first_s = float(video.pts_s[0])
    return float(video.pts_s[span.start_frame]) - first_s, video.end_of(span.end_frame) - first_s


def _place(video: Video, rate: Fraction, span: Interval | ClipPlan) -> tuple[int, int]:
    """Its first frame on a timeline of ``rate``, and the first one after it."""
    # A tie, as every second frame is one at half the rate, always goes up.
    exact = [time_s * float(rate) + 1e-6 for time_s in _span_s(video, span)]
    start, end = (math.floor(frame + 0.5) for frame in exact)
    if start == end:  # shorter than a frame: the one that begins or ends nearest
        return (start, end + 1) if exact[0] >= start else (start - 1, end)
    return start, end


def _source_timecode(video: Video) -> str | None:
    """The timecode that the camera gave the first frame, as FFmpeg tells it."""
    try:
        with av.open(str(video.path), metadata_errors="ignore") as container:
            holders: list[Any] = [*container.streams.video, container, *container.streams.data]
            return next((holder.metadata["timecode"] for holder in holders if "timecode" in holder.metadata), None)
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{video.path} cannot be read any more: bring it back and try again.") from error
