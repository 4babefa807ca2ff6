"""Every page of the console by axe-core: light, dark, and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from server.browsing import chromium, log_in, needs_chromium
from server.house import V, furnished, pages

_LONG = "An invented text that is rather long and has no place to break: " + "x" * 60
_LAPTOP, _PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
_ALL: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
_COLOURS = {**_ALL, "runOnly": ["color-contrast"]}
# what else can change with the width; the rest of the page is the same
_WIDTH = {**_ALL, "runOnly": ["color-contrast", "scrollable-region-focusable", "link-in-text-block", "target-size"]}


def issues(page: Page, axe: Axe, where: str) -> list[str]:
    found = []
    page.evaluate(axe.axe_script)
    for scheme, size, rules in (("light", _LAPTOP, _ALL), ("dark", _LAPTOP, _COLOURS), ("light", _PHONE, _WIDTH)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for one in page.evaluate("rules => axe.run(document, rules)", rules)["violations"]:
            if one["impact"] in ("serious", "critical"):
                places = ", ".join(node["html"][:100] for node in one["nodes"][:3])
                found.append(f"{where} ({scheme}, {size['width']} px): {one['id']}: {one['help']}: {places}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{where} ({scheme}, {size['width']} px): wider than the screen")
    return found


@needs_chromium
@pytest.mark.long
def test_no_page_has_a_serious_issue(tmp_path: Path) -> None:
    axe, found = Axe(), []
    with furnished(_LONG, tmp_path) as house, chromium() as browser:
        visits = house.visits()
        assert visits.keys() == pages(), "a page that nobody looks at: give it a visit in house.py"
        page = browser.new_page()
        page.goto(f"{house.url}/console/login")
        found += issues(page, axe, "login")
        page.get_by_label("Name").fill("nobody")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector("[role=alert]")
        found += issues(page, axe, "login, refused")
        log_in(page, house.url, "ana", house.user("ana", "review", "operate", "personal"))
        for path in [path for all_of_it in visits.values() for path in all_of_it]:
            page.goto(house.url + path)
            found += issues(page, axe, path)
        page.goto(f"{house.url}{V}/{house.ids['waiting']}")
        page.get_by_role("button", name="Show personal data").click()
        page.wait_for_selector("text=Personal data is shown")
        found += issues(page, axe, "unmasked")
        page.goto(f"{house.url}/console/accounts")
        page.get_by_role("button", name="Check").click()
        page.wait_for_selector("[role=status]")
        found += issues(page, axe, "credentials checked")
    assert found == []
