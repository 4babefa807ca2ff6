"""The population register's record of the person: the file `kisc_pii` (fact sheet sections 3.7 and 6.3).

Only what has a claim is taken. The register's `nationality` is a person's ethnicity, not a citizenship, and is never read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import attrs

from idv_core.plugin import (
    Address,
    DocumentEvidence,
    DocumentType,
    ExtractedField,
    FieldName,
    Place,
    Reason,
    alpha_2,
    document_dates,
    json_object,
    read_field,
    read_fields,
)

LABEL = "kisc_pii"
"""The file's name in `GET /resources/file` (assumed: the pages show it in `POST /mockery/result` only)."""

_NAMES = {
    "name": FieldName.GIVEN_NAME,
    "surname": FieldName.FAMILY_NAME,
    "patronymic": FieldName.MIDDLE_NAME,
    "birthDate": FieldName.BIRTHDATE,
}
_PERSON = {**_NAMES, "iin": FieldName.PERSONAL_NUMBER, "mobilephone": FieldName.PHONE_NUMBER}
_PAPER = {
    **_NAMES,
    "number": FieldName.DOCUMENT_NUMBER,
    "beginDate": FieldName.DATE_OF_ISSUANCE,
    "endDate": FieldName.DATE_OF_EXPIRY,
}
# The register writes Russian; its codes are documented nowhere.
_TYPES = (
    ("вид на жительство", DocumentType.RESIDENCE_PERMIT),
    ("водительск", DocumentType.DRIVING_PERMIT),
    ("свидетельство о рождении", DocumentType.BIRTH_CERTIFICATE),
    ("удостоверение личности", DocumentType.IDCARD),
    ("удостоверение рк", DocumentType.IDCARD),
    ("паспорт", DocumentType.PASSPORT),
)
_GENDERS = {"мужской": "male", "женский": "female"}
_COUNTRIES = {"казахстан": "KZ", "республика казахстан": "KZ"}
# A word that may be shown: short, and no number of anything in it.
_LABEL = re.compile(r"[^\W_](?!.*\d{5})[\w .'()/-]{0,59}")
_ALIVE = frozenset({"жив", "живой", "живая", "нормальный"})
_IN_FORCE = frozenset({"действителен", "действительный", "действующий", "документ действителен"})
_NOT_IN_FORCE = re.compile(r"недейств|не действ|аннулир|утер|утрач|украд|похищ|изъят|замен|уничтож|сдан|списан|истек")


@attrs.frozen(kw_only=True)
class Register:
    """What a record says. `documents` are the papers in force; a register lists those that have ended too."""

    fields: tuple[ExtractedField, ...] = attrs.field(default=(), repr=False)
    documents: tuple[DocumentEvidence, ...] = attrs.field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    doubts: tuple[Reason, ...] = ()


def read_register(content: bytes, today: date) -> Register:
    """Read the file, which is JSON, or that in base64 (assumed: either). What is not understood is a doubt."""
    record = json_object(content) or json_object(_decoded(content))
    person = record.get("person") if record is not None else None
    if not isinstance(person, dict):
        return Register(doubts=(Reason("register.unread", "the register's record is there and not understood"),))
    told = person.get("documents")
    papers = told.get("document") if isinstance(told, dict) else told
    papers = [papers] if isinstance(papers, dict) and papers else papers
    doubts = []
    if not _says(person.get("lifeStatus"), _ALIVE):
        doubts.append(Reason("register.life_status", "the register says something else of the person than to be alive"))
    if papers not in (None, [], {}) and not (isinstance(papers, list) and all(isinstance(one, dict) for one in papers)):
        doubts.append(Reason("register.unread", "the register's documents are there and not understood"))
        papers = None
    read = [(one, _read_paper(one)) for one in papers or ()]
    current = [(one, paper) for one, paper in read if _is_in_force(one, paper, today)]
    if read and not current:
        doubts.append(Reason("document.expired", "no document in the register is in force"))
    if any(not _says(one.get("status"), _IN_FORCE) for one, _ in current):
        doubts.append(Reason("register.document_status", "a document in the register has a status that is not known"))
    ended = len(read) - len(current)
    fields = tuple(_person_fields(person))
    if person and not fields and not read and not doubts:
        doubts.append(Reason("register.unread", "the register's record says nothing that is understood"))
    return Register(
        fields=fields,
        documents=tuple(paper for _, paper in current),
        notes=(f"{ended} documents in the register are not in force",) if ended else (),
        doubts=tuple(doubts),
    )


