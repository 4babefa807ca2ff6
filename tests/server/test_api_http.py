"""The API keeps HTTP's own conventions: RFC 9110, RFC 7240 (Prefer), RFC 6750 (Bearer), the draft of Idempotency-Key."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import httpx
import pytest
from books import OTHER_KEY
from server.running import DOCUMENT, ORDER, Running
from sqlalchemy import false, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.requests import Request
from starlette.responses import Response

from idv_core.errors import InvalidOrder
from idv_core.ledger.sealing import Keyring
from idv_core.ledger.store import Store
from idv_core.model.countries import ALPHA_3
from idv_core.model.document_types import DocumentType
from idv_core.server import idempotency
from idv_core.server.problems import BadRequest, BeingAnswered
from idv_core.server.reading import bearer, preferred_wait, query_of, read_data
from idv_core.server.wire import read_order

V = "/v1/verifications"


def request(query: bytes = b"", *headers: tuple[str, str]) -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": raw})


class TestPrefer:
    @pytest.mark.parametrize(
        ("given", "seconds"),
        [
            (["wait=10"], 10),
            (["WAIT=10"], 10),
            (["wait = 10"], 10),
            (['wait="10"'], 10),
            (["respond-async, wait=10"], 10),
            (["wait=10, respond-async"], 10),
            (["respond-async", "wait=10"], 10),
            (["wait=10; more=1"], 10),
            (['note="a, wait=9", wait=10'], 10),
            # the first counts (section 2)
            (["wait=10, wait=20"], 10),
            (["wait=600"], 30),
            (["wait=" + "9" * 5000], 30),
            (["wait=0"], 0),
            # what cannot be read is no error
            (["wait=-1"], 0),
            (["wait=1.5"], 0),
            (["wait=ten"], 0),
            (["wait=\u00b2"], 0),
            (["wait"], 0),
            (["waiting=10"], 0),
            ([""], 0),
            ([], 0),
        ],
    )
    def test_the_preference_is_read_as_the_rfc_writes_it(self, given: list[str], seconds: int) -> None:
        assert preferred_wait(request(b"", *(("prefer", one) for one in given))) == seconds

    def test_what_was_honoured_is_told_and_what_was_not_is_not(self, running: Running) -> None:
        client = running.client("verify", "read")
        waited = client.post(V, json=ORDER, headers={"prefer": "respond-async, wait=600"})
        assert waited.headers["preference-applied"] == "wait=30"
        assert waited.json()["state"] == "awaiting"
        assert "preference-applied" not in client.post(V, json=ORDER).headers
        assert "preference-applied" not in client.get(waited.headers["location"], headers={"prefer": "wait=1"}).headers
        pending = client.get(f"{waited.headers['location']}/result", headers={"prefer": "wait=1"})
        assert (pending.status_code, pending.headers["preference-applied"]) == (202, "wait=1")
        assert int(pending.headers["retry-after"]) > 0


class TestIdempotencyKey:
    @pytest.mark.parametrize(
        ("given", "key"),
        [
            (["8e03978e-40d5-43e8-bc93-6894a57f9324"], "8e03978e-40d5-43e8-bc93-6894a57f9324"),
            # a String of RFC 8941, as the draft has it
            (['"8e03978e-40d5-43e8-bc93-6894a57f9324"'], "8e03978e-40d5-43e8-bc93-6894a57f9324"),
            ([r'"a\"b\\c"'], 'a"b\\c'),
            (["a b"], "a b"),
            ([], None),
        ],
    )
    def test_quoted_and_bare_it_is_the_same_key(self, given: list[str], key: str | None) -> None:
        assert idempotency.read_key(given) == key

    @pytest.mark.parametrize(
        "given", [[""], ["x" * 256], ["\u00e9"], ["a", "a"], ['"a'], ['""'], [r'"a\b"'], ['"a";b=1'], [" "]]
    )
    def test_what_is_no_key_is_refused(self, given: list[str]) -> None:
        with pytest.raises(BadRequest, match="a UUID is good"):
            idempotency.read_key(given)

    def test_the_answer_that_is_given_again_has_its_headers(self, running: Running) -> None:
        client = running.client("verify")
        headers = {"idempotency-key": '"k-1"', "prefer": "wait=10"}
        first = client.post(V, json=ORDER, headers=headers)
        again = client.post(V, json=ORDER, headers={**headers, "idempotency-key": "k-1"})
        assert again.headers["idempotency-replayed"] == "true"
        assert "idempotency-replayed" not in first.headers
        for name in ("location", "preference-applied", "cache-control", "content-type"):
            assert again.headers[name] == first.headers[name]

    def test_what_was_erased_is_not_told_again(self, running: Running) -> None:
        client = running.client("verify", "operate")
        headers = {"idempotency-key": "k-1", "prefer": "wait=10"}
        made = client.post(V, json=ORDER, headers=headers)
        one = made.headers["location"]
        assert client.post(f"{one}/link", headers={"idempotency-key": "k-2"}).status_code == 200
        assert client.post(V, json=ORDER, headers=headers).json() == made.json()
        client.delete(f"{one}/personal-data")
        running.until(made.json()["id"], lambda now: now.erased_at)
        for again in (
            client.post(V, json=ORDER, headers=headers),
            client.post(f"{one}/link", headers={"idempotency-key": "k-2"}),
        ):
            assert (again.status_code, again.json()["type"]) == (410, "Erased")

    def test_an_answer_whose_sealing_key_is_gone_is_no_fault_of_ours(
        self, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = running.client("verify")
        headers = {"idempotency-key": "k-1"}
        assert client.post(V, json=ORDER, headers=headers).status_code == 202
        # as when the old key was taken out of the configuration on the day of the rotation
        monkeypatch.setattr(running.ledger.store, "keyring", Keyring.of([OTHER_KEY]))
        again = client.post(V, json=ORDER, headers=headers)
        said = again.json()
        assert (again.status_code, said["type"]) == (409, "KeptAnswerUnreadable")
        assert (said["safe_to_retry"], said["nothing_done"]) == (False, False)
        assert "look the verification up by application_id" in said["detail"]

    def test_one_that_fails_between_our_two_statements_is_asked_again(
        self, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # on PostgreSQL the row that stood in the way of ours may be gone when it is looked for
        def none(store: Store, table: Any, values: Any) -> Any:
            return insert(table).from_select(["key_id"], select(table.c.key_id).where(false()))

        monkeypatch.setattr(Store, "insert_new", none)
        with pytest.raises(BeingAnswered) as caught:
            idempotency._begin(running.ledger.store, "key", "k-1", b"")
        assert caught.value.safe_to_retry

    def test_who_was_taken_for_lost_changes_nothing_of_who_came_after(
        self, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = running.ledger.store
        first = idempotency._begin(store, "key", "k-1", b"same")
        monkeypatch.setattr(idempotency, "_LOST", timedelta(seconds=-1))
        second = idempotency._begin(store, "key", "k-1", b"same")
        assert isinstance(first, datetime)
        assert isinstance(second, datetime)
        idempotency._forget(store, "key", "k-1", first)
        idempotency._end(store, "key", "k-1", first, Response(b"{}"))
        monkeypatch.undo()
        with pytest.raises(BeingAnswered):
            idempotency._begin(store, "key", "k-1", b"same")
        idempotency._end(store, "key", "k-1", second, Response(b'{"by": 2}'))
        told = idempotency._begin(store, "key", "k-1", b"same")
        assert isinstance(told, Response)
        assert told.body == b'{"by": 2}'


class TestQueries:
    @pytest.mark.parametrize(
        "query", [b"limit=1&limit=2", b"more=1", b"text=%ff", b"text=%c3%28", b"text=\xff", b"&".join([b"a=1"] * 51)]
    )
    def test_what_two_readers_would_read_differently_is_refused(self, query: bytes) -> None:
        with pytest.raises(BadRequest):
            query_of(request(query), frozenset({"limit", "text"}))

    def test_an_operation_takes_no_parameter_that_it_does_not_name(self, running: Running) -> None:
        client = running.client("read", "verify")
        for path in ("/v1/accounts", "/metrics", f"{V}/01ARZ3NDEKTSV4RRFFQ69G5FAV"):
            answer = client.get(path, params={"wait": "10"})
            assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")

    def test_times_and_numbers_at_their_edges(self, running: Running) -> None:
        client = running.client("read", "verify")
        client.post(V, json=ORDER)
        told = {
            "since=1900-01-01T00:00:00Z": 1,
            "until=1900-01-01T00:00:00Z": 0,
            "since=9999-12-31T23:59:59Z": 0,
            "until=9999-12-31t23:59:59.999z": 1,
            "since=0001-01-01T00:00:00%2B14:00": 400,
            "since=2026-W01-1T00:00:00Z": 400,
            "since=2026-01-01": 400,
            "limit=%C2%B2": 400,
            "limit=1e1": 400,
            "text=%20": 400,
            "text=" + "x" * 201: 400,
        }
        for query, count in told.items():
            answer = client.get(f"{V}?{query}")
            assert (len(answer.json()["items"]) if answer.status_code == 200 else answer.status_code) == count, query


class TestBodies:
    def test_another_content_type_is_told_which_is_taken(self, running: Running) -> None:
        client = running.client("verify")
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "multipart/form-data"]:
            answer = client.post(V, content=b"{}", headers={"content-type": kind} if kind else {})
            assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")
            assert answer.json()["detail"].endswith("Content-Type: application/json")

    def test_the_content_type_may_have_parameters_and_any_case(self, running: Running) -> None:
        answer = running.client("verify").post(
            V, content=b"{}", headers={"content-type": "Application/JSON; charset=utf-8"}
        )
        assert answer.status_code == 422

    @pytest.mark.parametrize(
        "more",
        [
            {"tenant": None},
            {"documents": "passport"},
            {"documents": {}},
            {"applicant": {"reference": "r", "name": None}},
            {"applicant": {"reference": "r", "address": {"country": None}}},
            {"applicant": {"reference": "r", "birthdate": "20000101"}},
            {"applicant": {"reference": "r", "nationalities": "IN"}},
            {"applicant": {"reference": "r", "identification_numbers": {}}},
            {"metadata": {"a": None}},
        ],
    )
    def test_a_value_that_means_another_is_refused(self, more: Any) -> None:
        with pytest.raises(InvalidOrder) as refused:
            read_order({**ORDER, **more})
        assert "stored" not in refused.value.message

    @pytest.mark.parametrize(
        ("changes", "said", "fields"),
        [
            ({"product": 5}, "product: must be a string", ("product",)),
            ({"applicant": []}, "applicant: must be an object", ("applicant",)),
            ({"applicant": {"name": "Meera"}}, "applicant.reference: is missing", ("applicant.reference",)),
            (
                {"applicant": {"reference": "r", "birthdate": "2026-02-30"}},
                "applicant.birthdate: must be a date such as 1990-05-31",
                ("applicant.birthdate",),
            ),
            (
                {"applicant": {"reference": "r", "address": "Meera Iyer"}},
                "applicant.address: must be an object",
                ("applicant.address",),
            ),
            (
                {"documents": ["Meera"]},
                "documents: must be one of the words that openapi.json has for it",
                ("documents",),
            ),
            ({"metadata": {"Meera's": 5}}, "metadata: must be a string", ("metadata",)),
            ({"metadata": []}, "metadata: must be an object", ("metadata",)),
            ({"surname": "Meera"}, "the order: has what an order does not know: 'surname'", ()),
        ],
    )
    def test_what_is_wrong_is_said_in_words_of_json_and_names_the_field(
        self, changes: Any, said: str, fields: tuple[str, ...]
    ) -> None:
        with pytest.raises(InvalidOrder) as refused:
            read_order({**ORDER, **changes})
        assert (refused.value.message, refused.value.fields) == (said, fields)

    def test_what_the_vendor_reads_may_be_null(self) -> None:
        read = read_order({**ORDER, "vendor_options": {"acme": {"a": None}}})
        assert read.vendor_options == {"acme": {"a": None}}

    def test_a_document_that_was_handed_in_is_not_handed_in_again(self, running: Running) -> None:
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        picture, front = {"file": b"x"}, {"document_id": "front"}
        assert client.post(f"{V}/{id}/documents", files=picture, data=front).status_code == 200
        again = client.post(f"{V}/{id}/documents", files=picture, data=front)
        assert (again.status_code, again.json()["type"]) == (409, "Conflict")
        twice = [{"document_id": "a", "url": "https://files.example/a"}] * 2
        answer = client.post(f"{V}/{id}/documents-by-address", json={"documents": twice})
        assert (answer.status_code, answer.json()["type"]) == (422, "InvalidOrder")

    def test_a_form_of_other_parts_is_refused(self, running: Running) -> None:
        client = running.client("verify")
        id = client.post(V, json=ORDER, headers={"prefer": "wait=10"}).json()["id"]
        wrong: list[dict[str, Any]] = [
            {},
            {"document_id": "a", "more": "b"},
            {"document_id": ["a", "b"]},
            {"document_id": "a", "type": "x"},
        ]
        for data in wrong:
            answer = client.post(f"{V}/{id}/documents", files={"file": b"x"}, data=data)
            assert (answer.status_code, answer.json()["type"]) == (422, "InvalidOrder")


class TestAnswers:
    def test_what_is_carried_out_later_tells_where_to_look(self, running: Running) -> None:
        id = running.decided().id
        gone = running.client("operate").delete(f"{V}/{id}/personal-data")
        assert (gone.status_code, gone.headers["location"]) == (202, f"{V}/{id}")

    def test_a_scheme_of_no_key_is_told_no_error_and_a_wrong_key_is(self, running: Running) -> None:
        client = running.client()
        assert client.get("/v1/accounts").headers["www-authenticate"] == 'Bearer realm="idv"'
        wrong = client.get("/v1/accounts", headers={"authorization": "Bearer idv_x"})
        assert wrong.headers["www-authenticate"] == 'Bearer realm="idv", error="invalid_token"'

    @pytest.mark.parametrize("given", ["Bearer a b", "bearer  a", "Basic a", "Bearer", "a", ""])
    def test_the_token_is_read_as_the_rfc_writes_it(self, given: str) -> None:
        read = bearer(request(b"", ("authorization", given)))
        assert read == {"Bearer a b": "a b", "bearer  a": "a"}.get(given)

    def test_a_database_that_is_away_says_when_to_come_again_and_a_fault_does_not(
        self, running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = running.client("read")
        faults: list[Exception] = [
            OperationalError("a secret", {}, Exception()),
            IntegrityError("a secret", {}, Exception()),
        ]

        def fail(*_: Any) -> None:
            raise faults.pop(0)

        monkeypatch.setattr("idv_core.server.search.find", fail)
        away, fault = client.get(V, params={"text": "Somebody"}), client.get(V, params={"text": "Somebody"})
        assert (away.status_code, away.headers["retry-after"], away.json()["retry_after"]) == (503, "5", 5)
        assert (fault.status_code, fault.json()["type"], "retry-after" in fault.headers) == (
            500,
            "InternalError",
            False,
        )
        ours = [record.getMessage() for record in caplog.records if record.name == "idv_core"]
        assert len(ours) == 2
        assert "GET /v1/verifications failed: IntegrityError at " in ours[1]
        assert "Somebody" not in "".join(ours)

    def test_every_method_that_is_not_is_refused_with_those_that_are(self, running: Running) -> None:
        client = running.client()
        for path, said in DOCUMENT["paths"].items():
            there = {method.upper() for method in said if method != "parameters"}
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"} - there:
                answer = client.request(method, path.replace("{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV"))
                assert answer.status_code == 405, f"{method} {path}"
                assert {one.strip() for one in answer.headers["allow"].split(",")} - {"HEAD"} == there

    @pytest.mark.parametrize("path", [V, "/console", "/readyz", "/v1/accounts", "/console/login"])
    def test_a_slash_at_the_end_sends_the_key_nowhere_else(self, running: Running, path: str) -> None:
        client = running.client("verify", "read")
        for method in ("GET", "POST"):
            answer = client.request(method, f"{path}/", json=ORDER, headers={"host": "elsewhere.example"})
            assert (answer.status_code, "location" in answer.headers) == (404, False)
            assert answer.json()["detail"] == "there is nothing at this address: leave out the slash at its end"

    def test_a_head_is_a_get_without_its_body(self, running: Running) -> None:
        answer: httpx.Response = running.client("read").head("/v1/accounts")
        assert (answer.status_code, answer.content) == (200, b"")


class TestTheDocument:
    """What it says of words is what the model takes."""

    def test_countries_and_document_types_are_those_of_the_model(self) -> None:
        schemas = DOCUMENT["components"]["schemas"]
        assert set(schemas["Country"]["pattern"][2:-2].split("|")) == set(ALPHA_3)
        assert schemas["DocumentType"]["enum"] == [one.value for one in DocumentType]

    def test_it_says_nothing_twice(self) -> None:
        # a merge can leave a schema there twice, and readers take one of them in silence
        read_data(files("idv_core.server").joinpath("openapi.json").read_bytes())

    def test_every_problem_that_can_come_is_named_for_each_operation(self) -> None:
        for path, said in DOCUMENT["paths"].items():
            for method, operation in said.items():
                if method == "parameters" or not operation["security"]:
                    continue
                statuses = {int(status) for status in operation["responses"]}
                assert {400, 401, 403, 500, 503} <= statuses, path
                assert ({413, 415, 422} <= statuses) == ("requestBody" in operation), path
                assert ("{id}" not in path) or 404 in statuses, path
