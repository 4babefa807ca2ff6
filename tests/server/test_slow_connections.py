"""Two hundred clients that send or read a byte now and then do not keep the others from being answered, and are let go."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from books import KEY, REGISTRY, Town, account, configuration
from server.running import ORDER

from idv_core import AsyncGateway
from idv_core.ledger import Ledger
from idv_core.server import keys, serving
from idv_core.server.app import create_app
from idv_core.server.serving import Binding, Seen, listen, make_server, sweep

MANY = 200


@attrs.define
class Serving:
    port: int
    key: str
    # the hand of the clock that the sweeper reads
    now: float = 0.0
    seen: Seen = attrs.field(factory=dict)

    def until(self, holds: Callable[[Seen], bool]) -> None:
        """Look again until it holds, at most 20 s."""
        for _ in range(1000):
            if holds(self.seen):
                return
            threading.Event().wait(0.02)
        raise AssertionError(self.seen)

    def connect(self, sent: bytes) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), 30)
        made.sendall(sent)
        return made


@pytest.fixture
def serving_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    ledger, town = Ledger(f"sqlite:///{tmp_path}/idv.db", keys=[KEY]), Town("a")
    gateway = AsyncGateway(configuration(account("a")), transport=httpx.MockTransport(town), registry=REGISTRY)
    app, binding = create_app(gateway, ledger), Binding(port=0)
    sockets = listen(binding)
    key = keys.add(ledger.store, "tests", ["verify", "read"]).reveal()
    made = Serving(sockets[0].getsockname()[1], key)
    real = sweep

    def swept(connections: Any, seen: Seen, now: float) -> Seen:
        made.seen = real(connections, seen, made.now)
        return made.seen

    monkeypatch.setattr(serving, "sweep", swept)
    monkeypatch.setattr(serving, "_LOOK", 0.02)
    server = make_server(app, binding)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets)), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(30)
        asyncio.run(gateway.close())
        ledger.close()
    assert not thread.is_alive()


HEAD = b"POST /v1/verifications HTTP/1.1\r\nhost: idv\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        pytest.param(b"", 21, id="silent"),
        pytest.param(HEAD, 21, id="heads"),
        pytest.param(HEAD + b"content-length: 500000\r\nauthorization: Bearer %s\r\n\r\n{", 121, id="bodies"),
    ],
)
def test_others_are_answered_and_the_slow_ones_are_let_go(serving_many: Serving, sent: bytes, seconds: float) -> None:
    sent = sent.replace(b"%s", serving_many.key.encode())
    with ExitStack() as stack:
        slow = [stack.enter_context(serving_many.connect(sent)) for _ in range(MANY)]
        headers = {"authorization": f"Bearer {serving_many.key}"}
        url = f"http://127.0.0.1:{serving_many.port}/v1/verifications"
        answer = httpx.post(url, json=ORDER, headers={**headers, "prefer": "wait=10"}, timeout=30)
        assert (answer.status_code, answer.json()["state"]) == (202, "awaiting")
        # a byte now and then does not help
        serving_many.now = seconds / 2
        for one in slow if sent else ():
            one.sendall(b"x")
        assert httpx.get(f"{url}/{answer.json()['id']}", headers=headers, timeout=30).status_code == 200
        serving_many.now = seconds
        for one in slow:
            assert _is_over(one)
        assert httpx.get(f"{url}/{answer.json()['id']}", headers=headers, timeout=30).status_code == 200


def _is_over(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_who_does_not_read_the_answers_is_let_go(serving_many: Serving) -> None:
    call = b"GET /v1/openapi.json HTTP/1.1\r\nhost: idv\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(20):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(30)
            one.connect(("127.0.0.1", serving_many.port))
            # more answers than the buffers of both sides hold
            one.sendall(call * 200)
            assert one.recv(15).startswith(b"HTTP/1.1 200")
        # each is stuck in an answer once the sweeper has seen it there
        serving_many.until(lambda seen: [what for what, _, _ in seen.values()].count("answer") == 20)
        assert httpx.get(f"http://127.0.0.1:{serving_many.port}/healthz", timeout=30).status_code == 200
        serving_many.now = 61
        serving_many.until(lambda seen: "answer" not in [what for what, _, _ in seen.values()])
        assert httpx.get(f"http://127.0.0.1:{serving_many.port}/healthz", timeout=30).status_code == 200


class Connection:
    """What `sweep` sees of one."""

    def __init__(self) -> None:
        self.cycle: Any = None
        self.transport: Any = self
        self.unread = 0
        self.is_aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.is_aborted = True


@attrs.define(eq=False)
class Cycle:
    more_body: bool = True
    response_complete: bool = False


class TestSweeping:
    def test_each_request_begins_anew(self) -> None:
        connection, seen = Connection(), {}
        for now in range(0, 100, 10):
            connection.cycle = Cycle(more_body=False, response_complete=True)
            seen = dict(sweep({connection}, seen, float(now)))
        assert not connection.is_aborted

    def test_the_work_for_an_answer_may_take_its_time(self) -> None:
        connection = Connection()
        connection.cycle = Cycle(more_body=False)
        seen = sweep({connection}, {}, 0.0)
        sweep({connection}, seen, 10_000.0)
        assert not connection.is_aborted

    def test_what_was_let_go_is_forgotten(self) -> None:
        connection = Connection()
        seen = sweep({connection}, {}, 0.0)
        assert sweep({connection}, seen, 20.5) == {}
        assert connection.is_aborted
