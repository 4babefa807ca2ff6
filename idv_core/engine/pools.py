"""The default transports: httpx's own, guarded against answers that belong to an earlier call.

When a vendor (or a proxy before it) answers one call twice, the second answer lies in the connection's buffer and would
be taken for the answer to the next call, perhaps about another person. httpcore does not notice. Here an answer
that is there although nothing was read since the call went out closes the connection.
"""

from __future__ import annotations

import ssl
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
        answer = super().handle_request(request)
        if _is_of_an_earlier_call(answer):
            answer.stream.close()  # type: ignore[union-attr]
            raise httpx.RemoteProtocolError("an answer was there before the call was made")
        return answer


class AsyncPooledTransport(httpx.AsyncHTTPTransport):
    """For asyncio."""

    def __init__(self, **pool: Any) -> None:
        super().__init__(verify=pool["ssl_context"])
        self._pool = httpcore.AsyncConnectionPool(network_backend=_AsyncBackend(), **pool)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if _is_of_an_earlier_call(answer):
            await answer.stream.aclose()  # type: ignore[union-attr]
            raise httpx.RemoteProtocolError("an answer was there before the call was made")
        return answer


def _is_of_an_earlier_call(answer: httpx.Response) -> bool:
    stream = answer.extensions.get("network_stream")
    return isinstance(stream, (_Stream, _AsyncStream)) and not stream.heard


class _Stream(httpcore.NetworkStream):
    """A connection that knows whether anything was read since it was last written to."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self.heard = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.heard = True
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.heard = False
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
        self.heard = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.heard = True
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.heard = False
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, *args: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await self._inner.start_tls(*args, **more))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **more: Any) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(*args, **more))


class _AsyncBackend(httpcore.AnyIOBackend):
    async def connect_tcp(self, *args: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await super().connect_tcp(*args, **more))
