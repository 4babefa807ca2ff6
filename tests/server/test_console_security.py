"""The console against those who should not be there, and against what they plant."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from server.browsing import chromium, needs_chromium
from server.house import PASSWORD, House, V, furnished, pages
from server.running import Running
from sqlalchemy import func, select

from idv_core import Secret
from idv_core.ledger.tables import events
from idv_core.server import serving, tables
from idv_core.server.console import users
from idv_core.server.console.routes import routes
from idv_core.server.console.users import User
from idv_core.server.console.web import ConsoleOptions

# Who may come: None for everybody. A route that is not here fails the tests.
NEEDS: dict[tuple[str, str], str | None] = {
    ("GET", "/"): None,
    ("GET", "/favicon.ico"): None,
    ("GET", "/console/static/{name}"): None,
    ("GET", "/console/login"): None,
    ("POST", "/console/login"): None,
    ("POST", "/console/logout"): "look",
    ("GET", "/console"): "look",
    ("GET", V): "look",
    ("GET", f"{V}/{{id}}"): "look",
    ("GET", f"{V}/{{id}}/pictures"): "personal",
    ("GET", f"{V}/{{id}}/pictures/{{key}}"): "personal",
    ("POST", f"{V}/{{id}}/unmasked"): "personal",
    ("POST", f"{V}/{{id}}/claim"): "review",
    ("POST", f"{V}/{{id}}/review"): "review",
    ("POST", f"{V}/{{id}}/confirmation"): "review",
    ("POST", f"{V}/{{id}}/resolution"): "operate",
    ("POST", f"{V}/{{id}}/erasure"): "operate",
    ("GET", "/console/review"): "look",
    ("GET", "/console/trouble"): "look",
    ("POST", "/console/redelivery"): "operate",
    ("GET", "/console/accounts"): "look",
    ("POST", "/console/accounts/{name}/check"): "operate",
    ("POST", "/console/accounts/{name}/coverage"): "operate",
    ("GET", "/console/routes"): "look",
    ("GET", "/console/performance"): "look",
    ("GET", "/console/performance.csv"): "look",
}
POSTS = [path for method, path in NEEDS if method == "POST"]
GUARDED = [(method, path, role) for (method, path), role in NEEDS.items() if role is not None]
RARE = [one for one in GUARDED if one[2] != "look"]


def by_path(value: object) -> str | None:
    return value if isinstance(value, str) else None


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed as everywhere, but not as slowly."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(users, "_HASHER", hasher)
    monkeypatch.setattr(users, "_NOBODY", hasher.hash("nobody"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with furnished("invented", tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def clients() -> Iterator[list[httpx.Client]]:
    made: list[httpx.Client] = []
    yield made
    for client in made:
        client.close()


def visitor(place: House | Running, clients: list[httpx.Client], *roles: str, name: str = "ana") -> httpx.Client:
    """Somebody who is logged in with these roles; without any they are not."""
    cookies = {}
    if roles:
        store = place.ledger.store
        users.add(store, name, roles, None)
        cookies["idv_session"] = users.begin(store, User(name, frozenset({*roles, "look"})))
    clients.append(httpx.Client(base_url=place.url, cookies=cookies, timeout=30))
    return clients[-1]


def address(path: str, house: House) -> str:
    name = "console.css" if "static" in path else "telling-1"
    return path.replace("{id}", house.ids["expired"]).replace("{name}", name).replace("{key}", "0" * 24)


def token(client: httpx.Client) -> str:
    page = client.get("/console")
    page = client.get("/console/login") if page.is_redirect else page
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def done(house: House) -> tuple[object, ...]:
    """What people have done, in this house."""
    with house.ledger.store.engine.connect() as con:
        by_people = select(func.count()).select_from(events).where(events.c.actor.like("user:%"))
        return con.execute(by_people).scalar_one(), *con.execute(select(tables.reviews)).all()


def log_in(client: httpx.Client, name: str, password: str, goal: str = "/console") -> httpx.Response:
    fields = {"csrf": token(client), "name": name, "password": password, "next": goal}
    return client.post("/console/login", data=fields)


class TestWhoMayComeIn:
    def test_every_route_says_whom_it_is_for(self) -> None:
        there = {(method, one.path) for one in routes() for method in (one.methods or ()) if method != "HEAD"}
        assert there == NEEDS.keys()

    @pytest.mark.parametrize(("method", "path", "role"), GUARDED, ids=by_path)
    def test_a_stranger_is_led_to_the_login(
        self, house: House, clients: list[httpx.Client], method: str, path: str, role: str
    ) -> None:
        before = done(house)
        for cookie in ({}, {"idv_session": "0" * 43}, {"idv_session": ""}, {"idv_form": "0" * 43}):
            with httpx.Client(base_url=house.url, cookies=cookie) as client:
                answer = client.request(
                    method, address(path, house), headers={"x-user": "ana", "x-forwarded-user": "ana"}
                )
                part = client.request(method, address(path, house), headers={"hx-request": "true"})
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/console/login?next=/console")
            assert (part.status_code, part.headers["hx-redirect"]) == (401, answer.headers["location"])
            assert part.content == b""
        assert done(house) == before

    @pytest.mark.parametrize(("method", "path", "role"), RARE, ids=by_path)
    def test_all_roles_but_the_one_are_too_few(
        self, house: House, clients: list[httpx.Client], method: str, path: str, role: str
    ) -> None:
        client = visitor(house, clients, *(set(users.ROLES) - {role}))
        before = done(house)
        fields = {"csrf": token(client), "outcome": "approved", "reason": "x", "what": "give_up", "sure": "yes"}
        answer = client.request(method, address(path, house), data=fields if method == "POST" else None)
        assert answer.status_code == 403
        assert f"&#39;{role}&#39; is needed" in answer.text
        assert done(house) == before

    @pytest.mark.parametrize(("method", "path", "role"), GUARDED, ids=by_path)
    def test_the_one_role_is_enough(
        self, house: House, clients: list[httpx.Client], method: str, path: str, role: str
    ) -> None:
        client = visitor(house, clients, role, *(["personal"] if "erasure" in path else []))
        fields = {"csrf": token(client)} if method == "POST" else None
        answer = client.request(method, address(path, house), data=fields)
        assert answer.status_code in (200, 303, 400, 404, 409, 422)
        assert "/console/login?next" not in answer.headers.get("location", "")

    def test_a_key_of_the_api_opens_no_page_and_a_session_no_call(
        self, running: Running, clients: list[httpx.Client]
    ) -> None:
        assert running.client("verify", "read", "personal", "operate").get("/console").status_code == 303
        assert visitor(running, clients, *users.ROLES).get("/v1/verifications").status_code == 401


class TestForms:
    @pytest.mark.parametrize("path", POSTS)
    def test_a_form_that_is_not_of_this_visit_does_nothing(
        self, house: House, clients: list[httpx.Client], path: str
    ) -> None:
        client, other = (visitor(house, clients, *users.ROLES, name=name) for name in ("ana", "ben"))
        good, theirs, nobodys = token(client), token(other), token(visitor(house, clients))
        fields = {
            "outcome": "approved",
            "reason": "x",
            "what": "give_up",
            "sure": "yes",
            "name": "ana",
            "password": "x",
        }
        before, where = done(house), address(path, house)
        for wrong in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": theirs}, {"csrf": nobodys}, {"csrf": good[:-1]}):
            assert client.post(where, data={**fields, **wrong}).status_code == 403, wrong
        assert client.post(where, params={"csrf": good}, data=fields).status_code == 403, "a token in the address"
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://["},
            {"origin": house.url + ".evil.example"},
            {"origin": house.url.replace("//", "//ana@")},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ):
            assert client.post(where, data={**fields, "csrf": good}, headers=headers).status_code == 403, headers
        assert done(house) == before
        assert client.get("/console").status_code == 200, "nobody was logged out"

    @pytest.mark.parametrize("path", [path for path in POSTS if ("GET", path) not in NEEDS])
    def test_what_changes_something_is_no_link(self, house: House, clients: list[httpx.Client], path: str) -> None:
        client, before = visitor(house, clients, *users.ROLES), done(house)
        assert client.get(address(path, house)).status_code == 405
        assert done(house) == before

    def test_a_form_has_an_end(self, house: House, clients: list[httpx.Client]) -> None:
        client = visitor(house, clients, *users.ROLES)
        assert client.post("/console/redelivery", data={"csrf": token(client), "x": "x" * 70_000}).status_code == 413


class TestSessions:
    def test_a_login_gives_a_new_session_and_ends_the_old_one(
        self, running: Running, clients: list[httpx.Client]
    ) -> None:
        users.add(running.ledger.store, "ana", ["look"], Secret(PASSWORD))
        client = visitor(running, clients)
        before = token(client), client.cookies["idv_form"]
        assert log_in(client, "ana", PASSWORD).status_code == 303
        first = client.cookies["idv_session"]
        assert first not in before
        assert "idv_form" not in client.cookies
        assert log_in(client, "ana", PASSWORD).status_code == 303
        second = client.cookies["idv_session"]
        assert second != first
        for kept, status in ((first, 303), (second, 200)):
            with httpx.Client(base_url=running.url, cookies={"idv_session": kept}) as other:
                assert other.get("/console").status_code == status

    def test_a_session_that_somebody_chose_is_none(self, running: Running, clients: list[httpx.Client]) -> None:
        users.add(running.ledger.store, "ana", ["look"], Secret(PASSWORD))
        chosen = "chosen-by-somebody-else-" + "0" * 30
        client = httpx.Client(base_url=running.url, cookies={"idv_session": chosen, "idv_form": chosen})
        clients.append(client)
        page = client.get("/console/login").text
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        assert found is not None
        fields = {"csrf": found[1], "name": "ana", "password": PASSWORD, "next": "/console"}
        made = client.post("/console/login", data=fields)
        assert f"idv_session={chosen}" not in made.headers["set-cookie"]
        with httpx.Client(base_url=running.url, cookies={"idv_session": chosen}) as attacker:
            assert attacker.get("/console").status_code == 303

    @pytest.mark.parametrize("change", ["logout", "password", "roles", "removal", "hours", "idle"])
    def test_it_ends(
        self, running: Running, clients: list[httpx.Client], change: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = running.ledger.store
        client = visitor(running, clients, "review")
        assert client.get("/console").status_code == 200
        kept = dict(client.cookies)
        if change == "logout":
            client.post("/console/logout", data={"csrf": token(client)})
        elif change == "password":
            users.add(store, "ana", ["review"], Secret(PASSWORD))
        elif change == "roles":
            users.add(store, "ana", ["look"], None)
        elif change == "removal":
            users.remove(store, "ana")
        else:
            monkeypatch.setattr(users, {"hours": "LONGEST", "idle": "IDLE"}[change], timedelta(0))
        with httpx.Client(base_url=running.url, cookies=kept) as same:
            assert same.get("/console").status_code == 303

    def test_the_database_opens_no_session(self, house: House, clients: list[httpx.Client], tmp_path: Path) -> None:
        client = visitor(house, clients, *users.ROLES)
        with house.ledger.store.engine.connect() as con:
            kept = [str(row) for table in tables.metadata.sorted_tables for row in con.execute(select(table))]
        assert client.cookies["idv_session"] not in "".join(kept)

    @pytest.mark.parametrize("is_secure", [False, True])
    def test_cookies_are_for_our_own_pages_alone(self, house: House, is_secure: bool) -> None:
        web = house.app.state.console
        house.app.state.console = type(web)(ConsoleOptions(is_secure=is_secure))
        try:
            house.user("cleo", "look")
            client = httpx.Client(base_url=house.url)
            page = client.get("/console/login")
            form = page.headers["set-cookie"]
            found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
            assert found is not None
            fields = {"csrf": found[1], "name": "cleo", "password": PASSWORD}
            # over http the client itself would keep a secure cookie back
            cookie = {"cookie": form.partition(";")[0]}
            made = client.post("/console/login", data=fields, headers=cookie)
            client.close()
            cookies = [form, *made.headers.get_list("set-cookie")]
        finally:
            house.app.state.console = web
        assert any("idv_session=" in one for one in cookies)
        for one in cookies:
            name, *attributes = [part.strip().lower() for part in one.split(";")]
            assert {"httponly", "samesite=strict", "path=/"} <= set(attributes), one
            assert not any(part.startswith("domain") for part in attributes)
            assert ("secure" in attributes, name.startswith("__host-idv_")) == (is_secure, is_secure)


class TestTheLogin:
    GOALS = (
        "https://evil.example/",
        "https:evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/console\\@evil.example",
        "/console@evil.example",
        "/console//evil.example",
        "/console/..//evil.example",
        "/console/%2f%2fevil.example",
        "%2f%2fevil.example",
        "/console\t//evil.example",
        "/console?next=//evil.example",
        "javascript:alert(1)",
        " //evil.example",
        "/v1/accounts",
        "/consolé",
    )

    @pytest.mark.parametrize("goal", GOALS)
    def test_it_leads_nowhere_else(self, house: House, clients: list[httpx.Client], goal: str) -> None:
        client = visitor(house, clients)
        shown = client.get("/console/login", params={"next": goal}).text
        assert 'name="next" value="/console"' in shown
        fields = {"csrf": token(client), "name": "dora", "password": PASSWORD, "next": goal}
        users.add(house.ledger.store, "dora", ["look"], Secret(PASSWORD))
        answer = client.post("/console/login", data=fields)
        # a character that no form of ours holds is refused before
        assert (answer.status_code, answer.headers.get("location")) in ((303, "/console"), (400, None))

    def test_it_leads_back_to_where_one_wanted_to_go(self, house: House, clients: list[httpx.Client]) -> None:
        client = visitor(house, clients)
        wanted = f"{V}/{house.ids['waiting']}"
        asked = client.get(wanted)
        assert asked.headers["location"] == f"/console/login?next={wanted}"
        users.add(house.ledger.store, "dora", ["look"], Secret(PASSWORD))
        assert log_in(client, "dora", PASSWORD, wanted).headers["location"] == wanted

    def test_a_path_of_our_own_leads_to_no_other_host(self, house: House, clients: list[httpx.Client]) -> None:
        client = visitor(house, clients)
        for path in ("//evil.example/console/", "/console/", "//evil.example/%2e%2e", "/console//evil.example/"):
            answer = client.get(path)
            location = answer.headers.get("location", "/")
            assert location.startswith("/") or httpx.URL(location).host == httpx.URL(house.url).host, path
            assert not location.startswith("//"), path

    def test_nobody_learns_who_is_a_user(self, running: Running, clients: list[httpx.Client], monkeypatch: Any) -> None:
        store, verified = running.ledger.store, []
        users.add(store, "ana", ["look"], Secret(PASSWORD))
        users.add(store, "proxied", ["look"], None)
        hasher = users._HASHER

        class Counting:
            def verify(self, hashed: str, password: bytes) -> bool:
                verified.append(hashed)
                return hasher.verify(hashed, password)

        monkeypatch.setattr(users, "_HASHER", Counting())
        client = visitor(running, clients)
        told = set()
        for name in ("ana", "proxied", "nobody"):
            answer = log_in(client, name, "a wrong password")
            told.add((answer.status_code, re.sub("[0-9a-f]{64}", "", answer.text)))
            assert len(verified) == 1, "the slow part is done for everybody"
            # with the same memory, time and lanes
            assert verified.pop().split("$")[:4] == hasher.hash("x").split("$")[:4]
        assert len(told) == 1

    def test_guessing_is_slow_and_ends(
        self, running: Running, clients: list[httpx.Client], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        users.add(running.ledger.store, "ana", ["look"], Secret(PASSWORD))
        client = visitor(running, clients)
        assert [log_in(client, "ana", "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
        refused = log_in(client, "ana", PASSWORD)
        assert refused.status_code == 429
        assert "wait a minute" in refused.text
        # the address has guessed, whoever is named
        assert log_in(client, "nobody", "wrong").status_code == 429
        monkeypatch.setattr(users.Guesses, "SECONDS", 0.0)
        assert log_in(client, "ana", PASSWORD).status_code == 303

    def test_guessing_in_parallel_gains_nothing(self, running: Running, clients: list[httpx.Client]) -> None:
        users.add(running.ledger.store, "ana", ["look"], Secret(PASSWORD))
        client = visitor(running, clients)
        fields = {"csrf": token(client), "name": "ana", "password": "wrong"}
        with ThreadPoolExecutor(12) as pool:
            tries = [pool.submit(client.post, "/console/login", data=fields) for _ in range(24)]
            told = [one.result().status_code for one in tries]
        # two at a time, so that one more may be on its way
        assert told.count(401) <= 6
        assert told.count(429) == 24 - told.count(401)


def from_a_new_browser(running: Running, name: str, password: str, cookies: dict[str, str]) -> httpx.Response:
    with httpx.Client(base_url=running.url) as client:
        page = client.get("/console/login")
        form = page.headers["set-cookie"].partition(";")[0]
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        assert found is not None
        sent = "; ".join([form, *(f"{name}={value}" for name, value in cookies.items())])
        fields = {"csrf": found[1], "name": name, "password": password}
        return client.post("/console/login", data=fields, headers={"cookie": sent})


class TestALoginBehindAProxy:
    """All come from one address there."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"console": ConsoleOptions(is_secure=True, is_behind_proxy=True)}

    def test_who_guesses_locks_out_neither_others_nor_the_browser_that_was_here_before(self, running: Running) -> None:
        for name in ("ana", "ben"):
            users.add(running.ledger.store, name, ["look"], Secret(PASSWORD))
        made = from_a_new_browser(running, "ana", PASSWORD, {})
        cookies = {
            one.split("=", 1)[0]: one.split("=", 1)[1].split(";")[0] for one in made.headers.get_list("set-cookie")
        }
        known = {name: value for name, value in cookies.items() if "known" in name}
        assert [from_a_new_browser(running, "ana", "wrong", {}).status_code for _ in range(6)] == [401] * 5 + [429]
        assert from_a_new_browser(running, "ana", PASSWORD, {}).status_code == 429, "a browser that nobody knows waits"
        assert from_a_new_browser(running, "ben", PASSWORD, {}).status_code == 303
        assert from_a_new_browser(running, "ana", PASSWORD, known).status_code == 303
        # it is a place in the queue, no key: guessing with it ends as soon, and it is of no use for another name
        assert [from_a_new_browser(running, "ana", "wrong", known).status_code for _ in range(6)] == [401] * 5 + [429]
        assert [from_a_new_browser(running, "ben", "wrong", {}).status_code for _ in range(5)] == [401] * 5
        assert from_a_new_browser(running, "ben", PASSWORD, known).status_code == 429


