"""Carries out effects with blocking calls."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any, TypeVar

import attrs
import httpx

from ..clock import Clock
from ..errors import IdvError
from ..plugin.http import Response
from ..runtime.interrupts import interrupt_in
from ..runtime.side_thread import Aside, closed, given_up
from ..transports.calls import Transports, encode, fault_of, plain_headers, unguarded_connection
from ..transports.proxies import environment_proxy
from ..transports.response_body import body_for
from .account import AccountSession
from .effects import SLICE, Await, Blocking, Effect, Lock, Pause, Queue, Send, Steps, called, not_awaited
from .scrubbing import QUIET, keeps_tracebacks, scrubbed
from .waiters import Waiters

T = TypeVar("T")


@attrs.define(eq=False, repr=False)
class SyncDriver:
    """Blocking. One driver serves any number of threads."""

    clock: Clock
    waiters: Waiters
    brought: httpx.BaseTransport | None = None
    transports: Transports = attrs.field(init=False)
    is_closed: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.transports = Transports(self.brought)
        keeps_tracebacks()  # said aloud before the first error

    def prepare(self, sessions: Iterable[AccountSession]) -> None:
        """Raise ConfigError where the environment's proxy cannot be used."""
        check = environment_proxy if self.brought is None else getattr(self.brought, "check_proxy", None)
        if check is not None:
            for url in {url for session in sessions for url in (session.base_url, *session.servers.values())}:
                check(url)

    def run(self, steps: Steps[T]) -> T:
        """Carry the steps out. What is no fault of a transport and no error of ours (an interrupt, a time limit) ends them and
        passes through."""
        value: Any = None
        fault: Exception | None = None
        failure: IdvError
        try:
            if self.is_closed:
                raise closed()
            while True:
                try:
                    effect = steps.send(value) if fault is None else steps.throw(fault)
                except StopIteration as stop:
                    # only here: one that a transport or the platform's function lets out is no answer
                    answer: T = stop.value
                    return answer
                value, fault = None, None
                try:
                    value = self._carry_out(effect)
                except (httpx.TransportError, IdvError) as error:
                    fault = error
                except RuntimeError as error:
                    # "release unlocked lock": what a signal's handler raises in the midst of a wait ends as this
                    interrupt = interrupt_in(error)
                    if interrupt is None:
                        raise
                    raise interrupt from None
        except IdvError as error:
            failure = error
        finally:
            steps.close()
        raise scrubbed(failure)

    def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return self._send(effect)
            case Queue():
                return self._queue(effect)
            case Lock():
                return self._lock(effect)
            case Pause():
                return self._pause(effect)
            case Blocking(function, seconds):
                return function() if seconds is None else self._aside(function, seconds)
            case Await(awaitable):
                raise not_awaited(awaitable)

    def _send(self, send: Send) -> Response:
        if self.is_closed:
            # of a call that was under way
            raise closed()
        outgoing = encode(send.session, send.request, send.address, send.seconds)
        end = self.clock.monotonic() + send.seconds
        transport = self.transports.of(send.session, send.address)
        try:
            with QUIET:
                answer = transport.handle_request(outgoing)
                assert isinstance(answer.stream, httpx.SyncByteStream)
                try:
                    headers = plain_headers(answer)
                    body = body_for(send.session.limits, headers, answer.status_code, send.sink)
                    for chunk in answer.stream:
                        body.add(chunk)
                        if self.clock.monotonic() > end:
                            raise httpx.ReadTimeout("the response was still arriving at the deadline")
                    content = body.content()
                finally:
                    try:
                        if self.brought is not None:
                            _use_once(answer)
                    finally:
                        answer.stream.close()
            return Response(status=answer.status_code, headers=headers, content=content, received_at=self.clock.now())
        except Exception as error:
            fault = fault_of(error, transport)
        raise fault

    def _queue(self, queue: Queue) -> None:
        woken = threading.Event()
        queue.slot.wake = woken.set
        queue.limiter.join(queue.slot)
        if not queue.slot.granted:
            self.clock.wait(woken, queue.seconds)

    def _lock(self, lock: Lock) -> None:
        woken = threading.Event()
        lock.slot.wake = woken.set
        lock.limiter.join(lock.slot)
        end, real_end = self.clock.monotonic() + lock.seconds, time.monotonic() + lock.seconds
        while not lock.slot.granted:
            left = min(end - self.clock.monotonic(), real_end - time.monotonic())
            if left <= 0:
                return
            woken.wait(min(left, SLICE))

    def _aside(self, function: Any, seconds: float) -> Any:
        done = threading.Event()
        aside = Aside(function, done.set)
        if not done.wait(seconds):
            raise given_up()
        return aside.outcome()

    def _pause(self, pause: Pause) -> None:
        woken = threading.Event()
        end = self.clock.monotonic() + pause.seconds
        with called(pause, woken.set):
            while not woken.is_set():
                left = end - self.clock.monotonic()
                if left <= 0:
                    return
                self.clock.wait(woken, left)

    def keep(self, sessions: Iterable[AccountSession]) -> None:
        """Close connections of all other accounts that are idle."""
        self.transports.keep(sessions)

    def close(self) -> None:
        self.is_closed = True
        self.transports.close()


def _use_once(answer: httpx.Response) -> None:
    stream = unguarded_connection(answer)
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()
