"""The events that ``trickline run --json`` and ``trickline detect --json`` print.

    {"video": "session.mp4", "frames": 714, "fps": 30.0, "events": [
        {"label": "trick", "start_frame": 247, "end_frame": 272, "start_s": 8.233, "end_s": 9.067, "confidence": 0.91}]}

One such object for each video: alone, one a line, or in a list. ``start_s`` and ``end_s`` are the times at which the
first and the last frame appear; the frames count where both are given. An event without ``confidence`` is a person's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.intervals import Event, Interval
from core.labels.label_set import MAX_FRAME, LabelSet, frame_at, make_interval, pick_video, read_text

NAME = "events JSON"
SUFFIX = ".json"
_NOT_SPACE = re.compile(r"\S")


def recognises(head: bytes) -> bool:
    """JSON that speaks of events."""
    return head.startswith((b"{", b"[")) and b'"events"' in head


def read(path: Path, pts_s: NDArray[np.float64] | None, video: str | Path | None) -> LabelSet:
    """The events of one video; an object without ``events`` (a video that failed) is passed over.

    Raises:
        UserError: it is not JSON, an event makes no sense, or it holds several videos and ``video`` names none of them.
    """
    records = [record for record in _records(path) if isinstance(record, dict) and "events" in record]
    if not records:
        raise UserError(f"{path.name} holds no object with events: choose what trickline run --json has printed.")
    names = [record["video"] if isinstance(record.get("video"), str) else None for record in records]
    record = records[pick_video(names, video, path.name)]
    events = record["events"]
    if not isinstance(events, list):
        raise UserError(f"{path.name} has events that are not a list: choose what trickline run --json has printed.")
    intervals = []
    for number, event in enumerate(events, start=1):
        try:
            intervals.append(_interval(event, pts_s))
        except ValueError as error:
            raise UserError(f"{path.name}, event {number}: {error}; correct it and try again.") from None
    return LabelSet(
        tuple(intervals),
        n_frames=_count(record.get("frames")),
        width=_count(record.get("width")),
        height=_count(record.get("height")),
        fps=_rate(record.get("fps")),
        name=record["video"] if isinstance(record.get("video"), str) else None,
    )


def write(out: TextIO, labels: LabelSet, pts_s: NDArray[np.float64] | None) -> None:
    """One object; what is not known is null."""
    events = []
    for interval in labels.intervals:
        event: dict[str, object] = {
            "label": interval.label,
            "start_frame": interval.start_frame,
            "end_frame": interval.end_frame,
        }
        if pts_s is not None:
            event["start_s"] = round(float(pts_s[interval.start_frame]), 6)
            event["end_s"] = round(float(pts_s[interval.end_frame]), 6)
        if isinstance(interval, Event):
            event["confidence"] = float(interval.confidence)
        events.append(event)
    record = {
        "video": labels.name,
        "frames": labels.n_frames,
        "width": labels.width,
        "height": labels.height,
        "fps": None if labels.fps is None else float(labels.fps),
        "events": events,
    }
    json.dump(record, out, indent=2)
    out.write("\n")


def _records(path: Path) -> list[Any]:
    """All objects in the file, lists opened."""
    text = read_text(path)
    decoder = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer)
    records: list[Any] = []
    place = 0
    try:
        while some := _NOT_SPACE.search(text, place):
            value, place = decoder.raw_decode(text, some.start())
            records += value if isinstance(value, list) else [value]
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path.name} is not whole JSON (line {error.lineno}, column {error.colno}): "
            "write it anew with trickline run --json."
        ) from None
    except RecursionError:
        raise UserError(f"{path.name} is nested too deep to be a list of events: choose another file.") from None
    except ValueError as error:
        raise UserError(f"{path.name} cannot be read, because {error}: correct it and try again.") from None
    return records


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number that JSON allows")


def _integer(digits: str) -> int:
    # Python itself refuses to convert more than 4300 digits, in words that help nobody.
    if len(digits) > 18:
        raise ValueError(f"the number {digits[:18]}... is too large")
    return int(digits)


def _interval(event: Any, pts_s: NDArray[np.float64] | None) -> Interval:
    if not isinstance(event, dict):
        raise ValueError("it is not an object with start_frame, end_frame and label")
    if "start_frame" in event or "end_frame" in event:
        frames = _number(event, "start_frame"), _number(event, "end_frame")
        if any(frame != int(frame) for frame in frames):
            raise ValueError("start_frame and end_frame must be whole numbers")
        start, end = (int(frame) for frame in frames)
    elif pts_s is None:
        raise ValueError("it has no start_frame and end_frame, and times count only together with the video")
    else:
        times = _number(event, "start_s"), _number(event, "end_s")
        if times[1] < times[0]:
            raise ValueError(f"it ends ({times[1]:g} s) before it starts ({times[0]:g} s)")
        start, end = (frame_at(time, pts_s) for time in times)
    label = event.get("label", "trick")
    if not isinstance(label, str):
        raise ValueError(f"the label {repr(label)[:40]} is not text")
    confidence = None if event.get("confidence") is None else float(_number(event, "confidence"))
    return make_interval(start, end, label, confidence)


def _number(event: Mapping[str, Any], key: str) -> int | float:
    value = event.get(key)
    if value is None:
        raise ValueError(f"{key} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise ValueError(f"{key} is {str(value)[:40]!r}, which is not a number")
    return value


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_FRAME + 1 else None


def _rate(value: Any) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        return None
    # The NTSC rates are multiples of 1/1001.
    return Fraction(value).limit_denominator(1001)
