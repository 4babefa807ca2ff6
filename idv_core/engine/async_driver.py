"""Carries out effects with tasks of one asyncio loop."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import attrs
import httpx

from ..clock import Clock
from ..wire import Response
from .effects import SLICE, Blocking, Effect, Locked, Pause, Send, Steps
from .transports import Transports, encode, make_async_transport, received, too_large
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
        finally:
            steps.close()

    async def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return await self._send(effect)
            case Locked(session, steps):
                async with self.locks.setdefault(session.name, asyncio.Lock()):
                    return await self.run(steps())
            case Pause():
                return await self._pause(effect)
            case Blocking(function):
                return await asyncio.to_thread(function)

    async def _send(self, send: Send) -> Response:
        outgoing = encode(send.session, send.request, send.seconds)
        end = self.clock.monotonic() + send.seconds
        limit = send.session.limits.max_response
        response = await self.transports.of(send.session).handle_async_request(outgoing)
        response.request = outgoing
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > limit:
                    raise too_large(limit, response.status_code)
                if self.clock.monotonic() > end:
                    raise httpx.ReadTimeout("the answer dripped past the deadline")
        finally:
            await response.aclose()
        return received(response, bytes(body), self.clock)

    async def _pause(self, pause: Pause) -> None:
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        end = self.clock.monotonic() + pause.seconds

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        with self.wakers.waiting(pause.keys, wake):
            while not woken.is_set() and not (pause.cancelled and pause.cancelled()):
                left = end - self.clock.monotonic()
                if left <= 0:
                    return
                await self.clock.wait_async(woken, min(left, SLICE) if pause.cancelled else left)

    async def close(self) -> None:
        for transport in self.transports.made.values():
            await transport.aclose()
