"""The default transports: httpx's own, guarded against answers that belong to an earlier call.

When a vendor (or a proxy before it) answers one call twice, the second answer lies in the connection's buffer and would
be taken for the answer to the next call, perhaps about another person. httpcore does not notice. Here a kept connection
is used again only when nothing lies in it: not in the kernel, not in a layer of TLS, not in the HTTP parser. Otherwise, and
where that cannot be seen, it is closed before anything of the next call is sent, which goes out on another.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpcore
import httpx


def settings(proxy: str | None, connections: int, context: ssl.SSLContext) -> dict[str, Any]:
    """What both pools are made with: as many connections as calls may run at a time, so that nobody waits twice."""
    through = None
    if proxy is not None:
        given = httpx.Proxy(proxy)
        url = httpcore.URL(
            scheme=given.url.raw_scheme, host=given.url.raw_host, port=given.url.port, target=given.url.raw_path
        )
        through = httpcore.Proxy(url, auth=given.raw_auth, headers=given.headers.raw, ssl_context=given.ssl_context)
    return {
        "ssl_context": context,
        "proxy": through,
        "max_connections": connections,
        "max_keepalive_connections": min(connections, 100),
        "keepalive_expiry": 5.0,
    }


class PooledTransport(httpx.HTTPTransport):
    """Blocking."""

    def __init__(self, **pool: Any) -> None:
        super().__init__(verify=pool["ssl_context"])
        # httpx lets nobody choose the network backend
        self._pool = httpcore.ConnectionPool(network_backend=_Backend(), **pool)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = super().handle_request(request)
        except BaseException as error:
            for lost in _put_in_order(self._pool):
                lost.close()
            _raise_unless_sent(request, error)
            raise
        _will_be_kept(answer)
        call = _call_of(answer)
        if call is not None:
            answer.stream = _Answer(answer.stream, self._pool, call)
        return answer

    def leave_to_parent(self) -> None:
        """In a forked child: give up this process's hold on the parent's connections, which go on in the parent."""
        # not by `close`: somebody may have held the pool's lock at the fork
        for connection in self._pool._connections:
            with contextlib.suppress(Exception):
                connection.close()


class AsyncPooledTransport(httpx.AsyncBaseTransport):
    """For asyncio, around httpx's own transport: one of ours, or one that the user brought."""

    def __init__(self, inner: httpx.AsyncHTTPTransport) -> None:
        self._inner = inner
        self._pool = inner._pool
        self._closing: set[asyncio.Task[None]] = set()

    @classmethod
    def of(cls, **pool: Any) -> AsyncPooledTransport:
        inner = httpx.AsyncHTTPTransport(verify=pool["ssl_context"])
        inner._pool = _AsyncPool(network_backend=_AsyncBackend(), **pool)
        return cls(inner)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = await self._inner.handle_async_request(request)
        except BaseException as error:
            self._put_in_order()
            _raise_unless_sent(request, error)
            raise
        _will_be_kept(answer)
        call = _call_of(answer)
        if call is not None:
            answer.stream = _AsyncAnswer(answer.stream, self, call)
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _put_in_order(self, call: Any = None) -> None:
        lost = _put_in_order(self._pool, call)
        if lost:
            # in a task of its own, which nobody who is cancelled takes along
            task = asyncio.ensure_future(self._pool._close_connections(lost))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class _AsyncPool(httpcore.AsyncConnectionPool):
    """httpcore's, which closes all that it has let go of, also when it is cancelled after the first."""

    async def _close_connections(self, closing: list[Any]) -> None:
        if closing:
            await asyncio.shield(asyncio.gather(*(one.aclose() for one in closing), return_exceptions=True))


class _Answer(httpx.SyncByteStream):
    """The body of an answer. Whatever interrupts its end, the pool knows afterwards that the call is over."""

    def __init__(self, inner: Any, pool: httpcore.ConnectionPool, call: Any) -> None:
        self._inner, self._pool, self._call = inner, pool, call

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._inner)

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            if _left_something(self._pool, self._call):
                for lost in _put_in_order(self._pool, self._call):
                    lost.close()


class _AsyncAnswer(httpx.AsyncByteStream):
    """The same for asyncio."""

    def __init__(self, inner: Any, transport: AsyncPooledTransport, call: Any) -> None:
        self._inner, self._transport, self._call = inner, transport, call

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._inner)

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            if _left_something(self._transport._pool, self._call):
                self._transport._put_in_order(self._call)


def _call_of(answer: httpx.Response) -> Any:
    """What the pool knows a call by. Tools that put answers in httpx's or httpcore's place have none."""
    return getattr(getattr(answer.stream, "_httpcore_stream", None), "_pool_request", None)


def _left_something(pool: Any, call: Any) -> bool:
    """Whether a call that is over still counts in the pool, or its connection does not stand ready for the next one."""
    return call in pool._requests or not (call.connection and call.connection.is_idle())


