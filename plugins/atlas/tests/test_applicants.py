"""What of an applicant a flow is opened with (fact sheet sections 3.1 and 3.5)."""

from __future__ import annotations

from idv_atlas import AtlasOnboarding, AtlasSettings, AtlasVerification, Family
from idv_atlas.testing.harness import order

from idv_core import Secret


def settings(family: Family) -> AtlasSettings:
    return AtlasSettings(client_id=Secret("i"), client_secret=Secret("s"), product_type="PFL_CDL", family=family)


def test_onboarding_is_told_the_name_and_the_reference() -> None:
    request = next(AtlasOnboarding(settings(Family.ONBOARDING)).open_flow(order()))
    assert request.json == {
        "product_type": "PFL_CDL",
        "application_id": "APP-10001",
        "external_reference_id": order().applicant.reference,
        "username": order().applicant.full_name,
    }


def test_verification_is_told_nothing_of_the_person() -> None:
    urls = {"auth_url": "https://platform.example/a", "callback_url": "https://platform.example/c"}
    wanted = order(vendor_options={"atlas": urls})
    request = next(AtlasVerification(settings(Family.VERIFICATION)).open_flow(wanted))
    assert request.json == {"product_type": "PFL_CDL", "application_id": "APP-10001", "flow_params": {}, **urls}
