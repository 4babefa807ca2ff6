"""One signed webhook through the ASGI app, against a hand-written Starlette handler that checks the same HMACs."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.answers import WEBHOOKS
from benchmarks.measuring import Row, Spent, Table, both, interleaved, spent
from idv_core import Gateway, Secret, WebhookApp
from idv_core.config import Account

CALLS = 500
TOKEN = "token-of-the-webhook-0123456789"
ADDRESS_KEY = WEBHOOKS.key[0].reveal().encode()
# a goal of 0.7 of the throughput
_GOAL = 1.43


def chapter() -> list[Table]:
    what = "one webhook, signed, address signed too, repetitions told"
    with ours() as (app, path), asyncio.Runner() as runner:
        peer = starlette()
        seen = interleaved({"ours": turns(runner, app, path), "peer": turns(runner, peer, path)})
        rows = [Row(f"{what}, ASGI called directly: CPU", seen["ours"].cpu, seen["peer"].cpu, "µs", _GOAL)]
        with ExitStack() as stack:
            served = {
                name: stack.enter_context(over_uvicorn(one, path)) for name, one in (("ours", app), ("peer", peer))
            }
            seen = interleaved(served, 9)
        rows += both(f"{what}, over uvicorn", seen["ours"], seen["peer"], _GOAL)
    return [Table("Webhooks, against a hand-written Starlette handler", rows)]


@contextmanager
def ours() -> Iterator[tuple[Any, str]]:
    """The app, and the path of the account's address below it."""
    settings = {
        "base_url": "http://127.0.0.1:1",
        "api_token": Secret("api_sandbox.token"),
        "workflow_id": "0f2c1a6e-6f1e-4a52-9a3b-0d7c1c8f4e11",
        "webhook_token": Secret(TOKEN),
    }
    with Gateway([Account("onfido", "onfido", settings, test=True)], webhooks=WEBHOOKS) as idv:
        address = idv.webhook_url("onfido", "events").reveal()

        async def on_received(received: Any) -> None:
            assert received.flow_ref is not None
            assert received.fetch

        yield WebhookApp(idv, on_received), address.removeprefix(WEBHOOKS.url)


def starlette() -> Starlette:
    """What somebody writes for one vendor: who may call, whether it is signed, what it is about, whether it came before."""
    seen: set[str] = set()

    async def handle(request: Request) -> Response:
        parameters = request.path_params
        token, _, mac = parameters["token"].partition(".")
        message = f"{parameters['account']}\0{parameters['purpose']}\0{token}".encode()
        # the token is the app's own, so that both get the same path: what it says is not compared, only made
        hmac.compare_digest(mac, hmac.digest(ADDRESS_KEY, message, "sha256").hex())
        body = await request.body()
        wanted = hmac.digest(TOKEN.encode(), body, "sha256").hex()
        if not hmac.compare_digest(request.headers.get("x-sha2-signature", ""), wanted):
            return Response(status_code=401)
        resource = json.loads(body)["payload"]["object"]
        if resource["href"] not in seen:
            seen.add(resource["href"])
            assert resource["id"]
        return Response(status_code=200)

    return Starlette(routes=[Route("/{account}/{token}/{purpose}", handle, methods=["POST"])])


_number = itertools.count()


def event() -> tuple[bytes, str]:
    """A new event and its signature."""
    number = f"{next(_number):012d}"
    resource = {
        "id": f"0f2c1a6e-6f1e-4a52-9a3b-{number}",
        "status": "approved",
        "href": f"/v3.6/workflow_runs/{number}",
    }
    payload = {"resource_type": "workflow_run", "action": "workflow_run.completed", "object": resource}
    body = json.dumps({"payload": payload}).encode()
    return body, hmac.digest(TOKEN.encode(), body, "sha256").hex()


def turns(runner: asyncio.Runner, app: Any, path: str) -> Callable[[], Spent]:
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "http_version": "1.1",
    }

    async def call(body: bytes, signature: str) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            assert message.get("status", 200) == 200, message

        headers = [
            (b"host", b"platform.example"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"user-agent", b"Onfido Webhook"),
            (b"x-sha2-signature", signature.encode()),
        ]
        await app({**scope, "headers": headers}, receive, send)

    def turn() -> Spent:
        events = [event() for _ in range(CALLS)]

        async def all_of_them() -> None:
            for body, signature in events:
                await call(body, signature)

        return spent(lambda: runner.run(all_of_them()), CALLS)

    return turn


@contextmanager
def over_uvicorn(app: Any, path: str) -> Iterator[Callable[[], Spent]]:
    """Turns of a caller on one kept connection, the server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        process = multiprocessing.get_context("fork").Process(target=server.run, args=([listener],), daemon=True)
        process.start()
        try:
            with socket.create_connection(listener.getsockname()) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                yield lambda: called(connection, path, Path(f"/proc/{process.pid}/schedstat"))
        finally:
            process.kill()
            process.join()


def called(connection: socket.socket, path: str, server: Path) -> Spent:
    """CPU of the server's process, and how long the caller waited."""

    requests = [
        f"POST {path} HTTP/1.1\r\nhost: platform.example\r\nx-sha2-signature: {signature}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        + body
        for body, signature in (event() for _ in range(CALLS))
    ]
    begun, cpu = time.perf_counter(), _nanoseconds(server)
    for request in requests:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer
    return Spent((_nanoseconds(server) - cpu) / 1e9 / CALLS, (time.perf_counter() - begun) / CALLS)


def _nanoseconds(server: Path) -> int:
    """What the main thread of the process has had of a processor (proc(5))."""
    return int(server.read_text().split()[0])
