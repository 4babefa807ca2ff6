"""The pages of figures and the metrics: what stands there, of what is counted."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from books import KEY, make_ledger
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from server.running import Running
from server.test_rollups import MOVES, begin, happen
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.server import performance
from idv_core.server.console import users
from idv_core.server.console.charts import HEIGHT, MOST, OTHERS, WIDTH, stacked
from idv_core.server.console.web import ConsoleOptions
from idv_core.server.migrating import migrate
from idv_core.testing import FakeClock

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
COUNTED = st.dictionaries(
    st.tuples(st.dates(FIRST, LAST).map(date.isoformat), st.sampled_from("abcdefgh")), st.integers(1, 1000)
)


class TestCharts:
    @given(COUNTED)
    def test_nothing_is_lost_and_all_bars_lie_within(self, counted: dict[tuple[str, str], int]) -> None:
        chart = stacked(counted, FIRST, LAST)
        assert sum(sum(values) for _, values in chart.rows) == sum(counted.values())
        assert len(chart.names) <= MOST + 1
        assert (OTHERS in chart.names) == (len({name for _, name in counted}) > MOST)
        for bar in chart.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
            assert -0.05 <= bar.y <= bar.y + bar.height <= HEIGHT + 0.05

    def test_what_is_higher_is_drawn_higher_and_the_highest_day_fills_it(self) -> None:
        chart = stacked({("2026-11-01", "a"): 3, ("2026-11-01", "b"): 1, ("2026-11-30", "a"): 2}, FIRST, LAST)
        assert chart.highest == 4
        assert [(bar.y, bar.height, bar.number) for bar in chart.bars] == [(40, 120, 0), (0, 40, 1), (80, 80, 0)]
        assert chart.bars[0].text == "2026-11-01: 3 a"
        assert len(chart.days) == 30


class TestPages:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"console": ConsoleOptions(user_header="x-user")}

    @pytest.fixture
    def visitor(self, running: Running) -> httpx.Client:
        users.add(running.ledger.store, "ana", [], None)
        return running.client(**{"x-user": "ana"})

    def test_the_overview_shows_what_is_counted(self, running: Running, visitor: httpx.Client) -> None:
        running.decided()
        page = visitor.get("/console").text
        assert '<th scope="row">decided</th><td class="number">1</td><td class="number">100.0&nbsp;%</td>' in page
        assert '<th scope="row">approved</th><td class="number">1</td>' in page
        assert "Ordered per day, by account" in page
        assert re.search(r'<th scope="row">a</th><td>.*available.*</td><td>closed</td><td class="number">1</td>', page)
        assert "1 on the busiest day" in page
        # the chart is drawn without style, and is there as a table
        assert 'style="' not in page
        assert page.count("<summary>As a table</summary>") == 2

    def test_the_overview_is_about_the_days_that_are_asked_for(self, running: Running, visitor: httpx.Client) -> None:
        begin(running.ledger, days_ago=200)
        for days, text in (("7", "7 days"), ("90", "90 days"), ("8; DROP", "30 days")):
            page = visitor.get("/console", params={"days": days}).text
            assert f'aria-current="page">{text}</a>' in page
        assert "Nothing was ordered then" in page

    def test_a_route_that_no_database_could_hold_is_refused(self, running: Running, visitor: httpx.Client) -> None:
        for page in ("performance", "performance.csv"):
            answer = visitor.get(f"/console/{page}?split=%00")
            assert (answer.status_code, "split: must" in answer.text) == (400, True), page

    def test_no_more_than_two_reports_are_made_at_once(
        self, running: Running, visitor: httpx.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entered, go, made = threading.Semaphore(0), threading.Event(), performance.report

        def held(*args: Any) -> Any:
            entered.release()
            go.wait(20)
            return made(*args)

        monkeypatch.setattr(performance, "report", held)
        with ThreadPoolExecutor() as pool:
            paths = ("performance", "performance.csv", "performance")
            asked = [pool.submit(httpx.get, f"{running.url}/console/{one}", headers={"x-user": "ana"}) for one in paths]
            try:
                assert entered.acquire(timeout=20)
                assert entered.acquire(timeout=20)
                # who asks for something else meanwhile is answered
                assert visitor.get("/console").status_code == 200
                assert not entered.acquire(blocking=False)
            finally:
                go.set()
            assert [one.result().status_code for one in asked] == [200] * 3

    def test_a_verdict_stands_above_the_report(self, running: Running, visitor: httpx.Client) -> None:
        running.decided()
        page = visitor.get("/console/performance", params={"split": "all"}).text
        assert "There is nothing to compare" in page
        assert "Never by approval" in page
        file = visitor.get("/console/performance.csv", params={"split": "all", "since": ""})
        assert next(csv.reader(io.StringIO(file.text)))[:4] == ["route", "account", "against", "verdict"]

    def test_a_name_of_a_route_is_shown_as_it_is(self, visitor: httpx.Client) -> None:
        page = visitor.get("/console/performance", params={"split": "<script>alert(1)</script>"}).text
        assert "<script>" not in page

    def test_metrics_have_bounded_labels_and_nothing_of_a_person(self, running: Running) -> None:
        running.decided()
        text = running.client("read").get("/metrics").text
        found = {one.name: one for one in text_string_to_metric_families(text)}
        labels = {label for one in found.values() for sample in one.samples for label in sample.labels}
        assert labels == {"state", "account", "decision", "outcome", "le"}
        assert [(one.labels, one.value) for one in found["idv_outcomes"].samples] == [
            ({"outcome": "approved", "account": "a"}, 1.0)
        ]
        steps = [one.value for one in found["idv_time_to_result_seconds"].samples if one.name.endswith("_bucket")]
        assert steps == sorted(steps)
        assert steps[-1] == 1.0
        assert not any(word in text for word in ("Meera", "CUST", "APP"))


def test_the_command_gives_a_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDV_LEDGER_KEY", KEY.reveal())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "idv.toml").write_text("")

    def idv(*words: str) -> str:
        return str(CliRunner().invoke(app, ["report", "--split", "wallet", *words]).stdout)

    assert "nothing to compare" in idv()
    ledger = make_ledger(f"sqlite:///{tmp_path}/idv.db", FakeClock())
    migrate(ledger.store.engine)
    for account in "ab":
        for _ in range(2):
            id = begin(ledger, days_ago=3)
            happen(ledger, id, "opening", {"account": account, "route": "wallet"}, account=account, state="opening")
            MOVES["approved"](ledger, id)
    ledger.close()
    assert idv().startswith("b against a: Too early to tell b from a")
    (line,) = json.loads(idv("--json"))["lines"]
    assert (line["given"], line["against_given"], line["verdict"]) == (2, 2, "too_early")
    assert idv("--csv").splitlines()[1].startswith("wallet,b,a,too_early,2,")
