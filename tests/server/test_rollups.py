"""Sums that are kept with the facts: whatever happens, and whenever a process dies, they are what a recount gives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from acme import order
from books import make_ledger
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select, update

from idv_core.ledger import Ledger, State
from idv_core.ledger.store import connect, new_id
from idv_core.ledger.tables import events, verifications
from idv_core.ledger.verification import News
from idv_core.server import performance
from idv_core.server.migrating import migrate
from idv_core.server.performance import refreshing, rollups
from idv_core.server.tables import counts, details, facts, marks
from idv_core.testing import FakeClock

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TABLES = (counts, details, facts, marks)


def sums(ledger: Ledger, *kind_and_columns: str) -> Counter[Any]:
    with ledger.store.engine.connect() as con:
        return rollups.sums(con, *kind_and_columns)


def mark_of(ledger: Ledger) -> refreshing.Mark:
    with ledger.store.engine.connect() as con:
        return refreshing._mark(con)


def prepared(url: str) -> Ledger:
    engine = connect(url)
    migrate(engine)
    engine.dispose()
    made = make_ledger(url, FakeClock(NOW))
    if url.startswith("sqlite"):
        # nobody pulls the plug
        @event.listens_for(made.store.engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            connection.execute("PRAGMA synchronous = OFF")

        made.store.engine.dispose()
    return made


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    made = prepared(url)
    yield made
    made.close()


# a verification as the ledger would write it, without anybody who verifies


def begin(ledger: Ledger, product: str = "wallet", days_ago: int = 0) -> str:
    store = ledger.store
    id = new_id(NOW)
    at = NOW - timedelta(days=days_ago)
    empty = dict.fromkeys(("turn", "hints", "seen", "tries", "attempts", "round", "seq"), 0)
    row = {"id": id, "tenant": "", "application_id": id, "product": product, "state": "ordered", "head": b""}
    with store.begin() as con:
        con.execute(verifications.insert().values(**row, **empty, created_at=at, deadline=at))
        store.append(con, id, 0, b"", at, [News("ordered")])
    return id


def happen(ledger: Ledger, id: str, kind: str, data: dict[str, Any] | None = None, **values: Any) -> None:
    store = ledger.store
    with store.begin() as con:
        con.execute(
            update(verifications).where(verifications.c.id == id).values(**{"seq": verifications.c.seq, **values})
        )
        row = store.row(con, verifications.c.id == id)
        assert row is not None
        store.append(con, id, row["seq"], row["head"], NOW, [News(kind, data or {})])


MOVES: dict[str, Callable[[Ledger, str], None]] = {
    "opening a": lambda ledger, id: happen(ledger, id, "opening", {"account": "a"}, account="a", state="opening"),
    "opening b": lambda ledger, id: happen(ledger, id, "opening", {"account": "b"}, account="b", state="opening"),
    "opened": lambda ledger, id: happen(ledger, id, "opened", {"account": "a"}, state="awaiting"),
    "trouble": lambda ledger, id: happen(ledger, id, "trouble", {"error": "VendorUnavailable", "at": "a"}),
    "unknown": lambda ledger, id: happen(ledger, id, "unknown", {"account": "a"}, state="unknown"),
    "reopened": lambda ledger, id: happen(ledger, id, "reopened", {"status": "processing"}, state="following"),
    "expired": lambda ledger, id: happen(ledger, id, "expired", state="expired"),
    "failed": lambda ledger, id: happen(ledger, id, "failed", {"error": "NoRoute"}, state="failed"),
    "reviewed": lambda ledger, id: happen(ledger, id, "reviewed", {"outcome": "approved"}),
    "erased": lambda ledger, id: happen(ledger, id, "erased", state="erased", erased_at=NOW),
} | {
    word: lambda ledger, id, word=word: happen(
        ledger, id, "decided", {"decision": word, "reasons": [f"{word}.x"]}, state="decided", decision=word
    )
    for word in ("approved", "declined", "review", "undecided")
}


def check(ledger: Ledger) -> None:
    """Facts are what the rows say, and the sums what a recount of the facts gives."""
    with ledger.store.engine.connect() as con:
        found = con.execute(select(facts)).mappings().all()
        kept = {
            tuple(row[:-1]): row[-1]
            for row in con.execute(select(*(counts.c[name] for name in rollups.KEY), counts.c.count))
        }
        columns = (verifications.c[name] for name in ("id", "state", "seq", "decision"))
        truth = con.execute(select(*columns)).all()
    assert {(row["verification_id"], row["state"], row["seq"]) for row in found} == {tuple(row[:3]) for row in truth}
    recount: Counter[rollups.Key] = Counter()
    for row in found:
        recount.update(rollups.contributions(row))
    assert kept == dict(recount)
    by_state = sums(ledger, rollups.STATE, "word")
    assert by_state == Counter((row.state,) for row in truth)
    by_decision = sums(ledger, rollups.DECISION, "word")
    assert by_decision == Counter((row.decision,) for row in truth if row.decision is not None)


class Killed(BaseException):
    """A process that is no more."""


def refresh_and_die(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Begin a refresh that dies before the sums are written, or behind that and before the commit."""
    change = rollups.change

    def dying(*args: Any) -> None:
        if when == "behind":
            change(*args)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(rollups, "change", dying)
        try:
            performance.refresh(ledger.store)
        except Killed:
            pass


