"""Lets a callback that comes in wake those who wait for the flow it is about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .forks import renew_after_fork


class Wakers:
    """Who waits for what. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[object, list[Callable[[], None]]] = {}
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In the child nobody waits yet."""
        self._lock = threading.Lock()
        self._waiting = {}

    @contextmanager
    def waiting(self, keys: tuple[object, ...], wake: Callable[[], None]) -> Iterator[None]:
        """While inside, `wake` is called whenever one of the keys is woken."""
        with self._lock:
            for key in keys:
                self._waiting.setdefault(key, []).append(wake)
        try:
            yield
        finally:
            with self._lock:
                for key in keys:
                    waiting = self._waiting.get(key, [])
                    if wake in waiting:
                        waiting.remove(wake)
                    if not waiting:
                        self._waiting.pop(key, None)

    def wake(self, key: object) -> None:
        with self._lock:
            waiting = list(self._waiting.get(key, ()))
        for wake in waiting:
            wake()
