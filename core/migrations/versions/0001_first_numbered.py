"""The tables of before there were numbers. A database that has some of them already keeps them and what is in them.

Revision ID: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make what is missing. The first Trickline had no layers of labels."""
    older = _older_labels()
    if older:
        op.rename_table("label_revisions", "label_revisions_of_before")
        if op.get_bind().dialect.name == "postgresql":  # where the old key keeps its name, which the new one needs
            op.execute("ALTER INDEX label_revisions_pkey RENAME TO label_revisions_of_before_pkey")
    _make_tables()
    if older:
        columns = "session_id, revision, intervals, source, author, saved_at"
        op.execute(
            f"INSERT INTO label_revisions (layer, {columns}) SELECT '', {columns} FROM label_revisions_of_before"
        )
        op.drop_table("label_revisions_of_before")


def _older_labels() -> bool:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table("label_revisions"):
        return False
    return "layer" not in {column["name"] for column in inspector.get_columns("label_revisions")}


def _make_tables() -> None:
    _make(
        "sessions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("added_at", _MOMENT, nullable=False),
    )
    _make(
        "label_revisions",
        _session_key(),
        sa.Column("layer", sa.String, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("intervals", sa.JSON, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("saved_at", _MOMENT, nullable=False),
    )
    _make(
        "models",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("meta", sa.JSON, nullable=False),
        sa.Column("added_at", _MOMENT, nullable=False),
    )
    _make(
        "session_settings",
        _session_key(),
        sa.Column("settings", sa.JSON, nullable=False),
    )
    _make(
        "subjects",
        _session_key(),
        sa.Column("frame", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("x", sa.Float, nullable=False),
        sa.Column("y", sa.Float, nullable=False),
    )
    _make(
        "reviews",
        _session_key(),
        sa.Column("start_frame", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("end_frame", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("label", sa.String, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("stars", sa.Integer, nullable=False),
        sa.Column("kept_start", sa.Integer),
        sa.Column("kept_end", sa.Integer),
        sa.Column("author", sa.Text),
        sa.Column("history", sa.JSON, nullable=False),
        sa.Column("reviewed_at", _MOMENT, nullable=False),
    )
    _make(
        "jobs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("session_id", sa.String),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("fraction", sa.Float, nullable=False),
        sa.Column("rate", sa.Float),
        sa.Column("left_s", sa.Float),
        sa.Column("message", sa.Text),
        sa.Column("result", sa.JSON),
        sa.Column("cancel", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
    )


def _make(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(name, *columns, if_not_exists=True)


def _session_key() -> sa.Column[str]:
    return sa.Column("session_id", sa.String, sa.ForeignKey("sessions.id"), primary_key=True)
