"""What of an applicant a registration is opened with (fact sheet section 3.3.1)."""

from __future__ import annotations

import pytest
from idv_verifik.facts import asked_of, person_of
from idv_verifik.testing.harness import applicant

from idv_core import Applicant


def test_what_verifik_has_a_field_for_is_sent_and_no_more() -> None:
    assert asked_of(applicant()) == {
        "email": "ana@example.org",
        "countryCode": "+57",
        "phone": applicant().phone_number[3:],  # type: ignore[index]
        "firstName": "Ana",
        "lastName": "Ruiz",
    }


@pytest.mark.parametrize(
    ("mail", "sent"),
    [
        ("Ana.Ruiz+A@Example.ORG", "ana.ruiz+a@example.org"),
        ("\u0130lker@example.org", "\u0130lker@example.org"),
        ("\u212aim@example.org", "\u212aim@example.org"),
    ],
)
def test_a_mail_address_never_becomes_somebody_elses(mail: str, sent: str) -> None:
    person = Applicant(reference="r", email=mail)
    assert asked_of(person)["email"] == sent
    assert not person_of({"email": mail}).differs_from(person_of(asked_of(person)))
    assert person_of({"email": "kim@example.org"}).differs_from(person_of({"email": "\u212aim@example.org"})) == (
        "email",
    )
