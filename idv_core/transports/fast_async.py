"""The asyncio half of `FastTransport`, on aiohttp, for processes with many calls at the same time."""

from __future__ import annotations

import base64
import select
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import httpx
from yarl import URL

from ..runtime.loops import OfLoop, PerLoop
from .calls import ssl_context


class Sessions:
    """One of aiohttp's for each event loop, with at most `connections` connections. `proxy_for` decides for each server."""

    def __init__(self, connections: int, proxy_for: Callable[[str], str | None]) -> None:
        self._connections, self._proxy_for = connections, proxy_for
        self._sessions: PerLoop[OfLoop[aiohttp.ClientSession]] = PerLoop(self._make)
        self._through: dict[str, tuple[str | None, dict[str, str] | None]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy, proxy_headers = self._way_to(request.url)
        timeout = request.extensions.get("timeout", {})
        try:
            answer = await self._sessions.here().value.request(
                request.method,
                # as it was encoded and perhaps signed
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await _body_of(request),
                allow_redirects=False,
                proxy=proxy,
                proxy_headers=proxy_headers,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    connect=timeout.get("pool"),
                    sock_connect=timeout.get("connect"),
                    sock_read=timeout.get("read"),
                ),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _of_httpx(error) from error
        return httpx.Response(answer.status, headers=list(answer.raw_headers), stream=_Body(answer))

    def _way_to(self, url: httpx.URL) -> tuple[str | None, dict[str, str] | None]:
        """Decided once for each server, as the default transports do."""
        server = f"{url.scheme}://{url.netloc.decode('ascii')}"
        through = self._through.get(server)
        if through is None:
            through = self._through[server] = _for_aiohttp(self._proxy_for(server))
        return through

    def _make(self) -> OfLoop[aiohttp.ClientSession]:
        session = aiohttp.ClientSession(
            connector=_Connector(limit=self._connections, ssl=ssl_context(), keepalive_timeout=5),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            auto_decompress=False,
            # it would read a netrc file too, and send what stands there to vendors
            trust_env=False,
        )
        # aiohttp repeats by itself what HTTP calls idempotent, also what the plugin says must not be repeated
        session._retry_connection = False
        return OfLoop(session, session.close)

    async def aclose(self) -> None:
        here = self._sessions.take_here()
        if here is not None:
            await here.aclose()


async def _body_of(request: httpx.Request) -> Any:
    """Bytes, or for a body with files in it what gives them in pieces."""
    if isinstance(request.stream, httpx.ByteStream):
        return await request.aread() or None
    return request.stream


class _Connector(aiohttp.TCPConnector):
    """What fails before there is a connection is called so, whatever it is: nothing of the request was sent.

    A kept connection on which something has come in (its end, a second answer to the last call) is not used again, whether the
    event loop has read it or had no time to.
    """

    async def _get(self, *args: Any) -> Any:
        connection = await super()._get(*args)
        while connection is not None and not _is_empty(connection.protocol):
            connection.close()
            connection = await super()._get(*args)
        return connection

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        transport = protocol.transport
        # where reading was held up, what came after the answer may lie in the event loop's TLS, which shows nothing
        is_held_up = transport is not None and not transport.is_reading()
        super()._release(key, protocol, should_close=should_close or is_held_up)
        # what comes in from now on answers no call: without a parser it stays as it is, and `should_close` says so
        protocol._parser = None

    async def connect(self, *args: Any, **more: Any) -> Any:
        try:
            return await super().connect(*args, **more)
        except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
            raise httpx.ProxyError(type(error).__name__) from error
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.ConnectError(type(error).__name__) from error


def _is_empty(protocol: Any) -> bool:
    """Whether nothing lies in a kept connection: nothing in aiohttp's buffers, nothing in the kernel."""
    return not protocol.should_close and protocol.transport is not None and not _is_readable(protocol.transport)


def _is_readable(transport: Any) -> bool:
    socket = transport.get_extra_info("socket")
    number = socket.fileno() if socket else -1
    if number < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


def _for_aiohttp(proxy: str | None) -> tuple[str | None, dict[str, str] | None]:
    """Address and headers apart: aiohttp would encode a password in Latin-1."""
    if proxy is None:
        return None, None
    parts = urlsplit(proxy)
    if parts.username is None:
        return proxy, None
    said = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    headers = {"Proxy-Authorization": "Basic " + base64.b64encode(said).decode()}
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), headers


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._answer.content.iter_any():
                yield part
        except (aiohttp.ClientError, OSError) as error:
            raise _of_httpx(error) from error

    async def aclose(self) -> None:
        self._answer.close() if not self._answer.content.at_eof() else self._answer.release()


def _of_httpx(error: Exception) -> Exception:
    """Faults of a connection that there was, and of what never came to one."""
    match error:
        case aiohttp.InvalidURL():
            return httpx.UnsupportedProtocol("no address")
        case TimeoutError():
            return httpx.ReadTimeout("no response in time")
    return httpx.ReadError(type(error).__name__)
