"""Long work that goes on without its page: a queue of jobs, each with its progress, its outcome and a way to stop it.

    >>> submitted = jobs.submit(workspace, "process", {"session": session.id})  # doctest: +SKIP
    >>> jobs.job(workspace, submitted.id).state                                # doctest: +SKIP
    'running'

What is known of a job stands in the database of the workspace, where every process sees it; the queues
(:mod:`core.lanes`) carry nothing but ids. The work is done by one worker process a folder (:mod:`core.worker`),
which holds ``worker.lock`` as long as it lives and writes what goes wrong into ``worker.log``.

Where several machines share the database, a job belongs to the folder that it was submitted in: there lie the video
and what is computed from it, and only the worker of that folder does it. All see all jobs and all workers, and may
cancel them.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, RowMapping, delete, insert, or_, select, update

from core.errors import UserError
from core.lanes import lane_of, queue
from core.records import canonical_json, job_table
from core.workers import workers
from core.workspace import Workspace

Kind = Literal["add", "sample", "process", "train", "export", "learn", "name", "cutout"]
State = Literal["queued", "running", "done", "failed", "cancelled"]

_WORKER = (sys.executable, "-P", "-m", "core.worker")
_ROOT = Path(__file__).resolve().parents[1]
_TAIL = 200_000
_DATED = re.compile(r"^\d{4}-\d\d-\d\d ", re.MULTILINE)
_T = job_table.c
_ACTIVE = _T.state.in_(("queued", "running"))


@dataclass(frozen=True)
class Job:
    """One piece of long work, as it is now."""

    id: str
    kind: Kind
    session_id: str | None
    arguments: dict[str, Any]
    state: State
    step: str
    """What is being done, in plain words; empty before it begins."""
    fraction: float
    """How much of the step is done, 0 to 1."""
    rate: float | None
    """Frames a second over the last seconds; None where the step does not count frames."""
    left_s: float | None
    """Seconds until the step ends, at the pace of the last seconds; None until there is one."""
    message: str | None
    """A sentence for the user on why the job failed."""
    result: dict[str, Any] | None
    """What a finished job made, as JSON values."""
    cancel: bool
    """Whether it was asked to stop."""
    attempts: int
    """How often it was begun."""
    created_at: datetime
    started_at: datetime | None
    """When it was last begun, UTC."""
    finished_at: datetime | None
    home: str | None = None
    """The workspace folder that it belongs to, by its ``home_id``; None, from an older Trickline, is anybody's."""
    host: str | None = None
    """The machine that it was submitted on."""
    worker: str | None = None
    """Who does or did it, see :mod:`core.workers`."""

    @property
    def active(self) -> bool:
        """Whether it has yet to end."""
        return self.state in ("queued", "running")

    @classmethod
    def from_row(cls, row: RowMapping) -> Job:
        # Column by column: a mapping that is unpacked gathers the names of all columns anew for every row.
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def submit(
    workspace: Workspace,
    kind: Kind,
    arguments: Mapping[str, Any],
    session_id: str | None = None,
    *,
    start: bool = True,
) -> Job:
    """Put work into the queue of this folder; the same work that is queued or running there is given back instead.

    Args:
        kind: what to do, see :mod:`core.tasks`.
        arguments: what the task needs to know, plain JSON values (settings may be pydantic models).
        session_id: whose work it is; None takes ``arguments["session"]`` if there is one.
        start: whether to start a worker if none runs.

    Raises:
        UserError: the queue cannot be written to or the worker not be started; the work is done when they can.
    """
    return _submit(workspace, kind, [(arguments, session_id)], start)[0]


def submit_all(
    workspace: Workspace, kind: Kind, arguments: Sequence[Mapping[str, Any]], *, start: bool = True
) -> list[Job]:
    """Put much work of one kind into the queue, in this order; as :func:`submit` for each, and many times as quick."""
    return _submit(workspace, kind, [(one, None) for one in arguments], start)


