"""A PostgreSQL server for the tests: made in a temporary folder, thrown away with it, and faster than a safe one."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from sqlalchemy import insert, select

from core.database import Database
from core.records import metadata

PASSWORD = "s3cr3t-of-the-tests"
_QUICK = "-c fsync=off -c full_page_writes=off -c max_connections=60"


@dataclass(frozen=True)
class Server:
    """A running cluster; its files belong to a user who is not root, as PostgreSQL wants it."""

    programs: Path
    folder: Path
    port: int

    def url(self, database: str) -> str:
        """What TRICKLINE_DB is to be: by the socket, which asks for no password and so takes no time."""
        return f"postgresql+psycopg://trickline@/{database}?host={self.folder}&port={self.port}"

    def url_with(self, password: str, database: str, user: str = "trickline") -> str:
        """The same over the network."""
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> None:
        """Run SQL as the owner of everything."""
        where = f"host={self.folder} port={self.port} user=trickline dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = f"{_QUICK} -c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        self._control("start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self) -> None:
        """Stop it as a failure of the machine would: at once, and in the middle of everything."""
        self._control("stop", "-w", "-m", "immediate")

    def runs(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _control(self, *arguments: str) -> None:
        run_as_other(str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), *arguments)


@contextmanager
def server() -> Iterator[Server]:
    """A server with nothing in it; where there can be none, the test fails in CI and is skipped elsewhere."""
    programs = _programs()
    if programs is None:
        _none("PostgreSQL is not installed (Debian: apt install postgresql)")
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        _none("PostgreSQL does not run as root, and there is no runuser to run it as another")
    # Short, for its socket, and not pytest's own, into which nobody else may look.
    folder = Path(tempfile.mkdtemp(prefix="trickline-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        auth = ["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile", str(folder / "password")]
        data = ["-D", str(folder / "data"), "-U", "trickline", "--no-sync", "--encoding=UTF8", "--locale=C"]
        run_as_other(str(programs / "initdb"), *data, *auth)
        made = Server(programs, folder, _free_port())
        made.start()
        try:
            yield made
        finally:
            if made.runs():
                made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(on: Server, options: str = "") -> str:
    """The name of a new database with nothing in it."""
    name = f"t{secrets.token_hex(6)}"
    on.sql(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    return name


@contextmanager
def small_disk(on: Server) -> Iterator[str]:
    """A disk on which a database has a few MiB of room, as the name of its tablespace."""
    folder = on.folder / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=777", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here (it needs root)")
    try:
        run_as_other("mkdir", str(folder / "space"))
        on.sql(f"CREATE TABLESPACE small LOCATION '{folder}/space'")
        yield "small"
        on.sql("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def on_database(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workspaces that are opened meanwhile keep their records in SQLite, or in an empty database of the server."""
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    if kind == "sqlite":
        yield
        return
    url = request.getfixturevalue("postgres_url")
    monkeypatch.setenv("TRICKLINE_DB", url)
    yield
    empty(url)  # in milliseconds, where making a database takes a hundred of them


def copy_records(source: Database, target: Database) -> None:
    """Everything that one database has into another one, which is empty."""
    with source.transaction() as old, target.transaction() as new:
        for table in metadata.sorted_tables:
            rows = [dict(row) for row in old.execute(select(table)).mappings()]
            if rows:
                new.execute(insert(table), rows)


def empty(url: str) -> None:
    """Send away whoever is in a database, and take every row out of it."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"{others} AND pid <> pg_backend_pid()".encode())
        for table in reversed(metadata.sorted_tables):
            connection.execute(f"DELETE FROM {table.name}".encode())


def run_as_other(*command: str) -> None:
    """Run a program as a user who is not root."""
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # pg_ctl's server keeps what it inherits: with a pipe nobody would see the end.
    with tempfile.TemporaryFile() as told:
        ran = subprocess.run([*other, *command], stdin=subprocess.DEVNULL, stdout=told, stderr=told, cwd="/")
        told.seek(0)
        assert ran.returncode == 0, told.read().decode()


def _programs() -> Path | None:
    """Debian keeps them in a folder a version, off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _none(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and in CI the records must be tried on both databases.", pytrace=False)
    pytest.skip(f"{reason}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
