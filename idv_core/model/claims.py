"""What is known about the person, whoever the vendor is: `result.claims.birthdate.value`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from .document_types import IDENTITY_DOCUMENTS, DocumentType
from .fields import AMOUNTS, NUMBERS, OF_DOCUMENT, Address, ExtractedField, FieldName, Place
from .redacted import not_pickled

if TYPE_CHECKING:
    from .evidence import DocumentEvidence

T = TypeVar("T")

_GAP = re.compile(r"(?<=\d)[\W_]+(?=\d)")
# Combining classes from here on are marks above, below or across a letter (UAX #44). Marks below it are vowels and the
# like, without which two names of Indic scripts, Thai or Japanese would be one.
_ACCENTS = 200


@not_pickled
@attrs.frozen(kw_only=True)
class ClaimSource:
    """One reading that a claim stands on. `document` is None for what comes from a register or from the vendor's file."""

    field: ExtractedField
    document: DocumentEvidence | None = attrs.field(default=None, repr=False)

    @property
    def document_id(self) -> str | None:
        """Your id of the document, if the vendor's answer tells."""
        return self.document.document_id if self.document is not None else None

    @property
    def document_type(self) -> DocumentType | None:
        return self.document.type if self.document is not None else None


@not_pickled
@attrs.frozen(kw_only=True)
class Claim(Generic[T]):
    """One claim. `value` is None where nobody gave it, where it could not be read, and where the sources disagree.

    `sources` are all readings, in the vendor's order; `disagrees` says that two of them differ, so that you choose and
    nobody chooses for you. The value is personal data, hidden in `repr`. A claim is true where it has a value.
    """

    name: FieldName
    value: T | None = attrs.field(default=None, repr=False, hash=False)
    sources: tuple[ClaimSource, ...] = attrs.field(default=(), repr=False, hash=False)
    disagrees: bool = False

    def __bool__(self) -> bool:
        return self.value is not None

    @property
    def confidence(self) -> float | None:
        """The highest confidence (0..1) of a source, None where the vendor tells none."""
        known = [source.field.confidence for source in self.sources if source.field.confidence is not None]
        return max(known, default=None)

    @property
    def document_ids(self) -> tuple[str, ...]:
        """Your ids of the documents that it stands on."""
        ids = (source.document_id for source in self.sources)
        return tuple(dict.fromkeys(id for id in ids if id is not None))


