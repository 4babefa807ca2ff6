"""httpx transports, one for each account, and the bytes that go through them.

The drivers speak to `httpx.BaseTransport` and `httpx.AsyncBaseTransport` directly: any transport that a user brings
works. What `httpx.Client` would add (redirects, cookies, URL merging) is not wanted here.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from functools import cache
from typing import Generic, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ..clock import Clock
from ..errors import InvalidOrder, UnexpectedResponse
from ..model import Secret
from ..wire import Request, Response
from .account import AccountSession, Limits

Transport = TypeVar("Transport")

_USER_AGENT = "idv-core"


class Transports(Generic[Transport]):
    """The transport of each account, made at its first call. One that the user brought serves all and is not closed."""

    def __init__(self, brought: Transport | None, make: Callable[[str | None], Transport]) -> None:
        self._brought = brought
        self._make = make
        self.made: dict[str, Transport] = {}

    def of(self, session: AccountSession) -> Transport:
        if self._brought is not None:
            return self._brought
        transport = self.made.get(session.name)
        if transport is None:
            # setdefault keeps the first when two threads come at once; an unused transport holds no connection
            transport = self.made.setdefault(session.name, self._make(environment_proxy(session.adapter.base_url)))
        return transport


def make_sync_transport(proxy: str | None) -> httpx.BaseTransport:
    return httpx.HTTPTransport(verify=_ssl_context(), proxy=proxy)


def make_async_transport(proxy: str | None) -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(verify=_ssl_context(), proxy=proxy)


@cache
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def environment_proxy(base_url: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for this address, if any."""
    parts = urlsplit(base_url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def encode(session: AccountSession, request: Request, seconds: float) -> httpx.Request:
    """The httpx request. The whole operation has `seconds` left, so no single phase gets more."""
    headers = {"user-agent": _USER_AGENT, "accept": "application/json"}
    for name, value in request.headers.items():
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    content = b""
    if request.json is not None:
        headers["content-type"] = "application/json"
        content = json.dumps(request.json, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            raise InvalidOrder(f"the value for the header {name} holds characters that cannot be sent", fields=(name,))
    return httpx.Request(
        request.method,
        session.adapter.base_url + request.target,
        headers=headers,
        content=content,
        extensions={"timeout": phase_timeouts(session.limits, seconds)},
    )


def phase_timeouts(limits: Limits, seconds: float) -> dict[str, float]:
    """The `timeout` extension of httpx: each phase bounded by its own limit and by what the operation has left."""
    return {phase: min(getattr(limits, phase), seconds) for phase in ("connect", "read", "write", "pool")}


def too_large(limit: int, status: int) -> UnexpectedResponse:
    return UnexpectedResponse(f"the answer is larger than {limit} bytes", status=status)


def received(response: httpx.Response, body: bytes, clock: Clock) -> Response:
    """Our response of an httpx response and its bounded body."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(status=response.status_code, headers=headers, content=body, received_at=clock.now())
