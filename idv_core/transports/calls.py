"""httpx transports, one for each account, and the bytes that go through them.

The drivers speak to `httpx.BaseTransport` and `httpx.AsyncBaseTransport` directly: any transport that a user brings
works. What `httpx.Client` would add (redirects, cookies, URL merging) is not wanted here.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize

import httpx

from ..errors import ConfigError, IdvError, InvalidOrder
from ..model import Secret
from ..plugin.http import FilePart, Form, Request
from ..runtime.forks import abandon, renew_after_fork
from ..runtime.interrupts import interrupt_in
from ..runtime.loops import OfLoop, PerLoop
from .proxies import environment_proxy
from .response_body import ACCEPTED

if TYPE_CHECKING:
    from ..engine.account import AccountSession, Limits

_DEFAULT_HEADERS = {
    "user-agent": "idv-core",
    "accept": "application/json",
    "accept-encoding": ACCEPTED,
}
_LONGEST_ADDRESS = 60_000
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


class Transports:
    """The blocking transport of each account, made at its first call and closed when nobody holds the account any more.

    A forked child makes its own. One that the user brought serves all and is not closed.
    """

    def __init__(self, brought: httpx.BaseTransport | None) -> None:
        self._brought = brought
        self._made: WeakKeyDictionary[AccountSession, tuple[httpx.BaseTransport, finalize[..., Any]]]
        self._made = WeakKeyDictionary()
        renew_after_fork(self)

    @property
    def made(self) -> dict[AccountSession, httpx.BaseTransport]:
        return {session: transport for session, (transport, _) in list(self._made.items())}

    def of(self, session: AccountSession) -> httpx.BaseTransport:
        if self._brought is not None:
            return self._brought
        made = self._made.get(session)
        if made is None:
            transport = make_sync_transport(environment_proxy(session.base_url), session.limits.concurrency)
            closing = finalize(session, transport.close)
            closing.atexit = False
            # setdefault keeps the first when two threads come at once; an unused transport holds no connection
            made = self._made.setdefault(session, (transport, closing))
            if made[0] is not transport:
                closing.detach()
        return made[0]

    def keep(self, sessions: Iterable[AccountSession]) -> None:
        """Close idle connections of all other accounts; a later call opens new ones."""
        kept = set(sessions)
        for session in list(self._made):
            if session not in kept and not session.limiter.running:
                self._drop(session)

    def close(self) -> None:
        for session in list(self._made):
            self._drop(session)

    def _drop(self, session: AccountSession) -> None:
        made = self._made.pop(session, None)
        if made is not None:
            made[1]()

    def after_fork(self) -> None:
        made, self._made = list(self._made.values()), WeakKeyDictionary()
        for transport, closing in made:
            closing.detach()
            if hasattr(transport, "leave_to_parent"):
                transport.leave_to_parent()
            abandon(transport)


class AsyncTransports:
    """The same for asyncio, for each event loop its own."""

    def __init__(self, brought: httpx.AsyncBaseTransport | None) -> None:
        self._brought = brought
        self._is_httpx = isinstance(brought, httpx.AsyncHTTPTransport)
        if self._is_httpx and hasattr(brought, "_pool"):
            from . import pools

            # a task that is cancelled would leave its pool with a connection that is busy for ever
            self._brought = pools.AsyncPooledTransport(brought)  # type: ignore[arg-type]
        self._loops: PerLoop[WeakKeyDictionary[AccountSession, OfLoop[httpx.AsyncBaseTransport]]]
        self._loops = PerLoop(WeakKeyDictionary)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def made(self) -> dict[AccountSession, httpx.AsyncBaseTransport]:
        return {session: made.value for loop in self._loops.all() for session, made in list(loop.items())}

    def of(self, session: AccountSession) -> httpx.AsyncBaseTransport:
        if self._brought is not None:
            if self._is_httpx:
                self._only_here()
            return self._brought
        here = self._loops.here()
        made = here.get(session)
        if made is None:
            transport = make_async_transport(environment_proxy(session.base_url), session.limits.concurrency)
            made = here[session] = OfLoop(transport, transport.aclose)
        return made.value

    def _only_here(self) -> None:
        """httpx's own transport keeps its list of connections without a lock: two loops at a time would mix it up."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise ConfigError(
                    "the transport belongs to another event loop; make one gateway and one transport for each loop"
                )
            self._loop = loop

    def keep(self, sessions: Iterable[AccountSession]) -> None:
        """Let go of what accounts hold that are none of these and call nobody now; their loop closes it."""
        kept = set(sessions)
        for here in self._loops.all():
            for session in list(here):
                if session not in kept and not session.limiter.running:
                    here.pop(session, None)

    async def close(self) -> None:
        """Close those of the running loop; others are let go of, and their loops close them."""
        here = self._loops.take_here()
        for made in list(here.values()) if here else ():
            await made.aclose()


def make_sync_transport(proxy: str | None, connections: int) -> httpx.BaseTransport:
    from . import pools  # httpcore is loaded only where no other transport is brought

    return pools.PooledTransport(**pools.settings(proxy, connections, ssl_context()))


