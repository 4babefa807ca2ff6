"""The REST API on a real socket: orders in, outcomes out, nothing without a key that may."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from books import account
from server.running import DOCUMENT, ORDER, Running
from sqlalchemy.exc import OperationalError

from idv_core.ledger import State
from idv_core.server import api, idempotency, keys, performance
from idv_core.server import app as service

V = "/v1/verifications"
PERSONAL = ("Meera", "Iyer")


def test_the_document_and_the_routes_are_the_same() -> None:
    described = {
        (path, method.upper()) for path, said in DOCUMENT["paths"].items() for method in said if method != "parameters"
    }
    served = {(route.path, method) for route in api.routes() for method in route.methods or () if method != "HEAD"}
    others = {(path, "GET") for path in ("/healthz", "/readyz", "/metrics")}
    assert served | others == described


class TestTheWayThrough:
    def test_an_order_is_opened_followed_and_decided(self, running: Running) -> None:
        client = running.client("verify", "read")
        made = client.post(V, json=ORDER, headers={"prefer": "wait=10"})
        assert made.status_code == 202
        assert made.headers["preference-applied"] == "wait=10"
        assert made.json()["flow"]["link"]["url"] == "https://acme.example/go?t=secret-f-1"
        one = made.headers["location"]
        assert client.get(f"{one}/result").status_code == 202
        running.town.shops["a"].status = "good"
        running.ledger.wake(made.json()["id"])
        result = client.get(f"{one}/result", headers={"prefer": "wait=20"}).json()
        assert (result["decision"], result["is_masked"]) == ("approved", True)
        assert client.get(one).json()["state"] == "decided"
        assert [event["kind"] for event in client.get(f"{one}/events").json()["items"]][:2] == ["ordered", "opening"]

    def test_the_same_order_again_is_the_same_verification_and_another_is_refused(self, running: Running) -> None:
        client = running.client("verify")
        first, again = (client.post(V, json=ORDER).json() for _ in range(2))
        assert first["id"] == again["id"]
        other = client.post(V, json={**ORDER, "product": "loan"})
        assert (other.status_code, other.json()["type"]) == (409, "DuplicateFlow")

    def test_documents_go_to_the_vendor_and_nowhere_else(self, running: Running, tmp_path: Any) -> None:
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        picture = b"\x89PNG" + b"an invented picture" * 200_000
        form = {"document_id": "front", "type": "passport", "country": "IN"}
        handed = client.post(f"{V}/{id}/documents", files={"file": ("a.png", picture), "back": picture}, data=form)
        assert [one["document_id"] for one in handed.json()["flow"]["uploads"]] == ["front"]
        by_address = {"documents": [{"document_id": "back", "url": "https://files.example/a?sig=1"}]}
        handed = client.post(f"{V}/{id}/documents-by-address", json=by_address)
        assert [one["document_id"] for one in handed.json()["flow"]["uploads"]] == ["front", "back"]
        assert client.post(f"{V}/{id}/submission").status_code == 200
        assert client.post(f"{V}/{id}/link").json()["flow"]["link"]["url"] == "https://acme.example/again"
        for file in tmp_path.iterdir():
            assert b"an invented picture" not in file.read_bytes()
        sent = [request.url.path for request in running.town.shops["a"].requests]
        assert {"/flows/f-1/files", "/flows/f-1/end", "/flows/f-1/link"} <= set(sent)

    def test_large_forms_are_not_spooled_to_a_file(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        rolled: list[object] = []
        monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda file: rolled.append(file))
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        sent = client.post(f"{V}/{id}/documents", files={"file": b"x" * 5_000_000}, data={"document_id": "front"})
        assert sent.status_code == 200
        assert rolled == []

    def test_it_is_found_by_what_is_known_of_it(self, running: Running) -> None:
        client = running.client("verify", "read")
        ids = [client.post(V, json={**ORDER, "application_id": f"APP-{n}"}).json()["id"] for n in range(3)]
        assert [line["id"] for line in client.get(V, params={"application_id": "APP-1"}).json()["items"]] == [ids[1]]
        page = client.get(V, params={"limit": 2}).json()
        assert [line["id"] for line in page["items"]] == [ids[2], ids[1]]
        rest = client.get(V, params={"before": page["next_before"]}).json()
        assert ([line["id"] for line in rest["items"]], rest["next_before"]) == ([ids[0]], None)
        running.until(ids[0], lambda now: now.flow)
        assert client.get(V, params={"text": "f-1"}).json()["items"]
        assert client.get(V, params={"until": "2020-01-01T00:00:00Z"}).json()["items"] == []

    def test_what_is_explained_is_not_opened(self, running: Running) -> None:
        said = running.client("read").post("/v1/explanations", json=ORDER).json()
        assert (said["account"], said["route"]) == ("a", "all")
        assert running.town.shops["a"].opened == []

    def test_accounts_say_what_they_can(self, running: Running) -> None:
        (one,) = running.client("read").get("/v1/accounts").json()["items"]
        assert (one["name"], one["plugin"], one["available"]) == ("a", "acme", True)
        assert "upload" in one["capabilities"]


class TestPersonalData:
    def test_without_the_scope_it_is_masked_and_with_it_the_reading_is_an_event(self, running: Running) -> None:
        id = running.decided().id
        assert running.client("read").get(f"{V}/{id}/result").json()["is_masked"] is True
        assert running.client("personal").get(f"{V}/{id}/result").json()["is_masked"] is False
        unmasked = [event for event in running.ledger.events(id) if event.kind == "unmasked"]
        assert len(unmasked) == 1
        assert unmasked[0].actor.startswith("key:")

    def test_the_link_is_for_those_who_act_for_the_applicant(self, running: Running) -> None:
        id = running.client("verify").post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        assert running.client("read").get(f"{V}/{id}").json()["flow"]["link"] is None
        assert running.client("verify").get(f"{V}/{id}").json()["flow"]["link"] is not None

    def test_erased_is_gone_and_its_history_stays(self, running: Running) -> None:
        id = running.decided().id
        client = running.client("operate", "read")
        gone = client.delete(f"{V}/{id}/personal-data")
        assert gone.status_code == 202
        running.until(id, lambda now: now.erased_at)
        answer = client.get(f"{V}/{id}/result")
        assert (answer.status_code, answer.json()["type"]) == (410, "Erased")
        actors = {
            event["actor"]
            for event in client.get(f"{V}/{id}/events").json()["items"]
            if event["kind"] == "erasure_requested"
        }
        assert actors == {"key:" + client.headers["authorization"].split("_")[1]}

    def test_no_problem_and_no_log_line_shows_a_value(self, running: Running, caplog: pytest.LogCaptureFixture) -> None:
        client = running.client("verify", "read")
        caplog.set_level(0)
        person = {**ORDER["applicant"], "phone_number": "Meera's phone", "birthdate": "Iyer"}
        for wrong in ({"phone_number": "Meera's phone"}, {"birthdate": "Iyer"}, {"nationalities": ["Iyer"]}, person):
            answer = client.post(V, json={**ORDER, "applicant": {**ORDER["applicant"], **wrong}})
            assert (answer.status_code, answer.json()["type"]) == (422, "InvalidOrder")
            assert not any(word in answer.text for word in PERSONAL), answer.text
        client.get(f"{V}/{running.decided(application_id='APP-7').id}/result")
        assert not any(word in caplog.text for word in (*PERSONAL, "secret-f", client.headers["authorization"][-20:]))


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("method", "path"),
        sorted((route.path, method) for route in api.routes() for method in route.methods or ())[::-1],
    )
    def test_nothing_answers_without_a_key_with_a_wrong_or_too_small_one(
        self, running: Running, method: str, path: str
    ) -> None:
        path, method = method, path
        if path == "/v1/openapi.json" or method == "HEAD":
            return
        address = path.replace("{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
        assert running.client().request(method, address).status_code == 401
        assert (
            running.client(authorization="Bearer idv_000000000000_guessed").request(method, address).status_code == 401
        )
        assert running.client(authorization="Basic aWR2Og==").request(method, address).status_code == 401
        lacking = {"verify": "operate", "read": "operate", "operate": "read", "personal": "operate"}
        needed = (
            DOCUMENT["paths"][path][method.lower()]["description"].rpartition("Scope: ")[2].split(" or ")[0].rstrip(".")
        )
        answer = running.client(lacking[needed]).request(method, address)
        assert (answer.status_code, answer.json()["type"]) == (403, "Forbidden")

    def test_metrics_need_a_key_too(self, running: Running) -> None:
        assert running.client().get("/metrics").status_code == 401

    def test_a_revoked_key_opens_nothing(self, running: Running) -> None:
        client = running.client("read")
        assert client.get("/v1/accounts").status_code == 200
        keys.revoke(running.ledger.store, keys.listing(running.ledger.store)[-1].id)
        assert client.get("/v1/accounts").status_code == 401

    def test_a_key_is_kept_as_its_hash(self, running: Running, tmp_path: Any) -> None:
        secret = keys.add(running.ledger.store, "x", ["read"]).reveal().rpartition("_")[2]
        for file in tmp_path.iterdir():
            assert secret.encode() not in file.read_bytes()

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b"[" * 100_000, 400),
            (b"[]", 422),
            (b"{}", 422),
            (b"x" * 1_000_001, 413),
            (b'{"product": "p", "application_id": "a", "applicant": {}}', 422),
            (b'{"product": "p", "application_id": "a", "applicant": {"reference": "r"}, "is_shadow": true}', 422),
            (b'{"product": "p", "application_id": "a", "applicant": {"reference": "r"}, "more": 1}', 422),
        ],
    )
    def test_what_cannot_be_read_is_a_problem(self, running: Running, body: bytes, status: int) -> None:
        answer = running.client("verify").post(V, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == status
        assert answer.json()["safe_to_retry"] is False

    @pytest.mark.parametrize(
        "query", ["state=open", "limit=0", "limit=999", "since=yesterday", "since=2026-01-01T00:00", "before=x", "x=1"]
    )
    def test_a_wrong_parameter_is_named(self, running: Running, query: str) -> None:
        answer = running.client("read").get(f"{V}?{query}")
        assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")

    def test_an_address_that_is_not_and_a_method_that_is_not(self, running: Running) -> None:
        client = running.client("read")
        assert client.get("/nowhere").json()["type"] == "NotFound"
        refused = client.put(V)
        assert (refused.json()["type"], refused.headers["allow"]) == ("MethodNotAllowed", "GET, HEAD, POST")
        assert client.get(f"{V}/nobody").json()["type"] == "NotFound"

    def test_a_vendors_refusal_says_whether_to_repeat(self, running: Running) -> None:
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        limited = httpx.Response(429, headers={"retry-after": "7"}, json={"code": "slow"})
        running.town.shops["a"].answers["POST /flows/f-1/link"] = lambda request: limited
        answer = client.post(f"{V}/{id}/link")
        said = answer.json()
        assert (answer.status_code, said["type"], said["safe_to_retry"]) == (429, "RateLimited", True)
        assert (said["retry_after"], answer.headers["retry-after"]) == (7.0, "7")

    def test_a_database_that_is_away_is_said_so(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        client = running.client("read")

        def away(*_: Any) -> None:
            raise OperationalError("SELECT a secret", {}, Exception("no server"))

        monkeypatch.setattr("idv_core.server.search.find", away)
        answer = client.get(V)
        assert (answer.status_code, answer.json()["safe_to_retry"]) == (503, True)
        assert "secret" not in answer.text


class TestIdempotencyKey:
    def test_the_same_request_gets_the_same_answer_and_another_is_refused(self, running: Running) -> None:
        client = running.client("verify")
        headers = {"idempotency-key": "k-1", "prefer": "wait=10"}
        first = client.post(V, json=ORDER, headers=headers)
        again = client.post(V, json=ORDER, headers=headers)
        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        other = client.post(V, json={**ORDER, "application_id": "APP-2"}, headers=headers)
        assert (other.status_code, other.json()["type"]) == (422, "KeyReused")
        # the keys of two programs are apart
        assert running.client("verify").post(V, json=ORDER, headers=headers).status_code == 202

    def test_two_at_once_are_one(self, running: Running) -> None:
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        entered, go = threading.Event(), threading.Event()

        def slow(request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json={"status": "busy"})

        running.town.shops["a"].answers["POST /flows/f-1/link"] = slow
        real = running.ledger.commit

        def held(*args: Any, **more: Any) -> Any:
            entered.set()
            go.wait(20)
            return real(*args, **more)

        running.ledger.commit = held  # type: ignore[method-assign]
        with ThreadPoolExecutor() as pool:
            first = pool.submit(client.post, f"{V}/{id}/link", headers={"idempotency-key": "k"})
            assert entered.wait(20)
            second = running.client(authorization=client.headers["authorization"]).post(
                f"{V}/{id}/link", headers={"idempotency-key": "k"}
            )
            assert (second.status_code, second.json()["type"]) == (409, "BeingAnswered")
            go.set()
            assert first.result().status_code == 200
        links = [one for one in running.town.shops["a"].requests if one.url.path == "/flows/f-1/link"]
        assert len(links) == 1

    def test_what_failed_is_tried_anew(self, running: Running) -> None:
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        answers = running.town.shops["a"].answers
        answers["POST /flows/f-1/link"] = lambda request: httpx.Response(503)
        headers = {"idempotency-key": "k-2"}
        assert client.post(f"{V}/{id}/link", headers=headers).status_code >= 500
        del answers["POST /flows/f-1/link"]
        assert client.post(f"{V}/{id}/link", headers=headers).status_code == 200


class TestUnknown:
    @pytest.fixture
    def accounts(self) -> list[Any]:
        return [account("a", "bare")]

    @pytest.fixture
    def lost(self, running: Running) -> str:
        """A verification of which nobody can tell whether the vendor opened a flow."""

        def broken(request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("nothing came")

        running.town.shops["a"].answers["POST /flows"] = broken
        id = running.client("verify").post(V, json=ORDER).json()["id"]
        running.until(id, lambda now: now.attempts)
        while running.ledger.get(id).state is not State.UNKNOWN:
            running.ledger.wake(id)
            threading.Event().wait(0.05)
        running.town.shops["a"].answers.clear()
        return str(id)

    def test_it_is_given_up_by_a_name(self, running: Running, lost: str) -> None:
        client = running.client("operate")
        assert client.post(f"{V}/{lost}/resolution", json={"give_up": True}).status_code == 202
        assert running.until(lost, lambda now: now.state.is_ended).state is State.FAILED
        again = client.post(f"{V}/{lost}/resolution", json={"give_up": True})
        assert (again.status_code, again.json()["type"]) == (409, "LedgerError")

    def test_it_is_opened_again_at_a_persons_word(self, running: Running, lost: str) -> None:
        running.client("operate").post(f"{V}/{lost}/resolution", json={"reopen": True})
        again = running.until(lost, lambda now: now.flow is not None)
        assert again.account == "a"
        assert "opened_again" in [event.kind for event in running.ledger.events(lost)]

    @pytest.mark.parametrize(
        "said", [{}, {"reopen": False}, {"adopt": ""}, {"adopt": 1}, {"reopen": True, "give_up": True}, []]
    )
    def test_half_a_word_is_refused(self, running: Running, lost: str, said: Any) -> None:
        assert running.client("operate").post(f"{V}/{lost}/resolution", json=said).status_code == 400


class TestAround:
    def test_slow_callers_keep_nobody_out(self, running: Running) -> None:
        address = httpx.URL(running.url)
        slow = [socket.create_connection((address.host, address.port or 80)) for _ in range(200)]
        try:
            for one in slow:
                one.sendall(b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
            assert (
                running.client("verify").post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["flow"] is not None
            )
        finally:
            for one in slow:
                one.close()

    def test_it_says_that_it_lives_and_works(self, running: Running) -> None:
        client = running.client()
        assert client.get("/healthz").json() == {"status": "alive"}
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/v1/openapi.json").json() == DOCUMENT

    def test_it_is_not_ready_when_nobody_follows(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("idv_core.server.metrics.due_lag", lambda store: timedelta(minutes=6))
        answer = running.client().get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "not ready")

    def test_metrics_are_read_from_the_ledger(self, running: Running) -> None:
        running.decided()
        text = running.client("read").get("/metrics").text
        assert 'idv_verifications{account="a",state="decided"} 1.0' in text
        assert 'idv_decisions{account="a",decision="approved"} 1.0' in text
        assert "idv_due_lag_seconds 0.0" in text
        assert 'idv_account_available{account="a"} 1.0' in text

    def test_metrics_of_a_database_that_is_away_say_so_and_log_no_value(
        self, running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def away(*_: Any) -> None:
            raise OperationalError("SELECT a secret", {}, Exception("no server"))

        monkeypatch.setattr("idv_core.server.metrics.exposition", away)
        answer = running.client("read").get("/metrics")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "the ledger's database cannot be reached" in caplog.text
        assert "secret" not in caplog.text

    async def test_a_fault_in_the_figures_ends_neither_them_nor_the_forgetting(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        done: list[str] = []

        def refresh(store: Any) -> None:
            done.append("figures")
            if len(done) == 1:
                raise ValueError("a value that nobody foresaw")

        monkeypatch.setattr(performance, "refresh", refresh)
        monkeypatch.setattr(idempotency, "prune", lambda store: done.append("forgetting"))
        monkeypatch.setattr(service, "_PAUSE", 0)
        monkeypatch.setattr(service, "_HOURLY", 1)
        keeping = asyncio.create_task(service._keep(SimpleNamespace(store=None)))  # type: ignore[arg-type]
        async with asyncio.timeout(20):
            while "forgetting" not in done:
                assert not keeping.done()
                await asyncio.sleep(0)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        assert done[:3] == ["figures", "figures", "forgetting"]
        assert "ValueError" in caplog.text
        assert "foresaw" not in caplog.text

    def test_the_vendors_webhook_comes_in_at_the_same_process(self, running: Running) -> None:
        id = running.client("verify").post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        shop = running.town.shops["a"]
        shop.status = "good"
        path = httpx.URL(shop.callbacks["f-1"]).path
        assert running.client().post(path, params={"id": "f-1"}).status_code == 200
        assert running.until(id, lambda now: now.decision).state is State.DECIDED
        assert running.client().post(path.replace("/done", "/elsewhere")).status_code == 404

    def test_the_platform_is_told(self, running: Running) -> None:
        id = running.decided().id
        end = threading.Event()
        for _ in range(500):
            if running.messages:
                break
            end.wait(0.02)
        assert [(said["type"], said["data"]["id"]) for said in running.messages] == [("verification.decided", id)]
