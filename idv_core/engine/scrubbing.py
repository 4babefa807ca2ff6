"""Keeps what a call carries out of tracebacks and out of the logs of the libraries below."""

from __future__ import annotations

import logging
import os
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

from ..errors import IdvError

E = TypeVar("E", bound=IdvError)

# httpcore writes whole response headers into its debug log: cookies, tokens, addresses of redirects. httpx's client, which
# sends messages to platforms, logs addresses.
_TALKATIVE = ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks", "httpx")
_ours: ContextVar[bool] = ContextVar("idv_core_call", default=False)


@cache
def keeps_tracebacks() -> bool:
    """Whether errors keep the plugin's frames and what led to them: with IDV_DEBUG=1 in the environment, read once."""
    if os.environ.get("IDV_DEBUG") != "1":
        return False
    logging.getLogger("idv_core").warning(
        "IDV_DEBUG=1: errors keep their tracebacks, which hold personal data and secrets; do not use it in production"
    )
    return True


def scrubbed(error: E) -> E:
    """The error without the frames it came through and without what led to it: their locals hold bodies and names.

    With IDV_DEBUG=1 nothing is taken away, and what led to it is shown.
    """
    if keeps_tracebacks():
        return _chained(error)
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


def _chained(error: E) -> E:
    seen: BaseException | None = error
    while seen is not None:
        seen.__suppress_context__ = seen.__cause__ is not None
        seen = seen.__cause__ or seen.__context__
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
