"""The bar on top of every page: which session, what is known of it, and what is being worked on."""

from __future__ import annotations

from fractions import Fraction

import streamlit as st

from core.records import Session
from pages.widgets.follow import show_value
from pages.widgets.jobs import job_chip
from pages.widgets.media import open_workspace


def chosen_session() -> Session | None:
    """The session of the address (``?session=``), or that which was last chosen, or else the newest; None if there is
    none."""
    known = {session.id: session for session in open_workspace().sessions()}
    for wanted in (st.query_params.get("session"), st.session_state.get("session"), next(iter(known), None)):
        if wanted in known:
            return known[wanted]
    return None


def choose_session(session_id: str) -> None:
    """Let every page show this session."""
    st.session_state["session"] = session_id
    st.query_params["session"] = session_id


def session_bar(title: str) -> Session | None:
    """Draw the bar.

    Args:
        title: of the page.

    Returns:
        The chosen session; None if there is none yet, and then the page says where to begin.
    """
    workspace = open_workspace()
    session = chosen_session()
    with st.container(key="session_bar", horizontal=True, vertical_alignment="center"):
        st.header(title, anchor=False, width="content")
        if session is not None:
            _picker(session)
            st.text(_facts(session), width="stretch")
        job_chip(workspace, session.id if session else None)
    if session is None:
        with st.container(key="no_session", border=True):
            st.subheader("No footage yet", anchor=False)
            st.write("Add a video or try the sample session; this page then shows it.")
            st.page_link("pages/1_upload.py", label="Add footage", icon=":material/upload:")
        return None
    # Streamlit forgets the address's session when the page is changed, so it is said again.
    if st.query_params.get("session") != session.id or st.session_state.get("session") != session.id:
        choose_session(session.id)
    return session


def not_processed(session: Session) -> None:
    """What a page shows in place of signals that are not there yet."""
    with st.container(key="not_processed", border=True):
        st.subheader("Nobody has looked at this footage yet", anchor=False)
        st.write("Start *Find tricks* on the upload page; what it finds appears here.")
        st.page_link("pages/1_upload.py", label="Find tricks", icon=":material/search:")


def _picker(session: Session) -> None:
    sessions = open_workspace().sessions()
    names = {one.id: one.name for one in sessions}

    def choose() -> None:
        choose_session(st.session_state["session_picker"])

    # The choice may have come from the address or another page, so the widget follows it.
    show_value("session_picker", session.id)
    st.selectbox(
        "Session",
        list(names),
        key="session_picker",
        format_func=lambda one: names.get(one, one),
        on_change=choose,
        label_visibility="collapsed",
        width=280,
    )


def _facts(session: Session) -> str:
    facts = session.facts
    parts = []
    if "duration_s" in facts:
        minutes, seconds = divmod(round(facts["duration_s"]), 60)
        parts.append(f"{minutes} min {seconds} s" if minutes else f"{seconds} s")
    if "average_rate" in facts:
        parts.append(f"{float(Fraction(facts['average_rate'])):.5g} fps")
    labels = open_workspace().labels(session.id)
    if labels:
        count = len(labels.intervals)
        parts.append(f"{count} label{'' if count == 1 else 's'}")
    parts.append("processed" if facts.get("looked") else "not looked at yet")
    return " · ".join(parts)
