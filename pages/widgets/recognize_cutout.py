"""Cutting somebody out: a clip, clicks on who stays, what stands behind him, and the clip that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from core import jobs
from core.clips import plan_clips
from core.errors import UserError
from core.jobs import Job
from core.recognize.outlines import WEIGHTS, Click, ready
from core.records import Session
from core.sighting import Look
from core.timecode import clock
from core.video import Video
from pages.widgets.follow import show_value
from pages.widgets.footage import describe, seen
from pages.widgets.footage_browser import path_of
from pages.widgets.jobs import follow
from pages.widgets.media import file_url, open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.recognize import kept_choice
from pages.widgets.recognize_name import moments_of_review
from pages.widgets.recognize_still import click_still, sent_clicks
from pages.widgets.session_bar import not_processed

_STILL = "recognize_clicks"
_CLICKS = "recognize_clicked"
_CLIP, _SPAN = "recognize_cutout_clip", "recognize_cutout_span"
_COLOUR, _WEIGHTS = "recognize_cutout_colour", "recognize_cutout_weights"
_ERROR = "recognize_cutout_error"
_BLUR, _PLAIN, _NOTHING = "Blurred", "A colour", "Transparent"
_GREEN = "#00FF00"
_SHORT_S = 2.0
_SAME_S = 1e-6
"""Times closer than this are one."""


class _Place(NamedTuple):
    """What can be cut out of."""

    id: str
    title: str
    span: tuple[int, int]
    """First and last frame."""


def cutout_view(session: Session) -> None:
    """The clip, the clicks, the background, and what was cut out last."""
    look = seen(session)
    if look is None:
        not_processed(session)
        return
    latest = [job for job in jobs.jobs(open_workspace(), session.id, here_only=True) if job.kind == "cutout"]
    running = bool(latest and latest[0].active)
    with st.container(key="recognize_cutout_bar", horizontal=True, vertical_alignment="bottom"):
        place = _place(session, look)
        background = _background()
        start = st.container(width="content")
    weights = _weights()
    if error := st.session_state.pop(_ERROR, None):
        st.error(escaped(error), icon=":material/error:")
    if latest and latest[0].state != "done":
        follow(open_workspace(), latest[0].id, "recognize_cutout_job")
    done = next((job for job in latest if job.state == "done"), None)
    left, right = st.columns([3, 2], gap="medium") if done else (st.container(), None)
    with left:
        clicks = _clicks(session, look, place)
    if done and right:
        with right:
            _result(session, look.video, done)
    start.button(
        "Cut out",
        type="primary",
        icon=":material/content_cut:",
        key="recognize_cutout",
        disabled=running or weights is None or not clicks,
        help=_before(place, clicks),
        on_click=_start,
        args=(session, place, clicks, background),
    )


def _before(place: _Place, clicks: Sequence[Click]) -> str:
    """What to know before it begins."""
    if not clicks:
        return "Click on the person in the picture first."
    frames = count(place.span[1] - place.span[0] + 1, "frame")
    return (
        f"{frames}. SAM 2 is slow without a graphics card: begin with a short clip. The outlines are kept, so that "
        "another background then takes moments."
    )


def _place(session: Session, look: Look) -> _Place:
    """The clips that the review would export, and any stretch of the session."""
    plans = plan_clips(moments_of_review(session, look), look.video, open_workspace().settings(session.id).clips)
    places = {
        one.id: one
        for one in (
            _Place(
                f"{plan.start_frame}-{plan.end_frame}",
                f"{number} · {clock(plan.start_s)}–{clock(plan.end_s)} {plan.label}",
                (plan.start_frame, plan.end_frame),
            )
            for number, plan in enumerate(plans, start=1)
        )
    }
    places["span"] = _Place("span", "A stretch of the session", _stretch(session, look.video))
    kept = f"{_CLIP} {session.id}"
    wanted = st.session_state.get(kept)
    show_value(_CLIP, wanted if wanted in places else next(iter(places)))
    st.selectbox(
        "Clip",
        list(places),
        key=_CLIP,
        format_func=lambda one: places[one].title if one in places else one,
        on_change=lambda: st.session_state.update({kept: st.session_state[_CLIP]}),
        width=320,
    )
    place = places[st.session_state[_CLIP]]
    if place.id == "span":
        _ends(session, look.video)
    return place


def _stretch(session: Session, video: Video) -> tuple[int, int]:
    """First and last frame of the stretch that was chosen last, at first of the first two seconds."""
    from_s, length_s = st.session_state.get(f"{_SPAN} {session.id}", (0.0, _SHORT_S))
    # The last frame that begins before the stretch has passed.
    first, last = video.frame_at(from_s), int(np.searchsorted(video.pts_s, from_s + length_s - _SAME_S)) - 1
    return first, min(max(first, last), video.n_frames - 1)


def _ends(session: Session, video: Video) -> None:
    """Where the stretch begins and how long it is."""
    kept = f"{_SPAN} {session.id}"
    from_s, length_s = st.session_state.get(kept, (0.0, _SHORT_S))
    longest = max(0.1, round(video.info.duration_s, 1))
    show_value("recognize_from_input", min(from_s, longest))
    show_value("recognize_length_input", min(length_s, longest))

    def keep() -> None:
        st.session_state[kept] = st.session_state["recognize_from_input"], st.session_state["recognize_length_input"]

    for label, least, key in (("From (s)", 0.0, "recognize_from_input"), ("Length (s)", 0.1, "recognize_length_input")):
        st.number_input(label, least, longest, step=0.1, format="%.1f", key=key, on_change=keep, width=130)


def _background() -> str:
    """What stands behind, as :func:`core.recognize.masks.cut_out` takes it."""
    behind = kept_choice(
        "Background",
        (_BLUR, _PLAIN, _NOTHING),
        "recognize_behind",
        help="Transparent becomes a WebM (VP9 with alpha), the others an MP4.",
    )
    if behind != _PLAIN:
        return {_BLUR: "blur", _NOTHING: "transparent"}[behind]
    show_value("recognize_colour_input", st.session_state.get(_COLOUR, _GREEN))
    colour: str = st.color_picker(
        "Colour",
        key="recognize_colour_input",
        on_change=lambda: st.session_state.update({_COLOUR: st.session_state["recognize_colour_input"]}),
    )
    return colour


def _weights() -> Path | None:
    """What outlines: a line on it where it is here, else what is missing and where to get it."""
    folder = open_workspace().home / "weights"
    try:
        found = ready(folder, _named_weights())
    except UserError as error:
        with st.container(key="recognize_cutout_missing", border=True):
            st.warning(escaped(str(error)), icon=":material/download:")
            _weights_field(folder)
        return None
    with st.container(key="recognize_cutout_weights", horizontal=True, vertical_alignment="center"):
        st.caption(
            escaped(f"{found.name} · SAM 2 by Meta (Apache-2.0), run by Ultralytics (AGPL-3.0)"), width="content"
        )
        with st.popover("Other weights", type="tertiary"):
            _weights_field(folder)
    return found


def _named_weights() -> Path | None:
    """The path that was typed; None takes the best in the workspace.

    Raises:
        UserError: it is none.
    """
    typed = st.session_state.get(_WEIGHTS, "")
    return path_of(typed) if typed else None


def _weights_field(folder: Path) -> None:
    show_value("recognize_weights_input", st.session_state.get(_WEIGHTS, ""))
    st.text_input(
        "Weights of SAM 2",
        key="recognize_weights_input",
        placeholder=str(folder / WEIGHTS[0]),
        help=f"A file called {', '.join(WEIGHTS)}. Empty takes the best in {folder}.",
        on_change=lambda: st.session_state.update({_WEIGHTS: st.session_state["recognize_weights_input"].strip()}),
    )


def _clicks(session: Session, look: Look, place: _Place) -> tuple[Click, ...]:
    """The clicks on the clip's still; those that a shorter stretch leaves outside are forgotten."""
    kept: dict[str, tuple[Click, ...]] = st.session_state.setdefault(_CLICKS, {})
    name = f"{session.id} cutout {place.id}"

    def take() -> None:
        sent = sent_clicks(_STILL, name, look.video.n_frames)
        if sent is not None:
            kept[name] = sent

    first, last = place.span
    clicks = kept[name] = tuple(one for one in kept.get(name, ()) if first <= one.frame <= last)
    click_still(_STILL, describe(session, look), name, clicks, place.span, on_mark=take)
    return clicks


