"""What belongs to one event loop: connections that are used in no other, and closed when their loop ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from .forks import abandon, renew_after_fork

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class OfLoop(Generic[T]):
    """A value that was made within the running loop. `close` is awaited in that loop: by `aclose`, when nobody holds the
    value any more, or when the loop shuts its asynchronous generators down (`asyncio.run` does)."""

    def __init__(self, value: T, close: Callable[[], Awaitable[None]]) -> None:
        self.value = value
        self._end = _closing(close)
        try:
            # goes as far as its `yield`, without waiting; from now on the loop knows it
            self._end.__anext__().send(None)
        except StopIteration:
            pass

    async def aclose(self) -> None:
        await self._end.aclose()


async def _closing(close: Callable[[], Awaitable[None]]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await close()


def _running_loop() -> asyncio.AbstractEventLoop:
    from asyncio import get_running_loop  # whoever asks has loaded it

    return get_running_loop()


class PerLoop(Generic[T]):
    """One value for each event loop; those of loops that are closed, and of the process that we are forked from, are
    forgotten."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._held: dict[asyncio.AbstractEventLoop, T] = {}
        renew_after_fork(self)

    def here(self) -> T:
        """The value of the running loop, made now if it has none."""
        loop = _running_loop()
        held = self._held.get(loop)
        if held is None:
            for other in list(self._held):
                if other.is_closed():
                    self._held.pop(other, None)
            held = self._held.setdefault(loop, self._make())
        return held

    def take_here(self) -> T | None:
        """The value of the running loop, if it has one. All are held no longer."""
        return self.take_all().pop(_running_loop(), None)

    def take_all(self) -> dict[asyncio.AbstractEventLoop, T]:
        """All values, which are held no longer."""
        held, self._held = self._held, {}
        return held

    def all(self) -> list[T]:
        return list(self._held.values())

    def after_fork(self) -> None:
        abandon(self.take_all())
