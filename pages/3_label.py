"""Set what is true: edit on the timeline, take over what was found, import, export, and look back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.intervals import Event, Interval
from core.label_palette import LabelStyle, palette
from core.records import Session
from core.sighting import Look
from core.video import Video
from pages.widgets import editor
from pages.widgets.footage import choose_subject, curves, describe, explained, found, seen
from pages.widgets.label_desk import (
    Desk,
    bench_key,
    by,
    go_to,
    layer_name,
    layer_of,
    messages,
    say,
    shown,
    tab_of,
    warn,
)
from pages.widgets.label_files import export_panel, import_panel
from pages.widgets.label_history import hear, heard, history_panel
from pages.widgets.label_names import palette_panel
from pages.widgets.label_people import others_shown, people_panel
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import escaped
from pages.widgets.reader_time import reader_zone
from pages.widgets.rows import Button, Line, table, times, to_frames
from pages.widgets.session_bar import not_processed, session_bar
from pages.widgets.spans import found_spans, missed_spans
from pages.widgets.workbench import Document, Label, WorkbenchState, workbench

_POLL_S = 2
_TABS_PX = 64  # import, export and history are to be seen without scrolling


def unseen(path: Path) -> Video:
    """A video that nobody has looked at yet."""
    return _opened(path, path.stat().st_mtime_ns if path.exists() else 0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _opened(path: Path, modified: int) -> Video:
    return Video.open(path)


def take(session: Session, layer: str, video: Video) -> str | None:
    """Save what the browser sent last; returns why that cannot be. It may be called any number of times."""
    edit = WorkbenchState.of(bench_key(session.id, layer)).edit
    if not edit:
        return None
    tab = tab_of(session.id, layer)
    tab.zone = reader_zone()
    try:
        notice = editor.take_edit(open_workspace(), session.id, layer, tab, edit, by(layer), video.pts_s)
    except UserError as error:
        return str(error)
    if notice and notice.overruled:
        warn(notice.text)
    elif notice and heard(session.id, layer) is None:  # whoever was here before will hear who did what
        say(notice.text)
    return None


def desk_for(session: Session, layer: str, video: Video) -> tuple[Desk, Document]:
    """The labels as they are now, with what the browser sent."""
    if refused := take(session, layer, video):
        st.error(escaped(refused), icon=":material/error:")
    workspace = open_workspace()
    document = editor.document(workspace, session.id, layer, tab_of(session.id, layer))
    desk = Desk(workspace, session, layer, video, document.items, document.revision)
    hear(desk)
    return desk, document


def shown_events(desk: Desk, look: Look) -> tuple[list[Event], pd.Series | None]:
    """What was found and how sure the detector is of each sampled frame, unless that would lead an annotator."""
    if not others_shown(desk):
        return [], None
    try:
        return found(desk.session, look, desk.workspace.settings(desk.session.id))
    except UserError as error:
        st.warning(escaped(str(error)), icon=":material/warning:")
        return [], None


def take_over(desk: Desk, events: list[Event]) -> None:
    """The found events become labels where nothing is labelled yet."""
    desk.change(lambda labels: editor.taken_over(labels, events), "found by the detector")


def strip(desk: Desk, events: list[Event]) -> None:
    """How much is labelled, and one click for what was found and is not."""
    left = editor.beside(events, desk.intervals, any_label=True)
    # It is always there, so that nothing below it moves.
    with st.container(key="label_strip", horizontal=True, vertical_alignment="center", height=56, border=False):
        st.text(f"{len(desk.intervals)} labelled" + (f" · {len(left)} found and not labelled" if events else ""))
        if left:
            st.button(
                f"Take over all {len(left)} found" if len(left) > 1 else "Take over what was found",
                key="label_take_over",
                type="primary",
                on_click=take_over,
                args=(desk, events),
            )


def events_panel(desk: Desk, events: list[Event]) -> None:
    """What is labelled, and what was found and is not."""
    left = editor.beside(events, desk.intervals, any_label=True)
    header, widths = ("Start", "End", "Frames", "Length", "Label"), (2, 2, 2, 2, 4)
    if desk.intervals:
        lines = [
            Line((*times(one, desk.pts_s)[1:], one.label), to_frames(one, desk.pts_s, go_to)) for one in desk.intervals
        ]
        table("label_events", header, lines, widths)
    else:
        st.caption("Nothing is labelled yet. Set the ends with I and O while it plays, or drag over the timeline.")
    if left:
        st.caption("Found, not labelled")
        lines = [
            Line(
                (*times(one, desk.pts_s)[1:], one.label),
                to_frames(one, desk.pts_s, go_to),
                Button("Take over", take_over, (desk, [one])),
            )
            for one in left
        ]
        table("label_found", (*header, ""), lines, (*widths, 2))


@st.fragment(run_every=_POLL_S)
def watch(desk: Desk) -> None:
    """Let what somebody else saves appear by itself; who it was and what is told as the page is drawn."""
    if editor.newer(desk.workspace, desk.session.id, desk.layer, tab_of(desk.session.id, desk.layer)):
        st.rerun()


def bench(
    desk: Desk,
    document: Document,
    look: Look,
    styles: tuple[LabelStyle, ...],
    events: list[Event],
    probability: pd.Series | None,
) -> None:
    """Draw the workbench."""
    session, workspace = desk.session, desk.workspace
    others: dict[str, tuple[Interval, ...]] = {}
    if others_shown(desk):
        for layer in workspace.layers(session.id):
            if layer != desk.layer and (labels := workspace.labels(session.id, layer)):
                others[layer_name(layer)] = labels.intervals
    key = bench_key(session.id, desk.layer)
    # The figures of an annotator's own layer are not the detector's business; only true labels are missed.
    truth = document.items if document.items and not desk.layer else None
    whys = explained(session, look, workspace.settings(session.id), truth) if events else []

    def edited() -> None:
        # Before the page is drawn, so that all of it shows what is saved; what is refused is said as it is drawn.
        take(session, desk.layer, desk.video)

    workbench(
        key,
        describe(session, look),
        session=f"{session.id} {desk.layer}",
        document=document,
        editable=True,
        found=found_spans(whys),
        missed=missed_spans(whys),
        curves=curves(look, probability),
        labels=[Label(style.name, style.colour, style.key) for style in styles],
        layers=others,
        show=shown(),
        below=_TABS_PX,
        on_edit=edited,
        on_subject=lambda: choose_subject(session.id, st.session_state[key]["subject"]),
    )


session = session_bar("Label")
if session is None:
    st.stop()
look = seen(session)
layer = layer_of(session.id)
desk, document = desk_for(session, layer, look.video if look else unseen(session.path))
styles = palette(desk.workspace.home, {one.label for one in desk.intervals})
with st.container(key="label_messages"):
    messages()
    if layer:
        st.info(f"You edit the labels of {escaped(layer)}, not the true ones.", icon=":material/group:")
events: list[Event] = []
if look:
    events, probability = shown_events(desk, look)
    strip(desk, events)
    bench(desk, document, look, styles, events, probability)
else:
    not_processed(session)
names = ["Events", "Import", "Export", "History", "Labels", "Annotators"]
tabs = dict(zip(names, st.tabs(names, key="label_tabs", on_change="rerun"), strict=True))
for name, tab in tabs.items():
    if not tab.open:
        continue
    with tab:
        match name:
            case "Events":
                events_panel(desk, events)
            case "Import":
                import_panel(desk)
            case "Export":
                export_panel(desk)
            case "History":
                history_panel(desk)
            case "Labels":
                palette_panel(desk, styles)
            case "Annotators":
                people_panel(desk)
watch(desk)
