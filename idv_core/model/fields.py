"""What can be read from a document or a register: one vocabulary of names, each with a type.

Names are claims of OpenID Connect Core 5.1 and OpenID Connect for Identity Assurance 1.0 (section 4 and the document
details of its schema) where those have one. What they lack (parents, money, trade) has a name of ours. A vendor's field that
is neither is `other`, under the vendor's own name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import attrs

from .redacted import not_pickled
from .secret import Secret
from .validation import COUNTRIES, is_country, is_string, is_unit, optional
from .words import listed, near, quoted


class FieldName(StrEnum):
    """The name of a field. See `idv_core.model.fields` for where the words come from."""

    # OpenID Connect Core 5.1
    NAME = "name"
    GIVEN_NAME = "given_name"
    MIDDLE_NAME = "middle_name"
    FAMILY_NAME = "family_name"
    GENDER = "gender"
    BIRTHDATE = "birthdate"
    EMAIL = "email"
    PHONE_NUMBER = "phone_number"
    ADDRESS = "address"
    # OpenID Connect for Identity Assurance
    PLACE_OF_BIRTH = "place_of_birth"
    NATIONALITIES = "nationalities"
    BIRTH_FAMILY_NAME = "birth_family_name"
    BIRTH_GIVEN_NAME = "birth_given_name"
    ALSO_KNOWN_AS = "also_known_as"
    TITLE = "title"
    DOCUMENT_NUMBER = "document_number"
    PERSONAL_NUMBER = "personal_number"
    SERIAL_NUMBER = "serial_number"
    DATE_OF_ISSUANCE = "date_of_issuance"
    DATE_OF_EXPIRY = "date_of_expiry"
    ISSUER = "issuer"
    # ours: about a person
    FATHER_NAME = "father_name"
    MOTHER_NAME = "mother_name"
    SPOUSE_NAME = "spouse_name"
    TAX_NUMBER = "tax_number"
    AGE = "age"
    MARITAL_STATUS = "marital_status"
    OCCUPATION = "occupation"
    BLOOD_GROUP = "blood_group"
    MACHINE_READABLE_ZONE = "machine_readable_zone"
    VEHICLE_CLASSES = "vehicle_classes"
    # ours: a company
    COMPANY_NAME = "company_name"
    COMPANY_NUMBER = "company_number"
    COMPANY_TYPE = "company_type"
    COMPANY_ADDRESS = "company_address"
    DATE_OF_REGISTRATION = "date_of_registration"
    COMPANY_TAX_NUMBER = "company_tax_number"
    # ours: money
    BANK_NAME = "bank_name"
    BANK_BRANCH = "bank_branch"
    BANK_CODE = "bank_code"
    ACCOUNT_NUMBER = "account_number"
    ACCOUNT_HOLDER = "account_holder"
    ACCOUNT_TYPE = "account_type"
    PERIOD_START = "period_start"
    PERIOD_END = "period_end"
    OPENING_BALANCE = "opening_balance"
    CLOSING_BALANCE = "closing_balance"
    TRANSACTIONS = "transactions"
    CURRENCY = "currency"
    TOTAL_AMOUNT = "total_amount"
    TAX_AMOUNT = "tax_amount"
    # ours: trade
    INVOICE_NUMBER = "invoice_number"
    INVOICE_DATE = "invoice_date"
    DUE_DATE = "due_date"
    ORDER_NUMBER = "order_number"
    ORDER_DATE = "order_date"
    DELIVERY_NUMBER = "delivery_number"
    DELIVERY_DATE = "delivery_date"
    SELLER_NAME = "seller_name"
    SELLER_ADDRESS = "seller_address"
    SELLER_TAX_NUMBER = "seller_tax_number"
    BUYER_NAME = "buyer_name"
    BUYER_ADDRESS = "buyer_address"
    BUYER_TAX_NUMBER = "buyer_tax_number"
    LINE_ITEMS = "line_items"

    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> None:
        hint = near(value, [member.value for member in cls], FIELD_SYNONYMS)
        raise ValueError(f"there is no field {quoted(str(value))}{hint or ' (see idv_core.model.fields)'}")


DATES = frozenset(
    {
        FieldName.BIRTHDATE,
        FieldName.DATE_OF_ISSUANCE,
        FieldName.DATE_OF_EXPIRY,
        FieldName.DATE_OF_REGISTRATION,
        FieldName.PERIOD_START,
        FieldName.PERIOD_END,
        FieldName.INVOICE_DATE,
        FieldName.DUE_DATE,
        FieldName.ORDER_DATE,
        FieldName.DELIVERY_DATE,
    }
)
"""Fields whose value is a `date`."""

ADDRESSES = frozenset({FieldName.ADDRESS, FieldName.COMPANY_ADDRESS, FieldName.SELLER_ADDRESS, FieldName.BUYER_ADDRESS})
"""Fields whose value is an `Address`."""

NUMBERS = frozenset(
    {
        FieldName.DOCUMENT_NUMBER,
        FieldName.PERSONAL_NUMBER,
        FieldName.SERIAL_NUMBER,
        FieldName.TAX_NUMBER,
        FieldName.PHONE_NUMBER,
        FieldName.MACHINE_READABLE_ZONE,
        FieldName.COMPANY_NUMBER,
        FieldName.COMPANY_TAX_NUMBER,
        FieldName.BANK_CODE,
        FieldName.ACCOUNT_NUMBER,
        FieldName.INVOICE_NUMBER,
        FieldName.ORDER_NUMBER,
        FieldName.DELIVERY_NUMBER,
        FieldName.SELLER_TAX_NUMBER,
        FieldName.BUYER_TAX_NUMBER,
    }
)
"""Fields whose value names something by its digits and letters."""

AMOUNTS = frozenset(
    {
        FieldName.AGE,
        FieldName.OPENING_BALANCE,
        FieldName.CLOSING_BALANCE,
        FieldName.TOTAL_AMOUNT,
        FieldName.TAX_AMOUNT,
    }
)
"""Fields whose value is how much or how many."""

OF_DOCUMENT = frozenset(
    {
        FieldName.DOCUMENT_NUMBER,
        FieldName.SERIAL_NUMBER,
        FieldName.DATE_OF_ISSUANCE,
        FieldName.DATE_OF_EXPIRY,
        FieldName.ISSUER,
    }
)
"""Fields that speak of the document, not of the person: two documents differ in them without contradicting each other."""

FIELD_SYNONYMS: Mapping[str, FieldName] = {
    "fullname": FieldName.NAME,
    "firstname": FieldName.GIVEN_NAME,
    "forename": FieldName.GIVEN_NAME,
    "givennames": FieldName.GIVEN_NAME,
    "lastname": FieldName.FAMILY_NAME,
    "surname": FieldName.FAMILY_NAME,
    "sex": FieldName.GENDER,
    "dob": FieldName.BIRTHDATE,
    "birthday": FieldName.BIRTHDATE,
    "dateofbirth": FieldName.BIRTHDATE,
    "birthplace": FieldName.PLACE_OF_BIRTH,
    "nationality": FieldName.NATIONALITIES,
    "emailaddress": FieldName.EMAIL,
    "emailid": FieldName.EMAIL,
    "phone": FieldName.PHONE_NUMBER,
    "mobile": FieldName.PHONE_NUMBER,
    "mobilenumber": FieldName.PHONE_NUMBER,
    "maidenname": FieldName.BIRTH_FAMILY_NAME,
    "docnumber": FieldName.DOCUMENT_NUMBER,
    "expirationdate": FieldName.DATE_OF_EXPIRY,
    "expirydate": FieldName.DATE_OF_EXPIRY,
    "dateofexpiration": FieldName.DATE_OF_EXPIRY,
    "validuntil": FieldName.DATE_OF_EXPIRY,
    "issuedate": FieldName.DATE_OF_ISSUANCE,
    "issuingdate": FieldName.DATE_OF_ISSUANCE,
    "dateofissue": FieldName.DATE_OF_ISSUANCE,
    "issuingauthority": FieldName.ISSUER,
    "fathersname": FieldName.FATHER_NAME,
    "mothersname": FieldName.MOTHER_NAME,
    "mrz": FieldName.MACHINE_READABLE_ZONE,
}
"""Other words for the same, as `idv_core.model.words.plain` writes them: for hints, and to find what a plugin left as
`other`."""

GENDERS = frozenset({"female", "male", "other"})
_LOOSE = frozenset({FieldName.TRANSACTIONS, FieldName.LINE_ITEMS, FieldName.VEHICLE_CLASSES, FieldName.OTHER})


_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _of_address() -> Any:
    return attrs.field(default=None, repr=False, validator=optional(str))


@not_pickled
@attrs.frozen(kw_only=True)
class Address:
    """An address, with the members of OpenID Connect Core 5.1.1. `country` is ISO 3166-1 alpha-2. All personal data.

    `formatted` is the whole address as one text, lines divided by newlines. A vendor that gives one text fills only that.
    """

    formatted: str | None = _of_address()
    street_address: str | None = _of_address()
    locality: str | None = _of_address()
    region: str | None = _of_address()
    postal_code: str | None = _of_address()
    country: str | None = attrs.field(default=None, validator=is_country)


@not_pickled
@attrs.frozen(kw_only=True)
class Place:
    """A place of birth, with the members of OpenID Connect for Identity Assurance. `country` is ISO 3166-1 alpha-2."""

    locality: str | None = _of_address()
    region: str | None = _of_address()
    country: str | None = attrs.field(default=None, validator=is_country)


def _name(value: object) -> FieldName:
    return value if isinstance(value, FieldName) else FieldName(value)  # type: ignore[arg-type]


def _value(value: Any, field: Any) -> Any:
    """JSON forms (what `dump` writes) become the type of the name."""
    name: FieldName = field.name
    if name is FieldName.OTHER:
        return value
    if name in DATES and isinstance(value, str):
        return _iso_date(value)
    if name in ADDRESSES and isinstance(value, Mapping):
        return _of(Address, value)
    if name is FieldName.PLACE_OF_BIRTH and isinstance(value, Mapping):
        return _of(Place, value)
    if name is FieldName.NATIONALITIES and isinstance(value, list):
        return tuple(value)
    return value


def _iso_date(value: str) -> Any:
    """The date, or the text as it is for the validator to refuse: the standard library's own message would show it."""
    try:
        return date.fromisoformat(value) if _ISO_DATE.fullmatch(value) else value
    except ValueError:
        return value


