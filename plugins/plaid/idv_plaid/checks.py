"""Plaid's steps, and what was looked at in each, as checks. A word that is not understood is inconclusive, never passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from idv_core.plugin import OTHER, OVERALL, Check, CheckKind, CheckOutcome, FieldName, failures_in, shown

from .data import as_object, as_text, latest

# Steps in the order in which the applicant goes through them, and our names for them.
STEPS: Mapping[str, tuple[CheckKind, str]] = {
    "accept_tos": (CheckKind.CONSENT, OVERALL),
    "verify_sms": (CheckKind.PHONE, "possession"),
    "kyc_check": (CheckKind.DATA_SOURCE, OVERALL),
    "documentary_verification": (CheckKind.DOCUMENT, OVERALL),
    "selfie_check": (CheckKind.LIVENESS, OTHER),
    "watchlist_screening": (CheckKind.SCREENING, "watchlist"),
    "risk_check": (CheckKind.OTHER, OTHER),
}
_PASSED, _FAILED, _UNCLEAR = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE
_STEP_WORDS = {
    "success": _PASSED,
    "manually_approved": _PASSED,
    "failed": _FAILED,
    "manually_rejected": _FAILED,
    "skipped": CheckOutcome.NOT_DONE,
    "expired": CheckOutcome.NOT_DONE,
    "canceled": CheckOutcome.NOT_DONE,
}
# No part of this verification, or a fallback that was not needed.
_NOT_RUN = frozenset({"not_applicable", "waiting_for_prerequisite"})
# Only then Plaid tells what it looked at; and where a person overruled the step, that no longer counts.
_RAN = frozenset({"success", "failed"})
_ACCEPTED = frozenset({"success", "manually_approved"})

_Words: TypeAlias = Mapping[str, CheckOutcome | None]
# None: Plaid had nothing to compare with, or was given nothing. There is no such check, and a policy may require one.
_MATCH: _Words = {"match": _PASSED, "partial_match": _UNCLEAR, "no_match": _FAILED, "no_data": None, "no_input": None}
_RESULT: _Words = {"success": _PASSED, "failed": _FAILED, "no_data": None}
_AGE: _Words = {"match": _PASSED, "no_match": _FAILED, "no_data": None}
_QUALITY: _Words = {"high": _PASSED, "medium": _PASSED, "low": _FAILED}
_EXPIRY: _Words = {"not_expired": _PASSED, "expired": _FAILED}
_RISK: _Words = {"low": _PASSED, "high": _FAILED, "no_data": None}
# Without data it is not known whether the document is genuine.
_GENUINE: _Words = {"match": _PASSED, "no_match": _FAILED}
_REVIEWED: _Words = {"success": _PASSED, "failed": _FAILED}


@attrs.frozen
class Row:
    """One thing that Plaid looks at in a step: under which key, what we call it, and what its words mean."""

    key: str
    kind: CheckKind
    name: str
    words: _Words
    is_optional: bool = False


def _row(key: str, name: str, words: _Words, is_optional: bool = False) -> Row:
    return Row(key, CheckKind.DOCUMENT, name, words, is_optional)


KYC: tuple[Row, ...] = tuple(
    Row(f"{key}.summary", CheckKind.DATA_SOURCE, name.value, _MATCH)
    for key, name in (
        ("name", FieldName.NAME),
        ("date_of_birth", FieldName.BIRTHDATE),
        ("address", FieldName.ADDRESS),
        ("phone_number", FieldName.PHONE_NUMBER),
        ("id_number", FieldName.PERSONAL_NUMBER),
    )
)
# The register of the Social Security Administration, and an age from a face: in newer answers only (Plaid's client 46).
REGISTERS: tuple[Row, ...] = (
    Row("id_number.ssa_verification.match", CheckKind.DATA_SOURCE, "government_register", _MATCH, True),
)
DOCUMENT: tuple[Row, ...] = (
    _row("authenticity", "authenticity", _GENUINE),
    _row("image_quality", "image_quality", _QUALITY),
    _row("extracted_data.name", "comparison", _MATCH, True),
    _row("extracted_data.date_of_birth", "comparison", _MATCH, True),
    _row("extracted_data.issuing_country", "comparison", _MATCH, True),
    _row("extracted_data.expiration_date", "validity", _EXPIRY, True),
    _row("fraud_analysis_details.type_supported", "supported", _RESULT, True),
    _row("fraud_analysis_details.portrait_presence_check", "authenticity", _RESULT, True),
    _row("fraud_analysis_details.portrait_details_check", "authenticity", _RESULT, True),
    _row("fraud_analysis_details.image_composition_check", "authenticity", _RESULT, True),
    _row("fraud_analysis_details.integrity_check", "authenticity", _RESULT, True),
    _row("fraud_analysis_details.detail_check", "authenticity", _RESULT, True),
    _row("fraud_analysis_details.issue_date_check", "validity", _RESULT, True),
    _row("image_quality_details.glare_check", "image_quality", _RESULT, True),
    _row("image_quality_details.dimensions_check", "image_quality", _RESULT, True),
    _row("image_quality_details.blur_check", "image_quality", _RESULT, True),
    _row("human_review.status", "authenticity", _REVIEWED, True),
)
SELFIE: tuple[Row, ...] = (
    Row("liveness_check", CheckKind.LIVENESS, "presentation_attack", _REVIEWED),
    Row("document_comparison", CheckKind.FACE_MATCH, "selfie_to_document", _MATCH),
    Row("age_check.status", CheckKind.CROSS_CHECK, "age", _AGE, True),
)
RISK: tuple[Row, ...] = (
    Row("email.risk_level", CheckKind.EMAIL, "risk", _RISK, True),
    Row("phone.risk_level", CheckKind.PHONE, "risk", _RISK, True),
)
# What speaks of fraud beside the step's own word, by its place; anything but these words is told as a reason.
_CALM: Mapping[str, frozenset[str]] = {
    "behavior.user_interactions": frozenset({"genuine", "neutral", "no_data"}),
    "behavior.fraud_ring_detected": frozenset({"no", "no_data"}),
    "behavior.bot_detected": frozenset({"no", "no_data"}),
    "behavior.risk_level": frozenset({"low", "medium", "no_data"}),
    "network.risk_level": frozenset({"low", "medium", "no_data"}),
    "identity_abuse_signals.synthetic_identity.risk_level": frozenset({"low", "medium", "no_data"}),
    "identity_abuse_signals.synthetic_identity.first_party_synthetic_fraud.risk_level": frozenset({"low", "medium"}),
    "identity_abuse_signals.synthetic_identity.third_party_synthetic_fraud.risk_level": frozenset({"low", "medium"}),
    "identity_abuse_signals.stolen_identity.risk_level": frozenset({"low", "medium", "no_data"}),
}
# The keys of each step's details that are read here or elsewhere, or are figures and texts about the person.
_KNOWN: Mapping[str, frozenset[str]] = {
    "verify_sms": frozenset({"status", "verifications"}),
    "kyc_check": frozenset({"status", *(row.key.partition(".")[0] for row in KYC)}),
    "documentary_verification": frozenset({"status", "documents"}),
    "selfie_check": frozenset({"status", "selfies"}),
    "risk_check": frozenset(
        {
            "status", "behavior", "devices", "email", "phone", "identity_abuse_signals", "network", "facial_duplicates",
            "trust_index_score",
        }
    ),
}  # fmt: skip
_SUBMISSIONS = {"documentary_verification": "documents", "selfie_check": "selfies"}
_OF_DOCUMENT = frozenset({*(row.key.partition(".")[0] for row in DOCUMENT), "aamva_verification"})
# What the states' register of licences says of the licence and its holder; an address or a height there may be an old one.
_OF_REGISTER = ("id_number", "id_issue_date", "id_expiration_date", "date_of_birth", "first_name", "last_name")
_OF_SELFIE = frozenset({*(row.key.partition(".")[0] for row in SELFIE), "facial_analysis"})
_OF_FIELD = frozenset(
    {
        "summary", "po_box", "type", "street", "city", "region", "postal_code", "international_details", "given_name",
        "family_name", "day", "month", "year", "area_code", "ssa_verification",
    }
)  # fmt: skip


def labels() -> frozenset[str]:
    """The checks that results can hold, as policies name them."""
    named = {(kind, name) for kind, name in STEPS.values()}
    named |= {(row.kind, row.name) for row in (*KYC, *REGISTERS, *DOCUMENT, *SELFIE, *RISK)}
    return frozenset(kind.value if name == OVERALL else f"{kind.value}.{name}" for kind, name in named if name != OTHER)


def read_checks(verification: Mapping[str, Any]) -> Iterator[Check]:
    """The checks of a verification that is over: one for each step that ran, and one for each thing that was looked at in it.

    Where a person has overruled a step, their word stands alone. What failed within a step that Plaid passed, and a step that
    failed in a verification that did not, are inconclusive: the template let it go, and a policy may not.
    """
    steps = as_object(verification.get("steps"))
    went_on = verification.get("status") != "failed"
    for name in STEPS:
        word = as_text(steps.get(name))
        if word in _NOT_RUN or (name == "accept_tos" and word == "skipped"):
            continue
        details = verification.get(name) if name in _KNOWN else None
        yield _step(name, word, details, went_on)
        if word in _RAN:
            yield from _details(name, as_object(details), is_passed=word == "success")
    for name, said in steps.items():
        if name not in STEPS and as_text(said) not in _NOT_RUN:
            yield _check(CheckKind.OTHER, OTHER, shown(name), said, _UNCLEAR)


def _step(name: str, word: str | None, details: object, went_on: bool) -> Check:
    kind, check_name = STEPS[name]
    outcome = _STEP_WORDS.get(word or "", _UNCLEAR)
    reasons: list[str] = []
    if word == "failed" and went_on:
        reasons.append("template_went_on")
    if word == "success":
        reasons += [*_missing(name, details), *_beside(_KNOWN.get(name, frozenset()), details)]
    if word in _RAN and name == "risk_check":
        reasons += _alarms(as_object(details))
    if reasons and (outcome is _PASSED or went_on):
        outcome = _UNCLEAR
    return _check(kind, check_name, name, word, outcome, reasons)


def _missing(name: str, details: object) -> Iterator[str]:
    """What a step that passed tells beside its word, as Plaid's document has it: the same status, a submission that passed."""
    if name not in _KNOWN or (details is None and name in ("verify_sms", "risk_check")):
        return
    said = as_object(details)
    if said.get("status") != "success":
        yield "details_disagree"
    listed = _SUBMISSIONS.get(name)
    if listed is not None and as_text(latest(said.get(listed)).get("status")) not in _ACCEPTED:
        yield f"{listed}_disagree"


