"""Two `idv serve` on one PostgreSQL behind a round robin, over real sockets: one is killed, and both are replaced."""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from books import KEY
from crash_town import PlatformApp
from crash_worker import SECRET
from idv_stripe.testing.emulator import StripeEmulator, Variants
from server.running import ORDER
from sqlalchemy import func, select

from idv_core.clock import SystemClock
from idv_core.ledger import Ledger
from idv_core.ledger.store import connect
from idv_core.ledger.tables import events, verifications
from idv_core.server import keys
from idv_core.server.migrating import migrate
from idv_core.testing import Served

pytestmark = pytest.mark.long

TESTS = Path(__file__).parents[1]
ORDERS = 24
_V = verifications.c
# leases of seconds, for nobody wants to wait for real ones; everything else is the command as it is
SERVE = """
from datetime import timedelta
from crash_worker import hurry
import idv_core.tracker.aio as aio
hurry()
aio.LEASE = timedelta(seconds=2)
from idv_core.cli import main
main()
"""
FILE = """
[accounts.stripe]
plugin = "stripe"
base_url = "{vendor}"
api_key = {{ env = "TEST_STRIPE_KEY" }}
limits = {{ operation = 3 }}
polling = {{ first = 0.2, ceiling = 0.5 }}

[ledger]
url = "{database}"
key = {{ env = "TEST_LEDGER_KEY" }}

[ledger.endpoints.loans]
url = "{platform}"
secret = {{ env = "TEST_ENDPOINT_SECRET" }}
"""


class SlowVendor:
    """Stripe's emulator. It does its work at once and answers a moment later, so that a kill falls between. Applicants give up
    at once, which ends a session."""

    def __init__(self) -> None:
        self.emulator = StripeEmulator(SystemClock(), variants=Variants(processing=timedelta(0)))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        said: list[Any] = []

        async def keep(message: Any) -> None:
            said.append(message)

        await self.emulator.app(scope, receive, keep)
        if scope["method"] == "POST":
            await asyncio.sleep(0.15)
        for message in said:
            await send(message)

    def tick(self) -> None:
        for session in list(self.emulator.sessions.values()):
            session.status = "canceled"
        self.emulator.tick()

    @property
    def opened(self) -> Counter[str]:
        """How often each was opened."""
        return Counter(session.client_reference_id or "" for session in self.emulator.sessions.values())


