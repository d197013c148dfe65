"""Player and signals in sync: what was measured, where frames were rejected, and the knobs that decide it."""

from __future__ import annotations

import streamlit as st

from core.metrics import REASON_WORDS, rejected_stretches, summary
from core.sighting import Look
from core.timecode import clock
from pages.widgets.footage import CURVES, choose_subject, curves, describe, explained, found, seen
from pages.widgets.guardrails import chosen_step, guardrail_strip, knobs, shown_reason, shown_stretch
from pages.widgets.media import open_workspace
from pages.widgets.session_bar import not_processed, session_bar
from pages.widgets.spans import found_spans, true_spans
from pages.widgets.workbench import WorkbenchState, workbench

_KNOBS_PX = 64  # the knobs are to be seen without scrolling


def brushed(look: Look, bench: str) -> None:
    """What the signals did in the range that was brushed."""
    chosen = WorkbenchState.of(bench).range
    if chosen is None or chosen[1] >= look.video.n_frames:
        st.caption("Hold Shift and drag over the curve to see what every signal did there.")
        return
    start, end = chosen
    st.text(f"{clock(look.video.pts_s[start])} to {clock(look.video.pts_s[end])} · frames {start} to {end}")
    columns = {name: title for name, (title, _) in CURVES.items() if name in look.signals.table}
    table = summary(look.signals.table, start, end, list(columns)).rename(index=columns)
    st.dataframe(
        table,
        width="content",
        column_config={
            "_index": st.column_config.TextColumn("Signal"),
            "lowest": st.column_config.NumberColumn("Lowest", format="%.2f"),
            "median": st.column_config.NumberColumn("Median", format="%.2f"),
            "highest": st.column_config.NumberColumn("Highest", format="%.2f"),
            "seen": st.column_config.NumberColumn("Seen", format="percent"),
        },
    )


session = session_bar("Timeline")
if session is None:
    st.stop()
session_id = session.id
bench = f"timeline {session_id}"  # what was brushed belongs to the session
workspace = open_workspace()
settings = workspace.settings(session.id)
look = seen(session, settings.guardrails, chosen_step(session_id))
if look is None:
    not_processed(session)
    st.stop()
guardrail_strip(session_id, look)
_, probability = found(session, look, settings)
labels = workspace.labels(session.id)
whys = explained(session, look, settings, labels.intervals if labels else None)
reason = shown_reason(session_id)
workbench(
    bench,
    describe(session, look),
    session=session.id,
    found=found_spans(whys),
    truth=true_spans(labels.intervals if labels else (), whys),
    curves=curves(look, probability),
    curve="tuck_ratio",
    layers={f"rejected: {REASON_WORDS[reason]}": rejected_stretches(look.signals.table, reason, look.video.n_frames)}
    if reason
    else {},
    show=shown_stretch(session_id),
    below=_KNOBS_PX,
    on_range=lambda: None,  # the new run draws the range
    on_subject=lambda: choose_subject(session_id, WorkbenchState.of(bench).subject or {}),
)
if look.choices:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"You chose the skater at {', '.join(clock(look.video.pts_s[one.frame]) for one in look.choices)}.")
        st.button("Let the skater be found again", on_click=workspace.clear_subjects, args=(session.id,))
knobs(workspace, session, seen(session) or look, settings.guardrails)
brushed(look, bench)
