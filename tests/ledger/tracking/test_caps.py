"""Daily caps and rates that all processes keep together."""

from __future__ import annotations

import attrs
import httpx
from acme import order
from books import Town, account
from ledger.following import Make, run

from idv_core.config import Limits
from idv_core.ledger import Ledger, State
from idv_core.testing import FakeClock


class TestCaps:
    def test_a_daily_cap_of_all_processes_sends_the_rest_to_the_fallback(
        self, ledger: Ledger, track: Make, town: Town
    ) -> None:
        for number in range(4):
            person = attrs.evolve(order().applicant, reference=f"CUST-{number}")
            ledger.take(order(application_id=f"APP-{number}", applicant=person))
        accounts = account("a", daily_cap=3), account("b")
        for _ in range(2):
            # each process counts to two only
            for claim in [1, 2]:
                assert claim
                track(*accounts).step(most=1)
        assert (len(town.shops["a"].opened), len(town.shops["b"].opened)) == (3, 1)

    def test_an_opening_that_was_refused_is_not_counted(self, ledger: Ledger, track: Make, town: Town) -> None:
        town.shops["a"].answers["POST /flows"] = lambda _: httpx.Response(429)
        taken = ledger.take(order())
        tracker = track(account("a", daily_cap=1))
        tracker.step()
        assert ledger.get(taken.id).state is State.ORDERED
        del town.shops["a"].answers["POST /flows"]
        run(tracker, ledger)
        assert ledger.get(taken.id).state is State.FOLLOWING

    def test_a_rate_is_kept_by_all_processes_together(
        self, ledger: Ledger, track: Make, town: Town, clock: FakeClock
    ) -> None:
        for number in range(3):
            person = attrs.evolve(order().applicant, reference=f"CUST-{number}")
            ledger.take(order(application_id=f"APP-{number}", applicant=person))
        slow = account("a", "bare", limits=Limits(rate=1 / 60))
        for _ in range(3):
            track(slow).step(most=1)
        assert len(town.shops["a"].opened) == 1
