"""The blocking half of `FastTransport` by itself: what it makes of answers, ends and interrupts, and what goes out on the wire."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import h11
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idv_core import ConfigError
from idv_core.transports import connection as connections
from idv_core.transports import fast_sync, sockets
from idv_core.transports.calls import ssl_context
from idv_core.transports.causes import cause_of
from idv_core.transports.connection import Connection, framed, head_of
from idv_core.transports.fast import FastTransport

PATIENT = {"connect": 60.0, "read": 60.0, "write": 60.0, "pool": 60.0}
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

Answering = Callable[[socket.socket, bytes, int], bytes | None]


class Peer:
    """Gives each head that comes to `answer`, with the number of its connection, and sends what that gives back; None hangs up."""

    def __init__(self, answer: Answering, listener: socket.socket | None = None) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.used: list[int] = []
        self.threads: list[threading.Thread] = []
        self.listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/flow"
        self.accepting = threading.Thread(target=self._accept)
        self.accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection, len(self.threads) + 1))
                self.threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    more = connection.recv(1)
                    if not more:
                        return
                    head += more
                self.heads.append(head)
                self.used.append(number)
                answer = self.answer(connection, head, number)
                if answer is None:
                    return
                connection.sendall(answer)

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in [self.accepting, *self.threads]:
            thread.join()


@pytest.fixture
def transport() -> Iterator[FastTransport]:
    with FastTransport() as transport:
        yield transport


@pytest.fixture
def serving(transport: FastTransport) -> Iterator[Callable[..., Peer]]:
    """After the transport is made and before it is closed: a peer ends when its connections do."""
    peers: list[Peer] = []

    def serve(answer: Answering | bytes, *more: Any) -> Peer:
        peers.append(Peer(answer if callable(answer) else lambda *_: answer, *more))
        return peers[-1]

    yield serve
    transport.close()
    for peer in peers:
        peer.stop()


def call(transport: FastTransport, url: str, method: str = "GET", **more: Any) -> tuple[int, bytes]:
    timeouts = {**PATIENT, **more.pop("timeouts", {})}
    request = httpx.Request(method, url, extensions={"timeout": timeouts}, **more)
    answer = transport.handle_request(request)
    try:
        return answer.status_code, b"".join(answer.stream)  # type: ignore[arg-type]
    finally:
        answer.stream.close()  # type: ignore[union-attr]


def taken(transport: FastTransport) -> int:
    """Connections that count as used by somebody."""
    pool = transport._pool
    return len(pool._all) - sum(server.idle for server in pool._servers.values())


class TestAnswers:
    @pytest.mark.parametrize(
        ("method", "answer", "expected"),
        [
            ("GET", OK, (200, b"ok")),
            ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", (200, b"")),
            ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
            ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", (304, b"")),
            ("GET", b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", (200, b"ok")),
            ("GET", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, (200, b"ok")),
            ("POST", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK, (200, b"ok")),
            (
                "GET",
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\nExpires: 0\r\n\r\n",
                (200, b"ok"),
            ),
        ],
    )
    def test_are_understood_and_the_connection_kept(
        self, transport: FastTransport, serving: Any, method: str, answer: bytes, expected: tuple[int, bytes]
    ) -> None:
        peer = serving(answer)
        assert [call(transport, peer.url, method) for _ in range(3)] == [expected] * 3
        assert peer.used == [1, 1, 1]

    def test_in_single_bytes_too(self, transport: FastTransport, serving: Any) -> None:
        def slowly(connection: socket.socket, *_: Any) -> bytes:
            whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
            for number in range(len(whole) - 1):
                connection.sendall(whole[number : number + 1])
            return whole[-1:]

        peer = serving(slowly)
        assert call(transport, peer.url) == call(transport, peer.url) == (200, b"ok")
        assert peer.used == [1, 1]

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more than was said",
            OK + b"HTTP/1.1 100 Continue\r\n\r\n",
        ],
    )
    def test_after_some_the_next_call_goes_out_on_another_connection(
        self, transport: FastTransport, serving: Any, answer: bytes
    ) -> None:
        peer = serving(answer)
        assert [call(transport, peer.url) for _ in range(3)] == [(200, b"ok")] * 3
        assert peer.used == [1, 2, 3]
        assert taken(transport) == 0

    def test_that_end_with_the_connection_are_whole(self, transport: FastTransport, serving: Any) -> None:
        def until_the_end(connection: socket.socket, *_: Any) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nok")

        assert call(transport, serving(until_the_end).url) == (200, b"ok")

    @pytest.mark.parametrize(
        "part",
        [
            b"",
            b"HTTP/1.1 200 OK\r\ncontent-le",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
        ],
    )
    def test_that_break_off_are_none(self, transport: FastTransport, serving: Any, part: bytes) -> None:
        """Also half a head, which other readers take for the whole."""

        def break_off(connection: socket.socket, *_: Any) -> None:
            connection.sendall(part)

        with pytest.raises(httpx.RemoteProtocolError):
            call(transport, serving(break_off).url)
        assert taken(transport) == 0

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nbad header\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            b"ICY 200 OK\r\n\r\n",
            b"\x15\x03\x01\x00\x02",
            b"HTTP/1.1 103 Early Hints\r\n\r\n" * 21,
            b"HTTP/1.1 200 OK\r\nendless: " + b"x" * 300_000,
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;" + b"x" * 300_000,
        ],
        ids=lambda answer: answer[:60].decode("latin-1"),
    )
    def test_that_are_not_http_are_none(self, transport: FastTransport, serving: Any, answer: bytes) -> None:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            call(transport, serving(answer).url)
        assert "x" * 20 not in str(caught.value)
        assert taken(transport) == 0

    def test_that_nobody_reads_to_the_end_leave_no_connection_taken(
        self, transport: FastTransport, serving: Any
    ) -> None:
        peer = serving(b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000)
        answer = transport.handle_request(httpx.Request("GET", peer.url, extensions={"timeout": PATIENT}))
        assert next(iter(answer.stream))  # type: ignore[arg-type]
        assert taken(transport) == 1
        answer.stream.close()  # type: ignore[union-attr]
        assert taken(transport) == 0
        with pytest.raises(httpx.StreamClosed):
            iter(answer.stream)  # type: ignore[arg-type]

    def test_that_drip_are_given_up(self, transport: FastTransport, serving: Any) -> None:
        """The head has to be there in the time for reading, not only the next byte of it."""
        over = threading.Event()

        def drip(connection: socket.socket, *_: Any) -> None:
            while not over.wait(0.02):
                connection.sendall(b"H")

        peer = serving(lambda c, *_: c.sendall(b"HTTP/1.1 200 OK\r\nx: ") or drip(c))
        with pytest.raises(httpx.ReadTimeout):
            call(transport, peer.url, timeouts={"read": 0.1})
        over.set()


class TestReuse:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("how", ["closed", "reset"])
    def test_a_connection_that_the_peer_ended_while_idle_is_not_used(
        self, transport: FastTransport, serving: Any, method: str, how: str
    ) -> None:
        ended = threading.Event()

        def once(connection: socket.socket, _: bytes, number: int) -> bytes | None:
            if number > 1:
                return OK
            connection.sendall(OK)
            if how == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            ended.set()
            return None

        peer = serving(once)
        call(transport, peer.url)
        ended.wait(60)
        assert call(transport, peer.url, method) == (200, b"ok")
        assert peer.used == [1, 2], "sent once, on another connection"

    def test_one_that_ends_when_the_request_has_come_is_no_failure_to_connect(
        self, transport: FastTransport, serving: Any
    ) -> None:
        peer = serving(lambda _, __, number: OK if len(peer.used) == 1 else None)
        call(transport, peer.url)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            call(transport, peer.url, "POST", content=b"{}")
        assert peer.used == [1, 1], "it was not sent again"

    def test_idle_ones_are_kept_for_some_seconds(
        self, transport: FastTransport, serving: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        peer = serving(OK)
        now = [1000.0]
        monkeypatch.setattr(fast_sync, "monotonic", lambda: now[0])
        for later in (0, 4.9, 5.1):
            now[0] += later
            call(transport, peer.url)
        assert peer.used == [1, 1, 2]

    def test_those_that_grew_old_are_closed_when_another_comes_back(
        self, transport: FastTransport, serving: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        peer = serving(OK)
        now = [1000.0]
        monkeypatch.setattr(fast_sync, "monotonic", lambda: now[0])
        answers = [transport.handle_request(httpx.Request("GET", peer.url)) for _ in range(3)]
        for answer in answers:
            answer.read()
        assert len(transport._pool._all) == 3
        now[0] += 3
        call(transport, peer.url)
        now[0] += 3
        call(transport, peer.url)
        assert len(transport._pool._all) == 1

    def test_what_was_sent_in_part_is_never_sent_again(self, transport: FastTransport, serving: Any) -> None:
        def hang_up(connection: socket.socket, *_: Any) -> None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        peer = serving(hang_up)
        with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
            call(transport, peer.url, "POST", content=b"x" * 5_000_000)
        assert peer.used == [1]
        assert taken(transport) == 0

    def test_of_which_nothing_went_out_is_said_not_to_have_been_sent(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        connection = Connection()
        connection.attach(ours)
        theirs.close()
        with pytest.raises(httpx.ConnectError) as caught:
            connection.send("GET", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", iter(()), 5)
        assert isinstance(caught.value.__cause__, BrokenPipeError)
        connection.close()

    def test_an_answer_that_comes_before_the_body_is_out_is_taken(self) -> None:
        """As servers do that will not have so much, or not from us."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        connection = Connection()
        connection.attach(ours)

        def body() -> Iterator[bytes]:
            yield b"x" * 10
            theirs.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
            theirs.shutdown(socket.SHUT_RD)
            yield b"x" * 10
            pytest.fail("more was asked for than the other side takes")

        connection.send("POST", b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", body(), 5)
        assert connection.head(5).status_code == 413
        assert b"".join(connection.body(5)) == b"no"
        assert not connection.renew(), "the other side would take the rest of the body for the next call"
        connection.close()
        theirs.close()

    def test_an_answer_is_taken_also_where_the_other_side_reads_no_more(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        connection = Connection()
        connection.attach(ours)
        theirs.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        connection.send("POST", b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", iter((b"x", b"x" * 5_000_000)), 0.05)
        assert connection.head(5).status_code == 413
        assert b"".join(connection.body(5)) == b"no"
        assert not connection.renew()
        connection.close()
        theirs.close()

    def test_a_body_that_nobody_takes_is_given_up(self, transport: FastTransport, serving: Any) -> None:
        over = threading.Event()
        peer = serving(lambda *_: over.wait(60) and None)
        with pytest.raises(httpx.WriteTimeout):
            call(transport, peer.url, "POST", content=b"x" * 20_000_000, timeouts={"write": 0.1})
        over.set()
        assert taken(transport) == 0


class TestPlaces:
    def test_more_than_there_may_be_wait_and_then_give_up(self, serving: Any) -> None:
        peer = serving(OK)
        with FastTransport(connections=1) as transport:
            held = transport.handle_request(httpx.Request("GET", peer.url))
            with pytest.raises(httpx.PoolTimeout):
                call(transport, peer.url, timeouts={"pool": 0.05})
            held.read()
            held.close()
            assert call(transport, peer.url) == (200, b"ok")
        assert peer.used == [1, 1]

    def test_an_idle_connection_of_another_server_makes_room(self, serving: Any) -> None:
        here, there = serving(OK), serving(OK)
        with FastTransport(connections=1) as transport:
            for peer in (here, there, here):
                assert call(transport, peer.url, timeouts={"pool": 0.0}) == (200, b"ok")

    def test_threads_share_few_connections_and_get_their_own_answers(self, serving: Any) -> None:
        def echo(_: socket.socket, head: bytes, __: int) -> bytes:
            name = head.split()[1].rpartition(b"/")[2]
            return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(name), name)

        peer = serving(echo)
        wrong: list[bytes] = []
        with FastTransport(connections=3) as transport:

            def work(number: int) -> None:
                for turn in range(20):
                    name = f"{number}-{turn}"
                    wrong.extend({call(transport, f"{peer.url}/{name}")[1]} - {name.encode()})

            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert taken(transport) == 0
        assert not wrong
        assert len(peer.used) == 160
        assert len(set(peer.used)) <= 3

    def test_one_that_closes_while_it_calls_leaves_no_connection(self, serving: Any) -> None:
        peer = serving(OK)
        transport = FastTransport()
        held = transport.handle_request(httpx.Request("GET", peer.url))
        transport.close()
        assert held.read() == b"ok"
        assert not len(transport._pool._all)
        with pytest.raises(ConfigError, match="the transport is closed: make a new one"):
            call(transport, peer.url)


class Stop(BaseException):
    """What a time limit raises, at any line."""


def stopped_at(line: int, work: Callable[[], object]) -> bool:
    """Raise in the so-and-so-manieth line of the transport that runs. Whether it came that far."""
    files = {module.__file__ for module in (fast_sync, connections, sockets)}
    left = line

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files or frame.f_code.co_name in ("close", "_drop", "_tell"):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise Stop
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except Stop:
        return True
    finally:
        sys.settrace(before)
    return False


# a socket that an interrupt loses between two lines closes itself, and says so
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("kept", [False, True], ids=["new connection", "kept connection"])
def test_an_interrupt_at_any_line_leaves_no_connection_taken_and_no_answer_behind(serving: Any, kept: bool) -> None:
    def echo(_: socket.socket, head: bytes, __: int) -> bytes:
        name = head.split()[1].rpartition(b"/")[2]
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(name), name)

    peer = serving(echo)
    line, more = 0, True
    with FastTransport(connections=2) as transport:
        while more:
            line += 1
            if kept:
                assert call(transport, f"{peer.url}/first") == (200, b"first")
            else:
                for server in transport._pool._servers.values():
                    while idle := server.newest():
                        transport._pool._drop(idle)
            more = stopped_at(line, partial(call, transport, f"{peer.url}/stopped-{line}"))
            assert taken(transport) == 0, line
            assert call(transport, f"{peer.url}/next-{line}") == (200, b"next-%d" % line), line
    assert line > 50


class TestProxy:
    def test_is_asked_for_the_whole_address_and_told_who_calls(self, serving: Any) -> None:
        peer = serving(OK)
        with FastTransport(proxy=f"http://ana:p%40ss@127.0.0.1:{peer.port}") as transport:
            for _ in range(2):
                assert call(transport, "http://vendor.example:81/flow?a=b") == (200, b"ok")
        lines = peer.heads[0].split(b"\r\n")
        assert lines[0] == b"GET http://vendor.example:81/flow?a=b HTTP/1.1"
        assert b"Host: vendor.example:81" in lines
        assert b"Proxy-Authorization: Basic YW5hOnBAc3M=" in lines
        assert peer.used == [1, 1]

    def test_is_asked_for_a_tunnel_where_the_server_has_tls(self, serving: Any) -> None:
        peer = serving(lambda *_: b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        with FastTransport(proxy=f"http://127.0.0.1:{peer.port}") as transport:
            with pytest.raises(httpx.ProxyError):
                call(transport, "https://[::1]/flow")
            assert taken(transport) == 0
        assert peer.heads[0].startswith(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n")


class TestConnecting:
    @pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
    def test_ipv6(self, transport: FastTransport, serving: Any) -> None:
        try:
            listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            pytest.skip("no IPv6 here")
        peer = serving(OK, listener)
        assert call(transport, f"http://[::1]:{peer.port}/") == (200, b"ok")
        assert b"Host: [::1]:%d\r\n" % peer.port in peer.heads[0]

    def addresses(self, monkeypatch: pytest.MonkeyPatch, *found: tuple[str, int]) -> None:
        def lookup(host: str, *_: Any, **__: Any) -> Any:
            assert host == "vendor.example"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in found]

        monkeypatch.setattr(socket, "getaddrinfo", lookup)

    def test_an_address_that_refuses_is_followed_by_the_next(
        self, transport: FastTransport, serving: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sockets, "_HEAD_START", 3600.0)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = closed.getsockname()
        peer = serving(OK)
        self.addresses(monkeypatch, nobody, ("127.0.0.1", peer.port))
        assert call(transport, "http://vendor.example") == (200, b"ok")

    def test_one_of_a_family_that_this_machine_does_not_speak_too(
        self, transport: FastTransport, serving: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sockets, "_HEAD_START", 3600.0)
        peer = serving(OK)
        found = [
            (socket.AF_INET, 1 << 10, 6, "", None),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", peer.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert call(transport, "http://vendor.example") == (200, b"ok")

    def test_one_that_says_nothing_is_not_waited_for_alone(
        self, transport: FastTransport, serving: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sockets, "_HEAD_START", 0.01)
        peer = serving(OK)
        with full() as silent:
            self.addresses(monkeypatch, silent, ("127.0.0.1", peer.port))
            assert call(transport, "http://vendor.example") == (200, b"ok")

    def test_where_none_answers_the_cause_is_told(
        self, transport: FastTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = closed.getsockname()
        self.addresses(monkeypatch, nobody, nobody)
        with pytest.raises(httpx.ConnectError) as caught:
            call(transport, "http://vendor.example")
        assert cause_of(caught.value) == "connection refused"
        assert taken(transport) == 0

    def test_and_not_for_longer_than_the_time_for_connecting(
        self, transport: FastTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with full() as silent:
            self.addresses(monkeypatch, silent)
            with pytest.raises(httpx.ConnectTimeout):
                call(transport, "http://vendor.example", timeouts={"connect": 0.05})
        assert taken(transport) == 0

    def test_nor_for_a_handshake(self, transport: FastTransport, serving: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(httpx.ConnectTimeout):
            call(transport, f"https://127.0.0.1:{silent.getsockname()[1]}", timeouts={"connect": 0.05})

    def test_families_take_turns_and_the_systems_choice_goes_first(self) -> None:
        six, four = socket.AF_INET6, socket.AF_INET
        found = [(six, "a"), (six, "b"), (six, "c"), (four, "d")]
        assert [where for _, where in sockets._by_turns(found)] == ["a", "d", "b", "c"]

    @pytest.mark.parametrize("url", ["ftp://vendor.example", "http:///flow"])
    def test_addresses_that_are_none(self, transport: FastTransport, url: str) -> None:
        with pytest.raises(httpx.UnsupportedProtocol):
            call(transport, url, headers={"Host": "x"})

    @pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
    def test_names_that_nobody_can_look_up(self, transport: FastTransport, host: str) -> None:
        with pytest.raises(httpx.ConnectError):
            call(transport, f"http://{host}")

    def test_a_certificate_is_asked_for_by_name_and_read_as_configured(
        self,
        transport: FastTransport,
        certificate: tuple[Path, Path],
        self_signed: ssl.SSLContext,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        ssl_context.cache_clear()
        asked: list[str | None] = []
        self_signed.sni_callback = lambda _, name, __: asked.append(name)
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            raw, _ = listener.accept()
            with self_signed.wrap_socket(raw, server_side=True) as tls:
                for _ in range(2):
                    got = b""
                    while not got.endswith(b"end"):
                        got += tls.recv(65536)
                    body = got.partition(b"\r\n\r\n")[2]
                    tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

        serving = threading.Thread(target=serve)
        serving.start()
        url = f"https://localhost:{listener.getsockname()[1]}/"
        # more than one record, and more than the system holds at once
        large = b"x" * 3_000_000 + b"end"
        assert call(transport, url, "POST", content=large) == (200, large)
        assert call(transport, url, "POST", content=b"end") == (200, b"end")
        serving.join()
        listener.close()
        assert asked == ["localhost"]
        ssl_context.cache_clear()


@contextlib.contextmanager
def full() -> Iterator[tuple[str, int]]:
    """An address that takes no more connections and says nothing about it."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        while True:
            client = held.enter_context(socket.socket())
            client.setblocking(False)
            code = client.connect_ex(listener.getsockname())
            if code not in (0, errno.EINPROGRESS) or not select.select([], [client], [], 0.05)[1]:
                break
        yield listener.getsockname()


NAMES = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,10}", fullmatch=True).filter(
    lambda name: name.lower() not in ("host", "content-length", "transfer-encoding", "connection", "expect", "upgrade")
)
VALUES = st.from_regex(r"[!-~](?:[ -~]{0,20}[!-~])?", fullmatch=True)


class TestWritten:
    @given(
        method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
        path=st.from_regex(r"/[!-\"$-~]{0,30}", fullmatch=True),
        headers=st.lists(st.tuples(NAMES, VALUES), max_size=5),
        pieces=st.lists(st.binary(max_size=50), max_size=4),
        chunked=st.booleans(),
    )
    def test_a_server_reads_what_was_meant(
        self, method: str, path: str, headers: list[tuple[str, str]], pieces: list[bytes], chunked: bool
    ) -> None:
        whole = b"".join(pieces)
        framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(whole)))
        request = httpx.Request(
            method,
            "http://vendor.example",
            headers=[("Host", "vendor.example"), framing, *headers],
            stream=httpx.ByteStream(b""),
        )
        head = head_of(request, path.encode())
        server = h11.Connection(h11.SERVER)
        server.receive_data(head + b"".join(framed(head, pieces)))
        read = server.next_event()
        assert isinstance(read, h11.Request)
        assert (read.method.decode(), read.target.decode()) == (method, path)
        assert read.headers.raw_items() == request.headers.raw
        got = b""
        while isinstance(event := server.next_event(), h11.Data):
            got += event.data
        assert isinstance(event, h11.EndOfMessage)
        assert got == whole
        assert server.trailing_data == (b"", False)

    @pytest.mark.parametrize(
        "headers",
        [
            [("Host", "x"), ("A", "b\r\nC: d")],
            [("Host", "x"), ("A", "b\nC: d")],
            [("Host", "x"), ("A", "b\0")],
            [("Host", "x"), ("A b", "c")],
            [("Host", "x"), ("A\r\nB", "c")],
            [("Host", "x"), ("", "c")],
            [("A", "b")],
            [("Host", "x"), ("Content-Length", "2")],
            [("Host", "x"), ("Content-Length", "+3")],
            [("Host", "x")],
            [("Host", "x"), ("Content-Length", "3"), ("Content-Length", "3")],
            [("Host", "x"), ("Content-Length", "3"), ("Transfer-Encoding", "chunked")],
            [("Host", "x"), ("Transfer-Encoding", "gzip")],
        ],
        ids=str,
    )
    def test_what_would_be_read_as_something_else_is_not_sent(
        self, transport: FastTransport, serving: Any, headers: list[tuple[str, str]]
    ) -> None:
        peer = serving(OK)
        request = httpx.Request("POST", peer.url, headers=headers, stream=httpx.ByteStream(b"abc"))
        with pytest.raises(httpx.LocalProtocolError):
            transport.handle_request(request)
        assert not peer.heads
        assert taken(transport) == 0

    def test_a_body_that_is_shorter_than_was_said_never_becomes_whole(
        self, transport: FastTransport, serving: Any
    ) -> None:
        got: list[bytes] = []
        ended = threading.Event()

        def read_on(connection: socket.socket, *_: Any) -> None:
            while more := connection.recv(10):
                got.append(more)
            ended.set()

        peer = serving(read_on)
        with pytest.raises(httpx.LocalProtocolError):
            call(transport, peer.url, "POST", headers={"Content-Length": "4"}, content=iter([b"abc"]))
        ended.wait(60)
        assert b"".join(got) == b"abc"

    def test_a_method_that_is_two(self, transport: FastTransport, serving: Any) -> None:
        peer = serving(OK)
        with pytest.raises(httpx.LocalProtocolError):
            call(transport, peer.url, "GET / HTTP/1.1\r\nX: y\r\n\r\nGET")
        assert not peer.heads

    def test_a_stream_of_unknown_length_goes_out_in_chunks(self, transport: FastTransport, serving: Any) -> None:
        got: list[bytes] = []

        def read_on(connection: socket.socket, *_: Any) -> bytes:
            body = b""
            while not body.endswith(b"0\r\n\r\n"):
                body += connection.recv(65536)
            got.append(body)
            return OK

        assert call(transport, serving(read_on).url, "POST", content=iter([b"ab", b"", b"c"])) == (200, b"ok")
        assert got == [b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"]
