"""What each word of a session becomes. Only verified, with a verified check behind it, is good news."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_stripe.mapping import public, read_session, read_status

from idv_core import CheckKind, CheckOutcome, Decision, Flow, FlowStatus
from idv_core.model import VendorVerdict
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.testing.strategies import json_values

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE
POSITIVE, NEGATIVE, DOUBTFUL = VendorVerdict.POSITIVE, VendorVerdict.NEGATIVE, VendorVerdict.DOUBTFUL
GOOD = {"document": {"status": "verified", "type": "passport"}, "selfie": {"status": "verified"}}

FLOW = Flow(id="vs_1", status="open")


def session(status: Any, report: Any = None, code: str | None = None, **more: Any) -> dict[str, Any]:
    """As it comes from the wire: no text in it is one of ours."""
    made = {"status": status, "last_verification_report": report, "last_error": code and {"code": code}, **more}
    return dict(json.loads(json.dumps(made)))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("requires_input", FlowStatus.AWAITING_APPLICANT),
        ("processing", FlowStatus.PROCESSING),
        ("verified", FlowStatus.FINISHED),
        ("canceled", FlowStatus.CANCELLED),
        ("approved", FlowStatus.PROCESSING),
        (None, FlowStatus.PROCESSING),
        (["verified"], FlowStatus.PROCESSING),
    ],
)
def test_statuses(word: object, status: FlowStatus) -> None:
    assert read_status(word) is status


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (GOOD, POSITIVE),
        ({"document": GOOD["document"]}, POSITIVE),
        (None, DOUBTFUL),
        ({}, DOUBTFUL),
        ({**GOOD, "selfie": {"status": "unverified"}}, DOUBTFUL),
        ({**GOOD, "selfie": {"status": "fine"}}, DOUBTFUL),
        ({**GOOD, "selfie": {}}, DOUBTFUL),
        ("vr_1", DOUBTFUL),
    ],
)
def test_verified_counts_with_verified_checks_behind_it(report: Any, verdict: VendorVerdict) -> None:
    assert read_session(FLOW, session("verified", report)).verdict is verdict


@pytest.mark.parametrize(
    ("code", "status", "verdict"),
    [
        ("document_expired", FlowStatus.FINISHED, NEGATIVE),
        ("document_unverified_other", FlowStatus.FINISHED, NEGATIVE),
        ("selfie_manipulated", FlowStatus.FINISHED, NEGATIVE),
        ("id_number_mismatch", FlowStatus.FINISHED, NEGATIVE),
        ("email_unverified_other", FlowStatus.FINISHED, NEGATIVE),
        ("phone_unverified_other", FlowStatus.FINISHED, NEGATIVE),
        ("under_supported_age", FlowStatus.FINISHED, NEGATIVE),
        ("consent_declined", FlowStatus.FINISHED, DOUBTFUL),
        ("device_not_supported", FlowStatus.FINISHED, DOUBTFUL),
        ("country_not_supported", FlowStatus.FINISHED, DOUBTFUL),
        ("document_type_not_supported", FlowStatus.FINISHED, DOUBTFUL),
        ("id_number_insufficient_document_data", FlowStatus.FINISHED, DOUBTFUL),
        ("selfie_document_missing_photo", FlowStatus.FINISHED, DOUBTFUL),
        ("phone_verification_declined", FlowStatus.FINISHED, DOUBTFUL),
        ("something_new", FlowStatus.FINISHED, DOUBTFUL),
        ("abandoned", FlowStatus.AWAITING_APPLICANT, None),
        (None, FlowStatus.AWAITING_APPLICANT, None),
    ],
)
def test_an_attempt_that_failed(code: str | None, status: FlowStatus, verdict: VendorVerdict | None) -> None:
    reading = read_session(FLOW, session("requires_input", GOOD, code))
    assert (reading.status, reading.verdict) == (status, verdict)
    assert bool(reading.checks) is status.is_settled, "what an earlier attempt reported says nothing of this one"


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("document", "document_type_not_supported"),
        ("id_number", "id_number_insufficient_document_data"),
        ("selfie", "selfie_document_missing_photo"),
        ("email", "email_verification_declined"),
        ("phone", "phone_verification_declined"),
    ],
)
def test_a_paper_that_cannot_be_used_turns_nobody_down_and_approves_nobody(part: str, code: str) -> None:
    report = {part: {"status": "unverified", "error": {"code": code}}}
    result = read_session(FLOW, session("requires_input", report, code))
    assert [(check.outcome, check.reasons) for check in result.checks] == [(INCONCLUSIVE, (code,))]
    decided = evaluate(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC))
    assert decided.decision is Decision.REVIEW
    assert read_session(FLOW, session("verified", report)).verdict is DOUBTFUL


def test_the_parts_of_a_report() -> None:
    report = {
        "document": {"status": "unverified", "type": "id_card", "error": {"code": "document_expired"}},
        "selfie": {"status": "verified"},
        "id_number": {"status": "unverified"},
        "email": {"status": "verified"},
        "phone": {"status": "odd"},
    }
    checks = read_session(FLOW, session("verified", report)).checks
    assert [(check.kind, check.name, check.outcome) for check in checks] == [
        (CheckKind.DOCUMENT, "authenticity", FAILED),
        (CheckKind.FACE_MATCH, "selfie_to_document", PASSED),
        (CheckKind.DATA_SOURCE, "government_register", FAILED),
        (CheckKind.EMAIL, "possession", PASSED),
        (CheckKind.PHONE, "possession", INCONCLUSIVE),
    ]
    assert checks[0].reasons == ("document_expired",)
    (alone,) = read_session(FLOW, session("verified", {"phone": {"status": "verified"}})).checks
    assert (alone.kind, alone.outcome) == (CheckKind.PHONE, PASSED)


@pytest.mark.parametrize(
    ("date", "read", "unread"),
    [
        ({"year": 2031, "month": 5, "day": 7}, "2031-05-07", False),
        ("2031-05-07", "2031-05-07", False),
        (None, "None", False),
        ({"year": None, "month": None, "day": None}, "None", False),
        ({"year": 2031, "month": 2, "day": 30}, "None", True),
        ({"year": 2031, "month": 5}, "None", True),
        ({"year": "2031", "month": 5, "day": 7}, "None", True),
        ({"year": 1448, "month": 5, "day": 7}, "None", True),
        ("never", "None", True),
        (7, "None", True),
    ],
)
def test_a_date_that_is_there_and_not_whole_is_not_absent(date: Any, read: str, unread: bool) -> None:
    report = {"document": {"status": "verified", "expiration_date": date, "issued_date": date}}
    (document,) = read_session(FLOW, session("verified", report)).documents
    assert (str(document.expires_on), str(document.issued_on)) == (read, read)
    assert set(document.unread) == ({"issued_on", "expires_on"} if unread else set())


def test_a_document() -> None:
    def read(**document: Any) -> Any:
        reading = read_session(FLOW, session("verified", {"document": {"status": "verified", **document}}))
        return reading.documents[0], reading.checks[0]

    document, check = read(type="passport", issuing_country="DE", first_name="Ana", last_name="Ruiz", sex="female")
    assert (document.type, document.vendor_type, document.country) == ("passport", "passport", "DE")
    assert [(field.name, field.value) for field in document.fields] == [
        ("given_name", "Ana"),
        ("family_name", "Ruiz"),
        ("gender", "female"),
    ]
    document, check = read(issuing_country="UTO", first_name=7, last_name="")
    assert (document.type, document.country, check.vendor_name) == (None, None, "document")
    assert [(field.name, field.value) for field in document.fields] == [("given_name", None)]
    assert read(first_name=["Ana"], last_name="Ruiz")[0].claims.name.value is None
    assert read_session(FLOW, session("verified", {"selfie": {"status": "verified"}})).documents == ()


@pytest.mark.parametrize("word", ["verifiee", "verified ", "zzz", "a", "requires_inputs", "requires", "", None, 7])
def test_a_word_that_nobody_documents_is_under_way_and_no_verdict(word: object) -> None:
    reading = read_session(FLOW, session(word, GOOD, "document_expired"))
    assert (reading.status, reading.verdict, reading.checks) == (FlowStatus.PROCESSING, None, ())
    assert reading.notes == ("unknown status",)
    assert reading.vendor_word == (word if isinstance(word, str) and word else None)


@pytest.mark.parametrize(
    "report",
    [
        {**GOOD, "selfie": "unverified"},
        {**GOOD, "selfie": ["verified"]},
        {**GOOD, "document": {**GOOD["document"], "error": "odd"}},
        {**GOOD, "document": {**GOOD["document"], "error": ["document_expired"]}},
        {**GOOD, "document": {**GOOD["document"], "error": {"reason": "no code"}}},
        {**GOOD, "address": {"status": "verified"}},
        {**GOOD, "address": {"status": "fine"}},
        {**GOOD, "address": {"status": None}},
    ],
)
def test_a_part_that_is_there_and_not_understood_is_not_good(report: Any) -> None:
    reading = read_session(FLOW, session("verified", report))
    assert reading.verdict is DOUBTFUL
    assert INCONCLUSIVE in [check.outcome for check in reading.checks]


def test_verified_beside_an_error_is_doubtful() -> None:
    for error in ({"code": "document_expired"}, "odd", ["odd"]):
        assert read_session(FLOW, session("verified", GOOD, last_error=error)).verdict is DOUBTFUL


@pytest.mark.parametrize(
    ("option", "part"), [("require_matching_selfie", "selfie"), ("require_id_number", "id_number")]
)
def test_what_was_required_and_is_not_in_the_report_is_a_doubt(option: str, part: str) -> None:
    whole = {**GOOD, "id_number": {"status": "verified"}}
    asked = {"document": {option: True}}
    lacking = {name: said for name, said in whole.items() if name != part}
    assert read_session(FLOW, session("verified", whole, options=asked)).doubts == ()
    assert read_session(FLOW, session("verified", lacking)).doubts == ()
    (doubt,) = read_session(FLOW, session("verified", lacking, options=asked)).doubts
    assert (doubt.code, part in doubt.text) == ("report.incomplete", True)


def test_what_is_kept_names_nobody() -> None:
    report = {"document": {"status": "verified", "first_name": "Ana", "number": "X1", "files": ["file_1"]}}
    kept = str(public({**session("verified", report), "client_secret": "s", "url": "https://x", "id": "vs_1"}))
    assert "vs_1" in kept
    for secret in ("Ana", "X1", "file_1", "https://x", "'s'"):
        assert secret not in kept
    assert "files.example" not in str(public(session("verified", {"document": {"status": "https://files.example/a"}})))


@given(st.dictionaries(st.sampled_from(["status", "last_error", "last_verification_report", "livemode"]), json_values))
def test_any_session_is_read_and_only_verified_is_good(answer: dict[str, Any]) -> None:
    reading = read_session(FLOW, answer)
    if reading.verdict is POSITIVE:
        assert answer["status"] == "verified"
        assert reading.checks
        assert all(check.outcome is PASSED for check in reading.checks)
    public(answer)
