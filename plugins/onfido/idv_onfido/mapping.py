"""Onfido's reports in our vocabulary: results, sub-results, breakdowns (documentation.onfido.com/api/latest#reports)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from idv_core.plugin import (
    OTHER,
    OVERALL,
    Address,
    Check,
    CheckKind,
    CheckOutcome,
    DocumentEvidence,
    DocumentType,
    ExtractedField,
    FieldName,
    Meaning,
    Score,
    alpha_2,
    dates_under,
    document_dates,
    failures_in,
    means_expiry,
    means_issue,
    read_field,
    without_secrets,
)

_KINDS = {
    "document": (CheckKind.DOCUMENT, "authenticity"),
    "document_video": (CheckKind.DOCUMENT, "authenticity"),
    "document_video_with_address_information": (CheckKind.DOCUMENT, "authenticity"),
    "document_with_address_information": (CheckKind.DOCUMENT, "authenticity"),
    "document_with_driving_licence_information": (CheckKind.DOCUMENT, "authenticity"),
    "document_with_driver_verification": (CheckKind.DOCUMENT, "authenticity"),
    "facial_similarity_photo": (CheckKind.FACE_MATCH, "selfie_to_document"),
    "facial_similarity_photo_fully_auto": (CheckKind.FACE_MATCH, "selfie_to_document"),
    "facial_similarity_video": (CheckKind.FACE_MATCH, "selfie_to_document"),
    "facial_similarity_motion": (CheckKind.FACE_MATCH, "selfie_to_document"),
    "known_faces": (CheckKind.OTHER, "other"),
    "device_intelligence": (CheckKind.OTHER, "other"),
    "identity_enhanced": (CheckKind.DATA_SOURCE, "government_register"),
    "us_driving_licence": (CheckKind.DATA_SOURCE, "government_register"),
    "india_pan": (CheckKind.DATA_SOURCE, "government_register"),
    "watchlist_aml": (CheckKind.SCREENING, "overall"),
    "watchlist_enhanced": (CheckKind.SCREENING, "overall"),
    "watchlist_standard": (CheckKind.SCREENING, "overall"),
    "watchlist_peps_only": (CheckKind.SCREENING, "politically_exposed"),
    "watchlist_sanctions_only": (CheckKind.SCREENING, "sanctions"),
    "proof_of_address": (CheckKind.ADDRESS_MATCH, "overall"),
}
KINDS = frozenset({*(kind for kind, _ in _KINDS.values()), CheckKind.LIVENESS})
SCORED = frozenset({CheckKind.FACE_MATCH, CheckKind.LIVENESS})
# A facial similarity report answers two questions: the same face, and a live one.
_FACE_PARTS = (
    ("face_comparison", CheckKind.FACE_MATCH, "selfie_to_document", "face_match"),
    ("visual_authenticity", CheckKind.LIVENESS, "presentation_attack", "spoofing_detection"),
)
DOCUMENT_TYPES = {
    "driving_licence": DocumentType.DRIVING_PERMIT,
    "national_identity_card": DocumentType.IDCARD,
    "passport": DocumentType.PASSPORT,
    "passport_card": DocumentType.PASSPORT,
    "residence_permit": DocumentType.RESIDENCE_PERMIT,
    "tax_id": DocumentType.TAX_CARD,
    "visa": DocumentType.VISA,
    "voter_id": DocumentType.VOTER_CARD,
    "work_permit": DocumentType.WORK_PERMIT,
    "social_security_card": DocumentType.NATIONAL_NUMBER_CARD,
    "national_health_insurance_card": DocumentType.HEALTH_CARD,
    "professional_qualification_card": DocumentType.PROFESSIONAL_CARD,
    "birth_certificate": DocumentType.BIRTH_CERTIFICATE,
    "bank_building_society_statement": DocumentType.BANK_STATEMENT,
    "utility_bill": DocumentType.UTILITY_STATEMENT,
    "council_tax": DocumentType.TAX_STATEMENT,
}
# Onfido's words for what it is told of a document (documentation.onfido.com/api/latest#document-types).
SENT_TYPES = {type_: word for word, type_ in DOCUMENT_TYPES.items() if word != "passport_card"}
# Properties of a document report and our names (documentation.onfido.com/api/latest#document-report).
_CLAIMS = {
    "first_name": FieldName.GIVEN_NAME,
    "middle_name": FieldName.MIDDLE_NAME,
    "last_name": FieldName.FAMILY_NAME,
    "date_of_birth": FieldName.BIRTHDATE,
    "place_of_birth": FieldName.PLACE_OF_BIRTH,
    "gender": FieldName.GENDER,
    "nationality": FieldName.NATIONALITIES,
    "personal_number": FieldName.PERSONAL_NUMBER,
    "father_name": FieldName.FATHER_NAME,
    "mother_name": FieldName.MOTHER_NAME,
    "spouse_name": FieldName.SPOUSE_NAME,
    "profession": FieldName.OCCUPATION,
    "issuing_authority": FieldName.ISSUER,
    "tax_number": FieldName.TAX_NUMBER,
    "civil_state": FieldName.MARITAL_STATUS,
    "alias_name": FieldName.ALSO_KNOWN_AS,
}
# Members of `address_lines`, and those of an address.
_ADDRESS_LINES = {
    "street_address": "street_address",
    "city": "locality",
    "state": "region",
    "postal_code": "postal_code",
}
_NUMBERS = {
    "document_number": FieldName.DOCUMENT_NUMBER,
    "personal_number": FieldName.PERSONAL_NUMBER,
    "tax_id": FieldName.TAX_NUMBER,
}
# Of reports that look for somebody in lists: what they have found (API v3.6), by the beginning of their names.
_FINDINGS: Mapping[str, tuple[str, ...]] = {"watchlist": ("records",), "known": ("matches",)}
# What is read where it stands, or is about the report itself; the rest may tell of a failure or a date.
_REPORT = frozenset(
    {
        "id", "uuid", "created_at", "href", "status", "result", "sub_result", "check_id", "name", "breakdown", "documents",
        "live_photos", "live_videos", "motion_captures", "id_photos", "sandbox",
    }
)  # fmt: skip
# What a person's papers say, which is text of any kind.
_PERSONAL = frozenset(
    {
        "first_name", "middle_name", "last_name", "date_of_birth", "gender", "nationality",
        "personal_number", "address", "address_lines", "alias_name", "father_name", "full_name", "mother_name",
        "place_of_birth", "profession", "religion", "remarks", "spouse_name", "widow_name",
    }
)  # fmt: skip
# The classes of vehicles of a licence end by themselves ("which may be different to doc expiry", API v3.6).
_CLASSES = frozenset({"driving_licence_information", "vehicle_class_details"})
_WORD = re.compile(r"[a-z0-9_]{1,60}")


@attrs.frozen
class Report:
    """A report's name and what it says: an item of `/reports`, or the output of a report task of a workflow."""

    name: str
    data: Mapping[str, Any] = attrs.field(repr=False)


