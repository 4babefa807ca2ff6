"""What of an applicant is sent, in whose words, and that nobody is told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import attrs
import onfido
import pytest
from idv_onfido.applicants import applicant_body
from idv_onfido.testing.emulator import OnfidoEmulator
from idv_onfido.testing.harness import NUMBER, order

from idv_core import Gateway
from idv_core.errors import InvalidOrder
from idv_core.plugin import Address, IdentificationNumber
from idv_core.testing import EmulatedResponse

Connect = Callable[..., Gateway]
CODE = "110231"
ANA = attrs.evolve(order().applicant, phone_number="+573005550101")


def sent(**changes: Any) -> dict[str, Any]:
    return applicant_body(order(applicant=attrs.evolve(ANA, **changes)))


def address(**parts: str) -> dict[str, str] | None:
    return sent(address=Address(**{"postal_code": CODE, "country": "CO", **parts})).get("address")


def test_what_onfido_has_a_field_for_is_sent_and_no_more() -> None:
    assert sent() == {
        "first_name": "Ana",
        "last_name": "Ruiz",
        "email": "ana@example.org",
        "phone_number": "+573005550101",
        "dob": "1993-07-21",
        "location": {"country_of_residence": "COL"},
        "address": {
            "line1": "14 Lantern Row",
            "line2": "Flat 3",
            "town": "Bogotá",
            "state": "DC",
            "postcode": CODE,
            "country": "COL",
        },
        "id_numbers": [{"type": "identity_card", "value": NUMBER}],
    }


def test_the_sdk_knows_every_field_of_it() -> None:
    """The SDK keeps what it does not know in `additional_properties`, and checks words, codes and characters."""
    read: Any = onfido.ApplicantBuilder.from_dict(sent())
    parts = (read, read.address, read.location, *read.id_numbers)
    assert [part.additional_properties for part in parts] == [{}, {}, {}, {}]
    assert (read.address.country.value, read.id_numbers[0].value) == ("COL", NUMBER)


@pytest.mark.parametrize("missing", ["postal_code", "country"])
def test_an_address_without_what_onfido_requires_is_not_sent(missing: str) -> None:
    assert ANA.address is not None
    assert "address" not in sent(address=attrs.evolve(ANA.address, **{missing: None}))


@pytest.mark.parametrize(
    ("country", "region", "state"),
    [("US", "CA", "CA"), ("US", "California", None), ("US", "ca", None), ("CO", "Valle del Cauca", "Valle del Cauca")],
)
def test_a_state_of_the_us_is_two_letters(country: str, region: str, state: str | None) -> None:
    told = address(region=region, country=country)
    assert told is not None
    assert told.get("state") == state


def test_a_street_has_three_lines_at_most() -> None:
    told = address(street_address="one\n\n two \nthree\nfour")
    assert told is not None
    assert [told[f"line{number}"] for number in (1, 2, 3)] == ["one", "two", "three, four"]
    assert "line4" not in told


@pytest.mark.parametrize("char", "!$%^*=<>")
def test_a_character_that_onfido_refuses_is_said_without_the_street(char: str) -> None:
    with pytest.raises(InvalidOrder, match="takes no street") as caught:
        address(street_address=f"Lantern Row {char} 14")
    assert caught.value.fields == ("applicant.address",)
    assert "Lantern" not in str(caught.value)


def test_kosovo_has_onfidos_own_code() -> None:
    told = sent(country="XK", address=Address(postal_code="10000", country="XK"))
    assert (told["location"], told["address"]["country"]) == ({"country_of_residence": "RKS"}, "RKS")
    onfido.ApplicantBuilder.from_dict(told)


@pytest.mark.parametrize(
    ("type_", "country", "word"),
    [
        ("idcard", "CO", "identity_card"),
        ("passport", "CO", "passport"),
        ("driving_permit", "GB", "driving_licence"),
        ("tax_card", "IN", "tax_id"),
        ("voter_card", "IN", "voter_id"),
        ("national_number_card", "US", "ssn"),
        ("national_number_card", "CA", "social_insurance"),
        ("national_number_card", "IN", None),
        ("residence_permit", "DE", None),
    ],
)
def test_a_number_is_sent_under_onfidos_word_or_not_at_all(type_: str, country: str, word: str | None) -> None:
    told = sent(identification_numbers=[IdentificationNumber(type_, NUMBER, country=country)])
    assert told.get("id_numbers") == ([{"type": word, "value": NUMBER}] if word else None)
    onfido.ApplicantBuilder.from_dict(told)


class TestOpening:
    @pytest.mark.parametrize("family", ["workflows", "checks"])
    def test_the_record_holds_what_was_sent(self, family: str, connect: Connect, emulator: OnfidoEmulator) -> None:
        connect(family=family).open(order(applicant=ANA))
        (record,) = emulator.applicants.values()
        assert {name: record[name] for name in sent()} == sent()

    def test_no_number_and_no_street_is_shown_or_logged(
        self, connect: Connect, emulator: OnfidoEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not even where Onfido repeats them in its error."""
        said = f"id_numbers: {NUMBER} is wrong, and so is 14 lantern row, flat 3, {CODE}"
        emulator.fault(
            "POST /v3.6/applicants",
            EmulatedResponse(
                422, {"error": {"type": "validation_error", "message": said, "fields": {"value": [said]}}}
            ),
        )
        wanted = order(applicant=ANA)
        with caplog.at_level(logging.DEBUG), pytest.raises(InvalidOrder) as caught:
            connect().open(wanted)
        error = caught.value
        shown = f"{error} {error!r} {vars(error)} {caplog.text} {wanted!r} {ANA!r}".lower()
        assert "id_numbers" in shown
        for personal in (NUMBER, "lantern row", "flat 3", CODE):
            assert personal.lower() not in shown
