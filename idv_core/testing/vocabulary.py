"""Whether a plugin's results speak the vocabulary: called by the suite, and good for a plugin's own tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..model import CheckKind, DocumentEvidence, DocumentType, ExtractedField, FieldName, Result
from ..model.check_names import CHECK_NAMES, OTHER
from ..model.document_types import DOCUMENT_SYNONYMS
from ..model.fields import FIELD_SYNONYMS
from ..model.words import plain

# Words that mean the same on every document. `serial_number` on an invoice is that of the goods.
_OBVIOUS = (
    FieldName.NAME,
    FieldName.GIVEN_NAME,
    FieldName.MIDDLE_NAME,
    FieldName.FAMILY_NAME,
    FieldName.GENDER,
    FieldName.BIRTHDATE,
    FieldName.EMAIL,
    FieldName.PHONE_NUMBER,
    FieldName.ADDRESS,
    FieldName.PLACE_OF_BIRTH,
    FieldName.NATIONALITIES,
    FieldName.DOCUMENT_NUMBER,
    FieldName.PERSONAL_NUMBER,
    FieldName.DATE_OF_ISSUANCE,
    FieldName.DATE_OF_EXPIRY,
)
_FIELDS: Mapping[str, FieldName] = {**{plain(name): name for name in _OBVIOUS}, **FIELD_SYNONYMS}
_TYPES: Mapping[str, DocumentType] = {
    **{plain(type_): type_ for type_ in DocumentType if type_ is not DocumentType.OTHER},
    **DOCUMENT_SYNONYMS,
}


def vocabulary_faults(result: Result) -> list[str]:
    """What a result says in the vendor's words alone though the vocabulary has one, each as a sentence; none is good."""
    return [
        *(fault for field in result.fields for fault in _field_faults(field, "the result")),
        *(fault for document in result.documents for fault in _document_faults(document)),
        *_check_faults(result),
    ]


def assert_speaks_vocabulary(result: Result) -> None:
    """Raises AssertionError that lists every fault, with what to write instead."""
    faults = vocabulary_faults(result)
    assert not faults, "; ".join(faults)


def _document_faults(document: DocumentEvidence) -> Iterator[str]:
    known = _TYPES.get(plain(document.vendor_type)) if document.vendor_type else None
    if document.type is DocumentType.OTHER and known is not None:
        yield f"a document that the vendor calls '{document.vendor_type}' has type 'other': it is '{known}'"
    if document.type is DocumentType.OTHER and not document.vendor_type:
        yield "a document of type 'other' has no vendor_type: say what the vendor calls it"
    for field in document.fields:
        yield from _field_faults(field, f"a document of type '{document.type or 'unknown'}'")


def _field_faults(field: ExtractedField, where: str) -> Iterator[str]:
    if not field.vendor_name.strip():
        yield f"the field '{field.name}' of {where} has no vendor_name: say under which key the vendor writes it"
    known = _FIELDS.get(plain(field.vendor_name))
    if field.name is FieldName.OTHER and known is not None:
        yield f"the vendor's '{field.vendor_name}' of {where} is read as 'other': it is '{known}'"


def _check_faults(result: Result) -> Iterator[str]:
    for check in result.checks:
        if check.name != OTHER:
            continue
        if not check.vendor_name:
            yield f"a {check.kind.value} check is named 'other' without a vendor_name: say what the vendor calls it"
        elif _is_known(check.kind, check.vendor_name):
            yield f"the vendor's {check.kind.value} check '{check.vendor_name}' is named 'other', and its word is ours"


def _is_known(kind: CheckKind, word: str) -> bool:
    return plain(word) in map(plain, CHECK_NAMES[kind])
