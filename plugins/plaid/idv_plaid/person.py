"""What Plaid is told of the applicant, in its form, and whether what it tells of them is the same.

Each part is sent whole or not at all (plaid.com/docs/identity-verification/hybrid-input-validation); what does not fit Plaid's
form is left out, and the applicant is asked for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import Address, Applicant, DocumentType, IdentificationNumber

_LETTER = re.compile(r"[^\W\d_]")
_STREET, _STREET2, _CITY, _NAME = 80, 50, 100, 100
_REGION = re.compile(r"[A-Z0-9]{1,3}")
_POSTAL = re.compile(r"[A-Za-z0-9]{2,10}")
# Fewer digits than this name nobody.
_LEAST = 7
_SSN, _SSN_LAST = 9, 4

# Plaid's types of numbers by the document that shows the number, and its country. The choice is ours.
ID_TYPES: Mapping[tuple[DocumentType, str], str] = {
    (DocumentType.IDCARD, "AR"): "ar_dni",
    (DocumentType.DRIVING_PERMIT, "AU"): "au_drivers_license",
    (DocumentType.PASSPORT, "AU"): "au_passport",
    (DocumentType.TAX_CARD, "BR"): "br_cpf",
    (DocumentType.NATIONAL_NUMBER_CARD, "CA"): "ca_sin",
    (DocumentType.IDCARD, "CL"): "cl_run",
    (DocumentType.IDCARD, "CN"): "cn_resident_card",
    (DocumentType.TAX_CARD, "CO"): "co_nit",
    (DocumentType.NATIONAL_NUMBER_CARD, "DK"): "dk_cpr",
    (DocumentType.IDCARD, "EG"): "eg_national_id",
    (DocumentType.IDCARD, "ES"): "es_dni",
    (DocumentType.RESIDENCE_PERMIT, "ES"): "es_nie",
    (DocumentType.IDCARD, "HK"): "hk_hkid",
    (DocumentType.TAX_CARD, "IN"): "in_pan",
    (DocumentType.TAX_CARD, "IT"): "it_cf",
    (DocumentType.IDCARD, "JO"): "jo_civil_id",
    (DocumentType.NATIONAL_NUMBER_CARD, "JP"): "jp_my_number",
    (DocumentType.NATIONAL_NUMBER_CARD, "KE"): "ke_huduma_namba",
    (DocumentType.IDCARD, "KW"): "kw_civil_id",
    (DocumentType.NATIONAL_NUMBER_CARD, "MX"): "mx_curp",
    (DocumentType.TAX_CARD, "MX"): "mx_rfc",
    (DocumentType.IDCARD, "MY"): "my_nric",
    (DocumentType.NATIONAL_NUMBER_CARD, "NG"): "ng_nin",
    (DocumentType.DRIVING_PERMIT, "NZ"): "nz_drivers_license",
    (DocumentType.IDCARD, "OM"): "om_civil_id",
    (DocumentType.NATIONAL_NUMBER_CARD, "PH"): "ph_psn",
    (DocumentType.NATIONAL_NUMBER_CARD, "PL"): "pl_pesel",
    (DocumentType.NATIONAL_NUMBER_CARD, "RO"): "ro_cnp",
    (DocumentType.IDCARD, "SA"): "sa_national_id",
    (DocumentType.NATIONAL_NUMBER_CARD, "SE"): "se_pin",
    (DocumentType.IDCARD, "SG"): "sg_nric",
    (DocumentType.IDCARD, "TR"): "tr_tc_kimlik",
    (DocumentType.NATIONAL_NUMBER_CARD, "US"): "us_ssn",
    (DocumentType.IDCARD, "ZA"): "za_smart_id",
}


def user_of(person: Applicant) -> dict[str, Any]:
    """The `user` of a request: what is known, in Plaid's form; an empty one where nothing is."""
    return dict(_parts(person))


def _parts(person: Applicant) -> Iterator[tuple[str, Any]]:
    if person.email:
        yield "email_address", person.email
    if person.phone_number:
        yield "phone_number", person.phone_number
    if person.birthdate:
        yield "date_of_birth", person.birthdate.isoformat()
    given, family = person.given_name, person.family_name
    if given and family and len(given) <= _NAME and len(family) <= _NAME:
        yield "name", {"given_name": given, "family_name": family}
    country = (person.address and person.address.country) or person.country
    if country:
        yield "address", {"country": country, **_address(person.address, country)}
    for number in person.identification_numbers:
        id_number = _id_number(number)
        if id_number is not None:
            yield "id_number", id_number
            break


def _address(address: Address | None, country: str) -> dict[str, str]:
    """All of the address but its country, or nothing: Plaid takes a whole one or the country alone."""
    if address is None or not address.street_address or not address.locality:
        return {}
    street, _, more = address.street_address.partition("\n")
    rest = " ".join(more.split())
    region = (address.region or "").removeprefix(f"{country}-")
    postal = "".join((address.postal_code or "").split())
    fits = (
        len(street) <= _STREET and _LETTER.search(street),
        len(rest) <= _STREET2,
        len(address.locality) <= _CITY and _LETTER.search(address.locality),
        not region or _REGION.fullmatch(region),
        not postal or _POSTAL.fullmatch(postal),
    )
    if not all(fits):
        return {}
    whole = {"street": street, "street2": rest, "city": address.locality, "region": region, "postal_code": postal}
    return {name: part for name, part in whole.items() if part}


def _id_number(number: IdentificationNumber) -> dict[str, str] | None:
    type_ = ID_TYPES.get((number.type, number.country))
    value = "".join(char for char in number.value.reveal() if char.isalnum())
    if type_ == "us_ssn":
        type_ = {_SSN: "us_ssn", _SSN_LAST: "us_ssn_last_4"}.get(len(value))
    return {"value": value, "type": type_} if type_ and value else None


def differing(sent: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """The parts of the person that Plaid tells and that are not what was sent.

    Mail addresses but for capitals and blanks, phone numbers by their digits. Name and address are not compared: the applicant
    may correct them on Plaid's page.
    """
    same = {"email_address": _is_same_text, "date_of_birth": _is_same_text, "phone_number": _is_same_phone}
    return [name for name, is_same in same.items() if sent.get(name) and not is_same(sent[name], told.get(name))]


def _is_same_text(ours: str, theirs: object) -> bool:
    return theirs is None or (isinstance(theirs, str) and _plain(ours) == _plain(theirs))


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_same_phone(ours: str, theirs: object) -> bool:
    if not isinstance(theirs, str):
        return theirs is None
    sent, shown = ("".join(char for char in text if char.isdecimal()) for text in (ours, theirs))
    return sent == shown or (len(shown) >= _LEAST and sent.endswith(shown) and not theirs.lstrip().startswith("+"))
