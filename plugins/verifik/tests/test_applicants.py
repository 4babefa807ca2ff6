"""What of an applicant a registration is opened with (fact sheet section 3.3.1)."""

from __future__ import annotations

from idv_verifik.facts import asked_of
from idv_verifik.testing.harness import applicant


def test_what_verifik_has_a_field_for_is_sent_and_no_more() -> None:
    assert asked_of(applicant()) == {
        "email": "ana@example.org",
        "countryCode": "+57",
        "phone": applicant().phone_number[3:],  # type: ignore[index]
        "firstName": "Ana",
        "lastName": "Ruiz",
    }
