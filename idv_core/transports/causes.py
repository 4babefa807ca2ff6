"""One harmless word for why there was no connection or no answer, so that an operator can tell a wrong certificate from a
closed port."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

NOT_TRUSTED = "certificate not trusted"


def cause_of(fault: BaseException) -> str:
    """What lies behind a fault of a transport: one of a few fixed phrases, never a text of the fault itself."""
    behind = tuple(_behind(fault))
    if any(isinstance(error, ssl.SSLCertVerificationError) for error in behind):
        return NOT_TRUSTED
    if isinstance(fault, httpx.ProxyError):
        return "the proxy refused"
    if any(isinstance(error, socket.gaierror) for error in behind):
        return "name not resolved"
    if any(isinstance(error, ConnectionRefusedError) for error in behind):
        return "connection refused"
    if any(isinstance(error, ssl.SSLError) for error in behind):
        return "TLS failed"
    for kind, word in _BY_KIND.items():
        if isinstance(fault, kind):
            return word
    return "connection failed"


_BY_KIND: dict[type[httpx.TransportError], str] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.PoolTimeout: "no free connection in time",
    httpx.ReadTimeout: "no response in time",
    httpx.WriteTimeout: "the request could not be sent in time",
    httpx.ConnectError: "no connection",
    httpx.RemoteProtocolError: "the response broke off or was not HTTP",
    httpx.ReadError: "the connection broke",
    httpx.WriteError: "the connection broke",
}


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, also where several attempts were made at once; bounded, as a chain may be circular."""
    waiting, seen = [error], 0
    while waiting and seen < 50:
        error = waiting.pop()
        if error is None:
            continue
        seen += 1
        yield error
        waiting += [error.__cause__ or error.__context__]
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        # aiohttp keeps the system's error beside the chain
        inner = getattr(error, "os_error", None)
        if isinstance(inner, BaseException):
            waiting.append(inner)
