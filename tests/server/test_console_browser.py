"""The console in a real browser, with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from books import account
from playwright.sync_api import Page
from server.browsing import chromium, needs_chromium
from server.operators import PASSWORD, V
from server.running import Running

from idv_core import Secret
from idv_core.server import reviews
from idv_core.server.console import users
from idv_core.server.console.routes import routes


@pytest.fixture
def accounts() -> list[Any]:
    return [account("a", "doubting")]


SCREENS = {"laptop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 640}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=[(screen, scheme) for screen in SCREENS for scheme in ("light", "dark")], ids="-".join)
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    screen, scheme = request.param
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme, java_script_enabled=True)
    yield context.new_page()
    context.close()


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has that name is focused, as somebody does who has no mouse."""
    for _ in range(60):
        page.keyboard.press("Tab")
        # at once, for a page that renews itself takes the focus along
        focused, outline = page.evaluate(
            "() => { const e = document.activeElement;"
            " const name = e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].textContent) || e.textContent;"
            " return [(name || '').trim(), getComputedStyle(e).outlineStyle] }"
        )
        if focused == name:
            assert outline != "none", f"{name}: no focus is seen"
            return
    raise AssertionError(f"Tab does not come to {name!r}")


# What is seen of a page: luminance of text against what is behind it (WCAG 2.2, 1.4.3), labels, headings, width.
FAULTS = """() => {
  const faults = [];
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3]) return c; } return [255, 255, 255]; };
  for (const e of document.querySelectorAll('main *, header *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faults.push('contrast ' + ((a + .05) / (b + .05)).toFixed(2) + ': ' + e.textContent.trim().slice(0, 30));
  }
  for (const e of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
    if (!e.labels.length && !e.getAttribute('aria-label')) faults.push('no label: ' + e.name);
  for (const e of document.querySelectorAll('button, a[href]'))
    if (!(e.textContent.trim() || e.getAttribute('aria-label'))) faults.push('no name: ' + e.outerHTML);
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  if (new Set(ids).size !== ids.length) faults.push('an id twice');
  for (const e of document.querySelectorAll('[aria-labelledby], [aria-describedby]'))
    for (const id of ((e.getAttribute('aria-labelledby') || '') + ' ' + (e.getAttribute('aria-describedby') || '')).split(' ').filter(Boolean))
      if (!document.getElementById(id)) faults.push('nothing is called ' + id);
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  if (!document.documentElement.lang) faults.push('no language');
  if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the screen: ' + document.documentElement.scrollWidth);
  for (const e of document.querySelectorAll('.wide')) if (e.tabIndex !== 0) faults.push('a region that scrolls and has no focus');
  return faults;
}"""


@needs_chromium
@pytest.mark.long
class TestInABrowser:
    def test_the_review_desk_with_the_keyboard_alone(self, running: Running, doubtful: str, page: Page) -> None:
        users.add(running.ledger.store, "ana", users.ROLES, Secret(PASSWORD))
        seen: list[str] = []
        page.on("console", lambda message: seen.append(message.text))
        page.goto(f"{running.url}/console/review")
        page.wait_for_function("document.activeElement.id === 'name'")
        page.keyboard.type("ana")
        tab_to(page, "Password")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{running.url}/console/review")
        tab_to(page, "APP-1")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{doubtful}")
        tab_to(page, "Claim it")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Approve")
        tab_to(page, "Reason")
        page.keyboard.type("Both documents are hers")
        tab_to(page, "Decline")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Reason: Both documents are hers")
        assert [event.actor for event in running.ledger.events(doubtful) if event.kind == "reviewed"] == ["user:ana"]
        assert seen == [], "the browser refuses something of the page"

    def test_every_page_is_readable(self, running: Running, doubtful: str, page: Page) -> None:
        faults: dict[str, Any] = {}
        page.goto(f"{running.url}/console/login")
        faults["login"] = page.evaluate(FAULTS)
        users.add(running.ledger.store, "ana", users.ROLES, Secret(PASSWORD))
        page.fill("#name", "ana")
        page.fill("#password", PASSWORD)
        page.click("text=Log in >> nth=-1")
        page.wait_for_url("**/console")
        paths = [route.path for route in routes() if "GET" in (route.methods or ()) and "{" not in route.path]
        pages = [
            path
            for path in paths
            if path.startswith("/console") and not any(word in path for word in ("static", "login", "csv"))
        ]
        for path in (*pages, f"{V}/{doubtful}"):
            page.goto(running.url + path)
            faults[path] = page.evaluate(FAULTS)
        page.click("text=Show personal data")
        page.wait_for_selector("text=Meera Iyer")
        faults["unmasked"] = page.evaluate(FAULTS)
        page.goto(f"{running.url}/console/verifications/nobody")
        faults["error"] = page.evaluate(FAULTS)
        assert {name: found for name, found in faults.items() if found} == {}


