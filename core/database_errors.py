"""What databases complain of, in sentences that say what to do. A password is in none of them."""

from __future__ import annotations

import re

from sqlalchemy import URL
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from core.errors import UserError


class DatabaseAway(UserError):
    """The server of the database does not answer now; who can wait should ask again."""


_SQLITE = {
    "SQLITE_NOTADB": "move the file away, or put the right one in its place",
    "SQLITE_CORRUPT": "put a copy of it in its place, or move it away to start a new one",
    "SQLITE_ERROR": "it was not made by this version of Trickline: choose another folder with TRICKLINE_HOME",
    "SQLITE_BUSY": "close the other program that holds it and try again",
    "SQLITE_READONLY": "make the file and its folder writable, or choose another folder with TRICKLINE_HOME",
    "SQLITE_CANTOPEN": "make its folder writable, or choose another one with TRICKLINE_HOME",
    "SQLITE_FULL": "free some space and try again",
    "SQLITE_IOERR": "check the disk and the space left on it",
}
_POSTGRES = {
    "53100": "free some space on the server's disk and try again",
    "53200": "the server is short of memory: try again in a moment",
    "55P03": "close the other program that holds it and try again",
    "40P01": "two changes were in each other's way: try again",
    "25006": "the server takes no changes: let TRICKLINE_DB name the one that does",
    "42501": "let the owner of the database grant this user the right to make and change tables",
    "3F000": "let the owner of the database make a schema for this user",
}
"""By SQLSTATE."""
_REFUSED = {
    "password": "check the user and the password in TRICKLINE_DB",
    "authentication": "check the user and the password in TRICKLINE_DB",
    "pg_hba.conf": "let its pg_hba.conf allow this machine and user",
    "does not exist": "let TRICKLINE_DB name a database and a user that exist, or make them (createdb)",
    "permission denied for database": "let the owner of the database grant this user the right to connect",
}
"""By what stands in the answer to a connection that the server, or its library, refuses: those have no SQLSTATE."""
_MISSPELT = "check that TRICKLINE_DB is written as the documentation of PostgreSQL has it"
_AWAY = "it does not answer: check that TRICKLINE_DB names the right server, or try again once that runs"
_BROKEN = "check that TRICKLINE_DB names the right database"


def unusable(error: DBAPIError, url: URL) -> UserError | None:
    """The sentence on an error that lies with the database; None for one that blames the statement.

    Args:
        url: of the database. Neither its password nor its options are told.
    """
    if url.get_backend_name() == "sqlite":
        # The other subclasses of DatabaseError blame the statement and not the database.
        if not (isinstance(error, OperationalError) or type(error) is DatabaseError):
            return None
        code = getattr(error.orig, "sqlite_errorname", "")
        remedy = next((remedy for name, remedy in _SQLITE.items() if code.startswith(name)), _BROKEN)
        return UserError(f"Cannot use the database {url.database} ({_reason(error)}); {remedy}.")
    return _postgres(error, url)


def none_free(url: URL) -> DatabaseAway:
    """The sentence where all connections of this process have been in use for too long."""
    return DatabaseAway(f"Cannot use the database {named(url)} (too many ask it at once): try again in a moment.")


def is_missing_table(error: DBAPIError) -> bool:
    """Whether a statement failed because there is no such table."""
    told = str(error.orig)
    return getattr(error.orig, "sqlstate", None) == "42P01" or told.startswith("no such table")


def named(url: URL) -> str:
    """A database as a sentence calls it, without its password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername=url.get_backend_name(), password=None, query={}).render_as_string()


def _postgres(error: DBAPIError, url: URL) -> UserError | None:
    state = getattr(error.orig, "sqlstate", None)
    reason = _reason(error)
    if state in _POSTGRES:
        return UserError(f"Cannot use the database {named(url)} ({reason}); {_POSTGRES[state]}.")
    if state is not None and state[:2] not in ("08", "28", "3D", "53", "57", "58", "XX"):
        return None
    if re.search(r"(^|: )invalid ", reason):
        return UserError(f"Cannot use the database {named(url)} ({reason}); {_MISSPELT}.")
    # Without an SQLSTATE there was no server to give one, or it refused the connection.
    if state is None and not (error.connection_invalidated or isinstance(error, OperationalError)):
        return None
    remedy = next((remedy for told, remedy in _REFUSED.items() if told in reason), None)
    if remedy:
        return UserError(f"Cannot use the database {named(url)} ({reason}); {remedy}.")
    return DatabaseAway(f"Cannot use the database {named(url)} ({reason}); {_AWAY}.")


def _reason(error: DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or ["no reason given"])[0].rstrip(".: ")
