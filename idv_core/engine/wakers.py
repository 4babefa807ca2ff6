"""Lets a callback that comes in wake those who wait for the flow it is about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Wakers:
    """Who waits for what. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[object, list[Callable[[], None]]] = {}

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
                    self._waiting[key].remove(wake)
                    if not self._waiting[key]:
                        del self._waiting[key]

    def wake(self, key: object) -> None:
        with self._lock:
            waiting = list(self._waiting.get(key, ()))
        for wake in waiting:
            wake()