def make_async_transport(proxy: str | None, connections: int) -> httpx.AsyncBaseTransport:
    from . import pools

    return pools.AsyncPooledTransport.of(**pools.settings(proxy, connections, ssl_context()))


def unguarded_connection(answer: httpx.Response) -> Any:
    """The connection of an answer that a brought transport would keep, None where there is none.

    httpcore takes what is there too early, a second answer to the last call, for the answer to the next. Our own transports
    notice; on any other a connection serves one call. That also keeps it out of other event loops and forked children.
    HTTP/2 numbers its answers, and its connections are kept.
    """
    stream = answer.extensions.get("network_stream")
    if stream is None or answer.extensions.get("http_version") == b"HTTP/2":
        return None
    from . import pools

    return None if pools.is_guarded(stream) else stream


@cache
def ssl_context() -> ssl.SSLContext:
    """Trusts what SSL_CERT_FILE or SSL_CERT_DIR name, else certifi's list. Raises ConfigError where it cannot be read."""
    try:
        return httpx.create_ssl_context()
    except OSError:
        raise ConfigError(
            "the trusted certificates cannot be read; check SSL_CERT_FILE and SSL_CERT_DIR in the environment"
        ) from None


class _Outgoing(httpx.ByteStream):
    """A body that knows whether it was asked for."""

    begun = False

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        return super().__iter__()

    def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        return super().__aiter__()


def encode(session: AccountSession, request: Request, seconds: float) -> httpx.Request:
    """The httpx request. The whole operation has `seconds` left, so no single phase gets more.

    Raises InvalidOrder for what cannot be sent.
    """
    headers = {"host": session.host, **_DEFAULT_HEADERS}
    for name, value in request.headers.items():
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    content = b""
    try:
        if request.json is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(request.json, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        elif request.form:
            headers["content-type"], content = _encode_form(request.form)
        # a query may name a person, and what names a person is kept nowhere
        address = session.base_url + request.target
        if len(address) > _LONGEST_ADDRESS:
            raise _unsendable("a path or query that is too long")
        url = httpx.URL(address) if request.query else _parsed(address)
    except UnicodeError:
        raise _unsendable("a string that is not valid Unicode (half a surrogate pair)") from None
    except (TypeError, ValueError, RecursionError, AttributeError):
        raise _unsendable("a value that cannot be encoded as JSON or form data (NaN, a date, an object)") from None
    if content or request.method not in _WITHOUT_BODY:
        headers["content-length"] = str(len(content))
    for name, value in headers.items():
        if not isinstance(value, str) or not value.isprintable() or not value.isascii():
            raise InvalidOrder(
                f"the value of the header {name} must be printable ASCII; check the secret for line breaks",
                fields=(name,),
                nothing_done=True,
            )
    return httpx.Request(
        request.method,
        url,
        headers=headers,
        stream=_Outgoing(content),
        extensions={"timeout": phase_timeouts(session.limits, seconds)},
    )


def _unsendable(what: str) -> InvalidOrder:
    return InvalidOrder(f"nothing was sent: the request contains {what}", nothing_done=True)


def _encode_form(form: Form) -> tuple[str, bytes]:
    """Content type and body, as httpx makes them."""
    fields: dict[str, list[str]] = {}
    files: list[tuple[str, tuple[str, bytes, str]]] = []
    for name, value in form:
        if isinstance(value, FilePart):
            files.append((name, (value.name, value.content, value.type)))
        else:
            fields.setdefault(name, []).append(value)
    made = httpx.Request("POST", "https://nowhere.invalid", data=fields, files=files or None)
    return made.headers["content-type"], made.read()


@lru_cache(maxsize=128)
def _parsed(url: str) -> httpx.URL:
    """Flows that are waited for are asked for again and again, and parsing is dear. Few, as an address names a flow."""
    return httpx.URL(url)


def phase_timeouts(limits: Limits, seconds: float) -> dict[str, float]:
    """The `timeout` extension of httpx: each phase bounded by its own limit and by what the operation has left."""
    return {
        "connect": min(limits.connect, seconds),
        "read": min(limits.read, seconds),
        "write": min(limits.write, seconds),
        "pool": min(limits.pool, seconds),
    }


def fault_of(error: Exception, transport: object) -> Exception:
    """What the logic is told: an error of ours or httpx's, in which what else a transport lets out is wrapped.

    Faults of a transport are httpx's errors, OSError (TimeoutError and ssl's among them), and the classes that it names in
    `faults`. Anything else, and whatever a signal handler raised, is none of the engine's business: it is raised here.
    """
    interrupt = interrupt_in(error)
    if interrupt is not None:
        raise interrupt
    if isinstance(error, (httpx.TransportError, IdvError)):
        return error
    declared: tuple[type[Exception], ...] = tuple(getattr(transport, "faults", ()))
    if not isinstance(error, (httpx.HTTPError, httpx.StreamError, OSError, *declared)):
        raise error
    fault = httpx.TransportError(type(error).__name__)
    fault.__cause__ = error
    return fault


def plain_headers(response: httpx.Response) -> dict[str, str]:
    """Names in lower case; a header that is listed twice; remove one has its values joined (RFC 9110 section 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
