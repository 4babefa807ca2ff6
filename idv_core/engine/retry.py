"""When a failed call is retried, and after how long. No I/O: time and chance are arguments."""

from __future__ import annotations

import threading
from datetime import timedelta

import attrs

from ..model.validation import as_seconds, is_count, is_count_or_none, is_duration, is_not_negative, is_some_time


@attrs.frozen(kw_only=True)
class Retry:
    """Retries of calls that are safe to retry. Times in seconds or as `timedelta`.

    Exponential backoff with full jitter, and a budget, so that many callers do not make an outage worse.

    Args:
        attempts: The most calls for one request, the first included.
        base: The longest pause before the first retry. It doubles with each retry.
        ceiling: The longest pause.
        longest_wait: The longest `Retry-After` that is waited for. A longer one is raised to the caller as `retry_after`.
        budget: Retries per call in the long run.
        reserve: Retries that are available at once.

    Raises ValueError. Source: RFC 9110 section 10.2.3 (`Retry-After`).
    """

    attempts: int = attrs.field(default=3, validator=is_count)
    base: float = attrs.field(default=0.25, converter=as_seconds, validator=is_some_time)
    ceiling: float = attrs.field(default=8.0, converter=as_seconds, validator=is_some_time)
    longest_wait: float = attrs.field(default=30.0, converter=as_seconds, validator=is_duration)
    budget: float = attrs.field(default=0.2, validator=is_not_negative)
    reserve: int = attrs.field(default=10, validator=is_count_or_none)

    def pause(self, attempt: int, retry_after: timedelta | None, chance: float) -> float | None:
        """Seconds to wait before the next attempt; None if there is none.

        Args:
            attempt: The number of the failed attempt, from 1.
            retry_after: The vendor's `Retry-After`.
            chance: A random number from 0 to 1. The jitter is added to `Retry-After` too, so that callers spread out.
        """
        if attempt >= self.attempts:
            return None
        jitter = chance * min(self.ceiling, self.base * 2.0 ** (attempt - 1))
        if retry_after is None:
            return jitter
        asked = retry_after.total_seconds()
        return None if asked > self.longest_wait else asked + jitter


class RetryBudget:
    """The retries that are left: each call earns a part of one, each retry costs one. Thread-safe."""

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
        """Take one retry, if one is left."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True
