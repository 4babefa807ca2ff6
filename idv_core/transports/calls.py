"""httpx transports, one for each account, and the bytes that go through them.

The drivers speak to `httpx.BaseTransport` and `httpx.AsyncBaseTransport` directly: any transport that a user brings
works. What `httpx.Client` would add (redirects, cookies, URL merging) is not wanted here.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import cache, lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, finalize, ref

import attrs
import httpx

from ..errors import ConfigError, IdvError, InvalidOrder
from ..model import Secret
from ..plugin.body import PIECE, Body
from ..plugin.http import Request
from ..runtime.forks import abandon, renew_after_fork
from ..runtime.interrupts import interrupt_in
from ..runtime.loops import OfLoop, PerLoop
from .proxies import environment_proxy
from .response_body import ACCEPTED

if TYPE_CHECKING:
    import asyncio

    from ..engine.account import AccountSession, Limits

_DEFAULT_HEADERS = {
    "user-agent": "idv-core",
    "accept": "application/json",
    "accept-encoding": ACCEPTED,
}
_LONGEST_ADDRESS = 60_000
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


@attrs.frozen(eq=False)
class Way:
    """How an account's servers are reached: through one proxy, or directly. Its connections live as long as the account."""

    proxy: str | None
    session: ref[AccountSession]


def way_to(session: AccountSession, address: str) -> Way:
    """One for each proxy that the environment names for the account's addresses: mostly one in all."""
    is_usual = address.startswith(session.base_url)
    known: Way | None = session.ways.get(session.base_url) if is_usual else None
    if known is not None:
        return known
    proxy = environment_proxy(session.base_url if is_usual else address)
    way = next((way for way in list(session.ways.values()) if way.proxy == proxy), None) or Way(proxy, ref(session))
    # setdefault keeps the first when two threads come at once
    kept: Way = session.ways.setdefault(session.base_url if is_usual else proxy, way)
    return kept


def _is_let_go(way: Way, kept: set[AccountSession]) -> bool:
    session = way.session()
    return session is None or (session not in kept and not session.limiter.running)


class Transports:
    """The blocking transports of each account, made at its first call and closed when nobody holds the account any more.

    A forked child makes its own. One that the user brought serves all and is not closed.
    """

    def __init__(self, brought: httpx.BaseTransport | None) -> None:
        self._brought = brought
        self._made: WeakKeyDictionary[Way, tuple[httpx.BaseTransport, finalize[..., Any]]]
        self._made = WeakKeyDictionary()
        renew_after_fork(self)

    @property
    def made(self) -> dict[Way, httpx.BaseTransport]:
        return {way: transport for way, (transport, _) in list(self._made.items())}

    def of(self, session: AccountSession, address: str | None = None) -> httpx.BaseTransport:
        """The one for this address, by default for the account's base URL."""
        if self._brought is not None:
            return self._brought
        way = way_to(session, address or session.base_url)
        made = self._made.get(way)
        if made is None:
            transport = make_sync_transport(way.proxy, session.limits.concurrency)
            closing = finalize(way, transport.close)
            closing.atexit = False
            # setdefault keeps the first when two threads come at once; an unused transport holds no connection
            made = self._made.setdefault(way, (transport, closing))
            if made[0] is not transport:
                closing.detach()
        return made[0]

    def keep(self, sessions: Iterable[AccountSession]) -> None:
        """Close idle connections of all other accounts; a later call opens new ones."""
        kept = set(sessions)
        for way in list(self._made):
            if _is_let_go(way, kept):
                self._drop(way)

    def close(self) -> None:
        for way in list(self._made):
            self._drop(way)

    def _drop(self, way: Way) -> None:
        made = self._made.pop(way, None)
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
        self._loops: PerLoop[WeakKeyDictionary[Way, OfLoop[httpx.AsyncBaseTransport]]]
        self._loops = PerLoop(WeakKeyDictionary)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def made(self) -> dict[Way, httpx.AsyncBaseTransport]:
        return {way: made.value for loop in self._loops.all() for way, made in list(loop.items())}

    def of(self, session: AccountSession, address: str | None = None) -> httpx.AsyncBaseTransport:
        if self._brought is not None:
            if self._is_httpx:
                self._only_here()
            return self._brought
        here = self._loops.here()
        way = way_to(session, address or session.base_url)
        made = here.get(way)
        if made is None:
            transport = make_async_transport(way.proxy, session.limits.concurrency)
            made = here[way] = OfLoop(transport, transport.aclose)
        return made.value

    def _only_here(self) -> None:
        """httpx's own transport keeps its list of connections without a lock: two loops at a time would mix it up."""
        from asyncio import get_running_loop  # whoever asks has loaded it

        loop = get_running_loop()
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
            for way in list(here):
                if _is_let_go(way, kept):
                    here.pop(way, None)

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


class _Streaming(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The same for a body that goes out in pieces: its files are read meanwhile, and the time for all of them is limited."""

    def __init__(self, body: Body, seconds: float) -> None:
        self.begun = False
        self._body = body
        self._end = monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        yield from _read(self._body, self._end)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        for piece in _read(self._body, self._end):
            yield piece


def _read(body: Body, end: float) -> Iterator[bytes]:
    try:
        for chunk in body.chunks():
            for start in range(0, len(chunk), PIECE):
                # a transport limits the time of each piece, and a peer that takes a little each time would hold the call
                if monotonic() > end:
                    raise httpx.WriteTimeout("the request was still being sent at the deadline")
                yield chunk[start : start + PIECE]
    except (OSError, ValueError) as error:
        # the vendor has a part of it at most: the connection is dropped, and it never gets the whole
        raise httpx.WriteError(f"a file could not be read while it was sent ({type(error).__name__})") from error


def encode(session: AccountSession, request: Request, address: str, seconds: float) -> httpx.Request:
    """The httpx request. The whole operation has `seconds` left, so no single phase gets more.

    Raises InvalidOrder for what cannot be sent.
    """
    host = session.host if address.startswith(session.base_url) else urlsplit(address).netloc.rpartition("@")[2]
    headers = {"host": host, **_DEFAULT_HEADERS}
    if request.streamed:
        headers["accept"] = "*/*"
    for name, value in request.headers.items():
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    try:
        body = request.body
        if body.content_type is not None:
            headers["content-type"] = body.content_type
        # a query may name a person, and what names a person is kept nowhere
        if len(address) > _LONGEST_ADDRESS:
            raise _unsendable("a path or query that is too long")
        url = httpx.URL(address) if request.query or request.address else _parsed(address)
    except UnicodeError:
        raise _unsendable("a string that is not valid Unicode (half a surrogate pair)") from None
    except (TypeError, ValueError, RecursionError, AttributeError):
        raise _unsendable("a value that cannot be encoded as JSON or form data (NaN, a date, an object)") from None
    if body.content_type is not None or request.method not in _WITHOUT_BODY:
        headers["content-length"] = str(body.length)
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
        stream=_Streaming(body, seconds)
        if body.is_streamed or body.length > PIECE
        else _Outgoing(b"".join(body.chunks())),
        extensions={"timeout": phase_timeouts(session.limits, seconds)},
    )


def _unsendable(what: str) -> InvalidOrder:
    return InvalidOrder(f"nothing was sent: the request contains {what}", nothing_done=True)


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
