"""What Alembic runs: the steps, on the connection that :func:`core.migrations.migrate` gives."""

from __future__ import annotations

from alembic import context

from core.records import metadata, version_table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=version_table.name,
)
with context.begin_transaction():
    context.run_migrations()
