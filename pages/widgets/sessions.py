"""Sessions as the upload page handles them: added, started, renamed, removed, and what is to be done with each next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from core import jobs, pipeline, thumbnails
from core.errors import UserError
from core.health import Finding, health
from core.jobs import Job
from core.records import Session
from core.settings import PoseSettings
from core.video import Video
from pages.widgets.footage import seen
from pages.widgets.media import open_workspace
from pages.widgets.session_bar import choose_session

State = Literal["new", "working", "failed", "looked"]


@dataclass(frozen=True)
class Standing:
    """Where a session is on its way."""

    state: State
    job: Job | None
    """The last one that looked at it; None if nobody asked for one."""
    tricks: int | None
    """How many were found; None where that is not known."""


def add(path: Path, name: str | None = None) -> Session:
    """Make a session of a video, with a poster, and let every page show it. One that is known stays as it is.

    Args:
        name: what to call it if it is new; None takes the name of the file.

    Raises:
        UserError: it cannot be read as a video.
    """
    workspace = open_workspace()
    video = Video.open(path)
    session = workspace.session_for(path)
    if not session.facts:
        session = workspace.session_for(path, pipeline.video_facts(video), name)
    poster = thumbnails.poster_path(workspace, session.id)
    if not poster.exists():
        thumbnails.poster(video, video.n_frames // 2, poster)
    choose_session(session.id)
    return session


def find_tricks(session_ids: Iterable[str]) -> None:
    """Queue the search, one session after the other."""
    for session_id in session_ids:
        jobs.submit(open_workspace(), "process", {"session": session_id})


def rename(session_id: str, key: str) -> None:
    """Take the name from the widget ``key``; an empty one is not taken."""
    name = " ".join(str(st.session_state[key]).split())
    if name:
        open_workspace().rename_session(session_id, name)


def remove(session: Session) -> None:
    """Stop its jobs, forget it and all that was made of it; an uploaded video, which nobody else has, goes too."""
    workspace = open_workspace()
    for job in jobs.jobs(workspace, session.id, active_only=True):
        jobs.cancel(workspace, job.id)
    workspace.remove_session(session.id)
    if is_uploaded(session):
        session.path.unlink(missing_ok=True)


def is_uploaded(session: Session) -> bool:
    """Whether its video lies in the workspace, because a browser sent it."""
    return session.path.is_relative_to((open_workspace().home / "footage").resolve())


def standings(sessions: list[Session]) -> dict[str, Standing]:
    """Where each session is, by its id."""
    last: dict[str, Job] = {}
    for job in jobs.jobs(open_workspace(), limit=500):
        session_id = job.session_id or (job.result or {}).get("session")
        if job.kind in ("process", "sample") and session_id:
            last.setdefault(session_id, job)
    return {session.id: _standing(session, last.get(session.id)) for session in sessions}


def _standing(session: Session, job: Job | None) -> Standing:
    tricks = session.facts.get("found")
    if job and job.state == "done" and tricks is None:
        tricks = (job.result or {}).get("events")
    if job and job.active:
        return Standing("working", job, tricks)
    if session.facts.get("looked"):
        return Standing("looked", job, tricks)
    return Standing("failed" if job and job.state == "failed" else "new", job, None)


def pose_settings(session_id: str) -> PoseSettings:
    """How people are found in this session."""
    return open_workspace().settings(session_id).pose


def save_pose(session_id: str, backend: str, weights: str, stride: int) -> None:
    """Keep the knobs of a session. MoveNet takes no weights, so theirs are kept only for YOLO."""
    workspace = open_workspace()
    chosen = PoseSettings.model_validate(
        {
            "backend": backend,
            "weights": None if backend == "movenet" else weights.strip().strip("\"'") or None,
            "sample_stride": stride,
        }
    )
    settings = workspace.settings(session_id)
    workspace.save_settings(session_id, settings.model_copy(update={"pose": chosen}))


def findings(session: Session) -> tuple[Finding, ...]:
    """The health of a session's video, with what was seen in it once that is known.

    Raises:
        UserError: the video is not where it was.
    """
    modified = session.path.stat().st_mtime if session.path.exists() else 0.0
    made = _findings(session.id, str(session.path), modified, session.facts.get("looked"), session)
    failed = session.facts.get("proxy_failed")
    return (*made, Finding("warning", failed)) if failed else made


@st.cache_data(max_entries=200, show_spinner=False)
def _findings(
    session_id: str, path: str, modified: float, looked: dict[str, object] | None, _session: Session
) -> tuple[Finding, ...]:
    try:
        look = seen(_session)
    except UserError:
        look = None  # its tables are gone or damaged: the video itself can still be judged
    return health(look.video if look else Video.open(path), look)
