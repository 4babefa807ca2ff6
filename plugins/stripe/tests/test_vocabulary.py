"""Stripe's words beside ours: an approved result gives the claims, and the docs print the same tables."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from idv_stripe import StripeIdentity, StripeSettings, mapping
from idv_stripe.mapping import read_session
from idv_stripe.testing.emulator import StripeEmulator
from idv_stripe.testing.harness import MEERA

from idv_core import Flow, FlowStatus, Secret
from idv_core.model import DocumentType
from idv_core.model.fields import Address
from idv_core.testing.harness import Driver, Harness

DOCS = Path(__file__).parents[3] / "docs" / "vendors" / "stripe.md"


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


@pytest.mark.parametrize(
    ("key", "read_sensitive"), [("sk_test_emulated", False), ("sk_test_emulated", True), ("rk_test_emulated", False)]
)
def test_a_secret_key_or_one_that_does_not_ask_sees_the_name_alone(
    harness: Harness, emulator: StripeEmulator, key: str, read_sensitive: bool
) -> None:
    emulator.api_key = key
    settings = {**harness.settings, "api_key": Secret(key), "read_sensitive": read_sensitive}
    result = approved(attrs.evolve(harness, settings=settings))
    assert result.approved
    assert result.claims.name.value == MEERA.name
    for name in ("birthdate", "document_number", "date_of_expiry"):
        assert result.claims[name].value is None


def test_a_secret_key_that_is_to_read_them_is_a_problem() -> None:
    def problems(key: str, **more: Any) -> list[str]:
        adapter = StripeIdentity(StripeSettings(api_key=Secret(key), **more))
        return [name for name, _ in adapter.problems(webhooks=False)]

    assert problems("sk_test_1", read_sensitive=True) == ["read_sensitive"]
    assert problems("rk_test_1", read_sensitive=True) == problems("sk_test_1") == []


def test_what_was_verified_of_the_person_stands_on_no_document() -> None:
    outputs = {
        "first_name": "Ana",
        "last_name": "Ruiz",
        "dob": {"day": 21, "month": 7, "year": 1993},
        "id_number": "0001",
        "id_number_type": "us_ssn",
        "sex": "[redacted]",
        "email": "ana@example.org",
        "phone": "+573005550101",
        "address": {
            "line1": "1 A St",
            "line2": "Flat 2",
            "city": "B",
            "state": "C",
            "postal_code": "1",
            "country": "US",
        },
    }
    report = {"selfie": {"status": "verified"}}
    session = {"status": "verified", "last_verification_report": report, "verified_outputs": outputs}
    result = read_session(Flow(id="vs_1", status=FlowStatus.OPEN), session)
    assert result.documents == ()
    assert {field.name.value: field.value for field in result.fields} == {
        "given_name": "Ana",
        "family_name": "Ruiz",
        "birthdate": date(1993, 7, 21),
        "personal_number": "0001",
        "gender": None,
        "email": "ana@example.org",
        "phone_number": "+573005550101",
        "address": Address(street_address="1 A St\nFlat 2", locality="B", region="C", postal_code="1", country="US"),
    }
    assert result.claims.name.value == "Ana Ruiz"


class TestDocs:
    """The tables of docs/vendors/stripe.md are those of the code."""

    ROWS = frozenset(line for line in DOCS.read_text().splitlines() if line.startswith("|"))

    def test_every_document_type_is_printed(self) -> None:
        for word, ours in mapping.DOCUMENT_TYPES.items():
            assert f"| `{ours.value}` | `{word}` |" in self.ROWS

    def test_every_field_is_printed(self) -> None:
        for key, name in mapping._CLAIMS.items():
            assert any(row.startswith(f"| `{key}` | `{name.value}` |") for row in self.ROWS), key

    def test_every_check_is_printed(self) -> None:
        for part, kind, name in mapping.PARTS:
            assert f"| `{kind.value}.{name}` | `{part}` |" in self.ROWS
