"""Lets a webhook that comes in wake those who wait for the flow it is about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..runtime.forks import renew_after_fork


def wake_keys(account: str, flow_id: str | None, application_id: str | None) -> tuple[object, ...]:
    """What a waiter for a flow listens to, and what a call about it wakes. What is not known is no key."""
    keys = (("flow", account, flow_id), ("application", account, application_id))
    return tuple(key for key in keys if key[2] is not None)


class Waiting:
    """Somebody who waits. `count` says how often he was woken since he registered, so that no wake-up is lost while he looks:

    with waiters.waiting(keys) as waiting:
        seen = waiting.count
        ...                                     # look
        with waiting.calling(event.set, seen):  # called at once if he was woken since
            ...                                 # let time pass
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._call: Callable[[], None] | None = None
        self.count = 0

    @contextmanager
    def calling(self, wake: Callable[[], None], since: int) -> Iterator[None]:
        """While inside, `wake` is called for each wake-up; at once if `count` is no longer `since`."""
        with self._lock:
            before, self._call = self._call, wake
            late = self.count != since
        try:
            if late:
                wake()
            yield
        finally:
            with self._lock:
                self._call = before

    def _woken(self) -> Callable[[], None] | None:
        self.count += 1
        return self._call


class Waiters:
    """Who waits for what. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[object, list[Waiting]] = {}
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In the child nobody waits yet."""
        self._lock = threading.Lock()
        self._waiting = {}

    @contextmanager
    def waiting(self, keys: tuple[object, ...], wake: Callable[[], None] | None = None) -> Iterator[Waiting]:
        """While inside, whoever wakes one of the keys is counted, and `wake` is called each time."""
        waiting = Waiting(self._lock)
        waiting._call = wake
        with self._lock:
            for key in keys:
                self._waiting.setdefault(key, []).append(waiting)
        try:
            yield waiting
        finally:
            with self._lock:
                for key in keys:
                    others = self._waiting.get(key, [])
                    if waiting in others:
                        others.remove(waiting)
                    if not others:
                        self._waiting.pop(key, None)

    def wake(self, *keys: object) -> None:
        """Wake everybody who waits for one of the keys, each of them once."""
        with self._lock:
            waiting = dict.fromkeys(one for key in keys for one in self._waiting.get(key, ()))
            calls = [call for one in waiting if (call := one._woken()) is not None]
        for call in calls:
            try:
                call()
            except Exception:  # noqa: S112
                # he is gone: his event loop was closed before he stopped waiting. The others are woken all the same
                continue
