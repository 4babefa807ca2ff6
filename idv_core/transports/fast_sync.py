"""The blocking half of `FastTransport`: plain sockets, h11, and a pool that keeps connections with our guard.

httpx's own transport spends most of a call's time in layers that a call to a vendor does not need. What must not go wrong is
the same: nothing is sent a second time, an error says truly whether the request went out, and a kept connection in which
something lies serves nobody.
"""

from __future__ import annotations

import base64
import math
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from urllib.parse import unquote, urlsplit

import attrs
import httpx

from ..errors import ConfigError
from ..runtime.forks import renew_after_fork
from .calls import ssl_context
from .connection import Connection, framed, head_of
from .sockets import connected, secured

# Seconds for which an idle connection is kept, as in the other transports.
_KEPT = 5.0
# Seconds after which whoever waits for a connection looks again, should one have been lost.
_SLICE = 1.0


@attrs.frozen
class Proxy:
    """An HTTP proxy; `header` is what it is told of who calls."""

    host: str
    port: int
    header: bytes | None = attrs.field(repr=False)

    @classmethod
    def of(cls, url: str) -> Proxy:
        parts = urlsplit(url)
        header = None
        if parts.username is not None:
            said = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            header = b"Basic " + base64.b64encode(said)
        return cls(parts.hostname or "", parts.port or 80, header)


@attrs.frozen
class Server:
    """What connections are kept for."""

    scheme: str
    host: str
    port: int
    netloc: bytes
    proxy: Proxy | None
    _idle: deque[Connection] = attrs.field(factory=deque, eq=False, repr=False)

    def keep(self, connection: Connection) -> None:
        self._idle.append(connection)

    def newest(self) -> Connection | None:
        """The idle connection that came back last, which is idle no longer; None if there is none."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def oldest(self, expired_by: float = math.inf) -> Connection | None:
        """The one that has been idle for longest, in the same way, if it has expired by that moment."""
        try:
            # where another thread is quicker it may be the next one, and a new connection is made for it later
            return self._idle.popleft() if self._idle[0].expires < expired_by else None
        except IndexError:
            return None

    @property
    def idle(self) -> int:
        """How many there are."""
        return len(self._idle)

    def target(self, url: httpx.URL) -> bytes:
        """What is asked for: the path, and of a proxy the whole address (RFC 9112 section 3.2)."""
        if self.proxy is None or self.scheme == "https":
            return url.raw_path
        return b"http://" + self.netloc + url.raw_path

    @property
    def proxy_header(self) -> bytes | None:
        """What goes with each request: on the way to a server with TLS, the proxy is told once."""
        return self.proxy.header if self.proxy is not None and self.scheme == "http" else None


class Pool:
    """Connections of one process, at most `connections` at a time. `proxy_for` decides for each server."""

    def __init__(self, connections: int, proxy_for: Callable[[str], str | None]) -> None:
        self._connections, self._proxy_for = connections, proxy_for
        self._servers: dict[tuple[str, bytes], Server] = {}
        self._is_closed = False
        self._renew()
        renew_after_fork(self)

    def _renew(self) -> None:
        # of C: an interrupt cannot come between it and its release, as it can in a condition's own methods
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        # one that is lost (an interrupt came in the wrong moment) closes itself, and counts no more
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()

    def after_fork(self) -> None:
        """The parent's connections go on in the parent."""
        everything = list(self._all)
        self._servers = {}
        self._renew()
        for connection in everything:
            connection.close()

    def close(self) -> None:
        self._is_closed = True
        for server in list(self._servers.values()):
            while connection := server.newest():
                self._drop(connection)

    # Calls

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        server = self._server(request.url)
        timeout = request.extensions.get("timeout", {})
        head = head_of(request, server.target(request.url), server.proxy_header)
        body = framed(head, request.stream)  # type: ignore[arg-type]
        connection = self._take(server, timeout)
        try:
            connection.send(request.method, head, body, timeout.get("write"))
            answer = connection.head(timeout.get("read"))
        except BaseException:
            self._drop(connection)
            raise
        return httpx.Response(
            answer.status_code,
            headers=answer.headers.raw_items(),
            stream=_Body(self, server, connection, timeout.get("read")),
            extensions={"http_version": b"HTTP/" + answer.http_version, "reason_phrase": bytes(answer.reason)},
        )

    def _server(self, url: httpx.URL) -> Server:
        scheme, netloc = url.scheme, url.netloc
        server = self._servers.get((scheme, netloc))
        if server is None:
            if scheme not in ("http", "https") or not url.host:
                raise httpx.UnsupportedProtocol("the address must begin with http:// or https://, and name a server")
            proxy = self._proxy_for(f"{scheme}://{netloc.decode('ascii')}")
            made = Server(
                scheme=scheme,
                host=url.raw_host.decode("ascii"),
                port=url.port or (443 if scheme == "https" else 80),
                netloc=netloc,
                proxy=Proxy.of(proxy) if proxy else None,
            )
            server = self._servers.setdefault((scheme, netloc), made)
        return server

    # Connections

    def _take(self, server: Server, timeout: dict[str, float | None]) -> Connection:
        """One that stands ready. Raises PoolTimeout, ConnectTimeout, ConnectError, ProxyError, ConfigError."""
        until = None
        while True:
            kept = self._kept(server)
            if kept is not None:
                return kept
            until = until or _until(timeout.get("pool"))
            new = self._place(server, until)
            if new is not None:
                break
        try:
            _open(new, server, timeout.get("connect"))
        except BaseException:
            self._drop(new)
            raise
        return new

    def _kept(self, server: Server) -> Connection | None:
        """The one that came back last, if nothing lies in it."""
        while connection := server.newest():
            if connection.expires > monotonic() and connection.is_empty():
                return connection
            self._drop(connection)
        return None

    def _place(self, server: Server, until: float | None) -> Connection | None:
        """A new connection, not yet made; None where another has come free meanwhile. Raises PoolTimeout."""
        with self._lock:
            if self._is_closed:
                raise ConfigError("the transport is closed: make a new one")
            while len(self._all) >= self._connections:
                if server.idle:
                    return None
                idle = next((found for other in list(self._servers.values()) if (found := other.oldest())), None)
                if idle is not None:
                    self._drop(idle)
                else:
                    left = _SLICE if until is None else until - monotonic()
                    if left <= 0:
                        raise httpx.PoolTimeout("no free connection in time")
                    self._waiting += 1
                    try:
                        self._changed.wait(min(left, _SLICE))
                    finally:
                        self._waiting -= 1
            new = Connection()
            self._all.add(new)
            return new

    def give_back(self, server: Server, connection: Connection) -> None:
        """A call is over; its connection is kept if another may follow."""
        if not connection.renew():
            self._drop(connection)
            return
        now = monotonic()
        connection.expires = now + _KEPT
        server.keep(connection)
        while old := server.oldest(now):
            self._drop(old)
        self._tell()
        if self._is_closed:
            self.close()

    def _drop(self, connection: Connection) -> None:
        connection.close()
        self._all.discard(connection)
        self._tell()

    def _tell(self) -> None:
        if self._waiting:
            with self._lock:
                self._changed.notify()


