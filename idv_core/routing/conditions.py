"""The conditions of a route as questions about the facts of an order, and whether one route's cover another's."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import Any, TypeAlias

import attrs

from ..model import Condition, FlowOrder
from .patterns import covers, matcher
from .route import CONTACTS, When, read_hours, zone_of


@attrs.frozen(eq=False, repr=False)
class Facts:
    """An order at one moment: what routes may ask about."""

    order: FlowOrder = attrs.field(repr=False)
    now: datetime

    def knows(self, contact: str) -> bool:
        person = self.order.applicant
        return bool(person.full_name if contact == "name" else getattr(person, contact))

    def age(self) -> int | None:
        """Whole years on the UTC day."""
        born = self.order.applicant.birthdate
        return None if born is None else _years(born, self.now.date())


def _years(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


Getter: TypeAlias = Callable[[Facts], str | None]
"""One text of an order."""


def product_of(facts: Facts) -> str | None:
    return facts.order.product


def country_of(facts: Facts) -> str | None:
    return facts.order.applicant.country


def tenant_of(facts: Facts) -> str | None:
    return facts.order.tenant


def locale_of(facts: Facts) -> str | None:
    return facts.order.applicant.locale


def metadata_of(key: str) -> Getter:
    return lambda facts: facts.order.metadata.get(key)


@attrs.frozen(eq=False, repr=False)
class Question:
    """One condition: what it is called, what it wants, whether it holds, and what may be shown of the order's value."""

    name: str
    wanted: str
    holds: Callable[[Facts], Any]
    shown: Callable[[Facts], str]

    def condition(self, facts: Facts) -> Condition:
        return Condition(name=self.name, wanted=self.wanted, value=self.shown(facts), holds=bool(self.holds(facts)))


def questions_of(when: When) -> tuple[Question, ...]:
    """The conditions in the order in which they are asked."""
    questions: list[Question] = []

    def add(name: str, wanted: object, holds: Callable[[Facts], Any], shown: Callable[[Facts], object]) -> None:
        questions.append(Question(name, str(wanted), holds, lambda facts: str(shown(facts))))

    def texts(name: str, patterns: tuple[str, ...], value: Getter) -> None:
        if patterns:
            add(name, _listed(patterns), _one_of(patterns, value), lambda facts: value(facts) or "none")

    texts("product", when.product, product_of)
    if when.country:
        countries = frozenset(when.country)
        add("country", _listed(when.country), lambda f: country_of(f) in countries, lambda f: country_of(f) or "none")
    texts("tenant", when.tenant, tenant_of)
    if when.documents:
        types = frozenset(when.documents)
        add(
            "documents",
            _listed(when.documents),
            lambda f: any(type_ in types for type_ in f.order.documents),
            lambda f: _listed(f.order.documents) or "none",
        )
    texts("locale", when.locale, locale_of)
    for key, wanted in when.metadata.items():
        # what a platform puts there is its own, and may be personal
        add(f"metadata.{key}", _listed(wanted), _one_of(wanted, metadata_of(key)), _hidden(metadata_of(key)))
    if when.has:
        add(
            "has", _listed(when.has), _knows(when.has), lambda f: _listed([c for c in CONTACTS if f.knows(c)]) or "none"
        )
    if when.age_from is not None or when.age_below is not None:
        low, high = when.age_from or 0, when.age_below or 1000
        wanted_age = f"{when.age_from or 0}-" + (str(when.age_below - 1) if when.age_below else "")
        add(
            "age",
            wanted_age,
            lambda f: low <= age < high if (age := f.age()) is not None else False,
            _hidden(Facts.age),
        )
    if when.since is not None or when.until is not None:
        since, until = when.since, when.until
        add(
            "time",
            f"{since or ''}..{until or ''}",
            lambda f: (since is None or f.now >= since) and (until is None or f.now < until),
            lambda f: f.now.isoformat(timespec="seconds"),
        )
    if when.hours is not None:
        begin, end = read_hours(when.hours)
        zone = zone_of(when.zone)

        def open_now(facts: Facts) -> bool:
            clock = facts.now.astimezone(zone).time()
            return begin <= clock < end if begin <= end else clock >= begin or clock < end

        add("hours", f"{when.hours} {when.zone}", open_now, lambda f: f"{f.now.astimezone(zone):%H:%M}")
    return tuple(questions)


def _hidden(value: Callable[[Facts], object]) -> Callable[[Facts], str]:
    """Only whether the order has one."""
    return lambda facts: "absent" if value(facts) is None else "***"


def _listed(values: Collection[str]) -> str:
    return ", ".join(values)


def _one_of(patterns: tuple[str, ...], value: Getter) -> Callable[[Facts], Any]:
    if len(patterns) == 1:
        match = matcher(patterns[0])
        return lambda facts: (text := value(facts)) is not None and match(text)
    matchers = [matcher(pattern) for pattern in patterns]
    return lambda facts: (text := value(facts)) is not None and any(match(text) for match in matchers)


def _knows(contacts: tuple[str, ...]) -> Callable[[Facts], bool]:
    return lambda facts: any(facts.knows(contact) for contact in contacts)


def covers_when(wide: When, narrow: When) -> bool:
    """Whether every order that `narrow` takes would be taken by `wide`."""
    return (
        _covers_texts(wide.product, narrow.product)
        and _covers_texts(wide.tenant, narrow.tenant)
        and _covers_texts(wide.locale, narrow.locale)
        and _covers_set(wide.country, narrow.country)
        and _covers_set(wide.documents, narrow.documents)
        and _covers_set(wide.has, narrow.has)
        and all(_covers_texts(wanted, narrow.metadata.get(key, ())) for key, wanted in wide.metadata.items())
        and (wide.age_from is None or (narrow.age_from is not None and narrow.age_from >= wide.age_from))
        and (wide.age_below is None or (narrow.age_below is not None and narrow.age_below <= wide.age_below))
        and (wide.since is None or (narrow.since is not None and narrow.since >= wide.since))
        and (wide.until is None or (narrow.until is not None and narrow.until <= wide.until))
        and (wide.hours is None or (wide.hours, wide.zone) == (narrow.hours, narrow.zone))
    )


def _covers_texts(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and covers(wide, narrow))


def _covers_set(wide: Collection[str], narrow: Collection[str]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))
