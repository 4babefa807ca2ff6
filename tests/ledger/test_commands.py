"""`idv ledger` and `idv track`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from acme import order
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError
from typer.testing import CliRunner, Result

from idv_core import ConfigError, Secret
from idv_core.cli.commands import app
from idv_core.config import EndpointSettings, LedgerSettings
from idv_core.ledger import Ledger, State, Verification
from idv_core.ledger.reaching import trouble
from idv_core.ledger.verification import Change

KEY = "an-invented-key-of-the-ledger-0001"
OTHER = "an-invented-key-of-the-ledger-0002"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEDGER_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", OTHER)
    file = tmp_path / "idv.toml"
    file.write_text(
        f"""
[ledger]
url = "sqlite:///{tmp_path}/idv.db"
key = {{ env = "LEDGER_KEY" }}
"""
    )
    return file


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path}/idv.db", keys=[Secret(KEY)])
    yield ledger
    ledger.close()


def idv(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["ledger", *arguments, "--config", str(file)])


def unknown(books: Ledger) -> Verification:
    books.take(order())
    (claim,) = books.claim("w", timedelta(minutes=1))
    claim = books.intend(claim, "a", timedelta(minutes=1))
    return books.commit(claim, Change(state=State.UNKNOWN, delay=None))


def test_an_order_is_found_and_its_history_shown_without_anything_personal(file: Path, books: Ledger) -> None:
    taken = books.take(order())
    said = idv(file, "find", "--application", "APP-1")
    assert said.exit_code == 0
    assert taken.id in said.output
    assert "Meera" not in said.output
    (row,) = json.loads(idv(file, "find", taken.id, "--json").output)
    assert (row["state"], row["application_id"]) == ("ordered", "APP-1")
    (event,) = json.loads(idv(file, "events", taken.id, "--json").output)
    assert event["kind"] == "ordered"
    assert "ordered" in idv(file, "events", taken.id).output
    assert idv(file, "find", "--state", "unknown").exit_code == 1
    assert "there is no verification" in idv(file, "events", "01NOTHING").output


def test_seals_and_verification_say_whether_anything_was_changed(file: Path, books: Ledger) -> None:
    taken = books.take(order())
    assert idv(file, "migrate").exit_code == 0
    assert idv(file, "seal").output.startswith("seal 1: 1 verification, ")
    assert json.loads(idv(file, "verify", "--json").output)["problems"] == []
    with books.store.engine.begin() as con:
        con.exec_driver_sql("UPDATE idv_event SET data = '{}'")
    said = idv(file, "verify")
    assert said.exit_code == 1
    assert f"verification {taken.id}: event 1 was changed" in said.output


def test_what_is_unknown_is_listed_and_resolved_under_a_name(file: Path, books: Ledger) -> None:
    id = unknown(books).id
    assert id in idv(file, "find", "--state", "unknown").output
    assert "stored" in idv(file, "resolve", id, "--reopen", "--as", "user:ana").output
    assert books.events(id)[-1].actor == "user:ana"
    wrong = idv(file, "resolve", id)
    assert (wrong.exit_code, "exactly one of --adopt, --reopen and --give-up" in wrong.output) == (2, True)
    assert books.get(id).due is not None


def test_erasing_is_done_at_once(file: Path, books: Ledger) -> None:
    id = books.take(order()).id
    assert idv(file, "erase", id).output == f"{id}: erased\n"
    assert books.get(id).order is None


def test_after_a_rotation_the_old_key_can_be_removed(file: Path, books: Ledger) -> None:
    id = books.take(order()).id
    file.write_text(
        file.read_text().replace('{ env = "LEDGER_KEY" }', '[{ env = "OTHER_KEY" }, { env = "LEDGER_KEY" }]')
    )
    assert "2 keys wrapped by the first key now" in idv(file, "rotate").output
    file.write_text(file.read_text().replace(', { env = "LEDGER_KEY" }]', "]"))
    assert idv(file, "find", id).exit_code == 0


def test_dead_letters_are_sent_again(file: Path, books: Ledger) -> None:
    assert idv(file, "redeliver", "--dead").exit_code == 1
    wrong = idv(file, "redeliver")
    assert (wrong.exit_code, "say which messages: an id, --endpoint or --dead" in wrong.output) == (2, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[webhooks]\n", "there is no [ledger]"),
        ('[ledger]\nurl = "sqlite:///x.db"\n', "ledger.key: is missing"),
        ('[ledger]\nurl = "sqlite:///x.db"\nkey = { env = "NOT_SET" }\n', "NOT_SET"),
        ('[ledger]\nurl = "sqlite:///x.db"\nkey = "literal"\n', "ledger.key"),
    ],
)
def test_a_file_that_is_wrong_is_said_so(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    found = idv(file, "find", "--application", "APP-1")
    assert found.exit_code == 2
    assert said in found.output


COMMANDS = (("migrate",), ("find", "01X"), ("seal",), ("verify",), ("rotate",), ("redeliver", "--dead"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_cannot_be_used_is_one_sentence(
    file: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(file.read_text().replace("/idv.db", "/nowhere/idv.db"))
    found = idv(file, *command)
    assert found.exit_code == 1
    assert found.stderr == "idv: the ledger's file cannot be opened: make its folder, and let this user write there\n"


def test_a_database_that_fails_under_way_is_one_sentence_too(
    file: Path, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Ledger) -> None:
        raise OperationalError("INSERT", {"name": "Meera"}, Exception("database or disk is full"))

    monkeypatch.setattr(Ledger, "seal", full)
    found = idv(file, "seal")
    assert found.exit_code == 1
    assert found.stderr.startswith("idv: the disk of the ledger's database is full: free some space")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("database or disk is full", "is full"),
        ('could not extend file "base/5/1": No space left on device', "is full"),
        ('column idv_review.proposed does not exist\nLINE 1: SELECT "Meera"', "run 'idv ledger migrate'"),
        ('relation "idv_fact" does not exist', "run 'idv ledger migrate'"),
        ("no such table: idv_fact", "run 'idv ledger migrate'"),
        ('FATAL:  role "idv" does not exist', "does not know this user"),
        ('FATAL:  database "idv" does not exist', "createdb"),
        ("FATAL:  sorry, too many clients already", "takes no more connections"),
        ("FATAL:  the database system is starting up", "wait a moment"),
        ("failed to resolve host 'db.example': Name or service not known", "is not known: check url"),
        ('invalid connection option "Meera"', "take it out"),
        ("connection refused", "cannot be reached"),
    ],
)
def test_what_the_driver_says_becomes_what_to_do(said: str, sentence: str) -> None:
    told = trouble(OperationalError("SELECT", {}, Exception(said)))
    assert sentence in told
    assert "Meera" not in told


def test_a_statement_that_the_database_refuses_is_not_called_unreachable() -> None:
    assert "refuses a statement (ProgrammingError)" in trouble(
        ProgrammingError("SELECT", {}, Exception("syntax error"))
    )


def test_tables_of_a_newer_release_are_refused_by_one_that_goes_back(file: Path, books: Ledger) -> None:
    with books.store.engine.begin() as con:
        con.execute(text("UPDATE idv_migration SET version_num = '9999'"))
    for command in COMMANDS:
        found = idv(file, *command)
        assert found.exit_code == 1
        assert found.stderr.startswith("idv: the tables were changed by a newer release: install that one again")


@pytest.mark.parametrize("words", [("find", "--application", "\udcff"), ("erase", "01X", "--as", "x" * 101)])
def test_what_does_not_fit_into_the_history_is_refused(file: Path, books: Ledger, words: tuple[str, ...]) -> None:
    found = idv(file, *words)
    assert found.exit_code == 2
    assert "an argument is not UTF-8" in found.stderr or "--as: must have at most 100 characters" in found.stderr


def test_a_user_without_a_name_has_a_number_in_the_history(
    file: Path, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("idv_core.cli.ledger.getuser", nameless)
    id = books.take(order()).id
    assert idv(file, "erase", id).exit_code == 0
    assert f"user:{os.getuid()}" in {event.actor for event in books.events(id)}


def test_a_state_that_there_is_not_is_told_which_there_are(file: Path) -> None:
    found = idv(file, "find", "--state", "nonsense")
    assert found.exit_code == 2
    assert "--state 'nonsense': must be one of ordered, opening, awaiting" in found.stderr


def test_a_driver_that_is_missing_is_told_by_its_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    file.write_text(re.sub('url = ".*"', 'url = "postgresql://db.example/idv"', file.read_text()))
    assert "pip install 'psycopg[binary]'" in idv(file, "seal").stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('url = "sqlite://"', "ledger.url: must name a file"),
        ('url = "sqlite:///:memory:"', "ledger.url: must name a file"),
        ('url = "sqlite:///?cache=shared"', "ledger.url: must name a file"),
        ('url = "sqlite:///idv.db"\ndeadline_days = 36501', "ledger.deadline_days: must be 36500 days at most"),
        ('url = "sqlite:///idv.db"\nretention_days = 99999999999', "ledger.retention_days: must be 36500 days at most"),
    ],
)
def test_a_ledger_that_would_lose_or_overflow_is_refused(file: Path, line: str, said: str) -> None:
    file.write_text(re.sub('url = ".*"', line, file.read_text()))
    found = idv(file, "find", "01X")
    assert found.exit_code == 2
    assert said in found.stderr


def test_the_settings_of_the_file_do_not_show_the_password_of_the_address() -> None:
    settings = LedgerSettings(url="postgresql://idv:hunter2@db.example/idv", key=Secret(KEY))
    assert "hunter2" not in repr(settings)


def test_the_settings_of_the_file_make_the_ledger(tmp_path: Path) -> None:
    settings = LedgerSettings(
        url=f"sqlite:///{tmp_path}/idv.db",
        key=Secret(KEY),
        deadline_days=7,
        retention_days=90,
        endpoints={
            "loans": EndpointSettings(url="https://loans.example", secret=Secret("c2VjcmV0LXNlY3JldC1zZWNyZXQ="))
        },
    )
    made = Ledger.of(settings)
    assert (made.deadline, made.retention, list(made.endpoints)) == (timedelta(days=7), timedelta(days=90), ["loans"])
    made.close()


def test_a_program_reads_the_file_as_the_commands_do(file: Path, books: Ledger, tmp_path: Path) -> None:
    id = books.take(order()).id
    read = Ledger.load(file)
    assert read.get(id).order == order()
    read.close()
    (tmp_path / "none.toml").write_text("")
    for name, said in (("none.toml", r"there is no \[ledger\]; add one"), ("away.toml", "away.toml")):
        with pytest.raises(ConfigError, match=said):
            Ledger.load(tmp_path / name)


def test_a_tracker_ends_well_at_sigterm(file: Path, books: Ledger) -> None:
    file.write_text(
        file.read_text()
        + '[accounts.x]\nplugin = "verigram"\nbase_url = "https://x.example"\napi_key = { env = "LEDGER_KEY" }\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "from idv_core.cli import main; main()", "track", "--config", str(file)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("tracking as ")
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "stopped; nothing is under way\n"
    assert process.wait(20) == 0
    process.stdout.close()


@pytest.mark.long
def test_the_demo_comes_to_its_end_although_its_tracker_is_killed() -> None:
    said = CliRunner().invoke(app, ["demo", "stripe", "--ledger", "--json"])
    assert said.exit_code == 0, said.output
    (row,) = json.loads(said.output)
    assert (row["vendor"], row["at_the_end"], row["decision"]) == ("stripe", "decided", "APPROVED")
    assert row["history"].startswith("ordered > opening > opened")
    shown = CliRunner().invoke(app, ["demo", "verigram", "--ledger"])
    assert "kill -9" in shown.output
    assert CliRunner().invoke(app, ["demo", "--ledger", "--two-people"]).exit_code == 2
