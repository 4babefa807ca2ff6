"""A worker that dies, or is overtaken: nothing is lost, and nothing opened twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from acme import order
from books import Town, account, age, later
from ledger.following import LEASE, Killed, Make, Platform, killing, run

from idv_core.config import Limits
from idv_core.ledger import Ledger, State
from idv_core.tracker import Tracker
from idv_core.tracker.turning import Context


class TestKilled:
    """`kill -9` at every commit and call of a turn (the same with real processes: test_crash)."""

    @pytest.mark.parametrize("plugin", ["acme", "bare"])
    @pytest.mark.parametrize(
        ("method", "after"), [("claim", True), ("intend", False), ("intend", True), ("commit", False), ("commit", True)]
    )
    def test_nothing_is_lost_and_nothing_opened_twice(
        self,
        ledger: Ledger,
        track: Make,
        town: Town,
        platform: Platform,
        monkeypatch: pytest.MonkeyPatch,
        plugin: str,
        method: str,
        after: bool,
    ) -> None:
        shop = town.shops["a"]
        shop.status = "good"
        taken = ledger.take(order())
        first = track(account("a", plugin))
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(ledger, method, killing(ledger, method, after=after))
            first.step()
        run(track(account("a", plugin)), ledger, rounds=8, seconds=LEASE)
        assert shop.twice == []
        done = ledger.get(taken.id)
        kinds = [event.kind for event in ledger.events(taken.id)]
        # between the vendor's answer and our record, at a vendor that cannot be asked, nobody can tell
        hole = plugin == "bare" and (method, after) in {("intend", True), ("commit", False)}
        assert done.state is (State.UNKNOWN if hole else State.DECIDED)
        assert len(platform.got) == 1
        assert ("recovered" in kinds) == (plugin == "acme" and (method, after) == ("commit", False))
        assert ("not_opened" in kinds) == (plugin == "acme" and (method, after) == ("intend", True))
        assert ledger.verify().problems == ()

    def test_a_result_whose_commit_was_killed_is_fetched_again(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        track().step()
        town.shops["a"].status = "good"
        later(ledger, 60)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(ledger, "commit", killing(ledger, "commit"))
            track().step()
        run(track(), ledger, seconds=LEASE)
        assert ledger.get(taken.id).round == 1
        assert platform.told() == [("verification.decided", "APP-1")]

    def test_a_message_that_was_sent_and_not_noted_comes_again_under_the_same_id(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger.take(order())
        town.shops["a"].status = "good"

        def dies(*args: Any, **options: Any) -> None:
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr("idv_core.tracker.turning.settle", dies)
            run(track(), ledger)
        run(track(), ledger)
        assert len(platform.got) == 2
        assert len({id for id, _ in platform.got}) == 1


class TestTwoWorkers:
    """Both believe that they hold the lease."""

    def taken_over(self, ledger: Ledger, other: Tracker) -> Callable[[], None]:
        def take_over() -> None:
            age(ledger, LEASE)
            other.step()

        return take_over

    @pytest.mark.parametrize("plugin", ["acme", "bare"])
    def test_the_late_answer_to_an_opening_still_counts(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform, plugin: str
    ) -> None:
        shop = town.shops["a"]
        taken = ledger.take(order())
        first, second = track(account("a", plugin)), track(account("a", plugin))
        shop.on_open = self.taken_over(ledger, second)
        first.step()
        opened = ledger.get(taken.id)
        assert opened.state is State.AWAITING
        assert opened.ref is not None
        assert shop.opened == ["CUST-1"]
        shop.status = "good"
        run(second, ledger)
        assert ledger.get(taken.id).state is State.DECIDED
        assert ledger.verify().problems == ()

    def test_who_lost_the_lease_before_he_asked_does_not_ask(
        self, ledger: Ledger, track: Make, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        first, second = track(), track()
        real = ledger.intend

        def slow(claim: Any, *args: Any, **options: Any) -> Any:
            if claim.worker == first.worker:
                age(ledger, LEASE)
                second.step()
            return real(claim, *args, **options)

        monkeypatch.setattr(ledger, "intend", slow)
        first.step()
        assert town.shops["a"].opened == ["CUST-1"]
        assert [event.kind for event in ledger.events(taken.id)] == ["ordered", "opening", "opened"]

    def test_one_outcome_of_two_that_were_fetched_is_written(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        first, second = track(), track()
        first.step()
        shop = town.shops["a"]
        shop.status = "good"

        def slowly(request: httpx.Request) -> httpx.Response:
            del shop.answers["GET /flows"]
            age(ledger, LEASE)
            second.step()
            return httpx.Response(200, json={"status": "good"})

        shop.answers["GET /flows"] = slowly
        later(ledger, 60)
        first.step()
        run(first, ledger)
        assert ledger.get(taken.id).round == 1
        assert platform.told() == [("verification.decided", "APP-1")]

    def test_the_lease_is_longer_than_anything_that_is_done_under_it(self, ledger: Ledger, gateways: Any) -> None:
        slow = account("a", limits=Limits(operation=300))
        assert Context(gateways(slow, account("b")), ledger).lease > timedelta(seconds=310)
