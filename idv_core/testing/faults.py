"""The fault matrix: every operation of a plugin, every call it makes, every way in which a vendor's answer can go wrong.

The faults happen on real sockets. Each cell opens a flow of its own, breaks one call of one operation, then does what
the error advises, as a platform would; two things must never happen: a flow opened twice, and an approval that the
evidence does not bear (all papers in the matrix are bad).
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import attrs

from ..clock import Clock
from ..engine.account import Limits
from ..engine.breaker import Circuit
from ..engine.retry import Retry
from ..errors import IdvError, OutcomeUnknown, PluginError, VendorError
from ..model import Decision, Flow, FlowOrder, Result
from ..protocols import RecoverProtocol
from .bench import Bench, Driver, another_person, operations_of
from .clock import RunningClock
from .emulator import Emulator

Answer = tuple[int, dict[str, str], bytes]

_BODY_LIMIT = 200_000
_QUICK = Limits(connect=1.0, read=0.2, write=1.0, operation=0.8, max_response=_BODY_LIMIT, concurrency=10)
_PATIENT = Limits(allow_private_urls=True)
_RETRY = Retry(attempts=3, base=0.01, ceiling=0.02)
# One cell may fail as often as it likes; that circuits open is tested elsewhere.
_CIRCUIT = Circuit(failures=1000)


# Seconds after which every emulator is done with what it was given.
_LATER = 120.0


@attrs.frozen
class Fault:
    """One way to go wrong. `acts`: the vendor carries the call out all the same. `answer` changes what it then says.

    `wire` names what happens to the connection instead. `always`: the same to each repeat, not only once.
    """

    name: str
    acts: bool = True
    answer: Callable[[Answer], Answer] | None = None
    wire: str | None = None
    always: bool = False
    skew: timedelta = timedelta(0)
    expire: bool = False


def _says(status: int, **headers: str) -> Callable[[Answer], Answer]:
    named = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda answer: (status, {**named, "date": answer[1].get("date", "")}, b'{"error": "no", "message": "no"}')


def _body(content: bytes, **headers: str) -> Callable[[Answer], Answer]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda answer: (200, {"content-type": "application/json", **named}, content)


FAULTS: tuple[Fault, ...] = (
    Fault("refused", acts=False, wire="refuse", always=True),
    Fault("reset before", acts=False, wire="reset"),
    Fault("reset after", wire="reset"),
    Fault("time-out before", acts=False, wire="hang"),
    Fault("time-out after", wire="hang"),
    Fault("slow drip", wire="drip"),
    Fault("truncated", wire="truncate"),
    Fault("wrong length", wire="shorten"),
    Fault("twice", wire="twice"),
    Fault("200 HTML", answer=_body(b"<html>Maintenance</html>", content_type="text/html")),
    Fault("204", answer=lambda _: (204, {}, b"")),
    Fault("bad UTF-8", answer=_body(b'{"status": "\xff\xfe"}')),
    Fault("huge", answer=_body(b" " * (2 * _BODY_LIMIT))),
    Fault("bomb", answer=_body(gzip.compress(b"0" * 50 * _BODY_LIMIT), content_encoding="gzip")),
    Fault("301", acts=False, answer=_says(301, location="https://elsewhere.example/"), always=True),
    Fault("401 once", acts=False, answer=_says(401)),
    Fault("401 always", acts=False, answer=_says(401), always=True),
    Fault("403", acts=False, answer=_says(403), always=True),
    Fault("404", acts=False, answer=_says(404), always=True),
    Fault("409", acts=False, answer=_says(409), always=True),
    Fault("410", acts=False, answer=_says(410), always=True),
    Fault("422", acts=False, answer=_says(422), always=True),
    Fault("429 wait", acts=False, answer=_says(429, retry_after="0")),
    Fault("429", acts=False, answer=_says(429)),
    Fault("500", answer=_says(500)),
    Fault("500 always", answer=_says(500), always=True),
    Fault("503", answer=_says(503)),
    Fault("token expired", expire=True),
    Fault("clock +10 min", skew=timedelta(minutes=10)),
    Fault("clock -10 min", skew=timedelta(minutes=-10)),
)


@attrs.frozen(kw_only=True)
class Cell:
    """What came out: `ok` or the name of the error; how many flows too many; whether somebody was approved."""

    operation: str
    call: int
    fault: str
    outcome: str
    opened_twice: int
    wrongly_approved: int


@attrs.define
class _Skewed:
    """The clock under test, out of step by `skew`."""

    clock: Clock
    skew: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.clock.now() + self.skew

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clock, name)


class FaultServer:
    """An emulator behind a loopback port that can be told to break the calls from a certain one on."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._fault: Fault | None = None
        self._from = self._until = 0
        self.calls = 0
        self._stopped = threading.Event()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def arm(self, fault: Fault, call: int) -> None:
        """Break the call with this number, counted from now on, and with `always` all after it."""
        with self._lock:
            self.calls, self._fault, self._from = 0, fault, call
            self._until = 1_000_000 if fault.always else call
        if fault.wire == "refuse":
            self._close_all()

    def disarm(self) -> None:
        """Work as usual again."""
        with self._lock:
            refused = self._fault is not None and self._fault.wire == "refuse"
            self._fault, self.calls = None, 0
        if refused:
            self._listener = self._listen(self.port)

    def stop(self) -> None:
        self._stopped.set()
        self._close_all()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(50)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _close_all(self) -> None:
        _shut(self._listener)
        for connection in list(self._connections):
            _shut(connection)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            waiting = b""
            while not self._stopped.is_set():
                head, waiting = _read_head(connection, waiting)
                method, target, headers = _parse(head)
                length = int(headers.get("content-length", "0"))
                while len(waiting) < length:
                    waiting += _receive(connection)
                body, waiting = waiting[:length], waiting[length:]
                self._answer(connection, method, target, headers, body)
        except (OSError, ValueError):
            pass
        finally:
            self._connections.discard(connection)
            connection.close()

    def _answer(
        self, connection: socket.socket, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> None:
        with self._lock:
            fault = self._fault if self._from <= self.calls <= self._until else None
            self.calls += 1
        answer: Answer = (0, {}, b"")
        if fault is None or fault.acts:
            answer = self._emulator.respond(method, target, headers, body, f"http://{headers['host']}")
        if fault is not None and fault.answer is not None:
            answer = fault.answer(answer)
        wire = fault.wire if fault is not None else None
        status, more, content = answer
        lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in more.items())]
        length = {"truncate": len(content) + 9, "shorten": max(0, len(content) - 5)}.get(wire or "", len(content))
        packed = "\r\n".join([*lines, f"content-length: {length}", "", ""]).encode() + content
        match wire:
            case None | "shorten":
                connection.sendall(packed)
            case "twice":
                connection.sendall(packed + packed)
            case "truncate":
                connection.sendall(packed)
                raise OSError("closed too early")
            case "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise OSError("reset")
            case "drip":
                for byte in packed:
                    connection.sendall(bytes([byte]))
                    if self._stopped.wait(0.02):
                        break
            case _:
                # says nothing until the caller hangs up
                _receive(connection)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise OSError("hung up")
    return data


