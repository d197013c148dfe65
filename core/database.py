"""The database of the workspace: opened safely by many processes at once, and its errors in words that help."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from sqlite3 import SQLITE_BUSY
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteError
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, inspect, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.schema import CreateTable

from core.database_errors import DatabaseAway, is_missing_table, none_free, unusable
from core.errors import UserError
from core.records import metadata, stored_json, version_table

__all__ = ["LAYOUT", "LOCK_WAIT_S", "Database", "DatabaseAway"]

LAYOUT = "0003"
"""The newest step of :mod:`core.migrations`, which makes the tables of :mod:`core.records`."""
LOCK_WAIT_S = 30
"""How long a writer waits for another one. A write takes milliseconds: who holds the database longer has hung."""

_CONNECT_S = 10
"""A server that has not answered by then is out of reach."""
_LAYOUT_LOCK = 0x7472_6963_6B6C
"""Who changes the layout of a PostgreSQL database holds this advisory lock."""


class Database:
    """A database with the tables of :mod:`core.records`. Threads may share it; each process opens its own.

    A database of an older Trickline is brought to the layout of this one, nothing in it is lost. Of several processes
    that open it at once one does so and the others wait.

    Args:
        url: SQLAlchemy's URL of a SQLite file or a PostgreSQL server. SQLite is kept in write-ahead mode, so that
            readers and a writer need not wait for each other.

    Raises:
        UserError: if it cannot be opened, or a newer Trickline has changed its layout.
    """

    def __init__(self, url: str | URL) -> None:
        self._engine = _engine(url)
        try:
            if not self._is_current():
                self._bring_up_to_date()
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
        that has read what another process then changed. On PostgreSQL each statement sees what others have committed
        by then: a block that writes what it worked out from a read must hold that row first, by an update.

        Raises:
            UserError: if the database is locked for 30 s, damaged, full, read-only or out of reach; a
                :class:`DatabaseAway` where waiting helps.
            IntegrityError: if a row breaks a rule of its table, for the caller to judge.
        """
        with self._in_words(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection to read from, by :meth:`rows`: all reads see the database as it was at the first of them.

        Raises:
            UserError: as for :meth:`transaction`.
        """
        with self._in_words(), self._engine.connect() as connection:
            if self._is_postgres:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                connection.exec_driver_sql("BEGIN")  # which Python's sqlite3 would not do before a read
            yield connection

    def rows(self, db: Connection, table: Table, at_once: int) -> Iterator[list[dict[str, Any]]]:
        """All rows of a table, ``at_once`` at a time.

        Errors tell of this database even where they occur within another one's transaction.

        Raises:
            UserError: as for :meth:`transaction`.
        """
        with self._in_words():
            read = db.execute(select(table), execution_options={"yield_per": at_once})
            for part in read.mappings().partitions():
                yield [dict(row) for row in part]

    def upsert(self, db: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Write a row within an open transaction, over the one that has this key if there is one."""
        dialect = postgresql if self._is_postgres else sqlite
        row = dialect.insert(table).values(**key, **values)
        db.execute(row.on_conflict_do_update(index_elements=list(key), set_=dict(values)))

    def take_turns(self, db: Connection, what: str) -> None:
        """Wait within an open transaction for others that have said the same, until theirs have ended.

        SQLite has but one writer at a time: there a transaction that begins with a write has waited already.
        """
        if self._is_postgres:
            db.execute(select(func.pg_advisory_xact_lock(func.hashtext(what))))

    @property
    def url(self) -> URL:
        """Where the database is, its password included."""
        return self._engine.url

    @property
    def _is_postgres(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            sentence = unusable(error, self._engine.url)
            if sentence is None:
                raise
            raise sentence from error
        except NoneFree as error:
            raise none_free(self._engine.url) from error

    def _is_current(self) -> bool:
        """Whether the layout is that of this Trickline. The one question at every opening: it takes no library."""
        with self._in_words():
            try:
                with self._engine.connect() as connection:
                    return connection.execute(select(version_table)).scalar_one_or_none() == LAYOUT
            except DBAPIError as error:
                if is_missing_table(error):
                    return False
                raise

    def _bring_up_to_date(self) -> None:
        with self._layout_lock() as connection:
            there = set(inspect(connection).get_table_names())
            if there.isdisjoint([version_table.name, *metadata.tables]):
                # Nothing is there: this is what all steps together lead to.
                for table in (*metadata.sorted_tables, version_table):
                    connection.execute(CreateTable(table))
                connection.execute(version_table.insert().values(version_num=LAYOUT))
                return
            from core.migrations import migrate  # loads Alembic, which only the first opening after an update needs

            migrate(connection, self._engine.url)

    @contextmanager
    def _layout_lock(self) -> Iterator[Connection]:
        """A transaction that nobody else is in at the same time, and in which tables can be changed."""
        with self._in_words(), self._engine.connect() as connection:
            if self._is_postgres:
                with connection.begin():
                    connection.execute(select(func.pg_advisory_xact_lock(_LAYOUT_LOCK)))
                    yield connection
                return
            # Python's sqlite3 would begin late, and end the transaction at a change of a table.
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")


def _engine(url: str | URL) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # whose text may hold a part of the password
        raise UserError(
            "TRICKLINE_DB names no database that can be opened (it is no URL); give one such as "
            "postgresql+psycopg://user:password@host/name, in whose password @ : / and % stand as %40 %3A %2F and %25."
        ) from error
    if parsed.drivername in ("postgresql", "postgres"):  # as libpq has it; SQLAlchemy means an older driver by that
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        engine = create_engine(parsed, json_serializer=stored_json, pool_pre_ping=True, **_options(parsed))
    except ImportError as error:
        raise UserError(
            f"TRICKLINE_DB names no database that can be opened: its driver {error.name} is not installed; "
            "for PostgreSQL run: pip install 'trickline[postgres]'."
        ) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise UserError(
            f"TRICKLINE_DB names no database that can be opened: there is no kind {parsed.drivername}; "
            "give a URL such as postgresql+psycopg://user@host/name."
        ) from error
    name = engine.dialect.name
    if name not in ("sqlite", "postgresql"):
        raise UserError(
            f"TRICKLINE_DB names no database that can be opened: {name} is neither PostgreSQL nor SQLite; "
            "give a URL such as postgresql+psycopg://user@host/name."
        )
    event.listen(engine, "connect", _prepare_sqlite if name == "sqlite" else _prepare_postgres)
    return engine


def _options(url: URL) -> dict[str, Any]:
    """For a driver that waits for minutes else, and cannot tell a dead connection from a slow answer."""
    if url.get_backend_name() != "postgresql" or url.get_driver_name() != "psycopg":
        return {}
    limits = {"connect_timeout": _CONNECT_S, "tcp_user_timeout": LOCK_WAIT_S * 1000}
    return {"connect_args": {name: value for name, value in limits.items() if name not in url.query}}


def _prepare_postgres(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
        # Text goes in and out as it is, whatever the server was set up with.
        cursor.execute("SET client_encoding = 'UTF8'")
    connection.commit()


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
            if error.sqlite_errorcode & 0xFF != SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
