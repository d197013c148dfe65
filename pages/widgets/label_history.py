"""Every save of the labels: who, when, from where, what changed, and the way back."""

from __future__ import annotations

import streamlit as st

from core.label_changes import LabelSave, label_saves, moment, news, origin, saved_by, saves_of_others, told
from pages.widgets.label_desk import Desk, go_to, say, tab_of
from pages.widgets.plain_text import count, escaped
from pages.widgets.reader_time import reader_zone

_PER_PAGE = 10
_ICONS = {
    "added": ":material/add:",
    "removed": ":material/remove:",
    "moved": ":material/arrow_range:",
    "renamed": ":material/edit:",
}


def history_panel(desk: Desk) -> None:
    """The saves, the newest first, a page at a time."""
    if not desk.revision:
        st.caption("Nothing was saved yet. Every change will be listed here, and can be taken back.")
        return
    last = desk.revision
    if last > _PER_PAGE:
        page = st.selectbox(
            "Saves",
            range(-(-last // _PER_PAGE)),
            key="label_history_page",
            format_func=lambda page: (
                f"{_PER_PAGE * page + 1} to {min(_PER_PAGE * (page + 1), desk.revision)} of {desk.revision}"
            ),
            width=200,
        )
        last -= _PER_PAGE * page
    saves = label_saves(desk.workspace, desk.session.id, desk.layer, last - _PER_PAGE + 1, last)
    with st.container(key="label_history", gap="small"):
        for save in saves:
            _save(desk, save)


def restore(desk: Desk, revision: int) -> None:
    """Save the labels of an old revision as a new one."""
    saved = desk.workspace.restore_labels(desk.session.id, revision, desk.author, desk.layer)
    tab_of(desk.session.id, desk.layer).made.add(saved.revision)
    say(f"Revision {revision} is back, as revision {saved.revision}.")


def heard(session_id: str, layer: str) -> int | None:
    """The revision up to which the reader knows what happened; None if he has just come."""
    known: int | None = st.session_state.get(_heard_key(session_id, layer))
    return known


def hear(desk: Desk) -> None:
    """Tell in a line what others have saved since the reader last heard of it."""
    since = heard(desk.session.id, desk.layer)
    st.session_state[_heard_key(desk.session.id, desk.layer)] = desk.revision
    if since is None or since >= desk.revision:
        return
    own = tab_of(desk.session.id, desk.layer).made
    theirs = saves_of_others(desk.workspace, desk.session.id, desk.layer, since, desk.revision, own)
    if line := news(theirs, desk.author, desk.video, reader_zone()):
        say(f"{line}.")


def _heard_key(session_id: str, layer: str) -> str:
    return f"label_heard {session_id} {layer}"


def _save(desk: Desk, save: LabelSave) -> None:
    revision = save.revision
    with st.container(key=f"label_save_{revision.revision}", border=True, gap=None):
        with st.container(horizontal=True, vertical_alignment="center"):
            words = (
                f"**{escaped(saved_by(save))}** · {moment(revision.saved_at, reader_zone())} · {escaped(origin(save))}"
            )
            st.markdown(words)
            st.caption(f"revision {revision.revision} · {count(len(revision.intervals), 'label')}")
            st.button(
                "Restore",
                key=f"label_restore_{revision.revision}",
                type="tertiary",
                icon=":material/history:",
                help="Saves these labels as a new revision; nothing is lost",
                disabled=revision.revision == desk.revision,
                on_click=restore,
                args=(desk, revision.revision),
            )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            for number, line in enumerate(told(save, desk.video)):
                if line.at is None:
                    st.caption(escaped(line.text))
                    continue
                st.button(
                    escaped(line.text),
                    key=f"label_change_{revision.revision}_{number}",
                    type="tertiary",
                    icon=_ICONS[line.kind] if line.kind else None,
                    help="Go there",
                    disabled=line.at.end_frame >= desk.video.n_frames,
                    on_click=go_to,
                    args=(line.at.start_frame, line.at.end_frame),
                )
