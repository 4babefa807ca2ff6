"""Plaid's words in our vocabulary: a verification's status, what it says of the person, and what is kept of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from idv_core.plugin import (
    COUNTRIES,
    Address,
    Check,
    CheckOutcome,
    DocumentEvidence,
    DocumentType,
    ExtractedField,
    FieldName,
    Flow,
    FlowStatus,
    Reason,
    Result,
    Secret,
    VendorVerdict,
    dates_under,
    document_dates,
    failures_in,
    means_expiry,
    means_issue,
    read_field,
    shown,
    without_secrets,
)

from .checks import DOCUMENT, KYC, RISK, SELFIE, STEPS, read_checks
from .data import as_object, as_text, latest, objects

# `IdentityVerificationStatus` of Plaid's document. A review in its dashboard may take days: it is over until somebody decides.
STATUS = {
    "active": FlowStatus.AWAITING_APPLICANT,
    "success": FlowStatus.FINISHED,
    "failed": FlowStatus.FINISHED,
    "pending_review": FlowStatus.FINISHED,
    "expired": FlowStatus.EXPIRED,
    "canceled": FlowStatus.CANCELLED,
}
DOCUMENT_TYPES = {
    "drivers_license": DocumentType.DRIVING_PERMIT,
    "id_card": DocumentType.IDCARD,
    "passport": DocumentType.PASSPORT,
    "residence_permit_card": DocumentType.RESIDENCE_PERMIT,
    "resident_card": DocumentType.RESIDENCE_PERMIT,
    "visa": DocumentType.VISA,
}
# Plaid's keys of what was read from a document.
DOCUMENT_FIELDS = {
    "id_number": FieldName.DOCUMENT_NUMBER,
    "date_of_birth": FieldName.BIRTHDATE,
    "name": FieldName.NAME,
    "address": FieldName.ADDRESS,
    "issuing_region": FieldName.OTHER,
}
# Plaid's keys of the person, and the part of `kyc_check` that confirms each.
USER_FIELDS = {
    "name": FieldName.NAME,
    "date_of_birth": FieldName.BIRTHDATE,
    "address": FieldName.ADDRESS,
    "phone_number": FieldName.PHONE_NUMBER,
    "id_number": FieldName.PERSONAL_NUMBER,
}
NAMES = {"given_name": FieldName.GIVEN_NAME, "family_name": FieldName.FAMILY_NAME}
KINDS = frozenset({kind for kind, _ in STEPS.values()} | {row.kind for row in (*KYC, *DOCUMENT, *SELFIE, *RISK)})
# What a verification has beside what is read here (Plaid's document: `IdentityVerification`).
_KNOWN = frozenset(
    {
        "id", "client_user_id", "created_at", "completed_at", "previous_attempt_id", "shareable_url", "template", "user",
        "status", "steps", "documentary_verification", "selfie_check", "kyc_check", "risk_check", "verify_sms",
        "watchlist_screening_id", "beacon_user_id", "user_id", "redacted_at", "latest_scored_protect_event", "request_id",
    }
)  # fmt: skip


def read_status(verification: Mapping[str, Any]) -> FlowStatus:
    """How far it is; an unknown word is still under way."""
    if verification.get("redacted_at") is not None:
        return FlowStatus.ERASED
    return STATUS.get(as_text(verification.get("status")) or "", FlowStatus.PROCESSING)


def read_flow(flow: Flow, verification: Mapping[str, Any]) -> Flow:
    """The flow as far as the verification tells. People may overrule each step in Plaid's dashboard, also after the end."""
    status = read_status(verification)
    previous = as_text(verification.get("previous_attempt_id"))
    return attrs.evolve(
        flow,
        status=status,
        may_reopen=status is FlowStatus.FINISHED,
        previous_id=previous or flow.previous_id,
        attempt=max(flow.attempt, 2 if previous else 1),
    )


def read_verification(flow: Flow, verification: Mapping[str, Any]) -> Result:
    """Read a verification. `success` counts only with a step behind it that passed, and none that did not."""
    word = as_text(verification.get("status"))
    flow = read_flow(flow, verification)
    if flow.status is not FlowStatus.FINISHED:
        return Result(flow=flow, vendor_word=word and word[:40], notes=() if word in STATUS else ("unknown status",))
    checks = tuple(read_checks(verification))
    verdict = {"failed": VendorVerdict.NEGATIVE}.get(word or "", VendorVerdict.DOUBTFUL)
    if word == "success" and _is_borne(checks, as_object(verification.get("steps"))):
        verdict = VendorVerdict.POSITIVE
    return Result(
        flow=flow,
        vendor_word=word,
        verdict=verdict,
        decided_by="person" if _is_overruled(verification) else "vendor",
        checks=checks,
        documents=tuple(_documents(verification)),
        fields=tuple(_confirmed(verification)),
        doubts=tuple(_doubts(verification)),
        raw=public(verification),
    )