def report_name(task_def_id: str) -> str | None:
    """The report that a task of a workflow makes, None for tasks that make none or that we do not know."""
    name = task_def_id.removesuffix("_check")
    return name if name in _KINDS else None


def checks_of(names: Iterable[str] = _KINDS) -> set[str]:
    """The checks that reports of these names may hold, as policies name them."""
    found = [_KINDS[name] for name in names if name in _KINDS]
    faces = (
        [(kind, name) for _, kind, name, _ in _FACE_PARTS] if any(k is CheckKind.FACE_MATCH for k, _ in found) else []
    )
    known = [(kind, name) for kind, name in (*found, *faces) if kind is not CheckKind.OTHER]
    return {kind.value if name == OVERALL else f"{kind.value}.{name}" for kind, name in known}


def read_reports(
    reports: Iterable[Report], ours: Mapping[str, str]
) -> tuple[tuple[Check, ...], tuple[DocumentEvidence, ...]]:
    """Checks and documents. `ours` leads from Onfido's ids of documents and photos to those of the platform."""
    checks: list[Check] = []
    documents: list[DocumentEvidence] = []
    for report in reports:
        kind, name = _KINDS.get(report.name, (None, OTHER))
        if kind is CheckKind.FACE_MATCH:
            checks.extend(_face_checks(report, ours))
        else:
            checks.append(_check(report, kind, name, ours))
        if kind is CheckKind.DOCUMENT:
            documents.append(_document(report, ours))
    return tuple(checks), tuple(documents)


