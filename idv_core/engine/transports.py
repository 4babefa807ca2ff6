"""httpx transports, one for each account, and the bytes that go through them.

The drivers speak to `httpx.BaseTransport` and `httpx.AsyncBaseTransport` directly: any transport that a user brings
works. What `httpx.Client` would add (redirects, cookies, URL merging) is not wanted here.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ..errors import IdvError, InvalidOrder
from ..model import Secret
from ..wire import FilePart, Form, Request
from .account import AccountSession, Limits
from .bodies import ACCEPTED

Transport = TypeVar("Transport")

_DEFAULT_HEADERS = {
    "user-agent": "idv-core",
    "accept": "application/json",
    "accept-encoding": ACCEPTED,
}
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


class Transports(Generic[Transport]):
    """The transport of each account, made at its first call. One that the user brought serves all and is not closed."""

    def __init__(self, brought: Transport | None, make: Callable[[str | None, int], Transport]) -> None:
        self._brought = brought
        self._make = make
        self.made: dict[tuple[str, str, int], Transport] = {}

    def of(self, session: AccountSession) -> Transport:
        if self._brought is not None:
            return self._brought
        key = (session.name, session.base_url, session.limits.concurrency)
        transport = self.made.get(key)
        if transport is None:
            # setdefault keeps the first when two threads come at once; an unused transport holds no connection
            made = self._make(environment_proxy(session.base_url), session.limits.concurrency)
            transport = self.made.setdefault(key, made)
        return transport


def make_sync_transport(proxy: str | None, connections: int) -> httpx.BaseTransport:
    from . import pools  # httpcore is loaded only where no other transport is brought

    return pools.PooledTransport(**pools.settings(proxy, connections, ssl_context()))


def make_async_transport(proxy: str | None, connections: int) -> httpx.AsyncBaseTransport:
    from . import pools

    return pools.AsyncPooledTransport(**pools.settings(proxy, connections, ssl_context()))


@cache
def ssl_context() -> ssl.SSLContext:
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
    headers = {"host": session.host, **_DEFAULT_HEADERS}
    for name, value in request.headers.items():
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    content = b""
    if request.json is not None:
        headers["content-type"] = "application/json"
        content = _encode_json(request.json)
    elif request.form:
        headers["content-type"], content = _encode_form(request.form)
    if content or request.method not in _WITHOUT_BODY:
        headers["content-length"] = str(len(content))
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            raise InvalidOrder(f"the value for the header {name} holds characters that cannot be sent", fields=(name,))
    return httpx.Request(
        request.method,
        # a query may name a person, and what names a person is kept nowhere
        httpx.URL(session.base_url + request.target) if request.query else _parsed(session.base_url + request.path),
        headers=headers,
        stream=httpx.ByteStream(content),
        extensions={"timeout": phase_timeouts(session.limits, seconds)},
    )


def _encode_json(data: Any) -> bytes:
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        raise InvalidOrder("a text that is no Unicode, or a number that is not finite, cannot be sent") from None


def _encode_form(form: Form) -> tuple[str, bytes]:
    """Content type and body, as httpx makes them."""
    fields: dict[str, list[str]] = {}
    files: list[tuple[str, tuple[str, bytes, str]]] = []
    for name, value in form:
        if isinstance(value, FilePart):
            files.append((name, (value.name, value.content, value.type)))
        else:
            fields.setdefault(name, []).append(value)
    try:
        made = httpx.Request("POST", "https://nowhere.invalid", data=fields, files=files or None)
    except UnicodeEncodeError:
        raise InvalidOrder("a text that is no Unicode cannot be sent") from None
    return made.headers["content-type"], made.read()


@lru_cache(maxsize=4096)
def _parsed(url: str) -> httpx.URL:
    """Flows are asked for again and again, and parsing their address is the dearest part of a call that is our own."""
    return httpx.URL(url)


def phase_timeouts(limits: Limits, seconds: float) -> dict[str, float]:
    """The `timeout` extension of httpx: each phase bounded by its own limit and by what the operation has left."""
    return {
        "connect": min(limits.connect, seconds),
        "read": min(limits.read, seconds),
        "write": min(limits.write, seconds),
        "pool": min(limits.pool, seconds),
    }


def foreign_fault(error: Exception) -> Exception:
    """Ours and httpx's faults as they are; what another transport lets out as a fault of the transport."""
    if isinstance(error, (httpx.TransportError, IdvError)):
        return error
    return httpx.TransportError(type(error).__name__)


def plain_headers(response: httpx.Response) -> dict[str, str]:
    """Names in lower case; a header that is there twice has its values joined (RFC 9110 section 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