def _is_borne(checks: tuple[Check, ...], steps: Mapping[str, Any]) -> bool:
    """Whether every step that ran has passed, and one at least."""
    outcomes = [check.outcome for check in checks if check.vendor_name in steps]
    return bool(outcomes) and all(outcome is CheckOutcome.PASSED for outcome in outcomes)


def _is_overruled(verification: Mapping[str, Any]) -> bool:
    """Whether a person has had a word in it."""
    document = latest(as_object(verification.get("documentary_verification")).get("documents"))
    words = [*as_object(verification.get("steps")).values(), document.get("status")]
    return any(as_text(word) in ("manually_approved", "manually_rejected") for word in words)


def _doubts(verification: Mapping[str, Any]) -> Iterator[Reason]:
    if failed := failures_in({key: value for key, value in verification.items() if key not in _KNOWN}):
        yield Reason("verification.failure", f"the verification tells of a failure: {', '.join(failed)}")


def _documents(verification: Mapping[str, Any]) -> Iterator[DocumentEvidence]:
    """The document that was handed in last: what an earlier attempt showed was not taken."""
    details = as_object(verification.get("documentary_verification"))
    document = latest(details.get("documents"))
    data = as_object(document.get("extracted_data"))
    # the analysis has words under the same keys
    told = {key: value for key, value in document.items() if key != "analysis"}
    dates = document_dates(issued=dates_under(data, means_issue), expires=dates_under(told, means_expiry))
    if not document:
        return
    word, country = as_text(data.get("category")), as_text(data.get("issuing_country"))
    yield DocumentEvidence(
        document_id=None,
        type=DOCUMENT_TYPES.get(word, DocumentType.OTHER) if word else None,
        vendor_type=word and shown(word),
        country=country if country in COUNTRIES else None,
        fields=tuple(_fields(data, DOCUMENT_FIELDS)),
        images={
            name: Secret(url) for name, link in as_object(document.get("images")).items() if (url := as_text(link))
        },
        **dates,
    )


def _confirmed(verification: Mapping[str, Any]) -> Iterator[ExtractedField]:
    """Of what the applicant gave, that which a data source or a code by SMS confirms; their own word is no evidence."""
    checked = as_object(verification.get("kyc_check"))
    user = as_object(verification.get("user"))
    if as_object(verification.get("steps")).get("kyc_check") == "success":
        matched = {key: user.get(key) for key in USER_FIELDS if as_object(checked.get(key)).get("summary") == "match"}
        if "id_number" in matched:
            matched["id_number"] = as_object(matched["id_number"]).get("value")
        yield from _fields(matched, USER_FIELDS)
    if as_object(verification.get("steps")).get("verify_sms") == "success":
        sent = latest(as_object(verification.get("verify_sms")).get("verifications"))
        if sent.get("status") == "success":
            yield from _fields(sent, {"phone_number": FieldName.PHONE_NUMBER})


def _fields(data: Mapping[str, Any], names: Mapping[str, FieldName]) -> Iterator[ExtractedField]:
    for key, name in names.items():
        raw = data.get(key)
        if name is FieldName.NAME:
            parts = as_object(raw)
            found = [read_field(part, theirs, parts.get(theirs)) for theirs, part in NAMES.items()]
        elif name is FieldName.ADDRESS:
            found = [_address(as_object(raw))]
        else:
            found = [read_field(name, key, raw)]
        yield from (field for field in found if field is not None)


def _address(said: Mapping[str, Any]) -> ExtractedField | None:
    if not any(as_text(part) for part in said.values()):
        return None
    country = as_text(said.get("country"))
    lines = [text for line in ("street", "street2") if (text := as_text(said.get(line)))]
    address = Address(
        street_address="\n".join(lines) or None,
        locality=as_text(said.get("city")),
        region=as_text(said.get("region")),
        postal_code=as_text(said.get("postal_code")),
        country=country if country in COUNTRIES else None,
    )
    return ExtractedField(name=FieldName.ADDRESS, value=address, vendor_name="address")


def public(verification: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the answer: words, codes and times, no name, number, picture or link."""
    kept = ("id", "status", "created_at", "completed_at", "previous_attempt_id", "redacted_at", "template", "steps")
    kyc = {key: part.get("summary") for key, part in _parts(verification, "kyc_check")}
    documents = [
        _analysed(one) for one in objects(as_object(verification.get("documentary_verification")).get("documents"))
    ]
    selfies = [_analysed(one) for one in objects(as_object(verification.get("selfie_check")).get("selfies"))]
    more = {"kyc_check": kyc, "documents": documents, "selfies": selfies}
    return without_secrets({**{key: verification.get(key) for key in kept}, **more})


def _parts(verification: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, part in as_object(verification.get(name)).items():
        if isinstance(part, dict):
            yield key, part


def _analysed(submission: Mapping[str, Any]) -> dict[str, Any]:
    return {key: submission.get(key) for key in ("status", "attempt", "analysis", "redacted_at")}