def _submit(
    workspace: Workspace, kind: Kind, asked: Sequence[tuple[Mapping[str, Any], str | None]], start: bool
) -> list[Job]:
    now = datetime.now(UTC)
    new: list[dict[str, Any]] = []
    for number, (arguments, session_id) in enumerate(asked):
        plain = json.loads(canonical_json(dict(arguments)))
        new.append(
            {
                "id": secrets.token_hex(8),
                "kind": kind,
                "session_id": session_id or plain.get("session"),
                "arguments": plain,
                "state": "queued",
                "step": "",
                "fraction": 0.0,
                "cancel": False,
                "attempts": 0,
                "created_at": now + timedelta(microseconds=number),  # which is their order
                "home": workspace.home_id,
                "host": socket.gethostname(),
            }
        )
    if not new:
        return []
    with workspace.database.transaction() as db:
        workspace.database.take_turns(db, "submit")
        db.execute(insert(job_table), new)  # first: it makes another submitter wait
        waiting = select(job_table).where(_T.kind == kind, _ACTIVE, ~_T.cancel, of_here(workspace))
        ids = {row["id"] for row in new}
        first: dict[str, Job] = {}
        for one in sorted((Job.from_row(row) for row in db.execute(waiting).mappings()), key=lambda one: one.id in ids):
            first.setdefault(canonical_json(one.arguments), one)
        submitted = [first[canonical_json(row["arguments"])] for row in new]
        twins = ids - {one.id for one in submitted}
        db.execute(delete(job_table).where(_T.id.in_(twins)))
    # A twin, too: whoever submitted it may have been killed before this line.
    queued = dict.fromkeys(one.id for one in submitted if one.state == "queued")
    if queued:
        with queue(workspace, lane_of(kind)) as (_, put):
            for job_id in queued:
                put(job_id)
    if start:
        ensure_worker(workspace)
    return submitted


def jobs(
    workspace: Workspace,
    session_id: str | None = None,
    active_only: bool = False,
    limit: int | None = None,
    *,
    ended_only: bool = False,
    kind: Kind | None = None,
    here_only: bool = False,
) -> list[Job]:
    """Jobs of every folder that shares the records, the newest first.

    Args:
        session_id: only those of this session; None takes all.
        active_only: only those that have yet to end.
        limit: at most so many.
        ended_only: only those that have ended.
        kind: only those that do this; None takes all.
        here_only: only those of this folder.
    """
    wanted = select(job_table).order_by(_T.created_at.desc(), _T.id).limit(limit)
    if session_id is not None:
        wanted = wanted.where(_T.session_id == session_id)
    if active_only:
        wanted = wanted.where(_ACTIVE)
    if ended_only:
        wanted = wanted.where(~_ACTIVE)
    if kind is not None:
        wanted = wanted.where(_T.kind == kind)
    if here_only:
        wanted = wanted.where(of_here(workspace))
    with workspace.database.transaction() as db:
        return [Job.from_row(row) for row in db.execute(wanted).mappings()]


def job(workspace: Workspace, job_id: str) -> Job:
    """One job as it is now.

    Raises:
        UserError: if there is none with this id.
    """
    with workspace.database.transaction() as db:
        row = db.execute(select(job_table).where(_T.id == job_id)).mappings().one_or_none()
    if row is None:
        raise UserError(f"There is no job {job_id} in {workspace.home}; submit it again.")
    return Job.from_row(row)


