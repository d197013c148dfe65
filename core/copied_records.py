"""The records of a workspace copied into another database: to a server when a team forms, or back as a backup.

    >>> with Workspace.open() as workspace:                                  # doctest: +SKIP
    ...     copied = copy_records(workspace, "postgresql+psycopg://ann@host/team")
    ...     copied.added["sessions"]
    12

What is there already stays as it is, so that a second call adds what is new since the first. Most rows are known by
random ids; sessions are known by the content of their video, and two people may have labelled the same one apart from
each other. Both are kept then: the labels and decisions that are there, and the labels that come as a layer of their
own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import URL, Connection, Table, insert, select
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.database_errors import named
from core.errors import UserError
from core.records import (
    canonical_json,
    job_table,
    label_table,
    metadata,
    model_file_table,
    place_table,
    review_table,
    session_table,
    worker_table,
)
from core.workspace import Workspace

_AT_ONCE = 500
"""Rows that are in memory together. Files of models come one by one."""
_ENDED = ("done", "failed", "cancelled")

_Rows = Iterable[list[dict[str, Any]]]


@dataclass(frozen=True)
class Copied:
    """What became of the records."""

    source: URL
    target: URL
    """Both with their passwords: say :func:`setting` or :func:`core.database_errors.named`."""
    added: dict[str, int]
    """Rows that were added, by table."""
    there: dict[str, int]
    """Rows that were there already, by table."""
    beside: tuple[tuple[str, str], ...]
    """Session id and new layer of the labels that differ from those that are there."""


def copy_records(workspace: Workspace, url: str) -> Copied:
    """Copy the records of a workspace into the database at ``url``, in one transaction. The workspace keeps its own.

    Jobs that wait or run stay with the worker that has them, and workers are left out: they sign on by themselves.

    Args:
        url: SQLAlchemy's, of a PostgreSQL server or a SQLite file, empty or with the records of a team.

    Raises:
        UserError: it is no database that can be used, or the one that the workspace has; a newer Trickline made it;
            or others changed the same records at the same moment. Nothing was copied then.
    """
    workspace.models()  # puts files that older versions left out among the records
    source = workspace.database
    target = _opened(url)
    try:
        if target.url == source.url:
            raise UserError(
                f"The records are in {named(source.url)} already; give the URL of another database, or unset "
                "TRICKLINE_DB if you mean the records in the folder."
            )
        with source.snapshot() as old, target.transaction() as new:
            target.take_turns(new, "copied records")
            return _Copying(workspace, source, target, old, new).all()
    except IntegrityError as error:
        raise UserError(
            f"Others changed the same records in {named(target.url)} at this moment, so nothing was copied; try again."
        ) from error
    finally:
        target.close()


def setting(url: URL) -> str:
    """The line that makes Trickline use this database, with three stars for whatever is secret in it."""
    secret = ("password", "secret")
    query = {name: "***" if any(word in name for word in secret) else value for name, value in url.query.items()}
    return f"TRICKLINE_DB={url.set(query=query).render_as_string().replace('%2A', '*')}"


class _Copying:
    """One copying, within a transaction of either database."""

    def __init__(
        self, workspace: Workspace, source: Database, target: Database, old: Connection, new: Connection
    ) -> None:
        self._workspace = workspace
        self._source, self._target = source, target
        self._old, self._new = old, new
        self._layers: dict[tuple[str, str], str] = {}
        """Session and layer of the labels that differ there, and what their layer becomes."""

    def all(self) -> Copied:
        self._tell_apart()
        added, there = {}, {}
        paths: dict[str, str] = {}
        for table in metadata.sorted_tables:
            if table is worker_table:
                continue
            rows: _Rows = self._source.rows(self._old, table, 1 if table is model_file_table else _AT_ONCE)
            known = self._keys(table)
            if table is session_table:
                rows = self._noting(rows, paths)
            elif table is place_table:
                rows = self._with_own(rows, paths)
            elif table is label_table:
                rows = ([self._in_layer(row) for row in part] for part in rows)
            elif table is review_table:
                # They go with the labels that they became.
                rows = ([row for row in part if (row["session_id"], "") not in self._layers] for part in rows)
            elif table is job_table:
                rows = ([row for row in part if row["state"] in _ENDED] for part in rows)
            added[table.name], there[table.name] = self._add(table, rows, known)
        beside = tuple((session_id, layer) for (session_id, _), layer in sorted(self._layers.items()))
        return Copied(self._source.url, self._target.url, added, there, beside)

    def _add(self, table: Table, rows: _Rows, known: set[tuple[Any, ...]]) -> tuple[int, int]:
        """Add what is not there. How many rows were added, and how many were there.

        Raises:
            IntegrityError: somebody has added the same since ``known`` was read.
            UserError: not all arrived.
        """
        wanted: set[tuple[Any, ...]] = set()
        for part in rows:
            wanted.update(_key(table, row) for row in part)
            if new := [row for row in part if _key(table, row) not in known]:
                self._new.execute(insert(table), new)
        if not wanted <= self._keys(table):
            raise UserError(
                f"Not all of the table {table.name} arrived in {named(self._target.url)}, so nothing was copied; "
                "try again."
            )
        return len(wanted - known), len(wanted & known)

    def _keys(self, table: Table) -> set[tuple[Any, ...]]:
        return {tuple(row) for row in self._new.execute(select(*table.primary_key))}

    def _noting(self, rows: _Rows, paths: dict[str, str]) -> _Rows:
        """The sessions as they come; where they have another path there, the one from here goes into ``paths``."""
        theirs = {row.id: row.path for row in self._new.execute(select(session_table.c.id, session_table.c.path))}
        for part in rows:
            paths |= {row["id"]: row["path"] for row in part if theirs.get(row["id"], row["path"]) != row["path"]}
            yield part

    def _with_own(self, rows: _Rows, paths: dict[str, str]) -> _Rows:
        """The places, and the paths of this folder that only a session's own row has, as an older version left it, and
        that would be lost with it."""
        for part in rows:
            for row in part:
                if row["home"] == self._workspace.home_id:
                    paths.pop(row["session_id"], None)
            yield part
        yield [{"session_id": one, "home": self._workspace.home_id, "path": path} for one, path in paths.items()]

    def _tell_apart(self) -> None:
        """Find the labels of which a revision of the same number differs there."""
        theirs = dict(_fingerprints(self._target.rows(self._new, label_table, _AT_ONCE)))
        for key, mine in _fingerprints(self._source.rows(self._old, label_table, _AT_ONCE)):
            if theirs.get(key, mine) != mine:
                session_id, layer, _ = key
                # By the name of the folder, so that a second call finds them again.
                self._layers[session_id, layer] = f"{layer} (from {self._workspace.home_id})".strip()

    def _in_layer(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "layer": self._layers.get((row["session_id"], row["layer"]), row["layer"])}


def _opened(url: str) -> Database:
    try:
        return Database(url)
    except UserError as error:
        raise type(error)(str(error).replace("TRICKLINE_DB", "the URL")) from error


def _key(table: Table, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _fingerprints(rows: _Rows) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """Key and digest of revisions of labels."""
    for part in rows:
        for row in part:
            told = canonical_json([row["intervals"], row["source"], row["author"], row["saved_at"]])
            yield _key(label_table, row), blake2b(told.encode(), digest_size=16).digest()
