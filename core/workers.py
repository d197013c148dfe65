"""Who works: the workers of all folders that share the records, and whether they are alive.

    >>> [(one.host, one.alive, one.doing) for one in workers(workspace)]  # doctest: +SKIP
    [('edit-room', True, {'5f0c9a1b2c3d4e5f': 'footage'})]

Each worker has a row from its beginning to its end, and says every few seconds that it is there. All moments are those
of the database's clock, so that the clocks of the machines do not matter.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, insert, select, type_coerce, update

from core.records import UtcDateTime, worker_table
from core.workspace import Workspace

BEAT_S = 5.0
"""Between two signs of life."""
SILENT_S = 30.0
"""Who gave none for so long was killed, or his machine or network has failed."""

_FORGOTTEN = timedelta(days=7)
_T = worker_table.c
_NOW = type_coerce(func.current_timestamp(), UtcDateTime)


@dataclass(frozen=True)
class WorkerRecord:
    """A worker as it was when it was asked for."""

    id: str
    host: str
    pid: int
    home: str
    """``home_id`` of its workspace folder, as in :attr:`core.jobs.Job.home`."""
    folder: Path
    """That folder's path on ``host``."""
    doing: dict[str, str]
    """By id of a job that is being done, its lane, see :mod:`core.lanes`."""
    started_at: datetime
    """UTC."""
    seen_at: datetime
    """Its last sign of life, UTC."""
    silent_s: float
    """Seconds since then."""
    here: bool
    """Whether it is the worker of this workspace folder."""

    @property
    def alive(self) -> bool:
        """Whether it gave a sign of life lately."""
        return self.silent_s < SILENT_S


def workers(workspace: Workspace) -> list[WorkerRecord]:
    """The workers of all folders that share the records, this folder's first, then by host and folder.

    One that was killed stays, not ``alive``, until its folder has another one or a week is over.
    """
    with workspace.database.transaction() as db:
        rows = db.execute(select(worker_table, _NOW.label("now"))).mappings().all()
    found = []
    for row in rows:
        values = {name: value for name, value in row.items() if name not in ("folder", "now")}
        silent_s = max(0.0, (row["now"] - row["seen_at"]).total_seconds())
        here = row["home"] == workspace.home_id
        found.append(WorkerRecord(**values, folder=Path(row["folder"]), silent_s=silent_s, here=here))
    return sorted(found, key=lambda one: (not one.here, one.host, str(one.folder), one.started_at))


def sign_on(workspace: Workspace) -> str:
    """Become known as the worker of this folder; only who holds its lock may. The id of the worker."""
    worker_id = secrets.token_hex(8)
    row = {
        "id": worker_id,
        "home": workspace.home_id,
        "host": socket.gethostname(),
        "folder": str(workspace.home),
        "pid": os.getpid(),
        "doing": {},
    }
    with workspace.database.transaction() as db:
        db.execute(delete(worker_table).where(_T.home == workspace.home_id))  # who held the lock before is dead
        db.execute(insert(worker_table).values(**row, started_at=_NOW, seen_at=_NOW))
        forgotten = db.execute(select(_NOW)).scalar_one() - _FORGOTTEN
        db.execute(delete(worker_table).where(_T.seen_at < forgotten))
    return worker_id


def beat(workspace: Workspace, worker_id: str, doing: Mapping[str, str]) -> bool:
    """Give a sign of life, and say what is being done.

    Args:
        doing: as of :attr:`WorkerRecord.doing`.

    Returns:
        Whether the worker is known; if not, another one has begun in its place, or it was silent for a week.
    """
    with workspace.database.transaction() as db:
        beaten = update(worker_table).where(_T.id == worker_id)
        return bool(db.execute(beaten.values(doing=dict(doing), seen_at=_NOW)).rowcount)


def sign_off(workspace: Workspace, worker_id: str) -> None:
    """A worker ends."""
    with workspace.database.transaction() as db:
        db.execute(delete(worker_table).where(_T.id == worker_id))
