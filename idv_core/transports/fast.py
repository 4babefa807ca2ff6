"""A quicker transport for both gateways (extra `fast`): `Gateway(accounts, transport=FastTransport())`, and the same with
`AsyncGateway`.

Blocking calls go over plain sockets, read by h11; calls with asyncio over aiohttp. Existing bridges from httpx to aiohttp or
reqwest report a connection that was reset after sending, or a time-out, as a failure to connect; then a create would be
repeated. This one calls only that a failure to connect which is one (`nox -s faults` tells them apart).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import httpx

from ..errors import ConfigError
from .fast_sync import Pool
from .proxies import checked_proxy, environment_proxy, variable_of, without_tls_or_socks

if TYPE_CHECKING:
    from .fast_async import Sessions


class FastTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A fast transport for `Gateway` and `AsyncGateway` (extra `fast`). You close it: `close()` after blocking calls,
    `await aclose()` with asyncio.

    Args:
        connections: The most connections at a time: of blocking calls in all, and of each event loop.
        proxy: The URL of an HTTP proxy; by default from the environment. A netrc file is never read.

    Raises ConfigError for a proxy that it does not support.
    """

    def __init__(self, *, connections: int = 1000, proxy: str | None = None) -> None:
        self._connections = connections
        self._proxy = without_tls_or_socks(proxy and checked_proxy(proxy, "proxy"), "proxy")
        self._pool = Pool(connections, partial(_proxy_for, self._proxy))
        self._sessions: Sessions | None = None
        self._is_closed = False

    def check_proxy(self, base_url: str) -> str | None:
        """The proxy for this URL. Raises ConfigError if the proxy is not supported."""
        return _proxy_for(self._proxy, base_url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._is_closed:
            raise _closed()
        return self._pool.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._is_closed:
            raise _closed()
        sessions = self._sessions
        if sessions is None:
            from .fast_async import Sessions  # aiohttp is loaded only where there is asyncio

            # where two loops come at once, the one that is lost closes its connections with its loop
            sessions = self._sessions = Sessions(self._connections, partial(_proxy_for, self._proxy))
        return await sessions.handle_async_request(request)

    def close(self) -> None:
        """Close the connections of blocking calls."""
        self._is_closed = True
        self._pool.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop, and those of blocking calls. Other loops close theirs."""
        self.close()
        if self._sessions is not None:
            await self._sessions.aclose()


def _proxy_for(given: str | None, base_url: str) -> str | None:
    return given or without_tls_or_socks(environment_proxy(base_url), variable_of(base_url))


def _closed() -> ConfigError:
    return ConfigError("the transport is closed: make a new one")