def _check(report: Report, kind: CheckKind | None, name: str, ours: Mapping[str, str]) -> Check:
    """Clear passes. Of what is flagged only a suspected document fails; the rest is for a person to look at."""
    word, sub = as_word(report.data.get("result")), as_word(report.data.get("sub_result"))
    if not _is_complete(report):
        outcome = CheckOutcome.NOT_DONE if report.data.get("status") in ("withdrawn", "cancelled") else None
    elif _is_clear(report) and report.data.get("sub_result") in (None, "clear") and kind is not None:
        outcome = CheckOutcome.PASSED
    else:
        outcome = CheckOutcome.FAILED if (word, sub) == ("consider", "suspected") else None
    return Check(
        kind=kind or CheckKind.OTHER,
        name=name,
        vendor_name=as_word(report.name) or "report",
        outcome=outcome or CheckOutcome.INCONCLUSIVE,
        reasons=tuple(_flagged(report.data)) or (tuple(_contradictions(report)) if word == "clear" else ()),
        document_id=_one_of_ours(report, "documents", ours),
        vendor_word=sub or word,
    )


def _face_checks(report: Report, ours: Mapping[str, str]) -> Iterator[Check]:
    whole, complete = as_word(report.data.get("result")), _is_complete(report)
    for part_name, kind, name, scored in _FACE_PARTS:
        said = as_object(report.data.get("breakdown")).get(part_name)
        part, word = as_object(said), as_word(_result_of(said))
        score = as_object(as_object(as_object(part.get("breakdown")).get(scored)).get("properties")).get("score")
        unread = ("score",) if Score.is_unread(score) else ()
        if complete and word == "clear" and _is_clear(report) and not unread:
            outcome = CheckOutcome.PASSED
        else:
            outcome = CheckOutcome.FAILED if complete and word == "consider" else CheckOutcome.INCONCLUSIVE
        yield Check(
            kind=kind,
            name=name,
            vendor_name=part_name,
            outcome=outcome,
            score=Score.read(score),
            reasons=(*_flagged(part), *unread),
            document_id=_one_of_ours(report, "live_photos", ours),
            vendor_word=word or whole,
        )


def _is_complete(report: Report) -> bool:
    """A task's output has no status."""
    return bool(report.data.get("status", "complete") == "complete")


def _is_clear(report: Report) -> bool:
    """Clear as a whole and in all of its parts; one that contradicts itself is not understood."""
    return report.data.get("result") == "clear" and next(_contradictions(report), None) is None


def is_clear(report: Report) -> bool:
    """Clear, and nothing in it says anything else."""
    return _is_complete(report) and _is_clear(report) and report.data.get("sub_result") in (None, "clear")


def _contradictions(report: Report) -> Iterator[str]:
    """The parts of the breakdown, of any depth, that are not clear, what was found all the same, and what else tells of a
    failure."""
    data = report.data
    yield from (as_word(name) or "part" for name, part in _all_parts(data) if _is_flagged(part))
    # what was read of a document stands there, and with it when it ends
    properties = data.get("properties")
    if not isinstance(properties, (dict, list, type(None))):
        yield "properties"
    found = _FINDINGS.get(report.name.partition("_")[0], ())
    yield from (key for key in found if as_object(properties).get(key))
    for rest in _rests(data):
        yield from failures_in(rest, known=_PERSONAL)


def _all_parts(data: object) -> Iterator[tuple[str, object]]:
    for name, part in _parts(data).items():
        yield name, part
        yield from _all_parts(part) if "breakdown" in as_object(part) else ()


