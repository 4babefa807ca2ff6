"""The FastAPI app, tested with the vendor that obeys."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from fastapi_app import make_app

from idv_core import AsyncGateway
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
def gateway(fake_vendor: FakeVendor) -> AsyncGateway:
    return fake_vendor.async_gateway()


@pytest.fixture
def browser(fake_vendor: FakeVendor, gateway: AsyncGateway) -> Iterator[TestClient]:
    app = make_app(gateway)
    fake_vendor.deliver_to(app)
    with TestClient(app, follow_redirects=False) as client:
        yield client


def only_flow(fake_vendor: FakeVendor) -> str:
    (id,) = fake_vendor.verifications
    return f"fake/{id}"


def test_the_applicant_is_sent_to_the_vendors_page_and_approved(browser: TestClient, fake_vendor: FakeVendor) -> None:
    answer = browser.post("/applications", json=ANA)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("https://vendor.example/go/")
    assert browser.get("/applications/APP-1").json() == {
        "approved": False,
        "told": ["Your verification is not finished yet. Open your link and complete the steps."],
        "news": False,
    }
    fake_vendor.decide(only_flow(fake_vendor), "approved")
    told = browser.get("/applications/APP-1", params={"language": "pt-BR"}).json()
    assert told == {
        "approved": True,
        "told": ["Sua identidade foi confirmada. Você não precisa fazer mais nada."],
        "news": True,
    }


def test_a_webhook_to_the_address_for_all_applications(
    browser: TestClient, gateway: AsyncGateway, fake_vendor: FakeVendor
) -> None:
    browser.post("/applications", json=ANA)
    (id,) = fake_vendor.verifications
    address = urlsplit(gateway.webhook_url("fake", "events").reveal())
    assert browser.post(address.path, json={"event": "finished", "id": id}).status_code == 200
    assert browser.get("/applications/APP-1").json()["news"] is True


def test_a_vendor_that_has_had_enough(browser: TestClient, fake_vendor: FakeVendor) -> None:
    fake_vendor.fail(next="open", error=RateLimited)
    assert browser.post("/applications", json=ANA).status_code == 503
    assert browser.post("/applications", json=ANA).status_code == 303


def test_what_was_typed_wrong_is_named_and_not_repeated(browser: TestClient) -> None:
    answer = browser.post("/applications", json=ANA | {"country": "Colombia"})
    assert answer.status_code == 422
    assert "country" in answer.text
    assert "Colombia" not in answer.text


def test_an_application_that_nobody_made(browser: TestClient) -> None:
    assert browser.get("/applications/APP-9").status_code == 404
