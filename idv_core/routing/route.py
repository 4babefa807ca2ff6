"""A route: which orders it takes, and where they go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import TypeAlias

import attrs

from ..model.document_types import DocumentType, document_types
from ..model.validation import are_countries, is_a, is_aware, is_count, is_count_or_none, is_text, plain_mapping, texts
from ..model.words import quoted
from .buckets import BUCKETS, hundredths, ranges_of

CONTACTS = ("email", "phone_number", "name", "birthdate")


def _texts_by_name(value: Mapping[str, str | tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name: texts(wanted) for name, wanted in value.items()}


def zone_of(name: str) -> tzinfo:
    """The time zone of that name. Raises ValueError, OSError or KeyError."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # few routes name one

    return ZoneInfo(name)


def _zone(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    try:
        zone_of(value)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"there is no time zone {quoted(value)}") from None


def _are_contacts(_: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    wrong = [name for name in value if name not in CONTACTS]
    if wrong:
        raise ValueError(f"{attribute.name}: must be one of {', '.join(CONTACTS)}, not {quoted(wrong[0])}")


def read_hours(hours: str) -> tuple[time, time]:
    """Read `09:00-18:00`. The end may be past midnight. Raises ValueError."""
    begin, _, end = hours.partition("-")
    try:
        return time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())
    except ValueError:
        raise ValueError(f"must be hours such as '09:00-18:00', not {quoted(hours)}") from None


@attrs.frozen(kw_only=True)
class When:
    """The conditions of a route. All that are set must match; one of several values is enough.

    Args:
        product: Patterns of the order's product. `*` is any run of characters, `?` any one.
        country: Countries of the applicant, ISO 3166-1 alpha-2.
        tenant: Patterns of the order's tenant.
        documents: Document types that the order requires.
        locale: Patterns of the applicant's locale (BCP 47).
        metadata: For each key of the order's metadata, patterns of its value.
        has: What must be known about the applicant: `email`, `phone_number`, `name`, `birthdate`.
        age_from: The lowest age in whole years.
        age_below: The age in whole years that the applicant has not reached.
        since: The first moment, with a time zone.
        until: The moment from which it no longer matches, with a time zone.
        hours: A time of day such as `09:00-18:00`. It may pass midnight.
        zone: The time zone of `hours` (IANA name).

    Raises ValueError that names the field.
    """

    product: tuple[str, ...] = attrs.field(default=(), converter=texts)
    country: tuple[str, ...] = attrs.field(default=(), converter=texts, validator=are_countries)
    tenant: tuple[str, ...] = attrs.field(default=(), converter=texts)
    documents: tuple[DocumentType, ...] = attrs.field(default=(), converter=document_types)
    locale: tuple[str, ...] = attrs.field(default=(), converter=texts)
    metadata: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, converter=_texts_by_name, hash=False)
    has: tuple[str, ...] = attrs.field(default=(), converter=texts, validator=_are_contacts)
    age_from: int | None = attrs.field(default=None, validator=attrs.validators.optional(is_count_or_none))
    age_below: int | None = attrs.field(default=None, validator=attrs.validators.optional(is_count))
    since: datetime | None = attrs.field(default=None, validator=is_aware)
    until: datetime | None = attrs.field(default=None, validator=is_aware)
    hours: str | None = attrs.field(default=None)
    zone: str = attrs.field(default="UTC", validator=_zone)

    @hours.validator
    def _check_hours(self, _: object, value: str | None) -> None:
        if value is not None:
            read_hours(value)

    def __attrs_post_init__(self) -> None:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("can never match: until must be after since")
        if self.age_from is not None and self.age_below is not None and self.age_from >= self.age_below:
            raise ValueError("can never match: age_below must be above age_from")


ALWAYS = When()


