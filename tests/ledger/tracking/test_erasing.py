"""Erasure by the vendors, and by itself after the retention."""

from __future__ import annotations

from datetime import timedelta

import httpx
from acme import order
from books import Town, account
from ledger.following import Connect, Make, Platform, run

from idv_core import Decision
from idv_core.ledger import Ledger, State


class TestErasing:
    def test_vendors_that_cannot_erase_are_left_for_a_person(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = ledger.take(order()).id
        town.shops["a"].status = "good"
        tracker = track()
        run(tracker, ledger)
        ledger.erase(id, actor="user:ana")
        run(tracker, ledger)
        (row,) = ledger.flows(id)
        assert row.erasure == "by hand"
        assert ledger.get(id).due is None

    def test_a_vendor_is_asked_by_reference_until_it_says_that_it_is_done(
        self, ledger: Ledger, track: Make, town: Town
    ) -> None:
        id = ledger.take(order()).id
        shop, said = town.shops["a"], ["requested", "requested", "done"]
        shop.status = "good"
        shop.answers["DELETE /flows/f-1"] = lambda _: httpx.Response(200, json={"erasure": said.pop(0)})
        tracker = track(account("a", "calling"))
        run(tracker, ledger)
        ledger.erase(id, actor="user:ana")
        run(tracker, ledger, rounds=5, seconds=86400 + 60)
        assert said == []
        assert ledger.flows(id)[0].erasure == "done"
        assert [event.data["status"] for event in ledger.events(id) if event.kind == "erasure"] == ["requested", "done"]
        assert ledger.get(id).due is None
        assert ledger.verify().problems == ()

    def test_retention_erases_by_itself(self, connect: Connect, track: Make, town: Town) -> None:
        ledger = connect(retention=timedelta(days=90))
        id = ledger.take(order()).id
        town.shops["a"].status = "good"
        tracker = track(on=ledger)
        run(tracker, ledger)
        assert ledger.get(id).order is not None
        run(tracker, ledger, seconds=91 * 86400)
        gone = ledger.get(id)
        assert (gone.state, gone.order, gone.decision) == (State.DECIDED, None, Decision.APPROVED)

    def test_what_is_erased_before_its_end_is_told(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        id = ledger.take(order()).id
        tracker = track()
        tracker.step()
        ledger.erase(id, actor="user:ana")
        run(tracker, ledger)
        assert ledger.get(id).state is State.ERASED
        assert platform.told() == [("verification.erased", "APP-1")]
