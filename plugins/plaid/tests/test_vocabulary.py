"""Plaid's words beside ours: an approved result gives the claims, and the docs print the same tables."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from idv_plaid import mapping
from idv_plaid.checks import DOCUMENT, KYC, REGISTERS, RISK, SELFIE, STEPS
from idv_plaid.mapping import read_verification
from idv_plaid.media import CAPTURES, IMAGES
from idv_plaid.person import ID_TYPES
from idv_plaid.testing.harness import MEERA

from idv_core import Flow, FlowStatus
from idv_core.model import DocumentType
from idv_core.model.fields import Address
from idv_core.plugin import decoding, http
from idv_core.testing.harness import Driver, Harness

DOCS = Path(__file__).parents[3] / "docs" / "vendors" / "plaid.md"


def approved(harness: Harness) -> Any:
    idv = Driver(harness, "sync")
    return idv.gateway.wait(harness.finish(idv, idv.gateway.open(harness.order)))


def test_an_approved_result_of_the_emulator_gives_the_claims(harness: Harness) -> None:
    result = approved(harness)
    assert result.approved
    claims = result.claims
    assert (claims.name.value, claims.birthdate.value) == (MEERA.name, MEERA.birthdate)
    assert (claims.document_number.value, claims.date_of_expiry.value) == ("X00000001", date(2034, 5, 31))
    assert claims.address.value == Address(
        street_address="14 Hill Road", locality="Kochi", region="KL", postal_code="682001", country="IN"
    )
    assert [document.type for document in result.documents] == [DocumentType.PASSPORT]
    assert {step.value for step in result.evidence_steps} == {"collection", "validation", "verification"}


def test_what_no_source_confirms_is_no_claim(harness: Harness) -> None:
    """The mail address was given, and nobody has looked whether it is the person's."""
    result = approved(harness)
    assert result.claims.email.value is None
    assert result.claims.phone_number.value is None


def test_of_what_the_applicant_typed_in_only_what_is_confirmed_is_read() -> None:
    user = {
        "name": {"given_name": "Ana", "family_name": "Ruiz"},
        "date_of_birth": "1993-07-21",
        "id_number": {"value": "0001", "type": "us_ssn_last_4"},
        "phone_number": "+573005550101",
        "address": {"street": "1 A St", "street2": "Flat 2", "city": "B", "region": None, "country": "US"},
    }
    parts = ("name", "date_of_birth", "id_number", "phone_number", "address")
    steps = dict.fromkeys(STEPS, "not_applicable") | {"kyc_check": "success"}
    kyc = {"status": "success", **{part: {"summary": "match"} for part in parts}}
    verification: dict[str, Any] = {"status": "success", "steps": steps, "user": user, "kyc_check": kyc}
    result = read_verification(Flow(id="idv_1", status=FlowStatus.OPEN), verification)
    assert result.documents == ()
    assert {field.name.value: field.value for field in result.fields} == {
        "given_name": "Ana",
        "family_name": "Ruiz",
        "birthdate": date(1993, 7, 21),
        "personal_number": "0001",
        "phone_number": "+573005550101",
        "address": Address(street_address="1 A St\nFlat 2", locality="B", country="US"),
    }
    for part in parts:
        kyc[part] = {"summary": "partial_match"}
    assert read_verification(Flow(id="idv_1", status=FlowStatus.OPEN), verification).fields == ()


def test_a_phone_number_that_got_the_code_is_read() -> None:
    steps = dict.fromkeys(STEPS, "not_applicable") | {"verify_sms": "success"}
    sent = [
        {"attempt": 2, "status": "success", "phone_number": "+573005550101"},
        {"attempt": 1, "status": "canceled", "phone_number": "+573005550100"},
    ]
    verification = {"status": "success", "steps": steps, "verify_sms": {"status": "success", "verifications": sent}}
    result = read_verification(Flow(id="idv_1", status=FlowStatus.OPEN), verification)
    assert result.claims.phone_number.value == "+573005550101"


def test_each_answer_is_decoded_once(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def counted(content: bytes) -> Any:
        read.append(content)
        return decoding.decode(content)

    monkeypatch.setattr(http, "decode", counted)
    assert approved(attrs.evolve(harness)).approved
    assert len(read) == len({id(content) for content in read}) > 1


class TestDocs:
    """The tables of docs/vendors/plaid.md are those of the code."""

    ROWS = frozenset(line for line in DOCS.read_text().splitlines() if line.startswith("|"))

    def has(self, beginning: str) -> bool:
        return any(row.startswith(beginning) for row in self.ROWS)

    def test_every_document_type_is_printed(self) -> None:
        for word, ours in mapping.DOCUMENT_TYPES.items():
            assert f"| `{ours.value}` | `{word}` |" in self.ROWS

    def test_every_field_is_printed(self) -> None:
        for key, name in {**mapping.DOCUMENT_FIELDS, **mapping.USER_FIELDS}.items():
            assert self.has(f"| `{key}` | `{name.value}`") or self.has(f"| `{key}."), key
        for key, name in mapping.NAMES.items():
            assert f"| `name.{key}` | `{name.value}` |" in self.ROWS

    def test_every_check_is_printed(self) -> None:
        for step, (kind, name) in STEPS.items():
            label = kind.value if name == "overall" else f"{kind.value}.{name}"
            assert f"| `{label}` | `{step}` |" in self.ROWS
        for row in (*KYC, *REGISTERS, *DOCUMENT, *SELFIE, *RISK):
            printed = next(line for line in self.ROWS if line.startswith(f"| `{row.kind}.{row.name}` | `{row.key}` |"))
            assert [
                word for word in row.words if f"`{word}`" not in printed and row.words[word] != "inconclusive"
            ] == []

    def test_every_kind_of_picture_is_printed(self) -> None:
        for place, kinds in (("images", IMAGES), ("capture", CAPTURES)):
            for key, kind in kinds.items():
                assert f"| `{kind.value}` | `{place}.{key}` |" in self.ROWS

    def test_every_number_is_printed(self) -> None:
        for (type_, country), word in ID_TYPES.items():
            assert self.has(f"| `{type_.value}`, {country} | `{word}`"), word
