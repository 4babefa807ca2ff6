"""`idv serve`: what is insecure is refused with the sentence that mends it; who is slow is let go; SIGTERM drains."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
import ssl
from collections.abc import Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ConfigError
from ..ledger import Ledger
from . import keys

log = logging.getLogger("idv_core")

_DRAIN = timedelta(minutes=2)
_GRACE = 0.5
# as many as the ledger keeps connections
_THREADS = 20
_KEEP_ALIVE = 15
# beyond it a request is answered 503
_CONNECTIONS = 500
_LOOK = 2.0
_LIMITS = {"head": 20.0, "body": 120.0, "answer": 60.0}
_OTHERS = 0o004
# RFC 6797: for a year browsers come by TLS alone
_STRICT = ("strict-transport-security", "max-age=31536000")


@attrs.frozen(kw_only=True)
class Binding:
    """Where the service listens.

    `is_behind_proxy` says that a proxy of yours ends TLS in front of it and that nobody else can reach it.
    """

    host: str = "127.0.0.1"
    port: int = 8700
    certificate: Path | None = None
    private_key: Path | None = None
    is_behind_proxy: bool = False

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach it."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True


def check_binding(binding: Binding) -> None:
    """Raises ConfigError for what would be insecure, and for a certificate that cannot be used."""
    if (binding.certificate is None) != (binding.private_key is None):
        raise ConfigError("serve: give --tls-cert and --tls-key together")
    if binding.certificate is not None and binding.private_key is not None:
        _check_certificate(binding.certificate, binding.private_key)
    elif binding.is_public and not binding.is_behind_proxy:
        raise ConfigError(
            f"serve: {binding.host} is reached by other machines, and without TLS keys and personal data would go over it "
            "in clear. Give --tls-cert and --tls-key; or, where a proxy of yours ends TLS in front of it, --behind-proxy; or "
            "listen on 127.0.0.1"
        )


def _check_certificate(certificate: Path, private_key: Path) -> None:
    for option, file in (("--tls-cert", certificate), ("--tls-key", private_key)):
        try:
            file.read_bytes()
        except OSError as error:
            why = (error.strerror or "unknown reason").lower()
            raise ConfigError(
                f"serve: {option} {file} cannot be read ({why}): give a PEM file that this user may read"
            ) from None
    if os.name == "posix" and private_key.stat().st_mode & _OTHERS:
        raise ConfigError(
            f"serve: every user of this machine can read the private key: chmod o-r {private_key}; and where others use "
            "this machine, take a new one"
        )

    def password() -> str:
        raise ConfigError(
            f"serve: the private key {private_key} has a password, which nobody is there to type. Take it off: openssl pkey "
            f"-in {private_key} -out new.pem"
        )

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, private_key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"serve: {private_key} is not the private key of the certificate {certificate}: give the two that belong "
                "together"
            ) from None
        raise ConfigError(
            f"serve: {certificate} and {private_key} cannot be used: they must be PEM files that begin with -----BEGIN"
        ) from None


def check_keys(binding: Binding, ledger: Ledger) -> None:
    """Raises ConfigError where other machines would reach a service that nobody can use."""
    if binding.is_public and not keys.are_there(ledger.store):
        raise ConfigError(
            f"serve: {binding.host} is reached by other machines, and there is no key yet that could use the API. Make one: "
            "idv server key add NAME --scope verify --scope read"
        )


def listen(binding: Binding) -> list[socket.socket]:
    """The sockets, which nobody is answered on yet. Raises ConfigError."""
    host, port = binding.host, binding.port
    opened: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            # a name may have several addresses; all of them get the same port
            at = (address[0], port or (opened[0].getsockname()[1] if opened else 0))
            opened.append(socket.create_server(at, family=family, backlog=2048))
            # connections have it from here: asyncio sets it only where a socket names its protocol, and without it each answer
            # waits 40 ms for the acknowledgement of its head
            opened[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        for one in opened:
            one.close()
        raise ConfigError(f"serve: {_why(error, binding)}") from None
    return opened


def _why(error: OSError, binding: Binding) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {binding.port} of {binding.host} is taken: another program listens there, or idv serve runs already. "
                "Stop it, or give another --port"
            )
        case errno.EACCES | errno.EPERM:
            return f"port {binding.port} may not be used by this user: give a --port of 1024 or above"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return f"{binding.host} is not an address of this machine: give one that is, or 0.0.0.0 for all it has"
    if isinstance(error, socket.gaierror):
        return f"{binding.host} is not known here: give an address of this machine, or 0.0.0.0 for all it has"
    return f"cannot listen on {binding.host}, port {binding.port} ({(error.strerror or 'unknown reason').lower()})"


def make_server(app: Starlette, binding: Binding) -> Server:
    """uvicorn as it is set up for this app."""
    config = uvicorn.Config(
        app,
        ssl_certfile=binding.certificate,
        ssl_keyfile=binding.private_key,
        lifespan="on",
        # the parser that is tested, whatever else is installed
        http="h11",
        ws="none",
        log_config=None,
        # addresses of webhooks hold secrets
        access_log=False,
        server_header=False,
        # a proxy that ends TLS has its own; on localhost it would hold for all other ports too
        headers=[_STRICT] if binding.certificate is not None and binding.is_public else [],
        # who the peer is decides whether its header names a user
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=round(_DRAIN.total_seconds()),
        timeout_keep_alive=_KEEP_ALIVE,
    )
    server = Server(config)
    config.app = closing(app, lambda: server.should_exit)
    return server


def run(app: Starlette, binding: Binding, sockets: list[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT; then answer what was asked, finish the turns that are under way, and return."""
    scheme = "https" if binding.certificate is not None else "http"
    for one in sockets:
        host, port = one.getsockname()[:2]
        log.info("running on %s://%s:%d", scheme, f"[{host}]" if ":" in host else host, port)
    make_server(app, binding).run(sockets)


