"""Brings the tables of the service up to date, by Alembic, beside those of the ledger."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect

from ..ledger import LedgerError
from ..ledger import migrate as migrate_ledger
from ..ledger import migrating as of_ledger
from .tables import metadata

_MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = "idv_server_migration"


def migrate(engine: Engine) -> None:
    """Make the tables of ledger and service, or bring them to what this release needs. Doing it twice is once.

    Raises NewerRelease where a newer release has changed them.
    """
    migrate_ledger(engine)
    of_ledger.upgrade(engine, _MIGRATIONS)


def check_tables(engine: Engine) -> None:
    """Raises LedgerError where tables are missing, or are of an older release."""
    if set(metadata.tables) - set(inspect(engine).get_table_names()):
        raise LedgerError("the tables of the service are missing: run 'idv server migrate'")
    both = ((of_ledger.MIGRATIONS, of_ledger.VERSIONS), (_MIGRATIONS, VERSIONS))
    if any(of_ledger.are_behind(engine, folder, versions) for folder, versions in both):
        raise LedgerError("the tables are of an older release: run 'idv server migrate'")