def _decoded(content: bytes) -> bytes:
    try:
        return base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        return b""


def _person_fields(person: Mapping[str, Any]) -> Iterator[ExtractedField]:
    yield from read_fields(_PERSON, {key: person[key] for key in _PERSON if key in person})
    gender, citizenship = _text(person.get("gender")), _text(person.get("citizenship"))
    more = (
        (FieldName.GENDER, "gender", gender and _GENDERS.get(gender.casefold(), gender), gender),
        (FieldName.NATIONALITIES, "citizenship", _country(person.get("citizenship")) or citizenship, citizenship),
        (FieldName.PLACE_OF_BIRTH, "birthPlace", _place(person.get("birthPlace")), None),
        (FieldName.ADDRESS, "regAddress", _address(person.get("regAddress")), None),
    )
    for name, key, raw, text in more:
        field = read_field(name, key, raw)
        if field is not None:
            yield attrs.evolve(field, vendor_text=text)


def _read_paper(paper: Mapping[str, Any]) -> DocumentEvidence:
    word = _text(paper.get("type"))
    issuer = read_field(FieldName.ISSUER, "issueOrganization", _text(paper.get("issueOrganization")))
    return DocumentEvidence(
        document_id=None,
        type=_type(word) if word else None,
        vendor_type=word if word and _LABEL.fullmatch(word) else None,
        fields=(
            *read_fields(_PAPER, {key: paper[key] for key in _PAPER if key in paper}),
            *((issuer,) if issuer else ()),
        ),
        **document_dates(issued=paper.get("beginDate"), expires=paper.get("endDate")),
    )


def _type(word: str) -> DocumentType:
    return next((type_ for part, type_ in _TYPES if part in word.casefold()), DocumentType.OTHER)


def _is_in_force(paper: Mapping[str, Any], read: DocumentEvidence, today: date) -> bool:
    """Neither ended by its date nor by its status. An unknown status keeps it, and is a doubt of its own."""
    status = (_text(paper.get("status")) or "").casefold()
    return not _NOT_IN_FORCE.search(status) and (read.expires_on is None or read.expires_on >= today)


def _says(told: Any, words: frozenset[str]) -> bool:
    """Whether nothing is told, or one of these words."""
    return told in (None, "", {}) or (_text(told) or "").casefold() in words


def _text(told: Any) -> str | None:
    """The name in a code object (`{"code", "nameRu", "nameKz", "changeDate"}`), or the text that stands there instead."""
    name = (told.get("nameRu") or told.get("code")) if isinstance(told, dict) else told
    return name.strip() or None if isinstance(name, str) else None


def _country(told: Any) -> str | None:
    """ISO 3166-1 alpha-2, by the code or by the name."""
    codes = [told.get("code") if isinstance(told, dict) else None, _text(told)]
    texts = [code.strip() for code in codes if isinstance(code, str)]
    return next((code for text in texts if (code := alpha_2(text) or _COUNTRIES.get(text.casefold()))), None)


def _place(told: Any) -> Place | None:
    if not isinstance(told, dict):
        return None
    locality = _text(told.get("city")) or _text(told.get("district"))
    place = Place(locality=locality, region=_text(told.get("region")), country=_country(told.get("country")))
    return place if any(attrs.astuple(place)) else None


def _address(told: Any) -> Address | None:
    if not isinstance(told, dict):
        return None
    street = " ".join(text for key in ("street", "building") if (text := _text(told.get(key))))
    address = Address(
        street_address=street or None,
        locality=_text(told.get("district")),
        region=_text(told.get("region")),
        country=_country(told.get("country")),
    )
    return address if any(attrs.astuple(address)) else None
