"""How many flows an account may still open today. No I/O: time is given."""

from __future__ import annotations

import threading
from datetime import date, datetime, time, timedelta


class _Count:
    """Openings of one UTC day."""

    def __init__(self) -> None:
        self.day: date | None = None
        self.used = 0
        self.lock = threading.Lock()


class DailyCap:
    """Counts openings of one UTC day within this process. Safe for threads."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self._count = _Count()

    def after_fork(self) -> None:
        self._count.lock = threading.Lock()

    def go_on(self, before: DailyCap) -> None:
        """Count together with `before`, for an opening that began there may end here, or end when this has begun."""
        self._count = before._count

    def used(self, now: datetime) -> int:
        return self._count.used if self._count.day == now.date() else 0

    def is_reached(self, now: datetime) -> bool:
        return self.most is not None and self.used(now) >= self.most

    def take(self, now: datetime) -> bool:
        """Count one opening, if there is room for it."""
        count = self._count
        with count.lock:
            if self.is_reached(now):
                return False
            count.used = self.used(now) + 1
            count.day = now.date()
            return True

    def give_back(self, taken: datetime) -> None:
        """An opening that certainly did not happen, by the moment at which it was counted: the day may be over."""
        count = self._count
        with count.lock:
            if count.day == taken.date():
                count.used = max(0, count.used - 1)


def until_tomorrow(now: datetime) -> timedelta:
    """The time until the count starts again."""
    return datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo) - now
