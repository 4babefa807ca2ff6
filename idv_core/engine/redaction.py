"""Takes personal data and secrets out of a vendor's words before they reach an error or a log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..errors import bounded
from ..wire import Request

_PATTERNS = (
    re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE),
    re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+"),
    re.compile(r"\+?\d(?:[\s-]?\d){5,}"),
    re.compile(r"[A-Za-z0-9_\-+/=.]{24,}"),
)
_SHORTEST = 3


def redact(text: str | None, request: Request, personal: tuple[str, ...] = ()) -> str | None:
    """`text` bounded, without addresses, mail, long numbers, token-like words, values that we sent, or `personal` texts."""
    if not text:
        return None
    values = {*_values(request.json), *(word for value in personal for word in (value, *value.split()))}
    for value in sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True):
        text = re.sub(re.escape(value), "***", text, flags=re.IGNORECASE)
    for pattern in _PATTERNS:
        text = pattern.sub("***", text)
    return bounded(text)


def _values(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for value in data.values():
            yield from _values(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from _values(value)
    elif isinstance(data, str) and len(data) <= 500:
        yield data