def _beside(known: frozenset[str], said: object) -> tuple[str, ...]:
    """What stands beside what is understood and speaks of a failure."""
    return failures_in({key: value for key, value in as_object(said).items() if key not in known})


def _alarms(risk: Mapping[str, Any]) -> Iterator[str]:
    """The places of the risk check that speak of fraud, or are not understood."""
    for place, calm in _CALM.items():
        word = _at(risk, place)
        if word is not None and as_text(word) not in calm:
            yield place
    devices = risk.get("devices")
    for device in devices if isinstance(devices, list) else ():
        level = as_object(device).get("risk_level")
        if level is not None and level not in ("low", "medium"):
            yield "devices.risk_level"


def _details(name: str, details: Mapping[str, Any], *, is_passed: bool) -> Iterator[Check]:
    match name:
        case "kyc_check":
            yield from _read((*KYC, *REGISTERS), details, is_passed)
            yield from _register(
                "is_deceased", _at(details, "id_number.ssa_verification.is_deceased"), False, is_passed
            )
            for part in _KNOWN[name]:
                yield from _unknown(CheckKind.DATA_SOURCE, _beside(_OF_FIELD, details.get(part)))
        case "documentary_verification":
            analysis = as_object(latest(details.get("documents")).get("analysis"))
            yield from _read(DOCUMENT, analysis, is_passed)
            yield from _unknown(CheckKind.DOCUMENT, _beside(_OF_DOCUMENT, analysis))
            if analysis.get("aamva_verification") is not None:
                verified = _at(analysis, "aamva_verification.is_verified")
                yield from _register("aamva_verification", verified, True, is_passed, is_needed=True)
                for part in _OF_REGISTER:
                    word = _at(analysis, f"aamva_verification.{part}")
                    if word is not None and word not in ("match", "partial_match", "no_data"):
                        bad = _UNCLEAR if is_passed else _FAILED
                        yield _check(
                            CheckKind.DATA_SOURCE, "government_register", f"aamva_verification.{part}", word, bad
                        )
        case "selfie_check":
            analysis = as_object(latest(details.get("selfies")).get("analysis"))
            yield from _read(SELFIE, analysis, is_passed)
            yield from _unknown(CheckKind.FACE_MATCH, _beside(_OF_SELFIE, analysis))
        case "risk_check":
            yield from _read(RISK, details, is_passed)
            if details.get("facial_duplicates"):
                yield _check(CheckKind.LIVENESS, "duplicate_face", "facial_duplicates", None, _UNCLEAR)