@pytest.fixture
def desk(browser: Any, running: Running) -> Iterator[Callable[..., Page]]:
    """Opens the console for somebody, with the script or without."""
    contexts = []

    def opened(name: str, *, script: bool = True) -> Page:
        users.add(running.ledger.store, name, users.ROLES, Secret(PASSWORD))
        context = browser.new_context(viewport=SCREENS["laptop"], java_script_enabled=script)
        contexts.append(context)
        page: Page = context.new_page()
        page.goto(f"{running.url}/console/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.wait_for_url("**/console")
        return page

    yield opened
    for context in contexts:
        context.close()


@needs_chromium
class TestWithTheScriptAndWithout:
    def test_parts_are_exchanged_and_the_page_stays(
        self, running: Running, doubtful: str, desk: Callable[..., Page]
    ) -> None:
        page = desk("ana")
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(f"{running.url}{V}")
        # what only this very page knows, until another one is loaded
        page.evaluate("document.body.dataset.same = 'yes'")
        page.fill("#text", "APP-9")
        page.wait_for_selector("text=Nothing fits")
        assert page.inner_text("#count") == "0 found."
        page.fill("#text", "APP-")
        page.wait_for_selector("#found >> text=APP-1")
        assert "text=APP-" in page.url
        assert page.evaluate("document.body.dataset.same") == "yes"

        page.click("text=APP-1")
        page.wait_for_selector("h2:text-is('Review')")
        page.evaluate("document.body.dataset.same = 'yes'")
        page.click("text=Claim it")
        page.wait_for_selector("#reason")
        assert page.evaluate("document.activeElement.id") == "review", "who hears the page is told where they are"
        assert "Policy: ? review" in page.inner_text("#state"), "no part takes what belongs to another"
        page.fill("#reason", "It is her")
        page.click("button:text-is('Approve')")
        page.wait_for_selector("text=Reason: It is her")
        page.click("text=Show personal data")
        page.wait_for_selector("text=Meera Iyer")
        assert page.evaluate("document.body.dataset.same") == "yes"
        assert page.url.endswith(doubtful), "loaded again it is masked again"
        stored = page.evaluate("JSON.stringify([localStorage, sessionStorage])")
        assert "Meera" not in stored, "no page is kept in the browser"
        assert refused == []

    def test_the_queue_shows_what_others_do(self, running: Running, doubtful: str, desk: Callable[..., Page]) -> None:
        page = desk("ana")
        page.goto(f"{running.url}/console/review")
        assert "nobody" in page.inner_text("#queue")
        page.focus("text=APP-1")
        reviews.claim(running.ledger, doubtful, "ben")
        page.wait_for_selector("#queue >> text=ben")
        assert page.evaluate("document.activeElement.textContent") == "APP-1", "the focus stays where it was"
        # a session that is over does not leave an empty page behind
        users.remove(running.ledger.store, "ana")
        page.wait_for_url("**/console/login?next=/console/review")

    def test_all_of_it_works_without_the_script(
        self, running: Running, doubtful: str, desk: Callable[..., Page]
    ) -> None:
        page = desk("ana", script=False)
        page.goto(f"{running.url}{V}")
        page.fill("#text", "APP-")
        page.click("text=Find")
        page.click("text=APP-1")
        page.click("text=Claim it")
        page.fill("#reason", "It is her")
        page.click("button:text-is('Approve')")
        page.wait_for_selector("text=Reason: It is her")
        page.click("text=Show personal data")
        page.wait_for_selector("text=Meera Iyer")
        page.goto(f"{running.url}/console/routes")
        page.fill("#product", "wallet")
        page.click("button:text-is('Explain')")
        page.wait_for_selector("text=Goes to")
