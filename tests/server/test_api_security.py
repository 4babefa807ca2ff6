"""The API against those who wish it ill: no way in without a key, nothing leaks, nothing is fetched, nothing is smuggled."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from books import account
from server.running import DOCUMENT, ORDER, Running
from starlette.routing import BaseRoute, Mount, Route

from idv_core.ledger import State
from idv_core.server import keys
from idv_core.server.problems import BadRequest
from idv_core.server.reading import read_data
from idv_core.server.serving import Binding, make_server

V = "/v1/verifications"
SOME = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
JSON = {"content-type": "application/json"}


# the routes, as the app itself has them

NO_KEY = {"/healthz", "/readyz", "/v1/openapi.json"}
FOR_EVERYBODY = {"/", "/favicon.ico", "/console/login"}


def rule_of(route: BaseRoute) -> str:
    """Who may come in. A route of which this knows nothing has to be thought about first."""
    if isinstance(route, Mount):
        return "webhooks"
    assert isinstance(route, Route)
    if route.path in NO_KEY:
        return "nobody asks"
    if route.path in DOCUMENT["paths"]:
        return "key"
    if route.path in FOR_EVERYBODY or route.path.startswith("/console/static/"):
        return "everybody"
    assert route.path == "/console" or route.path.startswith("/console/"), f"{route.path} has no rule"
    return "user"


def scopes_of(path: str, method: str) -> set[str]:
    """Of which a key needs one, as the document says."""
    return {scope for one in DOCUMENT["paths"][path][method.lower()]["security"] for scope in one["key"]}


@pytest.fixture
def app_routes(running: Running) -> list[BaseRoute]:
    return list(running.app.routes)


def keyed(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if rule_of(route) == "key":
            assert isinstance(route, Route)
            for method in sorted(route.methods or ()):
                if method != "HEAD":
                    yield route.path, method


class TestTheWayIn:
    def test_a_route_without_a_rule_is_noticed(self) -> None:
        async def anything(request: Any) -> Any: ...

        with pytest.raises(AssertionError, match="/v2/secrets has no rule"):
            rule_of(Route("/v2/secrets", anything))

    def test_nothing_answers_without_a_key_with_a_wrong_one_or_one_that_was_revoked(
        self, running: Running, app_routes: list[BaseRoute]
    ) -> None:
        made = keys.add(running.ledger.store, "gone", keys.SCOPES).reveal()
        right = keys.add(running.ledger.store, "here", keys.SCOPES).reveal()
        keys.revoke(running.ledger.store, made.split("_")[1])
        wrong = {
            "none": {},
            "revoked": {"authorization": f"Bearer {made}"},
            "guessed": {"authorization": f"Bearer {right[:-1]}{'A' if right[-1] != 'A' else 'B'}"},
            "unknown": {"authorization": f"Bearer idv_000000000000_{right[-43:]}"},
            "no form": {"authorization": "Bearer " + "x" * 5000},
            "another scheme": {"authorization": f"Basic {right}"},
            "empty": {"authorization": "Bearer"},
            "odd bytes": {"authorization": b"Bearer \xff\xfe\x80"},
        }
        client = running.client()
        seen = 0
        for path, method in keyed(app_routes):
            for what, headers in wrong.items():
                answer = client.request(method, path.replace("{id}", SOME), headers=headers)
                assert answer.status_code == 401, f"{method} {path}: {what}"
                assert answer.headers["www-authenticate"].startswith('Bearer realm="idv"')
                seen += 1
        assert seen == len(wrong) * sum(
            bool(said["security"]) for one in DOCUMENT["paths"].values() for m, said in one.items() if m != "parameters"
        )

    def test_two_keys_in_one_request_are_none(self, running: Running) -> None:
        key = running.client("read").headers["authorization"]
        answer = running.client().get("/v1/accounts", headers=[("authorization", key), ("authorization", key)])
        assert answer.status_code == 401

    def test_each_operation_takes_the_scopes_that_the_document_names_and_no_other(
        self, running: Running, app_routes: list[BaseRoute]
    ) -> None:
        clients = {scope: running.client(scope) for scope in keys.SCOPES}
        for path, method in keyed(app_routes):
            wanted = scopes_of(path, method)
            assert wanted
            for scope, client in clients.items():
                answer = client.request(method, path.replace("{id}", SOME))
                assert (answer.status_code == 403) == (scope not in wanted), f"{method} {path} with {scope}"
                if answer.status_code == 403:
                    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
                    assert set(re.findall(r'scope="(.*)"', answer.headers["www-authenticate"])[0].split()) == wanted

    def test_the_console_sends_strangers_to_its_login_and_a_key_of_the_api_is_no_login(
        self, running: Running, app_routes: list[BaseRoute]
    ) -> None:
        clients = [running.client(), running.client(*keys.SCOPES)]
        seen = 0
        for route in app_routes:
            if rule_of(route) != "user":
                continue
            assert isinstance(route, Route)
            for method in route.methods or ():
                for client in clients:
                    address = re.sub(r"\{[^}]*\}", SOME, route.path)
                    answer = client.request(method, address, follow_redirects=False)
                    away = answer.status_code == 303 and answer.headers["location"].startswith("/console/login")
                    assert away or answer.status_code in (401, 403), f"{method} {route.path}: {answer.status_code}"
                    seen += 1
        assert seen > 20

    def test_wrong_keys_are_told_apart_by_nothing_that_is_answered(self, running: Running) -> None:
        store, client = running.ledger.store, running.client()
        made = keys.add(store, "gone", ["read"]).reveal()
        keys.revoke(store, made.split("_")[1])
        other = keys.add(store, "here", ["read"]).reveal()
        tokens = [made, other[:-2] + "__", f"idv_0123456789ab_{other[-43:]}", "idv_", "nonsense", other.upper()]
        answers = [client.get("/v1/accounts", headers={"authorization": f"Bearer {token}"}) for token in tokens]
        told = {
            (answer.status_code, answer.text, *sorted((k, v) for k, v in answer.headers.items() if k != "date"))
            for answer in answers
        }
        assert len(told) == 1

    def test_secrets_are_compared_as_digests_in_constant_time_also_where_there_is_no_such_key(
        self, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compared: list[tuple[bytes, bytes]] = []
        real = keys.hmac.compare_digest

        def compare(a: bytes, b: bytes) -> bool:
            compared.append((a, b))
            return real(a, b)

        monkeypatch.setattr(keys.hmac, "compare_digest", compare)
        store = running.ledger.store
        gone = keys.add(store, "gone", ["read"]).reveal()
        keys.revoke(store, gone.split("_")[1])
        right = keys.add(store, "here", ["read"]).reveal()
        unknown = f"idv_0123456789ab_{right[-43:]}"
        wrong = right[:-43] + "A" * 43
        found = [keys.find(store, token) is not None for token in (right, wrong, unknown, gone)]
        assert found == [True, False, False, False]
        assert [(len(a), len(b)) for a, b in compared] == [(32, 32)] * 4
        assert not any(right.encode()[-43:] in pair for pair in compared)


# who fetches

PRIVATE = (
    "https://169.254.169.254/latest/meta-data/",
    "https://10.11.12.13/a",
    "https://127.0.0.1/a",
    "https://localhost/a",
    "https://[::1]/a",
    "https://2130706433/a",
    "https://0x7f.1/a",
    "https://files.example:8443/a",
    "http://files.example/a",
    "file:///etc/passwd",
    "https://user:word@files.example/a",
)


def addresses(schema: Any, path: str = "") -> Iterator[str]:
    """The members of a schema that hold an address."""
    if isinstance(schema, list):
        for one in schema:
            yield from addresses(one, path)
    elif isinstance(schema, dict):
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from addresses(DOCUMENT["components"]["schemas"][name], name)
        if schema.get("format") in ("uri", "uri-reference", "iri"):
            yield path
        for name, part in schema.items():
            if name == "properties":
                for field, inner in part.items():
                    yield from addresses(inner, f"{path}.{field}")
            elif isinstance(part, (dict, list)):
                yield from addresses(part, path)


class TestWhoFetches:
    def test_these_are_the_addresses_that_a_caller_may_give(self) -> None:
        operations = [said for one in DOCUMENT["paths"].values() for said in one.values() if isinstance(said, dict)]
        bodies = [said["requestBody"] for said in operations if "requestBody" in said]
        # of each of them the tests below say what becomes of it
        assert set(addresses(bodies)) == {"Order.return_url", "DocumentAddress.url"}

    def test_no_address_that_a_caller_gives_is_looked_up_or_called_by_this_service(
        self, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked_up: list[str] = []
        real = socket.getaddrinfo

        def look_up(host: Any, *args: Any, **more: Any) -> Any:
            looked_up.append(str(host))
            return real(host, *args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        client = running.client(*keys.SCOPES)
        inside = "https://inside.platform.example/x"
        options = {"acme": {"base_url": inside, "url": inside, "callback": inside, "webhook": inside}}
        given = {**ORDER, "return_url": inside, "metadata": {"url": inside}, "vendor_options": options}
        assert client.post("/v1/explanations", json=given).status_code == 200
        made = client.post(V, json=given, headers={"prefer": "wait=10"}).json()
        assert made["state"] == "awaiting"
        sent = client.post(
            f"{V}/{made['id']}/documents-by-address",
            json={"documents": [{"document_id": "a", "url": f"{inside}?sig=1"}]},
        )
        assert sent.status_code == 200
        client.post(f"{V}/{made['id']}/submission")
        assert {request.url.host for request in running.town.shops["a"].requests} == {"a.example"}
        assert set(looked_up) <= {"127.0.0.1"}

    def test_a_vendor_is_not_sent_into_a_private_network(self, running: Running) -> None:
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        for url in PRIVATE:
            document = {"document_id": "a", "url": url}
            answer = client.post(f"{V}/{id}/documents-by-address", json={"documents": [document]})
            assert (answer.status_code, answer.json()["type"]) == (422, "InvalidOrder"), url
        assert not [one for one in running.town.shops["a"].requests if one.url.path.endswith("/files")]


# what is told

PLANTED = {
    "name": "Planted-Name",
    "given_name": "Planted-Given",
    "family_name": "Planted-Family",
    "birthdate": "1987-03-21",
    "email": "planted-mail@post.example",
    "phone_number": "+919876501234",
    "address": {"formatted": "Planted-Street 7", "postal_code": "Planted-560001"},
    "place_of_birth": {"locality": "Planted-Birthplace"},
    "identification_numbers": [{"type": "tax_card", "value": "Planted-ABCPE1234F", "country": "IN"}],
}
WORDS = (
    *("Planted", "planted", "1987-03-21", "919876501234"),
    # the link, the credentials, the ledger's key, the picture
    *("secret-f", "key-of-acme", "an-invented-key", "an invented picture"),
)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(part)


class TestWhatIsTold:
    @pytest.fixture
    def accounts(self) -> list[Any]:
        return [account("a")]

    def test_no_log_line_and_no_problem_of_any_operation_holds_a_secret_or_personal_data(
        self, running: Running, caplog: pytest.LogCaptureFixture
    ) -> None:
        for name in ("", "idv_core", "uvicorn.error", "asyncio", "sqlalchemy", "httpx", "httpcore", "python_multipart"):
            caplog.set_level(logging.DEBUG, logger=name)
        answers: list[httpx.Response] = []
        key = keys.add(running.ledger.store, "tests", keys.SCOPES).reveal()
        client = running.client(authorization=f"Bearer {key}")
        client.event_hooks["response"].append(answers.append)

        def order(application: str, **person: Any) -> dict[str, Any]:
            applicant = {**ORDER["applicant"], **PLANTED, **person}
            more = {
                "return_url": "https://planted-return.example/x?token=Planted-Token",
                "metadata": {"note": "Planted-Note"},
                "vendor_options": {"acme": {"word": "Planted-Option"}},
            }
            return {**ORDER, "application_id": application, "applicant": applicant, **more}

        # every operation, well
        made = client.post(V, json=order("A-1"), headers={"prefer": "wait=10", "idempotency-key": "k-1"}).json()
        one = f"{V}/{made['id']}"
        client.post("/v1/explanations", json=order("A-1"))
        picture = {"file": ("Planted-file.png", b"an invented picture")}
        assert client.post(f"{one}/documents", files=picture, data={"document_id": "front"}).status_code == 200
        by_address = {"documents": [{"document_id": "back", "url": "https://files.example/a?sig=Planted-Signature"}]}
        assert client.post(f"{one}/documents-by-address", json=by_address).status_code == 200
        client.post(f"{one}/submission")
        client.post(f"{one}/link")
        running.town.shops["a"].status = "good"
        running.ledger.wake(made["id"])
        running.until(made["id"], lambda now: now.state is State.DECIDED)
        for path in (one, f"{one}/result", f"{one}/events", V, "/v1/accounts", "/metrics", "/healthz", "/readyz"):
            assert client.get(path, params={"text": "Planted-Search"} if path == V else None).status_code == 200
        client.get("/v1/openapi.json")
        client.post(f"{one}/resolution", json={"give_up": True})
        # and badly: a wrong value in every field
        for field, value in PLANTED.items():
            for wrong in (
                f"Planted-{field}\x00",
                ["Planted-wrong", {"Planted-Wrong": 1}],
                {"Planted-Member": "Planted"},
            ):
                client.post(V, json=order("A-2", **{field: wrong}))
                client.post("/v1/explanations", json=order("A-2", **{field: wrong}))
            assert client.post(V, json=order("A-1", **{field: value, "locale": "de"})).status_code == 409
        client.post(V, content=b'{"Planted-broken', headers=JSON)
        client.post(V, content=b'{"product": "Planted", "product": "Planted"}', headers=JSON)
        client.get(V, params={"Planted-parameter": "Planted", "limit": "Planted"})
        client.get(V, params={"state": "Planted"})
        client.get(f"{V}/Planted-id")
        client.get("/Planted-nowhere")
        client.request("PUT", "/v1/accounts?Planted")
        client.post(f"{one}/documents", files=picture, data={"Planted-field": "Planted"})
        client.post(
            f"{one}/documents-by-address", json={"documents": [{"document_id": "x", "url": "https://10.0.0.1/Planted"}]}
        )
        # and with a vendor and a database that fail
        shop = running.town.shops["a"]
        shop.answers["POST /flows/f-1/link"] = lambda request: httpx.Response(
            400, json={"code": "bad", "message": "Planted-Name is not allowed"}
        )
        client.post(f"{one}/link")
        client.delete(f"{one}/personal-data")
        running.client().get("/v1/accounts", headers={"authorization": f"Bearer {key[:-1]}!"})

        said = {(path, method) for path, method, _ in running.contract.seen}
        all_of_them = {(p, m.upper()) for p, one in DOCUMENT["paths"].items() for m in one if m != "parameters"}
        assert all_of_them <= said
        problems = [answer for answer in answers if answer.status_code >= 400]
        assert len(problems) > 50
        words = (*WORDS, key[-43:])
        # a name that the caller gave to something is told back to this caller alone
        for answer in problems:
            told = re.sub(r"an order does not know: '[^']*'|metadata\.\S+", "", answer.text)
            assert not [word for word in words if word in told], (answer.request.url, answer.text)
        theirs = threading.current_thread().name
        # pytest gives the access log, which is off, a handler: see below
        ours = [one for one in caplog.records if one.threadName != theirs and one.name != "uvicorn.access"]
        lines = [record.getMessage() for record in ours]
        assert len(lines) > 10
        for line in lines:
            assert not [word for word in words if word in line], line

    def test_uvicorn_keeps_no_access_log(self, running: Running) -> None:
        assert make_server(running.app, Binding()).config.access_log is False
        access = logging.getLogger("uvicorn.access")
        assert access.propagate is False
        assert {type(one).__module__ for one in access.handlers} <= {"_pytest.logging"}

    def test_the_personal_data_stands_in_what_is_driven_above(self) -> None:
        assert all(any(word in text for word in WORDS) for text in texts(PLANTED) if text not in ("tax_card", "IN"))


# what breaks out

INJECTED = "x\r\nX-Injected: 1\r\n\r\n{}"


class TestWhatBreaksOut:
    def test_line_breaks_in_names_and_ids_reach_no_header(self, running: Running) -> None:
        client = running.client(*keys.SCOPES)
        answers = [
            client.post(V, json={**ORDER, "application_id": INJECTED}),
            client.post(V, json={**ORDER, "tenant": INJECTED}),
            client.post(V, json={**ORDER, "product": INJECTED}),
            client.post(V, json={**ORDER, "applicant": {"reference": INJECTED}}),
            client.get(f"{V}/x%0d%0aX-Injected:%201"),
            client.get(V, params={"text": INJECTED}),
        ]
        assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 404, 400]
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        for name in (INJECTED, 'a"; name="document_id', "../../etc/passwd", "ä\u202e.png"):
            sent = client.post(
                f"{V}/{id}/documents", files={"file": (name, b"x")}, data={"document_id": f"d-{len(answers)}"}
            )
            assert sent.status_code == 200
            answers.append(sent)
        answers.append(client.post(f"{V}/{id}/documents", files={"file": b"x"}, data={"document_id": INJECTED}))
        assert answers[-1].status_code == 422
        assert not any("x-injected" in answer.headers for answer in answers)
        for request in running.town.shops["a"].requests:
            assert "x-injected" not in request.headers
            assert b"passwd" not in request.content

    def test_json_that_is_nested_deep_is_refused(self, running: Running) -> None:
        client = running.client("verify")
        order = json.dumps({**ORDER, "vendor_options": {"acme": {"x": "NEST"}}})
        for depth, status in [(50, 202), (80, 400), (900, 400), (5_000, 400), (400_000, 400)]:
            body = order.replace('"NEST"', "[" * depth + "]" * depth)
            assert client.post(V, content=body, headers=JSON).status_code == status, depth

    @pytest.mark.parametrize(
        "body",
        [
            b'{"product": "a", "product": "b"}',
            b'{"product": NaN}',
            b'{"product": Infinity}',
            b'{"product": 1e999}',
            b"[-1e999]",
            b'{"product": ' + b"9" * 10_000 + b"}",
            b'{"product": "\xff"}',
            '{"product": "a"}'.encode("utf-16"),
            b"\x00",
            b"",
        ],
    )
    def test_json_that_two_readers_would_read_differently_is_refused(self, body: bytes) -> None:
        with pytest.raises(BadRequest):
            read_data(body)

    def test_a_compressed_body_is_not_opened(self, running: Running) -> None:
        bomb = gzip.compress(b" " * 10_000_000)
        answer = running.client("verify").post(V, content=bomb, headers={**JSON, "content-encoding": "gzip"})
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")

    def test_a_form_of_many_or_large_parts_is_refused(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        address = f"{V}/{id}/documents"
        many = client.post(address, files=[("file", b"x")] * 3000, data={"document_id": "a"})
        assert (many.status_code, many.json()["type"]) == (400, "BadRequest")
        texts = client.post(address, files={"file": b"x"}, data={"document_id": ["a"] * 3000})
        assert texts.status_code == 400
        long = client.post(address, files={"file": b"x"}, data={"document_id": "a" * 2_000_000})
        assert long.status_code == 400
        header = (
            b'--b\r\nContent-Disposition: form-data; name="document_id"\r\nX: '
            + b"x" * 2_000_000
            + b"\r\n\r\na\r\n--b--\r\n"
        )
        odd = client.post(address, content=header, headers={"content-type": "multipart/form-data; boundary=b"})
        assert odd.status_code in (400, 422)
        for boundary in ("", "; boundary=", "; boundary=" + "x" * 500):
            wrong = client.post(address, content=b"--x--", headers={"content-type": f"multipart/form-data{boundary}"})
            assert wrong.status_code in (400, 422)
        monkeypatch.setattr("idv_core.server.reading.MAX_FORM", 10_000)
        assert client.post(address, files={"file": b"x" * 20_000}, data={"document_id": "a"}).status_code == 413
        assert [one for one in running.town.shops["a"].requests if one.url.path.endswith("/files")] == []

    def test_a_body_of_no_said_length_is_read_no_further_than_allowed(self, running: Running) -> None:
        handed = 0

        def endless() -> Iterator[bytes]:
            nonlocal handed
            for _ in range(400):
                handed += 1
                yield b" " * 100_000

        answer = running.client("verify").post(V, content=endless(), headers=JSON)
        assert answer.status_code == 413

    def test_who_has_no_key_is_answered_before_their_body_is_read(self, running: Running) -> None:
        head = f"POST {V} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
        assert raw(running, head.encode()).startswith(b"HTTP/1.1 401 ")


def raw(running: Running, sent: bytes) -> bytes:
    """What comes back on one connection until the service ends it, or nothing more comes."""
    address = httpx.URL(running.url)
    with socket.create_connection((address.host, address.port or 80), timeout=5) as connection:
        connection.sendall(sent)
        answered = b""
        while b"\r\n\r\n" not in answered and (part := connection.recv(65536)):
            answered += part
        return answered


class TestTheWire:
    """What uvicorn and h11 do with requests over which two parsers could differ (RFC 9112 section 11.2)."""

    def test_a_request_of_which_the_end_can_be_read_in_two_ways_is_refused(self, running: Running) -> None:
        key = running.client("verify").headers["authorization"]
        smuggled = "0\r\n\r\nGET /v1/accounts HTTP/1.1\r\nHost: x\r\n\r\n"
        start = f"POST {V} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Type: application/json\r\n"
        for headers in [
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 6",
            "Content-Length: +5",
            "Content-Length: 0x5",
            "Content-Length : 5",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "X: a\x00b",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
        ]:
            answered = raw(running, f"{start}{headers}\r\n\r\n{smuggled}".encode())
            assert re.match(rb"HTTP/1\.1 (400|501) ", answered), (headers, answered[:200])
            # nothing that was sent behind it is taken for another request
            assert b"connection: close" in answered.lower(), headers

    def test_a_request_without_a_host_or_in_no_http_is_refused(self, running: Running) -> None:
        assert raw(running, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert raw(running, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")

    def test_endless_headers_are_refused(self, running: Running) -> None:
        head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(
            b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(200)
        )
        assert raw(running, head).startswith(b"HTTP/1.1 400 ") or raw(running, head) == b""
