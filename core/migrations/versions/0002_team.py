"""Several machines share the records: each has its own copies of the videos, its own jobs and its own worker.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Jobs that were submitted before are anybody's."""
    op.create_table(
        "places",
        sa.Column("session_id", sa.String, sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("home", sa.String, primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("home", sa.String, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("doing", sa.JSON, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("jobs", sa.Column("home", sa.String))
    op.add_column("jobs", sa.Column("host", sa.Text))
    op.add_column("jobs", sa.Column("worker", sa.String))
