"""Tells what a signal handler raised in the middle of our work from what our work ended with."""

from __future__ import annotations

import functools
import signal
import threading
from types import CodeType
from typing import Any


def interrupt_in(error: BaseException, before: BaseException | None = None) -> BaseException | None:
    """What a signal handler raised (a time limit, say) and others have wrapped, if that is what this error comes from.

    A handler may raise anything, also a TimeoutError in the middle of a socket's read: it is known by its frame. What the
    caller was handling `before` our work began is no part of it.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    seen: BaseException | None = error
    # a chain is short; a bound keeps a circular one from holding us up
    for _ in range(20):
        if seen is None or seen is before or not handlers:
            return None
        trace = seen.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code in handlers:
                return seen
            trace = trace.tb_next
        seen = seen.__cause__ or seen.__context__
    return None


def _code(handler: Any) -> CodeType | None:
    if isinstance(handler, signal.Handlers) or not callable(handler):
        return None
    while isinstance(handler, functools.partial):
        handler = handler.func
    # a function, a method, or an object that can be called
    for candidate in (handler, getattr(handler, "__func__", None), getattr(type(handler), "__call__", None)):  # noqa: B004
        code = getattr(candidate, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None
