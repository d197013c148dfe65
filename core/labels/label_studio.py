"""Label Studio (JSON): timeline labels, tracked boxes, and labels on the time axis of a video's sound.

Where an interval begins and ends (Label Studio counts frames from 1, and both ends belong to a range):

- ``timelinelabels`` tell their ranges. One of which an end is missing is a single frame, and a warning says so.
- ``videorectangle`` tells keyframes. A stretch goes on to the next keyframe that is not ``enabled``, which still
  belongs to it; one that is never closed goes on to the end of the video, with a warning.
- ``labels`` with ``start`` and ``end`` in seconds take the nearest frame of the PTS table.

Label Studio numbers frames as time x the ``frameRate`` of its labelling setup, which is 24 where nobody set it,
whatever the video's own rate. Where the file tells that rate (``framesCount`` and ``duration`` of a box, or ``fps`` in
the task's data) and the video has another, the numbers are turned into times and those into frames of the video. A file
with timelines alone does not tell it: then a warning asks to check.

Of several annotations of a task the latest counts that was not cancelled; predictions count where there is no
annotation, and are events with their scores. Read are the full export, JSON-MIN, and single annotations as sent to
models and webhooks. Written is a task to import, with ``frameRate="$fps"`` in the labelling setup in mind::

    <TimelineLabels name="videoLabels" toName="video">...</TimelineLabels>
    <Video name="video" value="$video" frameRate="$fps"/>

Sources: labelstud.io, "Label Studio JSON format", tags "TimelineLabels", "VideoRectangle" and "Video"; frames from 1
and both ends inside as in the converter of Label Studio's own YOLO backend; a closing keyframe inside as in its editor.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.intervals import Event, Interval
from core.labels.label_set import LabelSet, make_interval, pick_video
from core.labels.label_studio_json import (
    chosen_annotation,
    clock_for,
    counted_length,
    json_of,
    labels_of,
    list_of,
    score_of,
    stretches_of,
    tasks_of,
)

NAME = "Label Studio JSON"
SUFFIX = ".ls.json"
_KEYS = re.compile(rb'"(annotations|completions|predictions|result|annotation|timelinelabels|sequence)"\s*:')


def recognises(head: bytes) -> bool:
    """JSON with one of the keys that Label Studio's exports have and the events that Trickline prints have not."""
    return head.startswith((b"{", b"[")) and _KEYS.search(head) is not None


def read(path: Path, pts_s: NDArray[np.float64] | None, video: str | Path | None) -> LabelSet:
    """The intervals of one video; of an export with several tasks, those of the one with the file of ``video``.

    Raises:
        UserError: it is not JSON, not from Label Studio, a region makes no sense, or it holds several videos none of
            which is called like ``video``.
    """
    tasks = list(tasks_of(json_of(path)))
    if not tasks:
        raise UserError(f"{path.name} holds no task of Label Studio: export it as JSON from there, with the videos.")
    task = tasks[pick_video([task.name for task in tasks], video, path.name)]
    annotation, guessed, warnings = chosen_annotation(task, path.name)
    regions = [region for region in list_of(annotation.get("result")) if isinstance(region, dict)]
    values = [value for region in regions if isinstance(value := region.get("value"), dict)]
    n_counted, rate = counted_length(values)
    clock, doubts = clock_for(rate or task.fps, pts_s, any("ranges" in value for value in values), path.name)
    warnings += doubts
    intervals: list[Interval] = []
    unlabelled = 0
    for number, region in enumerate(regions, start=1):
        try:
            stretches = list(stretches_of(region, clock, n_counted, warnings, f"{path.name}, region {number}"))
            labels = labels_of(region.get("value"))
            unlabelled += bool(stretches) and not labels
            score = score_of(region.get("score")) if guessed else None
            intervals += [make_interval(*stretch, label, score) for stretch in stretches for label in labels]
        except ValueError as error:
            raise UserError(f"{path.name}, region {number}: {error}; correct it there and export again.") from None
    if unlabelled:
        warnings.append(f"{path.name} has {unlabelled} region(s) without a label, which were passed over.")
    n_frames = n_counted if clock.rate is None else None
    return LabelSet(tuple(intervals), n_frames=n_frames, name=task.name, warnings=tuple(warnings))


def write(out: TextIO, labels: LabelSet, pts_s: NDArray[np.float64] | None) -> None:
    """A list of one task with one annotation; events are a prediction, with their confidences as scores."""
    regions = []
    for number, interval in enumerate(labels.intervals, start=1):
        region: dict[str, object] = {
            "id": f"interval{number}",
            "type": "timelinelabels",
            "from_name": "videoLabels",
            "to_name": "video",
            "origin": "manual",
            "value": {
                "ranges": [{"start": interval.start_frame + 1, "end": interval.end_frame + 1}],
                "timelinelabels": [interval.label],
            },
        }
        if isinstance(interval, Event):
            region |= {"origin": "prediction", "score": float(interval.confidence)}
        regions.append(region)
    data: dict[str, object] = {"video": labels.name or ""}
    if labels.fps is not None:
        data["fps"] = float(labels.fps)
    found = any(isinstance(interval, Event) for interval in labels.intervals)
    said = (
        {"predictions": [{"model_version": "trickline", "result": regions}]}
        if found
        else {"annotations": [{"result": regions}]}
    )
    json.dump([{"data": data, **said}], out, indent=2)
    out.write("\n")
