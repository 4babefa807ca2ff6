"""Grades every plugin and writes docs/levels.md, docs/coverage.md and new rows of docs/live.md (`nox -s levels`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import coverage_page

from idv_core.registry import discover
from idv_core.testing.levels import as_page, check_plugin

PAGE = Path(__file__).parent.parent / "docs" / "levels.md"
LIVE = PAGE.with_name("live.md")
HEAD = """# Levels

Written by `nox -s levels`, which runs `idv plugin check` for every plugin.
A level is reached when all its points are met, and all those below.
Atlas is graded in its family `verification`; the other families have the same suite in its tests.

"""


def with_rows(page: str, vendors: Iterable[str]) -> str:
    """The page of live runs with a row for each vendor; it ends with its table."""
    missing = [vendor for vendor in vendors if f"\n| {vendor} |" not in page]
    return page + "".join(f"| {vendor} | never | | | |\n" for vendor in missing)


if __name__ == "__main__":
    LIVE.write_text(with_rows(LIVE.read_text(encoding="utf-8"), sorted(discover().found)), encoding="utf-8")
    coverage_page.PAGE.write_text(coverage_page.as_page(), encoding="utf-8")
    reports = [check_plugin(name) for name in sorted(discover().found)]
    PAGE.write_text(HEAD + as_page(reports) + "\n", encoding="utf-8")
    for report in reports:
        print(f"{report.plugin}: {report.level}")
