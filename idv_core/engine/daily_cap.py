"""How many flows an account may still open today. No I/O: time is given."""

from __future__ import annotations

import threading
from datetime import date, datetime, time, timedelta


class DailyCap:
    """Counts openings of one UTC day within this process. Safe for threads."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self._day: date | None = None
        self._used = 0
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def go_on(self, before: DailyCap) -> None:
        """Count on from what was counted until now."""
        self._day, self._used = before._day, before._used

    def used(self, now: datetime) -> int:
        return self._used if self._day == now.date() else 0

    def is_reached(self, now: datetime) -> bool:
        return self.most is not None and self.used(now) >= self.most

    def take(self, now: datetime) -> bool:
        """Count one opening, if there is room for it."""
        with self._lock:
            if self.is_reached(now):
                return False
            self._day, self._used = now.date(), self.used(now) + 1
            return True

    def give_back(self) -> None:
        """An opening that certainly did not happen."""
        with self._lock:
            self._used = max(0, self._used - 1)


def until_tomorrow(now: datetime) -> timedelta:
    """The time until the count starts again."""
    return datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo) - now
