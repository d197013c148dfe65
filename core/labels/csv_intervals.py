"""Intervals as a table: one row an interval.

    start_frame,end_frame,label
    247,272,kickflip

Both frames are 0-based and inside. Instead of the frames, or where their cells are empty, ``start_s`` and ``end_s``
may give the times in seconds at which the first and the last frame appear; they take the nearest frame of the PTS
table. The column ``label`` may be left out for ``trick``. A ``confidence`` (0 to 1) makes events. Comma, semicolon and
tab all part the columns, and other columns are passed over.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.intervals import Event, Interval
from core.labels.label_set import LabelSet, frame_at, make_interval, read_text

NAME = "CSV"
SUFFIX = ".csv"
_DELIMITERS = ",;\t"
_WHOLE = re.compile(r"-?[0-9]{1,12}(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?")


def recognises(head: bytes) -> bool:
    """Text whose first line has more than one column."""
    return b"\0" not in head and any(delimiter.encode() in head.partition(b"\n")[0] for delimiter in _DELIMITERS)


def read(path: Path, pts_s: NDArray[np.float64] | None, video: str | Path | None) -> LabelSet:
    """The intervals of every row; all rows are of one video.

    Raises:
        UserError: a column is missing, or a row makes no sense; the sentence tells its line.
    """
    text = read_text(path)
    first_line = text.lstrip().partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=first_line.count))
    columns: list[str] = []
    intervals: list[Interval] = []
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if columns:
                if any(cells[len(columns) :]):
                    raise ValueError(f"there are {len(cells)} cells under {len(columns)} columns")
                intervals.append(_interval(dict(zip(columns, cells, strict=False)), pts_s))
            else:
                columns = [cell.lower() for cell in cells]
                _check_columns(columns)
                if "start_frame" not in columns and pts_s is None:
                    raise UserError(f"{path.name} gives times and no frames: open it together with its video.")
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path.name}, line {rows.line_num}: {error}; correct that line and try again.") from None
    return LabelSet(tuple(intervals))


def write(out: TextIO, labels: LabelSet, pts_s: NDArray[np.float64] | None) -> None:
    """The columns ``start_frame,end_frame,label``; ``start_s,end_s`` with a PTS table; ``confidence`` with events."""
    has_confidence = any(isinstance(interval, Event) for interval in labels.intervals)
    table = csv.writer(out, lineterminator="\n")
    header = ["start_frame", "end_frame", "label"]
    header += ["start_s", "end_s"] if pts_s is not None else []
    header += ["confidence"] if has_confidence else []
    table.writerow(header)
    for interval in labels.intervals:
        row: list[object] = [interval.start_frame, interval.end_frame, interval.label]
        if pts_s is not None:
            row += [f"{pts_s[frame]:.6f}" for frame in (interval.start_frame, interval.end_frame)]
        if isinstance(interval, Event):
            row.append(repr(float(interval.confidence)))
        table.writerow(row)


def _check_columns(columns: list[str]) -> None:
    if not ({"start_frame", "end_frame"} <= set(columns) or {"start_s", "end_s"} <= set(columns)):
        raise ValueError(
            f"the header is {' '.join(columns)[:80]!r}, but must name the columns start_frame, end_frame and label "
            "(or start_s, end_s and label)"
        )
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise ValueError(f"the column {twice[0][:40]!r} is there twice")


def _interval(cells: Mapping[str, str], pts_s: NDArray[np.float64] | None) -> Interval:
    if cells.get("start_frame") or cells.get("end_frame"):
        start, end = _whole(cells, "start_frame"), _whole(cells, "end_frame")
    else:
        times = _number(cells, "start_s"), _number(cells, "end_s")
        if times[1] < times[0]:
            raise ValueError(f"the interval ends ({times[1]:g} s) before it starts ({times[0]:g} s)")
        if pts_s is None:
            raise ValueError("there are no frames, and times count only together with the video")
        start, end = (frame_at(time, pts_s) for time in times)
    confidence = _number(cells, "confidence") if cells.get("confidence") else None
    return make_interval(start, end, cells.get("label", "trick"), confidence)


def _whole(cells: Mapping[str, str], column: str) -> int:
    cell = cells.get(column, "")
    if not _WHOLE.fullmatch(cell):
        raise ValueError(f"{column} is {cell[:40]!r}, which is not a frame number")
    return int(cell.partition(".")[0])


def _number(cells: Mapping[str, str], column: str) -> float:
    cell = cells.get(column, "")
    if not _NUMBER.fullmatch(cell):
        raise ValueError(f"{column} is {cell[:40]!r}, which is not a number")
    return float(cell.replace(",", "."))
