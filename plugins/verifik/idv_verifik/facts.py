"""Who a registration is about: what was asked for against what Verifik tells, so that nobody gets somebody else's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import attrs
import phonenumbers

from idv_core.plugin import Applicant, InvalidOrder

from .payloads import reference_id

_WORD = re.compile(r"[^\W_]+")


@attrs.frozen(kw_only=True)
class Person:
    """What an order tells Verifik of the applicant, and what a registration tells. None is not told; numbers are digits."""

    email: str | None = None
    dialling_code: str | None = None
    phone: str | None = None
    name: str | None = None

    def differs_from(self, other: Person) -> tuple[str, ...]:
        """The names of the facts that one tells and the other tells otherwise, or not at all."""
        differs = {
            "email": other.email not in (None, self.email),
            "phone": other.phone is not None and not self.has_number(other),
            "name": other.name is not None and _plain_name(self.name) != _plain_name(other.name),
        }
        return tuple(name for name, different in differs.items() if different)

    def has_number(self, other: Person) -> bool:
        """Whether the other's phone is this one's, with or without the dialling code before it."""
        if not self.phone or not other.phone:
            return False
        whole = f"{self.dialling_code or ''}{self.phone}"
        return other.phone == whole or (other.phone == self.phone and other.dialling_code in (None, self.dialling_code))


class Likeness(StrEnum):
    """How sure it is that a registration is about a person."""

    SAME = "same"
    """Everything that is told agrees, and a name or a phone is told beside the e-mail."""
    CONTACT = "contact"
    """Nothing disagrees, but only the contact by which it was found is told."""
    OTHER = "other"


def asked_of(person: Applicant) -> dict[str, Any]:
    """The applicant's part of a registration's body (section 3.3.1)."""
    body: dict[str, Any] = {"email": small_letters(person.email)} if person.email else {}
    body |= phone(person.phone_number) if person.phone_number else {}
    names = {"firstName": person.given_name, "lastName": person.family_name}
    return body | (names if all(names.values()) else {"fullName": person.full_name} if person.full_name else {})


def small_letters(email: str) -> str:
    """A mail address as Verifik keeps it. Only ASCII: the small letters of `İ` and the Kelvin sign are another address."""
    return email.encode().lower().decode()


def person_of(*told: object) -> Person:
    """The person that these objects tell of: the body of an order, or a registration and its information validation."""
    facts = [part for part in told if isinstance(part, Mapping)]
    first, last = _first(facts, "firstName"), _first(facts, "lastName")
    email = _first(facts, "email")
    return Person(
        email=email and small_letters(email),
        dialling_code=_digits(_first(facts, "countryCode")),
        phone=_digits(_first(facts, "phone")),
        name=_first(facts, "fullName", "name") or " ".join(part for part in (first, last) if part) or None,
    )


def likeness(asked: Person, told: Person) -> Likeness:
    """See `Likeness`."""
    if asked.differs_from(told):
        return Likeness.OTHER
    beside = told.name is not None or (told.phone is not None and told.email is not None)
    return Likeness.SAME if beside else Likeness.CONTACT


def phone(number: str) -> dict[str, str]:
    """E.164 as dialling code and digits (section 3.3.1)."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        raise InvalidOrder("the phone number has no known country code", fields=("applicant.phone_number",)) from None
    return {
        "countryCode": f"+{parsed.country_code}",
        "phone": phonenumbers.national_significant_number(parsed),
    }


def moment(text: object) -> datetime | None:
    """ISO 8601, with a blank for the T or without a zone, which is UTC then (section 1.5)."""
    try:
        read = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read is not None and read.tzinfo is None else read


def is_foreign(part: Mapping[str, Any], registration_id: str) -> bool:
    """Whether a populated part names another registration as its own."""
    owner = reference_id(part.get("appRegistration"))
    return owner is not None and owner != registration_id


def _first(facts: list[Mapping[str, Any]], *names: str) -> str | None:
    for part in facts:
        for name in names:
            value = part.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if isinstance(value, str) and value.strip():
                return value.strip()
    return None


def _digits(text: str | None) -> str | None:
    return "".join(char for char in text or "" if char.isdigit()) or None


def _plain_name(name: str | None) -> tuple[str, ...] | None:
    """The words of a name in any order, without case and accents: vendors store it in capitals, or family name first."""
    if name is None:
        return None
    letters = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    return tuple(sorted(_WORD.findall(letters.casefold())))
