"""Brings the tables up to date, by Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: Engine) -> None:
    """Make the tables, or bring them to what this release needs. Doing it twice is once; two processes wait for each other.

    Platforms with Alembic of their own call this in a migration of theirs, or include `idv_core.ledger.tables.metadata`.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
