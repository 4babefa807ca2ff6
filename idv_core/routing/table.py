"""The routes, in the order in which they are asked, with an index so that few of them have to be."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import attrs

from ..model import FlowOrder, RouteTried
from .conditions import (
    Facts,
    Getter,
    Question,
    country_of,
    covers_when,
    locale_of,
    metadata_of,
    product_of,
    questions_of,
    tenant_of,
)
from .patterns import is_pattern, prefix_of
from .route import ALWAYS, Route, When

_Key: TypeAlias = tuple[Any, ...]

# A route with long lists in several conditions is put under this many keys at most.
_MOST_KEYS = 256
# Routes before the one that matches are all explained if they are no more than these.
_EXPLAINED = 25
# A route is compared with this many earlier ones at most, so that the check of a file takes time in step with its length.
_COMPARED = 100


@attrs.frozen
class Match:
    """The route that takes an order, and its place in the order of asking."""

    route: Route
    rank: int


class RoutingTable:
    """Finds the first route that takes an order.

    Each route lies under keys made of the values that it wants exactly (product or how it begins, country, tenant, locale,
    metadata). An order is looked up once for each shape of key that occurs, so the cost does not grow with the number of
    routes that differ in these.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(sorted(routes, key=lambda route: -route.priority))
        # made when a route is first asked: most of many are not
        self._questions: list[tuple[Question, ...] | None] = [None] * len(self.routes)
        index: dict[tuple[str, ...], tuple[list[Getter], dict[_Key, list[int]]]] = {}
        for rank, route in enumerate(self.routes):
            anchors = _anchors(route.when)
            shape = tuple(name for name, _, _ in anchors)
            _, buckets = index.setdefault(shape, ([getter for _, getter, _ in anchors], {}))
            for key in itertools.product(*(values for _, _, values in anchors)):
                buckets.setdefault(key, []).append(rank)
        self._index = list(index.values())
        self._takes_all = next((rank for rank, route in enumerate(self.routes) if route.when == ALWAYS), None)

    def candidates(self, facts: Facts) -> list[int]:
        """The ranks of the routes that may take the order, in the order of asking."""
        found: list[int] = []
        for getters, buckets in self._index:
            found += buckets.get(tuple([getter(facts) for getter in getters]), ())
        if len(found) > 1:
            found.sort()
        return found

    def find(self, facts: Facts) -> Match | None:
        """The first route that takes the order."""
        for rank in self.candidates(facts):
            for question in self._questions[rank] or self._questions_of(rank):
                if not question.holds(facts):
                    break
            else:
                return Match(self.routes[rank], rank)
        return None

    def _questions_of(self, rank: int) -> tuple[Question, ...]:
        known = self._questions[rank]
        if known is None:
            known = self._questions[rank] = questions_of(self.routes[rank].when)
        return known

    def tried(self, facts: Facts, match: Match | None) -> tuple[tuple[RouteTried, ...], int]:
        """The routes asked up to the one that matches, each with its conditions; and how many were passed over."""
        last = len(self.routes) - 1 if match is None else match.rank
        ranks = range(last + 1) if last < _EXPLAINED else [r for r in self.candidates(facts) if r <= last]
        tried = tuple(self._explain(self.routes[rank], self._questions_of(rank), facts) for rank in ranks)
        return tried, last + 1 - len(tried)

    def shadowed_by(self, rank: int) -> Route | None:
        """An earlier route that takes every order which this one would take, so that it is never asked. Not all are found."""
        when = self.routes[rank].when
        for earlier in self.candidates(_sample(when))[:_COMPARED]:
            if earlier < rank and covers_when(self.routes[earlier].when, when):
                return self.routes[earlier]
        if self._takes_all is not None and self._takes_all < rank:
            return self.routes[self._takes_all]
        return None

    @staticmethod
    def _explain(route: Route, questions: tuple[Question, ...], facts: Facts) -> RouteTried:
        conditions = tuple(question.condition(facts) for question in questions)
        matched = all(condition.holds for condition in conditions)
        return RouteTried(name=route.name, matched=matched, conditions=conditions)


def _anchors(when: When) -> list[tuple[str, Getter, tuple[str, ...]]]:
    """The exact values that a route wants: name, where the order has it, values."""
    anchors: list[tuple[str, Getter, tuple[str, ...]]] = []
    keys = 1

    def add(name: str, getter: Getter, values: tuple[str, ...]) -> None:
        nonlocal keys
        if values and not any(map(is_pattern, values)) and keys * len(values) <= _MOST_KEYS:
            keys *= len(values)
            anchors.append((name, getter, tuple(dict.fromkeys(values))))

    if any(map(is_pattern, when.product)):
        length = min(len(prefix_of(pattern)) for pattern in when.product)
        beginnings = tuple(pattern[:length] for pattern in when.product) if length else ()
        add(f"product[:{length}]", lambda facts: facts.order.product[:length], beginnings)
    else:
        add("product", product_of, when.product)
    add("country", country_of, when.country)
    add("tenant", tenant_of, when.tenant)
    add("locale", locale_of, when.locale)
    for key, wanted in sorted(when.metadata.items()):
        add(f"metadata.{key}", metadata_of(key), wanted)
    return anchors


def _sample(when: When) -> Facts:
    """An order that has what the conditions with exact values want; whoever takes all orders of `when` is found by it."""

    def first(patterns: tuple[str, ...]) -> str | None:
        return patterns[0].replace("*", "").replace("?", "x") if patterns else None

    # what is left of a pattern ("es-" of "es-*") need not be a value that an order would take, so this is none
    person = SimpleNamespace(country=first(when.country), locale=first(when.locale) or "")
    order = SimpleNamespace(
        product=first(when.product) or "-",
        applicant=person,
        tenant=first(when.tenant),
        metadata={key: first(wanted) or "" for key, wanted in when.metadata.items()},
    )
    return Facts(cast(FlowOrder, order), datetime.min.replace(tzinfo=UTC))
