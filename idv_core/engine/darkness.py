"""Keeps what a call carries out of tracebacks and out of the logs of the libraries below."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from ..errors import IdvError

E = TypeVar("E", bound=IdvError)

# httpcore writes whole response headers into its debug log: cookies, tokens, addresses of redirects.
_TALKATIVE = ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")
_ours: ContextVar[bool] = ContextVar("idv_core_call", default=False)


def darkened(error: E) -> E:
    """The error without the frames it came through and without what led to it: their locals hold bodies and names."""
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


@contextmanager
def quiet() -> Iterator[None]:
    """While inside, the libraries below log that something happened, without the values."""
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def _without_values(record: logging.LogRecord) -> bool:
    if _ours.get():
        record.msg, record.args = str(record.msg).partition(" ")[0], None
    return True


for _name in _TALKATIVE:
    logging.getLogger(_name).addFilter(_without_values)
