"""The database is away, full, cut off, or of another time."""

from __future__ import annotations

from typing import Any

import pytest
from acme import order
from books import Town, account, later
from ledger.following import LEASE, Connect, Make, Platform, run
from sqlalchemy.exc import OperationalError

from idv_core.ledger import Ledger, State
from idv_core.testing import FakeClock


class TestDatabaseAway:
    def test_a_flow_that_was_opened_is_kept_while_the_database_is_away(
        self, ledger: Ledger, track: Make, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        tracker = track(account("a", "bare"))
        tracker._stopping.set()  # its rests end at once
        real, failures = ledger.commit, [1, 2]

        def commit(*args: Any, **options: Any) -> Any:
            if failures:
                failures.pop()
                raise OperationalError("UPDATE", {}, Exception("connection lost"))
            return real(*args, **options)

        monkeypatch.setattr(ledger, "commit", commit)
        tracker.step()
        assert ledger.get(taken.id).state is State.AWAITING

    def test_a_commit_whose_answer_was_lost_is_not_made_twice(
        self, ledger: Ledger, track: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        tracker = track()
        tracker._stopping.set()
        real, lost = ledger.commit, [1]

        def commit(*args: Any, **options: Any) -> Any:
            done = real(*args, **options)
            if lost:
                lost.pop()
                raise OperationalError("COMMIT", {}, Exception("connection lost"))
            return done

        monkeypatch.setattr(ledger, "commit", commit)
        tracker.step()
        assert [event.kind for event in ledger.events(taken.id)] == ["ordered", "opening", "opened"]
        assert len(ledger.flows(taken.id)) == 1

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    @pytest.mark.parametrize("plugin", ["acme", "bare"])
    def test_connections_that_are_cut_while_a_vendor_is_asked_lose_nothing(
        self, ledger: Ledger, connect: Connect, track: Make, town: Town, plugin: str
    ) -> None:
        from sqlalchemy import text

        taken, other = ledger.take(order()), connect()
        cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

        def cut_all() -> None:
            with other.store.engine.connect() as con:
                assert len(con.execute(cut).all()) > 0

        town.shops["a"].on_open = cut_all
        track(account("a", plugin)).step()
        assert ledger.get(taken.id).state is State.AWAITING
        assert town.shops["a"].opened == ["CUST-1"]

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_a_full_disk_stops_orders_and_loses_nothing(self, ledger: Ledger, track: Make, town: Town) -> None:
        from sqlalchemy import event, text

        def small(connection: Any, _: object) -> None:
            connection.execute("PRAGMA max_page_count = 1")

        first = ledger.take(order())
        engine = ledger.store.engine
        engine.dispose()
        event.listen(engine, "connect", small)
        with pytest.raises(OperationalError, match="full"):
            for number in range(200):
                ledger.take(order(application_id=f"FILLING-{number}"))
        tracker = track()
        tracker._stopping.set()
        for _ in range(3):
            try:
                tracker.step()
            except OperationalError:
                pass
            later(ledger, LEASE)
        event.remove(engine, "connect", small)
        engine.dispose()
        town.shops["a"].status = "good"
        run(tracker, ledger, rounds=6, seconds=900)
        assert ledger.get(first.id).state is State.DECIDED
        assert town.shops["a"].twice == [] or len(set(town.shops["a"].opened)) == 1
        with engine.connect() as con:
            assert con.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert ledger.verify().problems == ()

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_a_clock_that_jumps_loses_nothing(
        self, ledger: Ledger, track: Make, town: Town, clock: FakeClock, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        tracker = track()
        tracker.step()
        clock.advance(-7200)
        town.shops["a"].status = "good"
        assert tracker.step() == 0
        clock.advance(7200 + 86400)
        run(tracker, ledger)
        assert ledger.get(taken.id).state is State.DECIDED
        assert len(platform.got) == 1
        assert ledger.verify().problems == ()
