"""One account at run time: its adapter, its bounds, its token."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from ..protocols import Grant, Polling, TokenProtocol


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of an account. Times in seconds, sizes in bytes.

    `operation` bounds one whole operation with all its calls; the others bound single phases of one call.
    """

    connect: float = 5.0
    read: float = 30.0
    write: float = 30.0
    pool: float = 5.0
    operation: float = 90.0
    max_response: int = 10_000_000
    max_upload: int = 10_000_000


@attrs.frozen
class LiveToken:
    """A grant with the moments at which it should be renewed and at which it is over."""

    grant: Grant
    renew_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, grant: Grant, now: datetime) -> LiveToken:
        expires_at = grant.expires_at if grant.expires_in is None else now + grant.expires_in
        return cls(grant, expires_at and expires_at - grant.renew_before, expires_at)

    def is_due(self, now: datetime) -> bool:
        return self.renew_at is not None and now >= self.renew_at

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


@attrs.define
class AccountSession:
    """What is remembered of an account between calls."""

    name: str
    plugin: str
    adapter: Any
    limits: Limits = attrs.field(factory=Limits)
    polling_override: Polling | None = None
    token: LiveToken | None = attrs.field(default=None, repr=False)

    @property
    def has_token(self) -> bool:
        return isinstance(self.adapter, TokenProtocol)

    @property
    def polling(self) -> Polling:
        return self.polling_override or getattr(self.adapter, "polling", None) or Polling()
