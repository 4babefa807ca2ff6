"""Runs the migrations of the ledger."""

from __future__ import annotations

from idv_core.ledger.migrating import VERSIONS, run
from idv_core.ledger.tables import metadata

run(metadata, VERSIONS, lock=0x1D7C0DE)
