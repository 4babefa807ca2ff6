"""How many calls a minute Verifik takes (fact sheet section 1.6). What is not told there counts as calls of projects."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from idv_core.testing import EmulatedResponse, HasNow, Refused

_WINDOW = timedelta(minutes=1)
PER_MINUTE: Mapping[str, int] = {
    "background-check": 5,
    "biometric-validations": 10,
    "document-validations": 20,
    "project-flows": 50,
    "": 100,
}
"""By a part of the path, the narrowest first."""


class Limits:
    """The calls of the last minute, of one client of Verifik."""

    def __init__(self, clock: HasNow) -> None:
        self._clock = clock
        self._made: dict[str, deque[datetime]] = {}

    def count(self, path: str) -> None:
        """One more call. Raises Refused (429) where it is one too many; the applicant's own page has no limit."""
        if not path.startswith("/v"):
            return
        part = next(part for part in PER_MINUTE if part in path)
        now, made = self._clock.now(), self._made.setdefault(part, deque())
        while made and made[0] <= now - _WINDOW:
            made.popleft()
        if len(made) >= PER_MINUTE[part]:
            wait = max(1, round((made[0] + _WINDOW - now).total_seconds()))
            data = {"message": "too_many_requests", "code": "TooManyRequests"}
            raise Refused(EmulatedResponse(429, data, headers={"retry-after": str(wait)}))
        made.append(now)
