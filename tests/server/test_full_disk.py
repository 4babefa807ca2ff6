"""A database that can be read and not written: a full disk, a standby. Who looks is let in, and the log says what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from server.operators import log_in
from server.running import ORDER, Running
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from idv_core.ledger.store import Store
from idv_core.server.tables import sessions

V = "/v1/verifications"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on nothing can be written."""

    @contextmanager
    def begin(self: Store, connection: Any = None) -> Iterator[Any]:
        raise OperationalError("INSERT", {"name": "Meera"}, Exception("database or disk is full"))
        yield

    return lambda: monkeypatch.setattr(Store, "begin", begin)


@pytest.fixture
def looking(running: Running) -> tuple[httpx.Client, httpx.Client, str]:
    """A program and an operator who have not been here for minutes, and a verification."""
    id = running.client("verify").post(V, json=ORDER).json()["id"]
    operator = log_in(running, "ana")
    store = running.ledger.store
    with store.begin() as con:
        con.execute(update(sessions).values(seen_at=store.clock.now() - timedelta(minutes=5)))
    return running.client("read"), operator, id


def test_who_looks_is_let_in(
    looking: tuple[httpx.Client, httpx.Client, str], full: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    program, operator, id = looking
    full()
    for path in (f"{V}/{id}", f"{V}/{id}/events", V, "/metrics"):
        assert program.get(path).status_code == 200, path
    for path in ("/console", f"/console/verifications/{id}", "/console/verifications", "/console/trouble"):
        assert operator.get(path).status_code == 200, path
    assert "Meera" not in caplog.text


def test_who_orders_is_told_to_come_again_and_the_log_says_why(
    running: Running, full: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    program = running.client("verify")
    full()
    refused = program.post(V, json=ORDER)
    assert (refused.status_code, refused.json()["type"], refused.headers["retry-after"]) == (
        503,
        "DatabaseUnavailable",
        "5",
    )
    assert "the disk of the ledger's database is full: free some space" in caplog.text
    assert "Meera" not in caplog.text
