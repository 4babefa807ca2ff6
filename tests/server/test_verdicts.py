"""Intervals by the literature, and what is made of them: never by approval."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from books import make_ledger
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from idv_core.ledger import Ledger
from idv_core.ledger.store import connect
from idv_core.server.migrating import migrate
from idv_core.server.performance import Verdict, verdict, verdict_rows, verdicts
from idv_core.server.performance.intervals import needed, newcombe, wilson
from idv_core.server.performance.verdicts import Arm, Word, compare, judge
from idv_core.server.tables import facts
from idv_core.testing import FakeClock

COUNTS = st.integers(0, 3000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


class TestIntervals:
    @pytest.mark.parametrize(
        ("hits", "of", "low", "high"),
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_the_score_interval_is_wilsons(self, hits: int, of: int, low: float, high: float) -> None:
        """Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), 857-872,
        table I, method 3."""
        found = wilson(hits, of)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))

    @pytest.mark.parametrize(
        ("one", "other", "low", "high"),
        [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((6, 7), (2, 7), 0.0582, 0.8062),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 20), -0.1611, 0.2775),
            ((0, 10), (0, 10), -0.2775, 0.2775),
            ((10, 10), (0, 20), 0.6791, 1.0),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ],
    )
    def test_the_interval_of_a_difference_is_newcombes(
        self, one: tuple[int, int], other: tuple[int, int], low: float, high: float
    ) -> None:
        """Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10."""
        found = newcombe(*one, *other)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))

    def test_how_many_are_needed_is_what_r_says(self) -> None:
        """The example of R's power.prop.test: p1 = .50, p2 = .75, power = .90 gives n = 76.7."""
        assert needed(0.50, 0.25, power=0.90) == 77
        assert needed(0.5, 0.05) == 1565

    @given(COUNTS, COUNTS)
    def test_they_hold_their_estimate_and_stay_within_their_bounds(
        self, one: tuple[int, int], other: tuple[int, int]
    ) -> None:
        share = wilson(*one)
        assert 0 <= share.low <= share.value <= share.high <= 1
        difference = newcombe(*one, *other)
        assert -1 <= difference.low <= difference.value <= difference.high <= 1
        turned = newcombe(*other, *one)
        assert (turned.low, turned.high) == (pytest.approx(-difference.high), pytest.approx(-difference.low))

    @given(COUNTS, COUNTS)
    def test_more_certainty_is_wider(self, one: tuple[int, int], other: tuple[int, int]) -> None:
        assert newcombe(*one, *other, 0.99).half >= newcombe(*one, *other, 0.95).half

    @given(st.integers(0, 100), st.integers(1, 20))
    def test_a_smaller_difference_needs_more(self, hits: int, points: int) -> None:
        share = hits / 100
        assert needed(share, points / 100) >= needed(share, (points + 5) / 100)


def arm(account: str, given: int, completed: int, faulty: int = 0) -> Arm:
    return Arm(account=account, given=given, completed=completed, faulty=faulty)


class TestSplits:
    def test_few_are_too_early(self) -> None:
        (found,) = compare([arm("a", 500, 400), arm("b", 500, 300)])
        assert found.word is Word.TOO_EARLY
        assert f"needs {found.needed}" in found.text
        assert "has 500" in found.text

    def test_enough_tell_better_worse_and_no_difference(self) -> None:
        words = [compare([arm("a", 5000, 4000), arm("b", 4000, completed)])[0].word for completed in (3400, 2800, 3210)]
        assert words == [Word.BETTER, Word.WORSE, Word.NO_DIFFERENCE]

    @pytest.mark.parametrize(("faulty", "stopped"), [((2, 30), "b"), ((30, 2), "a")])
    def test_who_fails_more_often_is_stopped_also_where_it_completes_more(
        self, faulty: tuple[int, int], stopped: str
    ) -> None:
        (found,) = compare([arm("a", 201, 100, faulty[0]), arm("b", 200, 190, faulty[1])])
        assert (found.word, found.stop) == (Word.STOP, stopped)
        assert found.text.startswith(f"Stop {stopped}")

    def test_a_handful_of_faults_stops_nobody(self) -> None:
        assert compare([arm("a", 20, 20, 0), arm("b", 20, 10, 10)])[0].word is Word.TOO_EARLY

    def test_each_is_compared_with_the_largest_and_more_strictly_if_there_are_several(self) -> None:
        arms = [arm("a", 100, 80), arm("b", 300, 240), arm("c", 200, 160)]
        first, second = compare(arms)
        assert (first.arm.account, second.arm.account, first.against.account) == ("c", "a", "b")
        (alone,) = compare(arms[1:])
        assert first.completion.half > alone.completion.half
        assert first.needed > alone.needed

    def test_one_account_alone_is_compared_with_nobody(self) -> None:
        assert compare([]) == compare([arm("a", 10, 5)]) == ()

    @given(COUNTS, COUNTS, COUNTS, COUNTS)
    def test_never_better_without_enough_nor_with_more_faults(
        self, a: tuple[int, int], b: tuple[int, int], c: tuple[int, int], d: tuple[int, int]
    ) -> None:
        arms = [arm("a", a[1], a[0], min(c[0], a[1])), arm("b", b[1], b[0], min(d[0], b[1]))]
        (found,) = compare(arms)
        if found.word in (Word.BETTER, Word.WORSE, Word.NO_DIFFERENCE):
            assert min(a[1], b[1]) >= found.needed
            assert found.faults.low <= 0 <= found.faults.high
        assert found.word is not Word.BETTER or found.completion.low > 0

    def test_a_verdict_knows_nothing_of_approvals(self) -> None:
        known = {field.name for cls in (Arm, verdicts.Comparison, Verdict) for field in attrs.fields(cls)}
        assert not known & {"approved", "declined", "decision", "success_rate"}
        # the code asks for no decision either; the docstring says why
        code = inspect.getsource(verdicts).replace(str(verdicts.__doc__), "")
        assert "approved" not in code.lower()


