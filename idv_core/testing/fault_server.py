"""An emulator behind a loopback port that can be told to break calls: what a vendor and the way to it can do wrong."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from datetime import timedelta

import attrs

from .emulator import Emulator

Answer = tuple[int, dict[str, str], bytes]

# How long to wait for what certainly comes, but on a busy machine not at once.
_CERTAIN = 60.0


@attrs.frozen
class Fault:
    """One way to go wrong. `acts`: the vendor carries the call out all the same. `answer` changes what it then says.

    `wire` names what happens to the connection instead:

    - `refuse`: nobody listens; `reset`: the connection breaks off; `truncate`, `shorten`: a part of the answer is missing
    - `hang`: no answer; `drip`: the answer takes longer than the whole operation may
    - `late`: no answer, and the call is carried out only when `FaultServer.catch_up` says so
    - `twice`: the answer comes twice in one packet; `another`: in one packet with an answer to somebody else's call

    `always`: the same to each repeat, not only once. `keeps`: the vendor keeps the answer for the call's idempotency key, and
    gives it to every call with that key. `cancel`: the caller's task is cancelled when the call has come to the vendor.
    """

    name: str
    acts: bool = True
    answer: Callable[[Answer], Answer] | None = None
    wire: str | None = None
    always: bool = False
    skew: timedelta = timedelta(0)
    expire: bool = False
    keeps: bool = False
    cancel: bool = False


class FaultServer:
    """The calls from a certain one on are broken. `on_drip` is run in the middle of an answer that drips.

    `another` is the answer that the wire fault of that name adds; `last` the last answer that was given.
    """

    def __init__(self, emulator: Emulator, on_drip: Callable[[], object] | None = None) -> None:
        self._emulator = emulator
        self._on_drip = on_drip
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._fault: Fault | None = None
        self._from = self._until = 0
        self._kept: dict[str, Answer] = {}
        self._late: list[Callable[[], object]] = []
        self.calls = 0
        self.last: Answer = (0, {}, b"")
        self.another: Answer = (0, {}, b"")
        self.reached = threading.Event()
        self._stopped = threading.Event()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def arm(self, fault: Fault, call: int) -> None:
        """Break the call with this number, counted from now on, and with `always` all after it."""
        with self._lock:
            self.calls, self._fault, self._from = 0, fault, call
            self._until = 1_000_000 if fault.always else call
            self.reached = threading.Event()
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

    @property
    def will_hang(self) -> bool:
        """Whether the next call gets no answer, so that only a time-out ends it."""
        with self._lock:
            fault = self._fault
            return fault is not None and fault.wire in ("hang", "late") and self._from <= self.calls <= self._until

    def wait_until_reached(self) -> None:
        """Wait until the broken call has come, and was carried out if the fault lets it."""
        self.reached.wait(_CERTAIN)

    def catch_up(self) -> None:
        """Carry out what came and was left."""
        with self._lock:
            late, self._late = self._late, []
        for act in late:
            act()

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
        key = headers.get("idempotency-key", "")
        if key in self._kept:
            _send(connection, self._kept[key])
            return

        def act() -> Answer:
            return self._emulator.respond(method, target, headers, body, f"http://{headers['host']}")

        answer: Answer = (0, {}, b"")
        if fault is None:
            self.last = answer = act()
            _send(connection, answer)
            return
        if fault.wire == "late":
            with self._lock:
                self._late.append(act)
        elif fault.acts:
            answer = act()
        if fault.answer is not None:
            answer = fault.answer(answer)
        if fault.keeps and key:
            self._kept[key] = answer
        self.reached.set()
        self._break(connection, fault.wire, answer)

    def _break(self, connection: socket.socket, wire: str | None, answer: Answer) -> None:
        match wire:
            case None:
                _send(connection, answer)
            case "shorten":
                _send(connection, answer, -5)
            case "twice":
                connection.sendall(2 * _packed(answer))
            case "another":
                connection.sendall(_packed(answer) + _packed(self.another))
            case "truncate":
                _send(connection, answer, +9)
                raise OSError("closed too early")
            case "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise OSError("reset")
            case "drip" if self._on_drip is not None:
                packed = _packed(answer)
                connection.sendall(packed[:-1])
                self._on_drip()
                connection.sendall(packed[-1:])
            case "drip":
                for byte in _packed(answer):
                    connection.sendall(bytes([byte]))
                    if self._stopped.wait(0.02):
                        break
            case _:
                # says nothing until the caller hangs up
                _receive(connection)


def _send(connection: socket.socket, answer: Answer, off: int = 0) -> None:
    connection.sendall(_packed(answer, off))


def _packed(answer: Answer, off: int = 0) -> bytes:
    """The answer as it goes over the wire; `off` is by how much the length that it tells is wrong."""
    status, more, content = answer
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in more.items())]
    length = max(0, len(content) + off)
    return "\r\n".join([*lines, f"content-length: {length}", "", ""]).encode() + content


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