def _read(rows: tuple[Row, ...], said: Mapping[str, Any], is_passed: bool) -> Iterator[Check]:
    for row in rows:
        word = _at(said, row.key)
        if word is None and row.is_optional and (_at(said, row.key.rpartition(".")[0]) is None or row in RISK):
            continue
        outcome = row.words.get(word, _UNCLEAR) if isinstance(word, str) else _UNCLEAR
        if outcome is not None:
            outcome = _UNCLEAR if outcome is _FAILED and is_passed else outcome
            reasons = [text] if outcome is not _PASSED and (text := as_text(word)) else []
            yield _check(row.kind, row.name, row.key, word, outcome, reasons)


def _register(key: str, said: object, good: bool, is_passed: bool, *, is_needed: bool = False) -> Iterator[Check]:
    """What a register says by yes or no; null where it was not asked, unless it must have been."""
    if said is not None or is_needed:
        bad = _FAILED if isinstance(said, bool) and not is_passed else _UNCLEAR
        yield _check(CheckKind.DATA_SOURCE, "government_register", key, None, _PASSED if said is good else bad)


def _unknown(kind: CheckKind, keys: tuple[str, ...]) -> Iterator[Check]:
    for key in keys:
        yield _check(kind, OTHER, key, None, _UNCLEAR)


def _at(said: Mapping[str, Any], place: str) -> Any:
    """What stands at a place such as `extracted_data.name`; None where there is nothing. Never raises."""
    value: Any = said
    for key in place.split(".") if place else ():
        value = as_object(value).get(key)
    return value


def _check(
    kind: CheckKind, name: str, key: str, word: object, outcome: CheckOutcome, reasons: list[str] | None = None
) -> Check:
    return Check(
        kind=kind,
        name=name,
        vendor_name=key[:60],
        outcome=outcome,
        reasons=tuple(dict.fromkeys(reason[:80] for reason in reasons or ())),
        vendor_word=(as_text(word) or "")[:40] or None,
    )
