"""Sticky shares: an application id has the same bucket on every machine and Python version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

BUCKETS = 10_000


def bucket_of(application_id: str, salt: str = "") -> int:
    """A bucket from 0 to 9999, evenly distributed: the first eight bytes of SHA-256 over salt and id, scaled."""
    digest = hashlib.sha256(f"{salt}{application_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") * BUCKETS >> 64


def hundredths(percent: float) -> int:
    """A percentage with at most two decimals, as a number of buckets. Raises ValueError."""
    from decimal import Decimal  # few routes divide

    if 0 <= percent <= 100 and (count := Decimal(str(percent)) * 100) == int(count):
        return int(count)
    raise ValueError(f"{percent:g} must be a percentage from 0 to 100 with at most two decimals")


def ranges_of(shares: Mapping[str, float]) -> tuple[tuple[int, str], ...]:
    """Where each share ends, and whose it is. They lie in the order of the names, so the order in the file means nothing."""
    ranges, end = [], 0
    for name in sorted(shares):
        end += hundredths(shares[name])
        ranges.append((end, name))
    return tuple(ranges)
