"""Labels out of a file, looked at before they are applied; and into files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.intervals import Interval
from core.labels.changes import Changes, changes
from core.labels.in_memory import file_bytes, plain_name, read_upload
from core.labels.label_set import MAX_BYTES, LabelSet, check_within
from pages.widgets import editor
from pages.widgets.label_desk import Desk, go_to, say, tab_of
from pages.widgets.plain_text import escaped
from pages.widgets.rows import Line, table, times, to_frames

_READ = "label_file_read"
_SERIAL = "label_file_serial"
_MODES = {"replace": "Replace all labels", "add": "Add to the labels"}
_EXPORTS = {
    ".xml": ("CVAT XML", "application/xml", "CVAT for video 1.1"),
    ".ls.json": ("Label Studio JSON", "application/json", 'One task to import, with frameRate="$fps" in its setup'),
    ".llc": ("LosslessCut project", "application/json", "Beside the video, LosslessCut opens it by itself"),
    ".csv": ("CSV", "text/csv", "start_frame, end_frame, label and times"),
    ".json": ("Events JSON", "application/json", "As trickline run --json prints it"),
}


def import_panel(desk: Desk) -> None:
    """Choose a file, see what it would change, apply it."""
    serial = st.session_state.setdefault(_SERIAL, 0)
    upload = st.file_uploader(
        "Labels of this video: CVAT XML, Label Studio JSON, LosslessCut project, CSV or events JSON",
        type=["xml", "json", "jsonl", "llc", "csv", "txt"],
        key=f"label_file_{serial}",
        max_upload_size=MAX_BYTES // 2**20,
    )
    if upload is None:
        st.caption("What will change is shown first; nothing is changed before you apply it.")
        return
    last = st.session_state.get(_READ)
    if last is None or last[0] != (upload.file_id, desk.session.id):
        # A large file takes seconds to read, and the page runs at every click.
        st.session_state[_READ] = last = (
            (upload.file_id, desk.session.id),
            _read(desk, upload.name, upload.getvalue()),
        )
    labels = last[1]
    if isinstance(labels, str):
        st.error(escaped(labels), icon=":material/error:")
        return
    for warning in labels.warnings:
        st.warning(escaped(warning), icon=":material/info:")
    mode = st.radio("How", list(_MODES), format_func=_MODES.__getitem__, key="label_file_mode", horizontal=True)
    told = planned(desk, labels.intervals, mode)
    st.text(f"{len(told.kept)} stay as they are · {told}")
    if told.beyond:
        st.warning(
            f"{len(told.beyond)} of {len(labels.intervals)} intervals end after the last frame "
            f"({len(desk.pts_s) - 1}) and will be left out; the file may belong to another video.",
            icon=":material/warning:",
        )
    st.button(
        "Apply",
        key="label_file_apply",
        type="primary",
        # A file of which nothing fits is of another video, and would only wipe out what there is.
        disabled=told.none or len(told.beyond) == len(labels.intervals),
        on_click=apply,
        args=(desk, labels.intervals, mode, upload.name),
    )
    _preview(desk, told)


def planned(desk: Desk, imported: Sequence[Interval], mode: str) -> Changes:
    """What applying the imported labels would change."""
    if mode == "replace":
        return changes(desk.intervals, imported, len(desk.pts_s))
    return changes(desk.intervals, editor.added(desk.intervals, imported), len(desk.pts_s))


def apply(desk: Desk, imported: Sequence[Interval], mode: str, name: str) -> None:
    """Save the imported labels, less what lies past the end of the video."""
    within = [interval for interval in imported if interval.end_frame < len(desk.pts_s)]
    source = f"import of {plain_name(name)}"
    if mode == "replace":
        try:
            # Only over what was on the screen: what somebody saved since would go unseen.
            saved = desk.workspace.save_labels(desk.session.id, within, source, desk.author, desk.revision, desk.layer)
        except UserError as error:
            say(str(error))
            return
        tab_of(desk.session.id, desk.layer).made.add(saved.revision)
        say(f"Saved as revision {saved.revision}.")
    else:
        desk.change(lambda labels: editor.added(labels, within), source)
    st.session_state[_SERIAL] += 1
    st.session_state.pop(_READ, None)


def export_panel(desk: Desk) -> None:
    """A button for each format."""
    if not desk.intervals:
        st.caption("There is nothing to export yet: label something first.")
        return
    info = desk.video.info
    labels = LabelSet(desk.intervals, len(desk.pts_s), info.width, info.height, info.average_rate, desk.video.path.name)
    try:
        check_within(labels, len(desk.pts_s), "The session")
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    stem = plain_name(desk.session.name) + (f" {plain_name(desk.layer)}" if desk.layer else "")
    with st.container(horizontal=True):
        for suffix, (title, media_type, words) in _EXPORTS.items():
            st.download_button(
                title,
                data=partial(file_bytes, labels, suffix, desk.pts_s),
                file_name=stem + suffix,
                mime=media_type,
                key=f"label_export_{suffix}",
                help=words,
                icon=":material/download:",
                on_click="ignore",
            )
    count = len(desk.intervals)
    st.caption(f"{count} interval{'' if count == 1 else 's'}; frames count from 0 and both ends are inside.")


def _read(desk: Desk, name: str, content: bytes) -> LabelSet | str:
    """The labels, or why there are none."""
    try:
        return read_upload(name, content, desk.pts_s, Path(desk.video.path))
    except UserError as error:
        return str(error)


def _preview(desk: Desk, told: Changes) -> None:
    lines = [
        *(("added", interval, interval.label) for interval in told.added),
        *(("removed", interval, interval.label) for interval in told.removed),
        *(
            ("moved", after, f"{after.label} (was {before.start_frame}–{before.end_frame})")
            for before, after in told.moved
        ),
        *(("past the end", interval, interval.label) for interval in told.beyond),
    ]
    if not lines:
        st.caption("Nothing would change.")
        return
    rows = []
    for kind, interval, label in sorted(lines, key=lambda line: line[1]):
        _, end, frames, length = times(interval, desk.pts_s)
        rows.append(Line((end, frames, length, label, kind), to_frames(interval, desk.pts_s, go_to)))
    table("label_preview", ("Start", "End", "Frames", "Length", "Label", "Change"), rows, (2, 2, 2, 2, 4, 2))
