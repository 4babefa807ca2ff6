"""Stripe's words in our vocabulary: a session's status, its last error, and the report of its last attempt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from idv_core.plugin import (
    COUNTRIES,
    Address,
    Check,
    CheckKind,
    CheckOutcome,
    DocumentEvidence,
    DocumentType,
    ExtractedField,
    FieldName,
    Flow,
    FlowStatus,
    Meaning,
    Reason,
    Result,
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

_STATUS = {
    "requires_input": FlowStatus.AWAITING_APPLICANT,
    "processing": FlowStatus.PROCESSING,
    "verified": FlowStatus.FINISHED,
    "canceled": FlowStatus.CANCELLED,
}
# The beginnings of error codes that speak of what was checked; the applicant may try again with a fresh link.
_AGAINST = ("document_", "selfie_", "id_number_", "email_unverified", "phone_unverified", "under_supported_age")
# Codes of a paper that cannot be used, or of what the applicant would not give: nothing speaks against the person.
_NOT_AGAINST = frozenset(
    {
        "document_type_not_supported", "id_number_insufficient_document_data", "selfie_document_missing_photo",
        "email_verification_declined", "phone_verification_declined",
    }
)  # fmt: skip
PARTS = (
    ("document", CheckKind.DOCUMENT, "authenticity"),
    ("selfie", CheckKind.FACE_MATCH, "selfie_to_document"),
    ("id_number", CheckKind.DATA_SOURCE, "government_register"),
    ("email", CheckKind.EMAIL, "possession"),
    ("phone", CheckKind.PHONE, "possession"),
)
KINDS = frozenset(kind for _, kind, _ in PARTS)
DOCUMENT_TYPES = {
    "driving_license": DocumentType.DRIVING_PERMIT,
    "id_card": DocumentType.IDCARD,
    "passport": DocumentType.PASSPORT,
}
# Stripe's keys and our names, of a document and of what was verified of the person (docs.stripe.com/api/identity).
_CLAIMS = {
    "first_name": FieldName.GIVEN_NAME,
    "last_name": FieldName.FAMILY_NAME,
    "sex": FieldName.GENDER,
    "dob": FieldName.BIRTHDATE,
    "number": FieldName.DOCUMENT_NUMBER,
    "unparsed_place_of_birth": FieldName.PLACE_OF_BIRTH,
    "id_number": FieldName.PERSONAL_NUMBER,
    "email": FieldName.EMAIL,
    "phone": FieldName.PHONE_NUMBER,
}
_OUTCOMES = {"verified": CheckOutcome.PASSED, "unverified": CheckOutcome.FAILED}
# What a session and a report have beside what is read here (docs.stripe.com/api/identity).
_SESSION = frozenset(
    {
        "id", "object", "client_reference_id", "client_secret", "created", "last_error", "last_verification_report",
        "livemode", "metadata", "options", "provided_details", "redaction", "related_customer", "related_person",
        "return_url", "status", "type", "url", "verification_flow", "verified_outputs",
    }
)  # fmt: skip
_REPORT = frozenset(
    {
        "id", "object", "client_reference_id", "created", "livemode", "options", "type", "verification_flow",
        "verification_session",
    }
)  # fmt: skip
# What a person's papers say, which is text of any kind.
_PERSONAL = frozenset(
    {
        "first_name", "last_name", "sex", "address", "dob", "email", "files", "id_number", "id_number_type",
        "issuing_country", "number", "phone", "unparsed_place_of_birth", "unparsed_sex",
    }
)  # fmt: skip
_DATE = frozenset({"day", "month", "year"})
_WORD = re.compile(r"[A-Za-z][A-Za-z _-]{0,39}", re.ASCII)


def read_status(word: object, redaction: object = None) -> FlowStatus:
    """The status alone; an unknown word is still under way. What is redacted, or about to be, is of no more use."""
    if redaction is not None:
        return FlowStatus.ERASED
    return _STATUS.get(word, FlowStatus.PROCESSING) if isinstance(word, str) else FlowStatus.PROCESSING


def read_session(flow: Flow, session: Mapping[str, Any]) -> Result:
    """Read a session with its report expanded. `verified` counts only with a verified check behind it, and no other."""
    word = as_text(session.get("status"))
    status = read_status(word, session.get("redaction"))
    if status is FlowStatus.ERASED:
        return Result(flow=_become(flow, status), vendor_word=word and word[:40])
    report = as_object(session.get("last_verification_report"))
    checks = tuple(_checks(report))
    result = Result(
        flow=_become(flow, status),
        vendor_word=word and word[:40],
        checks=checks,
        documents=tuple(_documents(report)),
        fields=tuple(_fields(as_object(session.get("verified_outputs")))),
    )
    error = session.get("last_error")
    code = as_text(as_object(error).get("code"))
    if word == "verified":
        passed = any(check.outcome is CheckOutcome.PASSED for check in checks)
        bad = bool(error) or any(check.outcome is not CheckOutcome.PASSED for check in checks)
        verdict = VendorVerdict.POSITIVE if passed and not bad else VendorVerdict.DOUBTFUL
        return attrs.evolve(result, verdict=verdict, doubts=tuple(_doubts(session, report)))
    if word == "requires_input" and code not in (None, "abandoned"):
        # the attempt is over, and nothing more comes unless the applicant is sent there again
        against = code.startswith(_AGAINST) and code not in _NOT_AGAINST
        verdict = VendorVerdict.NEGATIVE if against else VendorVerdict.DOUBTFUL
        return attrs.evolve(
            result,
            flow=_become(flow, FlowStatus.FINISHED),
            verdict=verdict,
            notes=(f"last_error {code[:60]}",),
        )
    if word not in _STATUS:
        result = attrs.evolve(result, notes=("unknown status",))
    # what an earlier attempt reported says nothing of this one
    return result if status.is_settled else attrs.evolve(result, checks=(), documents=(), fields=())


def _become(flow: Flow, status: FlowStatus) -> Flow:
    """A verdict may be overridden by a person in the dashboard (docs.stripe.com/identity/review-tools), and an applicant who
    failed may be sent there again."""
    return attrs.evolve(flow, status=status, may_reopen=status is FlowStatus.FINISHED)


def _doubts(session: Mapping[str, Any], report: Mapping[str, Any]) -> Iterator[Reason]:
    """What was asked for and is not in the report, and what speaks of a failure beside the parts."""
    if failed := failures_in({key: value for key, value in session.items() if key not in _SESSION}):
        yield Reason("session.failure", f"the session is verified and tells of a failure: {', '.join(failed)}")
    asked = as_object(as_object(session.get("options")).get("document"))
    for option, part in (("require_matching_selfie", "selfie"), ("require_id_number", "id_number")):
        if asked.get(option) is True and report.get(part) is None:
            yield Reason("report.incomplete", f"the report says nothing of the {part}, which was required")


def _checks(report: Mapping[str, Any]) -> Iterator[Check]:
    for part_name, kind, name in PARTS:
        part = report.get(part_name)
        if part is not None:
            yield _check(kind, name, part_name, part)
    # parts that the pages do not have (yet): an object, a list, or a word, which may be a verdict
    known = {part_name for part_name, _, _ in PARTS} | _REPORT
    for name, part in report.items():
        if name not in known and _is_part(name, part):
            yield _check(CheckKind.OTHER, "other", shown(name), part)


def _is_part(name: str, part: object) -> bool:
    if isinstance(part, (dict, list)):
        return bool(part)
    return bool(failures_in({name: part})) or part is False or (isinstance(part, str) and bool(_WORD.fullmatch(part)))


def _check(kind: CheckKind, name: str, part_name: str, part: object) -> Check:
    """One part of the report. It passes only as an object that is understood, with no error in it."""
    said = as_object(part)
    word, error = as_text(said.get("status")), said.get("error")
    outcome = _OUTCOMES.get(word or "", CheckOutcome.INCONCLUSIVE)
    beside = failures_in({key: value for key, value in said.items() if key not in ("status", "error", *_PERSONAL)})
    if outcome is CheckOutcome.PASSED and (error or beside or kind is CheckKind.OTHER):
        outcome = CheckOutcome.INCONCLUSIVE
    code = as_text(as_object(error).get("code")) or ("unknown_error" if error else None)
    if code in _NOT_AGAINST:
        outcome = CheckOutcome.INCONCLUSIVE
    return Check(
        kind=kind,
        name=name,
        vendor_name=part_name[:40],
        outcome=outcome,
        reasons=(*((code[:80],) if code else ()), *beside),
        vendor_word=word and word[:40],
    )


def _documents(report: Mapping[str, Any]) -> Iterator[DocumentEvidence]:
    document = as_object(report.get("document"))
    dates = document_dates(issued=_dates(document, means_issue), expires=_dates(report, means_expiry))
    if not document and not any(dates.values()):
        return
    country = as_text(document.get("issuing_country"))
    word = as_text(document.get("type"))
    yield DocumentEvidence(
        document_id=None,
        type=DOCUMENT_TYPES.get(word, DocumentType.OTHER) if word else None,
        vendor_type=word and shown(word),
        country=country if country in COUNTRIES else None,
        fields=tuple(_fields(document)),
        **dates,
    )


def _fields(data: Mapping[str, Any]) -> Iterator[ExtractedField]:
    for key, name in _CLAIMS.items():
        raw = data.get(key)
        field = None if _is_null(raw) else read_field(name, key, raw)
        if field is not None:
            yield field
    address = as_object(data.get("address"))
    if any(as_text(part) for part in address.values()):
        country = as_text(address.get("country"))
        lines = [text for line in ("line1", "line2") if (text := as_text(address.get(line)))]
        yield ExtractedField(
            name=FieldName.ADDRESS,
            value=Address(
                street_address="\n".join(lines) or None,
                locality=as_text(address.get("city")),
                region=as_text(address.get("state")),
                postal_code=as_text(address.get("postal_code")),
                country=country if country in COUNTRIES else None,
            ),
            vendor_name="address",
        )


def _dates(place: Mapping[str, Any], means: Meaning) -> tuple[object, ...]:
    """Dates of that meaning, `{day, month, year}` each. One whose parts are all null is none; one that lacks only some is not
    understood.
    """
    told = {key: value for key, value in place.items() if key not in _REPORT}
    return tuple(value for value in dates_under(told, means) if not _is_null(value))


def _is_null(date: object) -> bool:
    return isinstance(date, dict) and date.keys() == _DATE and all(part is None for part in date.values())


def public(session: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the answer: words and codes, no name, number, file or link."""
    report = as_object(session.get("last_verification_report"))
    parts = {
        name: {"status": part.get("status"), "error": as_object(part.get("error")).get("code")}
        for name, part in report.items()
        if isinstance(part, dict) and "status" in part
    }
    kept = {key: session.get(key) for key in ("id", "status", "type", "livemode", "created")}
    return without_secrets({**kept, "last_error": as_object(session.get("last_error")).get("code"), "report": parts})


def as_object(value: object) -> Mapping[str, Any]:
    """The object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str | None:
    """The text, or None for anything else and for an empty one."""
    return value if isinstance(value, str) and value else None
