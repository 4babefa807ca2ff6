"""Sockets that never block by themselves: each step says until when it may wait.

`until` is a moment of `time.monotonic` in seconds; None is never.
"""

from __future__ import annotations

import errno
import select
import selectors
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from time import monotonic
from typing import Any

# How long one address is waited for before the next is tried beside it (RFC 8305 section 5).
_HEAD_START = 0.25
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN})


def connected(host: str, port: int, until: float | None) -> socket.socket:
    """A TCP connection to the first address of the host that answers: IPv6 and IPv4 by turns, the next one while an earlier
    one still hesitates (RFC 8305). Looking the name up is not bounded.

    Raises TimeoutError, OSError, and ExceptionGroup where several addresses failed.
    """
    waiting = deque(_by_turns(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    failed: list[OSError] = []
    with selectors.DefaultSelector() as trying:
        try:
            while waiting or trying.get_map():
                if waiting:
                    _begin(waiting.popleft(), trying, failed)
                    if not trying.get_map():
                        continue
                for key, _ in trying.select(_patience(until, bool(waiting))):
                    candidate: socket.socket = key.fileobj  # type: ignore[assignment]
                    trying.unregister(candidate)
                    code = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code == 0:
                        candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        return candidate
                    failed.append(OSError(code, errno.errorcode.get(code, "")))
                    candidate.close()
                if until is not None and monotonic() >= until:
                    raise TimeoutError("no connection in time")
        finally:
            for key in trying.get_map().values():
                key.fileobj.close()  # type: ignore[union-attr]
    raise failed[0] if len(failed) == 1 else ExceptionGroup("no address of the host answers", failed)


def _by_turns(found: Iterable[Any]) -> Iterable[Any]:
    """The family that the system prefers goes first."""
    families: dict[int, list[Any]] = {}
    for address in found:
        families.setdefault(address[0], []).append(address)
    return (address for address in chain.from_iterable(zip_longest(*families.values())) if address)


def _begin(address: Any, trying: selectors.BaseSelector, failed: list[OSError]) -> None:
    family, kind, protocol, _, where = address
    try:
        candidate = socket.socket(family, kind, protocol)
    except OSError as error:
        # a machine without IPv6
        failed.append(error)
        return
    candidate.setblocking(False)
    code = candidate.connect_ex(where)
    if code and code not in _UNDER_WAY:
        failed.append(OSError(code, errno.errorcode.get(code, "")))
        candidate.close()
        return
    trying.register(candidate, selectors.EVENT_WRITE)


def _patience(until: float | None, others: bool) -> float | None:
    left = None if until is None else max(0.0, until - monotonic())
    if others:
        return _HEAD_START if left is None else min(left, _HEAD_START)
    return left


def secured(plain: socket.socket, context: ssl.SSLContext, host: str, until: float | None) -> ssl.SSLSocket:
    """TLS over a connection, which it takes over and closes where that fails. Raises TimeoutError, OSError."""
    tls = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                tls.do_handshake()
                return tls
            except ssl.SSLWantReadError:
                writing = False
            except ssl.SSLWantWriteError:
                writing = True
            wait(readiness(tls, writing), until)
    except BaseException:
        tls.close()
        raise


Ready = Callable[[float | None], bool]
"""Whether a socket can be read (or written to) within a number of seconds, or ever. Also where it is closed or broken."""


def readiness(of: socket.socket, writing: bool = False) -> Ready:
    number = of.fileno()
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(number, select.POLLOUT if writing else select.POLLIN)
        ask = poll.poll
        return lambda seconds: bool(ask(None if seconds is None else seconds * 1000))
    ours, none = [number], list[int]()
    return lambda seconds: any(select.select(none if writing else ours, ours if writing else none, none, seconds))


def wait(ready: Ready, until: float | None) -> None:
    """Raises TimeoutError."""
    if not ready(None if until is None else max(0.0, until - monotonic())):
        raise TimeoutError("the time is over")
