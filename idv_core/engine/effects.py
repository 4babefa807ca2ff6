"""What the logic asks of a driver: send a request, hold a lock, wait for a turn, let time pass, run what blocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

import attrs

from ..errors import InvalidOrder
from ..wire import Request
from .account import AccountSession
from .turns import Turns
from .wakers import Waiting

T = TypeVar("T")

# How often a pause that can be cancelled looks whether it was, in seconds.
SLICE = 0.2


@attrs.frozen
class Send:
    """Send `request` to the account's vendor within `seconds`; the answer is a `Response`, a fault an httpx error."""

    session: AccountSession
    request: Request
    seconds: float


@attrs.frozen
class Locked:
    """Run further steps while no other caller of this account runs its locked steps; the answer is what they return."""

    session: AccountSession
    steps: Callable[[], Steps[Any]]


@attrs.frozen
class Pause:
    """Let `seconds` pass, or less if `waiting` is woken, or was already since its count was `seen`. `cancelled` is asked
    now and then."""

    seconds: float
    waiting: Waiting | None = None
    seen: int = 0
    cancelled: Callable[[], bool] | None = None


@attrs.frozen
class Queue:
    """Get in line and wait `seconds` at most; the answer is the `Turn`, granted or not."""

    turns: Turns
    seconds: float


@attrs.frozen
class Blocking:
    """Run something that blocks (reading a file); the answer is what it returns."""

    function: Callable[[], Any]


@attrs.frozen
class Await:
    """Wait for what an asynchronous caller's function gave."""

    awaitable: Awaitable[Any]


Effect: TypeAlias = Send | Locked | Queue | Pause | Blocking | Await
Steps: TypeAlias = Generator[Effect, Any, T]


def called(pause: Pause, wake: Callable[[], None]) -> AbstractContextManager[None]:
    """While inside, `wake` is called when the pause is to end; at once if that was already asked for."""
    return pause.waiting.calling(wake, pause.seen) if pause.waiting is not None else nullcontext()


def not_awaited(awaitable: Awaitable[Any]) -> InvalidOrder:
    """The error for a coroutine function that was given where nobody can await it."""
    if isinstance(awaitable, Coroutine):
        awaitable.close()
    return InvalidOrder(
        "progress is asynchronous: give Gateway a plain function, or use AsyncGateway", fields=("progress",)
    )
