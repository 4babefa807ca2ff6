"""One HTTP/1.1 connection of the blocking quick transport: what is sent is written here, what comes is read by h11.

A connection serves one call at a time, and no further one while anything of an earlier one lies in it.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator
from functools import lru_cache
from socket import socket
from time import monotonic

import h11
import httpx

from .sockets import Ready, readiness, wait

_PIECE = 65_536
# As httpcore has it.
_LONGEST_HEAD = 100 * 1024
_MOST_INTERIM = 20
# What TLS sends as one record: of a part of one, the other side reads nothing.
_RECORD = 16_384
_END = h11.EndOfMessage()
_HEAD = re.compile(
    rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [!-~]+ HTTP/1\.1\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\0\r\n]*\r\n)+\r\n"
)
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding): ([^\r]*)", re.IGNORECASE)


class Connection:
    """Between `attach` and `close` there is a socket. Whoever forgets the connection closes it."""

    # of the class, so that one whose making is interrupted can be closed
    _socket: socket | None = None
    _tls: ssl.SSLSocket | None = None
    _broken = False
    expires = 0.0
    """Moment of `time.monotonic` after which it is not used again."""

    def attach(self, to: socket) -> None:
        self._socket = to
        self._tls = to if isinstance(to, ssl.SSLSocket) else None
        self._ready: Ready = readiness(to)
        self._reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)

    @property
    def socket(self) -> socket:
        """What is attached."""
        assert self._socket is not None
        return self._socket

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    __del__ = close

    # Sending

    def send(self, method: str, head: bytes, body: Iterator[bytes], seconds: float | None) -> None:
        """The head of a request and its body, piece by piece; `seconds` for each piece.

        Raises ConnectError where the system took nothing of it; WriteError, WriteTimeout. Where the other side takes no more of
        the body and says something, that may be its answer.
        """
        self._reader.send(_asked(method))
        self._reader.send(_END)
        first = next(body, b"")
        joined, rest = (head + first, b"") if len(first) <= _PIECE else (head, first)
        # whether anything went out, the first step tells
        left = self._step(joined, seconds, httpx.ConnectError, httpx.ConnectError)
        if self._go_on(left, seconds) and self._go_on(rest, seconds):
            for piece in body:
                if not self._go_on(piece, seconds):
                    return

    def _go_on(self, data: bytes | memoryview, seconds: float | None) -> bool:
        """Whether all of it was taken."""
        while data:
            try:
                data = self._step(data, seconds, httpx.WriteTimeout, httpx.WriteError)
            except (httpx.WriteError, httpx.WriteTimeout):
                if not self._ready(0):
                    raise
                return False
        return True

    def _step(
        self,
        data: bytes | memoryview,
        seconds: float | None,
        late: type[httpx.TransportError],
        failed: type[httpx.TransportError],
    ) -> bytes | memoryview:
        """Send as much as goes at once; gives back what is left."""
        piece = data if self._tls is None or len(data) <= _RECORD else memoryview(data)[:_RECORD]
        try:
            sent = self._take(piece, seconds)
        except TimeoutError as error:
            self._broken = True
            raise late("the request could not be sent in time") from error
        except OSError as error:
            self._broken = True
            raise failed(type(error).__name__) from error
        return b"" if sent == len(data) else memoryview(data)[sent:]

    def _take(self, data: bytes | memoryview, seconds: float | None) -> int:
        to, until = self.socket, None
        while True:
            try:
                return to.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError):
                ready = readiness(to, writing=True)
            except ssl.SSLWantReadError:
                ready = self._ready
            until = until or _until(seconds)
            wait(ready, until)

    # Receiving

    def head(self, seconds: float | None) -> h11.Response:
        """The head of the answer, after interim ones (RFC 9110 section 15.2), all within `seconds`."""
        until = _until(seconds)
        for _ in range(_MOST_INTERIM):
            event = self._event(until)
            if type(event) is h11.Response:
                return event
        raise httpx.RemoteProtocolError("there were too many interim responses")

    def body(self, seconds: float | None) -> Iterator[bytes]:
        """The body of the answer; `seconds` for each piece."""
        while type(event := self._event(_until(seconds))) is h11.Data:
            yield bytes(event.data)

    def _event(self, until: float | None) -> h11.Event | type[h11.PAUSED]:
        reader = self._reader
        try:
            while (event := reader.next_event()) is h11.NEED_DATA:
                reader.receive_data(self._receive(until))
            return event  # type: ignore[return-value]
        except h11.RemoteProtocolError:
            # its text quotes what came
            raise httpx.RemoteProtocolError("the response broke off or was not HTTP") from None
        except TimeoutError as error:
            raise httpx.ReadTimeout("no response in time") from error
        except OSError as error:
            raise httpx.ReadError(type(error).__name__) from error

    def _receive(self, until: float | None) -> bytes:
        of, tls = self.socket, self._tls
        ready = self._ready
        # TLS may hold what the system shows no more
        waits = tls is None or not tls.pending()
        while True:
            if waits:
                wait(ready, until)
            try:
                return of.recv(_PIECE)
            except (BlockingIOError, ssl.SSLWantReadError):
                ready = self._ready
            except ssl.SSLWantWriteError:
                ready = readiness(of, writing=True)
            waits = True

    # Between calls

    def renew(self) -> bool:
        """Make ready for the next call. False where the last one is not over, or was the last."""
        reader = self._reader
        if self._broken or reader.our_state is not h11.DONE or reader.their_state is not h11.DONE:
            return False
        reader.start_next_cycle()
        return True

    def is_empty(self) -> bool:
        """Whether nothing lies in it: not in the reader, not in a layer of TLS, not in the kernel (where the end also lies)."""
        if self._reader.trailing_data != (b"", False) or (self._tls is not None and self._tls.pending()):
            return False
        return not self._ready(0)


def head_of(request: httpx.Request, target: bytes, proxy_header: bytes | None = None) -> bytes:
    """The head of a request as it is sent (RFC 9112 section 3). Raises LocalProtocolError for what would not be one."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), target)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    if proxy_header is not None:
        lines.append(b"Proxy-Authorization: " + proxy_header)
    head = b"\r\n".join([*lines, b"", b""])
    # a line break within a value would look like a header of its own
    if head.count(b"\n") != len(lines) + 1 or not _HEAD.fullmatch(head) or b"\r\nhost: " not in head.lower():
        raise httpx.LocalProtocolError(
            "the method, the address or a header cannot be sent as it is, or there is no Host"
        )
    return head


def framed(head: bytes, stream: Iterable[bytes]) -> Iterator[bytes]:
    """The body of a request in pieces, as its head says (RFC 9112 section 6). Raises LocalProtocolError where it says nothing
    that is understood, or the body is longer or shorter."""
    said = _FRAMING.findall(head)
    if len(said) > 1 or (said and not said[0][1].isdigit() and said[0][1].lower() != b"chunked"):
        raise httpx.LocalProtocolError("the length of the body is not clear")
    if said and not said[0][1].isdigit():
        for piece in stream:
            if piece:
                yield b"%x\r\n%s\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"
        return
    left = int(said[0][1]) if said else 0
    for piece in stream:
        left -= len(piece)
        if left < 0:
            break
        if piece:
            yield piece
    if left:
        raise httpx.LocalProtocolError("the body is not as long as its headers say")


def _until(seconds: float | None) -> float | None:
    return None if seconds is None else monotonic() + seconds


@lru_cache(maxsize=32)
def _asked(method: str) -> h11.Request:
    """What h11 must know of a request to read its answer."""
    return h11.Request(method=method, target="/", headers=[("Host", "server")])
