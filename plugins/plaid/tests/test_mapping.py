"""What each word of a verification becomes. Only `success`, with steps behind it that passed, is good news."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_plaid.checks import DOCUMENT, KYC, STEPS
from idv_plaid.data import latest
from idv_plaid.mapping import public, read_status, read_verification
from idv_plaid.media import media_of
from idv_plaid.testing.emulator import PlaidEmulator
from idv_plaid.testing.harness import MEERA, ROHAN

from idv_core import CheckOutcome, Decision, Flow, FlowStatus, Result
from idv_core.model import VendorVerdict
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.testing import FakeClock, make_specimen
from idv_core.testing.strategies import json_values

FLOW = Flow(id="idv_1", status="open")
AT = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
PASSED, FAILED, UNCLEAR = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE
TROUBLE = [
    {"errors": [{"code": "document_expired"}]},
    {"error_code": "document_expired"},
    {"failure": True},
    {"verdict": "odd"},
    {"is_valid": False},
    {"fraud_suspected": "yes"},
]


def answered(face: Any = MEERA) -> dict[str, Any]:
    """What the emulator answers about Meera's passport and somebody's face."""
    clock = FakeClock()
    emulator = PlaidEmulator(clock)
    user = {
        "name": {"given_name": "Meera", "family_name": "Iyer"},
        "date_of_birth": MEERA.birthdate.isoformat(),
        "address": {"street": "14 Hill Road", "city": "Kochi", "country": "IN"},
        "phone_number": "+12345550101",
    }
    body = {"template_id": emulator.template_id, "is_shareable": True, "user": user}
    attempt = emulator._begun("CUST-1", body)
    emulator.hand_in(attempt.id, make_specimen("passport", MEERA), make_specimen("selfie", face))
    clock.advance(5)
    emulator.tick()
    return attempt.shown("https://plaid.example", lambda path, _: f"https://plaid.example/{path}", 2)


GOOD, BAD = answered(), answered(ROHAN)


def changed(place: str, value: Any, of: dict[str, Any] = GOOD) -> dict[str, Any]:
    """The answer with another value at a place such as `steps.kyc_check`; numbers are places in lists."""
    made: Any = copy.deepcopy(of)
    *above, last = place.split(".")
    inner = made
    for key in above:
        inner = inner[int(key) if key.isdecimal() else key]
    inner[int(last) if last.isdecimal() else last] = value
    return dict(made)


def judged(answer: dict[str, Any]) -> Result:
    return evaluate(DEFAULT_POLICY, read_verification(FLOW, answer), AT)


def outcome(answer: dict[str, Any], key: str) -> CheckOutcome | None:
    """Of the check that Plaid calls so; None where there is no such check."""
    return next((check.outcome for check in read_verification(FLOW, answer).checks if check.vendor_name == key), None)


ANALYSIS = "documentary_verification.documents.0.analysis"


def test_the_examples_are_what_they_should_be() -> None:
    assert judged(GOOD).decision is Decision.APPROVED, [str(reason) for reason in judged(GOOD).reasons]
    assert judged(BAD).decision is Decision.DECLINED


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("active", FlowStatus.AWAITING_APPLICANT),
        ("success", FlowStatus.FINISHED),
        ("failed", FlowStatus.FINISHED),
        ("pending_review", FlowStatus.FINISHED),
        ("expired", FlowStatus.EXPIRED),
        ("canceled", FlowStatus.CANCELLED),
        ("approved", FlowStatus.PROCESSING),
        (None, FlowStatus.PROCESSING),
        (["success"], FlowStatus.PROCESSING),
    ],
)
def test_statuses(word: object, status: FlowStatus) -> None:
    assert read_status({"status": word}) is status
    assert read_status({"status": word, "redacted_at": "2026-03-02T10:15:00Z"}) is FlowStatus.ERASED


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("success", VendorVerdict.POSITIVE),
        ("failed", VendorVerdict.NEGATIVE),
        ("pending_review", VendorVerdict.DOUBTFUL),
        ("active", None),
        ("expired", None),
        ("splendid", None),
    ],
)
def test_verdicts(word: str, verdict: VendorVerdict | None) -> None:
    assert read_verification(FLOW, changed("status", word)).verdict is verdict


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("success", PASSED),
        ("manually_approved", PASSED),
        ("manually_rejected", FAILED),
        ("pending_review", UNCLEAR),
        ("active", UNCLEAR),
        ("skipped", CheckOutcome.NOT_DONE),
        ("expired", CheckOutcome.NOT_DONE),
        ("canceled", CheckOutcome.NOT_DONE),
        ("splendid", UNCLEAR),
        (None, UNCLEAR),
        (7, UNCLEAR),
        ("not_applicable", None),
        ("waiting_for_prerequisite", None),
    ],
)
@pytest.mark.parametrize("step", ["kyc_check", "documentary_verification", "selfie_check", "watchlist_screening"])
def test_the_words_of_a_step(step: str, word: Any, wanted: CheckOutcome | None) -> None:
    assert outcome(changed(f"steps.{step}", word), step) is wanted


def test_consent_that_the_platform_had_already_is_no_check() -> None:
    assert outcome(changed("steps.accept_tos", "skipped"), "accept_tos") is None
    assert outcome(changed("steps.accept_tos", "failed"), "accept_tos") is UNCLEAR
    assert outcome(GOOD, "accept_tos") is PASSED


@pytest.mark.parametrize("step", ["kyc_check", "documentary_verification", "selfie_check"])
def test_a_step_that_failed_in_a_verification_that_passed_goes_to_review(step: str) -> None:
    """The template fell back on another step; a policy has not agreed to that."""
    answer = changed(f"steps.{step}", "failed")
    assert outcome(answer, step) is UNCLEAR
    assert judged(answer).decision is Decision.REVIEW
    assert outcome(changed(f"steps.{step}", "failed", changed("status", "failed")), step) is FAILED


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("word", ["splendid", "active", None])
def test_no_step_may_lack_its_word(step: str, word: Any) -> None:
    assert judged(changed(f"steps.{step}", word)).decision is not Decision.APPROVED


@pytest.mark.parametrize("step", ["kyc_check", "documentary_verification", "selfie_check"])
@pytest.mark.parametrize("details", [None, {}, [], "success", {"status": "failed"}])
def test_a_step_that_passed_must_tell_what_it_looked_at(step: str, details: Any) -> None:
    answer = changed(step, details)
    assert outcome(answer, step) is UNCLEAR
    assert judged(answer).decision is Decision.REVIEW


@pytest.mark.parametrize(
    ("word", "passed_step", "failed_step"),
    [
        ("match", PASSED, PASSED),
        ("partial_match", UNCLEAR, UNCLEAR),
        ("no_match", UNCLEAR, FAILED),
        ("no_data", None, None),
        ("no_input", None, None),
        ("exact", UNCLEAR, UNCLEAR),
        (None, UNCLEAR, UNCLEAR),
    ],
)
@pytest.mark.parametrize("row", KYC, ids=lambda row: row.key)
def test_the_words_of_the_data_sources(
    row: Any, word: Any, passed_step: CheckOutcome | None, failed_step: CheckOutcome | None
) -> None:
    """What the template let go is not what the policy lets go: it is looked at."""
    answer = changed(f"kyc_check.{row.key}", word)
    assert outcome(answer, row.key) is passed_step
    assert outcome(changed("steps.kyc_check", "failed", answer), row.key) is failed_step


@pytest.mark.parametrize("row", DOCUMENT, ids=lambda row: row.key)
def test_a_document_is_good_only_by_a_word_that_is(row: Any) -> None:
    answer = changed(f"{ANALYSIS}.human_review", {"status": "success"})
    for word, passes in row.words.items():
        read = outcome(changed(f"{ANALYSIS}.{row.key}", word, answer), row.key)
        assert read is (UNCLEAR if passes is FAILED else passes), word
    for word in ("splendid", 7, ["match"], ""):
        assert outcome(changed(f"{ANALYSIS}.{row.key}", word, answer), row.key) is UNCLEAR, word


@pytest.mark.parametrize("group", ["extracted_data", "fraud_analysis_details", "image_quality_details"])
def test_a_part_of_the_analysis_that_plaid_lets_be_null_is_no_check(group: str) -> None:
    answer = changed(f"{ANALYSIS}.{group}", None)
    keys = [check.vendor_name or "" for check in read_verification(FLOW, answer).checks]
    assert not [key for key in keys if key.startswith(group)]
    assert judged(answer).decision is Decision.APPROVED


def test_only_the_document_that_was_handed_in_last_counts() -> None:
    answer = copy.deepcopy(GOOD)
    first = copy.deepcopy(answer["documentary_verification"]["documents"][0])
    first |= {"status": "failed", "extracted_data": {**first["extracted_data"], "id_number": "OTHER"}}
    first["analysis"]["authenticity"] = "no_match"
    last = {**answer["documentary_verification"]["documents"][0], "attempt": 2}
    answer["documentary_verification"]["documents"] = [last, first]
    result = judged(answer)
    assert result.decision is Decision.APPROVED
    assert result.claims.document_number.value == "X00000001"
    assert latest([last, first, "odd"]) is last
    assert latest(None) == {}


def test_who_overrules_a_step_overrules_what_was_looked_at_in_it() -> None:
    approved = changed("status", "success", changed("steps.selfie_check", "manually_approved", BAD))
    result = judged(approved)
    assert [check.vendor_name for check in result.checks if "selfie" in (check.vendor_name or "")] == ["selfie_check"]
    assert result.decision is Decision.APPROVED
    rejected = changed("steps.selfie_check", "manually_rejected")
    assert judged(rejected).decision is Decision.DECLINED


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("risk_check.behavior.fraud_ring_detected", "yes"),
        ("risk_check.behavior.bot_detected", "yes"),
        ("risk_check.behavior.user_interactions", "risky"),
        ("risk_check.behavior.user_interactions", "splendid"),
        ("risk_check.behavior.risk_level", "high"),
        ("risk_check.network", {"risk_level": "high", "factors": []}),
        ("risk_check.identity_abuse_signals", {"stolen_identity": {"score": 90, "risk_level": "high"}}),
        ("risk_check.devices", [{"risk_level": "high"}]),
        ("risk_check.email.risk_level", "high"),
        ("risk_check.email.risk_level", "medium"),
        ("risk_check.phone.risk_level", "splendid"),
        ("risk_check.facial_duplicates", [{"id": "idv_2", "similarity": 95, "matched_after_completed": False}]),
        ("selfie_check.selfies.0.analysis.age_check", {"status": "no_match"}),
        ("selfie_check.selfies.0.analysis.age_check", {"status": "warning"}),
        ("selfie_check.selfies.0.analysis.liveness_check", "splendid"),
        ("selfie_check.selfies.0.analysis.document_comparison", "no_match"),
        ("kyc_check.id_number.ssa_verification", {"match": "no_match", "is_deceased": None}),
        ("kyc_check.id_number.ssa_verification", {"match": "match", "is_deceased": True}),
        ("kyc_check.id_number.ssa_verification", {"match": "match", "is_deceased": "no"}),
        (f"{ANALYSIS}.aamva_verification", {"is_verified": False}),
        (f"{ANALYSIS}.aamva_verification", {}),
        (f"{ANALYSIS}.aamva_verification", {"is_verified": True, "date_of_birth": "no_match"}),
        (f"{ANALYSIS}.aamva_verification", {"is_verified": True, "id_number": "splendid"}),
        (
            "risk_check.identity_abuse_signals",
            {"synthetic_identity": {"risk_level": "low", "first_party_synthetic_fraud": {"risk_level": "high"}}},
        ),
        (f"{ANALYSIS}.human_review", {"status": "no_data"}),
        ("steps.palm_check", "success"),
    ],
)
def test_what_stands_beside_a_success_and_is_no_good_news_goes_to_review(place: str, value: Any) -> None:
    assert judged(changed(place, value)).decision is Decision.REVIEW


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("risk_check.email.risk_level", "low"),
        ("risk_check.identity_abuse_signals", {"stolen_identity": {"score": 3, "risk_level": "low"}}),
        ("selfie_check.selfies.0.analysis.age_check", {"status": "match", "reported_age": 34}),
        ("kyc_check.id_number.ssa_verification", {"match": "match", "is_deceased": False}),
        (f"{ANALYSIS}.aamva_verification", {"is_verified": True, "eye_color": "no_data"}),
        (
            f"{ANALYSIS}.aamva_verification",
            {"is_verified": True, "street": "no_match", "first_name": "partial_match", "last_name": "match"},
        ),
        (f"{ANALYSIS}.human_review", {"status": "success"}),
        ("steps.palm_check", "not_applicable"),
        ("latest_scored_protect_event", {"trust_index": {"score": 1}}),
        ("selfie_check.selfies.0.analysis.document_comparison", "no_input"),
    ],
)
def test_what_is_good_news_is_no_doubt(place: str, value: Any) -> None:
    assert judged(changed(place, value)).decision is Decision.APPROVED


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_that_nobody_documents_goes_to_review_wherever_it_stands(trouble: dict[str, Any]) -> None:
    places = ("kyc_check", "kyc_check.name", "documentary_verification", "selfie_check", "risk_check", ANALYSIS)
    for place in (*places, "selfie_check.selfies.0.analysis"):
        answer: Any = copy.deepcopy(GOOD)
        inner = answer
        for key in place.split("."):
            inner = inner[int(key) if key.isdecimal() else key]
        inner |= trouble
        assert judged(answer).decision is Decision.REVIEW, place
    assert judged({**GOOD, **trouble}).decision is Decision.REVIEW


@given(
    st.sampled_from(["expiration_date", "expiry", "valid_until"]),
    st.sampled_from([{}, [], "soon", 7, False, "31/12/30", {"year": 2031}]),
)
def test_an_expiry_that_is_there_is_never_absent(key: str, value: Any) -> None:
    place = f"documentary_verification.documents.0.extracted_data.{key}"
    assert judged(changed(place, value)).decision is Decision.REVIEW
    assert judged(changed(place, "2019-01-01")).decision is not Decision.APPROVED


@given(json_values)
def test_anything_in_place_of_a_verification_is_a_result_that_does_not_approve(value: Any) -> None:
    for answer in ({"status": "success", "steps": value}, {**GOOD, "steps": value}, {"status": value}):
        assert judged(answer).decision is not Decision.APPROVED


@given(st.sampled_from(sorted(GOOD)), json_values)
def test_anything_in_place_of_a_part_breaks_nothing(key: str, value: Any) -> None:
    result = judged({**GOOD, key: value})
    if key in ("status", "steps", "kyc_check", "documentary_verification", "selfie_check"):
        assert result.decision is not Decision.APPROVED or value == GOOD[key]


PLACES = (
    "user",
    "verify_sms",
    "kyc_check.name",
    "kyc_check.id_number",
    "documentary_verification.documents",
    "documentary_verification.documents.0",
    "documentary_verification.documents.0.attempt",
    "documentary_verification.documents.0.images",
    "documentary_verification.documents.0.extracted_data",
    "documentary_verification.documents.0.extracted_data.date_of_birth",
    "documentary_verification.documents.0.extracted_data.address",
    "documentary_verification.documents.0.extracted_data.category",
    ANALYSIS,
    "selfie_check.selfies",
    "selfie_check.selfies.0.capture",
    "selfie_check.selfies.0.analysis",
    "risk_check.behavior",
    "risk_check.devices",
    "risk_check.email",
)


@given(st.sampled_from(PLACES), json_values)
def test_anything_at_any_place_breaks_nothing(place: str, value: Any) -> None:
    answer = changed(place, value)
    read_verification(FLOW, answer)
    public(answer)
    ids = [media.id for media, _ in media_of(answer)]
    assert all(id.isprintable() and len(id) < 200 for id in ids)


def test_what_is_kept_of_an_answer_names_nobody_and_opens_nothing() -> None:
    kept = str(public(GOOD))
    for dark in ("Meera", "Iyer", "1991", "X00000001", "https", "key=", "+1234"):
        assert dark not in kept
    assert "no_match" in str(public(BAD))