def _open(connection: Connection, server: Server, seconds: float | None) -> None:
    """Connect, through the proxy if there is one, with TLS if the server has it; all within `seconds`."""
    until = _until(seconds)
    context = ssl_context() if server.scheme == "https" else None
    proxy = server.proxy
    try:
        connection.attach(connected(proxy.host if proxy else server.host, proxy.port if proxy else server.port, until))
        if context is not None:
            if proxy is not None:
                _tunnel(connection, server, proxy, until)
            connection.attach(secured(connection.socket, context, server.host, until))
    except TimeoutError as error:
        raise httpx.ConnectTimeout("no connection in time") from error
    except (OSError, ExceptionGroup, ValueError) as error:
        # ValueError: what cannot be the name of a server
        raise httpx.ConnectError(type(error).__name__) from error


def _tunnel(connection: Connection, server: Server, proxy: Proxy, until: float | None) -> None:
    """Raises ProxyError where the proxy does not lead on to the server (RFC 9110 section 9.3.6)."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    target = f"{host}:{server.port}"
    request = httpx.Request("CONNECT", "", headers={"Host": target}, stream=httpx.ByteStream(b""))
    left = None if until is None else max(0.0, until - monotonic())
    try:
        connection.send("CONNECT", head_of(request, target.encode("ascii"), proxy.header), iter(()), left)
        answer = connection.head(left)
    except httpx.TimeoutException as error:
        raise httpx.ConnectTimeout("the proxy did not answer in time") from error
    except httpx.TransportError as error:
        raise httpx.ProxyError("the proxy hung up or did not speak HTTP") from error
    if not 200 <= answer.status_code < 300 or not connection.is_empty():
        raise httpx.ProxyError(f"the proxy answered {answer.status_code}")


class _Body(httpx.SyncByteStream):
    """The body of an answer, while it comes in."""

    def __init__(self, pool: Pool, server: Server, connection: Connection, seconds: float | None) -> None:
        self._pool, self._server, self._seconds = pool, server, seconds
        self._connection: Connection | None = connection

    def __iter__(self) -> Iterator[bytes]:
        if self._connection is None:
            raise httpx.StreamClosed
        return self._connection.body(self._seconds)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(self._server, connection)


def _until(seconds: float | None) -> float | None:
    return None if seconds is None else monotonic() + seconds