def _of(cls: type[Address] | type[Place], members: Mapping[str, Any]) -> Any:
    return cls(**members) if {*members} <= {field.name for field in attrs.fields(cls)} else members


_TYPED: Any = attrs.Converter(_value, takes_self=True)


def _fault(name: FieldName, value: Any) -> str | None:
    """What type the value should have and has not."""
    if value is None or name in _LOOSE:
        return None
    if name in DATES:
        good = isinstance(value, date) and not isinstance(value, datetime)
        return None if good else "a datetime.date"
    if name in ADDRESSES:
        return None if isinstance(value, Address) else "an Address"
    if name is FieldName.PLACE_OF_BIRTH:
        return None if isinstance(value, Place) else "a Place"
    if name is FieldName.NATIONALITIES:
        good = isinstance(value, tuple) and all(isinstance(one, str) and one in COUNTRIES for one in value)
        return None if good else "a tuple of ISO 3166-1 alpha-2 codes"
    if name is FieldName.GENDER:
        return None if isinstance(value, str) and value in GENDERS else f"one of {listed(sorted(GENDERS))}"
    good = isinstance(value, (str, int)) and not isinstance(value, bool)
    return None if good or (isinstance(value, float) and math.isfinite(value)) else "a string or a finite number"


@not_pickled
@attrs.frozen(kw_only=True)
class ExtractedField:
    """One field as it was read once: from a document, or from a register.

    `name` is from the vocabulary, `value` has its type: `date` (`DATES`), `Address` (`ADDRESSES`), `Place` (`place_of_birth`),
    a tuple of ISO 3166-1 alpha-2 codes (`nationalities`), `female`, `male` or `other` (`gender`), else a text or a number. None
    says: it is there and could not be read. `vendor_name` and `vendor_text` are what the vendor wrote. Where the value is a
    national number that must stay masked (Aadhaar), `value` and `vendor_text` hold the masked form and the whole one is
    behind `reveal()`. `confidence` (0..1) says how sure the reader is of the text, nothing about authenticity.

    Values are personal data, hidden in `repr`. Raises ValueError for a name that is not in the vocabulary, or a value of
    another type.
    """

    name: FieldName = attrs.field(converter=_name)
    value: Any = attrs.field(repr=False, hash=False, converter=_TYPED)  # type: ignore[misc]
    vendor_name: str = attrs.field(validator=is_string)
    vendor_text: str | None = attrs.field(default=None, repr=False, validator=optional(str))
    confidence: float | None = attrs.field(default=None, validator=is_unit)
    whole: Secret | None = attrs.field(default=None, repr=False)

    @value.validator
    def _check_value(self, _: object, value: Any) -> None:
        fault = _fault(self.name, value)
        if fault is not None:
            raise ValueError(f"{self.name.value}: must be {fault}")

    def reveal(self) -> Any:
        """The value unmasked. Call it only where the law lets you."""
        return self.whole.reveal() if self.whole is not None else self.value
