"""One account at run time: adapter, limits, token, health."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs

from ..model.validation import as_seconds, is_count, is_positive, is_some_time
from ..plugin.protocols import Grant, Polling, PollingProtocol, ServersProtocol, TokenProtocol, offers
from ..runtime.forks import renew_after_fork
from .breaker import Breaker, Circuit, CircuitState
from .daily_cap import DailyCap
from .limiters import ConcurrencyLimiter, RateLimiter
from .retry import Retry, RetryBudget


@attrs.frozen(kw_only=True)
class Limits:
    """Limits of an account. Times in seconds or as `timedelta`, sizes in bytes. Counts are per process.

    Args:
        connect: Timeout of connecting.
        read: Timeout of waiting for data.
        write: Timeout of sending data.
        pool: Timeout of waiting for a free connection.
        operation: Timeout of a whole operation, with all calls, pauses and retries.
        max_response: The largest response, after decompression.
        max_upload: The largest document.
        max_media: The largest picture, video or report that `download` writes.
        concurrency: The most calls at a time. Further calls queue up, first come, first served.
        rate: The most calls per second that start.
        burst: How many of them may start at once.
        allow_private_urls: Whether document URLs may use `http` and private networks.

    Raises ValueError.
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


# No token lives longer; a vendor may say any number.
_LONGEST = timedelta(days=36_500)


@attrs.frozen
class CachedToken:
    """A token with the moments when to renew it and when it expires."""

    grant: Grant
    renew_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, grant: Grant, now: datetime) -> CachedToken:
        expires_at = grant.expires_at
        if grant.expires_in is not None:
            expires_at = now + max(timedelta(0), min(grant.expires_in, _LONGEST))
        if expires_at is None:
            return cls(grant, None, None)
        # counted from now, so that no moment leaves the calendar
        left = min(expires_at - now, _LONGEST) - max(timedelta(0), min(grant.renew_before, _LONGEST))
        return cls(grant, now + max(left, timedelta(0)), expires_at)

    def is_due(self, now: datetime) -> bool:
        return self.renew_at is not None and now >= self.renew_at

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


@attrs.frozen(kw_only=True)
class AccountHealth:
    """The health of an account, as this process sees it.

    Args:
        circuit: The state of the circuit breaker.
        failures: Failed calls in a row.
        last_failure: How the last one failed: HTTP status, or kind of fault.
        retry_in: Seconds until the next call is allowed, if the circuit is open.
        running: Calls in progress.
        waiting: Calls in the queue.
        retries_left: Retries that the budget allows.
        created_today: Flows of this UTC day that may have been opened.
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


def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


# frozen, so one serves all accounts that say nothing
_LIMITS, _RETRY, _CIRCUIT = Limits(), Retry(), Circuit()


@attrs.define(kw_only=True, eq=False)
class AccountSession:
    """What is remembered of an account between calls. `clock_skew` is how far the vendor's clock is ahead of ours.

    `server` is scheme, host and port of the vendor, `host` what the header of that name says. `servers` are the base URLs of
    its other servers, by name; `ways` (of the transports) how they are reached.
    """

    name: str
    plugin: str
    adapter: Any
    limits: Limits = _LIMITS
    retry: Retry = _RETRY
    circuit: Circuit = _CIRCUIT
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
    renewal: ConcurrencyLimiter | None = attrs.field(init=False, repr=False)
    rate_limiter: RateLimiter | None = attrs.field(init=False, repr=False)
    cap: DailyCap = attrs.field(init=False, repr=False)
    _offered: dict[type, bool] = attrs.field(init=False, factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        self.has_token = offers(self.adapter, TokenProtocol)
        self.base_url = self.adapter.base_url
        self.host = urlsplit(self.base_url).netloc.rpartition("@")[2]
        self.server = server_of(self.base_url)
        self.servers = dict(self.adapter.servers) if offers(self.adapter, ServersProtocol) else {}
        self.budget = RetryBudget(self.retry)
        self.breaker = Breaker(self.circuit)
        self.limiter = ConcurrencyLimiter(self.limits.concurrency)
        self.renewal = ConcurrencyLimiter(1) if self.has_token else None
        self.rate_limiter = RateLimiter(self.limits.rate, self.limits.burst) if self.limits.rate else None
        self.cap = DailyCap(self.daily_cap)
        renew_after_fork(self)

    def after_fork(self) -> None:
        """New locks and queues for the child; the state of the vendor stays."""
        for part in (self.budget, self.breaker, self.limiter, self.renewal, self.rate_limiter, self.cap):
            if part is not None:
                part.after_fork()

    def offers(self, protocol: type) -> bool:
        """Whether the adapter implements the protocol. Asked once: looking at an object's members takes its time."""
        known = self._offered.get(protocol)
        if known is None:
            known = self._offered[protocol] = offers(self.adapter, protocol)
        return known

    @property
    def polling(self) -> Polling:
        return self.polling_override or (self.adapter.polling if offers(self.adapter, PollingProtocol) else Polling())

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
