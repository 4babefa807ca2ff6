"""docs/coverage.md says what the plugins say."""

from __future__ import annotations

import coverage_page


def test_the_page_is_what_the_plugins_offer() -> None:
    assert coverage_page.PAGE.read_text(encoding="utf-8") == coverage_page.as_page(), "run `nox -s levels`"
