"""Time is a parameter: everything that needs it asks a `Clock`."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time (aware, UTC), a monotonic count of seconds, and two ways of letting time pass until woken."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    def wait(self, woken: threading.Event, seconds: float) -> None: ...

    async def wait_async(self, woken: asyncio.Event, seconds: float) -> None: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, woken: threading.Event, seconds: float) -> None:
        woken.wait(seconds)

    async def wait_async(self, woken: asyncio.Event, seconds: float) -> None:
        try:
            await asyncio.wait_for(woken.wait(), seconds)
        except TimeoutError:
            pass
