"""One account at run time: its adapter, its bounds, its token, how its vendor is doing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs

from ..model.validation import as_seconds, is_count, is_positive, is_some_time
from ..plugin.protocols import Grant, Polling, PollingProtocol, ServersProtocol, TokenProtocol
from ..runtime.forks import renew_after_fork
from .breaker import Breaker, Circuit, CircuitState
from .daily_cap import DailyCap
from .limiters import ConcurrencyLimiter, RateLimiter
from .retry import Retry, RetryBudget


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of an account. Times in seconds (or as `timedelta`), sizes in bytes.

    `operation` bounds one whole operation with all its calls, pauses and repeats; `connect`, `read`, `write` and `pool`
    bound single phases of one call. At most `concurrency` calls run at a time and, with `rate`, at most so many a second
    begin, `burst` of them at once; who waits is served in the order of coming. Both count within one process.
    `allow_private_urls` lets documents lie at `http` addresses and in private networks.
    """

    connect: float = attrs.field(default=5.0, converter=as_seconds, validator=is_some_time)
    read: float = attrs.field(default=30.0, converter=as_seconds, validator=is_some_time)
    write: float = attrs.field(default=30.0, converter=as_seconds, validator=is_some_time)
    pool: float = attrs.field(default=5.0, converter=as_seconds, validator=is_some_time)
    operation: float = attrs.field(default=90.0, converter=as_seconds, validator=is_some_time)
    max_response: int = attrs.field(default=10_000_000, validator=is_count)
    max_upload: int = attrs.field(default=10_000_000, validator=is_count)
    max_media: int = attrs.field(default=200_000_000, validator=is_count)
    concurrency: int = attrs.field(default=100, validator=is_count)
    rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(is_positive))
    burst: int = attrs.field(default=1, validator=is_count)
    allow_private_urls: bool = False


@attrs.frozen
class CachedToken:
    """A grant with the moments at which it should be renewed and at which it is over."""

    grant: Grant
    renew_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, grant: Grant, now: datetime) -> CachedToken:
        expires_at = grant.expires_at if grant.expires_in is None else now + grant.expires_in
        return cls(grant, expires_at and expires_at - grant.renew_before, expires_at)

    def is_due(self, now: datetime) -> bool:
        return self.renew_at is not None and now >= self.renew_at

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


@attrs.frozen(kw_only=True)
class AccountHealth:
    """How an account is doing, as this process sees it.

    `circuit` open means that nothing is sent for another `retry_in` seconds. `failures` counts failed calls in a row,
    `last_failure` says how the last one failed (HTTP status or kind of fault), `retries_left` is what the budget allows,
    `created_today` counts the flows of this UTC day that may have been opened.
    """

    circuit: CircuitState
    failures: int
    last_failure: str | None
    retry_in: float
    running: int
    waiting: int
    retries_left: float
    created_today: int

    @property
    def available(self) -> bool:
        """Whether calls go out."""
        return self.circuit is not CircuitState.OPEN


@attrs.define(kw_only=True, eq=False)
class AccountSession:
    """What is remembered of an account between calls. `clock_skew` is how far the vendor's clock is ahead of ours.

    `server` is scheme, host and port of the vendor, `host` what the header of that name says. `servers` are the base URLs of
    its other servers, by name; `ways` (of the transports) how they are reached.
    """

    name: str
    plugin: str
    adapter: Any
    limits: Limits = attrs.field(factory=Limits)
    retry: Retry = attrs.field(factory=Retry)
    circuit: Circuit = attrs.field(factory=Circuit)
    polling_override: Polling | None = None
    daily_cap: int | None = None
    is_test: bool = False
    token: CachedToken | None = attrs.field(default=None, repr=False)
    clock_skew: timedelta = timedelta(0)
    last_failure: str | None = None
    has_token: bool = attrs.field(init=False)
    base_url: str = attrs.field(init=False)
    host: str = attrs.field(init=False)
    server: tuple[str, str, int] = attrs.field(init=False)
    servers: Mapping[str, str] = attrs.field(init=False)
    ways: dict[str | None, Any] = attrs.field(init=False, factory=dict, repr=False)
    budget: RetryBudget = attrs.field(init=False, repr=False)
    breaker: Breaker = attrs.field(init=False, repr=False)
    limiter: ConcurrencyLimiter = attrs.field(init=False, repr=False)
    renewal: ConcurrencyLimiter = attrs.field(init=False, repr=False)
    rate_limiter: RateLimiter | None = attrs.field(init=False, repr=False)
    cap: DailyCap = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.has_token = isinstance(self.adapter, TokenProtocol)
        self.base_url = self.adapter.base_url
        parts = urlsplit(self.base_url)
        self.host = parts.netloc.rpartition("@")[2]
        self.server = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        self.servers = dict(self.adapter.servers) if isinstance(self.adapter, ServersProtocol) else {}
        self.budget = RetryBudget(self.retry)
        self.breaker = Breaker(self.circuit)
        self.limiter = ConcurrencyLimiter(self.limits.concurrency)
        self.renewal = ConcurrencyLimiter(1)
        self.rate_limiter = RateLimiter(self.limits.rate, self.limits.burst) if self.limits.rate else None
        self.cap = DailyCap(self.daily_cap)
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Locks and places in line are the parent's; what is known of the vendor stays."""
        for part in (self.budget, self.breaker, self.limiter, self.renewal, self.rate_limiter, self.cap):
            if part is not None:
                part.after_fork()

    @property
    def polling(self) -> Polling:
        return self.polling_override or (
            self.adapter.polling if isinstance(self.adapter, PollingProtocol) else Polling()
        )

    def health(self, now: float, today: datetime) -> AccountHealth:
        """At `now`, a monotonic count of seconds, of this day."""
        return AccountHealth(
            circuit=self.breaker.state(now),
            failures=self.breaker.failures,
            last_failure=self.last_failure,
            retry_in=self.breaker.wait(now),
            running=self.limiter.running,
            waiting=self.limiter.waiting,
            retries_left=self.budget.left,
            created_today=self.cap.used(today),
        )
