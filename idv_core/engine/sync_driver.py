"""Carries out effects with blocking calls."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import attrs
import httpx

from ..clock import Clock
from ..errors import IdvError
from ..wire import Response
from .bodies import Body
from .darkness import QUIET, darkened
from .effects import SLICE, Await, Blocking, Effect, Locked, Pause, Queue, Send, Steps, called, not_awaited
from .transports import Transports, encode, foreign_fault, make_sync_transport, plain_headers
from .turns import Turn
from .wakers import Wakers

T = TypeVar("T")


@attrs.define
class SyncDriver:
    """Blocking. One driver serves any number of threads."""

    clock: Clock
    wakers: Wakers
    brought: httpx.BaseTransport | None = None
    transports: Transports[httpx.BaseTransport] = attrs.field(init=False)
    locks: dict[str, threading.Lock] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.transports = Transports(self.brought, make_sync_transport)

    def run(self, steps: Steps[T]) -> T:
        value: Any = None
        fault: Exception | None = None
        failure: IdvError
        try:
            while True:
                effect = steps.send(value) if fault is None else steps.throw(fault)
                value, fault = None, None
                try:
                    value = self._carry_out(effect)
                except Exception as error:
                    fault = error
        except StopIteration as stop:
            answer: T = stop.value
            return answer
        except IdvError as error:
            failure = error
        finally:
            steps.close()
        raise darkened(failure)

    def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return self._send(effect)
            case Locked(session, steps):
                with self.locks.setdefault(session.name, threading.Lock()):
                    return self.run(steps())
            case Queue():
                return self._queue(effect)
            case Pause():
                return self._pause(effect)
            case Blocking(function):
                return function()
            case Await(awaitable):
                raise not_awaited(awaitable)

    def _send(self, send: Send) -> Response:
        outgoing = encode(send.session, send.request, send.seconds)
        end = self.clock.monotonic() + send.seconds
        transport = self.transports.of(send.session)
        try:
            with QUIET:
                answer = transport.handle_request(outgoing)
                assert isinstance(answer.stream, httpx.SyncByteStream)
                try:
                    headers = plain_headers(answer)
                    body = Body(headers, answer.status_code, send.session.limits.max_response)
                    for chunk in answer.stream:
                        body.add(chunk)
                        if self.clock.monotonic() > end:
                            raise httpx.ReadTimeout("the answer dripped past the deadline")
                    content = body.content()
                finally:
                    answer.stream.close()
            return Response(status=answer.status_code, headers=headers, content=content, received_at=self.clock.now())
        except Exception as error:
            fault = foreign_fault(error)
        raise fault

    def _queue(self, queue: Queue) -> Turn:
        woken = threading.Event()
        turn = queue.turns.queue(woken.set)
        if not turn.granted:
            self.clock.wait(woken, queue.seconds)
        return turn

    def _pause(self, pause: Pause) -> None:
        woken = threading.Event()
        end = self.clock.monotonic() + pause.seconds
        with called(pause, woken.set):
            while not woken.is_set() and not (pause.cancelled and pause.cancelled()):
                left = end - self.clock.monotonic()
                if left <= 0:
                    return
                self.clock.wait(woken, min(left, SLICE) if pause.cancelled else left)

    def close(self) -> None:
        for transport in self.transports.made.values():
            transport.close()
