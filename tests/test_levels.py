"""Levels: what is missing is named, and the page in the docs says what running the checks says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import attrs
import idv_verigram.testing.harness
import pytest
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.errors import AuthenticationFailed, PluginError
from idv_core.registry import Found, discover
from idv_core.testing import EmulatedResponse, FakeClock, Harness, RunningClock, levels
from idv_core.testing.levels import Grade, Level, Report, as_page

PAGE = (Path(__file__).parent.parent / "docs" / "levels.md").read_text()


def report(*missing: Level) -> Report:
    grades = [
        Grade(level=level, point=f"point of {level}", met=level not in missing, detail="seen")
        for level in (Level.BRONZE, Level.SILVER, Level.GOLD)
    ]
    return Report(plugin="acme", grades=grades)


@pytest.mark.parametrize(
    ("missing", "level"),
    [
        ((), Level.GOLD),
        ((Level.GOLD,), Level.SILVER),
        ((Level.SILVER,), Level.BRONZE),
        ((Level.BRONZE,), Level.NONE),
        ((Level.BRONZE, Level.GOLD), Level.NONE),
    ],
)
def test_a_level_needs_all_that_is_below_it(missing: tuple[Level, ...], level: Level) -> None:
    assert report(*missing).level is level


def test_the_page_shows_every_point() -> None:
    assert as_page([report(Level.GOLD), report()]).splitlines() == [
        "| level | point | acme | acme |",
        "|---|---|---|---|",
        "| | **level** | **silver** | **gold** |",
        "| bronze | point of bronze | yes: seen | yes: seen |",
        "| silver | point of silver | yes: seen | yes: seen |",
        "| gold | point of gold | **no**: seen | yes: seen |",
    ]


class TestWhatRemains:
    """Each point that is not met says what to do."""

    harness = idv_verigram.testing.harness.harness(FakeClock())

    def test_recovery(self) -> None:
        nothing = levels._Outcomes()
        said = levels._recovery(attrs.evolve(self.harness, no_recovery=None), object(), nothing)
        assert (said.met, said.detail) == (
            False,
            "write recover(), or say in Harness.no_recovery why there is no way",
        )
        assert levels._recovery(self.harness, object(), nothing).met

    def test_errors(self) -> None:
        few = [error for error in self.harness.errors if error.error is not AuthenticationFailed]
        said = levels._error_table(attrs.evolve(self.harness, errors=few))
        assert (said.met, said.detail) == (False, "Harness.errors lacks, for open: AuthenticationFailed")

    def test_result_capabilities(self) -> None:
        said = levels._result_capabilities(object(), levels._Outcomes())
        assert (said.met, said.detail) == (False, "give the adapter an attribute result_capabilities")

    def test_tests_that_failed_or_did_not_run(self) -> None:
        outcomes = levels._Outcomes()
        outcomes.passed["test_a"], outcomes.failed["test_b"] = 2, "it is wrong"
        grade = levels._by_tests
        assert grade(Level.GOLD, "p", ("test_a",), outcomes).detail == "2 tests passed"
        assert grade(Level.GOLD, "p", ("test_a", "test_b"), outcomes).detail == "test_b: it is wrong"
        assert grade(Level.GOLD, "p", ("test_c",), outcomes).detail == "test_c did not run"

    def test_what_is_not_offered_counts_neither_way(self) -> None:
        outcomes = levels._Outcomes()
        outcomes.passed["test_a"], outcomes.skipped["test_b"] = 2, "not offered: no LinkProtocol"
        partly = levels._by_tests(Level.SILVER, "p", ("test_a", "test_b"), outcomes)
        assert (partly.met, partly.offered) == (True, True)
        assert partly.detail == "2 tests passed; not offered: no LinkProtocol"
        nothing = levels._by_tests(Level.SILVER, "p", ("test_b",), outcomes)
        assert (nothing.met, nothing.offered, nothing.detail) == (False, False, "not offered: no LinkProtocol")
        graded = Report(plugin="acme", grades=[*report(Level.GOLD).grades, nothing])
        assert graded.level is Level.SILVER
        assert as_page([graded]).splitlines()[-1] == "| silver | p | not offered: no LinkProtocol |"

    def test_a_matrix_that_cannot_begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refusing = idv_verigram.testing.harness.harness(RunningClock())
        refusing.emulator.fault("POST /flow", EmulatedResponse(403, {}), times=10**6)
        monkeypatch.setattr(levels, "harness_of", lambda *_: refusing)
        said = levels._faults("verigram")
        assert not said.met
        assert said.detail.startswith("the matrix cannot begin: with nothing broken, Harness.finish does not work")

    def test_the_independent_client(self) -> None:
        def missing() -> str:
            raise ModuleNotFoundError(name="their_client")

        def unhappy() -> str:
            raise AssertionError("two sessions for one key")

        judges = (None, missing, unhappy, lambda: "x 1")
        judged = [levels._sdk_check(attrs.evolve(self.harness, sdk_check=check)) for check in judges]
        assert [(grade.met, grade.detail) for grade in judged] == [
            (False, "give Harness.sdk_check: the vendor's own client drives the emulator"),
            (False, "install their_client to be judged by it"),
            (False, "the check says: two sessions for one key"),
            (True, "x 1"),
        ]

    def test_the_page_of_the_vendor(self) -> None:
        plugin = discover().found["verigram"]
        assert levels._page(plugin).met
        assert not levels._page(Found(plugin=plugin.plugin, distribution="given", version="")).met

    def test_a_plugin_without_a_harness(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = discover()
        bare = attrs.evolve(found.found["verigram"], plugin=attrs.evolve(found.found["verigram"].plugin, harness=None))
        monkeypatch.setattr(levels, "discover", lambda: attrs.evolve(found, found={"verigram": bare}))
        with pytest.raises(PluginError, match="has no harness: name one in Plugin"):
            levels.check_plugin("verigram")
        assert CliRunner().invoke(app, ["plugin", "check", "none"]).exit_code == 2


def test_the_whole_table_is_printed_when_a_harness_breaks_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def breaks(name: str, clock: FakeClock) -> Harness:
        made.append(idv_verigram.testing.harness.harness(clock))
        if len(made) > 3:
            raise RuntimeError("the emulator is gone")
        return made[-1]

    monkeypatch.setattr(levels, "harness_of", breaks)
    done = CliRunner().invoke(app, ["plugin", "check", "verigram"])
    assert done.exit_code == 0, done.output
    *points, last = done.output.splitlines()
    assert (len(points), last) == (26, "verigram: none")
    assert [line for line in points if "it crashed: RuntimeError: the emulator is gone (at test_levels.py:" in line]
    assert "[x] gold    its page says what is covered and what is assumed: its README has the table" in points


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(discover().found))
def test_the_docs_say_what_the_checks_say(name: str) -> None:
    code = "from idv_core.cli import main; main()"
    run = subprocess.run([sys.executable, "-c", code, "plugin", "check", name], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    heads = next(line for line in PAGE.splitlines() if line.startswith("| level")).split(" | ")
    shown = next(line for line in PAGE.splitlines() if line.startswith("| | **level**")).split(" | ")
    level = shown[heads.index(name) if name in heads else -1].strip("*| ")
    if "NOT JUDGED" in run.stdout:
        # the vendor's document lies beside the project, and not everywhere
        assert run.stdout.splitlines()[-1] == f"{name}: silver"
        pytest.skip(f"{name}: NOT JUDGED, because the vendor's OpenAPI document is not here (IDV_OPENAPI)")
    assert run.stdout.splitlines()[-1] == f"{name}: {level}"
