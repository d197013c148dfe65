"""Where sessions are on their way: new, being looked at, looked at, or failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select

from core.jobs import Job
from core.records import Session, job_table
from core.workspace import Workspace

State = Literal["new", "working", "failed", "looked"]

_T = job_table.c


@dataclass(frozen=True)
class Standing:
    """Where a session is on its way."""

    state: State
    job: Job | None
    """The last one that looked at it; None if nobody asked for one."""
    tricks: int | None
    """How many were found; None where that is not known."""


def standings(workspace: Workspace, sessions: Iterable[Session]) -> dict[str, Standing]:
    """Where each session is, by its id: one question to the database, however many there are."""
    order = (_T.created_at.desc(), _T.id)
    turn = func.row_number().over(partition_by=_T.session_id, order_by=order)
    newest = select(_T.id, turn.label("turn")).where(_T.kind == "process", _T.session_id.is_not(None)).subquery()
    of_sessions = _T.id.in_(select(newest.c.id).where(newest.c.turn == 1))
    asked = select(job_table).where(of_sessions | (_T.kind == "sample")).order_by(*order)
    with workspace.database.transaction() as db:
        jobs = [Job.from_row(row) for row in db.execute(asked).mappings()]
    last: dict[str, Job] = {}
    for job in jobs:
        session_id = job.session_id or (job.result or {}).get("session")
        if session_id:
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
