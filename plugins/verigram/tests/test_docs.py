"""The tables of docs/vendors/verigram.md are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest
from idv_verigram import mapping, register

from idv_core.model.check_names import OVERALL

PAGE = (Path(__file__).parents[3] / "docs" / "vendors" / "verigram.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """Our word, and the vendor's words beside it."""
    lines = PAGE.split(f"## {heading}\n")[1].partition("\n## ")[0].splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("| `")]
    return {ours.strip(" `"): theirs.split("`")[1::2] for ours, theirs in cells}


@pytest.mark.parametrize(("place", "table"), [("person", register._PERSON), ("document", register._PAPER)])
def test_every_key_of_the_register_is_printed(place: str, table: dict[str, str]) -> None:
    printed = rows("Fields")
    assert all(f"{place}.{key}" in printed[name] for key, name in table.items())


def test_every_type_of_a_document_is_printed() -> None:
    printed = rows("Types of documents")
    assert {(word, ours) for ours, theirs in printed.items() for word in theirs} == {
        (word, ours.value) for word, ours in register._TYPES
    }


def test_every_service_is_printed() -> None:
    printed = rows("Checks")
    for service, (kind, name) in mapping.SERVICES.items():
        ours = kind.value if name in (OVERALL, "other") else f"{kind.value}.{name}"
        assert service in printed[ours]
