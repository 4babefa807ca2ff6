"""The tables of docs/vendors/verifik.md are those of the code."""

from __future__ import annotations

from pathlib import Path

from idv_verifik import documents

from idv_core.plugin.dates import plain_name

PAGE = (Path(__file__).parents[3] / "docs" / "vendors" / "verifik.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """Our word, and the cells beside it."""
    lines = PAGE.split(f"## {heading}\n")[1].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {ours.strip("`"): rest for ours, *rest in cells}


def words(cell: str) -> set[str]:
    return {plain_name(word) for word in cell.split("`")[1::2]}


def test_every_type_of_a_document_is_printed() -> None:
    printed = {(word, ours) for ours, (theirs, _) in rows("Types of documents").items() for word in words(theirs)}
    assert printed == {(word, ours.value) for word, ours in documents._TYPES.items()}
    sent = {ours: category.strip("`") for ours, (_, category) in rows("Types of documents").items() if "`" in category}
    assert sent == {ours.value: category for ours, category in documents.SENT_CATEGORIES.items()}


def test_every_field_is_printed() -> None:
    printed = {(word, ours) for ours, (theirs,) in rows("Fields").items() for word in words(theirs)}
    assert printed == {(word, ours.value) for word, ours in documents._NAMES.items()}
