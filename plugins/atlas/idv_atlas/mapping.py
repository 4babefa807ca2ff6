"""Atlas's words in our vocabulary. Atlas gives no verdict, so none is made here; good extraction is no passed check."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import attrs

from idv_core.plugin import (
    ADDRESSES,
    Address,
    Check,
    CheckKind,
    CheckOutcome,
    DocumentEvidence,
    DocumentType,
    ExtractedField,
    FieldName,
    FieldPair,
    FlowStatus,
    Reason,
    Score,
    Secret,
    is_aadhaar_name,
    masked_aadhaar,
    read_field,
)

from .claims import Claim, read_claims
from .masking import is_number_name, mask, masked, speaks_of_aadhaar
from .problems import read_problems
from .validity import read_validity
from .vocabulary import TYPES, cross_check_name, field_name
from .words import is_code, parts, shown

_MASTER = {
    "NOT_STARTED": FlowStatus.OPEN,
    "IN_PROGRESS": FlowStatus.PROCESSING,
    "SUCCESS": FlowStatus.FINISHED,
    "FAILED": FlowStatus.FAILED,
}
# Spellings of one and the same type (fact sheet section 1.5 row 36).
_ALIASES = {"FSSAI_CERTIFICATE": "FSSAI", "AADHAR": "AADHAAR"}
_INDIAN = frozenset({"AADHAAR", "PAN", "VOTER_ID", "GST_CERT", "UDYAM_CERT"})
_DEEPEST = 8
_TAIL = re.compile(r"\d{4}\W*\Z")
_ADDRESS_GROUP = "formatted_address"
_LINES = ("address_line_1", "address_line_2")
_ADDRESS_PARTS = frozenset({*_LINES, "city", "state", "postcode"})
_CLAIMED: dict[Claim, str] = {
    "status": "a status word that is not known to be good",
    "warning": "a warning or a reason that is not understood",
    "denied": "that something is not so",
}
# On top of an answer: what the application sent itself, and paging.
_NOT_SAID = frozenset({"flow_params", "has_next", "has_prev"})


@attrs.frozen(kw_only=True)
class Entries:
    """What the entries of an answer say, what of it could not be understood, and the ids of the entries."""

    documents: tuple[DocumentEvidence, ...]
    checks: tuple[Check, ...]
    doubts: tuple[Reason, ...]
    ids: frozenset[str]


def read_master_status(word: object) -> FlowStatus:
    """`master_status` alone decides whether a flow is finished; an unknown word is still under way (section 5.4)."""
    return _MASTER.get(word, FlowStatus.PROCESSING) if isinstance(word, str) else FlowStatus.PROCESSING


def read_documents(entries: Iterable[Mapping[str, Any]], container: str, expected: Iterable[str] = ()) -> Entries:
    """Documents, and a check for each that Atlas could not use (a 200 may hold them, section 6.2): failed where it says an
    error, not done where it read nothing, or where an `expected` document has no entry at all.

    `container` is the key of the document object. An id that is empty or is already used attributes nothing (row 20).
    """
    entries = list(entries)
    ids = [read_id(entry.get("document_id")) for entry in entries]
    counted = Counter(ids)
    documents: list[DocumentEvidence] = []
    checks: list[Check] = []
    doubts: list[Reason] = []
    for entry, id in zip(entries, ids, strict=True):
        attributed = id if id and counted[id] == 1 else None
        inner = entry.get(container)
        content: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
        document = _document(attributed, entry, content)
        documents.append(document)
        problems = read_problems(entry)
        if problems.reasons:
            checks.append(document_check(attributed, document.vendor_type, CheckOutcome.FAILED, problems.reasons))
        elif not _says_anything(content):
            why = ("nothing was read of this document",)
            checks.append(document_check(attributed, document.vendor_type, CheckOutcome.NOT_DONE, why))
        beside = {key: value for key, value in entry.items() if key != container}
        claims = {*read_claims(beside), *read_claims(content, is_content=True)}
        doubts += _doubts(problems.unsure, claims, document)
    twice = sorted(id for id, times in counted.items() if id and times > 1)
    doubts += [
        Reason("document.twice", "the vendor has several results under one document id", document=id) for id in twice
    ]
    missing = [id for id in dict.fromkeys(expected) if id not in counted]
    checks += [document_check(id, None, CheckOutcome.NOT_DONE, ("no result came for this document",)) for id in missing]
    named = frozenset(id for id in ids if id)
    return Entries(documents=tuple(documents), checks=tuple(checks), doubts=tuple(doubts), ids=named)


def answer_doubts(answer: object, *entries: str) -> Iterator[Reason]:
    """What an answer says on top, beside its `entries`: errors and states of the whole that are not known to be good."""
    if not isinstance(answer, dict):
        return
    top = {key: value for key, value in answer.items() if key not in _NOT_SAID and key not in entries}
    problems = read_problems(top)
    if problems.reasons or problems.unsure:
        yield Reason("answer.error", "the vendor's answer says an error beside its results")
    for claim in read_claims(top):
        yield Reason(f"answer.{claim}", f"the vendor's answer says beside its results {_CLAIMED[claim]}")


def _doubts(unsure: bool, claims: Iterable[Claim], document: DocumentEvidence) -> Iterator[Reason]:
    for claim in sorted(claims):
        yield Reason(f"document.{claim}", f"the vendor says {_CLAIMED[claim]}", document=document.document_id)
    if unsure:
        text = "the vendor says something under the name of an error that is not understood"
        yield Reason("document.error", text, document=document.document_id)
    if document.vendor_type and "***" in document.vendor_type:
        yield Reason("document.type", "the document's type is not understood", document=document.document_id)


def read_id(value: object) -> str | None:
    """A document id as we sent it; numbers are read as their digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value)


