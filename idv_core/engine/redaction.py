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


def redact(text: str | None, request: Request) -> str | None:
    """`text` bounded, without addresses, mail, long numbers, token-like words, and without any value that we sent."""
    if not text:
        return None
    for value in sorted(set(_values(request.json)), key=len, reverse=True):
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
    elif isinstance(data, str) and _SHORTEST <= len(data) <= 500:
        yield data
