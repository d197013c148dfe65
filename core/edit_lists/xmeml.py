"""Final Cut Pro 7 XML ("xmeml"), which Premiere Pro, DaVinci Resolve, Vegas and LosslessCut read.

It outlived its program, because it is what Premiere imports, which does not know FCPXML. Markers stand on the sequence,
where both show them. Reference: Apple, "Final Cut Pro 7 XML Interchange Format".
"""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from core.edit_lists.smpte import timecode
from core.edit_lists.timeline import Cut, Document, Selection, Timeline, one_line

NAME = "Final Cut Pro 7 XML (Premiere Pro, DaVinci Resolve)"
SUFFIX = ".xml"
_FILE_ID = "file-1"
_MAX_CHANNELS = 2


def compose(selection: Selection) -> Document:
    """A sequence with a video track, an audio track for each of at most two channels, and a marker for each trick."""
    timeline = selection.timeline()
    root = Element("xmeml", version="5")
    sequence = SubElement(root, "sequence", id="sequence-1")
    _add(sequence, "name", selection.title)
    _add(sequence, "duration", timeline.frames)
    _add_rate(sequence, timeline.rate)
    _add_timecode(sequence, timeline.record_start, timeline)
    media = SubElement(sequence, "media")
    video = SubElement(media, "video")
    _add_picture(SubElement(video, "format"), timeline)
    parents = {"video": video}
    for kind, channel in _tracks(selection):
        if kind not in parents:
            parents[kind] = SubElement(media, kind)
        track = SubElement(parents[kind], "track")
        for index, cut in enumerate(timeline.cuts, start=1):
            _add_clip(track, cut, index, kind, channel, timeline)
    for cut in timeline.cuts:
        for mark in cut.marks:
            marker = SubElement(sequence, "marker")
            _add(marker, "name", mark.found.name)
            _add(marker, "comment", mark.found.note)
            _add(marker, "in", cut.at + mark.start - cut.start)
            _add(marker, "out", cut.at + mark.end - cut.start)
    ElementTree.indent(root)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n' + ElementTree.tostring(root, encoding="unicode")
    return Document(text + "\n", len(timeline.cuts), timeline.notes, timeline.rate)


def _add_clip(track: Element, cut: Cut, index: int, kind: str, channel: int, timeline: Timeline) -> None:
    clip = SubElement(track, "clipitem", id=_clip_id(index, kind, channel))
    _add(clip, "name", cut.name)
    _add(clip, "duration", timeline.media_frames)
    _add_rate(clip, timeline.rate)
    _add(clip, "start", cut.at)
    _add(clip, "end", cut.at + cut.frames)
    # Counted from the first frame of the file, whatever its timecode.
    _add(clip, "in", cut.start)
    _add(clip, "out", cut.end)
    file = SubElement(clip, "file", id=_FILE_ID)
    if index == 1 and kind == "video":  # told once and then referred to
        _fill_file(file, timeline)
    if kind == "audio":
        source = SubElement(clip, "sourcetrack")
        _add(source, "mediatype", kind)
        _add(source, "trackindex", channel)
    for other, number in _tracks(timeline.selection):
        link = SubElement(clip, "link")
        _add(link, "linkclipref", _clip_id(index, other, number))
        _add(link, "mediatype", other)
        _add(link, "trackindex", number)
        _add(link, "clipindex", index)


def _fill_file(file: Element, timeline: Timeline) -> None:
    selection = timeline.selection
    _add(file, "name", one_line(selection.media.name))
    _add(file, "pathurl", selection.media.as_uri())
    _add_rate(file, timeline.rate)
    _add(file, "duration", timeline.media_frames)
    _add_timecode(file, timeline.media_start, timeline)
    media = SubElement(file, "media")
    _add_picture(SubElement(media, "video"), timeline)
    audio = selection.video.info.audio
    if audio:
        sound = SubElement(media, "audio")
        _add(SubElement(sound, "samplecharacteristics"), "samplerate", audio.sample_rate)
        _add(sound, "channelcount", audio.channels)


def _add_picture(parent: Element, timeline: Timeline) -> None:
    info = timeline.selection.video.info
    picture = SubElement(parent, "samplecharacteristics")
    _add_rate(picture, timeline.rate)
    _add(picture, "width", info.width)
    _add(picture, "height", info.height)
    _add(picture, "pixelaspectratio", "square")


def _add_timecode(parent: Element, frame: int, timeline: Timeline) -> None:
    code = SubElement(parent, "timecode")
    _add_rate(code, timeline.rate)
    _add(code, "string", timecode(frame, timeline.rate, timeline.drop_frame))
    _add(code, "frame", frame)
    _add(code, "displayformat", "DF" if timeline.drop_frame else "NDF")


def _add_rate(parent: Element, rate: Fraction) -> None:
    element = SubElement(parent, "rate")
    _add(element, "timebase", round(rate))
    _add(element, "ntsc", "FALSE" if rate.denominator == 1 else "TRUE")


def _add(parent: Element, tag: str, value: object) -> None:
    SubElement(parent, tag).text = str(value)


def _tracks(selection: Selection) -> list[tuple[str, int]]:
    """Kind and number of each track: a picture, and a sound for each channel."""
    audio = selection.video.info.audio
    channels = min(audio.channels, _MAX_CHANNELS) if audio else 0
    return [("video", 1), *(("audio", channel) for channel in range(1, channels + 1))]


def _clip_id(index: int, kind: str, channel: int) -> str:
    return f"clipitem-{index}-{kind}-{channel}"
