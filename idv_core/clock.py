"""Time is a parameter: everything that needs it asks a `Clock`."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


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
        import asyncio  # blocking programs never load it

        try:
            await asyncio.wait_for(woken.wait(), seconds)
        except TimeoutError:
            pass
