"""Edit decision list, CMX 3600: the oldest format, and the one that every editor reads.

    001  AX       AA/V  C        00:00:08:07 00:00:09:03 01:00:00:00 01:00:00:26
    * FROM CLIP NAME: session.mp4
    * LOC: 01:00:00:00 GREEN   kickflip (confidence 0.91)

Each event is told twice: where it is in the source, and where on the timeline; the second time is where it ends, which
is no longer inside. ``AX`` stands for a source without a reel: editors then look for the clip's name. Locators tell the
time on the timeline. The rate stands nowhere, so it has to be told when the list is opened.
"""

from __future__ import annotations

from fractions import Fraction

from core.edit_lists.smpte import timecode
from core.edit_lists.timeline import Cut, Document, Selection, Timeline, one_line, spoken
from core.errors import UserError

NAME = "CMX 3600 edit decision list (every editor)"
SUFFIX = ".edl"
_MAX_RATE = Fraction(60)
"""Its frames have two digits, and no editor that reads it takes more."""
_MAX_EVENTS = 999
"""Their numbers have three digits."""


def compose(selection: Selection) -> Document:
    """A list of cuts. Rates above 60 are halved, which the notes tell, and so is the rate to open it with."""
    if len(selection.entries) > _MAX_EVENTS:
        raise UserError(
            f"An EDL holds {_MAX_EVENTS} cuts and these are {len(selection.entries)}: choose fewer tricks, or OTIO."
        )
    timeline = selection.timeline(_MAX_RATE)
    lines = [f"TITLE: {selection.title[:70]}", f"FCM: {'' if timeline.drop_frame else 'NON-'}DROP FRAME", ""]
    for number, cut in enumerate(timeline.cuts, start=1):
        lines += _event(number, cut, timeline)
    dropping = ", drop-frame" if timeline.drop_frame else ""
    notes = (f"An EDL does not say its frame rate: open it at {spoken(timeline.rate)} fps{dropping}.", *timeline.notes)
    return Document("\n".join(lines) + "\n", len(timeline.cuts), notes, timeline.rate)


def _event(number: int, cut: Cut, timeline: Timeline) -> list[str]:
    on_timeline = timeline.record_start + cut.at
    source = timeline.media_start + cut.start
    frames = [source, source + cut.frames, on_timeline, on_timeline + cut.frames]
    times = " ".join(timecode(frame, timeline.rate, timeline.drop_frame) for frame in frames)
    lines = [
        f"{number:03d}  AX       {_channels(timeline):5} C        {times}",
        f"* FROM CLIP NAME: {one_line(timeline.selection.media.name)}",
    ]
    for mark in cut.marks:
        at = timecode(on_timeline + mark.start - cut.start, timeline.rate, timeline.drop_frame)
        note = f" ({mark.found.note})" if mark.found.note else ""
        lines.append(f"* LOC: {at} GREEN   {mark.found.name}{note}")
    return lines


def _channels(timeline: Timeline) -> str:
    audio = timeline.selection.video.info.audio
    if audio is None:
        return "V"
    return "AA/V" if audio.channels > 1 else "B"
