"""The review desk: claimed, decided once, told to platform and vendor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from books import account
from server.operators import V, log_in, press
from server.running import ORDER, Running

from idv_core.ledger.store import connect
from idv_core.server.console import users
from idv_core.server.migrating import migrate


@pytest.fixture
def accounts() -> list[Any]:
    return [account("a", "doubting")]


class TestTheReviewDesk:
    def test_a_decision_stands_beside_the_policys_and_is_told(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", "review")
        page = f"{V}/{doubtful}"
        assert "APP-1" in client.get("/console/review").text
        press(client, page, f"{page}/claim")
        after = press(client, page, f"{page}/review", outcome="approved", reason="The passport is Meera's").text
        assert "approved</span> by ana" in after
        assert "has not been told yet" not in after
        assert "The passport is Meera" in after
        assert "APP-1" not in client.get("/console/review").text
        now = running.ledger.get(doubtful)
        assert now.decision == "review"
        said = running.client("read").get(f"/v1/verifications/{doubtful}").json()
        assert (said["decision"], said["review"]["outcome"], said["review"]["author"]) == ("review", "approved", "ana")
        running.until(doubtful, lambda _: any(one["type"] == "verification.reviewed" for one in running.messages))
        (told,) = [one for one in running.messages if one["type"] == "verification.reviewed"]
        assert told["data"]["review"] == {"outcome": "approved", "author": "ana", "confirmed_by": None}
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

    def test_what_the_vendor_reads_anew_is_reviewed_anew(self, running: Running, doubtful: str) -> None:
        ana, ben = (log_in(running, name, "review", "personal") for name in ("ana", "ben"))
        page = f"{V}/{doubtful}"
        press(ana, page, f"{page}/claim")
        fields = {"outcome": "another_document", "document": "passport", "reason": "unreadable"}
        running.town.shops["a"].answers["GET /flows/f-1"] = lambda request: httpx.Response(
            200, json={"id": "f-1", "status": "good", "name": "Meera Menon"}
        )
        # no webhook comes: the desk has it looked at
        press(ana, page, f"{page}/review", **fields)
        running.until(doubtful, lambda now: now.round == 2)
        assert press(ana, "/console", f"{page}/review", outcome="approved", reason="old").status_code == 409
        press(ben, page, f"{page}/claim")
        assert "Meera Menon" in press(ben, page, f"{page}/unmasked").text

    def test_the_vendor_that_cannot_be_told_changes_nothing(self, running: Running, doubtful: str) -> None:
        running.town.shops["a"].answers["POST /flows/f-1/review"] = lambda request: httpx.Response(403)
        client = log_in(running, "ana", "review")
        page = f"{V}/{doubtful}"
        press(client, page, f"{page}/claim")
        assert "vendor not told" in press(client, page, f"{page}/review", outcome="approved", reason="good").text

    def test_a_process_that_ends_before_the_vendor_is_told_leaves_a_word_of_it(
        self, running: Running, doubtful: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = log_in(running, "ana", "review")
        page, untold = f"{V}/{doubtful}", "The vendor has not been told yet"
        assert untold not in press(client, page, f"{page}/claim").text
        with monkeypatch.context() as gone:
            # as when the database, or the process, is away after the commit of the decision
            gone.setattr("idv_core.server.console.desk._tell_vendor", AsyncMock(side_effect=RuntimeError("gone")))
            failed = press(client, page, f"{page}/review", outcome="approved", reason="good")
        assert (failed.status_code, "Load the page again" in failed.text) == (500, True)
        assert untold in client.get(page).text

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
        waiting = {"review_state": "waiting", "text": "APP"}
        assert [one["id"] for one in client.get("/v1/verifications", params=waiting).json()["items"]] == [doubtful]
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
