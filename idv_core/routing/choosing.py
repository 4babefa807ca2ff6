"""From a route to an account: split, least cost, fallback, shadow. Health and costs are given."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ..model.values import as_tuple
from .buckets import BUCKETS, bucket_of, hundredths
from .route import Route


@attrs.frozen(kw_only=True)
class Choice:
    """The accounts of a route for one application, the first to be asked first, each with how the route names it.

    `bucket` is of 0 to 9999 where a split was asked, `shadow` the account that gets the order too.
    """

    accounts: tuple[tuple[str, str], ...] = attrs.field(converter=as_tuple)
    bucket: int | None = None
    shadow: str | None = None


def choose(route: Route, application_id: str, costs: Mapping[str, float | None]) -> Choice:
    """Deterministic: the same route, application id and costs always give the same choice."""
    bucket: int | None = None
    if route.split:
        bucket = bucket_of(application_id)
        owner = route.owner(bucket)
        first = [(owner, f"split {route.split[owner]:g} %")]
    elif route.cheapest:
        ranked = sorted(route.cheapest, key=lambda name: costs.get(name) or 0.0)
        first = [(name, f"cost {costs.get(name) or 0.0:g}") for name in ranked]
    else:
        first = [(route.to, "to")] if route.to else []
    named = {name for name, _ in first}
    first += [(name, "fallback") for name in route.fallback if name not in named]
    shadow = None
    if route.shadow is not None and bucket_of(application_id, "shadow ") < hundredths(route.shadow.share):
        shadow = route.shadow.account
    return Choice(accounts=first, bucket=bucket, shadow=shadow)


def percent(bucket: int) -> float:
    """A bucket as a number of 0 to 99.99."""
    return bucket * 100 / BUCKETS
