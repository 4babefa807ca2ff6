"""The person who is verified. Names of claims follow OpenID Connect Core 1.0, section 5.1."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import attrs

from .document_types import DocumentType, document_type
from .fields import GENDERS, Address, Place
from .redacted import not_pickled
from .secret import Secret
from .validation import are, are_countries, is_country, is_locale, several, text, text_fault
from .words import listed

_PHONE = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII)
# RFC 5321 section 4.1.2 without quoted names and addresses in brackets; RFC 6531 lets in all scripts
_MAIL = re.compile(r"""[^\s@<>()\[\]\\,;:".]+(?:\.[^\s@<>()\[\]\\,;:".]+)*@(?:(?!-)[\w-]+(?<!-)\.)*(?!-)[\w-]+(?<!-)""")
_EARLIEST, _LATEST = 1900, 2100
_ADDRESS = 500


def _secret(value: str | Secret) -> Secret:
    return Secret(value) if isinstance(value, str) else value


def _is_sendable(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    fault = text_fault(value.reveal()) if isinstance(value, Secret) else "must be a string or a Secret"
    if fault:
        raise ValueError(f"{attribute.name}: {fault}")


@not_pickled
@attrs.frozen
class IdentificationNumber:
    """A number that a state gave the person: `IdentificationNumber("tax_card", number, country="IN")`.

    Args:
        type: The type of the document that shows it (`passport`, `tax_card`, `national_number_card`: see `DocumentType`).
        value: At most 200 characters. Kept as a `Secret`.
        country: The state, ISO 3166-1 alpha-2.

    Raises ValueError that names the field.
    """

    type: DocumentType = attrs.field(converter=document_type)
    value: Secret = attrs.field(converter=_secret, validator=_is_sendable)
    country: str = attrs.field(kw_only=True)

    @country.validator
    def _check_country(self, attribute: attrs.Attribute[str], value: str) -> None:
        are_countries(self, attribute, (value,))


def _texts_of(value: Address | Place) -> tuple[str, ...]:
    """The parts of an address or a place that tell where it is; the country alone tells of nobody."""
    parts = attrs.asdict(value)
    return tuple(part for name, part in parts.items() if part and name != "country")


def _is_sendable_place(kind: type[Address] | type[Place]) -> Any:
    def validate(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"{attribute.name}: must be {kind.__name__}(...)")
        for part in _texts_of(value) if value is not None else ():
            # a printed address has several lines
            fault = text_fault(part.replace("\n", " "), _ADDRESS)
            if fault:
                raise ValueError(f"{attribute.name}: {fault}")

    return validate


@not_pickled
@attrs.frozen(kw_only=True)
class Applicant:
    """One person. `repr` shows `reference`, `country` and `locale` only. A vendor gets only what it takes.

    Strings have at most 200 characters unless noted, and no control characters. Use None for what is not known.

    Args:
        reference: Your own stable id of the person. Not a national number: vendors store it.
        name: The full name.
        given_name: Given names.
        family_name: Family names.
        birthdate: A `date`, in 1900 or later and not in the future.
        email: At most 254 characters (RFC 5321, RFC 6531).
        phone_number: E.164 with ASCII digits: `+573005550101`.
        country: ISO 3166-1 alpha-2, or XK (Kosovo).
        locale: A BCP 47 language tag.
        address: An `Address`; at most 500 characters for each part.
        place_of_birth: A `Place`; at most 500 characters for each part.
        nationalities: ISO 3166-1 alpha-2 codes.
        gender: `female`, `male` or `other`.
        identification_numbers: Numbers that the person gave you, kept as secrets.

    Raises ValueError that names the field.
    """

    reference: str = attrs.field(validator=text())
    name: str | None = attrs.field(default=None, repr=False, validator=text(optional=True))
    given_name: str | None = attrs.field(default=None, repr=False, validator=text(optional=True))
    family_name: str | None = attrs.field(default=None, repr=False, validator=text(optional=True))
    birthdate: date | None = attrs.field(default=None, repr=False)
    email: str | None = attrs.field(default=None, repr=False, validator=text(254, optional=True))
    phone_number: str | None = attrs.field(default=None, repr=False)
    country: str | None = attrs.field(default=None, validator=is_country)
    locale: str = attrs.field(default="en", validator=is_locale)
    address: Address | None = attrs.field(default=None, repr=False, validator=_is_sendable_place(Address))
    place_of_birth: Place | None = attrs.field(default=None, repr=False, validator=_is_sendable_place(Place))
    nationalities: tuple[str, ...] = attrs.field(
        default=(), repr=False, converter=several, validator=[are(str), are_countries]
    )
    gender: str | None = attrs.field(default=None, repr=False)
    identification_numbers: tuple[IdentificationNumber, ...] = attrs.field(
        default=(), repr=False, converter=several, validator=are(IdentificationNumber)
    )

    @birthdate.validator
    def _check_birthdate(self, _: object, value: object) -> None:
        if value is None:
            return
        if not isinstance(value, date) or isinstance(value, datetime):
            raise ValueError("birthdate: must be a datetime.date without a time")
        if not _EARLIEST <= value.year <= _LATEST:
            raise ValueError(f"birthdate: must be in {_EARLIEST} or later, and not in the future")

    @email.validator
    def _check_email(self, _: object, value: str | None) -> None:
        if value is not None and not _MAIL.fullmatch(value):
            raise ValueError("email: must be an address such as 'someone@example.org'")

    @phone_number.validator
    def _check_phone_number(self, _: object, value: object) -> None:
        if value is not None and not (isinstance(value, str) and _PHONE.fullmatch(value)):
            raise ValueError("phone_number: must be E.164: a plus sign and 6 to 15 digits")

    @gender.validator
    def _check_gender(self, _: object, value: object) -> None:
        if value is not None and not (isinstance(value, str) and value in GENDERS):
            raise ValueError(f"gender: must be one of {listed(sorted(GENDERS))}")

    @property
    def full_name(self) -> str | None:
        """`name`, or given and family name joined by a space."""
        return self.name or " ".join(part for part in (self.given_name, self.family_name) if part) or None

    def personal_texts(self) -> tuple[str, ...]:
        """Every string that identifies the person, for redaction."""
        born = self.birthdate.isoformat() if self.birthdate else None
        places = (part for place in (self.address, self.place_of_birth) if place for part in _texts_of(place))
        numbers = (number.value.reveal() for number in self.identification_numbers)
        known = (self.name, self.given_name, self.family_name, self.email, self.phone_number, born, *places, *numbers)
        return tuple(text for text in known if text)
