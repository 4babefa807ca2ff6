"""An inquiry, its verifications and reports in our vocabulary (docs.withpersona.com/model-lifecycle)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

from idv_core.plugin import (
    COUNTRIES,
    OTHER,
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

from .json_api import all_related, as_list, as_object, as_text, attributes_of, included, related
from .words import (
    ADDRESS,
    CHECKS,
    CLAIMS,
    COMPARED,
    FORGERY,
    ID_CLASSES,
    REGISTER_CLAIMS,
    REPORTS,
    STREETS,
    VERIFICATIONS,
)

_STATUS = {
    "created": FlowStatus.AWAITING_APPLICANT,
    "pending": FlowStatus.AWAITING_APPLICANT,
    "completed": FlowStatus.FINISHED,
    "failed": FlowStatus.FINISHED,
    "needs_review": FlowStatus.FINISHED,
    "approved": FlowStatus.FINISHED,
    "declined": FlowStatus.FINISHED,
    "expired": FlowStatus.EXPIRED,
}
_VERDICTS = {
    "approved": VendorVerdict.POSITIVE,
    "needs_review": VendorVerdict.DOUBTFUL,
    "declined": VendorVerdict.NEGATIVE,
    "failed": VendorVerdict.NEGATIVE,
}
# Who decided it: a person at Persona's dashboard, or a workflow.
_REVIEWERS = {"user": "person", "workflow": "vendor", "workflow-run": "vendor"}
_OUTCOMES = {
    "passed": CheckOutcome.PASSED,
    "failed": CheckOutcome.FAILED,
    "requires_retry": CheckOutcome.FAILED,
    "skipped": CheckOutcome.NOT_DONE,
    "canceled": CheckOutcome.NOT_DONE,
}
# An attempt that the applicant gave up counts only where there is no other.
_GIVEN_UP = frozenset({"initiated", "skipped", "canceled"})
KINDS = frozenset({*(kind for kind, _ in (*VERIFICATIONS.values(), *CHECKS.values())), CheckKind.SCREENING})
# What an inquiry and a verification have beside what may tell of a failure.
_INQUIRY = frozenset(
    {
        "status", "reference-id", "note", "behaviors", "tags", "creator", "reviewer-comment", "created-at", "updated-at",
        "started-at", "expires-at", "completed-at", "failed-at", "marked-for-review-at", "decisioned-at", "expired-at",
        "redacted-at", "previous-step-name", "next-step-name", "fields",
    }
)  # fmt: skip
_SHARED = frozenset(
    {
        "status", "created-at", "created-at-ts", "submitted-at", "submitted-at-ts", "completed-at", "completed-at-ts",
        "redacted-at", "country-code", "tags", "checks",
    }
)  # fmt: skip
# Texts of any kind: of a person's papers, of an applicant, and Persona's places of files.
_LOOSE = frozenset(
    {
        *CLAIMS, *REGISTER_CLAIMS, *ADDRESS, *STREETS, "address", "address-country-code", "kana-name", "name-suffix",
        "native-name-first", "native-name-middle", "native-name-last", "native-name-title", "issuing-subdivision",
        "visa-status", "designations", "endorsements", "restrictions", "height", "front-photo-url", "back-photo-url",
        "photo-urls", "selfie-photo", "selfie-photo-url", "video-url", "center-photo-url", "left-photo-url",
        "right-photo-url", "center-photo-face-coordinates", "entity-confidence-reasons", "fields", "files",
        "files-normalized", "extraction-responses", "confirmation-code",
    }
)  # fmt: skip
_DOCUMENTS = frozenset({"government-id", "government-id-nfc", "jp-my-number-nfc-scan", "mdoc"})
# What a report has found (schemas report-watchlist, report-adverse-media), and what of it somebody has dismissed.
_FINDINGS, _DISMISSED = ("matched-lists", "related-sources"), ("ignore-list", "ignore-list-media", "ignore-list-entity")
_OTHER_FIELDS = ("name-suffix", "native-name-first", "native-name-middle", "native-name-last", "issuing-subdivision",
                 "visa-status", "endorsements", "restrictions", "height")  # fmt: skip
_REGISTERS = frozenset({CheckKind.DATA_SOURCE, CheckKind.EMAIL, CheckKind.PHONE})


def is_redacted(attributes: Mapping[str, Any]) -> bool:
    """Whether the data of an inquiry, a verification or a report are deleted. The status does not tell."""
    return attributes.get("redacted-at") is not None


def read_status(attributes: Mapping[str, Any], *, waits_for_decision: bool) -> FlowStatus:
    """The status alone. An unknown word is still under way; so is `completed` where a decision is to come."""
    if is_redacted(attributes):
        return FlowStatus.ERASED
    word = as_text(attributes.get("status"))
    if word == "completed" and waits_for_decision:
        return FlowStatus.PROCESSING
    return _STATUS.get(word or "", FlowStatus.PROCESSING)


def read_inquiry(flow: Flow, answer: Mapping[str, Any]) -> Result:
    """Read an inquiry with its verifications and reports included; `flow` is as far as the inquiry is.

    `approved` counts with a passed verification behind it and no other that did not pass, or where a person decided.
    """
    inquiry = as_object(answer.get("data"))
    word = as_text(attributes_of(inquiry).get("status"))
    reviewer = as_text(related(inquiry, "reviewer").get("type")) if word in ("approved", "declined") else None
    attempts = tuple(included(answer, "verification"))
    current, notes = _current(attempts)
    checks: list[Check] = []
    for verification in current:
        checks += _checks(verification, notes)
    checks += [_screening(report) for report in included(answer, "report")]
    result = Result(
        flow=flow,
        vendor_word=word and word[:40],
        decided_by=_REVIEWERS.get(reviewer or ""),
        verdict=_verdict(word, reviewer, checks) if flow.status is FlowStatus.FINISHED else None,
        checks=tuple(checks),
        documents=tuple(_document(one) for one in current if _type_of(one) in _DOCUMENTS),
        fields=tuple(field for one in current for field in _confirmed(one)),
        doubts=tuple(_doubts(answer, inquiry)),
        notes=tuple(notes),
    )
    if word not in _STATUS:
        result = attrs.evolve(result, notes=("unknown status",))
    # what has been done so far says nothing of the end
    return (
        result
        if flow.status in (FlowStatus.FINISHED, FlowStatus.EXPIRED)
        else attrs.evolve(result, checks=(), documents=(), fields=())
    )


def _verdict(word: str | None, reviewer: str | None, checks: list[Check]) -> VendorVerdict | None:
    verdict = _VERDICTS.get(word or "")
    if verdict is not VendorVerdict.POSITIVE or reviewer == "user":
        return verdict
    passed = any(check.outcome is CheckOutcome.PASSED for check in checks)
    bad = any(check.outcome is not CheckOutcome.PASSED for check in checks)
    return verdict if passed and not bad else VendorVerdict.DOUBTFUL


def _current(attempts: tuple[Mapping[str, Any], ...]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The last attempt at each verification, and what to tell of those before it.

    Where it is not certain which one was the last, all count.
    """
    groups: dict[tuple[str, object], list[Mapping[str, Any]]] = {}
    for one in attempts:
        template = as_text(related(one, "verification-template").get("id"))
        groups.setdefault((_type_of(one), template), []).append(one)
    current, notes = [], []
    for (type_, _), group in groups.items():
        done = [one for one in group if as_text(attributes_of(one).get("status")) not in _GIVEN_UP] or group
        moments = [_moment(one) for one in done]
        last = max((moment for moment in moments if moment is not None), default=None)
        if None in moments or moments.count(last) > 1:
            current += group
            continue
        current += [one for one, moment in zip(done, moments, strict=True) if moment == last]
        if len(group) > 1:
            notes.append(f"{shown(type_)}: the last of {len(group)} attempts counts")
    return current, notes


