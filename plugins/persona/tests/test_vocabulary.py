"""Persona's words beside ours: an approved result gives the claims, and the docs print the same tables."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from idv_persona import words
from idv_persona.testing.harness import MEERA

from idv_core.model import Check, DocumentType
from idv_core.testing.harness import Driver, Harness

DOCS = Path(__file__).parents[3] / "docs" / "vendors" / "persona.md"


def approved(harness: Harness) -> Any:
    idv = Driver(harness, "sync")
    return idv.gateway.wait(harness.finish(idv, idv.gateway.open(harness.order)))


def test_an_approved_result_of_the_emulator_gives_the_claims(harness: Harness) -> None:
    result = approved(harness)
    assert result.approved
    claims = result.claims
    assert (claims.name.value, claims.birthdate.value) == (MEERA.name, MEERA.birthdate)
    assert (claims.document_number.value, claims.date_of_expiry.value) == ("X00000001", date(2034, 5, 31))
    assert [document.type for document in result.documents] == [DocumentType.PASSPORT]
    assert [check.label for check in result.checks] == [
        "document",
        "document.supported",
        "document.authenticity",
        "document.validity",
        "document.image_quality",
        "liveness",
        "liveness.presentation_attack",
        "face_match.selfie_to_document",
    ]


def test_every_name_is_one_of_the_vocabulary() -> None:
    for kind, name in (*words.VERIFICATIONS.values(), *words.CHECKS.values()):
        Check(kind=kind, name=name)
    for name in words.REPORTS.values():
        Check(kind="screening", name=name)
    assert {name for _, name in words.CHECKS.values()} >= words.FORGERY


class TestDocs:
    """The tables of docs/vendors/persona.md are those of the code."""

    ROWS = frozenset(line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("|"))

    def test_every_class_is_printed(self) -> None:
        for word, ours in words.ID_CLASSES.items():
            assert any(row.startswith(f"| `{ours.value}` |") and f"`{word}`" in row for row in self.ROWS), word

    def test_every_field_is_printed(self) -> None:
        for key, name in (*words.CLAIMS.items(), *words.REGISTER_CLAIMS.items()):
            assert f"| `{key}` | `{name.value}` |" in self.ROWS
        for key, member in words.ADDRESS.items():
            assert f"| `{key}` | `address`: `{member}` |" in self.ROWS

    def test_every_check_is_printed(self) -> None:
        for word, (kind, name) in (*words.VERIFICATIONS.items(), *words.CHECKS.items()):
            assert f"| `{Check(kind=kind, name=name).label}` | `{word}` |" in self.ROWS
        for word, name in words.REPORTS.items():
            assert f"| `screening.{name}` | `{word}` |" in self.ROWS
