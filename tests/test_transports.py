"""The default transports and the quick one, over real sockets: what each fault is called, and what nobody repeats."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order
from idv_verigram.testing.emulator import VerigramEmulator

from idv_core import Document, Flow, OutcomeUnknown
from idv_core.clock import SystemClock
from idv_core.config import Account
from idv_core.errors import UnexpectedResponse
from idv_core.testing import FakeClock
from idv_core.testing.fault_server import Fault, FaultServer
from idv_core.testing.faults import FAULTS
from idv_core.transports import pools
from idv_core.transports.calls import make_async_transport, make_sync_transport
from idv_core.transports.fast import FastTransport

BY_NAME = {fault.name: fault for fault in FAULTS}
# Only where a time-out is what is tested is it short; elsewhere a busy machine has all the time it needs.
PATIENT = {"connect": 60.0, "read": 60.0, "write": 60.0, "pool": 60.0}
BRIEF = {**PATIENT, "read": 0.2}


@pytest.fixture
def server(clock: FakeClock) -> Iterator[FaultServer]:
    server = FaultServer(VerigramEmulator(clock))
    yield server
    server.stop()


class Calling:
    """One of the transports behind one way of calling."""

    def __init__(self, kind: str) -> None:
        self.blocking = kind in ("sync", "fast sync")
        self.transport: Any = {
            "sync": lambda: make_sync_transport(None, 10),
            "async": lambda: make_async_transport(None, 10),
            "fast": FastTransport,
            "fast sync": FastTransport,
        }[kind]()

    async def call(
        self, method: str, url: str, content: bytes = b"", timeouts: dict[str, float] = PATIENT, **headers: str
    ) -> tuple[int, bytes]:
        request = httpx.Request(method, url, content=content, headers=headers, extensions={"timeout": timeouts})
        if self.blocking:
            answer = self.transport.handle_request(request)
            try:
                body = b"".join(answer.stream)
            finally:
                answer.stream.close()
        else:
            answer = await self.transport.handle_async_request(request)
            try:
                body = b"".join([part async for part in answer.stream])
            finally:
                await answer.stream.aclose()
        return answer.status_code, body

    async def close(self) -> None:
        self.transport.close() if self.blocking else await self.transport.aclose()


@pytest.fixture(params=["sync", "async", "fast", "fast sync"])
async def calling(request: pytest.FixtureRequest) -> AsyncIterator[Calling]:
    calling = Calling(request.param)
    yield calling
    await calling.close()


NAMES = {
    "refused": httpx.ConnectError,
    "reset before": (httpx.ReadError, httpx.RemoteProtocolError),
    "reset after": (httpx.ReadError, httpx.RemoteProtocolError),
    "time-out before": httpx.ReadTimeout,
    "time-out after": httpx.ReadTimeout,
    "truncated": (httpx.ReadError, httpx.RemoteProtocolError),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "kept connection"])
async def test_faults_have_the_name_that_decides_about_repeats(
    server: FaultServer, calling: Calling, name: str, warm: bool
) -> None:
    if warm:
        assert (await calling.call("GET", f"{server.url}/flow/x"))[0] == 401
    server.arm(BY_NAME[name], 0)
    with pytest.raises(NAMES[name]):
        await calling.call("POST", f"{server.url}/flow", b"{}", BRIEF if server.will_hang else PATIENT)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_no_transport_repeats_anything_by_itself(server: FaultServer, calling: Calling, method: str) -> None:
    """aiohttp would repeat what HTTP calls idempotent; whether a repeat is safe is the plugin's to say."""
    server.arm(Fault("reset", acts=False, wire="reset"), 1)
    await calling.call("GET", f"{server.url}/flow/x")
    with pytest.raises(httpx.TransportError):
        await calling.call(method, f"{server.url}/flow/x")
    assert server.calls == 2


async def test_an_answer_of_an_earlier_call_is_never_taken_for_the_next(server: FaultServer, calling: Calling) -> None:
    """The first call, about somebody else, is answered twice on one connection."""
    server.arm(Fault("twice", wire="twice", answer=lambda _: (200, {}, b"about somebody else")), 0)
    assert await calling.call("GET", f"{server.url}/flow/1") == (200, b"about somebody else")
    try:
        _, body = await calling.call("GET", f"{server.url}/flow/2")
    except httpx.RemoteProtocolError:
        return
    assert b"somebody else" not in body


