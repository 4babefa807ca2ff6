"""The console: who may do what, and what stands on the pages."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import httpx
import pytest
from books import account
from server.operators import EVIL, PASSWORD, V, csrf, log_in, press, visitor
from server.running import ORDER, Running
from sqlalchemy import update

from idv_core import Secret
from idv_core.ledger import State
from idv_core.ledger.tables import FORMAT, deliveries, verifications
from idv_core.model import Applicant, FlowOrder
from idv_core.policy import Policy, ReviewRules
from idv_core.server import reviews
from idv_core.server.console import listing, users
from idv_core.server.console.routes import routes
from idv_core.server.console.web import ConsoleOptions
from idv_core.server.tables import sessions


@pytest.fixture
def accounts() -> list[Any]:
    return [account("a", "doubting")]


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

    def test_pages_run_our_one_script_and_are_not_kept(self, running: Running) -> None:
        answer = visitor(running).get("/console/login")
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert "unsafe" not in str(policy)
        assert re.findall(r"<script[^>]*>", answer.text) == ['<script src="/console/static/htmx.min.js" defer>']
        assert '"allowEval": false' in answer.text
        assert '"historyCacheSize": 0' in answer.text, "pages would be kept in the browser's storage"
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
        twice = httpx.get(f"{running.url}/console", headers=[("x-user", "ana"), ("x-user", "ana")])
        assert twice.status_code == 403, "the proxy added its word to that of the browser"
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
        assert '<tr class="differs"><th scope="row">name</th>' in page
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
        assert client.get(V, params={"state": "decided", "utm": "x"}).status_code == 200, (
            "what others add is left alone"
        )
        wrong = client.get(V, params={"state": "nonsense"})
        assert (wrong.status_code, "state: must be one of " in wrong.text) == (400, True)

    def test_the_review_is_a_filter_too(self, running: Running, doubtful: str) -> None:
        client, api = log_in(running, "ana"), running.client("read")

        def found() -> list[str]:
            states = ("waiting", "proposed", "decided")
            on_pages = [state for state in states if doubtful in client.get(V, params={"review_state": state}).text]
            told = [
                state
                for state in states
                if api.get("/v1/verifications", params={"review_state": state}).json()["items"]
            ]
            assert on_pages == told
            return told

        assert found() == ["waiting"]
        reviews.claim(running.ledger, doubtful, "ben")
        strict = Policy(name="registered", review=ReviewRules(four_eyes=True))
        reviews.decide(running.ledger, doubtful, "ben", "approved", "good", policies=[strict])
        assert found() == ["proposed"]
        reviews.claim(running.ledger, doubtful, "cy")
        reviews.confirm(running.ledger, doubtful, "cy", "approved")
        assert found() == ["decided"]
        running.ledger.erase(doubtful, actor="user:ben")
        running.until(doubtful, lambda now: now.erased_at)
        assert found() == ["decided"], "what was decided stays so"

    @pytest.mark.parametrize("what", ["erased", "followed again"])
    def test_a_review_that_nobody_can_do_waits_for_nobody(self, running: Running, doubtful: str, what: str) -> None:
        def told() -> Any:
            return running.client("read").get(f"/v1/verifications/{doubtful}").json()["review_state"]

        assert told() == "waiting"
        if what == "erased":
            running.ledger.erase(doubtful, actor="user:ben")
            running.until(doubtful, lambda now: now.erased_at)
        else:
            with running.ledger.store.begin() as con:
                con.execute(
                    update(verifications).where(verifications.c.id == doubtful).values(state=State.AWAITING.value)
                )
        assert told() is None
        assert "Person:" not in log_in(running, "ana").get(f"{V}/{doubtful}").text

    def test_pages_go_both_ways(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "_MOST", 2)
        applicant = Applicant(reference="CUST-1", name="Meera Iyer")
        ids = sorted(
            running.ledger.take(FlowOrder(product="wallet", application_id=f"APP_{n}", applicant=applicant)).id
            for n in range(5)
        )
        client = log_in(running, "ana")

        def look(address: str) -> tuple[list[int], dict[str, str]]:
            text = client.get(address).text
            seen = [ids.index(id) for id in re.findall(r'href="/console/verifications/(\w{26})"', text)]
            return seen, {word: html.unescape(link) for link, word in re.findall(r'href="([^"]+)" rel="(\w+)"', text)}

        first, to = look(f"{V}?product=wallet&text=APP_")
        assert (first, set(to)) == ([4, 3], {"next"})
        second, to = look(to["next"])
        assert (second, set(to)) == ([2, 1], {"next", "prev"})
        third, back = look(to["next"])
        assert (third, set(back)) == ([0], {"prev"})
        assert look(back["prev"])[0] == [2, 1]
        assert look(to["prev"])[0] == [4, 3]
        # an odd number of newer ones: the first page is whole all the same
        assert look(f"{V}?after={ids[3]}&text=APP_") == ([4, 3], {"next": f"{V}?text=APP_&before={ids[3]}"})
        # what begins an application's id is text and no pattern
        assert look(f"{V}?text=APP%25")[0] == []

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
        # one that a newer release stored, or another key sealed
        with running.ledger.store.begin() as con:
            con.execute(update(verifications).where(verifications.c.id == id).values(format=FORMAT + 1))
        assert "Nobody has its link" in client.get("/console/trouble").text
        with running.ledger.store.begin() as con:
            con.execute(update(verifications).where(verifications.c.id == id).values(format=FORMAT))
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

    def test_messages_for_an_endpoint_that_is_gone_are_in_trouble(self, running: Running) -> None:
        client = log_in(running, "ana", "operate")
        assert "waits for the endpoint" not in client.get("/console/trouble").text
        id = running.decided().id
        running.until(id, lambda _: all(one.done_at for one in running.ledger.deliveries(id)))
        message = running.ledger.deliveries(id)[0].id
        gone = {"endpoint": "renamed", "done_at": None, "due": datetime.now().astimezone()}
        with running.ledger.store.begin() as con:
            con.execute(update(deliveries).where(deliveries.c.id == message).values(gone))
        assert "1 message waits for the endpoint renamed, which is not in the configuration" in (
            client.get("/console/trouble").text
        )
        again = press(client, "/console/trouble", "/console/redelivery", message=message)
        assert again.status_code == 409
        assert "add it to [ledger.endpoints]" in again.text


class TestTheScript:
    def test_it_is_the_file_that_was_published(self, running: Running) -> None:
        """SHA-384 from the README of the npm package htmx.org 2.0.11."""
        answer = visitor(running).get("/console/static/htmx.min.js")
        digest = base64.b64encode(hashlib.sha384(answer.content).digest()).decode()
        assert digest == "2OatzQy1H+Zd/IIrjr1TcuDGqLXeHhbooAyJY1KdQMKnr4LZ22k31GBLdYKHmVjg"
        assert digest in files("idv_core.server.console").joinpath("static/NOTICE").read_text()
        assert answer.headers["content-type"].startswith("text/javascript")
        assert visitor(running).get("/console/static/NOTICE").status_code == 404

    def test_a_page_that_renews_itself_gets_nothing_where_nothing_is_new(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", "review")
        for path in ("/console/review", f"{V}/{doubtful}"):
            found = re.search(r'hx-get="([^"]+seen=[0-9a-f]+)"', client.get(path).text)
            assert found is not None
            assert client.get(found[1], headers={"hx-request": "true"}).status_code == 204
            assert client.get(found[1]).status_code == 200, "without the script it is a page"
        reviews.claim(running.ledger, doubtful, "ben")
        assert "ben has it" in client.get(found[1], headers={"hx-request": "true"}).text

    def test_it_keeps_no_session_alive(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        client = log_in(running, "ana", "review")
        seen = update(sessions).values(seen_at=datetime.now().astimezone() - timedelta(minutes=30))
        with running.ledger.store.begin() as con:
            con.execute(seen)
        polled = {"hx-request": "true"}
        client.get("/console/review?seen=x", headers=polled)
        monkeypatch.setattr(users, "IDLE", timedelta(minutes=20))
        over = client.get("/console/review?seen=x", headers=polled)
        assert (over.status_code, over.headers["hx-redirect"]) == (401, "/console/login?next=/console/review")

    def test_an_error_takes_the_place_of_the_whole_part(self, running: Running) -> None:
        client = log_in(running, "ana", "review")
        answer = client.get(f"{V}/nobody", headers={"hx-request": "true"})
        assert (answer.status_code, answer.headers["hx-retarget"]) == (404, "#main")
