"""The process that does the jobs of a workspace, in the lanes of :mod:`core.lanes`.

    python -m core.worker            # what the app starts; ends after five idle minutes
    trickline worker                 # the same by hand, until it is stopped

There is one worker a workspace folder, kept so by a file lock that dies with it, and it does the jobs of that folder.
When it begins, those that are still marked as running belong to one that was killed: they go back into the queue and
carry on where their parts allow. While the database's server is away the work goes on, and what is to be written waits.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from sqlalchemy import and_, case, or_, select, update

from core.database import DatabaseAway
from core.engine.cluster import slots_now
from core.errors import Cancelled, UserError
from core.job_report import RETRY_S, JobReport
from core.jobs import Job, lock_path, log_path, of_here, take_lock
from core.lanes import Lane, lane_of, lanes, queue
from core.records import job_table
from core.tasks import TASKS, Task
from core.workers import BEAT_S, beat, sign_off, sign_on
from core.workspace import Workspace

log = logging.getLogger("core.worker")  # as a program, its __name__ is another

IDLE_S = 300.0
"""After so long without work the worker of the app ends."""
ATTEMPTS = 3
"""A job whose worker died so often is not begun again: it may well be what kills it."""

_MOST = 64
"""Each job that is done on a cluster keeps a thread, which asks the database several times a second."""
_STOP_S = 10.0
_CLUSTER_STOP_S = 25.0
"""More than the engine waits for what is to stop there: a job that is not put back counts as one that killed its
worker."""
_POLL_S = 0.1
_NICE = 5
_LOG_BYTES = 5 << 20
_T = job_table.c
_Value = TypeVar("_Value")
_Queues = Mapping[Lane, tuple[Any, Callable[[str], object]]]
"""The queue of each lane and the function that puts a job's id into it."""


def work(
    workspace: Workspace, tasks: Mapping[str, Task] = TASKS, idle_s: float = math.inf, lock: int | None = None
) -> None:
    """Do what is queued until there was nothing for ``idle_s`` seconds, or until SIGTERM, SIGINT or SIGHUP.

    A signal puts what is running back into the queue. Signals reach the main thread: call it there.

    Args:
        tasks: what to do for each kind of job; tests give their own.
        lock: the open lock file of :func:`core.jobs.take_lock`, if the caller holds it; it is closed.

    Raises:
        UserError: the workspace has a worker, or its files cannot be used.
    """
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.set()
        signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait

    held = take_lock(workspace) if lock is None else lock
    if held is None:
        raise UserError(f"A worker runs already for {workspace.home}; stop it first, or let it do the work.")
    with _logging_to(log_path(workspace)):
        while held is not None:
            os.pwrite(held, f"{os.getpid()}\n".encode(), 0)  # for people: whom to stop
            worker_id = sign_on(workspace)
            ended = _Shift(workspace, tasks, stopping, worker_id).serve(idle_s, held, stop)
            if not ended:
                return  # what does not stop still writes: the lock stays until the process ends
            with suppress(UserError):  # the next worker of the folder does it else
                sign_off(workspace, worker_id)
            os.close(held)
            # Whoever submitted a job before this line saw a worker and started none.
            held = take_lock(workspace) if not stopping.is_set() and _waiting(workspace) else None


