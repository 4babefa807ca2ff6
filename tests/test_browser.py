"""The hosted pages, walked to their end in real Chromium by somebody who reads labels and presses buttons."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright
from starlette.applications import Starlette

from idv_core import Applicant, Decision, FlowOrder, Gateway, Secret
from idv_core.clock import SystemClock
from idv_core.config import Account, Webhooks
from idv_core.registry import discover
from idv_core.testing import PEOPLE, make_specimen, serve
from idv_core.testing.emulation import load_emulation
from idv_core.webhooks import WebhookApp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 568}}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        CHROMIUM is None, reason="NOT TESTED: no chromium here; install it with: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=SCREENS)
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=SCREENS[request.param], has_touch=request.param == "phone")
    yield context.new_page()
    context.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[[str, str], Path]:
    def picture(kind: str, person: str) -> Path:
        path = tmp_path / f"{kind}-{person}.png"
        path.write_bytes(make_specimen(kind, PEOPLE[person]))
        return path

    return picture


def fits(page: Page) -> None:
    """Nothing sticks out to the side, every field has its label, every button can be hit with a thumb."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    assert page.evaluate("[...document.querySelectorAll('input')].every(field => field.labels.length > 0)")


def press(page: Page, name: str) -> None:
    fits(page)
    page.get_by_role("button", name=name).click()


def walk_verigram(page: Page, picture: Callable[[str, str], Path]) -> None:
    page.get_by_label("I agree").check()
    press(page, "Begin")
    page.get_by_label("Picture of your identity document").set_input_files(picture("selfie", "aigerim"))
    press(page, "Continue")
    assert "not a document" in page.get_by_role("alert").inner_text()
    page.get_by_label("Picture of your identity document").set_input_files(picture("kz-id", "aigerim"))
    press(page, "Continue")
    page.get_by_label("Picture of your face").set_input_files(picture("selfie", "aigerim"))
    press(page, "Finish")


def walk_verifik(page: Page, picture: Callable[[str, str], Path]) -> None:
    assert page.get_by_label("E-mail").input_value() == "ana@example.org"
    page.get_by_label("I agree").check()
    press(page, "Continue")
    page.get_by_label("Code").fill("000001")
    press(page, "Continue")
    assert "Please try again" in page.get_by_role("alert").inner_text()
    page.get_by_label("Code").fill("123456")
    press(page, "Continue")
    page.get_by_label("Picture of your identity document").set_input_files(picture("cedula", "ana"))
    press(page, "Continue")
    page.get_by_label("Picture of your face").set_input_files(picture("selfie", "ana"))
    press(page, "Finish")


def walk_document_and_face(page: Page, picture: Callable[[str, str], Path]) -> None:
    page.get_by_label("Picture of your identity document").set_input_files(picture("selfie", "ana"))
    press(page, "Continue")
    assert "Please take another picture" in page.get_by_role("alert").inner_text()
    page.get_by_label("Picture of your identity document").set_input_files(picture("passport", "ana"))
    press(page, "Continue")
    page.get_by_label("Picture of your face").set_input_files(picture("selfie", "ana"))
    press(page, "Continue")


def walk_persona(page: Page, picture: Callable[[str, str], Path]) -> None:
    page.locator("input[type=file]").set_input_files(picture("selfie", "ana"))
    press(page, "Continue")
    assert "Please take another picture" in page.get_by_role("alert").inner_text()
    page.locator("input[type=file]").set_input_files(picture("passport", "ana"))
    press(page, "Continue")
    page.locator("input[type=file]").set_input_files(picture("selfie", "ana"))
    press(page, "Continue")


def walk_plaid(page: Page, picture: Callable[[str, str], Path]) -> None:
    page.get_by_label("Plaid may use my data to verify who I am").check()
    press(page, "Continue")
    page.get_by_label("Date of birth (year-month-day)").fill(PEOPLE["ana"].birthdate.isoformat())
    press(page, "Continue")
    page.get_by_label("Picture of your identity document").set_input_files(picture("passport", "ana"))
    press(page, "Continue")
    page.get_by_label("Picture of your face").set_input_files(picture("selfie", "ana"))
    press(page, "Continue")


ANA = Applicant(reference="CUST-1", given_name="Ana", family_name="Ruiz", email="ana@example.org", country="CO")
WALKS = {
    "onfido": walk_document_and_face,
    "persona": walk_persona,
    "plaid": walk_plaid,
    "stripe": walk_document_and_face,
    "verifik": walk_verifik,
    "verigram": walk_verigram,
}


@pytest.mark.parametrize(("vendor", "walk"), WALKS.items())
def test_an_applicant_walks_to_the_end(
    page: Page, pictures: Callable[[str, str], Path], vendor: str, walk: Callable[..., None]
) -> None:
    emulation = load_emulation(discover().plugin(vendor), SystemClock(), timedelta(seconds=0.02))
    assert emulation is not None
    platform = Starlette()
    with serve(emulation.emulator.app, emulation.emulator.tick) as served, serve(platform) as ours:
        settings = emulation.settings(served.url)
        if vendor == "verifik":
            form = {"email": True, "emailGateway": "mailgun"}
            steps = {"signUpForm": "mandatory", "document": "mandatory", "liveness": "mandatory"}
            settings["project_flow"] = emulation.emulator.add_project_flow(  # type: ignore[attr-defined]
                signUpForm=form, steps=steps, documents={}, integrations={"redirectUrl": f"{ours.url}/back"}
            )
        webhooks = Webhooks(f"{ours.url}/idv", Secret("key-of-the-tests-0123456789abcdef"))
        account = Account(vendor, vendor, settings, polling=emulation.polling, test=True)
        with Gateway([account], webhooks=webhooks) as idv:
            platform.mount("/idv", WebhookApp(idv))
            flow = idv.open(FlowOrder(product="wallet", application_id="APP-1", applicant=ANA))
            assert flow.link is not None
            page.goto(flow.link.url.reveal())
            assert "nothing here is real" in page.inner_text("body")
            walk(page, pictures)
            if vendor != "plaid":  # nobody tells Plaid where to go back to
                page.wait_for_url(f"{ours.url}/**")
            if vendor == "verigram":
                assert "You can close this window" in page.inner_text("body")
            result = idv.wait(flow, deadline=timedelta(seconds=20))
    assert result.decision is Decision.APPROVED, [str(reason) for reason in result.reasons]
