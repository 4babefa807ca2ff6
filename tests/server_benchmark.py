"""What the service costs beside a hand-written handler that stores and shows the same row: `python tests/server_benchmark.py`.

Each server is a process of its own with the same uvicorn, on the same database with the same durability. The peer checks no
key, writes no history, and validates nothing. Rounds take turns, figures are medians, and a ratio is that of the medians.
`... sqlite 3` is short: one database, three rounds.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
import psutil
import uvicorn
from books import KEY, REGISTRY, Town, account, configuration, postgresql_server
from sqlalchemy import func, insert, select
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from idv_core import AsyncGateway
from idv_core.ledger import Ledger
from idv_core.ledger.sealing import Keyring, new_key, place, seal, unseal
from idv_core.ledger.store import connect, new_id
from idv_core.ledger.tables import verifications
from idv_core.plugin.protocols import Polling
from idv_core.server import keys
from idv_core.server.app import create_app
from idv_core.server.migrating import migrate
from idv_core.server.serving import Binding, listen, make_server
from idv_core.tracker import AsyncTracker

ROUNDS, CALLS, CONNECTIONS = 9, 400, 8
SERVERS = ("service", "with tracker", "peer")
# nothing is polled meanwhile
SELDOM = Polling(first=timedelta(hours=1), ceiling=timedelta(hours=1))
_V = verifications.c


# the servers


def service(url: str, *, tracks: bool) -> Starlette:
    if not tracks:
        # it is there, and holds still
        AsyncTracker.start = lambda self: self._ledger.on_due.append(lambda: None)  # type: ignore[method-assign]
    town = Town("a")
    ledger = Ledger(url, keys=[KEY])
    gateway = AsyncGateway(
        configuration(account("a", polling=SELDOM)), transport=httpx.MockTransport(town), registry=REGISTRY
    )
    return create_app(gateway, ledger)


def peer(url: str) -> Starlette:
    """What somebody writes who needs just this."""
    engine, keyring = connect(url), Keyring.of([KEY])

    def store(order: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC)
        id, key = new_id(now), new_key()
        row = {
            "id": id,
            "format": 1,
            "tenant": order.get("tenant") or "",
            "application_id": order["application_id"],
            "product": order["product"],
            "state": "ordered",
            "round": 0,
            "due": now,
            "turn": 0,
            "hints": 0,
            "seen": 0,
            "tries": 0,
            "attempts": 0,
            "created_at": now,
            "deadline": now + timedelta(days=30),
            "seq": 0,
            "head": b"",
            "data_key": keyring.wrap(key, place("idv_verification", "data_key", id)),
            "sealed_order": seal(key, place("idv_verification", "sealed_order", id), order),
        }
        with engine.begin() as con:
            con.execute(insert(verifications), row)
        return told(row, None, None)

    def read(id: str) -> dict[str, Any] | None:
        with engine.connect() as con:
            row = con.execute(select(verifications).where(_V.id == id)).mappings().one_or_none()
        if row is None:
            return None
        flow = result = None
        if row["data_key"] is not None:
            key = keyring.unwrap(row["data_key"], place("idv_verification", "data_key", id))
            if row["sealed_flow"] is not None:
                flow = unseal(key, place("idv_verification", "sealed_flow", id), row["sealed_flow"])
            if row["sealed_result"] is not None:
                result = unseal(key, place("idv_verification", "sealed_result", id), row["sealed_result"])
        return told(row, flow, result)

    def told(row: Any, flow: Any, result: Any) -> dict[str, Any]:
        said = {name: row.get(name) for name in ("id", "application_id", "product", "state", "round", "account", "ref")}
        said |= {name: row.get(name) for name in ("policy", "decision")}
        for name in ("created_at", "deadline", "decided_at", "retain_until", "erased_at"):
            moment = row.get(name)
            said[name] = moment.isoformat() if moment is not None else None
        said["reasons"] = [one["code"] for one in result["reasons"]] if result else []
        said["review"] = None
        said["flow"] = {name: flow.get(name) for name in ("status", "attempt", "link")} if flow else None
        return said

    async def order(request: Request) -> JSONResponse:
        made = await run_in_threadpool(store, await request.json())
        return JSONResponse(made, 202, {"location": f"/v1/verifications/{made['id']}", "cache-control": "no-store"})

    async def show(request: Request) -> JSONResponse:
        found = await run_in_threadpool(read, request.path_params["id"])
        if found is None:
            return JSONResponse({"title": "not found"}, 404)
        return JSONResponse(found, headers={"cache-control": "no-store"})

    return Starlette(
        routes=[
            Route("/v1/verifications", order, methods=["POST"]),
            Route("/v1/verifications/{id}", show, methods=["GET"]),
        ]
    )


def serve(kind: str, url: str) -> None:
    sockets = listen(Binding(port=0))
    if kind == "peer":
        config = uvicorn.Config(peer(url), log_config=None, access_log=False, server_header=False, proxy_headers=False)
        server = uvicorn.Server(config)
    else:
        server = make_server(service(url, tracks=kind == "with tracker"), Binding())
    print(sockets[0].getsockname()[1], flush=True)
    server.run(sockets)


@contextmanager
def started(kind: str, url: str) -> Iterator[tuple[int, psutil.Process]]:
    """A server: its port and its process."""
    command = [sys.executable, __file__, "--serve", kind, url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with process.stdout:
            yield int(process.stdout.readline()), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


# the clients


class _Caller(asyncio.Protocol):
    """One connection that sends a request as soon as the one before is answered."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None], status: bytes) -> None:
        self._requests, self._done, self._status = requests, done, status
        self._read = b""
        self._sent = 0.0
        self.waited: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self._done.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if end:
            length = re.search(rb"content-length: (\d+)", head)
            assert length, head
            if len(body) >= int(length[1]):
                assert head.split(b" ", 2)[1] == self._status, self._read
                self._read = b""
                self.waited.append(time.perf_counter() - self._sent)
                self._send()


