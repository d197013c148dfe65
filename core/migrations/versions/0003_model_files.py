"""The files of the models, for machines that share the records and no folder.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The files themselves come later: a database does not know where the folders of the models are."""
    op.create_table(
        "model_files",
        sa.Column("model_id", sa.String, sa.ForeignKey("models.id"), primary_key=True),
        sa.Column("digest", sa.String),
        sa.Column("content", sa.LargeBinary),
    )
