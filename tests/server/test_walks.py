"""What operators do all day, done in Chromium: with JavaScript, and without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from server.browsing import chromium, log_in, needs_chromium
from server.house import House, furnished

from idv_core.ledger import State

TEXT = "invented"


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_context(java_script_enabled=request.param).new_page()
        page.set_default_timeout(15_000)
        expect.set_options(timeout=15_000)
        yield page


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
    page.get_by_role("heading", level=1).wait_for()


def history(page: Page) -> str:
    return page.locator("section", has=page.get_by_role("heading", name="Timeline")).inner_text()


def find(page: Page, name: str) -> None:
    """From the list to the one verification of that application."""
    go(page, "Verifications")
    page.get_by_label("Id, application or flow").fill(f"{name} {TEXT}")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name=f"{name} {TEXT}").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{name} {TEXT}")


def walk_review(page: Page) -> None:
    """Read why it waits, claim it, and propose what is to become of it."""
    go(page, "Review")
    page.get_by_role("link", name=f"waiting {TEXT}").click()
    text = history(page)
    assert text.index("ordered") < text.index("opened") < text.index("decided")
    assert "Meera" not in page.content()
    page.get_by_role("button", name="Claim it").click()
    expect(page.get_by_label("Or ask for")).to_have_value("utility_statement")
    page.get_by_label("Reason").fill("The tax card is another person's")
    page.get_by_role("button", name="Propose to decline").click()
    expect(page.locator("main")).to_contain_text("Another person must confirm it")
    assert page.get_by_role("button", name=re.compile("Claim|Confirm")).count() == 0


def walk_confirmation(page: Page) -> None:
    """The second person sees the reason, and confirms."""
    go(page, "Review")
    page.get_by_role("link", name=f"waiting {TEXT}").click()
    expect(page.locator("main")).to_contain_text("ana proposes")
    page.get_by_role("button", name="Claim it").click()
    expect(page.locator("main")).to_contain_text("The tax card is another person's")
    page.get_by_role("button", name="Confirm: declined").click()
    expect(page.locator("main")).to_contain_text("confirmed by ben")
    go(page, "Review")
    expect(page.locator("main")).not_to_contain_text(f"waiting {TEXT}")


def walk_routes(page: Page) -> None:
    """Where an order would go."""
    go(page, "Routes")
    page.get_by_label("Product").fill("anything")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("status")).to_contain_text("Goes to telling-1")


def walk_unmask(page: Page) -> None:
    find(page, "asked")
    assert "Meera" not in page.content()
    page.get_by_role("button", name="Show personal data").click()
    expect(page.locator("main")).to_contain_text("Meera Iyer")
    find(page, "asked")
    assert "Meera" not in page.content()
    assert "unmasked by user:ana" in history(page)


def walk_unknown(page: Page) -> None:
    """What nobody knows is given up."""
    go(page, "Trouble")
    page.get_by_role("link", name=f"unknown {TEXT}").click()
    expect(page.locator("main")).to_contain_text("Nobody has its link")
    page.get_by_role("button", name="Give up").click()
    expect(page.locator("main")).to_contain_text("resolution by user:ana")
    # the tracker carries it out
    while page.locator("#state").get_by_text("failed").count() == 0:
        page.reload()
    assert "resolution by user:ana" in history(page)


def walk_redelivery(page: Page) -> None:
    """A dead letter is sent once more."""
    go(page, "Trouble")
    again = page.get_by_role("button", name=re.compile("Send .* again"))
    before = again.count()
    again.first.click()
    expect(again).to_have_count(before - 1)


@needs_chromium
@pytest.mark.long
def test_an_operator_comes_through_a_day(page: Page, tmp_path: Path) -> None:
    with furnished(TEXT, tmp_path) as house:
        page.goto(house.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        log_in(page, house.url, "ana", house.user("ana", "review", "operate", "personal"))
        walk_review(page)
        walk_unmask(page)
        walk_unknown(page)
        walk_redelivery(page)
        walk_figures(page)
        walk_routes(page)
        page.get_by_role("button", name="Log out").click()
        log_in(page, house.url, "ben", house.user("ben", "review"))
        walk_confirmation(page)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        page.goto(f"{house.url}/console")
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        check(house)


def walk_figures(page: Page) -> None:
    """The report divided by another thing, and an account whose credentials are tried."""
    go(page, "Performance")
    page.get_by_label("country").check()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row", name=re.compile("telling-1 IN")).first).to_be_visible()
    go(page, "Accounts")
    page.get_by_role("button", name="Check the credentials of telling-1").click()
    expect(page.get_by_role("status")).to_contain_text("telling-1")


def check(house: House) -> None:
    """The ledger tells the same story."""
    done = [
        (name, event.kind, event.actor)
        for name, id in house.ids.items()
        for event in house.ledger.events(id)
        if event.actor in ("user:ana", "user:ben") and event.kind != "redelivered"
    ]
    assert done == [
        ("waiting", "review_claimed", "user:ana"),
        ("waiting", "review_proposed", "user:ana"),
        ("waiting", "review_claimed", "user:ben"),
        ("waiting", "review_confirmed", "user:ben"),
        ("waiting", "reviewed", "user:ben"),
        ("waiting", "vendor_told", "user:ben"),
        ("asked", "unmasked", "user:ana"),
        ("unknown", "resolution", "user:ana"),
    ]
    assert house.ledger.get(house.ids["unknown"]).state is State.FAILED
    assert house.ledger.verify().problems == ()