@attrs.frozen
class Figures:
    """Of one round: calls answered in a second, the server's CPU for each in milliseconds, and how long calls took, in
    milliseconds."""

    rate: float
    cpu: float
    median: float
    slow: float


async def _called(port: int, requests: list[bytes], status: bytes) -> tuple[float, list[float]]:
    loop = asyncio.get_running_loop()
    left = iter(requests)
    begun = time.perf_counter()
    callers, done = [], []
    for _ in range(CONNECTIONS):
        done.append(loop.create_future())
        _, caller = await loop.create_connection(
            lambda: _Caller(left, done[-1], status),
            "127.0.0.1",
            port,
        )
        callers.append(caller)
    await asyncio.gather(*done)
    return time.perf_counter() - begun, [one for caller in callers for one in caller.waited]


def measured(port: int, process: psutil.Process, requests: list[bytes], status: bytes) -> Figures:
    before = process.cpu_times()
    taken, waited = asyncio.run(_called(port, requests, status))
    after = process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    slow = statistics.quantiles(waited, n=100)[98]
    return Figures(len(requests) / taken, cpu / len(requests) * 1000, statistics.median(waited) * 1000, slow * 1000)


def request(method: str, path: str, key: str, body: Any = None) -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {key}"]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def order(number: str) -> dict[str, Any]:
    person = {"reference": f"CUST-{number}", "name": "Meera Iyer", "email": "meera@example.org", "country": "IN"}
    return {"product": "wallet", "application_id": f"APP-{number}", "applicant": person}


# the rounds


Make = Callable[[], str]


