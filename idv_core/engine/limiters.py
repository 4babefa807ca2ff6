"""Client-side limits of an account: how many calls at a time, how many a second. First come, first served. No I/O."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import attrs


def _nobody() -> None:
    pass


@attrs.define(eq=False, repr=False)
class Slot:
    """One caller's place. `wake` is called, from any thread, when the slot comes."""

    wake: Callable[[], None] = _nobody
    granted: bool = False


class ConcurrencyLimiter:
    """At most `most` calls at a time; further calls queue up, first come, first served. Thread-safe.

    The caller makes the `Slot` first and gives it back in a `finally`: an interrupt at any moment leaves nothing behind.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._running: set[Slot] = set()
        self._waiting: deque[Slot] = deque()
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self, slot: Slot) -> bool:
        """Grant the slot if one is free and nobody waits."""
        with self._lock:
            if len(self._running) >= self.most or self._waiting:
                return False
            slot.granted = True
            self._running.add(slot)
            return True

    def join(self, slot: Slot) -> None:
        """Get in line; the slot may be granted at once."""
        with self._lock:
            self._waiting.append(slot)
            woken = self._grant()
        for other in woken:
            other.wake()

    def give_back(self, slot: Slot) -> None:
        """End a slot, or leave the line. One that was neither granted nor in line changes nothing."""
        with self._lock:
            self._running.discard(slot)
            if not self._waiting:
                return
            if slot in self._waiting:
                self._waiting.remove(slot)
            woken = self._grant()
        for other in woken:
            other.wake()

    def after_fork(self) -> None:
        """In the child nobody runs and nobody waits."""
        self._lock = threading.Lock()
        self._running, self._waiting = set(), deque()

    def _grant(self) -> list[Slot]:
        granted = []
        while self._waiting and len(self._running) < self.most:
            slot = self._waiting[0]
            self._running.add(slot)
            slot.granted = True
            self._waiting.popleft()
            granted.append(slot)
        return granted


class RateLimiter:
    """At most `rate` calls a second, `burst` of them at once (the generic cell rate algorithm, ITU-T I.371).

    Each caller reserves the next free moment, first come, first served. Thread-safe.
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

    def after_fork(self) -> None:
        self._lock = threading.Lock()
