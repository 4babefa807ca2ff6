"""Runs the migrations of the service."""

from __future__ import annotations

from idv_core.ledger.migrating import run
from idv_core.server.migrating import VERSIONS
from idv_core.server.tables import metadata

run(metadata, VERSIONS, lock=0x1D7C0DF)
