"""What of an applicant a flow is opened with (fact sheet sections 3.1 and 3.5)."""

from __future__ import annotations

from datetime import date

import attrs
from idv_atlas import AtlasOnboarding, AtlasSettings, AtlasVerification, Family
from idv_atlas.testing.harness import order

from idv_core import Secret
from idv_core.plugin import Address, IdentificationNumber, Place

PERSON = attrs.evolve(
    order().applicant,
    phone_number="+919005550101",
    birthdate=date(1991, 6, 5),
    address=Address(street_address="14 Lantern Row", postal_code="682001", country="IN"),
    nationalities=["IN"],
    gender="female",
    place_of_birth=Place(locality="Kochi", country="IN"),
    identification_numbers=[IdentificationNumber("tax_card", "ZZZPI0000M", country="IN")],
)


def settings(family: Family) -> AtlasSettings:
    return AtlasSettings(client_id=Secret("i"), client_secret=Secret("s"), product_type="PFL_CDL", family=family)


def test_onboarding_is_told_the_name_and_the_reference() -> None:
    request = next(AtlasOnboarding(settings(Family.ONBOARDING)).open_flow(order(applicant=PERSON)))
    assert request.json == {
        "product_type": "PFL_CDL",
        "application_id": "APP-10001",
        "external_reference_id": PERSON.reference,
        "username": PERSON.name,
    }


def test_verification_is_told_nothing_of_the_person() -> None:
    urls = {"auth_url": "https://platform.example/a", "callback_url": "https://platform.example/c"}
    wanted = order(applicant=PERSON, vendor_options={"atlas": urls})
    request = next(AtlasVerification(settings(Family.VERIFICATION)).open_flow(wanted))
    assert request.json == {"product_type": "PFL_CDL", "application_id": "APP-10001", "flow_params": {}, **urls}
