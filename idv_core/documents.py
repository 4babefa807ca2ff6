"""What is handed in, looked at before a plugin sees it: pictures are read, bounded; addresses are checked."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import attrs

from .errors import InvalidOrder
from .model import Document

# Names that only a private network resolves (RFC 6761, RFC 6762, RFC 8375, and ICANN's .internal).
_PRIVATE_NAMES = ("localhost", ".localhost", ".local", ".internal", ".home.arpa", ".test", ".invalid")


def check_url(id: str, url: str) -> None:
    """Raise InvalidOrder unless the vendor can be sent there: `https`, a public host, no user name in it.

    Names are not resolved: who serves the name decides then where it leads, and the vendor guards its own network.
    """
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise InvalidOrder(f"document {id!r}: its URL is malformed", fields=(id,)) from None
    if parts.scheme != "https":
        raise InvalidOrder(f"document {id!r}: its URL must begin with https://", fields=(id,))
    if not host or parts.username is not None or not url.isprintable() or " " in url:
        raise InvalidOrder(f"document {id!r}: its URL is malformed", fields=(id,))
    if _is_private(host):
        raise InvalidOrder(
            f"document {id!r}: its URL leads into a private network (limits.allow_private_urls lets it)", fields=(id,)
        )


def _is_private(host: str) -> bool:
    if host.endswith(_PRIVATE_NAMES):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # what resolvers take for an address besides the usual form: 127.1, 0x7f.1, 2130706433
            address = ipaddress.ip_address(socket.inet_aton(host))
        except OSError:
            return "." not in host
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


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
