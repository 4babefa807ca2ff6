"""Checks documents before a plugin sees them: reads files, limits their size, detects their format, checks URLs."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import attrs

from ..errors import InvalidOrder
from ..model import Document, FlowOrder
from ..model.words import what_is
from ..plugin.protocols import PictureProtocol

_HEAD = 64


def check_url(id: str, url: str) -> str:
    """The URL, normalised, if the vendor may be sent there: `https` at a public host. Raises InvalidOrder.

    Names are not resolved, because DNS may answer differently later; the vendor protects its own network.
    """
    from ..plugin.urls import is_private, parse_url  # few vendors fetch documents themselves

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
        raise InvalidOrder(f"document {id!r}: its URL must use port 443", fields=(id,))
    return parsed.text


def _leads_inside(url: str) -> bool:
    """Whether an address that we do not take means a private host to others."""
    from ..plugin.urls import is_private

    try:
        parts = urlsplit(url)
        return "@" not in parts.netloc and bool(parts.hostname) and is_private(parts.hostname or "")
    except ValueError:
        return False


def _private(id: str) -> InvalidOrder:
    return InvalidOrder(
        f"document {id!r}: its URL points to a private network (limits.allow_private_urls = true allows it)",
        fields=(id,),
    )


def read_document(document: Document, limit: int, keeps_files: bool = False) -> Document:
    """The document with bytes in `content` and `back_content`. Raises InvalidOrder.

    With `keeps_files`, a file named by a path is only checked: the plugin sends it in pieces.
    """
    if keeps_files and document.path is not None:
        for path in (document.path, document.back_path):
            if path is not None:
                _check_file(document.id, path, limit)
        back = _bytes(document.id, None, document.back_content, limit)
        return attrs.evolve(document, back_content=back)
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


def check_pictures(documents: Iterable[Document], adapter: Any) -> None:
    """Raise InvalidOrder for a format that the vendor does not accept, if the adapter declares its formats."""
    from ..plugin.pictures import PDF, picture_names, picture_type  # for those who upload

    accepts = adapter.accepts if isinstance(adapter, PictureProtocol) else {}
    for document in documents:
        wanted = accepts.get(document.kind)
        if wanted is None:
            continue
        for content in (_head(document.content, document.path), _head(document.back_content, document.back_path)):
            if content is None:
                continue
            kind = picture_type(content)
            if kind in wanted:
                continue
            what = (
                f"is a {picture_names([kind])} picture"
                if kind and kind != PDF
                else "is a PDF"
                if kind
                else "is not a picture"
            )
            raise InvalidOrder(
                f"document {document.id!r} {what}; this vendor reads {picture_names(wanted)}", fields=(document.id,)
            )


def check_documents(documents: Any) -> tuple[Document, ...]:
    """The documents as a tuple. Raises InvalidOrder for anything else than a list of documents."""
    if isinstance(documents, Document):
        raise InvalidOrder("documents must be a list: upload(flow, [document])", fields=("documents",))
    try:
        several = tuple(documents)
    except TypeError:
        several = (None,)
    if isinstance(documents, (str, bytes)) or not all(isinstance(document, Document) for document in several):
        raise InvalidOrder("documents must be a list of Document values", fields=("documents",))
    _check_streams(several)
    return several


def _check_streams(documents: tuple[Document, ...]) -> None:
    """Refuse one open file for two documents: it would be sent twice as the same picture."""
    seen: set[int] = set()
    for document in documents:
        for content in (document.content, document.back_content):
            if content is None or isinstance(content, bytes):
                continue
            if id(content) in seen:
                raise InvalidOrder(
                    f"document {document.id!r}: another document has the same file object; open one for each",
                    fields=(document.id,),
                )
            seen.add(id(content))


def check_order(order: object, now: datetime) -> None:
    """Raise InvalidOrder if it is no FlowOrder or the birthdate is in the future (with a day of tolerance for time zones)."""
    if not isinstance(order, FlowOrder):
        raise InvalidOrder(f"order must be a FlowOrder, not {what_is(order)}", fields=("order",))
    born = order.applicant.birthdate
    if born is not None and born > (now + timedelta(days=1)).date():
        raise InvalidOrder("birthdate: must be in the past", fields=("applicant.birthdate",))


def check_function(name: str, function: object) -> None:
    """Raise InvalidOrder for what cannot be called."""
    if function is not None and not callable(function):
        raise InvalidOrder(f"{name} must be a function", fields=(name,))


def _bytes(id: str, path: str | Path | None, content: bytes | BinaryIO | None, limit: int) -> bytes | None:
    if path is not None:
        content = _of_file(id, path, limit)
    elif content is not None and not isinstance(content, bytes):
        content = _of_stream(id, content, limit)
    if content is None:
        return None
    if not content:
        raise InvalidOrder(f"document {id!r}: its file is empty", fields=(id,))
    if len(content) > limit:
        raise InvalidOrder(f"document {id!r}: its file is larger than {limit} bytes", fields=(id,))
    return content


def _head(content: bytes | BinaryIO | None, path: str | Path | None) -> bytes | None:
    """What tells the kind of picture."""
    if path is None:
        return content if isinstance(content, bytes) else None
    with Path(path).open("rb") as file:
        return file.read(_HEAD)


def _check_file(id: str, path: str | Path, limit: int) -> None:
    if not _of_file(id, path, 0):
        raise InvalidOrder(f"document {id!r}: its file is empty", fields=(id,))
    if os.stat(path).st_size > limit:
        raise InvalidOrder(f"document {id!r}: its file is larger than {limit} bytes", fields=(id,))


def _of_file(id: str, path: str | Path, limit: int) -> bytes:
    try:
        # opening a pipe would wait for whoever writes to it
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InvalidOrder(
                f"document {id!r}: its path must be a regular file; for a pipe use content", fields=(id,)
            )
        with Path(path).open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise InvalidOrder(f"document {id!r}: its file cannot be read ({error.strerror})", fields=(id,)) from None
    except ValueError:
        raise InvalidOrder(f"document {id!r}: its path is not a valid file name", fields=(id,)) from None


def _of_stream(id: str, stream: BinaryIO, limit: int) -> bytes:
    """From the beginning, where it can be turned back, to the end: pipes, sockets and raw files give a piece at a time."""
    parts: list[bytes] = []
    size = 0
    try:
        turned = _turned_back(stream)
        while size <= limit:
            part: Any = stream.read(limit + 1 - size)
            if part is None:
                raise InvalidOrder(
                    f"document {id!r}: its file must be blocking; for a non-blocking file pass the bytes",
                    fields=(id,),
                )
            if not isinstance(part, (bytes, bytearray, memoryview)):
                if hasattr(part, "close"):
                    part.close()  # a coroutine that nobody awaits
                raise InvalidOrder(
                    f"document {id!r}: its file must be blocking and opened in binary mode", fields=(id,)
                )
            if not part:
                break
            parts.append(bytes(part))
            size += len(part)
    except InvalidOrder:
        raise
    except UnicodeError:
        raise InvalidOrder(f"document {id!r}: open its file in binary mode", fields=(id,)) from None
    except io.UnsupportedOperation:
        raise InvalidOrder(f"document {id!r}: open its file for reading, in binary mode", fields=(id,)) from None
    except ValueError:
        raise InvalidOrder(f"document {id!r}: its file is closed", fields=(id,)) from None
    except Exception as error:
        why = getattr(error, "strerror", None) if isinstance(error, OSError) else None
        raise InvalidOrder(
            f"document {id!r}: its file cannot be read ({why or type(error).__name__})", fields=(id,)
        ) from None
    if not parts and not turned:
        raise InvalidOrder(
            f"document {id!r}: its file is empty or already read, and cannot be rewound; pass the bytes",
            fields=(id,),
        )
    return b"".join(parts)


def _turned_back(stream: Any) -> bool:
    """Whether the stream stands at its beginning now."""
    # some can be turned back and do not say so, such as mmap before Python 3.13
    seekable = getattr(stream, "seekable", None)
    try:
        if seekable is not None and not seekable():
            return False
        stream.seek(0)
    except (AttributeError, OSError):
        return False
    return True
