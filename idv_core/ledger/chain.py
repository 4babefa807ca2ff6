"""The chain of events: each digest is an HMAC over the one before and the event, so that only the key can rewrite one.

What a chain cannot show (its tail cut off, a whole chain taken away) a seal over all heads does.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

BEGINNING = b""


def as_text(data: Mapping[str, Any]) -> str:
    """An event's data as it is stored and signed."""
    return json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def digest(key: bytes, before: bytes, id: str, seq: int, at: datetime, actor: str, kind: str, data: str) -> bytes:
    """The digest of one event behind `before`, the digest of the event before it."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    message = json.dumps([before.hex(), id, seq, moment, actor, kind, data], separators=(",", ":"))
    return hmac.digest(key, message.encode(), "sha256")


class Heads:
    """The HMAC over the heads of all chains, in the order of their ids."""

    def __init__(self, key: bytes, before: bytes) -> None:
        self._mac = hmac.new(key, b"seal\0" + before, sha256)
        self.count = 0

    def add(self, id: str, seq: int, head: bytes) -> None:
        self._mac.update(f"{id}\0{seq}\0{head.hex()}\n".encode())
        self.count += 1

    def digest(self) -> bytes:
        return self._mac.digest()