@attrs.frozen(kw_only=True)
class Shadow:
    """A second vendor that also gets the order, for comparison. Its result never decides.

    Args:
        account: The account of the second vendor.
        share: The percentage of applications, 0 to 100, at most two decimals.
        personal_data: Must be True: the applicant's data is sent to the second vendor.

    Raises ValueError.
    """

    account: str
    share: float = attrs.field(default=100.0)
    personal_data: bool = attrs.field()

    @personal_data.validator
    def _check_personal_data(self, _: object, value: bool) -> None:
        if not value:
            raise ValueError(
                "a shadow receives the applicant's data; set personal_data = true to allow it, or remove the shadow"
            )

    @share.validator
    def _check_share(self, _: object, value: float) -> None:
        hundredths(value)


Asked: TypeAlias = tuple[tuple[str, str], ...]
"""Accounts in the order of asking, each with how a route names it."""


def with_fallback(first: list[tuple[str, str]], fallback: Iterable[str]) -> Asked:
    """The accounts of a route, and then those to fall back to, each once."""
    asked = dict(first)
    for name in fallback:
        asked.setdefault(name, "fallback")
    return tuple(asked.items())


@attrs.frozen(kw_only=True)
class Route:
    """One route: which orders it takes, and where they go.

    Exactly one of `to`, `split`, `cheapest` and `refuse` is set. Routes are tried by `priority`, then in their order; the first
    match wins.

    Args:
        name: The name in logs and explanations.
        when: The conditions; all orders by default.
        priority: Higher is tried first.
        to: The account.
        split: The percentage for each account; they add up to 100. The application id decides, so a repeat goes to the same.
        cheapest: Accounts of which the available one with the least `cost` is used.
        refuse: The message of the `NoRoute` that the caller gets.
        fallback: Accounts to try next if the chosen one certainly opened nothing.
        shadow: A second vendor, for comparison.
        policy: The name of the policy; "default" if it is left out.
        needs: Capabilities that every account of the route must have.

    Raises ValueError.
    """

    name: str = attrs.field(validator=is_text)
    when: When = attrs.field(default=ALWAYS, validator=is_a(When))
    priority: int = 0
    to: str | None = attrs.field(default=None, validator=attrs.validators.optional(is_text))
    split: Mapping[str, float] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    cheapest: tuple[str, ...] = attrs.field(default=(), converter=texts)
    refuse: str | None = None
    fallback: tuple[str, ...] = attrs.field(default=(), converter=texts)
    shadow: Shadow | None = attrs.field(default=None, validator=is_a(Shadow, or_none=True))
    policy: str | None = None
    needs: tuple[str, ...] = attrs.field(default=(), converter=texts)
    asked: Mapping[str | None, Asked] = attrs.field(init=False, repr=False, eq=False)
    _ranges: tuple[tuple[int, str], ...] = attrs.field(init=False, repr=False, eq=False)

    @split.validator
    def _check_split(self, _: object, value: Mapping[str, float]) -> None:
        total = sum(hundredths(share) for share in value.values())
        if value and total != BUCKETS:
            raise ValueError(f"the shares must add up to 100, not to {total / 100:g}")

    def __attrs_post_init__(self) -> None:
        # made once, for they are asked for with every order
        first: dict[str | None, str] = {name: f"split {share:g} %" for name, share in self.split.items()}
        first |= {self.to: "to"} if self.to else {}
        asked = {name: with_fallback([(name, role)], self.fallback) for name, role in first.items() if name}
        object.__setattr__(self, "asked", asked)
        object.__setattr__(self, "_ranges", ranges_of(self.split))
        given = [name for name in ("to", "split", "cheapest", "refuse") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"must have one of to, split, cheapest and refuse, not {' and '.join(given)}"
                if given
                else "must have one of to, split, cheapest and refuse"
            )

    def owner(self, bucket: int) -> str:
        """The account that owns a bucket (0 to 9999) of the split."""
        for end, name in self._ranges:
            if bucket < end:
                return name
        raise ValueError(f"there is no bucket {bucket}")

    def accounts(self) -> tuple[str, ...]:
        """Every account that may decide an order of this route, each once."""
        named = (*((self.to,) if self.to else ()), *self.split, *self.cheapest, *self.fallback)
        return tuple(dict.fromkeys(named))
