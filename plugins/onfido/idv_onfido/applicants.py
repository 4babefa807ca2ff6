"""The applicant's record: what of an order is sent, and whether what it tells is what was sent (API v3.6, applicants)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from idv_core.plugin import ALPHA_3, Address, DocumentType, FlowOrder, IdentificationNumber, InvalidOrder

from .names import is_same_name, names_of

# Fewer digits than this name nobody.
_LEAST_DIGITS = 7
# `^[^!$%^*=<>]*$` (API v3.6, lines of an address)
_FORBIDDEN = frozenset("!$%^*=<>")
_LINES = 3
_USPS = re.compile(r"[A-Z]{2}")
_NUMBER_TYPES = {
    DocumentType.IDCARD: "identity_card",
    DocumentType.PASSPORT: "passport",
    DocumentType.DRIVING_PERMIT: "driving_licence",
    DocumentType.TAX_CARD: "tax_id",
    DocumentType.VOTER_CARD: "voter_id",
}
# Of national numbers Onfido has words for these two; what it has none for (India's Aadhaar) is not sent.
_NATIONAL_NUMBERS = {"US": "ssn", "CA": "social_insurance"}
COUNTRY_CODES = {**ALPHA_3, "XK": "RKS"}
"""Alpha-2 to Onfido's codes: ISO 3166-1 alpha-3, and Kosovo's as in its passports (`CountryCodes` of the SDK)."""


@attrs.frozen(kw_only=True)
class Created:
    """Any object that has just been made, or an applicant's record. What it says of the person is compared with the order."""

    id: str
    sandbox: bool | None = None
    applicant_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    dob: str | None = None
    delete_at: str | None = None


def applicant_body(order: FlowOrder) -> dict[str, Any]:
    """The body of `POST /applicants`: what Onfido has a field for. Raises InvalidOrder for names and lines that it refuses."""
    person = order.applicant
    first, last = names_of(person, order.vendor_options.get("onfido", {}))
    country = person.country and COUNTRY_CODES[person.country]
    known = {
        "first_name": first,
        "last_name": last,
        "email": person.email,
        "phone_number": person.phone_number,
        "dob": person.birthdate and person.birthdate.isoformat(),
        "location": country and {"country_of_residence": country},
        "address": person.address and _address(person.address),
        "id_numbers": _numbers(person.identification_numbers),
    }
    return {name: value for name, value in known.items() if value}


def _address(address: Address) -> dict[str, str] | None:
    """None for an address without postal code or country, which Onfido requires.

    A state of the US is only taken by its two letters (USPS), so another text for it is left out.
    """
    if not address.postal_code or not address.country:
        return None
    lines = [line.strip() for line in (address.street_address or "").splitlines() if line.strip()]
    if not _FORBIDDEN.isdisjoint("".join(lines)):
        raise InvalidOrder("Onfido takes no street with one of !$%^*=<> in it", fields=("applicant.address",))
    first, rest = lines[: _LINES - 1], lines[_LINES - 1 :]
    lines = [*first, *filter(None, (", ".join(rest),))]
    region = address.region
    if address.country == "US" and not _USPS.fullmatch(region or ""):
        region = None
    known = {
        **{f"line{number}": line for number, line in enumerate(lines, 1)},
        "town": address.locality,
        "state": region,
        "postcode": address.postal_code,
        "country": COUNTRY_CODES[address.country],
    }
    return {name: text for name, text in known.items() if text}


def _numbers(numbers: Iterable[IdentificationNumber]) -> list[dict[str, str]]:
    """The numbers whose type is one of Onfido's. It takes no country beside them."""
    typed = [(_number_type(number), number.value.reveal()) for number in numbers]
    return [{"type": type_, "value": value} for type_, value in typed if type_]


def _number_type(number: IdentificationNumber) -> str | None:
    if number.type is DocumentType.NATIONAL_NUMBER_CARD:
        return _NATIONAL_NUMBERS.get(number.country)
    return _NUMBER_TYPES.get(number.type)


def differing(sent: Mapping[str, Any], told: Created) -> list[str]:
    """The names of what the record tells, and was sent as something else."""
    compared: dict[str, Callable[[str, str], bool]] = {
        "first_name": is_same_name,
        "last_name": is_same_name,
        "email": lambda ours, theirs: _plain(ours) == _plain(theirs),
        "phone_number": _is_same_phone,
        "dob": lambda ours, theirs: ours == theirs.strip()[: len(ours)],
    }
    pairs = {name: (sent.get(name), getattr(told, name)) for name in compared}
    return [name for name, (ours, theirs) in pairs.items() if ours and theirs and not compared[name](ours, theirs)]


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_same_phone(ours: str, told: str) -> bool:
    """By the digits; `told` may lack the country's prefix, or have zeros in its place."""
    sent, shown = ("".join(char for char in text if char.isdecimal()) for text in (ours, told))
    shown = shown.lstrip("0")
    is_part = len(shown) >= _LEAST_DIGITS and not told.lstrip().startswith("+")
    return sent == shown or (is_part and sent.endswith(shown))
