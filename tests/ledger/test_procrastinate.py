"""Procrastinate drives the turns; a worker of it is killed between the vendor's answer and our record."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from acme import order
from books import KEY, make_ledger
from crash import apply_schema
from crash_town import Around

from idv_core.ledger import Ledger, State
from idv_core.testing import FakeClock

pytestmark = pytest.mark.long


def test_a_killed_worker_of_procrastinate_loses_nothing(postgresql: Callable[[], str]) -> None:
    url = postgresql()
    make_ledger(url, FakeClock(datetime.now(UTC))).close()
    apply_schema(url)
    ledger, around = Ledger(url, keys=[KEY]), Around(url, driver="procrastinate")
    taken = ledger.take(order(product="acme"))
    killed = around.start("commit.opened.before")
    assert killed.wait(60) == -signal.SIGKILL
    assert ledger.get(taken.id).state is State.OPENING
    worker = around.start()
    end = time.monotonic() + 60
    while ledger.deliveries(taken.id) == () or ledger.deliveries(taken.id)[0].done_at is None:
        assert time.monotonic() < end, ledger.events(taken.id)
        time.sleep(0.05)
    worker.kill()
    worker.wait()
    kinds = [event.kind for event in ledger.events(taken.id)]
    assert kinds == ["ordered", "opening", "recovered", "decided", "delivered"]
    assert around.vendor.shop.opened == ["CUST-1"]
    around.stop()
    ledger.close()
