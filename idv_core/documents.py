"""What is handed in, looked at before a plugin sees it: pictures are read, bounded; addresses are checked."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import attrs

from .errors import InvalidOrder
from .model import Document
from .urls import is_private, parse_url


def check_url(id: str, url: str) -> str:
    """The address put together anew, if the vendor can be sent there: `https` at a public host. Raises InvalidOrder.

    Names are not resolved: who serves the name decides then where it leads, and the vendor guards its own network.
    """
    if not url[:8].lower() == "https://":
        raise InvalidOrder(f"document {id!r}: its URL must begin with https://", fields=(id,))
    try:
        parsed = parse_url(url)
    except ValueError as error:
        if _leads_inside(url):
            raise _private(id) from None
        raise InvalidOrder(f"document {id!r}: its URL is malformed ({error})", fields=(id,)) from None
    if is_private(parsed.host):
        raise _private(id)
    if parsed.port is not None:
        raise InvalidOrder(f"document {id!r}: its URL must have no port other than 443", fields=(id,))
    return parsed.text


def _leads_inside(url: str) -> bool:
    """Whether an address that we do not take means a private host to others."""
    try:
        parts = urlsplit(url)
        return "@" not in parts.netloc and bool(parts.hostname) and is_private(parts.hostname or "")
    except ValueError:
        return False


def _private(id: str) -> InvalidOrder:
    return InvalidOrder(
        f"document {id!r}: its URL leads into a private network (limits.allow_private_urls lets it)", fields=(id,)
    )


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
