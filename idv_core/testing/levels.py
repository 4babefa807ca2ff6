"""How far a plugin has come: bronze, silver, gold. Each point is graded by running something, and says what remains.

The model is Home Assistant's integration quality scale. A level is reached when all points of it and of those below are met.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import tempfile
import traceback
from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
import pytest

from ..errors import PluginError
from ..model.validation import as_tuple
from ..plugin.protocols import RecoverProtocol, ResultCapabilitiesProtocol
from ..plugin.spec import Plugin
from ..registry import Found, discover
from .clock import FakeClock, RunningClock
from .faults import FaultMatrix
from .harness import USUAL, Harness


class Level(StrEnum):
    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


@attrs.frozen(kw_only=True)
class Grade:
    """One point: whether it is met, by what, or what remains to be done.

    What a plugin does not offer is no fault of it, and no merit: `offered` is false, and the point counts neither way.
    """

    level: Level
    point: str
    met: bool
    detail: str
    offered: bool = True


@attrs.frozen(kw_only=True)
class Report:
    """All points of one plugin, in the order in which to work on them."""

    plugin: str
    grades: tuple[Grade, ...] = attrs.field(converter=as_tuple)

    @property
    def level(self) -> Level:
        """The highest level of which, and below which, nothing is missing."""
        reached = Level.NONE
        for level in (Level.BRONZE, Level.SILVER, Level.GOLD):
            if not all(grade.met for grade in self.grades if grade.level is level and grade.offered):
                break
            reached = level
        return reached


# Points that the suite's own tests decide: level, point, the tests.
_BY_TESTS: tuple[tuple[Level, str, tuple[str, ...]], ...] = (
    (
        Level.BRONZE,
        "keeps the contract",
        (
            "test_implements_the_contract",
            "test_no_name_is_nearly_one_of_the_contract",
            "test_says_all_that_the_suite_needs",
            "test_does_no_io",
            "test_reads_neither_clock_nor_files_nor_chance",
            "test_keeps_nothing_between_calls",
        ),
    ),
    (
        Level.BRONZE,
        "guards its account",
        (
            "test_settings_refuse_addresses_without_https",
            "test_secrets_are_settings_of_type_secret",
            "test_calls_go_where_the_settings_say",
            "test_credentials_travel_dark",
            "test_results_of_the_test_mode_say_so",
        ),
    ),
    (
        Level.BRONZE,
        "opens and reports",
        (
            "test_opens_a_flow",
            "test_what_was_opened_goes_through_json",
            "test_not_finished_is_undecided",
            "test_good_evidence_approves",
            "test_bad_evidence_declines",
            "test_a_reference_is_enough_to_go_on",
            "test_status_and_result_agree",
            "test_a_link_to_a_foreign_host_is_not_handed_on",
            "test_results_go_through_json",
            "test_results_speak_the_vocabulary",
            "test_what_is_told_of_a_person_is_kept_exactly_or_not_at_all",
            "test_a_name_goes_out_whole_or_not_at_all",
            "test_an_id_stays_one_segment",
        ),
    ),
    (
        Level.BRONZE,
        "maps errors",
        (
            "test_documented_errors",
            "test_any_status_is_a_model_or_an_error",
            "test_a_page_on_the_way_ends_nothing_and_proves_no_key",
            "test_errors_are_read_whatever_the_body_is",
            "test_a_refused_call_is_an_error",
            "test_a_success_without_an_answer_is_an_error",
            "test_a_flow_that_the_vendor_does_not_know_is_an_error",
        ),
    ),
    (
        Level.BRONZE,
        "approves nothing that it does not understand",
        (
            "test_unknown_words_never_approve",
            "test_an_approval_rests_on_checks",
            "test_what_tells_good_from_bad_is_needed",
            "test_bad_evidence_stays_bad",
            "test_dates_that_cannot_be_read_never_approve",
            "test_scores_that_cannot_be_read_never_approve",
            "test_a_document_that_has_ended_never_approves",
            "test_the_worse_of_two_tellings_counts",
            "test_scores_and_dates_are_the_right_way_round",
        ),
    ),
    (
        Level.BRONZE,
        "takes nothing that is about somebody else",
        (
            "test_an_answer_about_somebody_else_never_approves",
            "test_an_answer_that_names_another_person_never_approves",
            "test_an_opening_that_names_somebody_else_is_not_taken",
            "test_the_same_order_again_is_one_flow_or_an_advice",
            "test_an_opening_is_made_once",
        ),
    ),
    (
        Level.SILVER,
        "uploads",
        ("test_uploads_are_answered_one_by_one", "test_submitting_says_how_far_it_is"),
    ),
    (Level.SILVER, "renews links", ("test_links_can_be_renewed",)),
    (Level.SILVER, "provisions templates", ("test_provisioning_twice_leaves_one",)),
    (
        Level.SILVER,
        "tries credentials, renews tokens",
        (
            "test_a_token_is_fetched_once_and_renewed",
            "test_credentials_can_be_tried",
            "test_credentials_that_are_wrong_are_refused",
        ),
    ),
    (Level.SILVER, "cancels", ("test_cancelling_twice_is_cancelling_once",)),
    (Level.SILVER, "reads what a reviewer decides", ("test_a_reviewers_decision_is_read",)),
    (Level.SILVER, "erases", ("test_erasing_twice_is_erasing_once",)),
    (
        Level.SILVER,
        "gives out media",
        ("test_media_arrive_whole", "test_media_of_somebody_else_are_not_given_out"),
    ),
    (Level.SILVER, "makes another attempt", ("test_another_attempt_has_its_own_reference",)),
    (Level.SILVER, "simulates outcomes", ("test_simulations_end_as_they_say",)),
    (Level.SILVER, "tells its coverage", ("test_coverage_is_no_less_than_what_results_hold",)),
    (
        Level.SILVER,
        "webhooks are proved",
        (
            "test_webhooks_are_proved_bounded_and_known_again",
            "test_signatures_are_over_the_body_and_the_time",
            "test_webhook_secrets_can_be_rotated",
        ),
    ),
    (
        Level.SILVER,
        "shows nothing secret",
        (
            "test_nothing_secret_shows",
            "test_no_error_names_the_person",
            "test_what_is_kept_of_a_result_opens_nothing",
        ),
    ),
    (
        Level.GOLD,
        "withstands any answer",
        (
            "test_any_json_is_a_model_or_an_error",
            "test_any_bytes_are_a_model_or_an_error",
            "test_any_webhook_is_read_or_refused",
        ),
    ),
)
_RECOVERY = (
    "test_an_opening_without_an_answer_is_cleared_up",
    "test_recover_takes_no_flow_of_another_application",
    "test_recover_takes_no_flow_from_before",
    "test_recover_takes_no_flow_that_has_ended",
    "test_recover_finds_its_flow_among_many",
)
_RECOVERS = "clears up an opening that was never answered"
_ERROR_TABLE = "has the whole error table"
_CAPABILITIES = "says what its results can hold"
_FAULTS = "withstands faults"
_SDK_CHECK = "emulator judged by an independent client"
_PAGE = "its page says what is covered and what is assumed"
_MODULE = """
import pytest
from idv_core.testing.conformance import PluginConformance
from idv_core.testing.levels import harness_of
from idv_core.testing.clock import FakeClock

