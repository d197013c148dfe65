"""The lanes in which jobs wait for their turn: queues of ids, by huey, in ``queue.db`` of the workspace's folder."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.errors import UserError
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.jobs import Kind

Lane = Literal["footage", "cluster", "desk", "school"]

LANES: dict[Lane, tuple[Kind, ...]] = {
    "footage": ("sample", "process", "name", "cutout"),
    "desk": ("add", "train", "export"),
    "school": ("learn",),
}
"""Each lane does one job at a time, in the order of their submission, beside the others. Footage is looked at for
hours, by networks that take every core: two at once would both be slow, and an export must not wait for either. What is
asked for at the desk takes seconds to minutes, on one core, and somebody sits there and waits. A network may go to
school for days, and new footage does not wait for it.

Where ``TRICKLINE_CLUSTER`` names one, footage is looked at there, in the lane ``cluster``: many videos at a time, for
this machine only waits."""


def lanes() -> list[Lane]:
    """Those that a worker has to serve."""
    return [*LANES, "cluster"] if _has_cluster() else [*LANES]


def lane_of(kind: str) -> Lane:
    """Where work of this kind waits its turn."""
    if kind == "process" and _has_cluster():
        return "cluster"
    return next((lane for lane, kinds in LANES.items() if kind in kinds), "desk")


def _has_cluster() -> bool:
    return bool(os.environ.get("TRICKLINE_CLUSTER"))


@contextmanager
def queue(
    workspace: Workspace, lane: Lane, do: Callable[[str], None] | None = None
) -> Iterator[tuple[Any, Callable[[str], object]]]:
    """The queue of a lane and the function that puts a job's id into it.

    Args:
        do: what to do with an id; None for those who only put them in.

    Raises:
        UserError: its file cannot be used.
    """
    path = workspace.home / "queue.db"

    def work(job_id: str) -> None:
        assert do is not None, "only the worker takes ids out"
        do(job_id)

    try:
        opened = _open_queue(path, lane)
        try:
            yield opened, opened.task()(work)
        finally:
            opened.storage.close()
    except sqlite3.Error as error:
        raise UserError(
            f"Cannot use the queue {path} ({error}); free some space or remove the file: no job is lost with it."
        ) from error


def _open_queue(path: Path, lane: Lane) -> Any:
    from huey import SqliteHuey
    from huey.registry import Message
    from huey.serializer import Serializer

    class AsJson(Serializer):  # type: ignore[misc]
        """Huey pickles; who can write into the folder should not be able to run code with it."""

        def _serialize(self, data: Any) -> bytes:
            return json.dumps(data).encode()

        def _deserialize(self, data: bytes) -> Any:
            return Message(*json.loads(data))

    return SqliteHuey(lane, filename=str(path), results=False, serializer=AsJson(), timeout=30)
