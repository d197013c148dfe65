"""All sessions as cards: a page of them at a time, found by name and by what is to be done with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

import streamlit as st

from core import thumbnails
from core.records import Session
from core.standing import Standing, State
from core.timecode import clock
from pages.widgets.footage_browser import size_words
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.session_bar import choose_session
from pages.widgets.sessions import find_tricks

CARDS = 24
"""On a page: each costs the browser a picture and the server a file."""

_WIDTH = 280  # pixels: four beside each other on a 1440 px wide screen, two on 1024
_PAGER = 280
_FEW = 8
"""So many are found at a glance."""
_WORDS: Mapping[State, str] = {"new": "New", "working": "In work", "looked": "Looked at", "failed": "Failed"}
_NAME, _STATE, _PAGE = "cards_name", "cards_state", "cards_page"


def cards(sessions: list[Session], where: Mapping[str, Standing], current: str) -> None:
    """Sessions in their order, those that were asked for.

    Args:
        where: they are on their way, by id.
        current: id of the session that the page shows.
    """
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="sessions"):
        st.subheader(f"{len(sessions)} sessions", anchor=False, width="content")
        start = st.container(width="content")
    asked, page = _asked(sessions, where) if len(sessions) > _FEW else (sessions, 1)
    fresh = [session.id for session in asked if where[session.id].state == "new"]
    if len(fresh) > 1:
        start.button(
            f"Find tricks in {'all' if len(asked) == len(sessions) else 'these'} {len(fresh)} new ones",
            icon=":material/search:",
            key="find_all",
            on_click=find_tricks,
            args=(fresh[::-1],),
            help="One after the other, the oldest first.",
        )
    if not asked:
        st.caption("None is called so, or stands there.")
    with st.container(horizontal=True, gap="small", key="cards"):
        for session in asked[(page - 1) * CARDS : page * CARDS]:
            key = "card_current" if session.id == current else f"card_{session.id}"
            with st.container(border=True, key=key, gap="xsmall", width=_WIDTH, height="stretch"):
                _card(session, where[session.id], session.id == current)


def _asked(sessions: list[Session], where: Mapping[str, Standing]) -> tuple[list[Session], int]:
    """Those that bear all the words and stand where the buttons say; and which page of them is shown, from 1.

    The pages are turned above the cards, where the first of the next ones then are.
    """
    counts = Counter(where[session.id].state for session in sessions)
    with st.container(horizontal=True, vertical_alignment="center", key="cards_asked"):
        words = st.text_input(
            "Search by name",
            type="search",
            key=_NAME,
            placeholder="Search by name",
            label_visibility="collapsed",
            live=True,
            on_change=_first_page,
            width=280,
        )
        state = st.segmented_control(
            "Standing",
            [state for state in _WORDS if counts[state]],
            key=_STATE,
            format_func=lambda one: f"{_WORDS[one]} {counts[one]}",
            on_change=_first_page,
            label_visibility="collapsed",
        )
        wanted = (words or "").casefold().split()
        asked = [
            session
            for session in sessions
            if state in (None, where[session.id].state) and all(word in session.name.casefold() for word in wanted)
        ]
        pages = max(1, -(-len(asked) // CARDS))
        page = min(st.session_state.get(_PAGE, 1), pages)
        if pages > 1:
            st.session_state[_PAGE] = page  # fewer were asked for, or some are gone
            with st.container(horizontal=True, vertical_alignment="center", wrap=False, width="content"):
                last = min(page * CARDS, len(asked))
                st.caption(f"{(page - 1) * CARDS + 1} to {last} of {len(asked)}", width="content")
                st.pagination(pages, key=_PAGE, max_visible_pages=5, width=_PAGER)
    return asked, page


def _first_page() -> None:
    st.session_state[_PAGE] = 1


def _card(session: Session, standing: Standing, current: bool) -> None:
    poster(session, "card")
    st.text(session.name, wrap=False)
    st.caption(escaped(facts_words(session, short=True)))
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        _next(session, standing)
        if not current:
            st.button("Show", key=f"show_{session.id}", on_click=choose_session, args=(session.id,), type="tertiary")


def _next(session: Session, standing: Standing) -> None:
    """What is to be done with it, or is being done."""
    if standing.state == "looked" and standing.tricks != 0:
        words = f"Review {tricks_words(standing.tricks)}"
        st.page_link("pages/5_review.py", label=words, icon=":material/movie:", query_params={"session": session.id})
    elif standing.state == "looked":
        st.page_link(
            "pages/2_timeline.py", label="No tricks found", icon=":material/show_chart:",
            query_params={"session": session.id},
        )  # fmt: skip
    elif standing.state == "working":
        waiting = standing.job is not None and standing.job.state == "queued"
        st.caption(":material/pending: " + ("Waiting for its turn" if waiting else "Being looked at"))
    elif standing.state == "failed":
        st.caption(":red[:material/error:] Failed")
    else:
        st.button(
            "Find tricks",
            key=f"find_{session.id}",
            icon=":material/search:",
            on_click=find_tricks,
            args=([session.id],),
        )


def tricks_words(number: int | None) -> str:
    """How many tricks, also where nobody knows."""
    return "the tricks" if number is None else count(number, "trick")


def poster(session: Session, place: str) -> None:
    """The session's picture, if it has one.

    Args:
        place: where on the page: the same may be there twice.
    """
    drawn = thumbnails.poster_path(open_workspace(), session.id)
    if drawn.exists():
        with st.container(key=f"poster_{place}_{session.id}"):
            st.image(drawn, width="stretch", alt=f"A frame of {session.name}")


def facts_words(session: Session, short: bool = False) -> str:
    """Length and rate; and size, codec and bytes unless it is to be ``short``."""
    facts = session.facts
    # What an older version noted may be less.
    parts = [clock(facts["duration_s"])[:-3]] if "duration_s" in facts else []
    if "average_rate" in facts:
        parts.append(f"{float(Fraction(facts['average_rate'])):.4g} fps")
    if not short and "width" in facts:
        parts += [f"{facts['width']} × {facts['height']}", str(facts["codec"]).upper()]
    if not short and session.path.is_file():
        parts.append(size_words(session.path.stat().st_size))
    return " · ".join(parts)