def _rests(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the report, and each part of its breakdown, says beside its result: properties, and what nobody documents."""
    yield {key: value for key, value in data.items() if key not in _REPORT}
    for _, part in _all_parts(data):
        yield {key: value for key, value in as_object(part).items() if key not in ("result", "breakdown")}


def _flagged(data: Mapping[str, Any]) -> Iterator[str]:
    """The parts of the breakdown that are not clear, two levels deep: `visual_authenticity.fonts`."""
    for name, part in _parts(data).items():
        found = [inner for inner, value in _parts(part).items() if _is_flagged(value) and as_word(inner)]
        if _is_flagged(part) and as_word(name):
            yield from (f"{name}.{inner}" for inner in found) if found else (name,)


def _parts(data: object) -> Mapping[str, Any]:
    """The breakdown of a report or of a part of it. One that is there and no object is one part of that name."""
    breakdown = as_object(data).get("breakdown")
    return breakdown if isinstance(breakdown, dict) else {"breakdown": breakdown}


def _result_of(part: object) -> object:
    """`{"result": "clear"}`, or the word alone."""
    return part.get("result") if isinstance(part, dict) else part


def _is_flagged(part: object) -> bool:
    return _result_of(part) not in (None, "clear")


def _document(report: Report, ours: Mapping[str, str]) -> DocumentEvidence:
    read = as_object(report.data.get("properties"))
    fields = [read_field(name, key, read.get(key)) for key, name in _CLAIMS.items()]
    for number in as_list(read.get("document_numbers")):
        key = as_word(as_object(number).get("type"))
        if key:
            fields.append(read_field(_NUMBERS.get(key, FieldName.OTHER), key, as_object(number).get("value")))
    fields.append(_address(read))
    word = as_word(read.get("document_type"))
    return DocumentEvidence(
        document_id=_one_of_ours(report, "documents", ours),
        type=DOCUMENT_TYPES.get(word, DocumentType.OTHER) if word else None,
        vendor_type=word,
        country=_country(read.get("issuing_country")),
        fields=tuple(field for field in fields if field is not None),
        **document_dates(issued=_dates(report, means_issue), expires=_dates(report, means_expiry)),
    )


def _address(read: Mapping[str, Any]) -> ExtractedField | None:
    """`address` as printed and `address_lines`, its parts, are one field."""
    lines, printed = as_object(read.get("address_lines")), as_text(read.get("address"))
    members = {ours: text for theirs, ours in _ADDRESS_LINES.items() if (text := as_text(lines.get(theirs)))}
    country = _country(lines.get("country_code")) or _country(lines.get("country"))
    if not printed and not members and not country:
        return None
    return ExtractedField(
        name=FieldName.ADDRESS,
        value=Address(formatted=printed, **members, country=country),
        vendor_name="address" if printed else "address_lines",
        vendor_text=printed,
    )


def tells_expiry(report: Report) -> bool:
    """Whether the report says when something ends."""
    return any(value is not None for value in _dates(report, means_expiry))


def _dates(report: Report, means: Meaning) -> tuple[object, ...]:
    """The document's own dates wherever they stand; those of its classes of vehicles only where it has none."""
    rests = tuple(_rests(report.data))
    own = dates_under(tuple(map(_without_classes, rests)), means)
    return own if any(value is not None and value != "" for value in own) else dates_under(rests, means)


def _without_classes(data: Any) -> Any:
    if isinstance(data, list):
        return [_without_classes(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        key: _without_classes(value)
        for key, value in data.items()
        if key != "passenger_vehicle" and not (key in _CLASSES and isinstance(value, list))
    }


def _one_of_ours(report: Report, key: str, ours: Mapping[str, str]) -> str | None:
    """The platform's id of what the report is about, if it is about one thing."""
    listed = report.data.get(key)
    named = {ours.get(str(as_object(item).get("id"))) for item in (listed if isinstance(listed, list) else ())}
    return named.pop() if len(named) == 1 else None


def public(answer: Mapping[str, Any], reports: Iterable[Report]) -> dict[str, Any]:
    """What is kept of the answers: ids and words; no name, number, link, or output that a workflow was given."""
    kept = {name: answer.get(name) for name in ("id", "status", "result", "workflow_id", "workflow_version_id")}
    read = [
        {"name": as_word(report.name), "result": as_word(report.data.get("result")),
         "sub_result": as_word(report.data.get("sub_result")), "flagged": list(_flagged(report.data))}
        for report in reports
    ]  # fmt: skip
    return without_secrets({**{name: value for name, value in kept.items() if value is not None}, "reports": read})


def _country(code: object) -> str | None:
    return alpha_2(code) if isinstance(code, str) else None


def as_object(value: object) -> Mapping[str, Any]:
    """The object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_word(value: object) -> str | None:
    """A word of the vendor's, which may be shown; None for anything else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def as_text(value: object) -> str | None:
    """The text, or None for anything else and for an empty one."""
    return value if isinstance(value, str) and value else None
