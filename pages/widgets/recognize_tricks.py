"""Tricks with their names: on the workbench, in a table, over into the labels, and as files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from core.intervals import Interval
from core.jobs import Job
from core.label_palette import palette
from core.recognize.datasets.reviewed import NAMED_BY
from core.recognize.dive_classes import dives_named
from core.recognize.names_out import names_csv, not_taken, with_names
from core.recognize.shelf import Shelved
from core.records import Session
from core.sighting import Look
from pages.widgets import recognize
from pages.widgets.footage import curves, describe
from pages.widgets.label_desk import Desk, messages
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count
from pages.widgets.recognize_dives import dive_panel
from pages.widgets.rows import Button, Line, table, times, to_frames
from pages.widgets.workbench import Label, Show, Span, workbench

_BENCH = "recognize_bench"
_SHOW = "recognize_show"
_BEFORE = "recognize_labels_before"
_BELOW_PX = 200


def trick_results(session: Session, look: Look, shelved: Shelved, job: Job, moments: Sequence[Interval]) -> None:
    """What was named.

    Args:
        job: a naming of tricks that is done.
        moments: the tricks as they are now.
    """
    named: dict[str, Any] = job.result or {}
    events: list[dict[str, Any]] = [
        event for event in named.get("events", []) if event["end_frame"] < look.video.n_frames
    ]
    then = {(event["start_frame"], event["end_frame"]) for event in events}
    if {(one.start_frame, one.end_frame) for one in moments} != then:
        st.info("The tricks have changed since they were named: name them again.", icon=":material/update:")
    messages()
    desk = _desk(session, look)
    left = not_taken(desk.intervals, [_interval(event) for event in events])
    _strip(desk, shelved, events, left)
    _bench(session, look, desk, events)
    lines = [_line(desk, shelved, event, _interval(event) in left) for event in events]
    header = ("Start", "End", "Frames", "Name", "Probability", "Or", "")
    table("recognize_named", header, lines, (2, 2, 2, 4, 2, 4, 2))
    dives = dives_named(named.get("classes", ()))
    if dives and events:
        dive_panel(events, look.video.pts_s, named["classes"], dives)
    _downloads(session, named)


def _desk(session: Session, look: Look) -> Desk:
    workspace = open_workspace()
    newest = workspace.labels(session.id)
    return Desk(
        workspace,
        session,
        "",
        look.video,
        newest.intervals if newest else (),
        newest.revision if newest else 0,
    )


def _interval(event: Mapping[str, Any]) -> Interval:
    return Interval(event["start_frame"], event["end_frame"], event["label"])


def _strip(desk: Desk, shelved: Shelved, events: Sequence[Mapping[str, Any]], left: Sequence[Interval]) -> None:
    """How many are named and sure, and a click for all sure ones.

    Args:
        left: names that the labels do not have yet.
    """
    sure = [_interval(event) for event in events if not event["unsure"]]
    words = [f"{count(len(events), 'trick')} named"]
    if len(sure) < len(events):
        words.append(f"{len(events) - len(sure)} unsure, marked with a question mark")
    sure_left = [one for one in sure if one in left]
    with st.container(key="recognize_strip", horizontal=True, vertical_alignment="center", height=56, border=False):
        st.text(" · ".join(words))
        if sure_left:
            label = f"Take over {len(sure_left)} sure names" if len(sure_left) > 1 else "Take over the sure name"
            st.button(
                label,
                key="recognize_take_all",
                icon=":material/label:",
                help="They become labels of the session.",
                on_click=_take,
                args=(desk, shelved, sure_left),
            )
        before = st.session_state.get(_BEFORE)
        if before and before[:2] == (desk.session.id, desk.revision):
            st.button(
                "Undo",
                key="recognize_undo",
                icon=":material/undo:",
                help="The labels as they were before the names were taken over.",
                on_click=_undo,
                args=(desk, before[2]),
            )


def _take(desk: Desk, shelved: Shelved, names: list[Interval]) -> None:
    """Names become labels; the history calls them by the recognizer."""
    before = desk.intervals
    desk.change(lambda labels: with_names(labels, names), f"{NAMED_BY}{shelved.name}")
    newest = desk.workspace.labels(desk.session.id)
    if newest and newest.revision != desk.revision:
        st.session_state[_BEFORE] = (desk.session.id, newest.revision, before)


def _undo(desk: Desk, before: tuple[Interval, ...]) -> None:
    desk.change(lambda _: before, "names taken back")
    st.session_state.pop(_BEFORE, None)


def _bench(session: Session, look: Look, desk: Desk, events: Sequence[Mapping[str, Any]]) -> None:
    styles = palette(desk.workspace.home, {str(event["label"]) for event in events})
    workbench(
        _BENCH,
        describe(session, look),
        session=f"{session.id} names",
        found=[_span(event) for event in events],
        truth=[Span(one.start_frame, one.end_frame, one.label) for one in desk.intervals],
        curves=curves(look),
        labels=[Label(style.name, style.colour, style.key) for style in styles],
        show=st.session_state.get(f"{_SHOW} {session.id}"),
        below=_BELOW_PX,
    )


def _span(event: Mapping[str, Any]) -> Span:
    label = f"{event['label']} ?" if event["unsure"] else event["label"]
    others = ", ".join(f"{name} {recognize.share(value)}" for name, value in _ranked(event)[:3])
    why = f"{'It is unsure' if event['unsure'] else 'Named'}: {others}."
    return Span(event["start_frame"], event["end_frame"], label, event["probability"], why=why)


def _ranked(event: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Names and probabilities, the likeliest first."""
    return sorted(event["probabilities"].items(), key=lambda one: -one[1])


def _go(session_id: str, start: int, end: int) -> None:
    key = f"{_SHOW} {session_id}"
    shown: Show | None = st.session_state.get(key)
    st.session_state[key] = Show((shown.serial if shown else 0) + 1, start, end, play=True, loop=True)


def _line(desk: Desk, shelved: Shelved, event: Mapping[str, Any], left: bool) -> Line:
    one = _interval(event)
    second = _ranked(event)[1:2]
    return Line(
        (
            *times(one, desk.pts_s)[1:3],
            f"{event['label']} ?" if event["unsure"] else event["label"],
            recognize.share(event["probability"]),
            " ".join(f"{name} {recognize.share(value)}" for name, value in second),
        ),
        to_frames(one, desk.pts_s, partial(_go, desk.session.id)),
        Button(
            "Take over" if left else "Taken over",
            _take,
            (desk, shelved, [one]),
            "It becomes a label of the session." if left else None,
            disabled=not left,
        ),
    )


def _downloads(session: Session, named: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, key="recognize_files"):
        st.download_button(
            "Table (CSV)",
            names_csv(named),
            f"{session.name} names.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "JSON",
            json.dumps(named, ensure_ascii=False, indent=1),
            f"{session.name} names.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )
