"""The console: who may do what, what stands on the pages, and the review desk with a keyboard in a real browser."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest
from acme import Acme as AcmeItself
from acme import AcmeSettings
from books import CALLING, account
from playwright.sync_api import Page, sync_playwright
from server.running import ORDER, Running
from sqlalchemy import update

from idv_core import Flow, Result, Secret
from idv_core.ledger import State
from idv_core.ledger.store import connect
from idv_core.ledger.tables import deliveries
from idv_core.model import Check, DocumentEvidence, ExtractedField, FlowStatus, Review
from idv_core.plugin.http import Exchange, Request
from idv_core.plugin.spec import Plugin
from idv_core.registry import registry_of
from idv_core.server.console import users
from idv_core.server.console.routes import routes
from idv_core.server.console.web import ConsoleOptions
from idv_core.server.migrating import migrate

PASSWORD = "an invented password"
EVIL = "<script>alert('x')</script>"
V = "/console/verifications"


@attrs.frozen
class Doubting(AcmeItself):
    """Acme whose evidence ends in review: two documents that differ. It takes a person's decision."""

    def result(self, flow: Flow) -> Exchange[Result]:
        reply = yield Request.get("/flows/{}", flow.id)
        if reply.json().get("status") != "good":
            return Result(flow=attrs.evolve(flow, status=FlowStatus.PROCESSING))
        names = (("passport", "Meera Iyer"), ("tax_card", EVIL))
        documents = [
            DocumentEvidence(
                document_id=kind, type=kind, fields=[ExtractedField(name="name", value=name, vendor_name="n")]
            )
            for kind, name in names
        ]
        check = Check(kind="document", name="authenticity", outcome="inconclusive", vendor_name=EVIL)
        return Result(flow=attrs.evolve(flow, status=FlowStatus.FINISHED), checks=[check], documents=documents)

    def review(self, flow: Flow, review: Review) -> Exchange[Flow]:
        yield Request.post("/flows/{}/review", flow.id, json={"outcome": review.outcome.value, "by": review.author})
        return flow


DOUBTING = Plugin(name="doubting", summary="invented", settings=AcmeSettings, create=Doubting, adapters=(Doubting,))


@pytest.fixture
def registry() -> Any:
    return registry_of(DOUBTING, CALLING)


@pytest.fixture
def accounts() -> list[Any]:
    return [account("a", "doubting")]


def visitor(running: Running, **headers: str) -> httpx.Client:
    client = httpx.Client(base_url=running.url, headers=headers, follow_redirects=True, timeout=30)
    running.clients.append(client)
    return client


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found is not None, page
    return found[1]


def log_in(running: Running, name: str, *roles: str) -> httpx.Client:
    users.add(running.ledger.store, name, roles, Secret(PASSWORD))
    client = visitor(running)
    fields = {"csrf": csrf(client.get("/console").text), "name": name, "password": PASSWORD, "next": "/console"}
    assert "Log out" in client.post("/console/login", data=fields).text
    return client


def press(client: httpx.Client, page: str, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data={"csrf": csrf(client.get(page).text), **fields})


@pytest.fixture
def doubtful(running: Running) -> str:
    """A verification that waits for a person."""
    made = running.decided()
    assert made.decision == "review"
    return made.id


class TestWhoMayComeIn:
    @pytest.mark.parametrize("route", routes(), ids=lambda route: f"{sorted(route.methods)[-1]} {route.path}")
    def test_strangers_see_the_login_alone(self, running: Running, route: Any) -> None:
        if not route.path.startswith("/console") or "login" in route.path or "static" in route.path:
            return
        path = route.path.replace("{id}", "x").replace("{name}", "a")
        method = "POST" if "POST" in route.methods else "GET"
        answer = httpx.request(method, running.url + path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/console/login")

    @pytest.mark.parametrize(
        "route", [one for one in routes() if "POST" in one.methods and "log" not in one.path], ids=lambda one: one.path
    )
    def test_who_only_looks_changes_nothing(self, running: Running, doubtful: str, route: Any) -> None:
        client = log_in(running, "ana")
        before = len(running.ledger.events(doubtful))
        path = route.path.replace("{id}", doubtful).replace("{name}", "a")
        assert press(client, "/console", path, outcome="approved", reason="x", what="give_up").status_code == 403
        assert len(running.ledger.events(doubtful)) == before

    @pytest.mark.parametrize("route", [one for one in routes() if "POST" in one.methods], ids=lambda one: one.path)
    def test_a_form_that_is_not_ours_does_nothing(self, running: Running, doubtful: str, route: Any) -> None:
        client = log_in(running, "ana", *users.ROLES)
        path = route.path.replace("{id}", doubtful).replace("{name}", "a")
        assert client.post(path, data={"csrf": "0" * 64, "outcome": "approved"}).status_code == 403
        token = csrf(client.get("/console").text)
        elsewhere = {"origin": "https://evil.example"}
        assert client.post(path, data={"csrf": token}, headers=elsewhere).status_code == 403
        assert client.post(path, data={"csrf": token}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert "Log out" in client.get("/console").text

    def test_wrong_passwords_are_counted(self, running: Running) -> None:
        users.add(running.ledger.store, "ana", [], Secret(PASSWORD))
        client = visitor(running)
        for _ in range(5):
            wrong = press(client, "/console/login", "/console/login", name="ana", password="guessed")
            assert wrong.status_code == 401
            assert "name or the password" in wrong.text
        right = press(client, "/console/login", "/console/login", name="ana", password=PASSWORD)
        assert right.status_code == 429

    def test_the_session_is_new_at_each_login_and_ends(self, running: Running) -> None:
        first, second = log_in(running, "ana"), log_in(running, "ben")
        assert first.cookies["idv_session"] != second.cookies["idv_session"]
        fixed = visitor(running, cookie="idv_session=chosen-by-somebody-else-0123456789")
        assert "Log out" not in fixed.get("/console").text
        kept = first.cookies["idv_session"]
        press(first, "/console", "/console/logout")
        assert "Log out" not in visitor(running, cookie=f"idv_session={kept}").get("/console").text
        users.remove(running.ledger.store, "ben")
        assert "Log out" not in second.get("/console").text

    def test_a_session_is_over_when_nobody_comes(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        client = log_in(running, "ana")
        monkeypatch.setattr(users, "IDLE", timedelta(0))
        assert "Log out" not in client.get("/console").text

    @pytest.mark.parametrize(
        "goal", ["https://evil.example/", "//evil.example", "/console/../x?y", "/\\evil.example", "/console@evil"]
    )
    def test_a_login_leads_nowhere_else(self, running: Running, goal: str) -> None:
        users.add(running.ledger.store, "ana", [], Secret(PASSWORD))
        client = httpx.Client(base_url=running.url)
        running.clients.append(client)
        fields = {"csrf": csrf(client.get("/console/login").text), "name": "ana", "password": PASSWORD, "next": goal}
        assert client.post("/console/login", data=fields).headers["location"] == "/console"

    def test_pages_run_no_script_and_are_not_kept(self, running: Running) -> None:
        answer = visitor(running).get("/console/login")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie


class TestAProxyThatSaysWhoItIs:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"console": ConsoleOptions(user_header="X-User", is_secure=True)}

    def test_its_header_names_the_user(self, running: Running) -> None:
        users.add(running.ledger.store, "ana", ["review"], None)
        assert "<h1>Overview</h1>" in visitor(running, **{"x-user": "ana"}).get("/console").text
        assert visitor(running, **{"x-user": "nobody"}).get("/console").status_code == 403
        assert visitor(running).get("/console").status_code == 403
        assert visitor(running).get("/console/login").status_code == 404

    def test_a_user_without_a_password_has_no_login(self, running: Running) -> None:
        users.add(running.ledger.store, "ana", [], None)
        assert users.with_password(running.ledger.store, "ana", "") is None


class TestAProxyThatIsNotTrusted:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"console": ConsoleOptions(user_header="X-User", trusted=frozenset({"192.0.2.1"}))}

    def test_its_header_is_not_believed(self, running: Running) -> None:
        users.add(running.ledger.store, "ana", ["review"], None)
        assert visitor(running, **{"x-user": "ana"}).get("/console").status_code == 403


class TestWhatStandsThere:
    def test_personal_data_is_masked_and_each_unmasking_is_an_event(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", "personal")
        page = client.get(f"{V}/{doubtful}").text
        assert "Meera" not in page
        assert "•••" in page
        assert "they differ" in page
        shown = press(client, f"{V}/{doubtful}", f"{V}/{doubtful}/unmasked").text
        assert "Meera Iyer" in shown
        assert [event.actor for event in running.ledger.events(doubtful) if event.kind == "unmasked"] == ["user:ana"]
        assert "Meera" not in client.get(f"{V}/{doubtful}").text

    def test_what_vendors_and_people_write_is_text(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", *users.ROLES)
        page = press(client, f"{V}/{doubtful}", f"{V}/{doubtful}/unmasked").text
        assert EVIL not in page
        assert html.escape(EVIL).replace("&#x27;", "&#39;") in page
        assert EVIL not in client.get(V, params={"text": EVIL, "product": f'"{EVIL}'}).text

    def test_the_page_tells_the_whole_story(self, running: Running, doubtful: str) -> None:
        page = log_in(running, "ana").get(f"{V}/{doubtful}").text
        for text in ("route &#39;all&#39;: matches", "document.authenticity", "inconclusive", "ordered", "opened"):
            assert text in page

    def test_the_list_is_searched_and_filtered(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana")
        assert doubtful in client.get(V, params={"text": "APP-1", "state": "decided", "decision": "review"}).text
        assert doubtful not in client.get(V, params={"state": "unknown"}).text
        assert doubtful not in client.get(V, params={"until": "2020-01-01"}).text
        wrong = client.get(V, params={"state": "nonsense"})
        assert (wrong.status_code, "state: is not one" in wrong.text) == (400, True)

    def test_the_overview_counts(self, running: Running, doubtful: str) -> None:
        page = log_in(running, "ana").get("/console").text
        assert "<b>1</b> wait for a person" in page
        assert running.client("read").get("/metrics").text.count("idv_review_waiting 1.0") == 1

    def test_the_report_is_a_page_and_a_file(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana")
        query = {"by": ["route", "document"], "since": "2020-01-01"}
        page = client.get("/console/performance", params=query).text
        assert '<th scope="row">all</th><td>passport</td>' in page
        path = html.unescape(re.search(r'href="(/console/performance.csv[^"]+)"', page)[1])  # type: ignore[index]
        file = client.get(path)
        assert file.headers["content-type"].startswith("text/csv")
        assert file.text.splitlines()[1].startswith("all,passport,1,1,1,1,1,0,0,1")
        assert client.get("/console/performance", params={"since": "yesterday"}).status_code == 400
        assert client.get("/console/performance.csv", params={"since": "yesterday"}).status_code == 400

    def test_credentials_are_checked(self, running: Running) -> None:
        client = log_in(running, "ana", "operate")
        assert "The credentials work" in press(client, "/console", "/console/accounts/a/check").text
        assert press(client, "/console", "/console/accounts/nobody/check").status_code == 404

    def test_erasing_needs_both_roles_and_a_tick(self, running: Running, doubtful: str) -> None:
        page, path = f"{V}/{doubtful}", f"{V}/{doubtful}/erasure"
        assert press(log_in(running, "ben", "operate"), page, path, sure="yes").status_code == 403
        client = log_in(running, "ana", "operate", "personal")
        assert press(client, page, path).status_code == 400
        press(client, page, path, sure="yes")
        running.until(doubtful, lambda now: now.erased_at)
        assert "was erased" in client.get(page).text


class TestTheReviewDesk:
    def test_a_decision_stands_beside_the_policys_and_is_told(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", "review")
        page = f"{V}/{doubtful}"
        assert "APP-1" in client.get("/console/review").text
        press(client, page, f"{page}/claim")
        after = press(client, page, f"{page}/review", outcome="approved", reason="The passport is Meera's").text
        assert "approved</span> by ana" in after
        assert "The passport is Meera" in after
        assert "APP-1" not in client.get("/console/review").text
        now = running.ledger.get(doubtful)
        assert now.decision == "review"
        said = running.client("read").get(f"/v1/verifications/{doubtful}").json()
        assert (said["decision"], said["review"]["outcome"], said["review"]["author"]) == ("review", "approved", "ana")
        running.until(doubtful, lambda _: any(one["type"] == "verification.reviewed" for one in running.messages))
        (told,) = [one for one in running.messages if one["type"] == "verification.reviewed"]
        assert told["data"]["review"] == {"outcome": "approved", "author": "ana"}
        # the vendor is told too, and nobody else learns the reason
        (sent,) = [one for one in running.town.shops["a"].requests if one.url.path.endswith("/review")]
        assert b'"approve"' in sent.content
        kinds = [event.kind for event in running.ledger.events(doubtful)]
        assert {"review_claimed", "reviewed", "vendor_told"} <= set(kinds)
        assert "passport" not in str([event.data for event in running.ledger.events(doubtful)])
        assert running.ledger.verify().problems == ()

    def test_what_one_has_another_cannot_take_until_it_is_free(
        self, running: Running, doubtful: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ana, ben = log_in(running, "ana", "review"), log_in(running, "ben", "review")
        page = f"{V}/{doubtful}"
        press(ana, page, f"{page}/claim")
        taken = press(ben, page, f"{page}/claim")
        assert (taken.status_code, "ana has it" in taken.text) == (409, True)
        assert press(ben, page, f"{page}/review", outcome="approved", reason="mine").status_code == 409
        monkeypatch.setattr("idv_core.server.reviews.CLAIMED", timedelta(0))
        assert press(ben, page, f"{page}/claim").status_code == 200
        assert press(ana, page, f"{page}/review", outcome="approved", reason="mine").status_code == 409

    def test_it_is_decided_once_and_with_a_reason(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", "review")
        page = f"{V}/{doubtful}"
        assert press(client, page, f"{page}/review", outcome="declined", reason="unclaimed").status_code == 409
        press(client, page, f"{page}/claim")
        for wrong in ({"reason": " "}, {"reason": "x" * 201}, {"outcome": "maybe", "reason": "x"}):
            assert press(client, page, f"{page}/review", **{"outcome": "declined", **wrong}).status_code == 422
        assert press(client, page, f"{page}/review", outcome="declined", reason="a mask").status_code == 200
        assert press(client, "/console", f"{page}/review", outcome="approved", reason="no").status_code == 409
        assert press(client, "/console", f"{page}/claim").status_code == 409

    def test_another_document_is_asked_for_by_name(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", "review")
        page = f"{V}/{doubtful}"
        press(client, page, f"{page}/claim")
        assert (
            press(client, page, f"{page}/review", outcome="another_document", document="x", reason="r").status_code
            == 422
        )
        fields = {"outcome": "another_document", "document": "passport", "reason": "unreadable"}
        assert "passport was asked for" in press(client, page, f"{page}/review", **fields).text
        running.until(
            doubtful, lambda _: any(one["type"] == "verification.document_requested" for one in running.messages)
        )
        assert "APP-1" in client.get("/console/review").text
        assert press(client, page, f"{page}/review", **fields).status_code == 409
        assert press(client, page, f"{page}/review", outcome="approved", reason="good now").status_code == 200

    def test_the_vendor_that_cannot_be_told_changes_nothing(self, running: Running, doubtful: str) -> None:
        running.town.shops["a"].answers["POST /flows/f-1/review"] = lambda request: httpx.Response(403)
        client = log_in(running, "ana", "review")
        page = f"{V}/{doubtful}"
        press(client, page, f"{page}/claim")
        assert "vendor not told" in press(client, page, f"{page}/review", outcome="approved", reason="good").text

    def test_the_reason_is_erased_with_the_rest(self, running: Running, doubtful: str) -> None:
        from idv_core.server import reviews

        client = log_in(running, "ana", "review")
        press(client, f"{V}/{doubtful}", f"{V}/{doubtful}/claim")
        press(client, f"{V}/{doubtful}", f"{V}/{doubtful}/review", outcome="approved", reason="good")
        assert reviews.reason_of(running.ledger.store, doubtful, 1) == "good"
        running.ledger.erase(doubtful, actor="user:ben")
        running.until(doubtful, lambda now: now.erased_at)
        assert reviews.reason_of(running.ledger.store, doubtful, 1) is None


class TestOnPostgreSQL(TestTheReviewDesk):
    """The same desk, and what else writes."""

    @pytest.fixture
    def database(self, postgresql: Callable[[], str]) -> str:
        address = postgresql()
        engine = connect(address)
        migrate(engine)
        engine.dispose()
        return address

    def test_keys_answers_and_erasure(self, running: Running, doubtful: str) -> None:
        client = running.client("verify", "read", "personal", "operate")
        headers = {"idempotency-key": "k-1"}
        first, again = (client.post("/v1/verifications", json=ORDER, headers=headers) for _ in range(2))
        assert again.json() == first.json()
        assert client.get("/v1/verifications", params={"text": "APP-1", "since": "2020-01-01T00:00:00Z"}).json()[
            "items"
        ]
        assert client.get(f"/v1/verifications/{doubtful}/result").json()["is_masked"] is False
        for odd in ("%00", "a%00", "%F0%9F%99%82", "x" * 26):
            assert client.get(f"/v1/verifications/{odd}").status_code == 404
        assert client.get("/v1/verifications", params={"text": "a\0b"}).status_code == 400
        strange = client.post(
            "/v1/verifications",
            content=b'{"product": "\\ud800", "application_id": "a", "applicant": {"reference": "r"}}',
            headers={"content-type": "application/json"},
        )
        assert strange.status_code == 422
        assert client.delete(f"/v1/verifications/{doubtful}/personal-data").status_code == 202
        assert 'idv_verifications{account="a",state="decided"} 1.0' in client.get("/metrics").text

    def test_names_with_odd_characters_are_refused(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", *users.ROLES)
        assert press(client, "/console", "/console/redelivery", message="a\0b").status_code == 400
        assert client.get(f"{V}/%00").status_code == 404


class TestTrouble:
    @pytest.fixture
    def accounts(self) -> list[Any]:
        return [account("a", "calling")]

    def test_what_is_unknown_is_resolved_and_what_is_dead_sent_again(self, running: Running) -> None:
        def broken(request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("nothing came")

        running.town.shops["a"].answers["POST /flows"] = broken
        id = running.client("verify").post("/v1/verifications", json=ORDER).json()["id"]

        def is_unknown(now: Any) -> bool:
            running.ledger.wake(id)
            return now.state is State.UNKNOWN

        running.until(id, is_unknown)
        client = log_in(running, "ana", "operate")
        page = client.get("/console/trouble").text
        assert "Nobody has its link" in page
        assert press(client, "/console/trouble", f"{V}/{id}/resolution", what="adopt").status_code == 400
        assert press(client, "/console/trouble", f"{V}/{id}/resolution", what="nonsense").status_code == 400
        press(client, "/console/trouble", f"{V}/{id}/resolution", what="give_up")
        assert running.until(id, lambda now: now.state.is_ended).state is State.FAILED
        running.until(id, lambda _: all(one.done_at for one in running.ledger.deliveries(id)))
        count, (first, *_) = len(running.messages), running.ledger.deliveries(id)
        with running.ledger.store.begin() as con:
            con.execute(
                update(deliveries)
                .where(deliveries.c.id == first.id)
                .values(done_at=None, dead_at=datetime.now().astimezone())
            )
        assert first.id in client.get("/console/trouble").text
        press(client, "/console/trouble", "/console/redelivery", message=first.id)
        running.until(id, lambda _: len(running.messages) > count)
        assert press(client, "/console/trouble", "/console/redelivery", message="msg_x").status_code == 404
        assert press(client, "/console/trouble", "/console/redelivery").status_code == 400


# in a browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENS = {"laptop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 640}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


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
        focused = page.evaluate(
            "() => { const e = document.activeElement;"
            " return (e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].textContent) || e.textContent || '').trim() }"
        )
        if focused == name:
            assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") != "none", (
                f"{name}: no focus is seen"
            )
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


@pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: no chromium here; install it with: apt-get install chromium")
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
