"""What an account can verify at all: documents, countries, checks, templates."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from .document_types import DocumentType
from .validation import as_tuple


def _types(types: Iterable[DocumentType] | None) -> frozenset[DocumentType] | None:
    return None if types is None else frozenset(map(DocumentType, types))


def _texts(texts: Iterable[str] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)


@attrs.frozen(kw_only=True)
class Coverage:
    """What an account can do. None where the vendor does not say, or says "all".

    Args:
        document_types: The types of documents that it reads.
        countries: Issuing countries, ISO 3166-1 alpha-2.
        checks: The checks that its results can hold, as policies name them: `document.authenticity`, `face_match`.
        templates: The vendor's templates that an order may name.
    """

    document_types: frozenset[DocumentType] | None = attrs.field(default=None, converter=_types)
    countries: frozenset[str] | None = attrs.field(default=None, converter=_texts)
    checks: frozenset[str] | None = attrs.field(default=None, converter=_texts)
    templates: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
