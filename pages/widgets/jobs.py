"""What is being worked on: a chip for the session bar and a panel for a page, both polled only while something runs.

A page never waits for a job. It draws how far the job is, and is drawn anew once when the job has ended.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import streamlit as st

from core import jobs
from core.errors import UserError
from core.jobs import Job
from core.timecode import clock
from core.workspace import Workspace
from pages.widgets.plain_text import count, escaped

_TITLES = {
    "add": "Add footage",
    "sample": "Sample session",
    "process": "Find tricks",
    "train": "Train",
    "export": "Export",
    "learn": "Train a recognizer",
    "name": "Name what happens",
    "cutout": "Cut out",
}
_ICONS = {"done": ":material/check:", "failed": ":material/error:", "cancelled": ":material/block:"}
_POLL_S = 0.5
_LOOK_AFTER_S = 3.0
"""Between two looks at whether there is a worker: one that cannot even start must not be started at every poll."""
_MOST_ACTIVE, _ENDED = 8, 5
_WATCHED = "jobs_watched"
_LOOKED_AFTER = "jobs_looked_after"


def job_chip(workspace: Workspace, session_id: str | None) -> None:
    """The button that says what runs and opens the list of jobs, each with its progress and a way to stop it.

    The page is drawn anew when a job of the session, or of no session, ends.

    Args:
        session_id: the session that the page shows.
    """
    active = [job.id for job in jobs.jobs(workspace, active_only=True)]
    st.session_state[_WATCHED] = active
    with st.container(key="job_chip", width="content"):
        st.fragment(_chip, run_every=_POLL_S if active else None)(workspace, session_id)


def follow(workspace: Workspace, job_id: str, key: str) -> Job:
    """Show one job within a page: its progress and a way to stop it, or how it ended.

    Returns:
        The job as it was when the page was drawn; the page is drawn anew once it has ended.

    Raises:
        UserError: if there is no such job.
    """
    job = jobs.job(workspace, job_id)
    with st.container(key=key):
        if job.active:
            st.fragment(_panel, run_every=_POLL_S)(workspace, job_id, key)
        else:
            ended_row(workspace, job)
    return job


def title(job: Job, names: Mapping[str, str]) -> str:
    """What a job does and to which session, as plain text.

    Args:
        names: of the sessions, by id.
    """
    name = names.get(job.session_id or "")
    return f"{_TITLES[job.kind]} · {name}" if name else _TITLES[job.kind]


def progress_text(job: Job) -> str:
    """How far a job is, how fast it goes and how long it takes yet, as far as that is known."""
    if job.cancel:
        return "Stopping"
    if job.state == "queued":
        return "Waiting for its turn"
    step = f"{job.step[:1].upper()}{job.step[1:]}" if job.step else "Beginning"
    # Not every step knows how far it is: no percentage is better than one that stands at nought.
    parts = [f"{step} {math.floor(100 * job.fraction)} %" if job.fraction > 0 else step]
    if job.rate is not None:
        parts.append(f"{job.rate:.0f} frames/s")
    if job.left_s is not None:
        parts.append(f"{clock(job.left_s)[:-3]} left")  # without the hundredths
    return " · ".join(parts)


def outcome(job: Job) -> str:
    """How a job ended, as plain text."""
    if job.state != "done":
        return job.message or "Cancelled; what was finished is kept."
    result = job.result or {}
    if job.kind == "add":
        told = [f"{count(len(result['sessions']), 'video')} added"]
        told += [f"{len(result[what])} {what}" for what in ("known", "failed") if result[what]]
        told += [f"{result['labelled']} with labels"] if result["labelled"] else []
        return ", ".join(told) + "."
    if job.kind == "learn":
        return "Recognizer trained."
    if job.kind == "name":
        who, number = (
            ("player", len(result["players"])) if job.arguments["players"] else ("trick", len(result["events"]))
        )
        return f"{count(number, who)} named."
    if job.kind == "cutout":
        return "Cut out."
    if "events" in result:
        return f"{count(result['events'], 'trick')} found."
    if job.kind == "export":
        files = result.get("files") or result.get("clips", [])
        return f"{count(sum(file.get('kind') != 'manifest' for file in files), 'file')} written."
    return " ".join(filter(None, ["Model trained.", result.get("unvalidated")]))


def _chip(workspace: Workspace, session_id: str | None) -> None:
    active = jobs.jobs(workspace, active_only=True)
    watched = st.session_state.get(_WATCHED, [])
    ended = set(watched) - {job.id for job in active}
    st.session_state[_WATCHED] = [job.id for job in active]
    if ended and (not active or any(jobs.job(workspace, one).session_id in (None, session_id) for one in ended)):
        st.rerun()
    with st.popover(_label(active, session_id), icon=_icon(active)):
        if any(job.home in (None, workspace.home_id) for job in active):
            _look_after(workspace)
        _list(workspace, active)


def _label(active: list[Job], session_id: str | None) -> str:
    """The job that runs, that of the session first."""
    running = [job for job in active if job.state == "running"]
    if not running:
        return "Waiting" if active else "Jobs"
    shown = next((job for job in running if job.session_id == session_id), running[-1])
    words = progress_text(shown).split(" · ")[0]
    return f"{words}, {len(active) - 1} more" if len(active) > 1 else words


def _icon(active: list[Job]) -> str:
    return ":material/pending:" if active else ":material/task_alt:"


def _list(workspace: Workspace, active: list[Job]) -> None:
    names = {session.id: session.name for session in workspace.sessions()}
    turns = active[::-1]
    for job in turns[:_MOST_ACTIVE]:
        with st.container(gap="xxsmall"):
            st.text(title(job, names))
            progress_row(workspace, job, f"chip_{job.id}")
    if len(turns) > _MOST_ACTIVE:
        st.caption(f"{count(len(turns) - _MOST_ACTIVE, 'job')} more wait: see the page Jobs.")
    ended = jobs.jobs(workspace, limit=_ENDED, ended_only=True)
    if active and ended:
        st.divider()
    for job in ended:
        with st.container(gap="xxsmall"):
            st.text(title(job, names))
            ended_row(workspace, job)
    if not active and not ended:
        st.caption("Nothing was done yet.")


def _panel(workspace: Workspace, job_id: str, key: str) -> None:
    job = jobs.job(workspace, job_id)
    if not job.active:
        st.rerun()
    _look_after(workspace)
    progress_row(workspace, job, f"{key}_{job.id}")


def progress_row(workspace: Workspace, job: Job, key: str) -> None:
    """How far a job is, and a way to stop it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(job.fraction, text=progress_text(job))
        st.button(
            "Cancel",
            key=f"{key}_cancel",
            help="What is finished is kept.",
            disabled=job.cancel,
            on_click=jobs.cancel,
            args=(workspace, job.id),
        )


def ended_row(workspace: Workspace, job: Job) -> None:
    """How a job ended, with the log if it failed by a fault of ours."""
    with st.container(horizontal=True, vertical_alignment="top", gap="xsmall", wrap=False):
        st.markdown(_ICONS[job.state], width="content")
        st.text(outcome(job), width="stretch")
    log = jobs.failure_log(workspace, job.id) if job.state == "failed" else ""
    if log:
        with st.expander("Log"):
            st.code(log, language=None)


def _look_after(workspace: Workspace) -> None:
    """See that somebody works: a worker may have been killed, or the machine started anew."""
    now = time.monotonic()
    if now - st.session_state.get(_LOOKED_AFTER, -math.inf) < _LOOK_AFTER_S:
        return
    st.session_state[_LOOKED_AFTER] = now
    try:
        jobs.ensure_worker(workspace)
    except UserError as error:
        st.error(escaped(str(error)))
