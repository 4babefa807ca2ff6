"""Atlas's words in our vocabulary. Atlas gives no verdict, so none is made here; good extraction is no passed check."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from idv_core.model import (
    Check,
    CheckKind,
    CheckOutcome,
    DocumentEvidence,
    ExtractedField,
    FieldPair,
    FlowStatus,
    Score,
    Secret,
)

_MASTER = {
    "NOT_STARTED": FlowStatus.OPEN,
    "IN_PROGRESS": FlowStatus.PROCESSING,
    "SUCCESS": FlowStatus.FINISHED,
    "FAILED": FlowStatus.FAILED,
}
_AADHAAR = re.compile(r"aadh?a+r.*n(o|um)", re.IGNORECASE)
# Spellings of one and the same type (fact sheet section 1.5 row 36).
_ALIASES = {"FSSAI_CERTIFICATE": "FSSAI", "AADHAR": "AADHAAR"}
_DEEPEST = 8
_DATE = re.compile(r"(\d{2})[/-](\d{2})[/-](\d{4})", re.ASCII)
# The names of these fields in the documents of section 7.
_ISSUED = ("date_of_issue", "issue_date", "issued_on", "bill_date")
_EXPIRES = ("date_of_expiry", "valid_till", "validity_to", "valid_upto")
# The values of a cross-check, and where it says which fields they are of.
_COMPARED = {"source_value": "source_field_name", "target_value": "target_field_name"}


def read_master_status(word: object) -> FlowStatus:
    """`master_status` alone decides whether a flow is finished; an unknown word is still under way (section 5.4)."""
    return _MASTER.get(word, FlowStatus.PROCESSING) if isinstance(word, str) else FlowStatus.PROCESSING


def read_documents(
    entries: Iterable[Mapping[str, Any]], container: str, expected: Iterable[str] = ()
) -> tuple[tuple[DocumentEvidence, ...], tuple[Check, ...]]:
    """Documents, and a failed check for each that Atlas could not use (a 200 may hold them, section 6.2).

    `container` is the key of the document object. An id that is empty or occurs twice attributes nothing (row 20). An
    `expected` document without an entry gives a check that was not done.
    """
    entries = list(entries)
    counted = Counter(_text(entry.get("document_id")) for entry in entries)
    documents: list[DocumentEvidence] = []
    checks: list[Check] = []
    for entry in entries:
        id = _text(entry.get("document_id"))
        attributed = id if id and counted[id] == 1 else None
        content = entry.get(container)
        content = content if isinstance(content, dict) else {}
        type_ = _text(content.get("document_type")) or _text(entry.get("document_type"))
        type_ = _ALIASES.get(type_ or "", type_)
        documents.append(_document(attributed, type_, content))
        reasons = tuple(_problems(entry, content))
        if reasons:
            checks.append(document_check(attributed, type_, CheckOutcome.FAILED, reasons))
    missing = [id for id in expected if id not in counted]
    checks += [document_check(id, None, CheckOutcome.NOT_DONE, ("no result came for this document",)) for id in missing]
    return tuple(documents), tuple(checks)


def read_cross_checks(items: Iterable[Mapping[str, Any]]) -> Iterator[Check]:
    """Pairs with scores of 0..100 (section 8). No outcome: only a policy's threshold can give one."""
    for item in items:
        score = Score.read(item.get("similarity_score"), 0, 100)
        yield Check(
            kind=CheckKind.CROSS_CHECK,
            name=_text(item.get("name")) or "UNNAMED",
            outcome=None if score else CheckOutcome.INCONCLUSIVE,
            score=score,
            reasons=() if score else ("the score is missing or outside 0..100",),
            pair=FieldPair(
                source_document=_text(item.get("source_doc")) or "?",
                source_field=_text(item.get("source_field_name")) or "?",
                source_value=_compared(item.get("source_field_name"), item.get("source_value")),
                target_document=_text(item.get("target_doc")) or "?",
                target_field=_text(item.get("target_field_name")) or "?",
                target_value=_compared(item.get("target_field_name"), item.get("target_value")),
            ),
        )


