"""FCPXML, which Final Cut Pro of today and DaVinci Resolve read.

Version 1.10, which Final Cut Pro 10.6 of 2021 and everything later take. Times are fractions of a second and whole
frames. Its DTD: developer.apple.com/documentation/professional-video-applications/document-type-definition.
"""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from core.edit_lists.timeline import Cut, Document, Selection, Timeline, one_line, standard_rate

NAME = "FCPXML (Final Cut Pro, DaVinci Resolve)"
SUFFIX = ".fcpxml"
_ASSET = "r1"
_MAX_RATE = Fraction(60)
"""Final Cut Pro's timelines go no further."""


def compose(selection: Selection) -> Document:
    """A project whose clips carry a marker for each trick. Rates above 60 are halved, which the notes tell."""
    timeline = selection.timeline(_MAX_RATE)
    info = selection.video.info
    root = Element("fcpxml", version="1.10")
    resources = SubElement(root, "resources")
    # The video keeps its own rate where the timeline has half of it.
    media_rate = standard_rate(info.average_rate)
    formats = {timeline.rate: "r2"} | ({media_rate: "r3"} if media_rate != timeline.rate else {})
    for rate, name in formats.items():
        size = {"width": str(info.width), "height": str(info.height)}
        SubElement(resources, "format", {"id": name, "frameDuration": f"{rate.denominator}/{rate.numerator}s", **size})
    media_format = formats[media_rate]
    asset = {
        "id": _ASSET,
        "name": one_line(selection.media.name),
        "start": _time(timeline.media_start, timeline),
        "duration": _time(timeline.media_frames, timeline),
        "hasVideo": "1",
        "format": media_format,
    }
    if info.audio:
        asset |= {"hasAudio": "1", "audioSources": "1", "audioChannels": str(info.audio.channels)}
        asset["audioRate"] = str(info.audio.sample_rate)
    SubElement(SubElement(resources, "asset", asset), "media-rep", kind="original-media", src=selection.media.as_uri())
    event = SubElement(SubElement(root, "library"), "event", name=selection.title)
    sequence = SubElement(
        SubElement(event, "project", name=selection.title),
        "sequence",
        format=formats[timeline.rate],
        duration=_time(timeline.frames, timeline),
        tcStart=_time(timeline.record_start, timeline),
        tcFormat=_tc_format(timeline),
    )
    spine = SubElement(sequence, "spine")
    for cut in timeline.cuts:
        _add_clip(spine, cut, media_format, timeline)
    ElementTree.indent(root)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n' + ElementTree.tostring(
        root, encoding="unicode"
    )
    return Document(text + "\n", len(timeline.cuts), timeline.notes, timeline.rate)


def _add_clip(spine: Element, cut: Cut, media_format: str, timeline: Timeline) -> None:
    clip = SubElement(
        spine,
        "asset-clip",
        ref=_ASSET,
        name=cut.name,
        offset=_time(timeline.record_start + cut.at, timeline),
        start=_time(timeline.media_start + cut.start, timeline),
        duration=_time(cut.frames, timeline),
        format=media_format,
        tcFormat=_tc_format(timeline),
    )
    for mark in cut.marks:
        SubElement(
            clip,
            "marker",
            start=_time(timeline.media_start + mark.start, timeline),
            duration=_time(1, timeline),
            value=mark.found.name,
            note=mark.found.note,
        )


def _time(frames: int, timeline: Timeline) -> str:
    """Not reduced: it shows the frames."""
    return f"{frames * timeline.rate.denominator}/{timeline.rate.numerator}s" if frames else "0s"


def _tc_format(timeline: Timeline) -> str:
    return "DF" if timeline.drop_frame else "NDF"