class TestShadows:
    def test_what_a_shadow_would_lose(self) -> None:
        assert judge("s", 0, 0).word is Word.TOO_EARLY
        assert judge("s", 100, 90).word is Word.TOO_EARLY
        assert judge("s", 1000, 990).word is Word.NO_DIFFERENCE
        assert "at most 1.8 %" in judge("s", 1000, 990).text
        assert judge("s", 1000, 800).word is Word.WORSE


NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class TestOfALedger:
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        url = f"sqlite:///{tmp_path}/idv.db"
        engine = connect(url)
        migrate(engine)
        engine.dispose()
        made = make_ledger(url, FakeClock(NOW))
        yield made
        made.close()

    def stored(self, ledger: Ledger, many: int, **values: Any) -> None:
        common = {"seq": 1, "product": "x", "state": "decided", "route": "wallet", "outcome": "approved"}
        common |= {"created_at": NOW - timedelta(days=3), "assigned": "a", "account": "a"}
        common |= {"is_prompt": True, "is_faulty": False, "shadow": None, "shadow_status": None}
        with ledger.store.begin() as con:
            taken = len(con.execute(facts.select()).all())
            rows = [{**common, **values, "verification_id": f"V-{taken + n}"} for n in range(many)]
            con.execute(insert(facts), rows)

    def test_each_counts_for_the_account_that_the_split_gave_it_to(self, ledger: Ledger) -> None:
        self.stored(ledger, 40)
        # given to b, and done by a: b has failed
        self.stored(ledger, 30, assigned="b", account="a", is_faulty=True)
        self.stored(ledger, 10, assigned="b", account="b", is_prompt=False)
        self.stored(ledger, 5, route="loans", assigned="c")
        found = verdict(ledger.store, "wallet")
        assert found.arms == (arm("a", 40, 40), arm("b", 40, 30, 30))
        assert (found.comparisons[0].word, found.comparisons[0].stop) == (Word.STOP, "b")
        (row,) = verdict_rows(found)
        assert (row["account"], row["against"], row["verdict"], row["given"]) == ("b", "a", "stop", 40)

    def test_what_is_younger_than_a_day_is_waited_for(self, ledger: Ledger) -> None:
        self.stored(ledger, 2, created_at=NOW - timedelta(hours=23))
        self.stored(ledger, 3, created_at=NOW - timedelta(hours=25))
        assert verdict(ledger.store, "wallet").arms == (arm("a", 3, 3),)
        assert verdict(ledger.store, "wallet", since=NOW).arms == ()

    def test_a_shadow_is_judged_by_what_the_other_completed(self, ledger: Ledger) -> None:
        self.stored(ledger, 8, shadow="s", shadow_status="finished")
        self.stored(ledger, 1, shadow="s", shadow_status="failed")
        self.stored(ledger, 1, shadow="s", shadow_status="not opened")
        # it is not looked at yet, or the other one came to no end
        self.stored(ledger, 1, shadow="s", shadow_status=None)
        self.stored(ledger, 1, shadow="s", shadow_status="not opened", outcome="abandoned")
        (found,) = verdict(ledger.store, "wallet").shadows
        assert (found.account, found.given, found.completed) == ("s", 10, 8)
        (row,) = verdict_rows(verdict(ledger.store, "wallet"))
        assert (row["against"], row["difference"]) == ("shadow", -0.2)