def read_cross_checks(items: Iterable[Mapping[str, Any]]) -> Iterator[Check]:
    """Pairs with scores of 0..100 (section 8). No outcome: only a policy's threshold can give one, unless the pair says an
    error or a state of its own beside the score, which no score outweighs."""
    for item in items:
        score = Score.read(item.get("similarity_score"), 0, 100)
        reasons: tuple[str, ...] = () if score else ("the score is missing or outside 0..100",)
        reasons += tuple(_said_beside({key: value for key, value in item.items() if key not in _OF_PAIR}))
        names = [_text(item.get(key)) for key in _PAIR]
        is_aadhaar = speaks_of_aadhaar(item)
        source, source_field, target, target_field = (shown(name) if name else "?" for name in names)
        yield Check(
            kind=CheckKind.CROSS_CHECK,
            name=cross_check_name(_text(item.get("name"))),
            vendor_name=shown(_text(item.get("name")) or "UNNAMED"),
            outcome=CheckOutcome.INCONCLUSIVE if reasons else None,
            score=score,
            reasons=reasons,
            pair=FieldPair(
                source_document=source,
                source_field=source_field,
                source_value=_compared(item.get("source_field_name"), item.get("source_value"), is_aadhaar),
                target_document=target,
                target_field=target_field,
                target_value=_compared(item.get("target_field_name"), item.get("target_value"), is_aadhaar),
            ),
        )


_PAIR = ("source_doc", "source_field_name", "target_doc", "target_field_name")
_OF_PAIR = frozenset({*_PAIR, "source_value", "target_value", "similarity_score", "name"})


def _said_beside(item: Mapping[str, Any]) -> Iterator[str]:
    problems = read_problems(item)
    if problems.reasons or problems.unsure:
        yield "the vendor says an error beside the score"
    for claim in read_claims(item):
        yield f"the vendor says {_CLAIMED[claim]}"


def _compared(field: object, value: object, is_aadhaar: bool) -> str | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    text = str(value)
    if is_number_name(str(field)):
        return mask(text)
    return (masked_aadhaar(text) or text) if is_aadhaar else text


def _document(id: str | None, entry: Mapping[str, Any], content: Mapping[str, Any]) -> DocumentEvidence:
    said = _type_in(content) or _type_in(entry)
    word = _ALIASES.get(said, said) if said else None
    is_aadhaar = speaks_of_aadhaar(entry)
    links = list(_links(content, is_aadhaar))
    return DocumentEvidence(
        document_id=id,
        type=TYPES.get(word, DocumentType.OTHER) if word else None,
        vendor_type=shown(word) if word else None,
        country="IN" if word in _INDIAN else None,
        fields=(*_addresses(content, word, is_aadhaar), *_fields(content, word, is_aadhaar)),
        images={"redacted": Secret(links[0])} if links else {},
        **read_validity(content, entry),
    )


def _type_in(place: Mapping[str, Any]) -> str | None:
    for key, value in place.items():
        if _is_type_name(key):
            return _text(value.get("value") if isinstance(value, dict) else value)
    return None


