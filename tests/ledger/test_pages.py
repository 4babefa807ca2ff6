"""The pages about the ledger: their examples work as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from books import Town, account, make_gateway

import idv_core
from idv_core.config import read_configuration
from idv_core.ledger import State
from idv_core.testing import FakeClock
from idv_core.tracker.delivery import SCHEDULE

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.S)


def test_the_first_example_brings_an_applicant_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.chdir(tmp_path)
    town, sent = Town("a"), list[str]()
    gateway = make_gateway(town, clock, account("a"))
    monkeypatch.setattr(idv_core.Gateway, "load", lambda path: gateway)
    monkeypatch.setenv("IDV_LEDGER_KEY", "k" * 32)
    (tmp_path / "idv.toml").write_text(blocks("ledger.md", "toml")[0])
    names: dict[str, Any] = {"send_the_applicant_to": sent.append}
    exec(blocks("ledger.md", "python")[0], names)
    assert sent == ["https://acme.example/go?t=secret-f-1"]
    names["ledger"].close()


@pytest.mark.parametrize("page", ["ledger.md", "ledger-operations.md"])
def test_the_files_are_read_as_they_stand(page: str, tmp_path: Path) -> None:
    files = [text for text in blocks(page, "toml") if "[ledger]" in text]
    assert files
    for text in files:
        file = tmp_path / "idv.toml"
        file.write_text(text)
        found = read_configuration(file)
        assert [problem for problem in found.problems if "ledger" in problem.path] == []
        assert found.ledger is not None


def test_the_states_and_the_schedule_are_those_of_the_code() -> None:
    text = (DOCS / "ledger.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == {state.value for state in State}
    words = [
        f"{pause.total_seconds() / size:g} {unit}"
        for pause in SCHEDULE
        for size, unit in [_unit(pause.total_seconds())]
    ]
    assert ", ".join(words[:-1]) + f" and {words[-1]}" in text


def _unit(seconds: float) -> tuple[int, str]:
    return (3600, "h") if seconds >= 3600 else (60, "min") if seconds >= 60 else (1, "s")
