"""Brings the tables of the service up to date, by Alembic, beside those of the ledger."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, inspect

from ..ledger import LedgerError
from ..ledger import migrate as migrate_ledger
from .tables import metadata

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: Engine) -> None:
    """Make the tables of ledger and service, or bring them to what this release needs. Doing it twice is once."""
    migrate_ledger(engine)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_tables(engine: Engine) -> None:
    """Raises LedgerError where tables of the service are missing."""
    if set(metadata.tables) - set(inspect(engine).get_table_names()):
        raise LedgerError("the tables of the service are missing: run 'idv server migrate'")
