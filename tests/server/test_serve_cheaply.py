"""What makes calls cheap holds: a key that is known is not asked for again, and is forgotten in time; writers queue up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
from acme import order
from books import KEY
from sqlalchemy import create_engine, event
from starlette.responses import JSONResponse, Response

from idv_core.ledger import Ledger
from idv_core.ledger.store import connect
from idv_core.server import idempotency, keys
from idv_core.server.migrating import migrate
from idv_core.testing import FakeClock


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path}/idv.db"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgresql")
        made = make()
    engine = connect(made)
    migrate(engine)
    engine.dispose()
    return made


@pytest.fixture
def processes(url: str) -> Iterator[tuple[Ledger, Ledger]]:
    """The ledgers of two processes, whose time is that of the test."""
    made = Ledger(url, keys=[KEY], clock=FakeClock()), Ledger(url, keys=[KEY], clock=FakeClock())
    yield made
    for one in made:
        one.close()


class TestKeys:
    def test_one_that_is_known_is_found_without_the_database(self, processes: tuple[Ledger, Ledger]) -> None:
        store, _ = (one.store for one in processes)
        token = keys.add(store, "tests", ["read"]).reveal()
        assert keys.recall(store, token) is None
        found = keys.find(store, token)
        asked: list[str] = []
        event.listen(store.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
        assert keys.recall(store, token) == found is not None
        assert keys.recall(store, token[:-1] + ("x" if token[-1] != "x" else "y")) is None
        assert asked == []

    def test_one_that_another_process_revoked_is_forgotten(self, processes: tuple[Ledger, Ledger]) -> None:
        store, other = (one.store for one in processes)
        token = keys.add(store, "tests", ["read"]).reveal()
        found = keys.find(store, token)
        assert found is not None
        keys.revoke(other, found.id)
        clock: Any = store.clock
        clock.advance(keys.FORGOTTEN)
        assert keys.recall(store, token) is None
        assert keys.find(store, token) is None
        assert keys.recall(store, token) is None

    def test_one_that_this_process_revoked_is_forgotten_at_once(self, processes: tuple[Ledger, Ledger]) -> None:
        store, _ = (one.store for one in processes)
        token = keys.add(store, "tests", ["read"]).reveal()
        found = keys.find(store, token)
        assert found is not None
        keys.revoke(store, found.id)
        assert keys.recall(store, token) is None


async def test_the_same_request_is_run_once_on_both_databases(processes: tuple[Ledger, Ledger]) -> None:
    runs: list[int] = []

    async def run() -> Response:
        runs.append(1)
        return JSONResponse({"run": len(runs)}, 202)

    answers = [await idempotency.once(one.store, "key", "5f0c", b"content", run) for one in processes]
    assert [answer.body for answer in answers] == [b'{"run":1}'] * 2
    assert len(runs) == 1


def test_threads_that_write_wait_for_each_other_and_not_for_the_file(tmp_path: Path) -> None:
    # SQLite gives up at once where the file is taken
    engine = create_engine(f"sqlite:///{tmp_path}/idv.db", connect_args={"timeout": 0}, pool_size=20)
    migrate(engine)
    ledger = Ledger(engine, keys=[KEY])
    person = order().applicant

    def take(number: int) -> str:
        one = attrs.evolve(person, reference=f"CUST-{number}")
        return ledger.take(order(application_id=f"APP-{number}", applicant=one)).id

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(take, range(200)))) == 200
    ledger.close()
