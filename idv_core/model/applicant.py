"""The person who is verified. Claim names follow OpenID Connect Core 5.1 where it has one."""

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

    `type` is the type of the document that shows it (`passport`, `tax_card`, `national_number_card`: see `DocumentType`),
    `value` a text of 200 characters at most, kept as a `Secret`, `country` the state, ISO 3166-1 alpha-2. Raises ValueError
    that names the field.
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
    """One person. Only `reference`, `country` and `locale` are ever shown by `repr`.

    `reference` is your own stable, meaningless id of the person (not a national number: vendors keep it).
    `birthdate` is a `date` and no `datetime`, of the year 1900 or later (the gateway refuses one in the future),
    `phone_number` E.164 in ASCII digits (`+573005550101`), `country` ISO 3166-1 alpha-2 (and XK, Kosovo), `locale` a
    BCP 47 tag. `address` and `place_of_birth` are texts in parts, `nationalities` ISO 3166-1 alpha-2, `gender` is `female`,
    `male` or `other`, `identification_numbers` are those that the person gave you, secret by type. Texts have 200 characters
    at most (`email` 254, a part of an address 500) and no control characters; what is not known is None. A vendor is sent
    what it takes, and no more.
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
            raise ValueError(f"birthdate: must be in {_EARLIEST} or later")

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
        if value is not None and value not in GENDERS:
            raise ValueError(f"gender: must be one of {listed(sorted(GENDERS))}")

    @property
    def full_name(self) -> str | None:
        """`name`, or given and family name joined by a blank."""
        return self.name or " ".join(part for part in (self.given_name, self.family_name) if part) or None

    def personal_texts(self) -> tuple[str, ...]:
        """Every text that tells who this is, for those who must keep them out of logs and errors."""
        born = self.birthdate.isoformat() if self.birthdate else None
        places = (part for place in (self.address, self.place_of_birth) if place for part in _texts_of(place))
        numbers = (number.value.reveal() for number in self.identification_numbers)
        known = (self.name, self.given_name, self.family_name, self.email, self.phone_number, born, *places, *numbers)
        return tuple(text for text in known if text)
