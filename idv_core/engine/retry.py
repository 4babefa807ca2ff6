"""When a failed call is made again, and after how long. No I/O: time and chance are given."""

from __future__ import annotations

import threading
from datetime import timedelta

import attrs

from ..model.validation import as_seconds, is_count, is_count_or_none, is_duration, is_not_negative, is_some_time


@attrs.frozen(kw_only=True)
class Retry:
    """How often and how soon a call that may be repeated is made again. Times in seconds (or as `timedelta`).

    A call is made `attempts` times at most. Pauses are full-jitter exponential: any time from 0 to `base`, then to twice
    that, up to `ceiling`. A `Retry-After` of up to `longest_wait` is waited for; a longer one is the caller's affair.
    Over time no more than `budget` repeats are made for each call, after a first `reserve`, so that many callers do not
    make an outage worse.
    """

    attempts: int = attrs.field(default=3, validator=is_count)
    base: float = attrs.field(default=0.25, converter=as_seconds, validator=is_some_time)
    ceiling: float = attrs.field(default=8.0, converter=as_seconds, validator=is_some_time)
    longest_wait: float = attrs.field(default=30.0, converter=as_seconds, validator=is_duration)
    budget: float = attrs.field(default=0.2, validator=is_not_negative)
    reserve: int = attrs.field(default=10, validator=is_count_or_none)

    def pause(self, attempt: int, retry_after: timedelta | None, chance: float) -> float | None:
        """Seconds to wait after the failed `attempt` (1 is the first); None: do not try again.

        `chance` is a number of 0..1. It is added to a `Retry-After` too, so that not all come back in the same moment.
        """
        if attempt >= self.attempts:
            return None
        jitter = chance * min(self.ceiling, self.base * 2.0 ** (attempt - 1))
        if retry_after is None:
            return jitter
        asked = retry_after.total_seconds()
        return None if asked > self.longest_wait else asked + jitter


class RetryBudget:
    """Repeats that are still allowed: each call earns a part of one, each repeat costs one. Safe for threads."""

    def __init__(self, retry: Retry) -> None:
        self._earned, self._most = retry.budget, float(retry.reserve)
        self._left = self._most
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        return self._left

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A call begins."""
        if self._left < self._most:
            with self._lock:
                self._left = min(self._most, self._left + self._earned)

    def spend(self) -> bool:
        """Take one repeat, if there is one."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True
