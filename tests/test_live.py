"""`nox -s live`, tried where there is no vendor: against the emulators."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from levels import with_rows

from idv_core import Secret
from idv_core.registry import discover
from idv_core.testing import DirectTransport, EmulatedRequest, EmulatedResponse, FakeVendor, vendor_named, vendor_names
from idv_core.testing.emulated_vendor import EmulatedVendor
from idv_core.testing.fake_emulator import FakeEmulator, decide
from idv_core.testing.live import FAILED, PASSED, SKIPPED, Run, Step, main, record, run_live, variable

NAMES = [name for name in vendor_names() if name != "fake"]
PAGE = (Path(__file__).parent.parent / "docs" / "live.md").read_text()


def environment_of(vendor: EmulatedVendor, **more: str) -> dict[str, str]:
    """The account's settings, as somebody would export them."""
    told = {variable(vendor.name, name): as_text(value) for name, value in vendor.harness.settings.items()}
    return {
        **told,
        variable(vendor.name, "is_sandbox"): "yes",
        "IDV_LIVE_COUNTRY": vendor.applicant.country or "CO",
        **more,
    }


def as_text(value: Any) -> str:
    if isinstance(value, tuple):
        value = value[0]
    if isinstance(value, Secret):
        return value.reveal()
    return value if isinstance(value, str) else json.dumps(value)


def run(vendor: EmulatedVendor, environment: dict[str, str]) -> Run:
    wiring = {name: vendor.wiring[name] for name in ("transport", "clock", "registry")}
    return run_live(vendor.name, environment, **wiring)


@pytest.mark.parametrize("name", NAMES)
def test_the_life_of_a_verification_passes_at_every_emulator(name: str) -> None:
    done = run(vendor := vendor_named(name), environment_of(vendor))
    assert done.outcome == PASSED, str(done)
    assert len(done.steps) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_without_a_key_it_skips_and_says_what_is_missing(name: str) -> None:
    done = run_live(name, {})
    assert done.outcome == SKIPPED
    assert f"IDV_LIVE_{name.upper()}_" in str(done)


def test_a_live_key_is_refused() -> None:
    vendor = vendor_named("stripe")
    environment = environment_of(vendor) | {
        "IDV_LIVE_STRIPE_API_KEY": "sk_live_emulated",
        "IDV_LIVE_STRIPE_IS_SANDBOX": "",
    }
    done = run(vendor, environment)
    assert (done.outcome, vendor.emulator.calls) == (SKIPPED, [])
    assert "live mode" in done.why
    assert "sk_live" not in str(done)


def test_a_wrong_key_fails_and_is_not_shown() -> None:
    vendor = vendor_named("stripe")
    done = run(vendor, environment_of(vendor, IDV_LIVE_STRIPE_API_KEY="sk_test_wrong4711"))
    assert done.outcome == FAILED
    assert "AuthenticationFailed" in str(done) or "401" in str(done)
    assert "wrong4711" not in str(done)


def test_settings_that_do_not_fit_are_said() -> None:
    vendor = vendor_named("stripe")
    done = run(vendor, environment_of(vendor, IDV_LIVE_STRIPE_TOLERANCE="soon"))
    assert done.outcome == FAILED
    assert "tolerance" in done.why


class Hasty(FakeEmulator):
    """Has decided before anybody looked."""

    def _open(self, call: EmulatedRequest) -> EmulatedResponse:
        reply = super()._open(call)
        decide(self, reply.data["id"], "approved")
        return reply


def test_a_vendor_that_approves_without_having_looked_fails() -> None:
    vendor = FakeVendor()
    transport = DirectTransport({"vendor.example": Hasty(vendor.clock)})
    done = run_live(
        "fake", environment_of(vendor), registry=vendor.wiring["registry"], clock=vendor.clock, transport=transport
    )
    assert done.outcome == FAILED
    assert Step("nothing is decided yet", False, "it is not so") in done.steps


def test_what_passed_is_written_to_the_page() -> None:
    done = Run(vendor="stripe", outcome=PASSED, steps=(Step("a", True),), host="api.stripe.com", version="0.1.0")
    page = record(PAGE, done, date(2026, 11, 30))
    assert "| stripe | 2026-11-30 | 0.1.0 | api.stripe.com | 1 of 1 |" in page
    assert page.count("never") == PAGE.count("never") - ("| stripe | never" in PAGE)


def test_the_page_has_a_row_for_every_vendor() -> None:
    for name in discover().found:
        assert f"\n| {name} |" in PAGE, "run `nox -s levels`"


def test_a_new_vendor_gets_its_row() -> None:
    page = with_rows(PAGE, ["stripe", "acme"])
    assert page.removeprefix(PAGE) == "| acme | never | | | |\n"
    assert with_rows(page, ["acme"]) == page


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "live.md"
    page.write_text(PAGE)
    assert main(["stripe", f"--record={page}"], {"IDV_LIVE_ENV": "IDV_LIVE_STRIPE_API_KEY=sk_live_x\nnonsense"}) == 0
    assert "stripe: skipped: the key is of the live mode" in capsys.readouterr().out
    assert page.read_text() == PAGE
    assert main([], {}) == 0
    assert capsys.readouterr().out.count("skipped") == len(discover().found)


@pytest.mark.parametrize(
    "page", sorted(Path(__file__).parent.parent.joinpath("docs", "vendors").glob("*.md")), ids=lambda page: page.stem
)
def test_a_vendors_page_leads_to_its_line(page: Path) -> None:
    assert "](../live.md)" in page.read_text()
    assert f"\n| {page.stem} | " in PAGE
