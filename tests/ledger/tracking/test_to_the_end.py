"""Verifications followed to their end: opened once, decided, told."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from acme import order
from books import Town, account
from ledger.following import Make, Platform, run, unreachable
from sqlalchemy import Column, Connection, MetaData, String, Table, func, insert, select
from sqlalchemy.exc import OperationalError

from idv_core import Decision, Document, Result
from idv_core.errors import InvalidOrder
from idv_core.ledger import Ledger, Stale, State, Verification


class TestToTheEnd:
    def test_an_order_is_opened_decided_and_told_once(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        tracker = track()
        tracker.step()
        opened = ledger.get(taken.id)
        assert opened.state is State.AWAITING
        assert opened.flow is not None
        assert opened.flow.link is not None
        assert opened.flow.link.url.reveal() == "https://acme.example/go?t=secret-f-1"
        town.shops["a"].status = "good"
        run(tracker, ledger)
        done = ledger.get(taken.id)
        assert (done.state, done.decision, done.round, done.due) == (State.DECIDED, Decision.APPROVED, 1, None)
        assert platform.told() == [("verification.decided", "APP-1")]
        assert town.shops["a"].opened == ["CUST-1"]
        kinds = [event.kind for event in ledger.events(taken.id)]
        assert kinds == ["ordered", "opening", "opened", "decided", "delivered"]
        assert ledger.verify().problems == ()

    def test_what_is_told_has_no_personal_data_and_no_link(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        ledger.take(order())
        town.shops["a"].status = "good"
        run(track(), ledger)
        text = json.dumps(platform.got)
        assert "decided" in text
        for secret in ("Meera", "secret-", "meera@"):
            assert secret not in text

    def test_a_refused_order_fails_and_that_is_told(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        town.shops["a"].answers["POST /flows"] = lambda _: httpx.Response(
            422, json={"code": "bad", "message": "Meera?"}
        )
        tracker = track()
        tracker.step()
        assert ledger.get(taken.id).state is State.FAILED
        assert platform.told() == [("verification.failed", "APP-1")]
        assert "Meera" not in str(ledger.events(taken.id))

    def test_a_vendor_that_is_away_is_asked_again_and_the_fallback_meanwhile(
        self, ledger: Ledger, track: Make, town: Town
    ) -> None:
        taken = ledger.take(order())
        town.shops["a"].answers["POST /flows"] = lambda _: httpx.Response(503)
        town.shops["a"].answers["POST /token"] = unreachable
        track(account("a"), account("b")).step()
        opened = ledger.get(taken.id)
        assert (opened.state, opened.account) == (State.AWAITING, "b")
        asked = [event.data["account"] for event in ledger.events(taken.id) if event.kind == "opening"]
        assert asked == ["a", "b"]

    def test_a_shadow_is_followed_beside_and_compared(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        from idv_core.routing import Shadow

        taken = ledger.take(order())
        town.shops["a"].status = town.shops["b"].status = "good"
        run(
            track(account("a"), account("b"), fallback=[], shadow=Shadow(account="b", personal_data=True)),
            ledger,
            rounds=6,
        )
        assert [row.role.value for row in ledger.flows(taken.id)] == ["chosen", "shadow"]
        compared = [event for event in ledger.events(taken.id) if event.kind == "compared"]
        assert [event.data["would_be"] for event in compared] == ["approved"]
        assert platform.told() == [("verification.decided", "APP-1")]

    def test_documents_are_handed_in_through_the_books(self, ledger: Ledger, track: Make) -> None:
        taken = ledger.take(order())
        tracker = track()
        with pytest.raises(InvalidOrder, match="it has no flow to upload to"):
            tracker.upload(taken.id, [Document("pan", content=b"picture")])
        tracker.step()
        after = tracker.upload(taken.id, [Document("pan", content=b"\x89PNG picture")])
        assert after.flow is not None
        assert [upload.document_id for upload in after.flow.uploads] == ["pan"]
        assert tracker.renew_link(taken.id).flow.link.url.reveal() == "https://acme.example/again"  # type: ignore[union-attr]
        tracker.submit(taken.id)
        kinds = [event.kind for event in ledger.events(taken.id)]
        assert kinds[-3:] == ["uploaded", "link_renewed", "submitted"]

    def test_a_renewed_link_outlives_a_database_that_is_away_for_a_moment(
        self, ledger: Ledger, track: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        tracker = track()
        tracker.step()
        monkeypatch.setattr("idv_core.tracker.turning._COMMITS", (0.0,))
        commit, failures = ledger.commit, [OperationalError("UPDATE", {}, Exception("away"))]

        def failing(*args: Any, **more: Any) -> Verification:
            if failures:
                raise failures.pop()
            return commit(*args, **more)

        monkeypatch.setattr(ledger, "commit", failing)
        after = tracker.renew_link(taken.id)
        assert after.flow is not None
        assert after.flow.link is not None
        assert after.flow.link.url.reveal() == "https://acme.example/again"
        assert ledger.get(taken.id).flow == after.flow


class TestHandlers:
    table = Table("loan", MetaData(), Column("id", String(40), primary_key=True), Column("decision", String(20)))

    def decided(self, con: Connection, verification: Verification, result: Result | None) -> None:
        con.execute(
            insert(self.table).values(id=verification.application_id, decision=result and result.decision.value)
        )

    def count(self, ledger: Ledger) -> int:
        with ledger.store.engine.connect() as con:
            return con.execute(select(func.count()).select_from(self.table)).scalar_one()

    def test_what_they_write_is_there_with_the_outcome(self, ledger: Ledger, track: Make, town: Town) -> None:
        self.table.create(ledger.store.engine)
        ledger.take(order())
        town.shops["a"].status = "good"
        run(track(on_decided=self.decided), ledger)
        assert self.count(ledger) == 1

    def test_where_one_fails_nothing_is_written_and_it_is_tried_again(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.table.create(ledger.store.engine)
        taken = ledger.take(order())
        town.shops["a"].status = "good"
        broken = [True]

        def decided(con: Connection, verification: Verification, result: Result | None) -> None:
            self.decided(con, verification, result)
            if broken:
                raise KeyError("Meera's loan")

        tracker = track(on_decided=decided)
        run(tracker, ledger)
        assert (self.count(ledger), platform.got) == (0, [])
        assert ledger.get(taken.id).state is State.AWAITING
        assert "its turn failed with KeyError at" in caplog.text
        assert "Meera" not in caplog.text
        broken.clear()
        run(tracker, ledger, seconds=900)
        assert self.count(ledger) == 1
        assert platform.told() == [("verification.decided", "APP-1")]


def test_who_is_stale_says_so_without_values() -> None:
    assert str(Stale("verification 01J was taken over by another worker")) == (
        "verification 01J was taken over by another worker"
    )