class TestALoginByTlsOfOurOwn:
    """Who guesses has an address there."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"console": ConsoleOptions(is_secure=True)}

    def test_one_password_for_many_names_ends_as_soon(self, running: Running) -> None:
        told = [from_a_new_browser(running, f"user-{number}", "wrong", {}).status_code for number in range(6)]
        assert told == [401] * 5 + [429]


class TestWhatIsKeptOfGuesses:
    def test_a_long_name_takes_no_more_room_than_a_short_one(self) -> None:
        guesses = users.Guesses()
        guesses.note("name " + "a" * 60_000)
        assert {len(kept) for kept in guesses._failed} == {32}
        assert not guesses.are_too_many("name " + "a" * 59_999)

    def test_what_is_older_than_a_minute_is_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 1000.0
        monkeypatch.setattr(users.time, "monotonic", lambda: now)
        guesses = users.Guesses()
        for number in range(50):
            guesses.note(f"name {number}")
        now += users.Guesses.SECONDS - 1
        guesses.note("name 0")
        assert len(guesses._failed) == 50
        now += 1
        guesses.note("name late")
        assert len(guesses._failed) == 2, "who failed again, and who failed now"

    def test_there_is_an_end_to_them_within_a_minute_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(users.Guesses, "KEPT", 20)
        guesses = users.Guesses()
        for number in range(30):
            guesses.note(f"name {number}", "address 192.0.2.7")
        assert len(guesses._failed) == 20
        assert guesses.are_too_many("address 192.0.2.7")


class TestAProxyThatSaysWhoItIs:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"console": ConsoleOptions(user_header="X-User")}

    def test_a_header_that_comes_twice_names_nobody(self, running: Running) -> None:
        users.add(running.ledger.store, "ana", ["look"], None)
        users.add(running.ledger.store, "eva", list(users.ROLES), None)
        once = httpx.get(f"{running.url}/console", headers=[("x-user", "ana")])
        twice = httpx.get(f"{running.url}/console", headers=[("x-user", "eva"), ("x-user", "ana")])
        assert (once.status_code, twice.status_code) == (200, 403)

    def test_a_name_is_read_as_utf_8(self, running: Running) -> None:
        users.add(running.ledger.store, "Zoë", ["look"], None)
        for sent, status in (("Zoë".encode(), 200), ("Zoë".encode("latin-1"), 403)):
            assert httpx.get(f"{running.url}/console", headers=[(b"x-user", sent)]).status_code == status

    @pytest.mark.parametrize("name", ["", "ANA", "ana,eva", "nobody", "' OR 1=1 --"])
    def test_only_a_users_own_name_is_one(self, running: Running, name: str) -> None:
        users.add(running.ledger.store, "ana", ["look"], None)
        assert httpx.get(f"{running.url}/console", headers={"x-user": name}).status_code == 403


@pytest.mark.parametrize(
    ("binding", "is_strict"),
    [
        (serving.Binding(host="0.0.0.0", certificate=Path("cert.pem"), private_key=Path("key.pem")), True),
        (serving.Binding(host="localhost", certificate=Path("cert.pem"), private_key=Path("key.pem")), False),
        (serving.Binding(host="0.0.0.0", is_behind_proxy=True), False),
    ],
)
def test_browsers_come_by_tls_alone_where_the_service_speaks_it_to_others(
    binding: serving.Binding, is_strict: bool
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    headers = dict(serving.make_server(app, binding).config.headers)  # type: ignore[arg-type]
    assert headers == ({"strict-transport-security": "max-age=31536000"} if is_strict else {})


def test_the_service_takes_nobodys_word_for_the_address_of_the_proxy() -> None:
    seen: list[tuple[str, int]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    config = serving.make_server(app, serving.Binding()).config  # type: ignore[arg-type]
    config.load()
    scope = {"type": "http", "client": ("127.0.0.1", 5), "headers": [(b"x-forwarded-for", b"192.0.2.1")]}
    asyncio.run(config.loaded_app(scope, None, None))  # type: ignore[arg-type]
    assert seen == [("127.0.0.1", 5)]


class TestHeaders:
    def answers(self, house: House, clients: list[httpx.Client]) -> Iterator[httpx.Response]:
        client, stranger = visitor(house, clients, *users.ROLES), visitor(house, clients)
        for one in (client, stranger):
            for method, path in NEEDS:
                yield one.request(method, address(path, house))
        yield client.get(f"{V}/{house.ids['waiting']}")
        yield client.get(f"{V}/nobody")
        yield client.post(f"{V}/{house.ids['waiting']}/unmasked", data={"csrf": token(client)})
        yield client.get("/console/performance", params={"since": "nonsense"})

    def test_every_answer_forbids_scripts_of_others_frames_and_keeping(
        self, house: House, clients: list[httpx.Client]
    ) -> None:
        for answer in self.answers(house, clients):
            where = f"{answer.request.method} {answer.request.url}"
            assert answer.headers["x-content-type-options"] == "nosniff", where
            assert answer.headers["x-frame-options"] == "DENY", where
            assert answer.headers["referrer-policy"] == "same-origin", where
            policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
            assert {policy[one] for one in ("default-src", "base-uri", "frame-ancestors")} == {"'none'"}, where
            assert policy["form-action"] == "'self'", where
            assert set(policy.values()) <= {"'none'", "'self'"}, f"{where}: {policy}"
            is_static = "/static/" in answer.request.url.path or answer.request.url.path == "/favicon.ico"
            assert is_static or answer.headers["cache-control"] == "no-store", where


class TestTheLog:
    SECRETS = (PASSWORD, "Meera", "the reason of ana", "a wrong guess of ana")

    def test_it_holds_no_password_no_cookie_and_nobodys_data(
        self,
        house: House,
        clients: list[httpx.Client],
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        users.add(house.ledger.store, "frieda", list(users.ROLES), Secret(PASSWORD))
        caplog.set_level(logging.DEBUG)
        for name in ("httpx", "httpcore"):
            # the client of this test
            logging.getLogger(name).setLevel(logging.CRITICAL)
        client, id = visitor(house, clients), house.ids["waiting"]
        log_in(client, "frieda", "a wrong guess of ana")
        log_in(client, "frieda", PASSWORD)
        cookies = [client.cookies["idv_session"], token(client)]
        shown = client.post(f"{V}/{id}/unmasked", data={"csrf": token(client)})
        assert "Meera" in shown.text
        client.post(f"{V}/{id}/claim", data={"csrf": token(client)})
        fields = {"csrf": token(client), "outcome": "approved", "reason": "the reason of ana"}
        client.post(f"{V}/{id}/review", data=fields)

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("Meera Iyer, the reason of ana")

        monkeypatch.setattr("idv_core.server.reviews.of", broken)
        failed = client.get(f"{V}/{id}")
        assert failed.status_code == 500
        assert "RuntimeError" in caplog.text, "the log says what failed"
        for secret in (*self.SECRETS, *cookies):
            assert secret not in caplog.text
            assert secret not in failed.text or secret == cookies[1]


PLANTED = """'"><img data-planted src=x onerror="planted=1">{{7*7}}"""


