"""Pictures, videos and reports that the vendor keeps of a verification. They are fetched to a file of the platform."""

from __future__ import annotations

from enum import StrEnum

import attrs

from .validation import is_text


class MediaKind(StrEnum):
    """What a file of the vendor's shows. `PORTRAIT` is the face cut out of a document; `REPORT` is a text, such as a PDF."""

    DOCUMENT_FRONT = "document_front"
    DOCUMENT_BACK = "document_back"
    DOCUMENT = "document"
    PORTRAIT = "portrait"
    SELFIE = "selfie"
    VIDEO = "video"
    REPORT = "report"
    OTHER = "other"


@attrs.frozen(kw_only=True)
class Media:
    """One file that the vendor keeps of a flow.

    Args:
        id: The vendor's id of it, or what the plugin finds it by. Hidden in `repr`: it may be an address.
        kind: What is on it. `portrait` is the face cut out of a document.
        content_type: The media type, if the vendor says it before the file is fetched.
        document: Your id of the document, or its type, if known.
        size: In bytes, if the vendor says it.
    """

    id: str = attrs.field(validator=is_text, repr=False)
    kind: MediaKind = attrs.field(converter=MediaKind)
    content_type: str | None = None
    document: str | None = None
    size: int | None = None


@attrs.frozen(kw_only=True)
class Downloaded:
    """A file that was fetched: its media type as the vendor's answer says, its size in bytes, its SHA-256 in hexadecimal."""

    media: Media
    content_type: str | None
    size: int
    sha256: str
