"""All jobs and all workers that share the workspace: what a team looks at to see whether its machines are busy."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core import jobs
from core.jobs import Job
from core.timecode import clock
from core.workers import WorkerRecord, workers
from core.workspace import Workspace
from pages.widgets.jobs import ended_row, progress_row, title
from pages.widgets.plain_text import count, escaped

_POLL_S = 1.0
_MOST_WAITING = 20
_MOST_ENDED = 30


def status(workspace: Workspace) -> None:
    """Draw workers, what runs and waits, and what has ended; all of it follows what happens."""
    st.fragment(_status, run_every=_POLL_S)(workspace)


def _status(workspace: Workspace) -> None:
    active = jobs.jobs(workspace, active_only=True)
    newest = jobs.jobs(workspace, limit=_MOST_ENDED + len(active))
    ended = [job for job in newest if not job.active][:_MOST_ENDED]
    names = _names(str(workspace.home), workspace)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _active(workspace, active, names)
        _ended(workspace, ended, names)
    with right:
        _workers(workspace, active, names)


@st.cache_data(ttl=10.0, show_spinner=False)
def _names(home: str, _workspace: Workspace) -> dict[str, str]:
    """Of the sessions, by id: ten thousand are too many to be read every second."""
    return {session.id: session.name for session in _workspace.sessions()}


def _active(workspace: Workspace, active: list[Job], names: dict[str, str]) -> None:
    st.subheader("Now", anchor=False)
    if not active:
        st.caption("Nothing is being done.")
        return
    turns = active[::-1]
    running = [job for job in turns if job.state == "running"]
    waiting = [job for job in turns if job.state != "running"]
    for job in running:
        with st.container(border=True, gap="xxsmall", key=f"status_{job.id}"):
            st.text(title(job, names))
            if where := _where(workspace, job):
                st.caption(escaped(where))
            progress_row(workspace, job, f"status_{job.id}")
    if waiting:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{count(len(waiting), 'job')} waiting", width="stretch")
            st.button("Cancel all that wait", key="status_cancel_all", on_click=_cancel, args=(workspace, waiting))
    for job in waiting[:_MOST_WAITING]:
        with st.container(horizontal=True, vertical_alignment="center", wrap=False, gap="small"):
            st.text(title(job, names), width="stretch")
            st.caption(escaped(_where(workspace, job)), width="content")
            st.button("Cancel", key=f"status_{job.id}_cancel", type="tertiary", on_click=_cancel,
                      args=(workspace, [job]))  # fmt: skip
    if len(waiting) > _MOST_WAITING:
        st.caption(f"{count(len(waiting) - _MOST_WAITING, 'job')} more wait.")


def _cancel(workspace: Workspace, unwanted: list[Job]) -> None:
    for job in unwanted:
        jobs.cancel(workspace, job.id)


def _ended(workspace: Workspace, ended: list[Job], names: dict[str, str]) -> None:
    st.subheader("Before", anchor=False)
    if not ended:
        st.caption("Nothing was done yet.")
    for job in ended:
        with st.container(gap="xxsmall"):
            with st.container(horizontal=True, wrap=False, gap="small"):
                st.text(title(job, names), width="stretch")
                st.caption(escaped(" · ".join(filter(None, [_where(workspace, job), _took(job)]))), width="content")
            ended_row(workspace, job)


def _workers(workspace: Workspace, active: list[Job], names: dict[str, str]) -> None:
    st.subheader("Workers", anchor=False)
    here = workers(workspace)
    if not here:
        st.caption("None runs: one begins by itself as soon as there is something to do.")
    for worker in here:
        with st.container(border=True, gap="xxsmall", key=f"worker_{worker.id}"):
            with st.container(horizontal=True, wrap=False, gap="small"):
                st.markdown(
                    ":green[:material/circle:]" if worker.alive else ":gray[:material/circle:]", width="content"
                )
                st.text("This machine" if worker.here else worker.host, width="stretch")
            st.caption(escaped(f"{worker.folder} · process {worker.pid} · since {_moment(worker.started_at)}"))
            st.text(_doing(worker, active, names))


def _doing(worker: WorkerRecord, active: list[Job], names: dict[str, str]) -> str:
    if not worker.alive:
        return f"No sign of life for {clock(worker.silent_s)[:-3]}: it was killed, or cannot reach the database."
    at = [title(job, names) for job in active if job.state == "running" and job.worker == worker.id]
    return "\n".join(at) or "Idle"


def _where(workspace: Workspace, job: Job) -> str:
    """The machine, where it is not this one."""
    return job.host or "" if job.home not in (None, workspace.home_id) else ""


def _took(job: Job) -> str:
    if not job.finished_at:
        return ""
    took = f", {clock((job.finished_at - job.started_at).total_seconds())[:-3]}" if job.started_at else ""
    return f"{_moment(job.finished_at)}{took}"


def _moment(when: datetime) -> str:
    """The time of day here, with the day unless it is today."""
    local, today = when.astimezone(), datetime.now(UTC).astimezone().date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
