"""`verified_claims`: the object of OpenID Identity Assurance, by the rules of its published schema."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from test_model import results

from idv_core import Check, Flow, Result, Secret
from idv_core.model import Address, DocumentEvidence, ExtractedField, Place, verified_claims

TEXT, DATE = {"type": "string"}, {"type": "string", "pattern": r"^[0-9]{4}-[01][0-9]-[0-3][0-9]$"}
COUNTRY = {"type": "string", "pattern": "^[A-Z]{3}$"}
CHECKS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "required": ["check_method"],
        "additionalProperties": False,
        "properties": {"check_method": {"enum": ["vri", "data", "bvr"]}, "organization": TEXT},
    },
}
DETAILS = {
    "required": ["type"],
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(("type", "document_number", "serial_number"), TEXT),
        "date_of_issuance": DATE,
        "date_of_expiry": DATE,
        "issuer": {
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {"name": TEXT, "country_code": COUNTRY},
        },
    },
}
# What the schema of draft 03 asks of the members that we write, and that we write no others.
RULES = Draft202012Validator(
    {
        "type": "object",
        "required": ["verification", "claims"],
        "additionalProperties": False,
        "properties": {
            "verification": {
                "required": ["trust_framework"],
                "additionalProperties": False,
                "properties": {
                    "trust_framework": TEXT,
                    "assurance_level": TEXT,
                    "verification_process": TEXT,
                    "time": {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"},
                    "evidence": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "required": ["type"],
                            "additionalProperties": False,
                            "properties": {
                                "type": {"enum": ["document", "electronic_record"]},
                                "check_details": CHECKS,
                                "document_details": DETAILS,
                            },
                        },
                    },
                },
            },
            "claims": {
                "type": "object",
                "additionalProperties": TEXT,
                "properties": {
                    "birthdate": DATE,
                    "address": {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": TEXT,
                        "properties": {"country_code": COUNTRY},
                    },
                    "place_of_birth": {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": TEXT,
                        "properties": {"country": COUNTRY},
                    },
                    "nationalities": {"type": "array", "minItems": 1, "uniqueItems": True, "items": COUNTRY},
                },
            },
        },
    }
)


def read(name: str, value: Any, **more: Any) -> ExtractedField:
    return ExtractedField(name=name, value=value, vendor_name=name, **more)


PASSPORT = DocumentEvidence(
    document_id="d-1",
    type="passport",
    country="CO",
    fields=[
        read("given_name", "Ana"),
        read("family_name", "Ruiz"),
        read("birthdate", date(1990, 5, 3)),
        read("nationalities", ("CO", "DE")),
        read("place_of_birth", Place(locality="Cali", country="CO")),
        read("address", Address(street_address="Calle 1", country="CO")),
        read("email", "ana@example.org"),
        read("document_number", "UTO0001"),
        read("date_of_expiry", date(2031, 1, 2)),
        read("issuer", "Cancillería"),
    ],
)
APPROVED = Result(
    flow=Flow(id="f-1", status="finished", account="acme"),
    documents=[PASSPORT],
    checks=[
        Check(kind="document", name="authenticity", outcome="passed", document_id="d-1"),
        Check(kind="document", name="image_quality", outcome="passed", document_id="d-1"),
        Check(kind="face_match", outcome="passed"),
        Check(kind="data_source", name="birthdate", outcome="passed"),
    ],
    decision="approved",
    received_at=datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC),
)


def test_an_approved_result_in_the_words_of_openid() -> None:
    told = verified_claims(APPROVED, "nist_800_63A", assurance_level="ial2", organization="Acme")
    assert told == {
        "verification": {
            "trust_framework": "nist_800_63A",
            "assurance_level": "ial2",
            "time": "2026-03-01T12:00:00Z",
            "verification_process": "acme/f-1",
            "evidence": [
                {
                    "type": "document",
                    "document_details": {
                        "type": "passport",
                        "document_number": "UTO0001",
                        "date_of_expiry": "2031-01-02",
                        "issuer": {"name": "Cancillería", "country_code": "COL"},
                    },
                    "check_details": [
                        {"check_method": "vri", "organization": "Acme"},
                        {"check_method": "bvr", "organization": "Acme"},
                    ],
                },
                {"type": "electronic_record", "check_details": [{"check_method": "data", "organization": "Acme"}]},
            ],
        },
        "claims": {
            "name": "Ana Ruiz",
            "given_name": "Ana",
            "family_name": "Ruiz",
            "birthdate": "1990-05-03",
            "place_of_birth": {"locality": "Cali", "country": "COL"},
            "nationalities": ["COL", "DEU"],
            "address": {"street_address": "Calle 1", "country_code": "COL"},
        },
    }


@given(results, st.booleans())
def test_every_result_keeps_the_schemas_rules(result: Result, named: bool) -> None:
    told = verified_claims(result, "x", organization="Acme" if named else None, approved_only=False)
    RULES.validate(json.loads(json.dumps(told)))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"decision": "review"}, "review, not approved"),
        ({"decision": "declined"}, "declined, not approved"),
        ({"is_test": True}, "test mode"),
        ({"flow": attrs.evolve(APPROVED.flow, is_shadow=True)}, "shadow"),
    ],
)
def test_what_nobody_verified_has_no_verified_claims_unless_asked_for(change: dict[str, Any], problem: str) -> None:
    result = Result(**{**attrs.asdict(APPROVED, recurse=False), **change})
    with pytest.raises(ValueError, match=problem):
        verified_claims(result, "x")
    assert verified_claims(result, "x", approved_only=False)["claims"]["given_name"] == "Ana"


def test_a_trust_framework_is_needed() -> None:
    with pytest.raises(ValueError, match="trust_framework"):
        verified_claims(APPROVED, "")


def test_what_disagrees_is_left_out() -> None:
    other = DocumentEvidence(document_id="d-2", type="visa", fields=[read("given_name", "Eva")])
    claims = verified_claims(attrs.evolve(APPROVED, documents=[PASSPORT, other]), "x")["claims"]
    assert "given_name" not in claims
    assert "name" not in claims
    assert claims["family_name"] == "Ruiz"


def test_a_contact_counts_only_with_a_passed_check_that_the_applicant_has_it() -> None:
    for check, there in (("passed", True), ("failed", False), (None, False)):
        checks = [*APPROVED.checks, Check(kind="email", name="possession", outcome=check)]
        told = verified_claims(attrs.evolve(APPROVED, checks=checks), "x", approved_only=False)
        assert ("email" in told["claims"]) is there


def test_checks_that_did_not_pass_are_no_evidence() -> None:
    checks = [attrs.evolve(check, outcome="inconclusive") for check in APPROVED.checks]
    evidence = verified_claims(attrs.evolve(APPROVED, checks=checks), "x")["verification"]["evidence"]
    assert [sorted(one) for one in evidence] == [["document_details", "type"]]


def test_of_two_documents_each_has_its_own_checks_and_nobody_guesses() -> None:
    visa = DocumentEvidence(document_id="d-2", type="visa")
    told = verified_claims(attrs.evolve(APPROVED, documents=[PASSPORT, visa]), "x")
    methods = [
        [check["check_method"] for check in one.get("check_details", ())] for one in told["verification"]["evidence"]
    ]
    assert methods == [["vri"], [], ["bvr"], ["data"]]


def test_a_number_that_must_stay_masked_stays_masked() -> None:
    field = read("document_number", "XXXX XXXX 2223", whole=Secret("0000 1111 2223"))
    card = DocumentEvidence(document_id="d-1", type="national_number_card", fields=[field])
    told = json.dumps(verified_claims(attrs.evolve(APPROVED, documents=[card]), "x"))
    assert "XXXX XXXX 2223" in told
    assert "0000 1111" not in told