class TestBrought:
    """A transport of the user's own may keep connections, and knows nothing of answers that were there too early."""

    @staticmethod
    def serve(twice: bool) -> tuple[socket.socket, list[int]]:
        """Answers each call with the flow that was asked for, perhaps twice in one packet; tells by which connection."""
        listener = socket.create_server(("127.0.0.1", 0))
        used: list[int] = []

        def one(connection: socket.socket, number: int) -> None:
            with connection, contextlib.suppress(OSError):
                waiting = b""
                while more := connection.recv(65536):
                    waiting += more
                    while b"\r\n\r\n" in waiting:
                        head, _, waiting = waiting.partition(b"\r\n\r\n")
                        used.append(number)
                        body = b'{"status": "%s"}' % head.split()[1].rpartition(b"/")[2]
                        answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
                        connection.sendall(answer * (2 if twice else 1))

        def accept() -> None:
            number = 0
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                number += 1
                threading.Thread(target=one, args=(connection, number), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener, used

    class Wrapping(httpx.BaseTransport, httpx.AsyncBaseTransport):
        """As people write them to record or to count."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer: httpx.Response = self.inner.handle_request(request)
            return answer

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer: httpx.Response = await self.inner.handle_async_request(request)
            return answer

    @pytest.mark.parametrize("wrapped", [False, True])
    @pytest.mark.parametrize("twice", [False, True])
    def test_a_second_answer_is_never_the_next_persons(self, twice: bool, wrapped: bool) -> None:
        listener, used = self.serve(twice)
        inner = httpx.HTTPTransport()
        account = at(listener)
        with gateway(Vendor(), SystemClock(), account, transport=self.Wrapping(inner) if wrapped else inner) as idv:
            for who in ("ana", "bob", "eve"):
                assert idv.result(f"acme-1/{who}").vendor_word == who
        assert used == [1, 2, 3], "each call has a connection of its own"
        assert not [connection for connection in inner._pool.connections if not connection.has_expired()]  # type: ignore[attr-defined]
        inner.close()
        listener.close()

    @pytest.mark.parametrize("wrapped", [False, True])
    @pytest.mark.parametrize("twice", [False, True])
    async def test_nor_with_tasks(self, twice: bool, wrapped: bool) -> None:
        listener, used = self.serve(twice)
        inner = httpx.AsyncHTTPTransport()
        async with async_gateway(
            Vendor(), SystemClock(), at(listener), transport=self.Wrapping(inner) if wrapped else inner
        ) as idv:
            for who in ("ana", "bob", "eve"):
                assert (await idv.result(f"acme-1/{who}")).vendor_word == who
        assert used == [1, 2, 3]
        await inner.aclose()
        listener.close()

    @pytest.mark.parametrize("kind", ["default", "fast"])
    async def test_our_own_keep_theirs(self, kind: str) -> None:
        listener, used = self.serve(twice=False)
        transport = FastTransport() if kind == "fast" else None
        async with async_gateway(Vendor(), SystemClock(), at(listener), transport=transport) as idv:
            for who in ("ana", "bob", "eve"):
                assert (await idv.result(f"acme-1/{who}")).vendor_word == who
        assert used == [1, 1, 1]
        if transport:
            await transport.aclose()
        listener.close()

    def test_a_create_whose_connection_held_an_answer_already_may_have_been_carried_out(self) -> None:
        """The default transport notices it after the request went out."""
        listener, _ = self.serve(twice=True)
        with gateway(Vendor(), SystemClock(), at(listener), transport=None) as idv:
            idv.result("acme-1/ana")
            with contextlib.suppress(OutcomeUnknown, UnexpectedResponse):
                pytest.fail(f"opened {idv.open(order()).id}")
        listener.close()


def at(listener: socket.socket) -> Account:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    return attrs.evolve(ACCOUNT, plugin="bare", settings={**ACCOUNT.settings, "base_url": url})


async def test_redirects_are_not_followed_and_cookies_not_kept(server: FaultServer, calling: Calling) -> None:
    headers = {"location": f"{server.url}/elsewhere", "set-cookie": "a=b"}
    server.arm(Fault("301", answer=lambda _: (301, headers, b"")), 0)
    assert (await calling.call("GET", f"{server.url}/flow/1"))[0] == 301
    assert server.calls == 1


async def test_the_address_is_sent_as_it_was_encoded(calling: Calling, clock: FakeClock) -> None:
    seen: list[str] = []

    class Spy(VerigramEmulator):
        def respond(self, method: str, target: str, *rest: Any) -> Any:
            seen.append(target)
            return super().respond(method, target, *rest)

    server = FaultServer(Spy(clock))
    target = "/flow/..%2F..%2Fadmin%3Fx%3D/result?a=%7Eb%20c&d=%E2%82%AC"
    await calling.call("GET", server.url + target)
    server.stop()
    assert seen == [target]


async def test_proxies_are_spoken_to(server: FaultServer) -> None:
    for kind in ("sync", "async", "fast", "fast sync"):
        calling = Calling(kind)
        calling.transport = {
            "sync": lambda: make_sync_transport(server.url, 10),
            "async": lambda: make_async_transport(server.url, 10),
            "fast": lambda: FastTransport(proxy=server.url),
            "fast sync": lambda: FastTransport(proxy=server.url),
        }[kind]()
        server.disarm()
        await calling.call("GET", "http://vendor.example/flow/x")
        assert server.calls == 1, kind
        await calling.close()


def test_the_guard_is_in_place() -> None:
    """httpx lets nobody choose the network backend, so its pool is exchanged: it must be the one that is used."""
    with make_sync_transport(None, 3) as transport:  # type: ignore[attr-defined]
        assert isinstance(transport, pools.PooledTransport)
        assert isinstance(transport._pool._network_backend, pools._Backend)


@pytest.mark.parametrize("kind", ["blocking", "tasks"])
async def test_a_body_that_the_other_side_takes_slowly_ends_at_the_deadline(
    kind: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece is taken in time, and all of them together would hold the call."""
    now = [0.0]
    monkeypatch.setattr("idv_core.transports.calls.monotonic", lambda: now[0])
    sent: list[int] = []
    vendor = Vendor()

    def slowly(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/files"):
            return vendor(request)
        for piece in request.stream:  # type: ignore[union-attr]
            sent.append(len(piece))
            now[0] += 30.0
        return httpx.Response(200, json={})

    class Slow(httpx.BaseTransport, httpx.AsyncBaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return slowly(request)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return slowly(request)

    flow = Flow(id="f-1", account="acme-1", status="processing")
    many = [Document(f"document-{number:040}", content=b"x") for number in range(10_000)]
    with pytest.raises(OutcomeUnknown):
        if kind == "blocking":
            with gateway(vendor, clock, transport=Slow()) as idv:
                idv.upload(flow, many)
        else:
            async with async_gateway(vendor, clock, transport=Slow()) as async_idv:
                await async_idv.upload(flow, many)
    assert 1 < len(sent) < 10
