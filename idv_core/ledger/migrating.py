"""Brings the tables up to date, by Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, MetaData, text

from .errors import NewerRelease

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = "idv_migration"


def migrate(engine: Engine) -> None:
    """Make the tables, or bring them to what this release needs. Doing it twice is once; two processes wait for each other.

    Platforms with Alembic of their own call this in a migration of theirs, or include `idv_core.ledger.tables.metadata`.

    Raises NewerRelease where a newer release has changed them.
    """
    upgrade(engine, MIGRATIONS)


def upgrade(engine: Engine, folder: Path) -> None:
    """Run those migrations of a folder that were not run yet. Raises NewerRelease."""
    config = _config(folder)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
            return
        except CommandError:
            # the last one that was run is none of ours
            pass
    raise NewerRelease(
        "the tables were changed by a newer release: install that one again, or restore the backup from before the update"
    )


def run(metadata: MetaData, versions: str, lock: int) -> None:
    """What an `env.py` does: run the migrations on the connection that `upgrade` brings. SQLite is altered by copying (batch).

    Args:
        metadata: The tables as they are now.
        versions: The table that says which migrations were run.
        lock: The advisory lock of PostgreSQL under which processes wait for each other.
    """
    connection = context.config.attributes["connection"]
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({lock})"))
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=versions,
        render_as_batch=True,
        transactional_ddl=is_postgresql,
    )
    with context.begin_transaction():
        context.run_migrations()


def are_behind(engine: Engine, folder: Path, versions: str) -> bool:
    """Whether migrations of a folder are still to be run. `versions` is the table that says which were."""
    known = ScriptDirectory.from_config(_config(folder))
    with engine.connect() as connection:
        done = set(MigrationContext.configure(connection, opts={"version_table": versions}).get_current_heads())
    # those of a newer release are not known here, and where a platform migrates by itself there are none
    return bool(done & {one.revision for one in known.walk_revisions()} - set(known.get_heads()))


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
