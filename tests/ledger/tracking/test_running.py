"""Trackers that run by themselves: in threads, in tasks, in several processes, in a job queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import attrs
import httpx
import pytest
from acme import order
from books import Town, account, later, make_async_gateway, raw
from ledger.following import Connect, Make, Platform

from idv_core import Document
from idv_core.ledger import Ledger, State
from idv_core.testing import FakeClock
from idv_core.tracker import AsyncTracker, Tracker


@pytest.fixture
def once_broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Breaks a function for one call. Trackers do not wait after it."""

    def breaks(name: str) -> None:
        module, _, function = name.rpartition(".")
        real, failures = getattr(import_module(module), function), [1]

        def broken(*args: Any, **more: Any) -> Any:
            if failures:
                failures.pop()
                raise RuntimeError("no thread for Meera")
            return real(*args, **more)

        monkeypatch.setattr(name, broken)
        for one in ("tracker", "aio"):
            monkeypatch.setattr(f"idv_core.tracker.{one}._AWAY", 0.01)

    return breaks


class TestRunning:
    def test_in_threads_an_order_comes_to_its_end_by_itself(
        self, ledger: Ledger, gateways: Any, town: Town, platform: Platform
    ) -> None:
        town.shops["a"].status = "good"
        heard = threading.Event()

        def told(*_: Any) -> None:
            heard.set()

        slow_poll = 30.0  # what is taken here wakes the tracker of this process
        with Tracker(
            gateways(), ledger, on_decided=told, poll=slow_poll, transport=httpx.MockTransport(platform)
        ) as tracker:
            opened = tracker.opened(ledger.take(order()), within=20)
            assert opened.flow is not None
            ledger.wake(opened.id)
            assert heard.wait(20)
        assert ledger.get(opened.id).state is State.DECIDED

    @pytest.mark.parametrize("name", ["idv_core.ledger.leases.claim", "idv_core.tracker.tracker.claim_deliveries"])
    def test_a_fault_that_nobody_foresaw_ends_no_tracker(
        self, ledger: Ledger, gateways: Any, name: str, once_broken: Callable[[str], None], caplog: Any
    ) -> None:
        """And what was claimed before it is worked on at once, not when its lease is over."""
        taken = ledger.take(order())
        once_broken(name)
        with Tracker(gateways(), ledger, transport=httpx.MockTransport(Platform())) as tracker:
            assert tracker.opened(taken, within=20).flow is not None
        assert "what is due cannot be taken: RuntimeError at" in caplog.text
        assert "Meera" not in caplog.text

    @pytest.mark.parametrize("name", ["idv_core.ledger.leases.claim", "idv_core.tracker.aio.claim_deliveries"])
    async def test_nor_one_of_tasks(
        self, ledger: Ledger, town: Town, clock: FakeClock, name: str, once_broken: Callable[[str], None], caplog: Any
    ) -> None:
        taken = ledger.take(order())
        once_broken(name)
        async with (
            make_async_gateway(town, clock, account("a")) as gateway,
            AsyncTracker(gateway, ledger, transport=httpx.MockTransport(Platform())) as tracker,
        ):
            assert (await tracker.opened(taken, within=20)).flow is not None
        assert "what is due cannot be taken: RuntimeError at" in caplog.text

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_another_process_is_told_by_the_database(
        self, ledger: Ledger, connect: Connect, gateways: Any, town: Town
    ) -> None:
        with Tracker(gateways(), ledger, poll=30.0, transport=httpx.MockTransport(Platform())) as tracker:
            # the first one is found at the start
            tracker.opened(ledger.take(order()), within=20)
            person = attrs.evolve(order().applicant, reference="CUST-2")
            other = connect().take(order(application_id="APP-2", applicant=person))
            assert tracker.opened(other, within=20).flow is not None

    async def test_in_tasks_too(self, ledger: Ledger, town: Town, clock: FakeClock, platform: Platform) -> None:
        town.shops["a"].status = "good"
        heard = threading.Event()
        async with (
            make_async_gateway(town, clock, account("a")) as gateway,
            AsyncTracker(
                gateway,
                ledger,
                on_decided=lambda *_: heard.set(),
                poll=30.0,
                transport=httpx.MockTransport(platform),
            ) as tracker,
        ):
            taken = await asyncio.to_thread(ledger.take, order())
            opened = await tracker.opened(taken, within=20)
            assert opened.flow is not None
            after = await tracker.upload(taken.id, [Document("pan", content=b"\x89PNG picture")])
            assert after.flow is not None
            assert len(after.flow.uploads) == 1
            await asyncio.to_thread(ledger.wake, taken.id)
            assert await asyncio.to_thread(heard.wait, 20)
        assert ledger.get(taken.id).state is State.DECIDED
        assert [event.kind for event in ledger.events(taken.id)][:3] == ["ordered", "opening", "opened"]

    async def test_tasks_step_through_what_is_due(
        self, ledger: Ledger, town: Town, clock: FakeClock, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        async with make_async_gateway(town, clock, account("a", "bare")) as gateway:
            tracker = AsyncTracker(gateway, ledger, transport=httpx.MockTransport(platform))
            assert await tracker.step() == 1
            town.shops["a"].status = "good"
            ledger.wake(taken.id)
            assert await tracker.turn(taken.id) is None
            assert await tracker.step() == 1
            await tracker.stop()
        assert platform.told() == [("verification.decided", "APP-1")]

    async def test_tasks_wait_for_an_endpoint_no_longer_than_is_allowed(
        self, ledger: Ledger, town: Town, clock: FakeClock, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("idv_core.tracker.aio.SECONDS", 0.05)

        class Dripping(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield b"{"
                await asyncio.Event().wait()

        def dripping(request: httpx.Request) -> httpx.Response:
            return httpx.Response(platform(request).status_code, stream=Dripping())

        taken = ledger.take(order())
        town.shops["a"].status = "good"
        async with make_async_gateway(town, clock, account("a", "bare")) as gateway:
            tracker = AsyncTracker(gateway, ledger, transport=httpx.MockTransport(dripping))
            for _ in range(3):
                await tracker.step()
                ledger.wake(taken.id)
            await tracker.stop()
        (letter,) = ledger.deliveries(taken.id)
        assert letter.done_at is not None

    def test_a_job_queue_may_drive_single_turns(self, ledger: Ledger, track: Make, town: Town) -> None:
        taken = ledger.take(order())
        tracker = track()
        due = tracker.turn(taken.id)
        assert due is not None
        assert timedelta(0) < due < timedelta(seconds=10)
        before = raw(ledger, taken.id)
        assert tracker.turn(taken.id) is not None  # too early: nothing is done
        assert raw(ledger, taken.id)["turn"] == before["turn"]
        town.shops["a"].status = "good"
        later(ledger, 60)
        assert tracker.turn(taken.id) is None
        assert ledger.get(taken.id).state is State.DECIDED

    def test_workers_have_names_of_their_own(self, track: Make) -> None:
        assert track().worker != track().worker