class TestPlugin(PluginConformance):
    @pytest.fixture
    def harness(self):
        return harness_of({name!r}, FakeClock())
"""


def harness_of(name: str, clock: FakeClock) -> Harness:
    """The harness that an installed plugin names. Raises PluginError if it names none."""
    plugin = discover().plugin(name)
    if plugin.harness is None:
        raise _no_harness(name)
    module, _, function = plugin.harness.partition(":")
    made: Harness = getattr(importlib.import_module(module), function)(clock)
    return made


def _no_harness(name: str) -> PluginError:
    module = f"idv_{name.replace('-', '_')}"
    return PluginError(
        f"plugin {name!r} has no harness: name one in Plugin(harness='{module}.testing.harness:harness')"
    )


def check_plugin(name: str) -> Report:
    """Grade an installed plugin: run the suite, look at its harness, break its calls. Takes about a minute.

    Every point is graded whatever else is broken: one that crashes is not met and says why. Raises PluginError where
    there is no such plugin, or where it names no harness.
    """
    found = discover()
    plugin = found.plugin(name)
    if plugin.harness is None:
        raise _no_harness(name)
    outcomes = _run_suite(name)

    def harness() -> Harness:
        return harness_of(name, FakeClock())

    def adapter(harness: Harness) -> Any:
        return plugin.create(_settings(plugin, harness))

    grades = [_by_tests(level, point, tests, outcomes) for level, point, tests in _BY_TESTS]
    grades += [
        _graded(Level.SILVER, _RECOVERS, lambda: _recovery(made := harness(), adapter(made), outcomes)),
        _graded(Level.SILVER, _ERROR_TABLE, lambda: _error_table(harness())),
        _graded(Level.SILVER, _CAPABILITIES, lambda: _result_capabilities(adapter(harness()), outcomes)),
        _graded(Level.GOLD, _FAULTS, lambda: _faults(name)),
        _graded(Level.GOLD, _SDK_CHECK, lambda: _sdk_check(harness())),
        _graded(Level.GOLD, _PAGE, lambda: _page(found.found[name])),
    ]
    order = list(Level)
    return Report(plugin=name, grades=sorted(grades, key=lambda grade: order.index(grade.level)))


def _graded(level: Level, point: str, grade: Callable[[], Grade]) -> Grade:
    """The grade, or that it crashed and where."""
    try:
        return grade()
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"it crashed: {type(error).__name__}: {error}"[:160]
        return Grade(
            level=level, point=point, met=False, detail=f"{what} (at {Path(place.filename).name}:{place.lineno})"
        )


def _settings(plugin: Plugin, harness: Harness) -> Any:
    from ..config.problems import Problems
    from ..config.settings import SettingsReader

    return SettingsReader(Problems()).read(plugin.settings, harness.settings, ("settings",))


class _Outcomes:
    """What became of each test of the suite: its name, and the first line of what went wrong."""

    def __init__(self) -> None:
        self.passed: dict[str, int] = {}
        self.failed: dict[str, str] = {}
        self.skipped: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2].partition("[")[0]
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.failed.setdefault(name, crash.message.splitlines()[0][:160] if crash else "it crashed")
        elif report.skipped and isinstance(report.longrepr, tuple):
            self.skipped[name] = str(report.longrepr[2]).removeprefix("Skipped: ")
        elif report.when == "call" and report.passed:
            self.passed[name] = self.passed.get(name, 0) + 1


def _run_suite(name: str) -> _Outcomes:
    outcomes = _Outcomes()
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        module = Path(place) / f"test_{name.replace('-', '_')}_conformance.py"
        module.write_text(_MODULE.format(name=name), encoding="utf-8")
        without = [f"-pno:{name}" for name in ("cacheprovider", "randomly", "xdist", "asyncio")]
        pytest.main(["-q", *without, "-c", os.devnull, "--rootdir", place, str(module)], plugins=[outcomes])
    return outcomes


def _by_tests(level: Level, point: str, tests: Iterable[str], outcomes: _Outcomes) -> Grade:
    for test in tests:
        if test in outcomes.failed:
            return Grade(level=level, point=point, met=False, detail=f"{test}: {outcomes.failed[test]}")
        if test not in outcomes.passed and test not in outcomes.skipped:
            return Grade(level=level, point=point, met=False, detail=f"{test} did not run")
    count = sum(outcomes.passed.get(test, 0) for test in tests)
    skipped = [outcomes.skipped[test] for test in tests if test not in outcomes.passed]
    told = [f"{count} tests passed"] * bool(count) + list(dict.fromkeys(skipped))
    return Grade(level=level, point=point, met=bool(count), offered=bool(count), detail="; ".join(told))


def _recovery(harness: Harness, adapter: Any, outcomes: _Outcomes) -> Grade:
    point = _RECOVERS
    if isinstance(adapter, RecoverProtocol):
        return _by_tests(Level.SILVER, point, _RECOVERY, outcomes)
    why = harness.no_recovery
    detail = (
        f"the vendor has no way: {why}" if why else "write recover(), or say in Harness.no_recovery why there is no way"
    )
    return Grade(level=Level.SILVER, point=point, met=bool(why), detail=detail)


def _error_table(harness: Harness) -> Grade:
    told = {documented.error for documented in harness.errors if documented.operation == "open"}
    missing = [error.__name__ for error in USUAL.values() if error not in told]
    detail = (
        f"Harness.errors lacks, for open: {', '.join(missing)}"
        if missing
        else f"{len(harness.errors)} documented errors"
    )
    return Grade(level=Level.SILVER, point=_ERROR_TABLE, met=not missing, detail=detail)


def _result_capabilities(adapter: Any, outcomes: _Outcomes) -> Grade:
    point = _CAPABILITIES
    if not isinstance(adapter, ResultCapabilitiesProtocol):
        return Grade(
            level=Level.SILVER, point=point, met=False, detail="give the adapter an attribute result_capabilities"
        )
    return _by_tests(Level.SILVER, point, ("test_results_hold_what_the_adapter_says_they_can",), outcomes)


def _faults(name: str) -> Grade:
    point = _FAULTS
    harness = harness_of(name, RunningClock())
    if harness.opened is None:
        return Grade(
            level=Level.GOLD, point=point, met=False, detail="give Harness.opened: flows that there are for an order"
        )
    log = logging.getLogger("idv_core")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        cells = list(FaultMatrix(harness).run(first_calls=True))
    except AssertionError as error:
        return Grade(level=Level.GOLD, point=point, met=False, detail=f"the matrix cannot begin: {str(error)[:160]}")
    finally:
        log.setLevel(before)
    twice = sum(cell.opened_twice for cell in cells)
    wrong = sum(cell.wrongly_approved for cell in cells)
    detail = f"{len(cells)} cells, opened twice {twice}, wrong approvals {wrong}"
    return Grade(level=Level.GOLD, point=point, met=not twice and not wrong, detail=detail)


def _sdk_check(harness: Harness) -> Grade:
    point = _SDK_CHECK
    if harness.sdk_check is None:
        detail = "give Harness.sdk_check: the vendor's own client drives the emulator"
        return Grade(level=Level.GOLD, point=point, met=False, detail=detail)
    try:
        return Grade(level=Level.GOLD, point=point, met=True, detail=harness.sdk_check())
    except ModuleNotFoundError as error:
        return Grade(level=Level.GOLD, point=point, met=False, detail=f"install {error.name} to be judged by it")
    except AssertionError as error:
        return Grade(level=Level.GOLD, point=point, met=False, detail=f"the check says: {str(error)[:160]}")


def _page(found: Found) -> Grade:
    point = _PAGE
    about: Any = metadata.metadata(found.distribution) if found.version else {}
    readme = str(about.get("Description") or (about.get_payload() if found.version else ""))
    heads = [line for line in readme.splitlines() if line.startswith("|") and "covered" in line]
    met = bool(heads) and "assumed" in readme
    detail = (
        "its README has the table"
        if met
        else "give the README a table with a column 'covered', and name what is assumed"
    )
    return Grade(level=Level.GOLD, point=point, met=met, detail=detail)


def as_page(reports: Iterable[Report]) -> str:
    """A page of the docs: each plugin's level, and the evidence for every point."""
    reports = list(reports)
    points = [grade.point for grade in reports[0].grades] if reports else []
    heads = "| level | point | " + " | ".join(report.plugin for report in reports) + " |"
    lines = [heads, "|---" * (2 + len(reports)) + "|"]
    lines.append("| | **level** | " + " | ".join(f"**{report.level}**" for report in reports) + " |")
    for index, point in enumerate(points):
        cells = [_told(report.grades[index]) for report in reports]
        lines.append(f"| {reports[0].grades[index].level} | {point} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _told(grade: Grade) -> str:
    if not grade.offered:
        return grade.detail
    return f"yes: {grade.detail}" if grade.met else f"**no**: {grade.detail}"