@lru_cache(maxsize=2048)
def _is_type_name(key: str) -> bool:
    return parts(key) in (("document", "type"), ("doc", "type"), ("documenttype",), ("doctype",))


def _links(content: Mapping[str, Any], is_aadhaar: bool) -> Iterator[str]:
    """Links to the picture with the number masked."""
    for name, field in content.items():
        link = _text(field.get("redact_url")) if isinstance(field, dict) else None
        if link and (is_aadhaar or is_aadhaar_name(name)):
            yield link


def _addresses(content: Mapping[str, Any], word: str | None, is_aadhaar: bool) -> Iterator[ExtractedField]:
    """The address as printed, with its parts where Atlas has formatted it (section 7.1).

    Its confidence is that of the printed text; where there is none, that of the part which is read worst.
    """

    def dark(item: Any) -> str | None:
        text = _text(_value(item))
        return text and str(masked("address", text, is_aadhaar))

    group = _address_group(content)
    parts = {key: dark(item) for key, item in group.items()}
    printed = dark(content.get("address"))
    if not (printed or any(parts.values())):
        return
    lines = [text for line in _LINES if (text := parts.get(line))]
    address = Address(
        formatted=printed,
        street_address="\n".join(lines) or None,
        locality=parts.get("city"),
        region=parts.get("state"),
        postal_code=parts.get("postcode"),
    )
    told = [_confidence(item) for key, item in group.items() if parts[key]]
    confidence = _confidence(content.get("address")) if printed else min(filter(None, told), default=None)
    name = field_name(word, "address")
    if name in ADDRESSES:
        vendor_name = "address" if printed else _ADDRESS_GROUP
        yield ExtractedField(name=name, value=address, vendor_name=vendor_name, confidence=confidence)


def _address_group(content: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of `formatted_address` that an `Address` has a place for."""
    group = content.get(_ADDRESS_GROUP)
    return {key: group[key] for key in _ADDRESS_PARTS & group.keys()} if isinstance(group, dict) else {}


def _value(item: Any) -> Any:
    return item.get("value") if isinstance(item, dict) else item


def _confidence(item: Any) -> float | None:
    told = item.get("confidence_score") if isinstance(item, dict) else None
    if type(told) is float and 0.0 <= told <= 1.0:
        return told
    score = Score.read(told)
    return score.value if score else None


def _fields(
    content: Mapping[str, Any], word: str | None, is_aadhaar: bool, prefix: str = "", depth: int = 0
) -> Iterator[ExtractedField]:
    """Object with `value`: a field. Object without: a group, recursively. Anything else: a bare value (section 3.0).

    What is in the document's `Address` is left out.
    """
    is_in_address = prefix == f"{_ADDRESS_GROUP}." and field_name(word, "address") in ADDRESSES
    for key, item in content.items():
        if (not prefix and _is_type_name(key)) or (is_in_address and key in _ADDRESS_PARTS and _text(_value(item))):
            continue
        if isinstance(item, dict) and "value" not in item:
            if depth < _DEEPEST:
                yield from _fields(item, word, is_aadhaar or is_aadhaar_name(key), f"{prefix}{key}.", depth + 1)
            continue
        value = _value(item)
        if value in (None, "", [], {}):
            continue
        dark = masked(key, value, is_aadhaar)
        whole = None if dark is value else Secret(str(value))
        name = FieldName.OTHER if prefix or isinstance(value, (dict, list)) else field_name(word, key)
        if key == "address" and name in ADDRESSES:
            continue
        vendor_name, confidence = f"{prefix}{key}", _confidence(item)
        field = read_field(name, vendor_name, dark, confidence=confidence, whole=whole, day_first=True)
        if field is not None:
            # a mask over what is no number would be read as one
            is_unread = is_number_name(key) and not _TAIL.search(str(value))
            yield attrs.evolve(field, value=None, vendor_text=None) if is_unread else field


def _says_anything(content: Mapping[str, Any]) -> bool:
    return any(value not in (None, "", [], {}) for value in content.values())


def document_check(id: str | None, vendor_type: str | None, outcome: CheckOutcome, reasons: tuple[str, ...]) -> Check:
    word = reasons[0] if outcome is CheckOutcome.FAILED and is_code(reasons[0]) and reasons[0].isupper() else None
    return Check(
        kind=CheckKind.DOCUMENT,
        vendor_name=vendor_type,
        outcome=outcome,
        reasons=reasons,
        document_id=id,
        vendor_word=word,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
