"""Why an order went where it went. Stored with the flow, so it holds nothing personal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from .validation import as_tuple, is_aware


@attrs.frozen(kw_only=True)
class Condition:
    """One condition of a route: what it wants, what the order has (`***` where that could be personal), whether it holds."""

    name: str
    wanted: str
    value: str
    holds: bool


@attrs.frozen(kw_only=True)
class RouteTried:
    """One route and how each of its conditions came out."""

    name: str
    matched: bool
    conditions: tuple[Condition, ...] = attrs.field(default=(), converter=as_tuple)


@attrs.frozen(kw_only=True)
class Candidate:
    """One account that the route names: how (`to`, `split 90 %`, `fallback`, ...) and how it came out."""

    account: str
    role: str
    health: str
    chosen: bool = False


@attrs.frozen(kw_only=True)
class Explanation:
    """The whole reasoning behind one choice of an account.

    `bucket` is the hash of the application id, 0 to 99.99, where a split was asked. `passed_over` counts routes before the
    chosen one that are not in `tried`, because what they ask for first (product, tenant, ...) is something else.
    """

    at: datetime = attrs.field(validator=is_aware)
    application_id: str
    route: str | None = None
    account: str | None = None
    policy: str | None = None
    refused: str | None = None
    bucket: float | None = None
    shadow: str | None = None
    tried: tuple[RouteTried, ...] = attrs.field(default=(), converter=as_tuple)
    passed_over: int = 0
    candidates: tuple[Candidate, ...] = attrs.field(default=(), converter=as_tuple)

    def lines(self) -> Iterator[str]:
        """The reasoning in words."""
        yield f"application {self.application_id} at {self.at.isoformat(timespec='seconds')}"
        if self.passed_over:
            yield f"{self.passed_over} routes skipped: their first condition does not match"
        for route in self.tried:
            yield f"route {route.name!r}: {'matches' if route.matched else 'does not match'}"
            for condition in route.conditions:
                word = "yes" if condition.holds else "no"
                yield f"  {condition.name} = {condition.value}: {word}, wanted {condition.wanted}"
        if self.bucket is not None:
            yield f"bucket {self.bucket:.2f} of 100, by the hash of the application id"
        for candidate in self.candidates:
            yield f"account {candidate.account} ({candidate.role}): {candidate.health}" + (
                ", chosen" if candidate.chosen else ""
            )
        if self.refused is not None:
            yield f"refused: {self.refused}"
        yield f"goes to {self.account or 'nobody'}" + (f", with a shadow at {self.shadow}" if self.shadow else "")
        yield f"policy {self.policy or 'default'}"

    def __str__(self) -> str:
        return "\n".join(self.lines())
