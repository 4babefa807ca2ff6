"""Two web processes and two workers: each with a gateway and a connection of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from workers import LOOK_EVERY, Store, open_one, webhook_app, work

from idv_core.errors import VendorUnavailable
from idv_core.testing import FakeVendor


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    made = [Store(tmp_path / "platform.db") for _ in range(4)]
    yield made
    for store in made:
        store.close()


def test_a_webhook_at_one_process_is_worked_on_by_another(fake_vendor: FakeVendor, stores: list[Store]) -> None:
    clock = fake_vendor.clock
    web_1, web_2, worker_1, worker_2 = (fake_vendor.gateway() for _ in range(4))
    flow = open_one(web_1, stores[0], fake_vendor.order("APP-1"), clock.now())
    fake_vendor.deliver_to(Starlette(routes=[Mount("/idv", webhook_app(web_2, stores[1], clock.now))]))
    assert work(worker_1, stores[2], "worker-1", clock.now()) == 0
    fake_vendor.decide(flow, "approved")
    looked = [work(worker_1, stores[2], "worker-1", clock.now()), work(worker_2, stores[3], "worker-2", clock.now())]
    assert looked == [1, 0]
    assert stores[0].decision("APP-1") == "approved"


def test_without_a_webhook_the_worker_looks_by_itself(fake_vendor: FakeVendor, stores: list[Store]) -> None:
    idv, clock = fake_vendor.gateway(), fake_vendor.clock
    flow = open_one(idv, stores[0], fake_vendor.order("APP-1"), clock.now())
    fake_vendor.decide(flow, "declined")
    clock.advance(LOOK_EVERY.total_seconds())
    assert work(idv, stores[1], "worker-1", clock.now()) == 1
    assert stores[1].decision("APP-1") == "declined"
    assert work(idv, stores[1], "worker-1", clock.now() + LOOK_EVERY) == 0


def test_while_the_vendor_is_down_nothing_is_lost(fake_vendor: FakeVendor, stores: list[Store]) -> None:
    idv, clock = fake_vendor.gateway(), fake_vendor.clock
    flow = open_one(idv, stores[0], fake_vendor.order("APP-1"), clock.now())
    fake_vendor.decide(flow, "approved")
    clock.advance(LOOK_EVERY.total_seconds())
    fake_vendor.fail(next="result", error=VendorUnavailable)
    work(idv, stores[0], "worker-1", clock.now())
    assert stores[0].decision("APP-1") is None
    clock.advance(LOOK_EVERY.total_seconds())
    work(idv, stores[0], "worker-1", clock.now())
    assert stores[0].decision("APP-1") == "approved"


def test_a_verification_that_may_change_is_looked_at_again(fake_vendor: FakeVendor, stores: list[Store]) -> None:
    idv, clock = fake_vendor.gateway(), fake_vendor.clock
    flow = open_one(idv, stores[0], fake_vendor.order("APP-1"), clock.now())
    fake_vendor.decide(flow, "declined")
    fake_vendor.announce_reopening(flow)
    stores[0].look_now(clock.now(), None, f"fake/{flow.id}")
    assert work(idv, stores[0], "worker-1", clock.now()) == 1
    fake_vendor.decide(flow, "approved")
    assert work(idv, stores[0], "worker-1", clock.now() + LOOK_EVERY) == 1
    assert stores[0].decision("APP-1") == "approved"
