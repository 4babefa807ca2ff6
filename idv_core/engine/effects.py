"""What the logic asks of a driver: send a request, wait for a slot or a lock, let time pass, run what blocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

import attrs

from ..errors import InvalidOrder
from ..plugin.http import Request
from ..transports.sinks import Sink
from .account import AccountSession
from .limiters import ConcurrencyLimiter, Slot
from .waiters import Waiting

T = TypeVar("T")

# How often a wait that takes real time looks at a test's clock, in seconds.
SLICE = 0.2


@attrs.frozen(eq=False, repr=False)
class Send:
    """Send `request` to `address` within `seconds`; the answer is a `Response`, a fault an httpx error.

    The body of a success goes to `sink` where there is one.
    """

    session: AccountSession
    request: Request
    address: str = attrs.field(repr=False)
    seconds: float
    sink: Sink | None = None


@attrs.frozen(eq=False, repr=False)
class Pause:
    """Let `seconds` pass, or less if `waiting` is woken, or was already since its count was `seen`."""

    seconds: float
    waiting: Waiting | None = None
    seen: int = 0


@attrs.frozen(eq=False, repr=False)
class Queue:
    """Get in line with `slot` and wait `seconds` at most; afterwards it is granted or not. Give it back either way."""

    limiter: ConcurrencyLimiter
    slot: Slot
    seconds: float


@attrs.frozen(eq=False, repr=False)
class Lock:
    """The same for what one caller at a time may do.

    Another caller's call ends the wait, which takes real time also where a test's clock stands still.
    """

    limiter: ConcurrencyLimiter
    slot: Slot
    seconds: float


@attrs.frozen(eq=False, repr=False)
class Blocking:
    """Run something that blocks (reading a file); the answer is what it returns.

    With `seconds` it is run in a thread of its own and given up after that time with DeadlineExceeded. Nothing can end
    that thread: it stays behind for as long as the file (a pipe, a network file system) keeps it.
    """

    function: Callable[[], Any]
    seconds: float | None = None


@attrs.frozen(eq=False, repr=False)
class Await:
    """Wait for what an asynchronous caller's function gave."""

    awaitable: Awaitable[Any]


Effect: TypeAlias = Send | Lock | Queue | Pause | Blocking | Await
Steps: TypeAlias = Generator[Effect, Any, T]


def called(pause: Pause, wake: Callable[[], None]) -> AbstractContextManager[None]:
    """While inside, `wake` is called when the pause is to end; at once if that was already asked for."""
    return pause.waiting.calling(wake, pause.seen) if pause.waiting is not None else nullcontext()


def not_awaited(awaitable: Awaitable[Any]) -> InvalidOrder:
    """The error for a coroutine function that was given where nobody can await it."""
    if isinstance(awaitable, Coroutine):
        awaitable.close()
    return InvalidOrder(
        "progress and attempt must be plain functions; for async functions use AsyncGateway",
        fields=("progress", "attempt"),
    )
