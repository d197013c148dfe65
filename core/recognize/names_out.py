"""Names that a recognizer gave, on their way out: over into the labels, and as a table.

>>> with_names([Interval(247, 272, "trick")], [Interval(245, 270, "ollie")])
[Interval(start_frame=247, end_frame=272, label='ollie')]
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.intervals import Interval
from core.recognize.windows import cell
from core.tricks import SAME_IOU

_COLUMNS = ("start_frame", "end_frame", "start_s", "end_s")


def with_names(labels: Sequence[Interval], named: Sequence[Interval]) -> list[Interval]:
    """The labels, with the names of the moments that they stand for; a moment that none stands for is added.

    A label stands for a moment from a tIoU of :data:`core.tricks.SAME_IOU` on. It keeps its bounds, which a person may
    have set, and takes the name.
    """
    renamed = list(labels)
    for moment in named:
        same = [place for place, label in enumerate(renamed) if label.iou(moment) >= SAME_IOU]
        for place in same:
            renamed[place] = replace(renamed[place], label=moment.label)
        if not same:
            renamed.append(Interval(moment.start_frame, moment.end_frame, moment.label))
    return renamed


def not_taken(labels: Sequence[Interval], named: Sequence[Interval]) -> list[Interval]:
    """Those of the named moments whose name no label that stands for them has yet."""
    return [
        moment
        for moment in named
        if not any(label.label == moment.label and label.iou(moment) >= SAME_IOU for label in labels)
    ]


def names_csv(named: Mapping[str, Any]) -> str:
    """A row for each named moment: video, frames, seconds, label, probability, whether it is unsure, and then the
    probability of each class.

    Args:
        named: of :meth:`core.recognize.naming.NamedEvents.to_json`.
    """
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    classes = list(named["classes"])
    table.writerow(["video", *_COLUMNS, "label", "probability", "unsure", *map(cell, classes)])
    video = cell(Path(named["video"]).name)
    for event in named["events"]:
        figures = [event["probabilities"][label] for label in classes]
        said = [cell(event["label"]), event["probability"], "yes" if event["unsure"] else "no"]
        table.writerow([video, *(event[column] for column in _COLUMNS), *said, *figures])
    return out.getvalue()
