"""A quicker transport for `AsyncGateway` (extra `fast`), on aiohttp: `AsyncGateway(accounts, transport=FastTransport())`.

For processes with many calls at the same time. Existing bridges from httpx to aiohttp or reqwest report a connection
that was reset after sending, or a time-out, as a failure to connect; then a create would be repeated. This one calls
only that a failure to connect which is one (`nox -s faults` tells them apart).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
import httpx
from yarl import URL

from .engine.transports import ssl_context


class FastTransport(httpx.AsyncBaseTransport):
    """At most `connections` at a time. Proxies come from the environment, or from `proxy`. Close it when you are done."""

    def __init__(self, *, connections: int = 1000, proxy: str | None = None) -> None:
        self._connections = connections
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeout = request.extensions.get("timeout", {})
        try:
            answer = await self._of_loop().request(
                request.method,
                # as it was encoded and perhaps signed
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    connect=timeout.get("pool"),
                    sock_connect=timeout.get("connect"),
                    sock_read=timeout.get("read"),
                ),
            )
        except Exception as error:
            raise _of_httpx(error) from None
        return httpx.Response(answer.status, headers=list(answer.raw_headers), stream=_Body(answer))

    def _of_loop(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=ssl_context(), keepalive_timeout=5),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
                auto_decompress=False,
                trust_env=self._proxy is None,
            )
            # aiohttp repeats by itself what HTTP calls idempotent, also what the plugin says must not be repeated
            self._session._retry_connection = False
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._answer.content.iter_any():
                yield part
        except Exception as error:
            raise _of_httpx(error) from None

    async def aclose(self) -> None:
        self._answer.close() if not self._answer.content.at_eof() else self._answer.release()


def _of_httpx(error: Exception) -> Exception:
    """Only what certainly was never sent becomes a failure to connect."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("no connection in time")
        case aiohttp.ClientConnectorError() | aiohttp.ClientProxyConnectionError():
            return httpx.ConnectError(type(error).__name__)
        case TimeoutError():
            return httpx.ReadTimeout("no answer in time")
        case aiohttp.ClientError() | OSError():
            return httpx.ReadError(type(error).__name__)
    return error
