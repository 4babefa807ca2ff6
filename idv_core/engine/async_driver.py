"""Carries out effects with tasks of one asyncio loop."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import attrs
import httpx

from ..clock import Clock
from ..errors import IdvError
from ..wire import Response
from .bodies import Body
from .darkness import QUIET, darkened
from .effects import SLICE, Await, Blocking, Effect, Locked, Pause, Queue, Send, Steps, called
from .transports import Transports, encode, foreign_fault, make_async_transport, plain_headers
from .turns import Turn
from .wakers import Wakers

T = TypeVar("T")


@attrs.define
class AsyncDriver:
    """Tasks of one event loop."""

    clock: Clock
    wakers: Wakers
    brought: httpx.AsyncBaseTransport | None = None
    transports: Transports[httpx.AsyncBaseTransport] = attrs.field(init=False)
    locks: dict[str, asyncio.Lock] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.transports = Transports(self.brought, make_async_transport)

    async def run(self, steps: Steps[T]) -> T:
        value: Any = None
        fault: Exception | None = None
        failure: IdvError
        try:
            while True:
                effect = steps.send(value) if fault is None else steps.throw(fault)
                value, fault = None, None
                try:
                    value = await self._carry_out(effect)
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

    async def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return await self._send(effect)
            case Locked(session, steps):
                async with self.locks.setdefault(session.name, asyncio.Lock()):
                    return await self.run(steps())
            case Queue():
                return await self._queue(effect)
            case Pause():
                return await self._pause(effect)
            case Blocking(function):
                return await asyncio.to_thread(function)
            case Await(awaitable):
                return await awaitable

    async def _send(self, send: Send) -> Response:
        outgoing = encode(send.session, send.request, send.seconds)
        end = self.clock.monotonic() + send.seconds
        transport = self.transports.of(send.session)
        try:
            with QUIET:
                answer = await transport.handle_async_request(outgoing)
                assert isinstance(answer.stream, httpx.AsyncByteStream)
                try:
                    headers = plain_headers(answer)
                    body = Body(headers, answer.status_code, send.session.limits.max_response)
                    async for chunk in answer.stream:
                        body.add(chunk)
                        if self.clock.monotonic() > end:
                            raise httpx.ReadTimeout("the answer dripped past the deadline")
                    content = body.content()
                finally:
                    await answer.stream.aclose()
            return Response(status=answer.status_code, headers=headers, content=content, received_at=self.clock.now())
        except Exception as error:
            fault = foreign_fault(error)
        raise fault

    async def _queue(self, queue: Queue) -> Turn:
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        turn = queue.turns.queue(wake)
        try:
            if not turn.granted:
                await self.clock.wait_async(woken, queue.seconds)
        except BaseException:
            queue.turns.give_back(turn)
            raise
        return turn

    async def _pause(self, pause: Pause) -> None:
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        end = self.clock.monotonic() + pause.seconds

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        with called(pause, wake):
            while not woken.is_set() and not (pause.cancelled and pause.cancelled()):
                left = end - self.clock.monotonic()
                if left <= 0:
                    return
                await self.clock.wait_async(woken, min(left, SLICE) if pause.cancelled else left)

    async def close(self) -> None:
        for transport in self.transports.made.values():
            await transport.aclose()