class RoundRobin:
    """A proxy as there is one in front of every service: each connection goes to the next server that takes it."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self._numbers = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._connected, "127.0.0.1", 0), self._loop
        ).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(self._numbers)
        for number in range(len(self.ports)):
            try:
                port = self.ports[(first + number) % len(self.ports)]
                answers, calls = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            await asyncio.gather(self._pipe(reader, calls), self._pipe(answers, writer))
            return
        writer.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def stop(self) -> None:
        async def end() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@attrs.define
class Around:
    """What stands around the servers, and the servers."""

    folder: Path
    ledger: Ledger
    vendor: SlowVendor
    platform: PlatformApp
    proxy: RoundRobin
    key: str
    started: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    def start(self) -> tuple[subprocess.Popen[bytes], int]:
        """One more server behind the proxy, and its port."""
        log = self.folder / f"serve-{len(self.started)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, "serve", "--port", "0"], cwd=self.folder, stderr=file
            )
        self.started.append(process)
        end = time.monotonic() + 60
        while not (found := re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            threading.Event().wait(0.02)
        port = int(found[1])
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 200
        self.proxy.ports.append(port)
        return process, port

    def order(self, number: int, *, tries: int = 1) -> str:
        """Order as platforms do: who got no answer asks again with the same application."""
        headers = {"authorization": f"Bearer {self.key}"} | ({"prefer": "wait=5"} if number % 2 else {})
        # the emulator knows the person, not the application
        person = {**ORDER["applicant"], "reference": f"APP-{number}"}
        body = {**ORDER, "application_id": f"APP-{number}", "applicant": person}
        for left in reversed(range(tries)):
            try:
                answer = httpx.post(f"{self.proxy.url}/v1/verifications", json=body, headers=headers, timeout=30)
            except httpx.TransportError:
                if not left:
                    raise
                threading.Event().wait(0.05)
                continue
            assert answer.status_code == 202, answer.text
            return str(answer.json()["id"])
        raise AssertionError

    def until(self, what: str, holds: Callable[[], Any]) -> Any:
        end = time.monotonic() + 60
        while not (found := holds()):
            assert time.monotonic() < end, f"{what}: {self.counted(_V.state)}, {self.counted(events.c.kind)}"
            threading.Event().wait(0.005)
        return found

    def under_way(self, process: subprocess.Popen[bytes]) -> list[str]:
        """What a server has asked the vendor to open, and has no answer to."""
        its = select(_V.application_id).where(_V.worker.like(f"%-{process.pid}-%"), _V.state == "opening")
        with self.ledger.store.engine.connect() as con:
            return list(con.execute(its).scalars())

    def counted(self, column: Any) -> Counter[str]:
        with self.ledger.store.engine.connect() as con:
            return Counter(dict(con.execute(select(column, func.count()).group_by(column)).all()))

    def check(self, answered: list[str]) -> None:
        """Each order that was answered is a row and has come to its end, once at the vendor and once at the platform."""
        # an applicant who gave up
        self.until("all have ended", lambda: self.counted(_V.state) == {"failed": ORDERS})
        with self.ledger.store.engine.connect() as con:
            rows = dict(con.execute(select(_V.application_id, _V.id)).all())
        assert [rows[f"APP-{number}"] for number in range(ORDERS)] == answered
        assert self.vendor.opened == dict.fromkeys(rows, 1)
        # not for the vendor's sake alone, who knows an order again
        assert self.vendor.emulator.calls.count("POST /v1/identity/verification_sessions") == ORDERS
        self.until("all are told", lambda: len(self.platform.outcomes) == ORDERS)
        assert [told for told in self.platform.outcomes.values() if len(told) != 1] == []
        assert self.platform.forged == 0
        assert self.ledger.verify().problems == ()


@pytest.fixture
def around(tmp_path: Path, postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Around]:
    url, vendor, platform = postgresql(), SlowVendor(), PlatformApp()
    engine = connect(url)
    migrate(engine)
    engine.dispose()
    served = [Served(vendor, vendor.tick).start(), Served(platform).start()]
    (tmp_path / "idv.toml").write_text(FILE.format(database=url, vendor=served[0].url, platform=served[1].url))
    monkeypatch.setenv("TEST_STRIPE_KEY", vendor.emulator.api_key)
    monkeypatch.setenv("TEST_LEDGER_KEY", KEY.reveal())
    monkeypatch.setenv("TEST_ENDPOINT_SECRET", SECRET.reveal())
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    ledger = Ledger(url, keys=[KEY])
    key = keys.add(ledger.store, "tests", ["verify"]).reveal()
    made = Around(tmp_path, ledger, vendor, platform, RoundRobin(), key)
    try:
        yield made
    finally:
        for process in made.started:
            process.kill()
            process.wait()
        made.proxy.stop()
        for one in served:
            one.stop()
        ledger.close()


def test_one_is_killed_and_nothing_that_was_answered_is_lost_or_doubled(around: Around) -> None:
    (victim, _), _ = around.start(), around.start()
    with ThreadPoolExecutor(4) as pool:
        ordering = [pool.submit(around.order, number, tries=50) for number in range(ORDERS)]
        around.until("it has an opening in flight", lambda: around.under_way(victim))
        victim.kill()
        victim.wait()
        # a kill that meets nothing would show nothing
        assert around.under_way(victim)
        answered = [one.result() for one in ordering]
    around.check(answered)
    assert around.counted(events.c.kind)["recovered"] + around.counted(events.c.kind)["not_opened"] > 0


def test_both_are_replaced_and_no_call_fails_and_nothing_is_unknown(around: Around) -> None:
    old = [around.start(), around.start()]
    with ThreadPoolExecutor(4) as pool:
        ordering = []
        for process, port in old:
            ordering += [pool.submit(around.order, number) for number in range(len(ordering), len(ordering) + 8)]
            around.until("it has an opening in flight", lambda process=process: around.under_way(process))
            process.send_signal(signal.SIGTERM)
            ordering += [pool.submit(around.order, number) for number in range(len(ordering), len(ordering) + 4)]
            around.start()
            assert process.wait(60) in (0, -signal.SIGTERM)
            around.proxy.ports.remove(port)
        answered = [one.result() for one in ordering]
    around.check(answered)
    kinds = around.counted(events.c.kind)
    assert (kinds["unknown"], kinds["recovered"], kinds["not_opened"]) == (0, 0, 0)
