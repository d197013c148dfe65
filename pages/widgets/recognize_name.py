"""Naming the tricks of a session, or what each of its players does."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core import jobs
from core.errors import UserError
from core.intervals import Interval
from core.jobs import Job
from core.recognize.shelf import Shelved
from core.records import Session
from core.reviews import reviews
from core.sighting import Look
from core.tricks import chosen, tricks
from pages.widgets import recognize
from pages.widgets.footage import found, seen
from pages.widgets.jobs import follow
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.recognize_players import Wish, draw_box, player_results, player_wish
from pages.widgets.recognize_tricks import trick_results
from pages.widgets.session_bar import not_processed

_TRICKS, _PLAYERS = "The tricks", "The players"
_ERROR = "recognize_name_error"


def name_view(session: Session) -> None:
    """The choice of recognizer, the naming that runs, and what was named last."""
    look = seen(session)
    if look is None:
        not_processed(session)
        return
    with st.container(key="recognize_name_bar", horizontal=True, vertical_alignment="bottom"):
        shelved = recognize.picker()
        if shelved is None:
            return
        what = recognize.kept_choice(
            "What is named",
            (_TRICKS, _PLAYERS),
            "recognize_what",
            help="The tricks of the review: all that are not rejected. Or everybody who is in view, all the time.",
        )
        moments = moments_of_review(session, look) if what == _TRICKS else []
        wish = player_wish(session) if what == _PLAYERS else None
        latest = _jobs(session, shelved, wish)
        running = bool(latest and latest[0].active)
        st.button(
            wish.button if wish else f"Name {count(len(moments), 'trick')}",
            type="primary",
            icon=":material/directions_run:",
            key="recognize_name",
            disabled=running or not (wish.ready if wish else moments),
            help="Draw a box round the player first." if wish and not wish.ready else None,
            on_click=_start,
            args=(session, shelved, wish, moments),
        )
    _about(shelved)
    if error := st.session_state.pop(_ERROR, None):
        st.error(escaped(error), icon=":material/error:")
    if what == _TRICKS and not moments:
        st.info("There is no trick to name: review what was found, or label a trick.", icon=":material/info:")
    if latest and latest[0].state != "done":
        follow(open_workspace(), latest[0].id, "recognize_name_job")
    done = next((job for job in latest if job.state == "done"), None)
    if wish and wish.one:
        draw_box(session, look, unfolded=done is None)
    if done is None:
        if not running:
            st.caption("Nothing was named by this recognizer yet.")
    elif what == _TRICKS:
        trick_results(session, look, shelved, done, moments)
    else:
        player_results(session, look, done)


def moments_of_review(session: Session, look: Look) -> list[Interval]:
    """What the review would export."""
    workspace = open_workspace()
    try:
        events, _ = found(session, look, workspace.settings(session.id))
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return []
    labels = workspace.labels(session.id)
    return chosen(tricks(events, reviews(workspace, session.id), labels.intervals if labels else ()))


def _jobs(session: Session, shelved: Shelved, wish: Wish | None) -> list[Job]:
    """The namings of this session by this recognizer, the newest first.

    Args:
        wish: whose; None takes those of tricks.
    """
    return [
        job
        for job in jobs.jobs(open_workspace(), session.id)
        if job.kind == "name"
        and job.arguments["recognizer"] == shelved.id
        and bool(job.arguments["players"]) == (wish is not None)
        and (wish is None or bool(job.arguments.get("drawn")) == wish.one)
    ]


def _start(session: Session, shelved: Shelved, wish: Wish | None, moments: list[Interval]) -> None:
    arguments: dict[str, Any] = {
        "session": session.id,
        "recognizer": shelved.id,
        "players": wish is not None,
        "events": [[one.start_frame, one.end_frame] for one in moments],
        **(wish.arguments() if wish else {}),
    }
    recognize.choose(shelved.id)
    try:
        jobs.submit(open_workspace(), "name", arguments, session.id)
    except UserError as error:
        st.session_state[_ERROR] = str(error)


def _about(shelved: Shelved) -> None:
    """What it knows and how good it is, in a line."""
    words = [f"Knows {count(len(shelved.classes), 'name')}: {', '.join(shelved.classes[:6])}"]
    if len(shelved.classes) > 6:
        words[0] += f" and {len(shelved.classes) - 6} more"
    judged = recognize.judged_of(shelved)
    words.append(recognize.summary(judged) if judged else "nobody knows how good it is")
    st.caption(escaped(" · ".join(words)))