class Claims:
    """The claims of a result, or of one document: `claims.birthdate`, `claims["father_name"]`, `for claim in claims`.

    Each is a `Claim`; one that nobody gave is false and has no value. What speaks of the document and not of the person
    (`document_number`, `date_of_issuance`, `date_of_expiry`, `serial_number`, `issuer`) is taken from one document only, so
    that the number of one never stands beside the expiry of another: from the first identity document that has a number,
    else from the first document. Ask `document.claims` for the others.
    """

    def __init__(self, documents: Iterable[DocumentEvidence], fields: Iterable[ExtractedField] = ()) -> None:
        self._documents = tuple(documents)
        self._fields = tuple(fields)

    def __repr__(self) -> str:
        return f"Claims({', '.join(claim.name.value for claim in self)})"

    def __iter__(self) -> Iterator[Claim[Any]]:
        """The claims that somebody gave. `other` is not among them."""
        return iter(
            [self[name] for name in FieldName if name is not FieldName.OTHER and (name in self._sources or self[name])]
        )

    def __getitem__(self, name: str) -> Claim[Any]:
        """The claim of that name. Raises ValueError for a name that is not in the vocabulary."""
        name = FieldName(name)
        sources = self._sources.get(name, ())
        if name is FieldName.NAME and not sources:
            return self._joined_name()
        return _claim(name, sources)

    @cached_property
    def _sources(self) -> dict[FieldName, tuple[ClaimSource, ...]]:
        found: dict[FieldName, list[ClaimSource]] = {}
        of_document = self._of_document
        for document in self._documents:
            for field in (*document.fields, *_dates(document)):
                if field.name not in OF_DOCUMENT or document is of_document:
                    found.setdefault(field.name, []).append(ClaimSource(field=field, document=document))
        for field in self._fields:
            if field.name not in OF_DOCUMENT or of_document is None:
                found.setdefault(field.name, []).append(ClaimSource(field=field))
        return {name: tuple(sources) for name, sources in found.items()}

    @cached_property
    def _of_document(self) -> DocumentEvidence | None:
        """The one document that `document_number` and the like are taken from."""
        numbered = [document for document in self._documents if document.field(FieldName.DOCUMENT_NUMBER) is not None]
        identity = [document for document in numbered if document.type in IDENTITY_DOCUMENTS]
        return next(iter([*identity, *numbered, *self._documents]), None)

    def _joined_name(self) -> Claim[str]:
        """Many vendors give the parts alone. The other way round nothing is guessed."""
        parts = [self[part] for part in (FieldName.GIVEN_NAME, FieldName.MIDDLE_NAME, FieldName.FAMILY_NAME)]
        sources = tuple(source for part in parts for source in part.sources)
        disagrees = any(part.disagrees for part in parts)
        given = [str(part.value) for part in parts if part]
        # without a part that is there and could not be read it is another name
        is_unread = any(part.sources and not part for part in parts)
        value = None if disagrees or is_unread else " ".join(given) or None
        return Claim(name=FieldName.NAME, value=value, sources=sources, disagrees=disagrees)

    @property
    def name(self) -> Claim[str]:
        """The full name; given, middle and family name joined where the vendor gives the parts alone."""
        return self[FieldName.NAME]

    @property
    def given_name(self) -> Claim[str]:
        return self[FieldName.GIVEN_NAME]

    @property
    def middle_name(self) -> Claim[str]:
        return self[FieldName.MIDDLE_NAME]

    @property
    def family_name(self) -> Claim[str]:
        return self[FieldName.FAMILY_NAME]

    @property
    def gender(self) -> Claim[str]:
        """`female`, `male` or `other`."""
        return self[FieldName.GENDER]

    @property
    def birthdate(self) -> Claim[date]:
        return self[FieldName.BIRTHDATE]

    @property
    def place_of_birth(self) -> Claim[Place]:
        return self[FieldName.PLACE_OF_BIRTH]

    @property
    def nationalities(self) -> Claim[tuple[str, ...]]:
        """ISO 3166-1 alpha-2 codes."""
        return self[FieldName.NATIONALITIES]

    @property
    def address(self) -> Claim[Address]:
        return self[FieldName.ADDRESS]

    @property
    def email(self) -> Claim[str]:
        return self[FieldName.EMAIL]

    @property
    def phone_number(self) -> Claim[str]:
        return self[FieldName.PHONE_NUMBER]

    @property
    def document_number(self) -> Claim[str]:
        return self[FieldName.DOCUMENT_NUMBER]

    @property
    def personal_number(self) -> Claim[str]:
        """The person's national number, which stays the same from document to document."""
        return self[FieldName.PERSONAL_NUMBER]

    @property
    def date_of_issuance(self) -> Claim[date]:
        return self[FieldName.DATE_OF_ISSUANCE]

    @property
    def date_of_expiry(self) -> Claim[date]:
        return self[FieldName.DATE_OF_EXPIRY]

    @property
    def issuer(self) -> Claim[str]:
        return self[FieldName.ISSUER]


def _claim(name: FieldName, sources: tuple[ClaimSource, ...]) -> Claim[Any]:
    values = [source.field.value for source in sources]
    disagrees = len({_alike(name, value) for value in values}) > 1
    value = None if disagrees or not values else values[0]
    return Claim(name=name, value=value, sources=sources, disagrees=disagrees)


def _dates(document: DocumentEvidence) -> Iterator[ExtractedField]:
    """What the document says of its own life, where the plugin has read it and gave no field of it."""
    for name, read, key in (
        (FieldName.DATE_OF_ISSUANCE, document.issued_on, "issued_on"),
        (FieldName.DATE_OF_EXPIRY, document.expires_on, "expires_on"),
    ):
        if document.field(name) is None and (read is not None or key in document.unread):
            yield ExtractedField(name=name, value=read, vendor_name=key)


def _alike(name: FieldName, value: Any) -> Any:
    """Two readings are the same whatever their case, accents, blanks and punctuation, where these do not matter."""
    if isinstance(value, str):
        # another dot is another amount, and another address; so is a letter that only looks like one of ASCII
        if name in AMOUNTS or name is FieldName.EMAIL:
            return b"".join(value.encode(errors="surrogatepass").lower().split())
        plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", value).casefold())
        # digits of a number are grouped as anybody likes; elsewhere a gap parts two (`1, 12 Street`, `11, 2 Street`)
        parts = [plain] if name in NUMBERS else _GAP.split(plain)
        return "|".join("".join(filter(_is_letter, part)) for part in parts) or value
    if attrs.has(type(value)):
        return tuple(_alike(name, item) for item in attrs.astuple(value))
    return repr(value) if isinstance(value, (list, dict)) else value


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN" and unicodedata.combining(char) < _ACCENTS