class _Shift:
    """One worker at work."""

    def __init__(
        self, workspace: Workspace, tasks: Mapping[str, Task], stopping: threading.Event, worker_id: str
    ) -> None:
        self._workspace = workspace
        self._tasks = tasks
        self._stopping = stopping
        self._worker_id = worker_id
        self._busy: dict[str, Lane] = {}
        """By id of each job that is being done, its lane."""
        self._taking = threading.Lock()
        self._threads: list[threading.Thread] = []
        """Of jobs that are done on a cluster."""
        self._told: dict[str, str] = {}
        self._told_at = -math.inf
        self._closed = threading.Event()

    def serve(self, idle_s: float, lock: int, stop: Callable[[int, FrameType | None], None]) -> bool:
        """Do jobs in all lanes; whether all of them have ended when it returns."""
        _take_up_again(self._workspace)
        with ExitStack() as stack:
            queues = {
                lane: stack.enter_context(queue(self._workspace, lane, partial(self._do, lane))) for lane in lanes()
            }
            for opened, _ in queues.values():
                opened.storage.flush_queue()
            self._fill(queues, _waiting(self._workspace))
            consumers = [
                opened.create_consumer(
                    workers=1,
                    periodic=False,
                    max_delay=0.5,
                    scheduler_interval=60,
                    check_worker_health=False,
                    shutdown_timeout=_STOP_S,
                )
                for opened, _ in queues.values()
            ]
            for consumer in consumers:
                consumer.start()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, stop)  # after those of the consumers
            self._wait(queues, idle_s, lock)
            self._closed.set()
            for consumer in consumers:
                consumer.stop_flag.set()
            for consumer in consumers:
                consumer.stop(graceful=True)
            until = time.monotonic() + _CLUSTER_STOP_S
            for thread in self._threads:
                thread.join(max(0.0, until - time.monotonic()))
            threads = [*self._threads, *(thread for consumer in consumers for _, thread in consumer.worker_threads)]
            return not any(thread.is_alive() for thread in threads)

    def _wait(self, queues: _Queues, idle_s: float, lock: int) -> None:
        quiet_since = time.monotonic()
        while not self._stopping.wait(min(1.0, max(0.1, idle_s))):
            waiting = self._look(queues)
            if waiting or self._busy:  # in this order: a job is busy before it is not waiting
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= idle_s and self._close_if_idle():
                return
            self._beat()
            if not _is_at(lock, lock_path(self._workspace)):
                log.warning("the workspace %s was moved or removed: its worker ends", self._workspace.home)
                self._stopping.set()

    def _close_if_idle(self) -> bool:
        """Take no more jobs, unless one has come in this very moment: to wait for it, maybe for hours, would hold up
        all that are asked for meanwhile."""
        with self._taking:
            if not self._busy:
                self._closed.set()
            return self._closed.is_set()

    def _beat(self) -> None:
        """Let the others know that this worker lives, and of what it does as soon as that changes."""
        now, doing = time.monotonic(), {job_id: str(lane) for job_id, lane in self._busy.copy().items()}
        if doing == self._told and now - self._told_at < BEAT_S:
            return
        with suppress(UserError):  # the look for jobs, at the same pace, has logged it
            if not beat(self._workspace, self._worker_id, doing):
                log.warning("another worker has begun in the place of this one, which was silent: it ends")
                self._stopping.set()
            self._told, self._told_at = doing, now

    def _look(self, queues: _Queues) -> bool:
        """Whether jobs wait, which are all in the queue then; False, too, if the files cannot be used now."""
        try:
            waiting = _waiting(self._workspace)
            self._fill(queues, waiting)
        except (UserError, sqlite3.Error) as error:
            log.warning("cannot look for jobs: %s", error)
            return False
        return bool(waiting)

    def _fill(self, queues: _Queues, waiting: list[tuple[str, Lane]]) -> None:
        """Queue the jobs of every lane that has room and an empty queue although some wait.

        Their ids are missing where the submitter died before it put them in, or the database failed when the job was
        to begin. An id that is put in by somebody else at the same time is there twice then; whoever comes second
        finds the job taken.
        """
        for lane, (opened, put) in queues.items():
            ids = [job_id for job_id, where in waiting if where == lane and job_id not in self._busy]
            if ids and self._has_room(lane) and not opened.pending_count():
                for job_id in ids:
                    put(job_id)

    def _has_room(self, lane: Lane) -> bool:
        """Whether one more job of a lane may begin: beside another only on a cluster, where as many go on as it has
        cores and one more, so that there is one when another ends. The first of them finds out how many those are."""
        most = min(_MOST, slots_now() + 1) if lane == "cluster" else 1
        return list(self._busy.copy().values()).count(lane) < most

    def _do(self, lane: Lane, job_id: str) -> None:
        """Take a job out of a lane, and be ready for its next one when that may begin."""
        with self._taking:
            if self._closed.is_set() or job_id in self._busy:
                return  # it is queued still, for the next shift; or its id was in the queue twice
            self._busy[job_id] = lane
        if lane != "cluster":
            self._carry_out(job_id)
            return
        thread = threading.Thread(target=self._carry_out, args=(job_id,), name=f"job {job_id}", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()
        while not self._has_room(lane) and not self._closed.wait(_POLL_S):
            pass

    def _carry_out(self, job_id: str) -> None:
        """One job from its id to its outcome."""
        try:
            claimed = self._insist(job_id, "begin", partial(_claim, self._workspace, job_id, self._worker_id))
            if claimed:
                self._try(claimed)
        finally:
            del self._busy[job_id]

    def _try(self, claimed: Job) -> None:
        report = JobReport(self._workspace, claimed.id, self._worker_id, self._stopping)
        log.info("job %s begins: %s %s", claimed.id, claimed.kind, claimed.arguments)
        outcome: dict[str, Any]
        try:
            result = self._tasks[claimed.kind](self._workspace, claimed.arguments, report)
            outcome = {"state": "done", "fraction": 1.0, "result": result}
        except Cancelled:
            if not self._insist(claimed.id, "stop", report.unwanted):  # it is the worker that stops
                self._put_back(claimed, report)
                return
            outcome = {"state": "cancelled"}
        except DatabaseAway as error:
            log.warning("job %s is begun again once the database answers: %s", claimed.id, error)
            self._put_back(claimed, report)
            return
        except UserError as error:
            outcome = {"state": "failed", "message": str(error)}
        except Exception:
            log.exception("job %s failed", claimed.id)
            told = f"This failed by a fault of Trickline's; the reason stands in {log_path(self._workspace)}."
            outcome = {"state": "failed", "message": told}
        log.info("job %s ends: %s", claimed.id, outcome["state"])
        ended = {"rate": None, "left_s": None, "finished_at": datetime.now(UTC)}
        self._insist(claimed.id, "end", partial(report.write, **outcome, **ended))

    def _put_back(self, claimed: Job, report: JobReport) -> None:
        """It was no fault of the job's, so this does not count as an attempt."""
        again = {**_AGAIN, "attempts": claimed.attempts - 1}
        self._insist(claimed.id, "stop", partial(report.write, **again))

    def _insist(self, job_id: str, to: str, act: Callable[[], _Value]) -> _Value | None:
        """Do what needs the database until it succeeds; None if the worker is to stop before.

        Without that a full disk, or a server that is away, would leave the job running for as long as the worker
        lives; what a worker leaves so, the next one takes up again.

        Args:
            to: what the job is about to do, for the log.
        """
        while True:
            try:
                return act()
            except UserError as error:
                log.warning("cannot write down how job %s %ss: %s", job_id, to, error)
                if self._stopping.wait(RETRY_S):
                    return None


_AGAIN: dict[str, Any] = {"state": "queued", "step": "", "fraction": 0.0, "rate": None, "left_s": None}


def _take_up_again(workspace: Workspace) -> None:
    """Judge the jobs that a killed worker left. Only who holds the lock may."""
    now = datetime.now(UTC)
    killed = (
        f"The worker died {ATTEMPTS} times while it was at this, most often because the memory ran out; "
        f"see {log_path(workspace)}, free some memory and try again."
    )
    left = update(job_table).where(_T.state == "running", of_here(workspace))
    with workspace.database.transaction() as db:
        db.execute(left.where(_T.cancel).values(state="cancelled", finished_at=now))
        db.execute(left.where(_T.attempts >= ATTEMPTS).values(state="failed", message=killed, finished_at=now))
        db.execute(left.values(**_AGAIN))


def _waiting(workspace: Workspace) -> list[tuple[str, Lane]]:
    """The jobs of this folder that the database says are queued and their lanes, in the order of submission."""
    queued = select(_T.id, _T.kind).where(_T.state == "queued", of_here(workspace)).order_by(_T.created_at, _T.id)
    with workspace.database.transaction() as db:
        return [(job_id, lane_of(kind)) for job_id, kind in db.execute(queued)]


def _claim(workspace: Workspace, job_id: str, worker_id: str) -> Job | None:
    """Mark a queued job as running; None if it is no longer queued.

    One that this worker has claimed already is begun, too: the server may have gone away between the writing and the
    answer. He is at no job twice at a time, so nobody is at it.
    """
    mine = and_(_T.state == "running", _T.worker == worker_id)
    begun = {"state": "running", "started_at": datetime.now(UTC), "worker": worker_id, "home": workspace.home_id}
    attempts = case((_T.state == "queued", _T.attempts + 1), else_=_T.attempts)
    claim = update(job_table).where(_T.id == job_id, of_here(workspace), or_(_T.state == "queued", mine))
    with workspace.database.transaction() as db:
        if not db.execute(claim.values(**begun, attempts=attempts)).rowcount:
            return None
        return Job.from_row(db.execute(select(job_table).where(_T.id == job_id)).mappings().one())


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """What is logged goes into a file, too, which is put aside when it has 5 MiB; two of them are kept."""
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _is_at(open_file: int, path: Path) -> bool:
    """Whether an open file is (still) the one at ``path``."""
    try:
        return os.path.samestat(os.fstat(open_file), path.stat())
    except FileNotFoundError:
        return False


def main(tasks: Mapping[str, Task] = TASKS, idle_s: float = IDLE_S) -> None:
    """Entry point of the process that the app starts; the arguments as for :func:`work`."""
    parser = argparse.ArgumentParser(description="Do the jobs of the workspace, then end.")
    parser.add_argument("--lock", type=int, help="number of the open lock file that the starter hands over")
    lock = parser.parse_args().lock
    if lock is not None:
        # Programs that a task starts must not keep the lock when the worker is killed.
        os.set_inheritable(lock, False)
    os.nice(_NICE)  # the browser and the player go first
    try:
        with Workspace.open() as workspace:
            work(workspace, tasks, idle_s, lock)
    except UserError as error:
        raise SystemExit(f"{datetime.now():%Y-%m-%d %H:%M:%S} {error}") from error


if __name__ == "__main__":
    main()
