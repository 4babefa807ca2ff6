"""What the logic asks of a driver: send a request, hold a lock, wait for a turn, let time pass, run what blocks."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

import attrs

from ..wire import Request
from .account import AccountSession
from .turns import Turns

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
    """Let `seconds` pass, or less if somebody wakes one of the `keys`. `cancelled` is asked now and then."""

    seconds: float
    keys: tuple[object, ...]
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


Effect: TypeAlias = Send | Locked | Queue | Pause | Blocking
Steps: TypeAlias = Generator[Effect, Any, T]
