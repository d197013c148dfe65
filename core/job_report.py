"""What a job says of itself while it is done: how far it is, how fast it goes, and whether it is still wanted."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, update

from core.database import DatabaseAway
from core.jobs import job
from core.records import job_table
from core.workspace import Workspace

log = logging.getLogger("core.worker")

RETRY_S = 5.0
"""Between two attempts to reach a database that failed: time enough for somebody to free some space."""

_POLL_S = 0.25
"""Between two writes of a job's progress, and between two looks at whether it is to stop."""
_PACE_S = 10.0


_TURNS = threading.BoundedSemaphore(8)
"""So many jobs of a worker are at the database at a time: a pool of fifteen connections is not to run out while it is
away and each attempt takes seconds."""
_T = job_table.c


def write_job(workspace: Workspace, job_id: str, **values: Any) -> None:
    """Change what is known of a job."""
    with workspace.database.transaction() as db:
        db.execute(update(job_table).where(job_table.c.id == job_id).values(values))


class JobReport:
    """How a task says how far it is, and hears whether to go on. See :class:`core.tasks.Report`.

    The job is this worker's only as long as it is marked as running by him. While he was silent, as on a machine that
    was suspended, somebody may have cancelled it from another one, or a second worker have begun in his place: then
    nothing is written any more, and the task is told to stop.
    """

    def __init__(self, workspace: Workspace, job_id: str, worker_id: str, stopping: threading.Event) -> None:
        self._workspace = workspace
        self._job_id = job_id
        self._worker_id = worker_id
        self._stopping = stopping
        self._step = ""
        self._pace = Pace()
        self._written = self._asked = -math.inf
        self._wish = False

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        """Write down how far the step is, at most four times a second."""
        now = time.monotonic()
        begins = step != self._step
        if not begins and now - self._written < _POLL_S:
            return
        if begins:
            self._step, self._pace = step, Pace()
        self._written = now
        self._pace.add(now, fraction, frames_done)
        told = {"step": step, "fraction": min(1.0, max(0.0, fraction))}
        try:
            self.write(**told, rate=self._pace.rate, left_s=self._pace.left_s)
        except DatabaseAway as error:  # the work goes on, and the next report says as much
            self._put_off(error)

    def cancelled(self) -> bool:
        """Whether to stop, asked of the database at most four times a second."""
        now = time.monotonic()
        if now - self._asked >= _POLL_S:
            self._asked = now
            try:
                self._wish = self.unwanted()
            except DatabaseAway as error:
                self._put_off(error)
        return self._wish or self._stopping.is_set()

    def _put_off(self, error: DatabaseAway) -> None:
        """Neither write nor ask for a while: an attempt may take as long as a server that hangs lets it."""
        log.warning("job %s goes on without the database: %s", self._job_id, error)
        self._written = self._asked = time.monotonic() + RETRY_S - _POLL_S

    def write(self, **values: Any) -> None:
        """Change what is known of the job, as long as it is this worker's."""
        mine = and_(_T.id == self._job_id, _T.state == "running", _T.worker == self._worker_id)
        with _TURNS, self._workspace.database.transaction() as db:
            if not db.execute(update(job_table).where(mine).values(values)).rowcount:
                self._wish = True

    def unwanted(self) -> bool:
        """Whether somebody stopped the job or took it away."""
        with _TURNS:
            left = job(self._workspace, self._job_id)
        return left.cancel or (left.state, left.worker) != ("running", self._worker_id)


@dataclass(frozen=True)
class _Point:
    at_s: float
    fraction: float
    frames: int | None


class Pace:
    """How fast a step goes, over its last ten seconds or, where it reports less often, between its last two reports.

    What a step begins with counts for nothing: where it carries on from an earlier run, its first report leaps.
    """

    def __init__(self) -> None:
        self._points: deque[_Point] = deque()

    def add(self, at_s: float, fraction: float, frames: int | None) -> None:
        """One report: when (any clock, seconds), how much of the step is done, and how many frames that is."""
        if fraction <= 0:
            return
        self._points.append(_Point(at_s, fraction, frames))
        while len(self._points) > 2 and self._points[0].at_s < at_s - _PACE_S:
            self._points.popleft()

    @property
    def rate(self) -> float | None:
        """Frames a second; None where they are not counted or there is no pace yet."""
        if len(self._points) < 2:
            return None
        first, last = self._points[0], self._points[-1]
        if first.frames is None or last.frames is None or last.at_s <= first.at_s:
            return None
        return (last.frames - first.frames) / (last.at_s - first.at_s)

    @property
    def left_s(self) -> float | None:
        """Seconds until the step ends at this pace; None if it stands still or there is no pace yet."""
        if len(self._points) < 2:
            return None
        first, last = self._points[0], self._points[-1]
        if last.fraction <= first.fraction:
            return None
        return (1 - last.fraction) * (last.at_s - first.at_s) / (last.fraction - first.fraction)
