"""docs/claims.md: its program reads every vendor's approved result, and its tables have the whole vocabulary."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from harnesses import HARNESSES

from idv_core import CheckKind, Decision, Result
from idv_core.model import DocumentType, FieldName
from idv_core.model.check_names import CHECK_NAMES
from idv_core.testing import FakeClock
from idv_core.testing.harness import Driver
from idv_core.testing.specimens import PEOPLE

PAGE = (Path(__file__).parent.parent / "docs" / "claims.md").read_text()
PROGRAM = PAGE.split("```python\n")[1].partition("```")[0]
ALL = {"name", "birthdate", "document_number", "date_of_expiry"}
# What each vendor's evidence holds: see the table under the program.
GIVEN = {
    "atlas": ALL - {"date_of_expiry"},
    "onfido": ALL,
    "onfido-checks": ALL,
    "persona": ALL,
    "plaid": ALL,
    "stripe": ALL,
    "verifik": ALL - {"date_of_expiry"},
    "verigram": ALL,
}
# Stripe gives the date of birth and numbers to restricted keys only, and only where they are asked for.
# Verigram's results say who it is only by the register's record.
SETTINGS = {"stripe": {"read_sensitive": True}, "verigram": {"read_register": True}}


def approved(vendor: str) -> Result:
    harness = HARNESSES[vendor](FakeClock())
    harness = attrs.evolve(harness, settings={**harness.settings, **SETTINGS.get(vendor, {})})
    idv = Driver(harness, "sync")
    try:
        result: Result = idv.wait(harness.finish(idv, idv.open(harness.order)))
    finally:
        idv.close()
    assert result.decision is Decision.APPROVED
    return result


@pytest.mark.parametrize("vendor", GIVEN)
def test_the_same_lines_read_every_vendors_approved_result(vendor: str) -> None:
    program: dict[str, Any] = {}
    exec(compile(PROGRAM, "docs/claims.md", "exec", dont_inherit=True), program)
    read = program["who"](approved(vendor))
    assert {name for name, value in read.items() if value is not None} == GIVEN[vendor]
    person = next(person for person in PEOPLE.values() if person.name.casefold() == read["name"].casefold())
    assert read["birthdate"] == person.birthdate
    assert isinstance(read["document_number"], str)
    assert read["date_of_expiry"] in (None, date(2034, 5, 31))


def table(heading: str) -> list[str]:
    """The words in the first column."""
    rows = PAGE.split(f"## {heading}\n")[1].partition("\n## ")[0].splitlines()
    return [row.split("`")[1] for row in rows if row.startswith("| `")]


def test_the_page_has_every_field() -> None:
    assert table("Fields") == [name.value for name in FieldName]


def test_the_page_has_every_type_of_document() -> None:
    assert table("Types of documents") == [type_.value for type_ in DocumentType]


def test_the_page_has_every_name_of_a_check() -> None:
    fields = {name.value for name in FieldName}
    for kind in CheckKind:
        own = [name for name in CHECK_NAMES[kind] if name not in fields]
        expected = [f"{kind.value}.{name}" for name in own]
        expected += [f"{kind.value}.FIELD"] if fields & set(CHECK_NAMES[kind]) else []
        shown = [word for word in table("Names of checks") if word.partition(".")[0] == kind.value]
        assert shown == (expected or [kind.value])
