"""What is handed in: a document or a selfie, and what the vendor said when it took it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import attrs

from .dark import not_pickled
from .evidence import Check
from .secret import Secret
from .values import is_country, is_text, plain_mapping


class UploadKind(StrEnum):
    DOCUMENT = "document"
    SELFIE = "selfie"


def _secret(url: str | Secret | None) -> Secret | None:
    return Secret(url) if isinstance(url, str) else url


@not_pickled
@attrs.frozen
class Document:
    """One thing to hand in: `Document("pan", url=signed_url)`, `Document("id", path="front.png", back_path="back.png")`.

    `id` is yours, unique within the flow; the evidence comes back under it. The picture is given by exactly one of
    `url` (for vendors that fetch it; a pre-signed link is a secret), `path` or `content` (bytes or a binary file object).
    `type` and `country` (ISO 3166-1 alpha-2) are hints for vendors that want to be told.
    """

    id: str = attrs.field(validator=is_text)
    url: Secret | None = attrs.field(default=None, kw_only=True, converter=_secret, repr=False)
    path: str | Path | None = attrs.field(default=None, kw_only=True, repr=False)
    content: bytes | BinaryIO | None = attrs.field(default=None, kw_only=True, repr=False)
    back_path: str | Path | None = attrs.field(default=None, kw_only=True, repr=False)
    back_content: bytes | BinaryIO | None = attrs.field(default=None, kw_only=True, repr=False)
    kind: UploadKind = attrs.field(default=UploadKind.DOCUMENT, kw_only=True, converter=UploadKind)
    type: str | None = attrs.field(default=None, kw_only=True)
    country: str | None = attrs.field(default=None, kw_only=True, validator=is_country)

    def __attrs_post_init__(self) -> None:
        given = [name for name in ("url", "path", "content") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"document {self.id!r}: give exactly one of url, path and content")
        if self.back_path is not None and self.back_content is not None:
            raise ValueError(f"document {self.id!r}: give back_path or back_content, not both")

    @classmethod
    def selfie(
        cls, id: str = "selfie", *, path: str | Path | None = None, content: bytes | BinaryIO | None = None
    ) -> Document:
        """A picture of the applicant's face."""
        return cls(id, path=path, content=content, kind=UploadKind.SELFIE)


@attrs.frozen(kw_only=True)
class Upload:
    """What the vendor answered to one document.

    A refusal that speaks of the person (a selfie that is no live face) is evidence: `accepted` is false and `check` says why.
    """

    document_id: str
    accepted: bool = True
    vendor_ids: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    check: Check | None = None
