"""A ledger on each of the two databases: SQLite in a file, and a real PostgreSQL that these tests start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from books import KEY, make_ledger, postgresql_server

from idv_core.ledger import Ledger
from idv_core.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Of the gateway, and of the ledger on SQLite. PostgreSQL has its own, which is the real one."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def connect(url: str, clock: FakeClock) -> Iterator[Callable[..., Ledger]]:
    """Another ledger on the same database, as another process would have it."""
    made: list[Ledger] = []

    def connect(*keys: Any, **more: Any) -> Ledger:
        made.append(make_ledger(url, clock, keys or (KEY,), **more))
        return made[-1]

    yield connect
    for ledger in made:
        ledger.close()


@pytest.fixture
def ledger(connect: Callable[..., Ledger]) -> Ledger:
    return connect()
