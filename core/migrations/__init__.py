"""From the layout of an older database to that of :mod:`core.records`, by Alembic's steps in ``versions``.

A change of the tables is a new module there, with the number of the one before as its ``down_revision``, and its own
number as :data:`core.database.LAYOUT`. The tests compare what all steps lead to with the tables. There is no way back:
who needs one keeps a copy of the database.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, inspect, select

from core.database_errors import named
from core.errors import UserError
from core.records import session_table, version_table

_FIRST = {"id", "name", "path", "facts", "added_at"}
"""Columns that the table of the sessions has had from the beginning."""


def config(connection: Connection) -> Config:
    """What Alembic needs to know, with no file of its own."""
    made = Config()
    made.set_main_option("script_location", "core:migrations")
    made.attributes["connection"] = connection
    return made


def migrate(connection: Connection, url: URL, to: str = "head") -> None:
    """Take the steps that are missing, within the open transaction of ``connection``.

    Databases from before there were numbers count as those before the first step, which takes them over.

    Args:
        url: of the database, for sentences.
        to: the number of the last step.

    Raises:
        UserError: a newer Trickline made the database, or another program.
    """
    settings = config(connection)
    inspector = inspect(connection)
    if inspector.has_table(version_table.name):
        number = connection.execute(select(version_table)).scalar_one_or_none()
        if number is not None and not _known(settings, number):
            newest = ScriptDirectory.from_config(settings).get_current_head()
            raise UserError(
                f"The database {named(url)} was changed by a newer Trickline (layout {number}, this one knows up to "
                f"{newest}); update Trickline on this machine."
            )
    elif inspector.has_table(session_table.name):
        columns = {column["name"] for column in inspector.get_columns(session_table.name)}
        if not columns >= _FIRST:
            raise UserError(
                f"Cannot use the database {named(url)} (its table {session_table.name} is another program's); "
                "it was not made by Trickline: choose another with TRICKLINE_DB or TRICKLINE_HOME."
            )
    command.upgrade(settings, to)


def _known(settings: Config, number: str) -> bool:
    try:
        return ScriptDirectory.from_config(settings).get_revision(number) is not None
    except CommandError:
        return False
