"""Footage in: drop it, choose it or try the sample; what its health is; find its tricks; and what to do next."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core import jobs
from core.adding import adding_jobs, put_aside
from core.chapters import chapter_groups
from core.errors import UserError
from core.records import Session
from core.standing import Standing, standings
from pages.widgets.footage_browser import FEW, browse
from pages.widgets.jobs import follow, job_chip
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import escaped
from pages.widgets.session_bar import choose_session, session_bar
from pages.widgets.session_cards import cards, facts_words, poster, tricks_words
from pages.widgets.sessions import (
    add_in_background,
    add_uploads,
    find_tricks,
    findings,
    is_joined,
    is_uploaded,
    pose_settings,
    remove,
    rename,
    save_pose,
    tell,
)
from pages.widgets.upload import take, uploader

_SAMPLE = "upload_sample"
_SAID = "upload_said"
_LONG = 6
"""Lines; more of them scroll."""

_ICONS = {
    "warning": ":orange[:material/warning:]",
    "note": ":gray[:material/info:]",
    "good": ":green[:material/check_circle:]",
}
_BACKENDS = {"auto": "The best that is here", "movenet": "MoveNet (comes with Trickline)", "yolo": "YOLO-pose"}
_WHAT_HAPPENS = (
    (
        ":material/visibility:",
        "Trickline looks at who is in view and how they move. Nothing leaves this computer.",
    ),
    (":material/show_chart:", "Each trick it finds stands on a timeline, where you keep, correct or reject it."),
    (":material/content_cut:", "One click cuts the clips out of your footage, which itself is never changed."),
)


def take_sample() -> None:
    """Draw the sample session and find its tricks."""
    st.session_state[_SAMPLE] = jobs.submit(open_workspace(), "sample", {}).id


def save_knobs(session_id: str) -> None:
    """Keep what the knobs say."""
    backend, weights, stride = (
        st.session_state.get(f"{name}_{session_id}") for name in ("backend", "weights", "stride")
    )
    save_pose(session_id, backend or "auto", weights or "", int(stride or 1))


def arrivals() -> bool:
    """Draw the drop area and make sessions of what has arrived; whether there is anything new to be drawn."""
    arrived = uploader("footage")
    if not arrived:
        return False
    recordings = chapter_groups([video.path for video in arrived], {video.path: video.called for video in arrived})
    names = {video.path: video.name for video in arrived}
    try:
        if len(recordings) < len(names) or len(arrived) > FEW:  # chapters, or they came while another page was shown
            add_in_background(names, names={str(path): name for path, name in names.items()})
        else:
            added = add_uploads(names)
            st.session_state[_SAID] = (added.failed, added.notes)
    except UserError as error:  # the records are away; the browser asks again until they are back
        st.session_state[_SAID] = ([str(error)], [])
        return False
    for video in arrived:
        take(video)
    return True


def add_panel(wide: bool, sample: bool) -> None:
    """The ways in.

    Args:
        wide: whether they have the whole page.
        sample: whether to offer the sample.
    """
    if arrivals():
        st.rerun()
    failed, notes = st.session_state.pop(_SAID, ([], []))
    for sentence in failed:
        st.error(escaped(sentence), icon=":material/error:")
    for sentence in notes:
        st.info(escaped(sentence), icon=":material/info:")
    with st.container(key="add_ways", horizontal=wide, horizontal_alignment="center", gap="small"):
        width: Literal["content", "stretch"] = "content" if wide else "stretch"
        if st.button("Open from disk, without copying", icon=":material/folder_open:", key="browse", width=width):
            browse()
        if sample:
            st.button(
                "Try the sample session",
                icon=":material/play_circle:",
                key="sample",
                on_click=take_sample,
                width=width,
                help="A minute of drawn skating, ready in about half a minute.",
            )


def sample_progress() -> None:
    """What the sample is doing; once it is there, every page shows it."""
    workspace = open_workspace()
    active = next(iter(jobs.jobs(workspace, active_only=True, kind="sample")), None)
    job_id = active.id if active else st.session_state.get(_SAMPLE)
    if job_id is None:
        return
    st.session_state[_SAMPLE] = job_id
    job = follow(workspace, job_id, "sample_progress")
    if not job.active:
        del st.session_state[_SAMPLE]
        if job.state == "done" and job.result:
            choose_session(job.result["session"])
            st.rerun()


def adding() -> None:
    """The footage that is being added, and what became of it, until that is put aside."""
    workspace = open_workspace()
    for job in adding_jobs(workspace):
        with st.container(border=True, key=f"adding_{job.id}", gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", wrap=False):
                with st.container():
                    follow(workspace, job.id, f"adding_{job.id}_state")
                if not job.active:
                    st.button(
                        "Dismiss", key=f"dismiss_{job.id}", type="tertiary", on_click=put_aside, args=(workspace, job)
                    )
            result = job.result or {}
            _sentences("failed", ":material/error:", result.get("failed") or [], True)
            notes = result.get("notes") or []
            _sentences("to know", ":material/info:", notes, len(notes) <= FEW)


def _sentences(what: str, icon: str, sentences: list[str], expanded: bool) -> None:
    if sentences:
        height: int | Literal["content"] = 160 if len(sentences) > _LONG else "content"
        with st.expander(f"{len(sentences)} {what}", icon=icon, expanded=expanded):
            st.container(height=height, border=False).text("\n".join(sentences))


def what_happens() -> None:
    """Three sentences."""
    for number, (column, (icon, sentence)) in enumerate(zip(st.columns(3), _WHAT_HAPPENS, strict=True)):
        with column.container(border=True, key=f"step_{number}", height="stretch"):
            st.markdown(icon)
            st.text(sentence)


def desk(session: Session, standing: Standing) -> None:
    """The session that was chosen: its health, and the next step."""
    with st.container(border=True, key="desk"):
        left, right = st.columns([5, 6], gap="medium")
        with left:
            poster(session, "desk")
            with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
                key = f"name_{session.id}"
                st.session_state[key] = session.name
                st.text_input("Name", key=key, on_change=rename, args=(session.id, key))
                with st.popover("More", icon=":material/more_horiz:"):
                    st.text(str(session.path))
                    if st.button("Remove from the list", icon=":material/delete:", key="remove"):
                        confirm_removal(session)
            st.caption(escaped(facts_words(session)))
        with right:
            missing = _health(session)
            if not missing:
                _next_step(session, standing)


def _health(session: Session) -> bool:
    """The findings; whether the video is missing."""
    try:
        with st.spinner("Looking at the file"):
            found = findings(session)
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return True
    with st.container(gap="xsmall", key="health"):
        for finding in found:
            with st.container(horizontal=True, wrap=False, gap="small"):
                st.markdown(_ICONS[finding.level], width="content")
                st.text(finding.text, width="stretch")
    return False


def _next_step(session: Session, standing: Standing) -> None:
    if standing.state == "working" and standing.job:
        follow(open_workspace(), standing.job.id, "progress")
        st.caption("It goes on when you close this page; what is finished is kept.")
        return
    if standing.state == "looked":
        _look_further(session, standing.tricks)
    elif standing.state == "failed" and standing.job:
        follow(open_workspace(), standing.job.id, "progress")
    words = {"new": "Find tricks", "failed": "Try again"}.get(standing.state, "Find tricks again")
    st.button(
        words,
        type="secondary" if standing.state == "looked" else "primary",
        icon=":material/search:",
        key="find",
        on_click=find_tricks,
        args=([session.id],),
    )
    _knobs(session.id)


def _look_further(session: Session, tricks: int | None) -> None:
    """Where to go with what was found."""
    where = {"session": session.id}
    with st.container(horizontal=True, vertical_alignment="center", key="next_steps"):
        if tricks != 0:
            with st.container(key="next_review", width="content"):
                st.page_link(
                    "pages/5_review.py",
                    label=f"Review {tricks_words(tricks)}",
                    icon=":material/movie:",
                    query_params=where,
                )
        else:
            st.text("No trick was found. See on the timeline why not, or mark one yourself.")
        st.page_link("pages/2_timeline.py", label="Timeline", icon=":material/show_chart:", query_params=where)
        st.page_link("pages/3_label.py", label="Label", icon=":material/label:", query_params=where)


def _knobs(session_id: str) -> None:
    """What decides how the footage is looked at, folded away."""
    pose = pose_settings(session_id)
    keys = {name: f"{name}_{session_id}" for name in ("backend", "weights", "stride")}
    for name, value in (("backend", pose.backend), ("weights", pose.weights or ""), ("stride", pose.sample_stride)):
        st.session_state[keys[name]] = value  # each time: folded away, a widget forgets what it was told once
    with st.expander("How it looks", icon=":material/tune:"):
        st.selectbox(
            "Pose network",
            list(_BACKENDS),
            key=keys["backend"],
            format_func=_BACKENDS.__getitem__,
            on_change=save_knobs,
            args=(session_id,),
        )
        st.caption(
            "It sees where people's joints are. YOLO-pose needs weights of its own; those by Ultralytics are under"
            " AGPL-3.0: whoever passes them on, or offers a service with them, has to open the source."
        )
        if pose.backend != "movenet":
            st.text_input(
                "YOLO weights",
                key=keys["weights"],
                placeholder="yolov8n-pose.pt",
                on_change=save_knobs,
                args=(session_id,),
            )
            st.caption("Path of a .pt, an .onnx or an OpenVINO folder; empty takes what lies in the workspace.")
        st.number_input("Look at every n-th frame", 1, 60, key=keys["stride"], on_change=save_knobs, args=(session_id,))
        st.caption("2 is right for 24 to 60 frames a second; 1 sees more of very short tricks and takes twice as long.")


@st.dialog("Remove this session?")
def confirm_removal(session: Session) -> None:
    """Ask first: labels and decisions go too."""
    st.text(session.name)
    st.write(
        "Its labels, its decisions and all that was found in it are forgotten. Models trained on it and clips stay."
    )
    if is_uploaded(session):
        st.write("The video was uploaded into the workspace and is **deleted** with it.")
    elif is_joined(session):
        st.write("The chapters stay where they are; the file that was joined of them is **deleted**.")
    else:
        st.write("The video itself stays where it is.")
    with st.container(horizontal=True):
        if st.button(
            "Remove", type="primary", icon=":material/delete:", key="remove_now", on_click=remove, args=(session,)
        ):
            st.rerun()
        if st.button("Keep it", key="keep"):
            st.rerun()


def page() -> None:
    """Draw the page."""
    tell()
    workspace = open_workspace()
    sessions = workspace.sessions()
    if not sessions:
        with st.container(key="session_bar", horizontal=True, vertical_alignment="center"):
            st.header("Trickline", anchor=False, width="content")
            st.text("Footage in, tricks found, clips out.", width="stretch")
            job_chip(workspace, None)
        add_panel(wide=True, sample=True)
        adding()
        sample_progress()
        st.space("small")
        what_happens()
        return
    current = session_bar("Upload")
    assert current is not None
    where = standings(workspace, sessions)
    adding()
    left, right = st.columns([3, 1], gap="medium")
    with right:
        drawn = (workspace.home / "sample").resolve()
        add_panel(wide=False, sample=not any(session.path.is_relative_to(drawn) for session in sessions))
        sample_progress()
    with left:
        desk(current, where[current.id])
    if len(sessions) > 1:
        cards(sessions, where, current.id)


page()
