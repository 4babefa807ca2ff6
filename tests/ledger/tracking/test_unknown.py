"""An opening whose answer is lost, and what a person or a rule makes of it."""

from __future__ import annotations

from typing import Any

import attrs
import httpx
import pytest
from acme import order
from books import Town, account, later
from ledger.following import Make, Platform, cut_off, run

from idv_core.ledger import Ledger, State


class TestUnknown:
    def lost(self, ledger: Ledger, track: Make, town: Town, **more: Any) -> str:
        """An opening at a vendor that cannot be asked, whose answer was cut off."""
        taken = ledger.take(order())
        shop = town.shops["a"]
        shop.on_open = lambda: cut_off(httpx.Request("POST", "https://a.example"))
        tracker = track(account("a", "bare", **more), account("b"))
        tracker.step()
        later(ledger, 10)
        tracker.step()
        shop.on_open = lambda: None
        return taken.id

    def test_it_waits_for_a_person_and_that_is_told(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        id = self.lost(ledger, track, town)
        run(track(account("a", "bare"), account("b")), ledger)
        unknown = ledger.get(id)
        assert (unknown.state, unknown.due, unknown.account) == (State.UNKNOWN, None, "a")
        assert platform.told() == [("verification.unknown", "APP-1")]
        assert [one.id for one in ledger.listed(State.UNKNOWN)] == [id]
        assert town.shops["a"].opened == ["CUST-1"]
        assert town.shops["b"].opened == []

    def test_a_person_opens_it_again(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = self.lost(ledger, track, town)
        ledger.resolve(id, reopen=True, actor="user:ana")
        run(track(account("a", "bare"), account("b")), ledger, rounds=1, seconds=0)
        again = ledger.get(id)
        assert (again.state, again.account, again.ref) == (State.AWAITING, "a", "a/f-2;policy=" + again.policy)  # type: ignore[operator]
        said = [(event.actor, event.data) for event in ledger.events(id) if event.kind == "resolution"]
        assert said == [("user:ana", {"resolution": "reopen"})]

    def test_a_person_names_the_flow(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = self.lost(ledger, track, town)
        town.shops["a"].status = "good"
        ledger.resolve(id, adopt="f-1", actor="user:ana")
        run(track(account("a", "bare"), account("b")), ledger)
        done = ledger.get(id)
        assert (done.state, done.round) == (State.DECIDED, 2)
        assert done.flow is not None
        assert done.flow.id == "f-1"
        assert len(town.shops["a"].opened) == 1

    def test_a_flow_of_another_verification_is_not_named(self, ledger: Ledger, track: Make, town: Town) -> None:
        from idv_core.ledger import LedgerError

        person = attrs.evolve(order().applicant, reference="CUST-2")
        theirs = ledger.take(order(application_id="APP-2", applicant=person))
        track(account("a", "bare")).step()
        mine = self.lost(ledger, track, town)
        with pytest.raises(LedgerError, match=f"f-1 at a is that of verification {theirs.id} already"):
            ledger.resolve(mine, adopt="f-1", actor="user:ana")
        assert "resolution" not in [event.kind for event in ledger.events(mine)]
        ledger.resolve(mine, adopt="f-2", actor="user:ana")

    def test_a_person_gives_it_up(self, ledger: Ledger, track: Make, town: Town, platform: Platform) -> None:
        id = self.lost(ledger, track, town)
        ledger.resolve(id, give_up=True, actor="user:ana")
        run(track(account("a", "bare"), account("b")), ledger)
        assert ledger.get(id).state is State.FAILED
        assert platform.told() == [("verification.unknown", "APP-1"), ("verification.failed", "APP-1")]

    def test_only_what_is_unknown_can_be_resolved(self, ledger: Ledger, track: Make) -> None:
        from idv_core.ledger import LedgerError

        id = ledger.take(order()).id
        with pytest.raises(LedgerError, match="is ordered, not unknown"):
            ledger.resolve(id, reopen=True, actor="user:ana")
        with pytest.raises(LedgerError, match="exactly one"):
            ledger.resolve(id, actor="user:ana")
        with pytest.raises(LedgerError, match="there is no verification"):
            ledger.resolve("01NOTHING", give_up=True, actor="user:ana")

    def test_the_rule_reopen_opens_it_once_more(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = self.lost(ledger, track, town, unknown="reopen")
        track(account("a", "bare", unknown="reopen"), account("b")).step()
        assert ledger.get(id).state is State.AWAITING
        assert len(town.shops["a"].opened) == 2

    @pytest.mark.parametrize("by", ["rule", "person"])
    def test_the_process_that_lost_the_answer_opens_it_again_too(
        self, ledger: Ledger, track: Make, town: Town, by: str
    ) -> None:
        """Its gateway remembers the lost opening, and would ask nobody else for a while."""
        id, shop = ledger.take(order()).id, town.shops["a"]
        shop.on_open = lambda: cut_off(httpx.Request("POST", "https://a.example"))
        tracker = track(account("a", "bare", unknown="reopen" if by == "rule" else "review"), account("b"))
        tracker.step()
        shop.on_open = lambda: None
        for _ in range(2):
            later(ledger, 10)
            tracker.step()
        if by == "person":
            assert ledger.get(id).state is State.UNKNOWN
            ledger.resolve(id, reopen=True, actor="user:ana")
            tracker.step()
            tracker.step()
        assert ledger.get(id).state is State.AWAITING
        assert len(shop.opened) == 2

    def test_the_rule_next_goes_to_the_next_account_of_the_route(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = self.lost(ledger, track, town, unknown="next")
        track(account("a", "bare", unknown="next"), account("b")).step()
        now = ledger.get(id)
        assert (now.state, now.account) == (State.AWAITING, "b")
        assert town.shops["b"].opened == ["CUST-1"]
