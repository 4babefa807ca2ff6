"""Rows: taken once, sealed, claimed by one worker, fenced; events in a chain; erased for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import attrs
import pytest
from acme import order
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from books import KEY, OTHER_KEY, later, raw
from sqlalchemy import create_engine, delete, event, func, select, update

from idv_core import ConfigError, Decision, Flow, FlowStatus, Result, Secret
from idv_core.errors import DuplicateFlow, InvalidOrder, RateLimited
from idv_core.ledger import Ledger, LedgerError, NewerRelease, Stale, State, Tampered, migrate
from idv_core.ledger.store import connect as engine_of
from idv_core.ledger.tables import events, metadata, openings, seals, verifications
from idv_core.ledger.verification import Change, Claim, News, Role
from idv_core.model import Link

LEASE = timedelta(seconds=130)
Connect = Callable[..., Ledger]
FLOW = Flow(
    id="f-1", status=FlowStatus.AWAITING_APPLICANT, account="a", link=Link("https://acme.example/go?t=secret-in-link")
)
_V = verifications.c


def opened(ledger: Ledger, **changes: Any) -> Claim:
    """A verification whose flow is opened, claimed again."""
    ledger.take(order(**changes))
    (claim,) = ledger.claim("w", LEASE)
    claim = ledger.intend(claim, "a", LEASE)
    change = Change(state=State.AWAITING, delay=timedelta(0), flow=FLOW, news=(News("opened", {"account": "a"}),))
    ledger.commit(claim, change)
    (claim,) = ledger.claim("w", LEASE)
    return claim


def decided(ledger: Ledger, claim: Claim) -> None:
    result = Result(flow=attrs.evolve(FLOW, status=FlowStatus.FINISHED), decision=Decision.DECLINED)
    change = Change(
        state=State.DECIDED, delay=None, result=result, news=(News("decided"),), delivery="verification.decided"
    )
    ledger.commit(claim, change)


class TestTaking:
    def test_the_same_order_twice_is_one_verification_in_any_process(self, connect: Connect) -> None:
        first = connect().take(order())
        again = connect().take(order())
        assert (again.id, again.order, again.state) == (first.id, order(), State.ORDERED)
        assert [event.kind for event in connect().events(first.id)] == ["ordered"]

    def test_the_same_application_of_another_tenant_is_another(self, ledger: Ledger) -> None:
        assert ledger.take(order()).id != ledger.take(order(tenant="north")).id
        found = ledger.find(application_id="APP-1", tenant="north")
        assert found is not None
        assert found.tenant == "north"
        assert ledger.find(application_id="APP-1", tenant="south") is None

    def test_another_order_for_the_same_application_is_refused(self, ledger: Ledger) -> None:
        ledger.take(order())
        with pytest.raises(DuplicateFlow, match="has another order in the ledger"):
            ledger.take(order(product="loan"))

    def test_what_is_no_order_is_refused_at_once(self, ledger: Ledger) -> None:
        with pytest.raises(InvalidOrder):
            ledger.take("APP-1")  # type: ignore[arg-type]

    def test_it_joins_the_transaction_of_the_platform_or_neither_is_there(self, ledger: Ledger) -> None:
        with pytest.raises(ZeroDivisionError), ledger.store.engine.begin() as connection:
            ledger.take(order(), connection=connection)
            _ = 1 / 0
        assert ledger.find(application_id="APP-1") is None
        with ledger.store.engine.begin() as connection:
            ledger.take(order(), connection=connection)
        assert ledger.find(application_id="APP-1") is not None

    def test_eight_threads_that_take_one_order_get_one_verification(self, ledger: Ledger) -> None:
        ids: list[str] = []
        threads = [threading.Thread(target=lambda: ids.append(ledger.take(order()).id)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(ids), len(set(ids))) == (8, 1)

    def test_a_server_is_asked_one_thing_for_an_order(self, postgresql: Callable[[], str]) -> None:
        url = postgresql()
        engine = engine_of(url)
        migrate(engine)
        ledger = Ledger(engine, keys=[KEY])
        # told directly, so that no other process is
        ledger.on_due.append(lambda: None)
        said: list[str] = []

        def heard(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            said.append(statement.split()[0] if cursor.connection.autocommit else "in a transaction")

        event.listen(engine, "before_cursor_execute", heard)
        begun = time.monotonic()
        taken = [ledger.take(order(application_id=f"APP-{number}")) for number in range(20)]
        passed = time.monotonic() - begun
        event.remove(engine, "before_cursor_execute", heard)
        assert (said.count("WITH"), set(said)) == (20, {"WITH", "SELECT"})
        # the time of the server: once in a second, and never ahead of it
        assert said.count("SELECT") <= passed + 1
        moments = [one.created_at for one in taken]
        with engine.connect() as con:
            now = con.execute(select(func.clock_timestamp())).scalar_one()
        engine.dispose()
        assert moments == sorted(moments)
        assert moments[-1] <= now


class TestSecrecy:
    def test_nothing_personal_and_no_secret_lies_in_clear_in_any_table(self, ledger: Ledger) -> None:
        decided(ledger, opened(ledger))
        with ledger.store.engine.connect() as con:
            for table in metadata.sorted_tables:
                for row in con.execute(select(table)).all():
                    text = repr([bytes(cell) if isinstance(cell, memoryview) else cell for cell in row])
                    for secret in ("Meera", "meera@example.org", "secret-in-link"):
                        assert secret not in text

    def test_it_comes_back_whole(self, ledger: Ledger) -> None:
        claim = opened(ledger)
        assert claim.verification.order == order()
        assert claim.verification.flow == FLOW
        assert (claim.verification.ref, claim.verification.account) == (FLOW.ref, "a")

    def test_a_result_moved_to_another_row_cannot_be_read(self, ledger: Ledger) -> None:
        decided(ledger, opened(ledger))
        mine = ledger.take(order(application_id="APP-2")).id
        theirs = raw(ledger, ledger.find(application_id="APP-1").id)  # type: ignore[union-attr]
        with ledger.store.begin() as con:
            moved = {name: theirs[name] for name in ("sealed_result", "decision", "state")}
            con.execute(update(verifications).where(_V.id == mine).values(moved))
        with pytest.raises(Tampered, match="was changed, or belongs to another place"):
            ledger.get(mine)
        with ledger.store.begin() as con:
            con.execute(update(verifications).where(_V.id == mine).values(data_key=theirs["data_key"]))
        with pytest.raises(Tampered):
            ledger.get(mine)

    def test_a_decision_that_was_edited_is_found_out(self, ledger: Ledger) -> None:
        claim = opened(ledger)
        decided(ledger, claim)
        with ledger.store.begin() as con:
            con.execute(update(verifications).values(decision="approved"))
        with pytest.raises(Tampered, match="is not the one of its sealed result"):
            ledger.get(claim.id)
        assert ledger.verify().problems != ()

    def test_reprs_show_nothing(self, ledger: Ledger) -> None:
        claim = opened(ledger)
        for shown in (repr(claim), repr(ledger.store), repr(ledger.store.keyring)):
            assert "Meera" not in shown
            assert "secret-in-link" not in shown
            assert KEY.reveal() not in shown


class TestKeys:
    def test_a_new_first_key_reads_what_the_old_one_wrapped(self, connect: Connect) -> None:
        id = connect(KEY).take(order()).id
        assert connect(OTHER_KEY, KEY).get(id).order == order()

    def test_after_rewrapping_the_old_key_can_be_dropped(self, connect: Connect) -> None:
        id = connect(KEY).take(order()).id
        both = connect(OTHER_KEY, KEY)
        assert both.rewrap() == 2  # the verification's, and that of the chain
        assert both.rewrap() == 0
        alone = connect(OTHER_KEY)
        assert alone.get(id).order == order()
        assert alone.verify().problems == ()
        with pytest.raises(Tampered, match="was wrapped by a ledger key that is not configured"):
            connect(KEY)

    def test_keys_that_are_too_short_or_missing_are_refused(self, connect: Connect) -> None:
        with pytest.raises(ConfigError, match="at least 32 characters"):
            connect(Secret("short"))
        with pytest.raises(ConfigError, match="at least one is needed"):
            Ledger("sqlite://", keys=())


class TestLeases:
    def test_one_worker_has_it_until_the_lease_is_over(self, connect: Connect) -> None:
        first, second = connect(), connect()
        first.take(order())
        (claim,) = first.claim("w1", LEASE)
        assert second.claim("w2", LEASE) == []
        assert second.claim("w2", LEASE, id=claim.id) == []
        later(first, 131)
        (taken,) = second.claim("w2", LEASE)
        assert taken.turn == claim.turn + 1

    def test_who_lost_the_lease_writes_nothing(self, connect: Connect) -> None:
        first, second = connect(), connect()
        claim = opened(first)
        later(first, 131)
        (taken,) = second.claim("w2", LEASE)
        before = raw(first, claim.id)
        result = Result(flow=FLOW, decision=Decision.DECLINED)
        for write in (
            lambda: first.commit(
                claim, Change(state=State.DECIDED, delay=None, result=result, news=(News("decided"),))
            ),
            lambda: first.intend(claim, "a", LEASE),
            lambda: first.release(claim, timedelta(0)),
        ):
            with pytest.raises(Stale):
                write()
        assert raw(first, claim.id) == before
        second.release(taken, timedelta(0))

    def test_many_workers_claim_each_row_once(self, ledger: Ledger) -> None:
        for number in range(40):
            ledger.take(order(application_id=f"APP-{number}"))
        claimed: list[str] = []

        def work(name: str) -> None:
            while found := ledger.claim(name, LEASE, 3):
                claimed.extend(claim.id for claim in found)

        threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(claimed), len(set(claimed))) == (40, 40)

    def test_the_intent_is_there_before_the_vendor_is_asked(self, connect: Connect) -> None:
        ledger = connect()
        id = ledger.take(order()).id
        (claim,) = ledger.claim("w", LEASE)
        after = ledger.intend(claim, "a", LEASE)
        seen = connect().get(id)
        assert (seen.state, seen.account, seen.attempts) == (State.OPENING, "a", 1)
        assert after.verification.asked_at == seen.asked_at

    def test_rows_of_a_newer_release_are_left_to_it(self, ledger: Ledger) -> None:
        id = ledger.take(order()).id
        with ledger.store.begin() as con:
            con.execute(update(verifications).values(format=2))
        assert ledger.claim("w", LEASE) == []
        with pytest.raises(NewerRelease, match="leave it to the newer one"):
            ledger.get(id)

    @pytest.mark.parametrize("values", [{"state": "pondering"}, {"sealed_order": b"\x02 another form"}])
    def test_what_is_not_understood_is_put_off_as_it_is(
        self, ledger: Ledger, values: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        id = ledger.take(order()).id
        with ledger.store.begin() as con:
            con.execute(update(verifications).values(values))
        assert ledger.claim("w", LEASE) == []
        assert f"verification {id} is left alone" in caplog.text
        assert {name: raw(ledger, id)[name] for name in values} == values


class TestCaps:
    def claimed(self, ledger: Ledger, number: int) -> Claim:
        ledger.take(order(application_id=f"APP-{number}"))
        (claim,) = ledger.claim("w", LEASE)
        return claim

    def test_a_daily_cap_counts_over_all_processes(self, connect: Connect) -> None:
        first, second = connect(), connect()
        first.intend(self.claimed(first, 1), "a", LEASE, 2)
        second.intend(self.claimed(second, 2), "a", LEASE, 2)
        last = self.claimed(second, 3)
        with pytest.raises(RateLimited, match=r"daily cap for this account \(2\) is reached") as info:
            second.intend(last, "a", LEASE, 2)
        assert info.value.nothing_done
        assert second.get(last.id).state is State.ORDERED
        assert second.intend(last, "b", LEASE, 2).verification.account == "b"

    def test_what_certainly_opened_nothing_is_not_counted(self, ledger: Ledger) -> None:
        claim = ledger.intend(self.claimed(ledger, 1), "a", LEASE, 1)
        ledger.commit(claim, Change(state=State.ORDERED, delay=timedelta(0)))
        (claim,) = ledger.claim("w", LEASE)
        claim = ledger.intend(claim, "a", LEASE, 1)
        ledger.intend(claim, "b", LEASE, 1)  # the fallback: the account before has opened nothing
        with ledger.store.engine.connect() as con:
            counts = {row.account: row.count for row in con.execute(select(openings.c.account, openings.c["count"]))}
        assert counts == {"a": 0, "b": 1}

    def test_the_pace_of_an_account_is_kept_over_all_processes(self, connect: Connect) -> None:
        from idv_core.ledger.leases import reserve

        each = timedelta(seconds=10)
        first, second = connect(), connect()
        assert reserve(first.store, "a", each) == timedelta(0)
        waits = [reserve(one.store, "a", each) for one in (second, first)]
        assert timedelta(seconds=9) < waits[0] <= each
        assert timedelta(seconds=19) < waits[1] <= 2 * each
        assert reserve(first.store, "b", each) == timedelta(0)


class TestChain:
    def test_a_whole_ledger_verifies(self, ledger: Ledger) -> None:
        decided(ledger, opened(ledger))
        ledger.seal()
        ledger.take(order(application_id="APP-2"))
        ledger.seal()
        verified = ledger.verify()
        assert verified.problems == ()
        assert (verified.verifications, verified.seals) == (2, 2)
        assert verified.events == 5

    def test_an_event_that_was_edited_is_found(self, ledger: Ledger) -> None:
        claim = opened(ledger)
        with ledger.store.begin() as con:
            con.execute(update(events).where(events.c.seq == 2).values(data='{"account":"b"}'))
        assert ledger.verify().problems == (
            f"verification {claim.id}: event 2 was changed, or one before it is missing",
        )

    def test_an_event_that_was_taken_out_is_found(self, ledger: Ledger) -> None:
        claim = opened(ledger)
        with ledger.store.begin() as con:
            con.execute(delete(events).where(events.c.seq == 2))
        assert claim.id in ledger.verify().problems[0]

    def test_a_tail_that_was_cut_off_with_the_row_made_to_fit_is_found_by_the_seal(self, ledger: Ledger) -> None:
        claim = opened(ledger)
        ledger.seal()
        with ledger.store.begin() as con:
            con.execute(delete(events).where(events.c.seq == 3))
            last = con.execute(select(events.c.digest).where(events.c.seq == 2)).scalar_one()
            con.execute(update(verifications).where(_V.id == claim.id).values(seq=2, head=last))
        assert ledger.verify().problems == (
            "seal 1: events that it covers were changed or are missing (1 of 1 chains)",
        )

    def test_a_whole_verification_that_was_taken_out_is_found_by_the_seal(self, ledger: Ledger) -> None:
        ledger.take(order())
        gone = ledger.take(order(application_id="APP-2")).id
        ledger.seal()
        with ledger.store.begin() as con:
            con.execute(delete(events).where(events.c.verification_id == gone))
            con.execute(delete(verifications).where(_V.id == gone))
        assert ledger.verify().problems == (
            "seal 1: events that it covers were changed or are missing (1 of 2 chains)",
        )

    def test_a_seal_that_was_taken_out_is_found(self, ledger: Ledger) -> None:
        ledger.take(order())
        for _ in range(3):
            ledger.seal()
        with ledger.store.begin() as con:
            con.execute(delete(seals).where(seals.c.n == 2))
        assert "seal 2 is missing" in ledger.verify().problems


class TestErasing:
    def test_the_data_is_gone_at_once_and_the_history_stays(self, ledger: Ledger) -> None:
        claim = opened(ledger)
        decided(ledger, claim)
        gone = ledger.erase(claim.id, actor="user:ana")
        assert (gone.state, gone.decision, gone.order, gone.flow, gone.result) == (
            State.DECIDED,
            Decision.DECLINED,
            None,
            None,
            None,
        )
        row = raw(ledger, claim.id)
        assert [row[name] for name in ("data_key", "sealed_order", "sealed_flow", "sealed_result")] == [None] * 4
        kinds = [(event.kind, event.actor) for event in ledger.events(claim.id)]
        assert kinds[-2:] == [("erasure_requested", "user:ana"), ("erased", "tracker")]
        assert ledger.verify().problems == ()
        assert ledger.erase(claim.id, actor="user:ana").erased_at == gone.erased_at
        assert len(ledger.events(claim.id)) == len(kinds)

    def test_what_was_not_decided_ends_as_erased(self, ledger: Ledger) -> None:
        id = ledger.take(order()).id
        assert ledger.erase(id, actor="user:ana").state is State.ERASED
        assert ledger.take(order()).id == id

    def test_while_somebody_works_on_it_it_waits_for_him(self, ledger: Ledger) -> None:
        claim = opened(ledger)
        assert ledger.erase(claim.id, actor="user:ana").erased_at is None
        ledger.commit(claim, Change(state=State.FOLLOWING, delay=timedelta(hours=1)))
        assert [again.id for again in ledger.claim("w", LEASE)] == [claim.id]

    def test_an_opening_that_may_be_lost_is_cleared_up_first(self, ledger: Ledger) -> None:
        id = ledger.take(order()).id
        (claim,) = ledger.claim("w", LEASE)
        ledger.intend(claim, "a", LEASE)
        later(ledger, 131)
        assert ledger.erase(id, actor="user:ana").order == order()


class TestFlows:
    def test_all_flows_are_kept_with_how_they_came(self, ledger: Ledger) -> None:
        ledger.take(order())
        (claim,) = ledger.claim("w", LEASE)
        claim = ledger.intend(claim, "a", LEASE)
        shadow = Flow(id="s-1", status=FlowStatus.OPEN, account="b", is_shadow=True)
        ledger.commit(claim, Change(state=State.AWAITING, delay=None, flow=attrs.evolve(FLOW, shadow=shadow)))
        kept = ledger.flows(claim.id)
        assert [(flow.account, flow.flow_id, flow.role) for flow in kept] == [
            ("a", "f-1", Role.CHOSEN),
            ("b", "s-1", Role.SHADOW),
        ]
        for ref in (FLOW.ref, shadow.ref):
            found = ledger.find(ref=ref)
            assert found is not None
            assert found.id == claim.id


class TestMigrations:
    def test_the_migrations_make_the_tables_that_the_code_knows(self, url: str) -> None:
        engine = engine_of(url)
        migrate(engine)
        migrate(engine)
        with engine.connect() as con:
            context = MigrationContext.configure(con, opts={"version_table": "idv_migration"})
            assert compare_metadata(context, metadata) == []
        engine.dispose()

    def test_without_tables_it_says_what_to_run(self, url: str) -> None:
        engine = create_engine(url)
        with pytest.raises(LedgerError, match="run 'idv ledger migrate'"):
            Ledger(engine, keys=[KEY])
        engine.dispose()

    @pytest.mark.parametrize(
        ("address", "text"), [("mysql://host/x", "'mysql' is not supported"), ("nonsense", "an address such as")]
    )
    def test_other_databases_are_refused(self, address: str, text: str) -> None:
        with pytest.raises(ConfigError, match=text):
            Ledger(address, keys=[KEY])


def test_two_who_seal_at_the_same_time_make_two_seals(connect: Callable[..., Ledger]) -> None:
    books = [connect() for _ in range(3)]
    books[0].take(order())
    ready = threading.Barrier(3)

    def seal(one: Ledger) -> int:
        ready.wait()
        return one.seal().n

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(seal, books)) == [1, 2, 3]
    assert books[0].verify().problems == ()
