"""The database of the workspace: opened safely by many processes at once, and its errors in words that help."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import SQLITE_BUSY
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteError

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.schema import CreateTable

from core.errors import UserError
from core.records import metadata, stored_json

LOCK_WAIT_S = 30
"""How long a writer waits for another one. A write takes milliseconds: who holds the database longer has hung."""

_REMEDIES = {
    "SQLITE_NOTADB": "move the file away, or put the right one in its place",
    "SQLITE_CORRUPT": "put a copy of it in its place, or move it away to start a new one",
    "SQLITE_ERROR": "it was not made by this version of Trickline: choose another folder with TRICKLINE_HOME",
    "SQLITE_BUSY": "close the other program that holds it and try again",
    "SQLITE_READONLY": "make the file and its folder writable, or choose another folder with TRICKLINE_HOME",
    "SQLITE_CANTOPEN": "make its folder writable, or choose another one with TRICKLINE_HOME",
    "SQLITE_FULL": "free some space and try again",
    "SQLITE_IOERR": "check the disk and the space left on it",
}
_REMEDY = "check that TRICKLINE_DB names the right database and that its server answers"


class Database:
    """A database with the tables of :mod:`core.records`. Threads may share it; each process opens its own.

    Args:
        url: SQLAlchemy's URL. SQLite is kept in write-ahead mode, so that readers and a writer need not wait for each
            other.

    Raises:
        UserError: if it cannot be opened.
    """

    def __init__(self, url: str | URL) -> None:
        try:
            self._engine = create_engine(url, json_serializer=stored_json, pool_pre_ping=True)
        except (ArgumentError, ImportError, ValueError) as error:
            raise UserError(
                f"TRICKLINE_DB names no database that can be opened ({error}); "
                "give a URL such as postgresql+psycopg://user@host/name and install its driver."
            ) from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
        try:
            self._create_tables()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose changes are kept together when the block ends well, and undone together when it raises.

        Begin a block that writes with the write: SQLite refuses at once, without waiting for its turn, a transaction
        that has read what another process then changed.

        Raises:
            UserError: if the database is locked for 30 s, damaged, full, read-only or out of reach.
            IntegrityError: if a row breaks a rule of its table, for the caller to judge.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            # The other subclasses of DatabaseError blame the statement and not the database.
            if isinstance(error, OperationalError) or type(error) is DatabaseError:
                raise self._unusable(error) from error
            raise

    def _create_tables(self) -> None:
        try:
            self._create_missing_tables()
        except (IntegrityError, ProgrammingError):
            # PostgreSQL refuses the slower of two processes that make the same table, once the other is done.
            self._create_missing_tables()

    def _create_missing_tables(self) -> None:
        with self.transaction() as connection:
            for table in metadata.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))

    def _unusable(self, error: DatabaseError) -> UserError:
        url = self._engine.url
        where = url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
        code = getattr(error.orig, "sqlite_errorname", "")
        remedy = next((remedy for name, remedy in _REMEDIES.items() if code.startswith(name)), _REMEDY)
        reason = (str(error.orig).splitlines() or ["no reason given"])[0]
        return UserError(f"Cannot use the database {where} ({reason}); {remedy}.")


def _prepare_sqlite(connection: SqliteConnection, _: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_S * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    # Of two processes that switch a new file to write-ahead mode at once SQLite refuses one without letting it wait.
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except SqliteError as error:
            if error.sqlite_errorcode != SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
