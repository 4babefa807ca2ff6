"""Client-side limits of an account: how many calls at a time, how many a second. First come, first served. No I/O."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import attrs


@attrs.define(eq=False)
class Turn:
    """One caller's place. `wake` is called, from any thread, when the turn comes."""

    wake: Callable[[], None]
    granted: bool = False


class Turns:
    """At most so many at a time; those who wait are served in the order in which they came. Safe for threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._running = 0
        self._waiting: deque[Turn] = deque()
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def try_take(self) -> bool:
        """Take a turn if one is free and nobody waits."""
        with self._lock:
            if self._running >= self.most or self._waiting:
                return False
            self._running += 1
            return True

    def queue(self, wake: Callable[[], None]) -> Turn:
        """Get in line; the turn may be granted at once."""
        turn = Turn(wake)
        with self._lock:
            self._waiting.append(turn)
            woken = self._grant()
        for other in woken:
            other.wake()
        return turn

    def give_back(self, turn: Turn | None = None) -> None:
        """End a turn that was taken or granted, or leave the line."""
        with self._lock:
            if turn is not None and not turn.granted:
                self._waiting.remove(turn)
                return
            self._running -= 1
            if not self._waiting:
                return
            woken = self._grant()
        for other in woken:
            other.wake()

    def _grant(self) -> list[Turn]:
        granted = []
        while self._waiting and self._running < self.most:
            turn = self._waiting.popleft()
            turn.granted = True
            self._running += 1
            granted.append(turn)
        return granted


class Pace:
    """At most `rate` calls a second, `burst` of them at once (the generic cell rate algorithm, ITU-T I.371).

    Each caller reserves the next free moment, so who comes first goes first. Safe for threads.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._step = 1.0 / rate
        self._slack = (burst - 1) * self._step
        self._next = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, now: float, patience: float) -> tuple[float, bool]:
        """Seconds until the reserved moment, and true; or, if that is more than `patience`, nothing reserved and false."""
        with self._lock:
            due = max(self._next, now)
            wait = max(0.0, due - self._slack - now)
            if wait > patience:
                return wait, False
            self._next = due + self._step
            return wait, True
