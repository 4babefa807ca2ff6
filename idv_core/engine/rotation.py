"""When files and secrets are read again: one reload at a time, one reader of an account's secrets at a time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

import attrs

from ..errors import ConfigError
from ..runtime.forks import renew_after_fork
from .log import report_reload_failed

EVERY = 10.0
"""The shortest time in seconds between two reloads of an account's secrets, however many calls are refused."""


@attrs.define(eq=False, repr=False)
class Reloads:
    """One reload after the other. A reload that a signal's handler asks for in the midst of one of the same thread is done at
    the end of that one, for it could not wait for it."""

    _lock: threading.RLock = attrs.field(factory=threading.RLock)
    _thread: int | None = None
    _again: Callable[[], None] | None = None

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In the child nobody reloads yet."""
        self._lock, self._thread, self._again = threading.RLock(), None, None

    def run(self, reload: Callable[[], None]) -> None:
        """Raises ConfigError of the last reload that was done."""
        me = threading.get_ident()
        if self._thread == me:
            self._again = reload
            return
        while True:
            failed: ConfigError | None = None
            with self._lock:
                self._thread = me
                try:
                    reload()
                except ConfigError as error:
                    failed = error
                finally:
                    self._thread = None
                again, self._again = self._again, None
            if again is None:
                break
            reload = again
        if failed is not None:
            raise failed


@attrs.define(eq=False, repr=False)
class _Reader:
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    begun: float | None = None
    done: float | None = None


@attrs.define(eq=False, repr=False)
class Rereads:
    """Who finds the credentials refused has the secrets read again, or waits for whoever is just doing that."""

    _readers: dict[str, _Reader] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In the child nobody reads yet."""
        self._readers = {}

    def is_due(self, account: str, now: float) -> bool:
        """Whether nobody is reading them, nor was just before."""
        reader = self._readers.get(account)
        return reader is None or not (reader.lock.locked() or (reader.done is not None and now - reader.done < EVERY))

    def run(
        self,
        account: str,
        is_needed: Callable[[], bool],
        read: Callable[[], None],
        monotonic: Callable[[], float],
        seconds: float,
    ) -> None:
        """`read()`, unless it is not needed any more or was done just before. Others are waited for `seconds` at most; one
        that hangs in its source is left behind after a while."""
        reader = self._readers.setdefault(account, _Reader())
        if reader.begun is not None and monotonic() - reader.begun >= EVERY:
            reader = self._readers[account] = _Reader()
        if not reader.lock.acquire(timeout=min(seconds, EVERY)):
            return
        reader.begun = monotonic()
        try:
            if is_needed() and (reader.done is None or monotonic() - reader.done >= EVERY):
                try:
                    read()
                finally:
                    reader.done = monotonic()
        finally:
            reader.begun = None
            reader.lock.release()


def reload_on(number: int, reload: Callable[[], None]) -> None:
    """Have a thread of its own reload whenever the process gets that signal. What is wrong with the file is logged."""
    asked: SimpleQueue[None] = SimpleQueue()

    def serve() -> None:
        while True:
            asked.get()
            try:
                while True:
                    asked.get_nowait()
            except Empty:
                pass
            try:
                reload()
            except ConfigError as error:
                report_reload_failed(error)

    # of all that a handler may do, putting into such a queue is what can be interrupted by the next signal
    signal.signal(number, lambda *_: asked.put(None))
    threading.Thread(target=serve, name="idv-reload", daemon=True).start()
