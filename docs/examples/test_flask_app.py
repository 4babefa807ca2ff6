"""The Flask app, tested with the vendor that obeys."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from flask_app import make_app

from idv_core import Gateway
from idv_core.errors import RateLimited
from idv_core.testing import FakeVendor

ANA = {
    "application_id": "APP-1",
    "given_name": "Ana",
    "family_name": "Ruiz",
    "email": "ana@example.org",
    "country": "CO",
}


@pytest.fixture
def gateway(fake_vendor: FakeVendor) -> Gateway:
    return fake_vendor.gateway()


@pytest.fixture
def browser(fake_vendor: FakeVendor, gateway: Gateway) -> FlaskClient:
    app = make_app(gateway)
    fake_vendor.deliver_to(app, wsgi=True)
    return app.test_client()


def test_the_applicant_is_sent_to_the_vendors_page_and_approved(browser: FlaskClient, fake_vendor: FakeVendor) -> None:
    answer = browser.post("/applications", data=ANA)
    assert answer.status_code == 303
    assert answer.location.startswith("https://vendor.example/go/")
    assert browser.get("/applications/APP-1").json == {
        "approved": False,
        "told": ["Your verification is not finished yet. Open your link and complete the steps."],
        "news": False,
    }
    (id,) = fake_vendor.verifications
    fake_vendor.decide(f"fake/{id}", "approved")
    assert browser.get("/applications/APP-1?language=es").json == {
        "approved": True,
        "told": ["Tu identidad está confirmada. No tienes que hacer nada más."],
        "news": True,
    }


def test_a_webhook_to_the_address_for_all_applications(
    browser: FlaskClient, gateway: Gateway, fake_vendor: FakeVendor
) -> None:
    browser.post("/applications", data=ANA)
    (id,) = fake_vendor.verifications
    address = urlsplit(gateway.webhook_url("fake", "events").reveal())
    assert browser.post(address.path, json={"event": "finished", "id": id}).status_code == 200
    assert browser.get("/applications/APP-1").json["news"] is True


def test_a_vendor_that_has_had_enough(browser: FlaskClient, fake_vendor: FakeVendor) -> None:
    fake_vendor.fail(next="open", error=RateLimited)
    assert browser.post("/applications", data=ANA).status_code == 503
    assert browser.post("/applications", data=ANA).status_code == 303


@pytest.mark.parametrize("wrong", [{"country": "Colombia"}, {"email": "nobody"}])
def test_what_was_typed_wrong_is_named_and_not_repeated(browser: FlaskClient, wrong: dict[str, str]) -> None:
    answer = browser.post("/applications", data=ANA | wrong)
    ((field, typed),) = wrong.items()
    assert answer.status_code == 400
    assert field in answer.text
    assert typed not in answer.text


def test_an_address_that_nobody_was_given(browser: FlaskClient) -> None:
    assert browser.post("/idv/fake/invented/events", json={}).status_code == 404


def test_an_application_that_nobody_made(browser: FlaskClient) -> None:
    assert browser.get("/applications/APP-9").status_code == 404