def _read_head(connection: socket.socket, waiting: bytes) -> tuple[bytes, bytes]:
    while b"\r\n\r\n" not in waiting:
        waiting += _receive(connection)
    head, _, rest = waiting.partition(b"\r\n\r\n")
    return head, rest


def _parse(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


class FaultMatrix:
    """The matrix of one plugin. `bench` must count flows (`Bench.opened`) and run on a `RunningClock`.

    `kind` is `sync` or `async`; `transport` makes another httpx transport for the calls under test.
    """

    def __init__(self, bench: Bench, *, kind: str = "sync", transport: Callable[[], Any] | None = None) -> None:
        assert isinstance(bench.clock, RunningClock), "the fault matrix needs a bench over a RunningClock"
        assert bench.opened is not None, "the fault matrix needs Bench.opened"
        self._count = bench.opened
        self._bench = bench
        self._kind = kind
        self._transport = transport
        self._number = 0
        self._calls: dict[str, int] = {}

    def run(self, faults: tuple[Fault, ...] = FAULTS, *, first_calls: bool = False) -> Iterator[Cell]:
        """All cells, one after the other; with `first_calls` only those of the first call of each operation."""
        with self._server() as server:
            for operation in self._operations(server):
                calls = 1 if first_calls else self._dry_run(server, operation)
                for call in range(calls):
                    for fault in faults:
                        if fault.expire and self._bench.expire_tokens is None:
                            continue
                        if call and (fault.wire == "refuse" or fault.skew or fault.expire):
                            continue
                        yield self._cell(server, operation, call, fault)

    @contextmanager
    def _server(self) -> Iterator[FaultServer]:
        server = FaultServer(self._bench.emulator)
        network = self._bench.transport
        if hasattr(network, "add"):
            # an applicant's browser follows links that name the port
            network.add(f"127.0.0.1:{server.port}", self._bench.emulator.app)
        try:
            yield server
        finally:
            server.stop()

    def _operations(self, server: FaultServer) -> list[str]:
        with self._gateway(server) as idv:
            return operations_of(idv.adapter) + ["recover"] * isinstance(idv.adapter, RecoverProtocol)

    @contextmanager
    def _gateway(self, server: FaultServer, limits: Limits = _PATIENT, clock: Any = None) -> Iterator[Driver]:
        transport = self._transport() if self._transport is not None and limits is _QUICK else None
        bench = attrs.evolve(
            self._bench,
            settings=self._bench.settings_at(server.url),
            clock=clock or self._bench.clock,
            transport=transport,
        )
        driver = Driver(bench, self._kind, limits=limits, retry=_RETRY, circuit=_CIRCUIT)
        try:
            yield driver
        finally:
            driver.close(transport)

    def _dry_run(self, server: FaultServer, operation: str) -> int:
        """How many calls the operation makes when nothing goes wrong."""
        if operation in self._calls:
            return self._calls[operation]
        with self._gateway(server) as calm, self._gateway(server) as idv:
            order, flow = self._prepared(calm, server, operation)
            self._warm_up(idv)
            server.disarm()
            self._quietly(lambda: self._operate(idv, operation, order, flow))
            self._calls[operation] = server.calls
            return server.calls

    def _cell(self, server: FaultServer, operation: str, call: int, fault: Fault) -> Cell:
        bench = self._bench
        clock = _Skewed(bench.clock)
        with self._gateway(server) as calm, self._gateway(server, _QUICK, clock) as idv:
            order, flow = self._prepared(calm, server, operation)
            self._warm_up(idv)
            clock.skew = fault.skew
            before = bench.clock.monotonic()
            if fault.expire and bench.expire_tokens is not None:
                bench.expire_tokens()
            server.arm(fault, call) if fault.answer or fault.wire else server.disarm()
            error, value = self._quietly(lambda: self._operate(idv, operation, order, flow))
            server.disarm()
            clock.skew = timedelta(0)
            approved = self._approved(value)
            after = self._advised(calm, operation, order, flow, error)
            approved += self._approved(after)
            reached = after if isinstance(after, Flow) else value if isinstance(value, Flow) else flow
            if reached is not None:
                bench.clock.advance(_LATER)
                approved += self._approved(self._quietly(lambda: calm.result(reached))[1])
        if fault.expire:
            # back, for the next cell's credentials should not have grown old
            bench.clock.advance(before - bench.clock.monotonic())
        return Cell(
            operation=operation,
            call=call + 1,
            fault=fault.name,
            outcome=type(error).__name__ if error is not None else "ok",
            opened_twice=max(0, self._count(order) - 1),
            wrongly_approved=approved,
        )

    def _warm_up(self, idv: Driver) -> None:
        """Have the token fetched, so that the fault hits the operation's own calls."""
        if not idv.has_token_already:
            self._quietly(lambda: idv.open(self._order()))

    def _prepared(self, idv: Driver, server: FaultServer, operation: str) -> tuple[FlowOrder, Flow | None]:
        """A flow that has come so far that the operation makes sense, with bad papers where it has any."""
        bench, order = self._bench, self._order()
        match operation:
            case "open" | "provision":
                return order, None
            case "recover":
                # opened, and nobody was told: the answer to the last call of the opening is lost
                last = self._dry_run(server, "open") - 1
                server.arm(Fault("lost", wire="reset"), last if idv.has_token_already else last + 1)
                self._quietly(lambda: idv.open(order))
                server.disarm()
                return order, None
            case "upload" | "renew_link":
                return order, idv.open(order)
            case "submit":
                return order, idv.upload(idv.open(order), bench.bad_documents)
        flow = bench.finish_badly(idv, idv.open(order))
        bench.clock.advance(_LATER)
        return order, flow

    def _operate(self, idv: Driver, operation: str, order: FlowOrder, flow: Flow | None) -> Any:
        match operation:
            case "open" | "recover":
                return getattr(idv, operation)(order)
            case "upload":
                return idv.upload(flow, self._bench.bad_documents)
            case "provision":
                assert self._bench.template is not None
                return idv.provision(attrs.evolve(self._bench.template, name=order.application_id))
            case _:
                return getattr(idv, operation)(flow)

    def _advised(self, idv: Driver, operation: str, order: FlowOrder, flow: Flow | None, error: IdvError | None) -> Any:
        """What a platform does about the error: what it advises, and nothing else."""
        if isinstance(error, OutcomeUnknown):
            match error.ask:
                case "recover":
                    return self._quietly(lambda: idv.recover(order))[1]
                case "status":
                    return self._quietly(lambda: idv.status(flow))[1]
                case "renew_link" | "provision":
                    return self._quietly(lambda: self._operate(idv, operation, order, flow))[1]
            return None
        if isinstance(error, VendorError) and error.safe_to_repeat:
            return self._quietly(lambda: self._operate(idv, operation, order, flow))[1]
        return None

    def _order(self) -> FlowOrder:
        self._number += 1
        mark = f"{self._kind}{self._number}"
        return another_person(attrs.evolve(self._bench.order, application_id=f"APP-{mark}"), mark)

    @staticmethod
    def _quietly(run: Callable[[], Any]) -> tuple[IdvError | None, Any]:
        """An error of the tree is an answer like any other; one that blames the plugin is not."""
        try:
            return None, run()
        except PluginError:
            raise
        except IdvError as error:
            return error, None

    @staticmethod
    def _approved(value: Any) -> int:
        return int(isinstance(value, Result) and value.decision is Decision.APPROVED)


def as_table(cells: list[Cell]) -> str:
    """A row for each call of each operation, a column for each fault; errors by their capitals."""
    names = list(dict.fromkeys(cell.fault for cell in cells))
    rows = list(dict.fromkeys((cell.operation, cell.call) for cell in cells))
    found = {(cell.operation, cell.call, cell.fault): cell.outcome for cell in cells}
    width = max(len(name) for name in names)
    heads = [f"{operation} {call}" for operation, call in rows]
    lines = [" " * width + "  " + "  ".join(heads)]
    for name in names:
        outcomes = (_short(found.get((*row, name), "")) for row in rows)
        columns = (outcome.ljust(len(head)) for outcome, head in zip(outcomes, heads, strict=True))
        lines.append(f"{name.ljust(width)}  {'  '.join(columns)}".rstrip())
    return "\n".join(lines)


def _short(outcome: str) -> str:
    return outcome if outcome in ("", "ok") else "".join(char for char in outcome if char.isupper())