def _start(session: Session, place: _Place, clicks: Sequence[Click], background: str) -> None:
    try:
        weights = _named_weights()
        arguments: dict[str, Any] = {
            "session": session.id,
            "clicks": [[one.frame, one.x, one.y, one.inside] for one in clicks],
            "span": list(place.span),
            "background": background,
            "weights": str(weights) if weights else None,
        }
        jobs.submit(open_workspace(), "cutout", arguments, session.id)
    except UserError as error:
        st.session_state[_ERROR] = str(error)


def _result(session: Session, video: Video, job: Job) -> None:
    """The clip, on a pattern that shows where it is transparent."""
    path = Path((job.result or {})["file"])
    first, last = job.arguments["span"]
    with st.container(key="recognize_cutout_film", border=True):
        if not path.is_file():
            st.caption("The clip that was cut out is not there any more: cut it out again.")
            return
        st.html(f'<video src="{file_url(path)}" controls loop playsinline preload="metadata"></video>')
        with st.container(horizontal=True, vertical_alignment="center"):
            span = f"{clock(float(video.pts_s[first]))}–{clock(video.end_of(last))}" if last < video.n_frames else ""
            st.text(f"{session.name} {span} · {path.name}", width="stretch")
            st.link_button("Download", file_url(path, path.name), icon=":material/download:")