@needs_chromium
@pytest.mark.long
def test_no_text_of_anybody_becomes_an_element_or_a_script(tmp_path: Path) -> None:
    seen: dict[str, int] = {}
    complaints: list[str] = []
    with furnished(PLANTED, tmp_path) as house, chromium() as browser:
        context = browser.new_context()
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        store = house.ledger.store
        users.add(store, PLANTED, list(users.ROLES), None)
        session = users.begin(store, User(PLANTED, frozenset(users.ROLES)))
        context.add_cookies([{"name": "idv_session", "value": session, "url": house.url, "httpOnly": True}])

        def look(where: str) -> None:
            assert (
                page.evaluate("document.querySelectorAll('[data-planted], img:not([src^=\"/console/\"])').length") == 0
            ), where
            assert page.evaluate("typeof planted") == "undefined", where
            assert "49" not in page.inner_text("main") or "{{7*7}}" in page.content(), where
            seen[where] = page.inner_text("body").count(PLANTED)

        visits = house.visits()
        assert visits.keys() == pages()
        for path in [path for all_of_it in visits.values() for path in all_of_it]:
            page.goto(house.url + path)
            look(path)
        page.goto(f"{house.url}{V}/{house.ids['waiting']}")
        page.get_by_role("button", name="Show personal data").click()
        page.wait_for_selector("text=Personal data is shown")
        look("unmasked")
        page.goto(f"{house.url}/console/login?next={PLANTED}")
        look("login")
    # the browser would say here what the policy of the page had to stop; that a day is none, or a page is not there, is well
    wanted = ("400 (Bad Request)", "404 (Not Found)", "does not conform")
    assert [one for one in complaints if not any(text in one for text in wanted)] == []
    # it was really there to be seen: the name of who looks stands on every page, and more where there is more
    assert all(seen[where] for where in seen if not where.startswith("login")), seen
    waiting = f"{V}/{house.ids['waiting']}"
    assert seen["unmasked"] > seen[waiting] > 10
    assert seen["/console/trouble"] > 5
