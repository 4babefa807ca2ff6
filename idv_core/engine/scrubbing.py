"""Keeps what a call carries out of tracebacks and out of the logs of the libraries below."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TypeVar

from ..errors import IdvError

E = TypeVar("E", bound=IdvError)

# httpcore writes whole response headers into its debug log: cookies, tokens, addresses of redirects.
_TALKATIVE = ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")
_ours: ContextVar[bool] = ContextVar("idv_core_call", default=False)


def scrubbed(error: E) -> E:
    """The error without the frames it came through and without what led to it: their locals hold bodies and names."""
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


class _Quiet:
    """While inside, the libraries below log that something happened, without the values. Not nested."""

    def __enter__(self) -> None:
        _ours.set(True)

    def __exit__(self, *_: object) -> None:
        _ours.set(False)


QUIET = _Quiet()


def _without_values(record: logging.LogRecord) -> bool:
    if _ours.get():
        record.msg, record.args = str(record.msg).partition(" ")[0], None
    return True


for _name in _TALKATIVE:
    logging.getLogger(_name).addFilter(_without_values)
