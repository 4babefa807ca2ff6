"""A clock that only moves when told, or when somebody waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ..clock import SystemClock

_SYSTEM = SystemClock()
START = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)


class FakeClock:
    """`Clock` for tests. Waiting returns at once and moves the clock; `on_advance` runs after each move.

    Put an emulator's `tick` into `on_advance`, and its webhooks come as time passes.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self.on_advance: list[Callable[[], object]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds
        for run in list(self.on_advance):
            run()

    def wait(self, woken: threading.Event, seconds: float) -> None:
        if not woken.is_set():
            self.advance(seconds)

    async def wait_async(self, woken: asyncio.Event, seconds: float) -> None:
        await asyncio.sleep(0)
        if not woken.is_set():
            await asyncio.to_thread(self.advance, seconds)
            await asyncio.sleep(0)


class RunningClock(FakeClock):
    """A fake clock that also runs by itself, for tests over real sockets: waiting really waits, `advance` jumps."""

    def __init__(self, start: datetime = START) -> None:
        super().__init__(start)
        self._begun = _SYSTEM.monotonic()

    def monotonic(self) -> float:
        return self._elapsed + _SYSTEM.monotonic() - self._begun

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def wait(self, woken: threading.Event, seconds: float) -> None:
        _SYSTEM.wait(woken, seconds)

    async def wait_async(self, woken: asyncio.Event, seconds: float) -> None:
        await _SYSTEM.wait_async(woken, seconds)
