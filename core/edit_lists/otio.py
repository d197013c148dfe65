"""OpenTimelineIO's own JSON, which DaVinci Resolve, Nuke Studio and LosslessCut read.

Clips carry a marker for each trick, in the time of the footage, so that it moves along when the clip is moved. The
schemas and their versions: https://opentimelineio.readthedocs.io/en/stable/tutorials/otio-serialized-schema.html
"""

from __future__ import annotations

import json
from typing import Any

from core.edit_lists.timeline import Cut, Document, Mark, Selection, Timeline

NAME = "OpenTimelineIO (DaVinci Resolve, Nuke Studio, LosslessCut)"
SUFFIX = ".otio"


def compose(selection: Selection) -> Document:
    """A timeline with a video track and, where there is sound, an audio track."""
    timeline = selection.timeline()
    kinds = ["Video", "Audio"] if selection.video.info.audio else ["Video"]
    tracks = [
        {
            "OTIO_SCHEMA": "Track.1",
            "name": kind,
            "kind": kind,
            "children": [_clip(cut, timeline, with_marks=kind == "Video") for cut in timeline.cuts],
        }
        for kind in kinds
    ]
    record = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": selection.title,
        "global_start_time": _time(timeline.record_start, timeline),
        "tracks": {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": tracks},
    }
    return Document(json.dumps(record, indent=2) + "\n", len(timeline.cuts), timeline.notes, timeline.rate)


def _clip(cut: Cut, timeline: Timeline, with_marks: bool) -> dict[str, Any]:
    media = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "name": timeline.selection.media.name.encode(errors="replace").decode(),
        "target_url": timeline.selection.media.as_uri(),
        "available_range": _range(0, timeline.media_frames, timeline),
    }
    return {
        "OTIO_SCHEMA": "Clip.2",
        "name": cut.name,
        "source_range": _range(cut.start, cut.end, timeline),
        "media_references": {"DEFAULT_MEDIA": media},
        "active_media_reference_key": "DEFAULT_MEDIA",
        "markers": [_marker(mark, timeline) for mark in cut.marks] if with_marks else [],
    }


def _marker(mark: Mark, timeline: Timeline) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "Marker.2",
        "name": mark.found.name,
        "comment": mark.found.note,
        "color": "GREEN",
        "marked_range": _range(mark.start, mark.end, timeline),
    }


def _range(start: int, end: int, timeline: Timeline) -> dict[str, Any]:
    """Frames of the video, whose time begins with its source timecode."""
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": _time(timeline.media_start + start, timeline),
        "duration": _time(end - start, timeline),
    }


def _time(frames: int, timeline: Timeline) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "value": float(frames), "rate": float(timeline.rate)}
