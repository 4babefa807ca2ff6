"""Onfido's words beside ours: an approved result gives the claims, what is sent, and that the docs print the same tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from idv_onfido import applicants, mapping
from idv_onfido.checks import _sent_type
from idv_onfido.testing.emulator import OnfidoEmulator
from idv_onfido.testing.harness import ANA, checks, workflows

from idv_core import CheckKind, Document
from idv_core.errors import InvalidOrder
from idv_core.model import DocumentType
from idv_core.testing import FakeClock, Network
from idv_core.testing.harness import Driver, Harness

DOCS = Path(__file__).parents[3] / "docs" / "vendors" / "onfido.md"


@pytest.fixture(params=[workflows, checks], ids=["workflows", "checks"])
def harness(
    request: pytest.FixtureRequest,
    clock: FakeClock,
    network: Network,
    emulator: OnfidoEmulator,
    settings: dict[str, object],
) -> Harness:
    make: Callable[..., Harness] = request.param
    return make(clock, network, emulator, settings)


def approved(harness: Harness) -> Any:
    idv = Driver(harness, "sync")
    return idv.gateway.wait(harness.finish(idv, idv.gateway.open(harness.order)))


def test_an_approved_result_of_the_emulator_gives_the_claims(harness: Harness) -> None:
    result = approved(harness)
    assert result.approved
    claims = result.claims
    assert (claims.name.value, claims.birthdate.value) == (ANA.name, ANA.birthdate)
    assert (claims.document_number.value, claims.date_of_expiry.value) == ("X00000003", date(2034, 5, 31))
    assert [document.type for document in result.documents] == [DocumentType.PASSPORT]
    assert (CheckKind.LIVENESS, "presentation_attack") in [(check.kind, check.name) for check in result.checks]


def test_what_is_sent_comes_back_as_the_same_type() -> None:
    for type_, word in mapping.SENT_TYPES.items():
        assert mapping.DOCUMENT_TYPES[word] is type_
        assert _sent_type(Document("d", content=b"", type=type_.value)) == word
    assert _sent_type(Document("d", content=b"")) == "unknown"


def test_a_type_that_onfido_has_no_word_for_is_refused_and_the_way_out_is_told() -> None:
    with pytest.raises(InvalidOrder, match="leave type out or give driving_permit, idcard, passport") as caught:
        _sent_type(Document("d", content=b"", type="invoice"))
    assert caught.value.fields == ("documents",)


class TestDocs:
    """The tables of docs/vendors/onfido.md are those of the code."""

    ROWS = frozenset(line for line in DOCS.read_text().splitlines() if line.startswith("|"))

    def test_every_document_type_is_printed(self) -> None:
        for word, ours in mapping.DOCUMENT_TYPES.items():
            row = next(row for row in self.ROWS if row.startswith(f"| `{ours.value}` |"))
            assert f"`{word}`" in row
            assert row.endswith(f"| `{mapping.SENT_TYPES[ours]}` |")

    def test_every_type_of_number_is_printed(self) -> None:
        for types in (applicants._NUMBER_TYPES, applicants._NATIONAL_NUMBERS):
            words = ", ".join(f"`{word}`" for word in types.values())
            assert any(row.endswith(f"| `id_numbers`: {words} |") for row in self.ROWS)

    def test_every_field_is_printed(self) -> None:
        names = {**mapping._CLAIMS, **{f"document_numbers: {key}": name for key, name in mapping._NUMBERS.items()}}
        for key, name in names.items():
            assert f"| `{key}` | `{name.value}` |" in self.ROWS
        for theirs, ours in mapping._ADDRESS_LINES.items():
            assert f"| `address_lines.{theirs}` | `address`: `{ours}` |" in self.ROWS

    def test_every_check_is_printed(self) -> None:
        for report, (kind, name) in mapping._KINDS.items():
            row = f"| `{kind.value}.{name}` |"
            assert any(one.startswith(row) and f"`{report}`" in one for one in self.ROWS), report
        for part, kind, name, _ in mapping._FACE_PARTS:
            assert any(one.startswith(f"| `{kind.value}.{name}` |") and f"`{part}`" in one for one in self.ROWS)
