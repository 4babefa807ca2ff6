"""Runs the migrations on the connection that `migrate` brings. SQLite is altered by copying (batch)."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from idv_core.server.tables import metadata

_LOCK = 0x1D7C0DF

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="idv_server_migration",
    render_as_batch=True,
    transactional_ddl=connection.dialect.name == "postgresql",
)
with context.begin_transaction():
    context.run_migrations()