def _moment(verification: Mapping[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(attributes_of(verification).get("created-at")))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _type_of(resource: Mapping[str, Any]) -> str:
    return str(resource.get("type")).partition("/")[2]


def _checks(verification: Mapping[str, Any], notes: list[str]) -> Iterator[Check]:
    """The verification as a whole, then its checks. What the template does not require and failed is only noted, unless it
    speaks of forgery; so is what does not apply.
    """
    type_, attributes = _type_of(verification), attributes_of(verification)
    kind, name = VERIFICATIONS.get(type_, (CheckKind.OTHER, OTHER))
    parts = [part for said in as_list(attributes.get("checks")) if (part := _part(kind, said, notes)) is not None]
    word = as_text(attributes.get("status"))
    outcome = _OUTCOMES.get(word or "", CheckOutcome.INCONCLUSIVE)
    beside = failures_in({key: value for key, value in attributes.items() if key not in (*_SHARED, *_LOOSE)})
    if attributes.get("meets-minimum-age") not in (None, True):
        beside = (*beside, "meets-minimum-age")
    is_list = isinstance(attributes.get("checks"), list)
    bad = beside or not is_list or any(part.outcome is not CheckOutcome.PASSED for part in parts)
    if outcome is CheckOutcome.PASSED and (bad or kind is CheckKind.OTHER):
        outcome = CheckOutcome.INCONCLUSIVE
    yield Check(
        kind=kind,
        name=name,
        vendor_name=shown(type_),
        outcome=outcome,
        reasons=beside,
        vendor_word=word and word[:40],
    )
    yield from parts


def _part(kind: CheckKind, said: object, notes: list[str]) -> Check | None:
    """One check of a verification, None for one that only leaves a note."""
    check = as_object(said)
    word, slug = as_text(check.get("status")), as_text(check.get("name")) or "unnamed"
    kind, name = CHECKS.get(slug, (kind, OTHER))
    is_required = check.get("requirement") != "not_required"
    outcome = _OUTCOMES.get(word or "") if word in ("passed", "failed") else None
    if word == "not_applicable":
        notes.append(f"{shown(slug)}: not applicable")
        return None
    if outcome is CheckOutcome.FAILED and not is_required:
        if slug in CHECKS and name not in FORGERY:
            notes.append(f"{shown(slug)}: failed, not required")
            return None
        outcome = CheckOutcome.INCONCLUSIVE
    if slug not in CHECKS and outcome is CheckOutcome.PASSED and kind is CheckKind.OTHER:
        outcome = CheckOutcome.INCONCLUSIVE
    return Check(
        kind=kind,
        name=name,
        vendor_name=shown(slug),
        outcome=outcome or CheckOutcome.INCONCLUSIVE,
        reasons=tuple(shown(reason) for reason in as_list(check.get("reasons")) if isinstance(reason, str) and reason),
        vendor_word=word and word[:40],
    )


def _screening(report: Mapping[str, Any]) -> Check:
    """A report passes when it is ready and says that there is no match. A match is for a person to look at."""
    attributes = attributes_of(report)
    name = REPORTS.get(_type_of(report))
    word, match = as_text(attributes.get("status")), attributes.get("has-match")
    found = any(attributes.get(key) for key in _FINDINGS) and not any(attributes.get(key) for key in _DISMISSED)
    is_clear = word == "ready" and match is False and not found
    return Check(
        kind=CheckKind.SCREENING if name else CheckKind.OTHER,
        name=name or OTHER,
        vendor_name=shown(_type_of(report)),
        outcome=CheckOutcome.PASSED if is_clear and name else CheckOutcome.INCONCLUSIVE,
        reasons=("match",) if match is True else ("findings_disagree",) if found else (),
        vendor_word=word and word[:40],
    )


def read_id_class(attributes: Mapping[str, Any]) -> DocumentType | None:
    """The type of document that a verification is about, None where it does not say."""
    word = _class_of(attributes)
    return ID_CLASSES.get(word, DocumentType.OTHER) if word else None


def _class_of(attributes: Mapping[str, Any]) -> str | None:
    return as_text(attributes.get("id-class")) or as_text(attributes.get("identification-class"))


def _document(verification: Mapping[str, Any]) -> DocumentEvidence:
    attributes = attributes_of(verification)
    word = _class_of(attributes)
    country = as_text(attributes.get("issuing-country")) or as_text(attributes.get("country-code"))
    told = {key: value for key, value in attributes.items() if key not in _SHARED}
    names = {**CLAIMS, **dict.fromkeys(_OTHER_FIELDS, FieldName.OTHER)}
    return DocumentEvidence(
        document_id=None,
        type=read_id_class(attributes),
        vendor_type=word and shown(word),
        country=country if country in COUNTRIES else None,
        fields=tuple(_fields(names, attributes)),
        **document_dates(issued=dates_under(told, means_issue), expires=dates_under(told, means_expiry)),
    )


def _confirmed(verification: Mapping[str, Any]) -> Iterator[ExtractedField]:
    """What a register, or a code that was sent, confirmed; not what it compared and found otherwise, required or not."""
    attributes = attributes_of(verification)
    kind, _ = VERIFICATIONS.get(_type_of(verification), (CheckKind.OTHER, OTHER))
    if kind in _REGISTERS and attributes.get("status") == "passed":
        checks = map(as_object, as_list(attributes.get("checks")))
        slugs = [as_text(check.get("name")) for check in checks if check.get("status") != "passed"]
        denied = {key for slug in slugs for key in COMPARED.get(slug or "", ())}
        yield from _fields(REGISTER_CLAIMS, {key: value for key, value in attributes.items() if key not in denied})


def _fields(names: Mapping[str, FieldName], attributes: Mapping[str, Any]) -> Iterator[ExtractedField]:
    """The fields of that table, and the address."""
    for key, name in names.items():
        field = read_field(name, key, attributes.get(key))
        if field is not None:
            yield field
    lines = [text for line in STREETS if (text := as_text(attributes.get(line)))]
    parts = {member: text for key, member in ADDRESS.items() if (text := as_text(attributes.get(key)))}
    printed, country = as_text(attributes.get("address")), as_text(attributes.get("address-country-code"))
    if lines or parts or printed:
        address = Address(
            formatted=printed,
            street_address="\n".join(lines) or None,
            **parts,
            country=country if country in COUNTRIES else None,
        )
        yield ExtractedField(name=FieldName.ADDRESS, value=address, vendor_name="address")


def _doubts(answer: Mapping[str, Any], inquiry: Mapping[str, Any]) -> Iterator[Reason]:
    """What was asked for and is not in the answer, and what speaks of a failure beside its parts."""
    attributes = attributes_of(inquiry)
    if failed := failures_in({key: value for key, value in attributes.items() if key not in _INQUIRY}):
        yield Reason("inquiry.failure", f"the inquiry tells of a failure: {', '.join(failed)}")
    for kind, name in (("verification", "verifications"), ("report", "reports")):
        there = {as_text(one.get("id")) for one in included(answer, kind)}
        named = {as_text(one.get("id")) for one in all_related(inquiry, name)}
        if named - there:
            yield Reason(f"{kind}.missing", f"the inquiry names a {kind} that the answer does not show")
        if there - named:
            yield Reason(f"{kind}.unnamed", f"the answer shows a {kind} that the inquiry does not name")


def public(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the answer: words and codes, no name, number, file or link."""
    inquiry = as_object(answer.get("data"))
    kept = {key: value for key, value in attributes_of(inquiry).items() if key == "status" or key.endswith("-at")}
    parts = [
        {
            "id": one.get("id"),
            "type": one.get("type"),
            "status": attributes_of(one).get("status"),
            "has-match": attributes_of(one).get("has-match"),
            "checks": [
                {name: as_object(check).get(name) for name in ("name", "status", "requirement")}
                for check in as_list(attributes_of(one).get("checks"))
            ],
        }
        for kind in ("verification", "report")
        for one in included(answer, kind)
    ]
    return without_secrets({"id": inquiry.get("id"), **kept, "included": parts})
