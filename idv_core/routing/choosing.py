"""From a route to an account: split, least cost, fallback, shadow. Health and costs are given."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .buckets import BUCKETS, bucket_of, hundredths
from .route import Asked, Route, with_fallback


@attrs.frozen
class Choice:
    """The accounts of a route for one application, the first to be asked first, each with how the route names it.

    `bucket` is of 0 to 9999 where a split was asked, `shadow` the account that gets the order too.
    """

    accounts: Asked
    bucket: int | None = None
    shadow: str | None = None


def choose(route: Route, application_id: str, costs: Mapping[str, float | None]) -> Choice:
    """Deterministic: the same route, application id and costs always give the same choice."""
    bucket: int | None = None
    if route.split:
        bucket = bucket_of(application_id)
        accounts = route.asked[route.owner(bucket)]
    elif route.cheapest:
        ranked = sorted(route.cheapest, key=lambda name: costs.get(name) or 0.0)
        accounts = with_fallback([(name, f"cost {costs.get(name) or 0.0:g}") for name in ranked], route.fallback)
    else:
        accounts = route.asked.get(route.to, ())
    shadow = None
    if route.shadow is not None and bucket_of(application_id, "shadow ") < hundredths(route.shadow.share):
        shadow = route.shadow.account
    return Choice(accounts, bucket, shadow)


def percent(bucket: int) -> float:
    """A bucket as a number of 0 to 99.99."""
    return bucket * 100 / BUCKETS
