"""SIGTERM in the middle of something: what was asked is answered, nothing is left in doubt, and nobody is kept waiting.

`Server.should_exit` is what uvicorn sets at SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from books import KEY, REGISTRY, Town, account, configuration
from server.running import ORDER

from idv_core import AsyncGateway
from idv_core.ledger import Ledger, State
from idv_core.server import keys
from idv_core.server.app import create_app
from idv_core.server.serving import Binding, Server, listen, make_server


class SlowTown(Town):
    """Answers a call to `slow` when it is told to."""

    def __init__(self) -> None:
        super().__init__("a")
        self.slow = ""
        self.asked, self.go = threading.Event(), threading.Event()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        done = self(request)
        if self.slow and f"{request.method} {request.url.path}".startswith(self.slow):
            self.asked.set()
            while not self.go.is_set():
                await asyncio.sleep(0.005)
        return done


@attrs.define
class Draining:
    port: int
    ledger: Ledger
    town: SlowTown
    server: Server
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def order(self, **headers: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}/v1/verifications"
        return httpx.post(url, json=ORDER, headers={**self.headers, **headers}, timeout=30)

    def until_closed(self) -> None:
        """Until nobody is let in any more."""
        for _ in range(2000):
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except ConnectionRefusedError:
                return
            threading.Event().wait(0.01)
        raise AssertionError("it still listens")


@pytest.fixture(autouse=True)
def _quick() -> None:
    """Here what a service waits for when it stops is what is tested."""


@pytest.fixture
def draining(tmp_path: Path) -> Iterator[Draining]:
    ledger, town = Ledger(f"sqlite:///{tmp_path}/idv.db", keys=[KEY]), SlowTown()
    transport = httpx.MockTransport(town.answer)
    gateway = AsyncGateway(configuration(account("a")), transport=transport, registry=REGISTRY)
    binding = Binding(port=0)
    sockets = listen(binding)
    server = make_server(create_app(gateway, ledger), binding)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets)), daemon=True)
    port = sockets[0].getsockname()[1]
    key = keys.add(ledger.store, "tests", ["verify", "read"]).reveal()
    thread.start()
    assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=20).status_code == 200
    try:
        yield Draining(port, ledger, town, server, key)
    finally:
        town.go.set()
        server.should_exit = True
        thread.join(30)
        asyncio.run(gateway.close())
        ledger.close()
    assert not thread.is_alive()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def state_of(draining: Draining) -> State:
    found = draining.ledger.find(application_id="APP-1")
    assert found is not None
    return found.state


def test_who_waits_for_the_link_gets_it_and_is_told_to_close(draining: Draining, pool: ThreadPoolExecutor) -> None:
    draining.town.slow = "POST /flows"
    waiting = pool.submit(draining.order, prefer="wait=20")
    assert draining.town.asked.wait(20)
    draining.server.should_exit = True
    draining.until_closed()
    draining.town.go.set()
    answer = waiting.result(20)
    assert (answer.status_code, answer.headers["connection"]) == (202, "close")
    assert answer.json()["flow"]["link"]["url"].startswith("https://acme.example/")
    assert state_of(draining) is State.AWAITING


def test_an_upload_that_is_under_way_comes_through(draining: Draining, pool: ThreadPoolExecutor) -> None:
    id = draining.order(prefer="wait=20").json()["id"]
    draining.town.slow = "POST /flows/f-1/files"
    url = f"http://127.0.0.1:{draining.port}/v1/verifications/{id}/documents"

    def upload() -> httpx.Response:
        return httpx.post(
            url,
            files={"file": b"\x89PNG invented"},
            data={"document_id": "front"},
            headers=draining.headers,
            timeout=30,
        )

    uploading = pool.submit(upload)
    assert draining.town.asked.wait(20), uploading.result(1).text
    draining.server.should_exit = True
    draining.until_closed()
    draining.town.go.set()
    assert uploading.result(20).status_code == 200
    verification = draining.ledger.get(id)
    assert verification.flow is not None
    assert [upload.document_id for upload in verification.flow.uploads] == ["front"]
    assert verification.state is State.AWAITING


def test_a_body_that_is_half_there_is_waited_for(draining: Draining) -> None:
    body = json.dumps(ORDER).encode()
    lines = ["POST /v1/verifications HTTP/1.1", "host: idv", f"authorization: {draining.headers['authorization']}"]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "content-type: application/json", "", ""]).encode()
    with socket.create_connection(("127.0.0.1", draining.port), 20) as connection:
        connection.sendall(head + body[:20])
        draining.server.should_exit = True
        draining.until_closed()
        connection.sendall(body[20:])
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 202")
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_a_connection_that_is_kept_open_is_told_in_its_next_answer_or_closed(
    draining: Draining, monkeypatch: pytest.MonkeyPatch
) -> None:
    # longer than a busy machine takes from the closed door to the next request
    monkeypatch.setattr("idv_core.server.serving._GRACE", 3.0)
    with (
        socket.create_connection(("127.0.0.1", draining.port), 20) as asking,
        socket.create_connection(("127.0.0.1", draining.port), 20) as silent,
    ):
        for connection in (asking, silent):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: idv\r\n\r\n")
            assert b"alive" in until(connection, b"}")
        draining.server.should_exit = True
        draining.until_closed()
        asking.sendall(b"GET /healthz HTTP/1.1\r\nhost: idv\r\n\r\n")
        answer = read_all(asking)
        assert b"alive" in answer
        assert b"\r\nconnection: close\r\n" in answer.lower()
        assert read_all(silent) == b""


def until(connection: socket.socket, end: bytes) -> bytes:
    read = b""
    while end not in read:
        more: Any = connection.recv(65536)
        assert more, read
        read += more
    return read


def read_all(connection: socket.socket) -> bytes:
    read = b""
    while more := connection.recv(65536):
        read += more
    return read