def refresh_beside_another(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refresh, while another process does it all between reading and writing."""
    made, is_first = refreshing._made, [True]

    def overtaken(*args: Any) -> Any:
        found = made(*args)
        if is_first.pop() if is_first else False:
            performance.refresh(ledger.store)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(refreshing, "_made", overtaken)
        performance.refresh(ledger.store)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 2)),
        st.tuples(st.sampled_from(sorted(MOVES)), st.integers(0, 3)),
        st.tuples(st.sampled_from(["refresh", "page", "die before", "die behind", "beside"]), st.just(0)),
    ),
    min_size=1,
    max_size=20,
)


def play(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]]) -> None:
    with ledger.store.begin() as con:
        for table in (*TABLES, events, verifications):
            con.execute(delete(table))
    ids = [begin(ledger)]
    for word, number in steps:
        if word == "begin":
            ids.append(begin(ledger, product=f"p{number}", days_ago=number))
        elif word in MOVES:
            MOVES[word](ledger, ids[number % len(ids)])
        elif word == "refresh":
            performance.refresh(ledger.store)
        elif word == "page":
            performance.refresh(ledger.store, most=1)
        elif word == "beside":
            refresh_beside_another(ledger, monkeypatch)
        else:
            refresh_and_die(ledger, monkeypatch, word.removeprefix("die "))
    performance.refresh(ledger.store)
    check(ledger)


@given(steps=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_history_the_sums_are_what_a_recount_gives(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(refreshing, "_BATCH", 3)
        play(ledger, monkeypatch, steps)


def test_a_verification_that_changes_its_state_is_counted_once(ledger: Ledger) -> None:
    id = begin(ledger)
    for move in ("opening a", "opened", "review", "reopened", "approved"):
        MOVES[move](ledger, id)
        performance.refresh(ledger.store)
        check(ledger)
    assert sums(ledger, rollups.STATE, "account", "word") == {("a", "decided"): 1}
    assert sums(ledger, rollups.DECISION, "word") == {("approved",): 1}
    with ledger.store.engine.connect() as con:
        assert con.execute(select(counts).where(counts.c.count == 0)).all() == []


def test_what_waits_for_a_person_waits_until_the_word_is_final(ledger: Ledger) -> None:
    id = begin(ledger)

    def waiting() -> int:
        performance.refresh(ledger.store)
        return sums(ledger, rollups.WAITING).total()

    seen = [waiting()]
    for move in ("review", "reviewed", "reopened", "review"):
        MOVES[move](ledger, id)
        seen.append(waiting())
    happen(ledger, id, "review_proposed", {"outcome": "approved"})
    seen.append(waiting())
    happen(ledger, id, "erased", erased_at=NOW)
    seen.append(waiting())
    assert seen == [0, 1, 0, 0, 1, 1, 0]


@pytest.mark.parametrize("when", ["before", "behind"])
def test_a_refresh_that_dies_leaves_nothing_by_halves(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    id = begin(ledger)
    performance.refresh(ledger.store)
    MOVES["approved"](ledger, id)
    refresh_and_die(ledger, monkeypatch, when)
    assert sums(ledger, rollups.STATE, "word") == {("ordered",): 1}
    performance.refresh(ledger.store)
    check(ledger)


def test_of_two_that_refresh_at_once_one_counts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        MOVES["approved"](ledger, begin(ledger))
    refresh_beside_another(ledger, monkeypatch)
    assert sums(ledger, rollups.DECISION, "word") == {("approved",): 5}
    check(ledger)


def test_threads_refresh_while_others_write(ledger: Ledger) -> None:
    ids = [begin(ledger) for _ in range(6)]

    def write(id: str) -> None:
        for move in ("opening a", "opened", "approved"):
            MOVES[move](ledger, id)

    with ThreadPoolExecutor(6) as pool:
        work = [pool.submit(write, id) for id in ids]
        work += [pool.submit(performance.refresh, ledger.store) for _ in range(6)]
        for one in work:
            one.result()
    performance.refresh(ledger.store)
    check(ledger)


class TestCommittedOutOfTurn:
    """Only PostgreSQL lets a transaction commit later than one that was numbered after it."""

    @pytest.fixture
    def ledger(self, postgresql: Callable[[], str]) -> Iterator[Ledger]:
        made = prepared(postgresql())
        yield made
        made.close()

    def test_what_comes_to_light_late_is_counted(self, ledger: Ledger) -> None:
        with ledger.store.engine.begin() as con:
            ledger.take(order(application_id="APP-slow"), connection=con)
            for n in range(3):
                ledger.take(order(application_id=f"APP-{n}"))
                # however often the others are counted meanwhile
                performance.refresh(ledger.store)
            assert sums(ledger, rollups.STATE, "word") == {("ordered",): 3}
        performance.refresh(ledger.store)
        assert sums(ledger, rollups.STATE, "word") == {("ordered",): 4}
        check(ledger)

    def test_what_is_certain_is_not_read_again(self, ledger: Ledger) -> None:
        for n in range(3):
            ledger.take(order(application_id=f"APP-{n}"))
            performance.refresh(ledger.store)
        for _ in range(2):
            performance.refresh(ledger.store)
        mark = mark_of(ledger)
        assert mark.safe == mark.seen > 0
        performance.refresh(ledger.store)
        assert mark_of(ledger) == mark


@pytest.mark.long
def test_a_process_that_is_killed_inside_the_transaction_leaves_nothing_by_halves(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/idv.db"
    ledger = prepared(url)
    MOVES["approved"](ledger, begin(ledger))
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from server.test_rollups import prepared, rollups, performance\n"
        "change = rollups.change\n"
        "def die(*args):\n    change(*args)\n    os._exit(9)\n"
        "rollups.change = die\n"
        "performance.refresh(prepared(sys.argv[1]).store)\n"
    )
    tests = str(Path(__file__).parent.parent)
    done = subprocess.run([sys.executable, "-c", code, url, tests], env=os.environ, capture_output=True, check=False)
    assert done.returncode == 9, done.stderr.decode()
    assert not sums(ledger, rollups.STATE, "word")
    performance.refresh(ledger.store)
    check(ledger)
    ledger.close()


def test_a_page_counts_what_it_can_and_tells_what_is_left(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "_BATCH", 2)
    for _ in range(7):
        begin(ledger)
    assert performance.refresh(ledger.store, most=2) == 4
    assert refreshing.behind(ledger.store) == 3
    assert performance.refresh(ledger.store) == 3
    assert refreshing.behind(ledger.store) == 0


@pytest.mark.parametrize(
    ("milliseconds", "word"),
    [(0, "30 s"), (30_000, "30 s"), (30_001, "1 min"), (259_200_000, "3 days"), (259_200_001, "longer")],
)
def test_a_time_belongs_to_the_step_that_it_does_not_exceed(milliseconds: int, word: str) -> None:
    fact = {
        "state": State.DECIDED,
        "decision": None,
        "outcome": None,
        "is_faulty": None,
        "is_waiting": None,
        "took": milliseconds,
    }
    *_, last = rollups.contributions({**fact, "created_at": NOW, "account": None, "product": "x"})
    assert last == (rollups.TOOK, "2026-11-30", "", "x", word)