class Server(uvicorn.Server):
    """uvicorn, which lets go of connections that are slow."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        # the tracker's writes, which wait for each other, leave threads to those who read
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        sweeping = asyncio.create_task(self._sweep())
        try:
            await super().serve(sockets)
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for one in (*self.servers, *(sockets or ())):
            one.close()
        # who was let in just now may still ask, and whose connection was kept open is told in the answer
        await asyncio.sleep(_GRACE)
        await super().shutdown(sockets)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        seen: Seen = {}
        while True:
            seen = sweep(self.server_state.connections, seen, loop.time())
            await asyncio.sleep(_LOOK)


Seen = MutableMapping[Any, tuple[str, Any, float]]
"""What each connection was at, in which request, since when."""


def sweep(connections: Any, seen: Seen, now: float) -> Seen:
    """Break off the connections that are at one thing for too long; what the others are at.

    uvicorn limits only the time between requests. A client that sends its head or body a byte at a time, or does not read its
    answer, would hold its connection for ever.
    """
    after: Seen = {}
    for connection in list(connections):
        what, cycle = _phase(connection)
        before = seen.get(connection)
        since = before[2] if before is not None and before[0] == what and before[1] is cycle else now
        if now - since > _LIMITS.get(what, float("inf")):
            connection.transport.abort()
        else:
            after[connection] = (what, cycle, since)
    return after


def _phase(connection: Any) -> tuple[str, Any]:
    cycle = connection.cycle
    if connection.transport.get_write_buffer_size():
        return "answer", cycle
    if cycle is None or cycle.response_complete:
        return "head", cycle
    return ("body" if cycle.more_body else "work"), cycle


def closing(app: ASGIApp, is_ending: Callable[[], bool]) -> ASGIApp:
    """The app; once it is ending, each answer says that the connection is closed after it (RFC 9112 section 9.6)."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        async def out(message: Message) -> None:
            if message["type"] == "http.response.start" and is_ending():
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, out if scope["type"] == "http" else send)

    return told
