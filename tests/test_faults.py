"""The fault matrix: whatever goes wrong at the vendor or on the way, nothing is opened twice and nobody approved wrongly."""

from __future__ import annotations

import os

import pytest
from harnesses import HARNESSES

from idv_core.config.problems import Problems
from idv_core.config.settings import SettingsReader
from idv_core.testing.clock import RunningClock
from idv_core.testing.faults import FAULTS, Cell, FaultMatrix, as_table
from idv_core.transports.fast import FastTransport

KNOWN = {
    "ok",
    "AuthenticationFailed",
    "DeadlineExceeded",
    "DuplicateFlow",
    "FlowNotFound",
    "InvalidOrder",
    "OutcomeUnknown",
    "PermissionDenied",
    "UnexpectedResponse",
    "VendorUnavailable",
}


# Vendors at which the first call of an opening only looks whether there is a flow already.
LOOKS_FIRST = {"onfido", "persona", "plaid", "stripe"}


def check(cells: list[Cell], least: int, vendor: str) -> None:
    assert len(cells) >= least
    assert [cell for cell in cells if cell.opened_twice] == []
    assert [cell for cell in cells if cell.wrongly_approved] == []
    assert {cell.outcome for cell in cells} <= KNOWN
    outcomes = {(cell.operation, cell.fault): cell.outcome for cell in cells if cell.call == 1}
    for lost in ("reset after", "time-out after", "truncated", "200 HTML", "204", "huge", "bomb", "500", "503"):
        again = {"ok", "UnexpectedResponse", "VendorUnavailable"} if vendor in LOOKS_FIRST else {"OutcomeUnknown"}
        assert outcomes["open", lost] in again, lost
    assert outcomes["open", "refused"] == outcomes["result", "refused"] == "VendorUnavailable"
    for passing in ("reset before", "reset after", "time-out after", "429", "429 wait", "500", "503"):
        assert outcomes["result", passing] == "ok", f"{passing} passes by itself"
    for mended in ("clock +10 min", "clock -10 min"):
        assert outcomes["open", mended] == outcomes["result", mended] == "ok", mended
    assert outcomes["open", "403"] == outcomes["result", "403"] == "PermissionDenied"


# The first Python of nox does every call; the others the first call of every operation.
THOROUGH = os.environ.get("IDV_THOROUGH", "1") == "1"


@pytest.mark.parametrize(
    ("vendor", "least"),
    [
        ("atlas", 110),
        ("atlas-onboarding", 170),
        ("onfido", 110),
        ("onfido-checks", 140),
        ("persona", 140),
        ("stripe", 140),
        ("verifik", 200),
        ("verigram", 80),
    ],
)
def test_every_call_of_every_operation(vendor: str, least: int) -> None:
    cells = list(FaultMatrix(HARNESSES[vendor](RunningClock())).run(first_calls=not THOROUGH))
    check(cells, 540 if vendor == "verifik" and THOROUGH else least, vendor)


@pytest.mark.parametrize("vendor", [pytest.param("atlas", marks=pytest.mark.long), "verigram"])
def test_the_first_call_of_every_operation_with_the_quick_transport(vendor: str) -> None:
    matrix = FaultMatrix(HARNESSES[vendor](RunningClock()), transport=FastTransport)
    check(list(matrix.run(first_calls=True)), 70, vendor)


@pytest.mark.long
@pytest.mark.parametrize("transport", [None, FastTransport], ids=["default", "fast"])
@pytest.mark.parametrize("vendor", ["atlas", "onfido", "persona", "stripe", "verifik", "verigram"])
def test_the_first_call_of_every_operation_with_tasks(vendor: str, transport: type[FastTransport] | None) -> None:
    wire = tuple(fault for fault in FAULTS if fault.wire != "drip")
    matrix = FaultMatrix(HARNESSES[vendor](RunningClock()), kind="async", transport=transport)
    check(list(matrix.run(wire, first_calls=True)), 70, vendor)


def test_a_double_opening_would_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """The matrix itself is tested: an engine that repeats whatever it likes opens twice, and the count says so."""
    harness = HARNESSES["verigram"](RunningClock())
    plugin_open = type(harness.plugin.create(_settings(harness))).open_flow

    def careless(self: object, order: object):
        exchange = plugin_open(self, order)  # type: ignore[arg-type]
        request = next(exchange)
        import attrs

        reply = yield attrs.evolve(request, idempotent=True)
        try:
            exchange.send(reply)
        except StopIteration as stop:
            return stop.value

    adapter = type(harness.plugin.create(_settings(harness)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "open_flow", careless)
        faults = tuple(fault for fault in FAULTS if fault.name in ("reset after", "time-out after", "403"))
        cells = list(FaultMatrix(harness).run(faults, first_calls=True))
    twice = {cell.fault for cell in cells if cell.operation == "open" and cell.opened_twice}
    assert twice == {"reset after", "time-out after"}


def test_the_table_shows_every_cell() -> None:
    cells = [
        Cell(operation="open", call=1, fault="500", outcome="OutcomeUnknown", opened_twice=0, wrongly_approved=0),
        Cell(operation="open", call=2, fault="500", outcome="ok", opened_twice=0, wrongly_approved=0),
        Cell(operation="open", call=1, fault="503", outcome="VendorUnavailable", opened_twice=0, wrongly_approved=0),
    ]
    assert as_table(cells).splitlines() == ["     open 1  open 2", "500  OU      ok", "503  VU"]


def _settings(harness: object):
    return SettingsReader(Problems()).read(harness.plugin.settings, harness.settings, ())  # type: ignore[attr-defined]
