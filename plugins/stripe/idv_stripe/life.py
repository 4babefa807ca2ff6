"""What becomes of a session after it is open: its redaction, its files, and what an account can do at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import attrs

from idv_core.plugin import Coverage, Erasure, ErasureStatus, Media, MediaKind, Response

from .mapping import DOCUMENT_TYPES, PARTS, as_object, as_text
from .settings import StripeSettings

# Of a document and a selfie Stripe takes no link that lives longer (docs.stripe.com/identity/access-verification-results).
_FILE_LINK_LIFE = timedelta(seconds=30)
_DOCUMENT_FILES = (MediaKind.DOCUMENT_FRONT, MediaKind.DOCUMENT_BACK)
_ASKED = {"selfie": "require_matching_selfie", "id_number": "require_id_number"}


@attrs.frozen(kw_only=True)
class FileLink:
    """A link to the content of a file (docs.stripe.com/api/file_links/object)."""

    file: str
    url: str


def erasure_of(session: Mapping[str, Any]) -> Erasure:
    """How far the redaction is (docs.stripe.com/identity/verification-sessions#redact)."""
    if as_object(session.get("redaction")).get("status") == "redacted":
        return Erasure(status=ErasureStatus.DONE)
    return Erasure(status=ErasureStatus.REQUESTED, reason="Stripe takes up to four days: ask again later")


def media_of(report: Mapping[str, Any]) -> Iterator[Media]:
    """The pictures of the last attempt: of the document, front first, and of the face."""
    document, selfie = as_object(report.get("document")), as_object(report.get("selfie"))
    files = document.get("files")
    names = [(name, _kind(number)) for number, name in enumerate(files if isinstance(files, list) else ())]
    names += [(selfie.get("document"), MediaKind.DOCUMENT_FRONT), (selfie.get("selfie"), MediaKind.SELFIE)]
    type_ = DOCUMENT_TYPES.get(as_text(document.get("type")) or "")
    seen: set[str] = set()
    for name, kind in names:
        id = as_text(name)
        if id is not None and id not in seen:
            seen.add(id)
            yield Media(id=id, kind=kind, document=None if kind is MediaKind.SELFIE else type_)


def _kind(number: int) -> MediaKind:
    return _DOCUMENT_FILES[number] if number < len(_DOCUMENT_FILES) else MediaKind.DOCUMENT


def end_of_file_link(reply: Response) -> int:
    """When a link made now ends, in seconds since 1970 by Stripe's clock, which is the one that counts."""
    return int((_date(reply) + _FILE_LINK_LIFE).timestamp())


def _date(reply: Response) -> datetime:
    """The answer's `Date` (RFC 9110 section 6.6.1), our own time where it has none."""
    try:
        date = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return reply.received_at
    return date if date.tzinfo is not None else reply.received_at


def coverage_of(settings: StripeSettings) -> Coverage:
    """Stripe reads three types of documents. A flow made in the dashboard says itself what it checks, so all is possible."""
    flow, types = settings.verification_flow, settings.allowed_types
    asked = [part for part in PARTS if part[0] == "document" or getattr(settings, _ASKED.get(part[0], ""), False)]
    return Coverage(
        document_types=[DOCUMENT_TYPES[word] for word in (() if flow else types) or DOCUMENT_TYPES],
        checks=[f"{kind.value}.{name}" for _, kind, name in (PARTS if flow else asked)],
        templates=(flow,) if flow else (),
    )