def public(data: Any, depth: int = 0) -> Any:
    """The vendor's answer with Aadhaar numbers masked and signed links left out."""
    if depth > _DEEPEST:
        return None
    if isinstance(data, list):
        return [public(item, depth + 1) if isinstance(item, (dict, list)) else item for item in data]
    if not isinstance(data, dict):
        return data
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if key in ("redact_url", "file_url"):
            continue
        if _is_aadhaar(key):
            kept[key] = _masked_field(value)
        elif key in _COMPARED and _is_aadhaar(str(data.get(_COMPARED[key], ""))):
            kept[key] = mask(value)
        else:
            kept[key] = public(value, depth + 1) if isinstance(value, (dict, list)) else value
    return kept


@lru_cache(maxsize=2048)
def _is_aadhaar(field: str) -> bool:
    """Whether a field of that name holds an Aadhaar number."""
    return _AADHAAR.search(field) is not None


def mask(value: Any) -> str:
    """An Aadhaar number with its last four digits only, whatever it looks like (section 1.5 row 21)."""
    text = "".join(str(value).split())
    return f"XXXX XXXX {text[-4:]}" if len(text) >= 8 else "XXXX XXXX XXXX"


def _masked_field(value: Any) -> Any:
    if isinstance(value, dict):
        score = Score.read(value.get("confidence_score"))
        return {"value": mask(value.get("value")), "confidence_score": score and score.raw}
    return mask(value)


def _document(id: str | None, type_: str | None, content: Mapping[str, Any]) -> DocumentEvidence:
    links = [
        field["redact_url"]
        for name, field in content.items()
        if _is_aadhaar(name) and isinstance(field, dict) and _text(field.get("redact_url"))
    ]
    return DocumentEvidence(
        document_id=id,
        type=type_,
        country="IN" if type_ in ("AADHAAR", "PAN", "VOTER_ID", "GST_CERT", "UDYAM_CERT") else None,
        fields=tuple(_fields(content)),
        images={"redacted": Secret(links[0])} if links else {},
        issued_on=_date(content, _ISSUED),
        expires_on=_date(content, _EXPIRES),
    )


def _date(content: Mapping[str, Any], names: Iterable[str]) -> date | None:
    """Printed day first, with slashes or dashes (section 3.0); anything else says nothing."""
    for name in names:
        field = content.get(name)
        text = field.get("value") if isinstance(field, dict) else field
        found = _DATE.fullmatch(text.strip()) if isinstance(text, str) else None
        if found:
            try:
                return date(int(found[3]), int(found[2]), int(found[1]))
            except ValueError:
                continue
    return None


def _fields(content: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[ExtractedField]:
    """Object with `value`: a field. Object without: a group, recursively. Anything else: a bare value (section 3.0)."""
    for key, item in content.items():
        if key == "document_type" and not prefix:
            continue
        name = f"{prefix}{key}"
        if isinstance(item, dict) and "value" not in item:
            if depth < _DEEPEST:
                yield from _fields(item, f"{name}.", depth + 1)
            continue
        value = item["value"] if isinstance(item, dict) else item
        score = Score.read(item.get("confidence_score")) if isinstance(item, dict) else None
        confidence = score.value if score else None
        if _is_aadhaar(key):
            whole = Secret(str(value)) if value not in (None, "", [], {}) else None
            yield ExtractedField(name=name, value=whole and mask(value), confidence=confidence, whole=whole)
        else:
            yield ExtractedField(name=name, value=None if value == "" else value, confidence=confidence)


def _problems(entry: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    """The words of a document's failure, in the styles of v3 and of v2 (sections 3.14 and 6.2)."""
    code, reason = _text(entry.get("error_code")), _text(entry.get("error_reason"))
    bare = content.get("processing_error")
    bare = bare.get("value") if isinstance(bare, dict) else bare
    if code is None and entry.get("error_code") not in (None, ""):
        code = "UNKNOWN_ERROR"
    for word in (code, reason if code else None, _text(bare)):
        if word:
            yield word[:80]


def document_check(id: str | None, type_: str | None, outcome: CheckOutcome, reasons: tuple[str, ...]) -> Check:
    return Check(
        kind=CheckKind.DOCUMENT,
        name=type_ or "document",
        outcome=outcome,
        reasons=reasons,
        document_id=id,
        vendor_word=reasons[0] if outcome is CheckOutcome.FAILED else None,
    )


def _compared(field: object, value: object) -> str | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    return mask(value) if _is_aadhaar(str(field)) else str(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
