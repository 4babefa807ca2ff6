"""Carries out effects with tasks of asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs
import httpx

from ..clock import Clock
from ..errors import IdvError
from ..plugin.http import Response
from ..runtime.side_thread import Aside, closed, given_up
from ..transports.calls import AsyncTransports, encode, fault_of, plain_headers, unguarded_connection
from ..transports.proxies import environment_proxy
from ..transports.response_body import body_for
from .account import AccountSession
from .effects import SLICE, Await, Blocking, Effect, Lock, Pause, Queue, Send, Steps, called
from .scrubbing import QUIET, keeps_tracebacks, scrubbed
from .waiters import Waiters

T = TypeVar("T")


@attrs.define(eq=False)
class AsyncDriver:
    """Tasks of any event loop, each of which has its own connections."""

    clock: Clock
    waiters: Waiters
    brought: httpx.AsyncBaseTransport | None = None
    transports: AsyncTransports = attrs.field(init=False)
    is_closed: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.transports = AsyncTransports(self.brought)
        keeps_tracebacks()  # said aloud before the first error

    def prepare(self, sessions: Iterable[AccountSession]) -> None:
        """Raise ConfigError where the environment's proxy cannot be used."""
        check = environment_proxy if self.brought is None else getattr(self.brought, "check_proxy", None)
        if check is not None:
            for session in sessions:
                for url in (session.base_url, *session.servers.values()):
                    check(url)

    async def run(self, steps: Steps[T]) -> T:
        """Carry the steps out. What is no fault of a transport and no error of ours (a task's end, a time limit) ends them and
        passes through."""
        value: Any = None
        fault: Exception | None = None
        failure: IdvError
        try:
            if self.is_closed:
                raise closed()
            while True:
                effect = steps.send(value) if fault is None else steps.throw(fault)
                value, fault = None, None
                try:
                    value = await self._carry_out(effect)
                except (httpx.TransportError, IdvError) as error:
                    fault = error
        except StopIteration as stop:
            answer: T = stop.value
            return answer
        except IdvError as error:
            failure = error
        finally:
            steps.close()
        raise scrubbed(failure)

    async def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return await self._send(effect)
            case Queue():
                return await self._queue(effect)
            case Lock():
                return await self._lock(effect)
            case Pause():
                return await self._pause(effect)
            case Blocking(function, seconds):
                return await self._aside(function, seconds)
            case Await(awaitable):
                return await awaitable

    async def _send(self, send: Send) -> Response:
        if self.is_closed:
            # of a call that was under way
            raise closed()
        outgoing = encode(send.session, send.request, send.address, send.seconds)
        end = self.clock.monotonic() + send.seconds
        transport = self.transports.of(send.session, send.address)
        try:
            with QUIET:
                answer = await transport.handle_async_request(outgoing)
                assert isinstance(answer.stream, httpx.AsyncByteStream)
                try:
                    headers = plain_headers(answer)
                    body = body_for(send.session.limits, headers, answer.status_code, send.sink)
                    async for chunk in answer.stream:
                        body.add(chunk)
                        if self.clock.monotonic() > end:
                            raise httpx.ReadTimeout("the response was still arriving at the deadline")
                    content = body.content()
                finally:
                    try:
                        if self.brought is not None:
                            await _use_once(answer)
                    finally:
                        await answer.stream.aclose()
            return Response(status=answer.status_code, headers=headers, content=content, received_at=self.clock.now())
        except Exception as error:
            fault = fault_of(error, self.brought)
        raise fault

    async def _queue(self, queue: Queue) -> None:
        woken = asyncio.Event()
        queue.slot.wake = _waking(woken)
        queue.limiter.join(queue.slot)
        if not queue.slot.granted:
            await self.clock.wait_async(woken, queue.seconds)

    async def _lock(self, lock: Lock) -> None:
        woken = asyncio.Event()
        lock.slot.wake = _waking(woken)
        lock.limiter.join(lock.slot)
        end, real_end = self.clock.monotonic() + lock.seconds, time.monotonic() + lock.seconds
        while not lock.slot.granted:
            left = min(end - self.clock.monotonic(), real_end - time.monotonic())
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), min(left, SLICE))

    async def _aside(self, function: Callable[[], Any], seconds: float | None) -> Any:
        done = asyncio.Event()
        aside = Aside(function, _waking(done))
        try:
            await asyncio.wait_for(done.wait(), seconds)
        except TimeoutError:
            raise given_up() from None
        return aside.outcome()

    async def _pause(self, pause: Pause) -> None:
        woken = asyncio.Event()
        end = self.clock.monotonic() + pause.seconds
        with called(pause, _waking(woken)):
            while not woken.is_set():
                left = end - self.clock.monotonic()
                if left <= 0:
                    return
                await self.clock.wait_async(woken, left)

    def keep(self, sessions: Iterable[AccountSession]) -> None:
        """Close connections of all other accounts that are idle."""
        self.transports.keep(sessions)

    async def close(self) -> None:
        self.is_closed = True
        await self.transports.close()


def _waking(woken: asyncio.Event) -> Callable[[], None]:
    """Sets the event of the running loop, from any thread."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        # a loop that is closed has nobody who waits
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(woken.set)

    return wake


async def _use_once(answer: httpx.Response) -> None:
    stream = unguarded_connection(answer)
    if stream is not None:
        with contextlib.suppress(OSError):
            await stream.aclose()
