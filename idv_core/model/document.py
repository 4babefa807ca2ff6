"""Documents and selfies to upload, and the vendor's response to each."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from .document_types import DocumentType, document_type
from .evidence import Check
from .redacted import not_pickled
from .secret import Secret
from .validation import is_country, plain_mapping, text


class UploadKind(StrEnum):
    """What a `Document` shows: a document, or the applicant's face."""

    DOCUMENT = "document"
    SELFIE = "selfie"


def _secret(url: str | Secret | None) -> Secret | None:
    return Secret(url) if isinstance(url, str) else url


def _kind(kind: object) -> UploadKind:
    try:
        return UploadKind(kind)  # type: ignore[arg-type]
    except ValueError:
        raise ValueError("kind: must be 'document' or 'selfie'") from None


def _bytes_at_once(content: Any) -> Any:
    """Bytes of whatever holds them in memory (bytearray, memoryview, an array): what its owner changes later stays out."""
    if isinstance(content, (bytes, str)) or hasattr(content, "read"):
        return content
    try:
        return memoryview(content).tobytes()
    except TypeError:
        return content


def _is_picture(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, str):
        raise ValueError(f"{attribute.name}: must be bytes or a file opened in binary mode; for a file name use path")
    read = getattr(value, "read", None)
    if value is not None and not isinstance(value, bytes) and (not callable(read) or isinstance(value, type)):
        raise ValueError(f"{attribute.name}: must be bytes or a file opened in binary mode")
    if inspect.iscoroutinefunction(read):
        raise ValueError(
            f"{attribute.name}: must be bytes or a blocking file; for an asynchronous file use content=await file.read()"
        )


def _is_path(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, (str, os.PathLike)) and isinstance(os.fspath(value), str)):
        raise ValueError(f"{attribute.name}: must be a file name, as a string or a Path")


@not_pickled
@attrs.frozen
class Document:
    """One document or selfie to upload: `Document("pan", url=signed_url)`, `Document("id", path="front.png")`.

    Exactly one of `url`, `path` and `content` is set.

    Args:
        id: Your id, unique in the flow, at most 200 characters. The evidence carries it.
        url: For vendors that download the picture. A pre-signed URL is a secret.
        path: The name of a file.
        content: Bytes, or an object that holds bytes (bytearray, memoryview, array), or a binary file object. A file is read
            from its start when it is uploaded; one that cannot seek can be uploaded once.
        back_path: The file of the back.
        back_content: The back, as `content`.
        kind: `document` or `selfie`.
        type: A `DocumentType`, as a hint to the vendor.
        country: The issuing country, ISO 3166-1 alpha-2, as a hint to the vendor.

    Raises ValueError that names the field.
    """

    id: str = attrs.field(validator=text())
    url: Secret | None = attrs.field(default=None, kw_only=True, converter=_secret, repr=False)
    path: str | Path | None = attrs.field(default=None, kw_only=True, validator=_is_path, repr=False)
    content: bytes | BinaryIO | None = attrs.field(
        default=None, kw_only=True, converter=_bytes_at_once, validator=_is_picture, repr=False
    )
    back_path: str | Path | None = attrs.field(default=None, kw_only=True, validator=_is_path, repr=False)
    back_content: bytes | BinaryIO | None = attrs.field(
        default=None, kw_only=True, converter=_bytes_at_once, validator=_is_picture, repr=False
    )
    kind: UploadKind = attrs.field(default=UploadKind.DOCUMENT, kw_only=True, converter=_kind)
    type: DocumentType | None = attrs.field(
        default=None, kw_only=True, converter=attrs.converters.optional(document_type)
    )
    country: str | None = attrs.field(default=None, kw_only=True, validator=is_country)

    @url.validator
    def _check_url(self, _: object, value: object) -> None:
        if value is not None and not isinstance(value, Secret):
            raise ValueError("url: must be a string or a Secret")

    def __attrs_post_init__(self) -> None:
        given = [name for name in ("url", "path", "content") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"document {self.id!r}: exactly one of url, path and content must be set")
        if self.back_content is not None and self.back_content is self.content and not isinstance(self.content, bytes):
            raise ValueError(f"document {self.id!r}: front and back must be two file objects; open one for each")
        if self.back_path is not None and self.back_content is not None:
            raise ValueError(f"document {self.id!r}: only one of back_path and back_content must be set")
        if self.url is not None and not (self.back_path is None and self.back_content is None):
            raise ValueError(
                f"document {self.id!r}: back_path and back_content go with path or content; for a URL make a second Document"
            )

    @classmethod
    def selfie(
        cls, id: str = "selfie", *, path: str | Path | None = None, content: bytes | BinaryIO | None = None
    ) -> Document:
        """A picture of the applicant's face."""
        return cls(id, path=path, content=content, kind=UploadKind.SELFIE)


@attrs.frozen(kw_only=True)
class Upload:
    """The vendor's response to one document.

    Args:
        document_id: Your id of the document.
        accepted: False if the vendor refused it. If the reason is the person (a selfie without a live face), `check` tells.
        vendor_ids: The vendor's ids of it.
        check: The evidence, if the response holds any.
    """

    document_id: str
    accepted: bool = True
    vendor_ids: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    check: Check | None = None
