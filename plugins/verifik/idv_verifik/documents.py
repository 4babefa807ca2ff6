"""What Verifik read of a document, in our vocabulary (fact sheet section 3.6.2): its type, and its fields in any spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from idv_core.plugin import (
    DocumentEvidence,
    DocumentType,
    ExtractedField,
    FieldName,
    Flow,
    Secret,
    plain_name,
    read_field,
)

from .countries import country_code
from .payloads import reference_id
from .printed import printed_dates

# Verifik's words, without case and punctuation: free text, and codes of single countries.
_TYPES = {
    "passport": DocumentType.PASSPORT,
    "pa": DocumentType.PASSPORT,
    "ensapa": DocumentType.PASSPORT,
    "id": DocumentType.IDCARD,
    "idcard": DocumentType.IDCARD,
    "governmentid": DocumentType.IDCARD,
    "cc": DocumentType.IDCARD,
    "ccve": DocumentType.IDCARD,
    "dni": DocumentType.IDCARD,
    "ti": DocumentType.IDCARD,
    "ce": DocumentType.RESIDENCE_PERMIT,
    "foreignerid": DocumentType.RESIDENCE_PERMIT,
    "ppt": DocumentType.RESIDENCE_PERMIT,
    "driverlicense": DocumentType.DRIVING_PERMIT,
    "driverslicense": DocumentType.DRIVING_PERMIT,
    "license": DocumentType.DRIVING_PERMIT,
    "tlcc": DocumentType.DRIVING_PERMIT,
    "rut": DocumentType.TAX_CARD,
    "rifve": DocumentType.TAX_CARD,
}
SENT_CATEGORIES = {
    DocumentType.IDCARD: "id",
    DocumentType.PASSPORT: "passport",
    DocumentType.DRIVING_PERMIT: "driver-license",
}
"""What Verifik takes as `category` when a document is uploaded (section 3.6.1)."""

# Keys without case and punctuation. Those that are not here, and are no dates of the document, are `other`.
_NAMES = {
    "fullname": FieldName.NAME,
    "name": FieldName.NAME,
    "firstname": FieldName.GIVEN_NAME,
    "firstnames": FieldName.GIVEN_NAME,
    "givennames": FieldName.GIVEN_NAME,
    "nombres": FieldName.GIVEN_NAME,
    "middlename": FieldName.MIDDLE_NAME,
    "lastname": FieldName.FAMILY_NAME,
    "lastnames": FieldName.FAMILY_NAME,
    "surname": FieldName.FAMILY_NAME,
    "apellidos": FieldName.FAMILY_NAME,
    "birthdate": FieldName.BIRTHDATE,
    "dateofbirth": FieldName.BIRTHDATE,
    "fechadenacimiento": FieldName.BIRTHDATE,
    "birthplace": FieldName.PLACE_OF_BIRTH,
    "placeofbirth": FieldName.PLACE_OF_BIRTH,
    "lugardenacimiento": FieldName.PLACE_OF_BIRTH,
    "gender": FieldName.GENDER,
    "sex": FieldName.GENDER,
    "sexo": FieldName.GENDER,
    "nationality": FieldName.NATIONALITIES,
    "nacionalidad": FieldName.NATIONALITIES,
    "age": FieldName.AGE,
    "bloodtype": FieldName.BLOOD_GROUP,
    "rh": FieldName.BLOOD_GROUP,
    "address": FieldName.ADDRESS,
    "documentnumber": FieldName.DOCUMENT_NUMBER,
    "numero": FieldName.DOCUMENT_NUMBER,
    "personalnumber": FieldName.PERSONAL_NUMBER,
    "mrz": FieldName.MACHINE_READABLE_ZONE,
    "expirationdate": FieldName.DATE_OF_EXPIRY,
    "dateofexpiry": FieldName.DATE_OF_EXPIRY,
    "expirydate": FieldName.DATE_OF_EXPIRY,
    "issuedate": FieldName.DATE_OF_ISSUANCE,
    "dateofissue": FieldName.DATE_OF_ISSUANCE,
}
_BESIDE = ("documentNumber", "nationality", "gender", "age")
_LABEL = re.compile(r"[^\W\d_][\w .'’()/-]{0,59}")
_LONG_NUMBER = re.compile(r"\d{5}")


def read_evidence(registration: Mapping[str, Any], flow: Flow) -> Iterator[DocumentEvidence]:
    """The document of a registration, if there is one."""
    document = registration.get("documentValidation")
    if not isinstance(document, dict) or not document:
        return
    word = label(document.get("documentType"))
    links = {"front": document.get("url"), "back": document.get("backUrl")}
    yield DocumentEvidence(
        document_id=id_of_ours(flow, "document_validation", document),
        type=_TYPES.get(plain_name(word), DocumentType.OTHER) if word else None,
        vendor_type=word,
        country=country_code(document.get("country")),
        fields=tuple(_fields(document)),
        images={name: Secret(url) for name, url in links.items() if isinstance(url, str) and url},
        **printed_dates(document),
    )


def _fields(document: Mapping[str, Any]) -> Iterator[ExtractedField]:
    """What was extracted, then what else the document says and the extraction does not, or says otherwise."""
    beside = {key: document[key] for key in _BESIDE if document.get(key) not in (None, "")}
    is_mexican = country_code(document.get("country")) == "MX"
    seen: dict[str, list[Any]] = {}
    for place in (document.get("OCRExtraction"), document.get("documentData"), beside):
        for key, raw in place.items() if isinstance(place, dict) else ():
            field = _field(key, raw, is_mexican)
            if field is not None and field.value not in (values := seen.setdefault(plain_name(key), [])):
                values.append(field.value)
                yield field


def _field(key: str, raw: Any, is_mexican: bool) -> ExtractedField | None:
    name = _NAMES.get(plain_name(key), FieldName.OTHER)
    if name is FieldName.NATIONALITIES and isinstance(raw, str):
        raw = country_code(raw) or raw
    field = read_field(name, key, raw)
    if is_mexican and name is FieldName.GENDER and field is not None:
        # `M` is `mujer` on a voter's card and `masculino` in a passport; `H` is `hombre`
        sign = plain_name(str(raw))
        return attrs.evolve(field, value={"m": None, "h": "male"}.get(sign, field.value))
    return field


def id_of_ours(flow: Flow, kind: str, theirs: Mapping[str, Any]) -> str | None:
    """Our id of what the vendor calls `theirs`."""
    id = reference_id(dict(theirs))
    return next((upload.document_id for upload in flow.uploads if id and upload.vendor_ids.get(kind) == id), None)


def type_of(document: Mapping[str, Any]) -> str | None:
    """Our word for a document's type, if it has one."""
    word = label(document.get("documentType"))
    return _TYPES.get(plain_name(word), DocumentType.OTHER).value if word else None


def label(value: object) -> str | None:
    """A word of the vendor's that may be shown: short, and no number of anything in it."""
    text = value.strip() if isinstance(value, str) else ""
    return text if _LABEL.fullmatch(text) and not _LONG_NUMBER.search(text) else None
