"""Circuit breaker, concurrency limiter and rate limiter: at heart without I/O, on a clock that only moves when told."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order
from hypothesis import given
from hypothesis import strategies as st

from idv_core.clock import SystemClock
from idv_core.config import Account
from idv_core.engine.account import Limits
from idv_core.engine.breaker import Breaker, Circuit, CircuitState
from idv_core.engine.daily_cap import DailyCap
from idv_core.engine.limiters import ConcurrencyLimiter, RateLimiter, Slot
from idv_core.errors import DeadlineExceeded, RateLimited, VendorUnavailable
from idv_core.testing import FakeClock


def account(**limits: object) -> Account:
    return attrs.evolve(ACCOUNT, plugin="bare", limits=Limits(**limits))


class TestDailyCap:
    def test_an_opening_of_yesterday_that_did_not_happen_makes_no_room_today(self) -> None:
        evening = datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC)
        morning = evening + timedelta(seconds=2)
        cap = DailyCap(1)
        assert cap.take(evening)
        assert cap.take(morning)
        cap.give_back(evening)
        assert cap.is_reached(morning)
        cap.give_back(morning)
        assert cap.take(morning)

    def test_an_account_that_was_exchanged_meanwhile_counts_on(self) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        before, after = DailyCap(1), DailyCap(1)
        assert before.take(now)
        after.go_on(before)
        assert not after.take(now)
        before.give_back(now)
        assert after.take(now)


class TestBreaker:
    def test_it_opens_probes_and_closes(self) -> None:
        breaker = Breaker(Circuit(failures=3, cooldown=30))
        for _ in range(3):
            assert breaker.state(0) is CircuitState.CLOSED
            changed = breaker.settle(breaker.admit(0), False, 0)
        assert changed is CircuitState.OPEN
        refused = breaker.admit(10)
        assert (refused.granted, refused.wait) == (False, 20)
        assert breaker.state(30) is CircuitState.HALF_OPEN
        probe = breaker.admit(30)
        assert probe.probe
        assert not breaker.admit(30).granted
        assert breaker.settle(probe, True, 31) is CircuitState.CLOSED
        assert breaker.admit(31).granted

    def test_a_failed_probe_opens_it_again(self) -> None:
        breaker = Breaker(Circuit(failures=1, cooldown=30))
        breaker.settle(breaker.admit(0), False, 0)
        assert breaker.settle(breaker.admit(30), False, 32) is CircuitState.OPEN
        assert breaker.wait(32) == 30

    def test_a_cancelled_probe_lets_the_next_one_try(self) -> None:
        breaker = Breaker(Circuit(failures=1, cooldown=30))
        breaker.settle(breaker.admit(0), False, 0)
        breaker.settle(breaker.admit(30), None, 30)
        assert breaker.admit(30).probe

    def test_a_success_in_between_starts_the_count_anew(self) -> None:
        breaker = Breaker(Circuit(failures=2, cooldown=30))
        for alive in (False, True, False, True, False):
            assert breaker.settle(breaker.admit(0), alive, 0) is None

    def test_a_late_answer_does_not_close_it(self) -> None:
        breaker = Breaker(Circuit(failures=1, cooldown=30))
        slow = breaker.admit(0)
        breaker.settle(breaker.admit(0), False, 0)
        breaker.settle(slow, True, 1)
        assert not breaker.admit(1).granted

    @given(st.lists(st.tuples(st.floats(0, 50), st.sampled_from([True, False, None])), max_size=60))
    def test_at_most_one_probe_and_never_a_call_while_open(self, events: list[tuple[float, bool | None]]) -> None:
        breaker = Breaker(Circuit(failures=2, cooldown=10))
        now, created_at = 0.0, None
        for passed, alive in events:
            now += passed
            admission = breaker.admit(now)
            if created_at is not None and now - created_at < 10:
                assert not admission.granted
            if not admission.granted:
                continue
            if admission.probe:
                assert not breaker.admit(now).granted
            match breaker.settle(admission, alive, now):
                case CircuitState.OPEN:
                    created_at = now
                case CircuitState.CLOSED:
                    created_at = None

    def test_a_vendor_that_is_down_is_left_alone(self, vendor: Vendor, clock: FakeClock) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(503)
        idv = gateway(vendor, clock, attrs.evolve(ACCOUNT, plugin="bare", circuit=Circuit(failures=4, cooldown=60)))
        for _ in range(20):
            with pytest.raises(VendorUnavailable) as caught:
                idv.status("acme-1/f-1")
        assert len(vendor.requests) == 4
        assert "failed 4 times in a row, last with HTTP 503" in str(caught.value)
        assert caught.value.safe_to_retry
        health = idv.health()["acme-1"]
        assert (health.circuit, health.available, health.last_failure) == (CircuitState.OPEN, False, "HTTP 503")
        assert caught.value.retry_after == timedelta(seconds=health.retry_in)
        clock.advance(60)
        assert idv.health()["acme-1"].circuit is CircuitState.HALF_OPEN
        del vendor.answers["GET /flows"]
        idv.status("acme-1/f-1")
        assert idv.health()["acme-1"].circuit is CircuitState.CLOSED

    def test_refusals_and_strange_answers_are_signs_of_life(self, vendor: Vendor) -> None:
        idv = gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare", circuit=Circuit(failures=2)))
        for answer in (httpx.Response(404), httpx.Response(429), httpx.Response(200, content=b"<html>")) * 3:
            vendor.answers["GET /flows"] = lambda _, answer=answer: answer
            with pytest.raises(Exception, match="acme-1"):
                idv.status("acme-1/f-1")
        assert idv.health()["acme-1"].failures == 0

    def test_nothing_is_sent_to_a_vendor_that_is_left_alone_so_a_create_may_be_repeated(
        self, vendor: Vendor, clock: FakeClock
    ) -> None:
        idv = gateway(vendor, clock, attrs.evolve(ACCOUNT, plugin="bare", circuit=Circuit(failures=1)))
        vendor.answers["GET /flows"] = lambda _: httpx.Response(500)
        with pytest.raises(VendorUnavailable):
            idv.status("acme-1/f-1")
        with pytest.raises(VendorUnavailable) as caught:
            idv.open(order())
        assert caught.value.safe_to_retry
        assert "/flows" not in vendor.paths()


class TestTurns:
    @given(st.lists(st.sampled_from(["come", "leave", "give up"]), max_size=80), st.integers(1, 4))
    def test_first_come_first_served_and_never_too_many(self, events: list[str], most: int) -> None:
        limiter = ConcurrencyLimiter(most)
        line: list[Slot] = []
        running: list[Slot] = []
        for event in events:
            if event == "come":
                line.append(Slot())
                limiter.join(line[-1])
            elif event == "leave" and running:
                limiter.give_back(running.pop(0))
            elif event == "give up" and line:
                limiter.give_back(line.pop(0))
            served = [turn for turn in line if turn.granted]
            assert line[: len(served)] == served, "somebody was served before his turn"
            running += served
            line = line[len(served) :]
            assert len(running) == limiter.running <= most
            assert len(line) == limiter.waiting
            assert not line or len(running) == most, "a turn is free and somebody waits"

    def test_giving_back_twice_or_what_was_never_had_changes_nothing(self) -> None:
        """An interrupt may come anywhere, so callers give back in a `finally` whatever happened before."""
        limiter, first, second = ConcurrencyLimiter(1), Slot(), Slot()
        limiter.give_back(first)
        assert limiter.take(first)
        assert not limiter.take(second)
        limiter.join(second)
        limiter.give_back(second)
        limiter.give_back(second)
        assert (limiter.running, limiter.waiting, first.granted) == (1, 0, True)
        limiter.give_back(first)
        limiter.give_back(first)
        assert limiter.take(second)
        assert limiter.running == 1

    async def test_never_more_calls_at_a_time_than_allowed(self, vendor: Vendor) -> None:
        gauge = Gauge()
        idv = async_gateway(vendor, SystemClock(), account(concurrency=3), transport=gauge)
        await asyncio.gather(*(idv.status(f"acme-1/f-{number}") for number in range(20)))
        assert gauge.most == 3
        assert gauge.order == [f"/flows/f-{number}" for number in range(20)]
        assert idv.health()["acme-1"].running == 0

    def test_with_threads_too(self, vendor: Vendor) -> None:
        gauge = Gauge()
        with gateway(vendor, SystemClock(), account(concurrency=2), transport=gauge) as idv:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda number: idv.status(f"acme-1/f-{number}"), range(16)))
            assert gauge.most == 2
            assert idv.health()["acme-1"].running == 0

    async def test_a_cancelled_caller_leaves_the_line(self, vendor: Vendor) -> None:
        gauge = Gauge()
        idv = async_gateway(vendor, SystemClock(), account(concurrency=1), transport=gauge)
        gauge.closed.clear()
        calls = [asyncio.create_task(idv.status("acme-1/f-1")) for _ in range(5)]
        while idv.health()["acme-1"].waiting < 4:
            await asyncio.sleep(0)
        for call in calls[1:4]:
            call.cancel()
        gauge.closed.set()
        await asyncio.gather(calls[0], calls[4])
        assert (idv.health()["acme-1"].running, idv.health()["acme-1"].waiting) == (0, 0)

    def test_who_waits_too_long_is_told_why(self, vendor: Vendor, clock: FakeClock) -> None:
        idv = gateway(vendor, clock, account(concurrency=1, operation=10))
        errors: list[Exception] = []

        def busy(_: httpx.Request) -> httpx.Response:
            with pytest.raises(DeadlineExceeded, match="all 1 concurrent calls") as caught:
                idv.status("acme-1/f-2")
            errors.append(caught.value)
            return httpx.Response(200, json={})

        vendor.answers["GET /flows/f-1"] = busy
        idv.status("acme-1/f-1")
        assert len(errors) == 1
        assert idv.health()["acme-1"].running == 0


class TestPace:
    @given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5), st.floats(0.5, 20))
    def test_never_faster_and_never_slower_than_needed(self, gaps: list[float], burst: int, rate: float) -> None:
        pace = RateLimiter(rate, burst)
        now, starts = 0.0, []
        for gap in gaps:
            now += gap
            wait, reserved = pace.reserve(now, 1e9)
            assert reserved
            starts.append(now + wait)
        assert starts == sorted(starts), "who comes first goes first"
        for index, start in enumerate(starts):
            window = [other for other in starts[index:] if other < start + 1 - 1e-6]
            assert len(window) <= burst + rate
        assert not starts or starts[0] == gaps[0]

    def test_who_has_no_patience_takes_nobodys_place(self) -> None:
        pace = RateLimiter(1, 1)
        assert pace.reserve(0, 0) == (0, True)
        assert pace.reserve(0, 0.5) == (1, False)
        assert pace.reserve(0, 1) == (1, True)

    def test_calls_are_spread(self, vendor: Vendor, clock: FakeClock) -> None:
        idv = gateway(vendor, clock, account(rate=2, burst=1))
        for _ in range(5):
            idv.status("acme-1/f-1")
        assert clock.monotonic() == 2

    def test_no_room_before_the_deadline_is_said_at_once(self, vendor: Vendor, clock: FakeClock) -> None:
        idv = gateway(vendor, clock, account(rate=0.01, operation=10))
        idv.status("acme-1/f-1")
        with pytest.raises(RateLimited, match="our own rate limit") as caught:
            idv.status("acme-1/f-1")
        assert caught.value.retry_after == timedelta(seconds=100)
        assert clock.monotonic() == 0


class Gauge(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Counts how many calls run at the same time."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.order: list[str] = []
        self.lock = threading.Lock()
        self.closed = asyncio.Event()
        self.closed.set()

    def _begin(self, request: httpx.Request) -> None:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.order.append(request.url.path)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._begin(request)
        threading.Event().wait(0.002)
        with self.lock:
            self.running -= 1
        return httpx.Response(200, json={"status": "busy"})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._begin(request)
        await self.closed.wait()
        await asyncio.sleep(0)
        self.running -= 1
        return httpx.Response(200, json={"status": "busy"})