def cancel(workspace: Workspace, job_id: str) -> None:
    """Stop a job, on whatever machine: a queued one at once, a running one as soon as its task asks. What it finished
    is kept.

    One that runs elsewhere, by a worker that is silent or gone, is stopped at once: its machine may never come back.
    One that has ended, or that nobody knows, is left alone. One that adds what a browser sent begins all the same, and
    ends soon: where the copies lie in the workspace nobody would find them.
    """
    now = datetime.now(UTC)
    asked = select(_T.arguments).where(_T.id == job_id)
    with workspace.database.transaction() as db:
        uploads = bool((db.execute(asked).scalar_one_or_none() or {}).get("names"))
    alive = [one.id for one in workers(workspace) if one.alive]
    with workspace.database.transaction() as db:
        queued = update(job_table).where(_T.id == job_id, _T.state == "queued")
        ended = {} if uploads else {"state": "cancelled", "finished_at": now}
        db.execute(queued.values(cancel=True, **ended))
        running = update(job_table).where(_T.id == job_id, _T.state == "running")
        abandoned = running.where(~of_here(workspace), or_(_T.worker.is_(None), _T.worker.not_in(alive)))
        db.execute(abandoned.values(state="cancelled", cancel=True, rate=None, left_s=None, finished_at=now))
        db.execute(running.values(cancel=True))
        asked_to_stop = select(_T.id).where(_T.id == job_id, _T.cancel, _ACTIVE, of_here(workspace))
        ours = db.execute(asked_to_stop).first() is not None
    if ours:
        ensure_worker(workspace)  # one that was killed cannot answer, the next one does


def ensure_worker(workspace: Workspace, command: Sequence[str] = _WORKER) -> bool:
    """Start the worker of the workspace, unless it runs. It outlives this process and ends by itself when idle.

    Cheap enough to be called at every poll.

    Args:
        command: the worker's program; it is given ``--lock`` and the number of the open lock file.

    Returns:
        Whether one was started.

    Raises:
        UserError: it cannot be started.
    """
    lock = take_lock(workspace)
    if lock is None:
        return False
    try:
        with log_path(workspace).open("ab") as log:  # for what the worker cannot log itself
            # The lock goes over to the worker with the open file, so that at no time two processes both think that
            # none runs.
            process = subprocess.Popen(
                [*command, "--lock", str(lock)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock],
                env={**os.environ, "TRICKLINE_HOME": str(workspace.home), "PYTHONPATH": _python_path()},
            )
    except OSError as error:
        raise UserError(
            f"Cannot start the worker of {workspace.home} ({error.strerror}); free some space or memory and try again."
        ) from error
    finally:
        os.close(lock)
    # Somebody must wait for the child, or its entry stays in the process table until this process ends.
    threading.Thread(target=process.wait, name="worker's end", daemon=True).start()
    return True


def take_lock(workspace: Workspace) -> int | None:
    """Become the one worker of the workspace: the open lock file, to be closed in the end; None if there is one.

    The system gives the lock back when its holder dies, however that happens.

    Raises:
        UserError: the system has no such locks, or the folder cannot be written to.
    """
    try:
        import fcntl
    except ImportError as error:
        raise UserError("Jobs need Linux or macOS: on Windows, run Trickline in WSL.") from error
    try:
        lock = os.open(lock_path(workspace), os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(
            f"Cannot open {lock_path(workspace)} ({error.strerror}); make the file and its folder writable."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise UserError(
            f"Cannot lock {lock_path(workspace)} ({error.strerror}); "
            "put the workspace on a disk of this machine with TRICKLINE_HOME."
        ) from error
    os.ftruncate(lock, 0)
    return lock


def lock_path(workspace: Workspace) -> Path:
    """The file that the running worker has locked; once begun, it writes the number of its process there."""
    return workspace.home / "worker.lock"


def log_path(workspace: Workspace) -> Path:
    """Where the worker writes what goes wrong."""
    return workspace.home / "worker.log"


def failure_log(workspace: Workspace, job_id: str) -> str:
    """What the worker wrote when a job failed, traceback included; empty if the log has nothing (any more)."""
    try:
        with log_path(workspace).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    at = text.rfind(f"job {job_id} failed")
    if at < 0:
        return ""
    begin = text.rfind("\n", 0, at) + 1
    end = _DATED.search(text, at)
    return text[begin : end.start() if end else None].rstrip()


def of_here(workspace: Workspace) -> ColumnElement[bool]:
    """Whether a job is for the worker of this folder."""
    return or_(_T.home == workspace.home_id, _T.home.is_(None))


def _python_path() -> str:
    """So that the worker finds this very code wherever it was started from."""
    return os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