def _put_in_order(pool: Any, over: Any = None) -> list[Any]:
    """Take out of the pool what nobody uses and nobody can use again, and give it back to be closed.

    A cancelled task or an interrupt may meet httpcore where it cleans up, or between two steps of making a connection. Such
    a connection would count as busy for ever. `over` is a call that has ended.
    """
    with pool._optional_thread_lock:
        if over in pool._requests:
            pool._requests.remove(over)
        used = {id(request.connection) for request in pool._requests}
        lost = [
            connection
            for connection in pool._connections
            if not (connection.is_idle() or connection.is_closed() or id(connection) in used)
        ]
        for connection in lost:
            pool._connections.remove(connection)
        return lost + list(pool._assign_requests_to_connections())


def _raise_unless_sent(request: httpx.Request, error: BaseException) -> None:
    """A connection that failed before any of the request was sent on it (to a proxy, in the TLS handshake) was not made.

    The body is asked for once the whole head is out. A head whose writing took too long may still be on its way.
    """
    if getattr(request.stream, "begun", True) or not isinstance(error, httpx.TransportError):
        return
    if not isinstance(error, (httpx.WriteTimeout, httpx.PoolTimeout, httpx.ConnectTimeout, httpx.ProxyError)):
        raise httpx.ConnectError(str(error)) from error


def is_guarded(stream: object) -> bool:
    """Whether this is a connection of ours, which is not used again while an answer lies in it."""
    return isinstance(stream, (_Stream, _AsyncStream))


def _will_be_kept(answer: httpx.Response) -> None:
    stream = answer.extensions.get("network_stream")
    if isinstance(stream, (_Stream, _AsyncStream)):
        stream.answered = getattr(answer.stream, "_httpcore_stream", answer.stream)


def _check_before_reuse(stream: _Stream | _AsyncStream, held: Callable[[Any], Iterator[int]]) -> None:
    """To be called before the first write after an answer: the connection must be empty.

    For ConnectionNotAvailable httpcore closes the connection and sends the call on another one.
    """
    answer, stream.answered = stream.answered, None
    with contextlib.suppress(AttributeError):
        parser = answer._stream._connection._h11_state
        if parser.trailing_data == (b"", False) and not any(held(stream._inner)):
            return
    raise httpcore.ConnectionNotAvailable


def _held(stream: Any) -> Iterator[int]:
    """How much lies in each layer below the parser. AttributeError where that cannot be seen."""
    socket, tls = stream.get_extra_info("socket"), stream.get_extra_info("ssl_object")
    yield stream.get_extra_info("is_readable")
    if isinstance(socket, ssl.SSLSocket):
        yield socket.pending()
    if tls is not getattr(socket, "_sslobj", None):
        # TLS within the TLS of a proxy
        yield tls.pending()
        yield stream._incoming.pending


def _held_async(stream: Any) -> Iterator[int]:
    """The same for asyncio."""
    yield stream.get_extra_info("is_readable")
    layer = stream._stream
    while hasattr(layer, "transport_stream"):
        yield layer._ssl_object.pending()
        yield layer._read_bio.pending
        layer = layer.transport_stream
    yield len(layer._protocol.read_queue)


class _Stream(httpcore.NetworkStream):
    """A connection that takes no further call while anything of an earlier one lies in it."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        # the last answer, until the next call
        self.answered: Any = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            # httpcore writes the end of each body
            return
        if self.answered is not None:
            _check_before_reuse(self, _held)
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *args: Any, **more: Any) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(*args, **more))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _AsyncStream(httpcore.AsyncNetworkStream):
    """The same for asyncio."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        # the last answer, until the next call
        self.answered: Any = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        if self.answered is not None:
            _check_before_reuse(self, _held_async)
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, *args: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        try:
            return _AsyncStream(await self._inner.start_tls(*args, **more))
        except BaseException:
            # httpcore does not close it when the task is cancelled here
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **more: Any) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(*args, **more))


class _AsyncBackend(httpcore.AnyIOBackend):
    async def connect_tcp(self, *args: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        # anyio loses a connection when the task is cancelled in the moment in which there is one
        task = asyncio.ensure_future(super().connect_tcp(*args, **more))
        try:
            return _AsyncStream(await asyncio.shield(task))
        except asyncio.CancelledError:
            _connecting.add(task)
            task.add_done_callback(_close_unwanted)
            raise


# Connections under way that nobody waits for any more, for as long as a connection may take, and their ends.
_connecting: set[asyncio.Task[Any]] = set()


def _close_unwanted(task: asyncio.Task[Any]) -> None:
    _connecting.discard(task)
    if not task.cancelled() and task.exception() is None and hasattr(task.result(), "aclose"):
        closing = asyncio.ensure_future(task.result().aclose())
        _connecting.add(closing)
        closing.add_done_callback(_close_unwanted)
