"""Reads the pictures that are handed in, bounded, before a plugin sees them."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import attrs

from .errors import InvalidOrder
from .model import Document


def read_document(document: Document, limit: int) -> Document:
    """The same document with bytes in `content` and `back_content`. Raises InvalidOrder that says what is wrong with it."""
    return (
        attrs.evolve(
            document,
            path=None,
            content=_bytes(document.id, document.path, document.content, limit),
            back_path=None,
            back_content=_bytes(document.id, document.back_path, document.back_content, limit),
        )
        if document.url is None
        else document
    )


def _bytes(id: str, path: str | Path | None, content: bytes | BinaryIO | None, limit: int) -> bytes | None:
    if path is not None:
        try:
            with Path(path).open("rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise InvalidOrder(f"document {id!r}: its file cannot be read ({error.strerror})", fields=(id,)) from None
    elif content is not None and not isinstance(content, bytes):
        content = content.read(limit + 1)
    if content is None:
        return None
    if not isinstance(content, bytes):
        raise InvalidOrder(f"document {id!r}: open its file in binary mode", fields=(id,))
    if not content:
        raise InvalidOrder(f"document {id!r}: its file is empty", fields=(id,))
    if len(content) > limit:
        raise InvalidOrder(f"document {id!r}: its file is larger than {limit} bytes", fields=(id,))
    return content
