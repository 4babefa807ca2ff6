"""What of an applicant a registration is opened with (fact sheet section 3.3.1)."""

from __future__ import annotations

from datetime import date

from idv_verifik.facts import asked_of
from idv_verifik.testing.harness import applicant

from idv_core.plugin import Address, IdentificationNumber, Place


def test_what_verifik_has_a_field_for_is_sent_and_no_more() -> None:
    person = applicant(
        birthdate=date(1991, 6, 5),
        address=Address(street_address="Calle 14", postal_code="110231", country="CO"),
        nationalities=["CO"],
        gender="female",
        place_of_birth=Place(locality="Cali", country="CO"),
        identification_numbers=[IdentificationNumber("idcard", "ZZ-4711-QQ", country="CO")],
    )
    assert asked_of(person) == {
        "email": "ana@example.org",
        "countryCode": "+57",
        "phone": applicant().phone_number[3:],  # type: ignore[index]
        "firstName": "Ana",
        "lastName": "Ruiz",
    }
