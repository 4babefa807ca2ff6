"""The applicant: what an order tells of one, and one at a hosted page who fills in its forms without a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import httpx

from ..model import Address, Applicant, IdentificationNumber, Place
from .specimens import Person

Form: TypeAlias = Mapping[str, str | bytes]

STREET = "14 Lantern Row"
NUMBER = "ZZ-4711-QQ"
_TOWNS = {"CO": ("Bogotá", "DC", "110231"), "IN": ("Kochi", "Kerala", "682001"), "KZ": ("Almaty", "Almaty", "050000")}


def make_applicant(person: Person, country: str = "IN", **changes: Any) -> Applicant:
    """All that an order can tell of somebody: the suite then sees what of it your plugin sends, and that none of it shows.

    Nobody else has `STREET` and `NUMBER`: put them among the `personal` texts of your harness.

    Args:
        country: CO, IN or KZ, where the address is.
        changes: Other values of fields of `Applicant`.
    """
    locality, region, postal_code = _TOWNS[country]
    told: dict[str, Any] = {
        "reference": "CUST-9283",
        "given_name": person.given_name,
        "family_name": person.family_name,
        "email": f"{person.given_name.lower()}@example.org",
        "country": country,
        "birthdate": person.birthdate,
        "address": Address(
            street_address=STREET, locality=locality, region=region, postal_code=postal_code, country=country
        ),
        "nationalities": [country],
        "gender": "female" if person.sex == "F" else "male",
        "place_of_birth": Place(locality=locality, country=country),
        "identification_numbers": [IdentificationNumber("idcard", NUMBER, country=country)],
    }
    return Applicant(**{**told, **changes})


def submit_forms(browser: httpx.Client, url: str, *forms: Form) -> httpx.Response:
    """Open the page, send one form after the other (bytes are files), and give the last answer.

    Raises AssertionError when the page does not open.
    """
    answer = browser.get(url)
    assert answer.status_code == 200, f"the page does not open: HTTP {answer.status_code}"
    for form in forms:
        files = {name: value for name, value in form.items() if isinstance(value, bytes)}
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        answer = browser.post(url, data=texts, files=files or None)
    return answer