def posting(make: Make, rounds: int) -> dict[str, list[Figures]]:
    """Each server with a database of its own, so that no tracker meets the orders of the others."""
    seen: dict[str, list[Figures]] = {name: [] for name in SERVERS}
    with ExitStack() as stack:
        around = {}
        for name in SERVERS:
            url, key = prepared(make)
            around[name] = (url, key, *stack.enter_context(started(name, url)))
        for number in range(-1, rounds):
            for name in SERVERS:
                url, key, port, process = around[name]
                orders = [
                    request("POST", "/v1/verifications", key, order(f"{name}-{number}-{one}")) for one in range(CALLS)
                ]
                figures = measured(port, process, orders, b"202")
                if name == "with tracker":
                    before = process.cpu_times()
                    idle(url)
                    after = process.cpu_times()
                    rest = after.user + after.system - before.user - before.system
                    figures = attrs.evolve(figures, cpu=figures.cpu + rest / CALLS * 1000)
                if number >= 0:
                    seen[name].append(figures)
    return seen


def reading(make: Make, rounds: int) -> dict[str, list[Figures]]:
    """All servers over the same rows, which have flow and link."""
    url, key = prepared(make)
    with started("with tracker", url) as (port, process):
        measured(
            port, process, [request("POST", "/v1/verifications", key, order(str(one))) for one in range(CALLS)], b"202"
        )
        idle(url)
    engine = connect(url)
    with engine.connect() as con:
        ids = list(con.execute(select(_V.id).where(_V.state == "awaiting")).scalars())
    engine.dispose()
    assert len(ids) == CALLS
    calls = [request("GET", f"/v1/verifications/{id}", key) for id in ids]
    seen: dict[str, list[Figures]] = {name: [] for name in SERVERS}
    with ExitStack() as stack:
        around = {name: stack.enter_context(started(name, url)) for name in SERVERS}
        for number in range(-1, rounds):
            for name in SERVERS:
                figures = measured(*around[name], calls, b"200")
                if number >= 0:
                    seen[name].append(figures)
    return seen


def prepared(make: Make) -> tuple[str, str]:
    """A database with the tables, and a key."""
    url = make()
    engine = connect(url)
    migrate(engine)
    engine.dispose()
    ledger = Ledger(url, keys=[KEY])
    key = keys.add(ledger.store, "benchmark", ["verify", "read"]).reveal()
    ledger.close()
    return url, key


def idle(url: str) -> None:
    """Until every flow is open."""
    engine = connect(url)
    waiting = select(func.count()).select_from(verifications).where(_V.state.in_(["ordered", "opening"]))
    while True:
        with engine.connect() as con:
            if not con.execute(waiting).scalar_one():
                break
        time.sleep(0.1)
    engine.dispose()


def report(database: str, what: str, goal: float, seen: dict[str, list[Figures]]) -> None:
    def middle(name: str, field: str) -> float:
        return statistics.median(getattr(one, field) for one in seen[name])

    for name in SERVERS:
        rate, cpu = middle(name, "rate"), middle(name, "cpu")
        ratio = rate / middle("peer", "rate")
        # what a machine that does other things too gives from round to round
        each = [one.rate / other.rate for one, other in zip(seen[name], seen["peer"], strict=True)]
        goals = f"{goal}" if name == "service" else ""
        print(
            f"| {database} | {what} | {name} | {rate:.0f} | {ratio:.2f} ({min(each):.2f} to {max(each):.2f}) | {goals} "
            f"| {cpu:.2f} | {middle('peer', 'cpu') / cpu:.2f} | {middle(name, 'median'):.1f} | {middle(name, 'slow'):.1f} |",
            flush=True,
        )


def main(databases: list[str], rounds: int) -> None:
    print("| database | call | server | calls/s | of the peer's | goal | ms CPU | peer's of it | median ms | 99 % ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for database in databases:
        with ExitStack() as stack:
            if database == "postgresql":
                make: Make = stack.enter_context(postgresql_server(is_durable=True))
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="idv-bench-"))
                make = lambda: f"sqlite:///{folder}/{time.monotonic_ns()}.db"  # noqa: B023, E731
            report(database, "POST", 0.7, posting(make, rounds))
            report(database, "GET", 0.8, reading(make, rounds))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        chosen = [word for word in sys.argv[1:] if not word.isdecimal()] or ["sqlite", "postgresql"]
        main(chosen, next((int(word) for word in sys.argv[1:] if word.isdecimal()), ROUNDS))
