"""How the vendors do: facts out of events, the report as page, CSV and command, on both databases."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from acme import order
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from books import KEY, REGISTRY, Town, account, configuration, later, make_gateway, make_ledger
from server.test_rollups import begin, happen, sums
from sqlalchemy import select, text
from typer.testing import CliRunner

from idv_core import Applicant, Gateway
from idv_core.cli.commands import app
from idv_core.config import Price, read_configuration
from idv_core.ledger import Ledger
from idv_core.ledger import migrate as migrate_ledger
from idv_core.ledger.store import connect
from idv_core.server import migrating, performance
from idv_core.server.migrating import check_tables, migrate
from idv_core.server.performance import Line, refreshing, report, rollups
from idv_core.server.performance.report import Cost, cost_of
from idv_core.server.tables import facts, metadata
from idv_core.telemetry import Decided, observes
from idv_core.testing import FakeClock
from idv_core.tracker import Tracker


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def ledger(url: str, clock: FakeClock) -> Iterator[Ledger]:
    engine = connect(url)
    migrate(engine)
    migrate(engine)
    check_tables(engine)
    engine.dispose()
    made = make_ledger(url, clock)
    yield made
    made.close()


@pytest.fixture
def town() -> Town:
    return Town("a", "b")


@pytest.fixture
def tracker(ledger: Ledger, town: Town, clock: FakeClock) -> Iterator[Tracker]:
    gateway = make_gateway(town, clock, account("a"), account("b"))
    made = Tracker(gateway, ledger)
    yield made
    made.stop()
    gateway.close()


def ordered(ledger: Ledger, n: int, country: str = "IN", **more: Any) -> str:
    person = Applicant(reference=f"CUST-{n}", name="Meera Iyer", country=country)
    return ledger.take(order(application_id=f"APP-{n}", applicant=person, **more)).id


def test_the_tables_are_those_of_the_migration(ledger: Ledger) -> None:
    with ledger.store.engine.connect() as con:
        context = MigrationContext.configure(
            con, opts={"include_name": lambda name, kind, _: kind != "table" or name in metadata.tables}
        )
        assert compare_metadata(context, metadata) == []


def test_each_is_counted_where_it_is(ledger: Ledger, tracker: Tracker, town: Town) -> None:
    for n in range(3):
        ordered(ledger, n, documents=["passport"])
    ordered(ledger, 3, country="KE")
    tracker.step()
    # the fifth is ordered and not opened
    ordered(ledger, 4)
    (line,) = report(ledger.store, [])
    assert (line.ordered, line.opened, line.running, line.completed) == (5, 4, 4, 0)
    assert (line.conversion, line.median) == (None, None)
    town.shops["a"].status = "good"
    later(ledger, 60)
    for row in ledger.listed(ledger.get(ordered(ledger, 0, documents=["passport"])).state):
        ledger.wake(row.id)
    tracker.step()
    lines = {line.group: line for line in report(ledger.store, ["account", "route", "country", "document"])}
    done = lines["a", "all", "IN", "passport"]
    assert (done.ordered, done.opened, done.started, done.completed, done.approved) == (3, 3, 3, 3, 3)
    assert (done.declined, done.review, done.abandoned, done.running) == (0, 0, 0, 0)
    assert done.conversion == 1.0
    assert done.median is not None
    # the clock of PostgreSQL cannot be moved
    assert done.median >= (0 if ledger.store.is_postgresql else 59)
    assert lines["a", "all", "KE", None].ordered == 1


def test_who_does_not_come_is_abandoned_and_what_the_vendor_breaks_is_an_error(
    ledger: Ledger, tracker: Tracker, town: Town
) -> None:
    id = ordered(ledger, 1)
    tracker.step()
    for _ in range(40):
        later(ledger, 86_400)
        tracker.step()
    assert ledger.get(id).state == "expired"
    (line,) = report(ledger.store)
    assert (line.abandoned, line.completed, line.conversion, line.errors) == (1, 0, 0.0, 0)
    for shop in town.shops.values():
        shop.answers["POST /flows"] = lambda request: httpx.Response(503)
    ordered(ledger, 2)
    tracker.step()
    errors = sum(one.errors for one in report(ledger.store))
    assert errors == 1


def test_facts_stay_when_the_person_is_erased_and_hold_nothing_of_them(
    ledger: Ledger, tracker: Tracker, town: Town
) -> None:
    town.shops["a"].status = "good"
    id = ordered(ledger, 1)
    tracker.step()
    later(ledger, 60)
    tracker.step()
    before = report(ledger.store, ["country", "route"])
    ledger.erase(id, actor="user:ana")
    tracker.step()
    assert report(ledger.store, ["country", "route"]) == before
    with ledger.store.engine.connect() as con:
        stored = str(con.execute(select(facts)).mappings().all())
    assert not any(word in stored for word in ("Meera", "CUST", "APP"))


def test_refreshing_again_writes_nothing_and_a_large_backlog_is_read_whole(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "_BATCH", 3)
    for n in range(10):
        ordered(ledger, n)
    assert performance.refresh(ledger.store) == 10
    assert performance.refresh(ledger.store) == 0
    ordered(ledger, 11)
    assert performance.refresh(ledger.store) == 1


def test_a_report_is_about_a_time(ledger: Ledger) -> None:
    ordered(ledger, 1)
    now = datetime.now(UTC)
    assert report(ledger.store, since=now + timedelta(hours=1)) == []
    assert report(ledger.store, until=now - timedelta(hours=1)) == []
    assert len(report(ledger.store, since=now - timedelta(hours=1), until=now + timedelta(hours=1))) == 1
    with pytest.raises(ValueError, match="account, route, country, document"):
        report(ledger.store, ["name"])


@pytest.mark.parametrize("begin", [*"=+-@\t\r\n＝＋－＠"])
def test_a_spreadsheet_computes_nothing_of_a_name(begin: str) -> None:
    counts = dict.fromkeys((*performance.COLUMNS,), 1)
    line = Line(group=(f"{begin}cmd()",), median=None, p95=None, **counts)
    (row,) = csv.DictReader(
        io.StringIO(
            performance.csv_of(performance.rows([line], ["account"]), performance.columns(["account"])), newline=""
        )
    )
    assert row["account"] == f"'{begin}cmd()"
    assert row["median_seconds"] == ""


def test_the_command_prints_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDV_LEDGER_KEY", KEY.reveal())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "idv.toml").write_text("")
    ledger = Ledger(f"sqlite:///{tmp_path}/idv.db", keys=[KEY])
    ordered(ledger, 1)
    ledger.close()

    def idv(*words: str) -> Any:
        return CliRunner().invoke(app, ["report", *words])

    (line,) = json.loads(idv("--json", "--by", "country").stdout)["lines"]
    assert (line["country"], line["ordered"], line["conversion"]) == ("IN", 1, None)
    assert idv("--csv", "--by", "country").stdout.splitlines()[1].startswith("IN,1,1,0")
    assert "ordered" in idv().stdout
    assert json.loads(idv("--json", "--until", "2020-01-01").stdout)["lines"] == []
    assert idv("--by", "name").exit_code == 2


def test_who_is_passed_over_bears_its_own_error(ledger: Ledger, tracker: Tracker, town: Town) -> None:
    town.shops["a"].answers["POST /flows"] = lambda request: httpx.Response(429)
    ordered(ledger, 1)
    tracker.step()
    lines = {line.group: line for line in report(ledger.store)}
    a, b = lines[("a",)], lines[("b",)]
    assert (a.ordered, a.asked, a.errors, a.error_rate) == (0, 1, 1, 1.0)
    assert a.reasons == (("error", "passed_over", 1),)
    assert (b.ordered, b.asked, b.opened, b.errors) == (1, 1, 1, 0)
    (whole,) = report(ledger.store, [])
    assert (whole.asked, whole.errors) == (1, 1)
    with ledger.store.engine.connect() as con:
        row = con.execute(select(facts)).mappings().one()
    assert (row["assigned"], row["account"], row["route"], row["is_faulty"]) == ("a", "b", "all", True)


def test_observers_are_told_once_the_decision_is_stored(ledger: Ledger, town: Town, clock: FakeClock) -> None:
    told: list[tuple[Decided, object]] = []

    class Diary:
        @observes
        def decided(self, event: Decided) -> None:
            told.append((event, ledger.get(id).decision))

    book = configuration(account("a"))
    gateway = Gateway(book, transport=httpx.MockTransport(town), clock=clock, registry=REGISTRY, observers=[Diary()])
    tracker = Tracker(gateway, ledger)
    town.shops["a"].status = "good"
    id = ordered(ledger, 1, country="KE")
    for _ in range(3):
        tracker.step()
        later(ledger, 60)
    ((event, stored),) = told
    assert (event.account, event.route, event.product, event.country) == ("a", "all", ledger.get(id).product, "KE")
    assert event.decision == stored == "approved"
    assert event.seconds is not None
    tracker.stop()
    gateway.close()


def test_the_reasons_of_a_decision_are_counted(ledger: Ledger) -> None:
    for codes in (["liveness.failed", "face_match.failed"], ["liveness.failed"], []):
        id = begin(ledger)
        happen(ledger, id, "opening", {"account": "a"}, account="a", state="opening")
        happen(ledger, id, "opened", {"account": "a"}, state="awaiting")
        data = {"decision": "declined", "reasons": codes}
        happen(ledger, id, "decided", data, state="decided", decision="declined")
    (line,) = report(ledger.store)
    assert line.reasons == (("declined", "liveness.failed", 2), ("declined", "face_match.failed", 1))
    assert (line.declined, line.success_rate, line.conversion, line.completion) == (3, 0.0, 1.0, 1.0)


def parts(**counts: int) -> dict[str, int]:
    return {"opened": 0, "completed": 0, "approved": 0, "declined": 0, **counts}


EUR = Price(opened="0.40", completed="1.10", currency="EUR")


class TestCost:
    def test_money_is_exact_and_divided_by_what_was_completed_and_decided(self) -> None:
        cost = cost_of([("a", parts(opened=3, completed=2, approved=1))], {"a": EUR})
        assert cost is not None
        assert (str(cost.total), str(cost.per_completed), str(cost.per_decided)) == ("3.40", "1.7000", "3.4000")
        # ten times a tenth is one
        tenth = Price(opened="0.10", currency="EUR")
        assert cost_of([(name, parts(opened=1)) for name in "abcdefghij"], dict.fromkeys("abcdefghij", tenth)) == Cost(
            total=Decimal("1.00"), currency="EUR", completed=0, decided=0
        )

    def test_nothing_is_said_without_a_price_or_with_two_currencies(self) -> None:
        both = [("a", parts(opened=1)), ("b", parts(opened=1))]
        assert cost_of(both, {"a": EUR, "b": None}) is None
        assert cost_of(both, {"a": EUR}) is None
        assert cost_of(both, {"a": EUR, "b": Price(opened="1", currency="USD")}) is None
        assert cost_of(both, {"a": EUR, "b": EUR}) is not None

    def test_the_prices_of_the_page_are_prices(self) -> None:
        page = Path(__file__).parents[2].joinpath("docs/service.md").read_text(encoding="utf-8")
        found = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
        (price,) = [one["price"] for table in found for one in table.get("accounts", {}).values() if "price" in one]
        assert Price(**price) == EUR

    def test_nothing_completed_costs_nothing_each(self) -> None:
        cost = cost_of([("a", parts(opened=1))], {"a": EUR})
        assert cost is not None
        assert (cost.per_completed, cost.per_decided) == (None, None)

    @pytest.mark.parametrize(
        ("price", "said"),
        [
            ('{ opened = 0.40, currency = "EUR" }', "in quotes"),
            ('{ opened = "-1", currency = "EUR" }', "in quotes"),
            ('{ opened = "NaN", currency = "EUR" }', "in quotes"),
            ('{ opened = "1", currency = "Euro" }', "ISO 4217"),
            ('{ opened = "1" }', "is missing"),
        ],
    )
    def test_a_wrong_price_is_told(self, tmp_path: Path, price: str, said: str) -> None:
        file = tmp_path / "idv.toml"
        file.write_text(f'[accounts.a]\nplugin = "acme"\nprice = {price}\n')
        found = read_configuration(file).problems
        assert any("price" in str(problem) and said in str(problem) for problem in found), found

    def test_the_report_takes_the_prices_of_the_file(
        self, ledger: Ledger, tracker: Tracker, town: Town, tmp_path: Path
    ) -> None:
        file = tmp_path / "idv.toml"
        file.write_text(
            '[accounts.a]\nplugin = "acme"\nprice = { opened = "0.40", completed = "1.10", currency = "EUR" }\n'
        )
        prices = {one.name: one.price for one in read_configuration(file).accounts}
        town.shops["a"].status = "good"
        ordered(ledger, 1)
        tracker.step()
        later(ledger, 60)
        tracker.step()
        (row,) = performance.rows(report(ledger.store, prices=prices), ["account"])
        assert (row["cost_per_completed"], row["currency"]) == ("1.5000", "EUR")


def test_tables_of_an_older_release_are_filled(url: str, clock: FakeClock) -> None:
    engine = connect(url)
    migrate_ledger(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    with engine.begin() as con:
        config.attributes["connection"] = con
        command.upgrade(config, "0001")
    ledger = make_ledger(url, clock)
    ids = [ordered(ledger, n) for n in range(2)]
    ledger.erase(ids[1], actor="user:ana")
    columns = "seq, product, country, created_at, troubles, unknowns"
    with engine.begin() as con:
        for id in ids:
            values = f"'{id}', 9, 'loan', 'KE', '2026-11-30 10:00:00', 0, 0"
            con.execute(text(f"INSERT INTO idv_fact (verification_id, {columns}) VALUES ({values})"))
        con.execute(text("INSERT INTO idv_mark (name, event) VALUES ('facts', '7')"))
    migrate(engine)
    engine.dispose()
    lines = {line.group: line.ordered for line in report(ledger.store, ["country"])}
    # what was erased meanwhile keeps what was known of it
    assert lines == {("IN",): 1, ("KE",): 1}
    assert sums(ledger, rollups.STATE, "word") == {("ordered",): 1, ("erased",): 1}
    ledger.close()
