"""Projects of LosslessCut (JSON5), which it saves unasked as ``{name of the video}-proj.llc`` beside the video.

    {
      version: 2,
      mediaFileName: 'park.mp4',
      cutSegments: [
        {start: 8.233333, end: 9.1, name: 'kickflip', tags: {confidence: '0.914'}, selected: true},
      ],
    }

Times are seconds of the player's clock. A segment goes from the frame that appears at ``start`` to the one that leaves
the screen at ``end``: both take the nearest moment at which one frame follows another. Without ``start`` it begins with
the video. Without ``end`` it goes on to the end of the video in a project of version 1 and is a marker in later ones;
markers are passed over, and so is the segment without name and times that version 1 keeps where nothing is cut.

A segment without a name is a ``trick``. The tag ``confidence``, which Trickline's export writes, makes events. All
segments count, selected or not: that only says which ones were to be cut out last.

Source: ``llcProjectV1Schema``, ``llcProjectV2Schema`` and ``edlStore.ts`` of LosslessCut 3.65.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.intervals import Event, Interval
from core.labels.label_set import LabelSet, frame_at, make_interval, read_text
from core.labels.label_studio_json import number_of

NAME = "LosslessCut project"
SUFFIX = ".llc"
VERSION = 2
"""Of the projects that LosslessCut 3.65 and later write."""
_KEY = re.compile(rb"""[{,\s/](["']?)cutSegments\1\s*:""")
_NEAR = re.compile(r"near ([0-9]+)")
_MAX_BYTES = 16 * 2**20
"""More than a hundred thousand segments."""
_MAX_DEPTH = 20
_TAIL_S = 1.0
"""So long sound may go on after the last picture: LosslessCut takes the end of the file for that of the video."""
_SHOWN_S = 0.0005
"""A time is not that of the last frame any more if it comes later than this: projects of other programs tell ms."""
_CONFIDENCE = re.compile(r"0(\.[0-9]{1,20})?|1(\.0{1,20})?|[1-9](\.[0-9]{1,20})?e-[0-9]{1,3}")


@dataclass(frozen=True)
class Segment:
    """One stretch of a video, in seconds of the player's clock."""

    start_s: float
    """When its first frame appears."""
    end_s: float
    """When its last frame leaves the screen."""
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


def project(media_name: str | None, segments: Iterable[Segment]) -> str:
    """A whole project, as text.

    Args:
        media_name: the video's file name; None leaves it out.
        segments: in the order of LosslessCut's list.
    """
    media = {} if media_name is None else {"mediaFileName": media_name.encode(errors="replace").decode()}
    cut = [
        {
            "start": round(segment.start_s, 6),
            "end": round(segment.end_s, 6),
            "name": segment.name,
            **({"tags": dict(segment.tags)} if segment.tags else {}),
        }
        for segment in segments
    ]
    return json.dumps({"version": VERSION, **media, "cutSegments": cut}, indent=2) + "\n"


def recognises(head: bytes) -> bool:
    """JSON5, also behind a comment, with LosslessCut's list of segments in it."""
    return head.startswith((b"{", b"//", b"/*")) and _KEY.search(head) is not None


def read(path: Path, pts_s: NDArray[np.float64] | None, video: str | Path | None) -> LabelSet:
    """The segments; a project is of one video.

    Raises:
        UserError: it is not JSON5, a segment makes no sense, or there is no PTS table to find the frames with.
    """
    found = _project(path)
    segments, version = found.get("cutSegments"), found.get("version", 1)
    if not isinstance(segments, list):
        raise UserError(f"{path.name} has cutSegments that are not a list: save the project in LosslessCut again.")
    if pts_s is None:
        raise UserError(f"{path.name} gives times and no frames: open it together with its video.")
    intervals = []
    markers = 0
    for number, segment in enumerate(segments, start=1):
        try:
            if not isinstance(segment, dict):
                raise ValueError("it is not an object with start, end and name")
            if segment.get("end") is None and version != 1:
                markers += 1
            elif version != 1 or any(segment.get(key) not in (None, "") for key in ("start", "end", "name")):
                intervals.append(_interval(segment, pts_s))
        except ValueError as error:
            raise UserError(
                f"{path.name}, segment {number}: {error}; correct it in LosslessCut and try again."
            ) from None
    warnings = []
    if version not in (1, VERSION):
        warnings.append(
            f"{path.name} is a project of another version of LosslessCut than those known: check the labels."
        )
    if markers:
        warnings.append(f"{path.name} has {markers} marker(s), segments without an end, which were passed over.")
    name = found.get("mediaFileName")
    return LabelSet(tuple(intervals), name=name if isinstance(name, str) else None, warnings=tuple(warnings))


def write(out: TextIO, labels: LabelSet, pts_s: NDArray[np.float64] | None) -> None:
    """A project with a segment for each interval; the confidence of an event is a tag.

    Raises:
        UserError: there is no PTS table.
    """
    if pts_s is None:
        raise UserError("A LosslessCut project tells times and no frames: name the video of the labels, too.")
    # How long the last frame stays is not in the table: like the one before it.
    ends_s = np.append(pts_s[1:], 2 * pts_s[-1] - pts_s[-2] if len(pts_s) > 1 else pts_s[-1] + _TAIL_S)
    segments = (
        Segment(
            float(pts_s[interval.start_frame]),
            float(ends_s[interval.end_frame]),
            interval.label,
            {"confidence": repr(float(interval.confidence))} if isinstance(interval, Event) else {},
        )
        for interval in labels.intervals
    )
    out.write(project(labels.name, segments))


def _project(path: Path) -> dict[str, Any]:
    import pyjson5

    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise UserError(
            f"{path.name} has {size / 2**20:.0f} MB, more than a LosslessCut project may have "
            f"({_MAX_BYTES / 2**20:.0f} MB): choose the project itself."
        )
    text = read_text(path)
    try:
        found = pyjson5.decode(text, maxdepth=_MAX_DEPTH)
    except pyjson5.Json5NestingTooDeep:
        raise UserError(f"{path.name} is nested too deep to be a LosslessCut project: choose another file.") from None
    except pyjson5.Json5DecoderException as error:
        near = _NEAR.search(str(error))
        place = f" (line {text.count(chr(10), 0, int(near[1]) - 1) + 1})" if near else ""
        raise UserError(f"{path.name} is not whole JSON5{place}: save the project in LosslessCut again.") from None
    if not isinstance(found, dict):
        raise UserError(f"{path.name} is not the object that a LosslessCut project is: choose another file.")
    return found


def _interval(segment: Mapping[str, Any], pts_s: NDArray[np.float64]) -> Interval:
    start, end = (None if segment.get(key) is None else number_of(segment[key], key) for key in ("start", "end"))
    if start is not None and end is not None and end < start:
        raise ValueError(f"it ends ({end:g} s) before it starts ({start:g} s)")
    name = segment.get("name")
    if name is not None and not isinstance(name, str):
        raise ValueError("the name is not text")
    label = name if name and not name.isspace() else "trick"
    first = 0 if start is None else frame_at(start, pts_s)
    last = len(pts_s) - 1 if end is None else _last_frame(end, pts_s)
    # What is shorter than half a frame is the frame that it lies in.
    return make_interval(first, max(first, last), label, _confidence(segment.get("tags")))


def _last_frame(end_s: float, pts_s: NDArray[np.float64]) -> int:
    """The frame that leaves the screen next to ``end_s``; -1 if that is when the first one appears."""
    if not isfinite(end_s) or end_s < 0:
        raise ValueError(f"{end_s:g} s is no time in a video")
    last_s = float(pts_s[-1])
    if end_s <= last_s + _SHOWN_S:
        return frame_at(min(end_s, last_s), pts_s) - 1
    # How long the last frame stays is not known, so that any time after it appeared is its own.
    last_shown = last_s + float(np.diff(pts_s).max(initial=0.0))
    if end_s > last_shown + _TAIL_S:
        raise ValueError(f"{end_s:g} s lies beyond the end of the video at {last_shown:.3f} s")
    return len(pts_s) - 1


def _confidence(tags: Any) -> float | None:
    """What the tag says; None if there is none, or if somebody tags in his own words."""
    told = tags.get("confidence") if isinstance(tags, dict) else None
    return float(told) if isinstance(told, str) and _CONFIDENCE.fullmatch(told) else None
