"""The tricks as a table for spreadsheets; Trickline reads it back as labels, too.

Frames and seconds mean what they do in :mod:`core.labels.csv_intervals`: the last frame is inside, and ``end_s`` is
when it appears. The timecodes are an editor's: ``out_timecode`` is where the trick ends, no longer inside. ``name`` is
what an exported clip of this trick is called.
"""

from __future__ import annotations

import csv
import io

from core.edit_lists.smpte import timecode
from core.edit_lists.timeline import Document, Selection

NAME = "Table (CSV)"
SUFFIX = ".csv"
_COLUMNS = [
    *("name", "start_frame", "end_frame", "start_s", "end_s", "duration_s"),
    *("in_timecode", "out_timecode", "label", "confidence", "stars"),
]


def compose(selection: Selection) -> Document:
    """One row a clip; of several events in one the highest confidence and the most stars."""
    timeline = selection.timeline()
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_COLUMNS)
    for name, entry, cut in zip(selection.names, selection.entries, timeline.cuts, strict=True):
        plan = entry.plan
        frames = (timeline.media_start + cut.start, timeline.media_start + cut.end)
        table.writerow(
            [
                name,
                plan.start_frame,
                plan.end_frame,
                *(f"{selection.video.pts_s[frame]:.6f}" for frame in (plan.start_frame, plan.end_frame)),
                f"{plan.end_s - plan.start_s:.6f}",
                *(timecode(frame, timeline.rate, timeline.drop_frame) for frame in frames),
                # A spreadsheet would take it for a formula.
                f"'{entry.name}" if entry.name.startswith(("=", "+", "-", "@")) else entry.name,
                "" if entry.confidence is None else repr(float(entry.confidence)),
                "" if entry.stars is None else entry.stars,
            ]
        )
    return Document(out.getvalue(), len(selection.entries), timeline.notes, timeline.rate)
