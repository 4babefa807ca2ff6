"""Stripe's words in our vocabulary: a session's status, its last error, and the report of its last attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import attrs

from idv_core.model import (
    Check,
    CheckKind,
    CheckOutcome,
    DocumentEvidence,
    ExtractedField,
    FlowStatus,
    VendorVerdict,
)
from idv_core.model.values import COUNTRIES

_STATUS = {
    "requires_input": FlowStatus.AWAITING_APPLICANT,
    "processing": FlowStatus.PROCESSING,
    "verified": FlowStatus.FINISHED,
    "canceled": FlowStatus.CANCELLED,
}
# The beginnings of error codes that speak of what was checked; the applicant may try again with a fresh link.
_AGAINST = ("document_", "selfie_", "id_number_", "email_unverified", "phone_unverified", "under_supported_age")
_PARTS = (
    ("document", CheckKind.DOCUMENT),
    ("selfie", CheckKind.FACE_MATCH),
    ("id_number", CheckKind.DATA_SOURCE),
    ("email", CheckKind.EMAIL),
    ("phone", CheckKind.PHONE),
)
KINDS = frozenset(kind for _, kind in _PARTS)
_OUTCOMES = {"verified": CheckOutcome.PASSED, "unverified": CheckOutcome.FAILED}
_FIELDS = ("first_name", "last_name", "sex")


@attrs.frozen(kw_only=True)
class Reading:
    """What a session says."""

    status: FlowStatus
    verdict: VendorVerdict | None = None
    word: str | None = None
    checks: tuple[Check, ...] = ()
    documents: tuple[DocumentEvidence, ...] = ()
    notes: tuple[str, ...] = ()


def read_status(word: object) -> FlowStatus:
    """The status alone; an unknown word is still under way."""
    return _STATUS.get(word, FlowStatus.PROCESSING) if isinstance(word, str) else FlowStatus.PROCESSING


def read_session(session: Mapping[str, Any]) -> Reading:
    """Read a session with its report expanded. `verified` counts only with a verified check behind it."""
    word = _text(session.get("status"))
    status = read_status(word)
    report = _object(session.get("last_verification_report"))
    checks = tuple(_checks(report))
    reading = Reading(
        status=status,
        word=word and word[:40],
        checks=checks,
        documents=tuple(_documents(report)),
        notes=() if session.get("livemode") is True else ("test mode",),
    )
    code = _text(_object(session.get("last_error")).get("code"))
    if word == "verified":
        passed = any(check.outcome is CheckOutcome.PASSED for check in checks)
        bad = any(check.outcome is not CheckOutcome.PASSED for check in checks)
        return attrs.evolve(reading, verdict=VendorVerdict.POSITIVE if passed and not bad else VendorVerdict.DOUBTFUL)
    if word == "requires_input" and code not in (None, "abandoned"):
        # the attempt is over, and nothing more comes unless the applicant is sent there again
        against = code.startswith(_AGAINST)
        verdict = VendorVerdict.NEGATIVE if against else VendorVerdict.DOUBTFUL
        return attrs.evolve(
            reading, status=FlowStatus.FINISHED, verdict=verdict, notes=(*reading.notes, f"last_error {code[:60]}")
        )
    if word not in _STATUS:
        reading = attrs.evolve(reading, notes=(*reading.notes, "unknown status"))
    # what an earlier attempt reported says nothing of this one
    return reading if status.is_final else attrs.evolve(reading, checks=(), documents=())


def _checks(report: Mapping[str, Any]) -> Iterator[Check]:
    for name, kind in _PARTS:
        part = report.get(name)
        if not isinstance(part, dict):
            continue
        word = _text(part.get("status"))
        code = _text(_object(part.get("error")).get("code"))
        yield Check(
            kind=kind,
            name=(_text(part.get("type")) or name)[:40] if name == "document" else name,
            outcome=_OUTCOMES.get(word or "", CheckOutcome.INCONCLUSIVE),
            reasons=(code[:80],) if code else (),
            vendor_word=word and word[:40],
        )


def _documents(report: Mapping[str, Any]) -> Iterator[DocumentEvidence]:
    document = _object(report.get("document"))
    if not document:
        return
    country = _text(document.get("issuing_country"))
    read = {name: _text(document.get(name)) for name in _FIELDS}
    yield DocumentEvidence(
        document_id=None,
        type=(_text(document.get("type")) or "").upper() or None,
        country=country if country in COUNTRIES else None,
        fields=tuple(ExtractedField(name=name, value=value) for name, value in read.items() if value),
        issued_on=_date(document.get("issued_date")),
        expires_on=_date(document.get("expiration_date")),
    )


def _date(value: object) -> date | None:
    """`{day, month, year}`; parts may be missing."""
    parts = _object(value)
    try:
        return date(parts["year"], parts["month"], parts["day"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def public(session: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the answer: words and codes, no name, number, file or link."""
    report = _object(session.get("last_verification_report"))
    parts = {
        name: {"status": part.get("status"), "error": _object(part.get("error")).get("code")}
        for name, _ in _PARTS
        if isinstance(part := report.get(name), dict)
    }
    kept = {key: session.get(key) for key in ("id", "status", "type", "livemode", "created")}
    return {**kept, "last_error": _object(session.get("last_error")).get("code"), "report": parts}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
