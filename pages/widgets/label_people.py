"""Who labels, and how far two people agree."""

from __future__ import annotations

import math

import streamlit as st

from core.agreement import Agreement, Disagreement, agreement
from core.intervals import Interval
from pages.widgets.follow import show_value
from pages.widgets.label_desk import Desk, author, go_to, layer_name, set_author, set_layer
from pages.widgets.plain_text import escaped
from pages.widgets.rows import Line, table, times, to_frames

_DASH = "–"


def people_panel(desk: Desk) -> None:
    """Who labels, and in which layer."""
    given, whose = st.columns(2, gap="large")
    given.text_input(
        "Your name",
        author() or "",
        key="label_author_input",
        max_chars=60,
        help="Stands in the history beside what you change",
        on_change=_name_author,
    )
    layers = list(dict.fromkeys(["", *desk.workspace.layers(desk.session.id), desk.layer]))
    # The choice outlives the page, its widget does not.
    show_value("label_layer_input", desk.layer)
    whose.selectbox(
        "Labels to edit",
        layers,
        key="label_layer_input",
        format_func=layer_name,
        on_change=lambda: set_layer(desk.session.id, st.session_state["label_layer_input"]),
    )
    name = author()
    given.button(
        f"Label as a second annotator: {escaped(name)}" if name else "Label as a second annotator",
        key="label_second",
        disabled=name is None or name in layers,
        help="Begins labels of your own beside the true ones, to see how far you agree. Enter your name first."
        if name is None
        else "Begins labels of your own beside the true ones, to see how far you agree",
        on_click=set_layer,
        args=(desk.session.id, name),
    )
    show_value("label_others_input", others_shown(desk))
    whose.toggle(
        "Show the others' labels and what was found",
        key="label_others_input",
        help="Off for a second annotator at first, so that nobody leads him",
        on_change=_show_others,
        args=(desk,),
    )
    others = [layer for layer in layers if layer != desk.layer]
    _agreement_panel(desk, others)


def others_shown(desk: Desk) -> bool:
    """Whether other people's labels and found events are in the workbench."""
    return bool(st.session_state.get(f"label_others {bool(desk.layer)}", not desk.layer))


def _show_others(desk: Desk) -> None:
    st.session_state[f"label_others {bool(desk.layer)}"] = st.session_state["label_others_input"]


def _name_author() -> None:
    typed = " ".join(st.session_state["label_author_input"].split())
    set_author(typed or None)


def _agreement_panel(desk: Desk, others: list[str]) -> None:
    st.subheader("Agreement", anchor=False)
    there = {other: labels for other in others if (labels := desk.workspace.labels(desk.session.id, other))}
    if not there or not desk.revision:
        st.caption("When two people have labelled this session, it says here how far they agree and where they do not.")
        return
    other = st.selectbox("Compare with", list(there), key="label_compare", format_func=layer_name)
    theirs = there[other].intervals
    told = agreement(
        [one for one in desk.intervals if one.end_frame < len(desk.pts_s)],
        [one for one in theirs if one.end_frame < len(desk.pts_s)],
        desk.pts_s,
    )
    _figures(told)
    names = (layer_name(desk.layer), layer_name(other))
    lines = [_line(one, desk, names) for one in told.disagreements]
    if lines:
        st.text(f"{len(lines)} place{'' if len(lines) == 1 else 's'} to look at")
        table(
            "label_disagreements",
            ("Start", "End", "Frames", "Length", "Label", "Difference"),
            lines,
            (2, 2, 2, 2, 3, 6),
        )
    else:
        st.caption("They agree on every frame.")


def _figures(told: Agreement) -> None:
    with st.container(horizontal=True):
        st.metric(
            "Cohen's κ, frames",
            _figure(told.kappa),
            help="Agreement on which frames hold a trick, beyond chance: 1 is perfect, 0 is what chance gives",
        )
        for tiou, counts in told.events.items():
            st.metric(
                f"F1 of events, tIoU {tiou}",
                _figure(counts.f1),
                help=f"Share of the events that both have, with the same label and at least {tiou:.0%} shared",
            )
    if len(told.by_label) > 1:
        st.text(" · ".join(f"{label}: κ {_figure(kappa)}" for label, kappa in told.by_label.items()))


def _line(one: Disagreement, desk: Desk, names: tuple[str, str]) -> Line:
    labels = list(dict.fromkeys(interval.label for interval in (one.first, one.second) if interval))
    there = Interval(*one.place)
    _, until, frames, length = times(there, desk.pts_s)
    return Line(
        (until, frames, length, " / ".join(labels), in_words(one, names)),
        to_frames(there, desk.pts_s, go_to),
    )


def in_words(one: Disagreement, names: tuple[str, str]) -> str:
    """What the two differ in."""
    if one.first is None or one.second is None:
        return f"only in {names[0] if one.first else names[1]}"
    parts = (
        [f"{names[0]} says {one.first.label}, {names[1]} {one.second.label}"]
        if one.first.label != one.second.label
        else []
    )
    for verb, late_ms in (("begins", one.start_ms), ("ends", one.end_ms)):
        if late_ms:
            parts.append(f"{names[1]} {verb} {abs(late_ms):.0f} ms {'later' if late_ms > 0 else 'earlier'}")
    return "; ".join(parts)


def _figure(value: float) -> str:
    return _DASH if math.isnan(value) else f"{value:.2f}"
