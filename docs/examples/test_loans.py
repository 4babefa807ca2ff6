"""The Django app, tested with Django's client and the vendor that obeys."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import django
import pytest

HOME = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "loans.settings",
    "DJANGO_SECRET_KEY": "only for these tests",
    "IDV_LEDGER_KEY": "k" * 32,
    "LOANS_HOME": HOME.name,
}
django.setup()

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.test import Client
from loans import verification
from loans.models import Loan

from idv_core import OutcomeUnknown, Secret
from idv_core.errors import InvalidOrder, RateLimited, VendorError, VendorUnavailable
from idv_core.ledger import Ledger
from idv_core.testing import PEOPLE, FakeVendor, make_specimen
from idv_core.tracker import Tracker

ANA = {"given_name": "Ana", "family_name": "Ruiz", "email": "ana@example.org", "country": "CO"}


@pytest.fixture(scope="module", autouse=True)
def database() -> Iterator[None]:
    call_command("migrate", run_syncdb=True, verbosity=0)
    yield
    HOME.cleanup()


@pytest.fixture(autouse=True)
def wired(fake_vendor: FakeVendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One gateway, one ledger and one tracker, with the vendor's clock."""
    gateway = fake_vendor.gateway()
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", keys=[Secret("k" * 32)], clock=fake_vendor.clock)
    tracker = Tracker(gateway, ledger, on_decided=verification.decided)
    for name, made in (("gateway", gateway), ("ledger", ledger), ("tracker", tracker)):
        monkeypatch.setattr(verification, name, lambda made=made: made)
    monkeypatch.setattr("loans.management.commands.track.tracker", lambda: tracker)
    yield
    tracker.stop()
    ledger.close()
    Loan.objects.all().delete()


@pytest.fixture
def browser() -> Client:
    return Client(HTTP_HOST="platform.example")


def track() -> None:
    call_command("track", once=True)


def applied(browser: Client) -> str:
    """Ana applies; her page."""
    answer = browser.post("/", ANA)
    assert answer.status_code == 302
    return answer["location"]


def test_the_applicant_is_sent_to_the_vendors_page_and_a_webhook_brings_the_decision(
    browser: Client, fake_vendor: FakeVendor
) -> None:
    fake_vendor.deliver_to(get_wsgi_application(), wsgi=True)
    page = applied(browser)
    assert "One moment" in browser.get(page).content.decode()
    track()
    assert "Verify your identity" in browser.get(page).content.decode()
    assert browser.get(f"{page}/go")["location"].startswith("https://vendor.example/go/")
    (id,) = fake_vendor.verifications
    fake_vendor.decide(f"fake/{id}", "approved")
    track()
    loan = Loan.objects.get()
    assert (loan.state, loan.decision) == ("decided", "approved")
    assert loan.flow_ref.startswith(f"fake/{id}")
    assert "Your identity is confirmed" in browser.get(page).content.decode()


def test_documents_come_by_a_form(browser: Client, fake_vendor: FakeVendor) -> None:
    page = applied(browser)
    track()
    ana = PEOPLE["ana"]
    files = {
        "document": SimpleUploadedFile("passport.png", make_specimen("passport", ana)),
        "selfie": SimpleUploadedFile("selfie.png", make_specimen("selfie", ana)),
    }
    assert browser.post(f"{page}/documents", files).status_code == 302
    (id,) = fake_vendor.verifications
    assert fake_vendor.uploaded(f"fake/{id}") == ("document", "selfie")


@pytest.mark.parametrize(
    ("error", "told"), [(InvalidOrder, "does not take these files"), (RateLimited, "Try again in a minute")]
)
def test_files_that_the_vendor_did_not_take(
    browser: Client, fake_vendor: FakeVendor, error: type[VendorError], told: str
) -> None:
    page = applied(browser)
    track()
    fake_vendor.fail(next="upload", error=error)
    answer = browser.post(f"{page}/documents", {"document": BytesIO(b"a picture"), "selfie": BytesIO(b"a picture")})
    assert answer.status_code == 400
    assert told in answer.content.decode()


def test_a_vendor_that_is_down_loses_no_application(browser: Client, fake_vendor: FakeVendor) -> None:
    page = applied(browser)
    fake_vendor.fail(next="open", error=VendorUnavailable)
    track()
    assert "One moment" in browser.get(page).content.decode()
    fake_vendor.clock.advance(600)
    track()
    assert "Verify your identity" in browser.get(page).content.decode()


def test_an_answer_that_was_lost_opens_nothing_twice(browser: Client, fake_vendor: FakeVendor) -> None:
    applied(browser)
    fake_vendor.fail(next="open", error=OutcomeUnknown, done=True)
    for _ in range(3):
        track()
        fake_vendor.clock.advance(600)
    assert len(fake_vendor.verifications) == 1


def test_an_application_whose_process_died_after_the_commit_is_taken_later(fake_vendor: FakeVendor) -> None:
    Loan.objects.create(**ANA)
    assert verification.take_missing() == 1
    assert verification.take_missing() == 0
    track()
    assert len(fake_vendor.verifications) == 1


def test_what_was_typed_wrong_is_named(browser: Client) -> None:
    answer = browser.post("/", ANA | {"country": "ZZ"})
    assert answer.status_code == 400
    assert re.search("country", answer.content.decode())
    assert Loan.objects.count() == 0


def test_an_address_that_nobody_was_given(browser: Client) -> None:
    assert browser.post("/idv/fake/invented/events", {}).status_code == 404
