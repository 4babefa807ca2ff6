"""The body of a request as it is sent: media type, length, and bytes, whole or in pieces. Pure, but for files that are read.

A plugin that signs the body asks `Request.body_bytes()` or `Request.body_chunks()`; the transport sends the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import attrs

from ..errors import InvalidOrder
from ..model.document import Document

if TYPE_CHECKING:
    from .http import Request

PIECE = 65_536
"""Bytes in one piece of a file."""


@attrs.frozen
class FileSource:
    """A file that is read in pieces while it is sent, so that it is never whole in memory. `size` in bytes is fixed."""

    path: Path = attrs.field(repr=False)
    size: int

    def chunks(self) -> Iterator[bytes]:
        """The file from its beginning. Raises OSError, and ValueError where it is no longer as long as it was."""
        left = self.size
        with self.path.open("rb") as file:
            while left:
                piece = file.read(min(PIECE, left))
                left -= len(piece)
                # looked at before the last piece goes out: with it, the receiver would take the half for the whole
                if not piece or (not left and file.read(1)):
                    raise ValueError("the file changed while it was sent")
                yield piece


@attrs.frozen
class FilePart:
    """A file in a form: its name, its content (bytes, or a `FileSource`), and its media type."""

    name: str
    content: bytes | FileSource = attrs.field(repr=False)
    type: str = "application/octet-stream"


@attrs.frozen
class Body:
    """What is sent: `content_type` (None where there is no body), `length` in bytes, `parts` in order."""

    content_type: str | None
    parts: tuple[bytes | FileSource, ...]

    @property
    def length(self) -> int:
        return sum(_size(part) for part in self.parts)

    @property
    def is_streamed(self) -> bool:
        """Whether a file is read while it is sent."""
        return any(isinstance(part, FileSource) for part in self.parts)

    def chunks(self) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, FileSource):
                yield from part.chunks()
            elif part:
                yield part


def content_of(document: Document, *, back: bool = False) -> bytes | FileSource:
    """A document's picture, for a `FilePart`: a `FileSource` where it is a file on disk (see `StreamedUploadProtocol`).

    Raises InvalidOrder where the file is gone, or there is no such side.
    """
    path = document.back_path if back else document.path
    content = document.back_content if back else document.content
    if isinstance(content, bytes):
        return content
    if path is None:
        raise InvalidOrder(f"document {document.id!r}: it has no {'back' if back else 'front'}", fields=(document.id,))
    try:
        return FileSource(Path(path), os.stat(path).st_size)
    except OSError as error:
        why = error.strerror
    raise InvalidOrder(f"document {document.id!r}: its file cannot be read ({why})", fields=(document.id,))


NOTHING = Body(None, ())


def body_of(request: Request) -> Body:
    """Raises TypeError, ValueError or RecursionError for values that JSON or a form cannot hold."""
    if request.json is not None:
        text = json.dumps(request.json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return Body("application/json", (text.encode(),))
    if request.content is not None:
        return Body(request.content_type, (request.content,))
    if not request.form:
        return NOTHING
    if any(isinstance(value, FilePart) for _, value in request.form):
        return _multipart(request.form, f"idv-{request.nonce}")
    return Body("application/x-www-form-urlencoded", (_url_encoded(request.form),))


def _url_encoded(form: Iterable[tuple[str, str | FilePart]]) -> bytes:
    return urlencode([(name, _text(value)) for name, value in form]).encode()


def _multipart(form: Iterable[tuple[str, str | FilePart]], boundary: str) -> Body:
    """multipart/form-data (RFC 7578). Texts first, then files, each group in the order of the form."""
    fields = sorted(form, key=lambda field: isinstance(field[1], FilePart))
    parts: list[bytes | FileSource] = []
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'
        if isinstance(value, FilePart):
            if not isinstance(value.type, str) or not value.type.isprintable():
                raise ValueError("the media type of a file must look like 'image/jpeg'")
            parts += [f'{head}; filename="{_quoted(value.name)}"\r\nContent-Type: {value.type}\r\n\r\n'.encode()]
            parts += [_content(value), b"\r\n"]
        else:
            parts.append(f"{head}\r\n\r\n{_text(value)}\r\n".encode())
    parts.append(f"--{boundary}--\r\n".encode())
    return Body(f"multipart/form-data; boundary={boundary}", tuple(parts))


def _quoted(name: str) -> str:
    """As browsers write it (HTML, "multipart/form-data encoding algorithm")."""
    return name.translate(_ESCAPES)


_ESCAPES = {ord('"'): "%22", **{code: f"%{code:02X}" for code in range(0x20)}}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a form holds texts and files")
    return value


def _content(part: FilePart) -> bytes | FileSource:
    if not isinstance(part.content, (bytes, FileSource)):
        raise TypeError("a file's content is bytes or a FileSource")
    return part.content


def _size(part: bytes | FileSource) -> int:
    return part.size if isinstance(part, FileSource) else len(part)
