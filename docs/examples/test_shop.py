"""The shop's tests. `pytest` runs them over the vendor that obeys, `pytest --idv-vendor all` over every vendor's emulator."""

from __future__ import annotations

import pytest
from shop import Shop

from idv_core import OutcomeUnknown
from idv_core.errors import VendorUnavailable
from idv_core.testing import EmulatedVendor, FakeVendor


@pytest.fixture
def shop(idv_vendor: EmulatedVendor) -> Shop:
    return Shop(idv_vendor.gateway())


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("approved", "welcome"),
        ("declined", "we cannot open an account for you"),
        ("review", "we are looking at it ourselves"),
    ],
)
def test_what_the_customer_hears(shop: Shop, idv_vendor: EmulatedVendor, outcome: str, told: str) -> None:
    shop.sign_up("APP-1", idv_vendor.applicant)
    assert shop.look("APP-1") == "not finished yet"
    shop.flows["APP-1"] = idv_vendor.decide(shop.flows["APP-1"], outcome)
    assert shop.look("APP-1") == told


def test_a_vendor_that_is_down(shop: Shop, idv_vendor: EmulatedVendor) -> None:
    idv_vendor.fail(next="open", error=VendorUnavailable)
    assert shop.sign_up("APP-1", idv_vendor.applicant) == "try again later"
    assert shop.flows == {}


def test_a_lost_answer_is_cleared_up(fake_vendor: FakeVendor) -> None:
    shop = Shop(fake_vendor.gateway())
    fake_vendor.fail(next="open", error=OutcomeUnknown, done=True)
    assert shop.sign_up("APP-1", fake_vendor.applicant).startswith("https://vendor.example/")
    assert len(fake_vendor.verifications) == 1


def test_a_customer_who_never_came(fake_vendor: FakeVendor) -> None:
    shop = Shop(fake_vendor.gateway())
    shop.sign_up("APP-1", fake_vendor.applicant)
    fake_vendor.expire(shop.flows["APP-1"])
    assert shop.look("APP-1") == "not finished yet"
