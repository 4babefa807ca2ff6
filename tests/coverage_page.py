"""What each vendor can do, as a page: docs/coverage.md. Written from the plugins by `nox -s levels`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harnesses import HARNESSES

from idv_core.model import Coverage
from idv_core.plugin.protocols import CAPABILITIES, CoverageProtocol, KeyModeProtocol, capabilities
from idv_core.testing import FakeClock
from idv_core.testing.harness import Driver, Harness

PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"
HEAD = """# Coverage

What each plugin offers, written by `nox -s levels` from the plugins themselves; a test holds the page to them.
Document types, countries and checks are what the vendor documents for the account of the emulator; `gateway.coverage()` and `idv coverage` tell it for yours.
"all" means that the vendor names no bound.

"""
ALWAYS = {"flow", "result"}


def capability_table(names: list[str]) -> list[str]:
    rows = [f"| capability | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    offered = {name: set(capabilities(adapter_of(HARNESSES[name](FakeClock())))) for name in names}
    for capability in CAPABILITIES:
        if capability not in ALWAYS:
            cells = ("yes" if capability in offered[name] else "-" for name in names)
            rows.append(f"| {capability} | {' | '.join(cells)} |")
    return rows


def coverage_table(names: list[str]) -> list[str]:
    rows = ["| vendor | document types | countries | checks | templates |", "|---|---|---|---|---|"]
    for name in names:
        driver = Driver(HARNESSES[name](FakeClock()), "sync")
        if not isinstance(driver.adapter, CoverageProtocol):
            rows.append(f"| {name} | not documented | not documented | not documented | - |")
            continue
        known: Coverage = driver.gateway.coverage()
        driver.close()
        countries = "all" if known.countries is None else _some(known.countries)
        templates = "by the order" if known.templates else "-"
        rows.append(f"| {name} | {_all(known.document_types)} | {countries} | {_all(known.checks)} | {templates} |")
    return rows


def proof_table(names: list[str]) -> list[str]:
    rows = ["| vendor | an `open` without an answer | test mode is told by | emulator judged by |", "|---|---|---|---|"]
    for name in names:
        harness = HARNESSES[name](FakeClock())
        adapter = adapter_of(harness)
        recovery = "`recover`" if "recover" in capabilities(adapter) else harness.no_recovery or "nothing is called"
        mode = "its key" if isinstance(adapter, KeyModeProtocol) else "`test = true` alone"
        judge = "an independent client or document" if harness.sdk_check is not None else "nobody"
        rows.append(f"| {name} | {recovery} | {mode} | {judge} |")
    return rows


def adapter_of(harness: Harness) -> object:
    return Driver(harness, "sync").adapter


def _all(words: Iterable[str] | None) -> str:
    return "all" if words is None else ", ".join(f"`{word}`" for word in sorted(words)) or "-"


def _some(countries: frozenset[str]) -> str:
    named = ", ".join(sorted(countries)[:8])
    return named if len(countries) <= 8 else f"{len(countries)}: {named}, ..."


def as_page() -> str:
    names = sorted(HARNESSES)
    parts = [
        "## Capabilities\n",
        *capability_table(names),
        "\n## What can be verified\n",
        *coverage_table(names),
        "\n## Recovery, test mode, judges\n",
        *proof_table(names),
    ]
    return HEAD + "\n".join(parts) + "\n"
