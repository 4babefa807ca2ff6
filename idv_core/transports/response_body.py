"""The body of an answer, bounded while it streams, also when it is compressed."""

from __future__ import annotations

import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import UnexpectedResponse
from .sinks import Sink

if TYPE_CHECKING:
    from ..engine.account import Limits

ACCEPTED = "gzip, deflate"
_MOST_CODINGS = 3
_PIECE = 65_536
_GZIP = zlib.MAX_WBITS | 16
# The first byte of each member.
_MEMBER = b"\x1f"


class Body:
    """Takes chunks as they come. Raises UnexpectedResponse as soon as there are more than `limit` bytes, unpacked.

    With a `sink` they go there, and `content` is empty.

    What `Content-Encoding` names and nobody knows (servers say `UTF-8` there) is taken as it is. A success that is packed in a
    way that was not asked for cannot be read; of an error the status counts. A web page in place of a file is none.
    """

    def __init__(self, headers: Mapping[str, str], status: int, limit: int, sink: Sink | None = None) -> None:
        self._status, self._limit, self._sink = status, limit, sink
        self._bound = "max_response" if sink is None else "max_media"
        if sink is not None:
            sink.begin(headers.get("content-type", "").partition(";")[0].strip() or None)
        # what goes to a file is never whole in memory, also where a little unpacks to very much
        self._most = limit + 1 if sink is None else _PIECE
        self._parts: list[bytes] = []
        self._size = 0
        self._unpack: list[_Unpacking] = []
        # a picture that is called a page is one all the same, so that its first byte counts
        self._may_be_page = sink is not None and headers.get("content-type", "").strip().lower().startswith("text/html")
        self._unasked: str | None = None
        encoding = headers.get("content-encoding")
        if encoding:
            named = [part.strip() for part in encoding.lower().split(",")]
            known = [coding for coding in named if coding in _PACKED]
            if 200 <= status < 300:
                self._unasked = next((coding for coding in named if coding in _UNASKED), None)
            if len(known) > _MOST_CODINGS:
                raise UnexpectedResponse("the response is compressed too many times", status=status)
            # the last one was put on last
            self._unpack = [_Unpacking(coding) for coding in reversed(known)]

    def add(self, chunk: bytes) -> None:
        if self._unasked is not None and chunk:
            raise UnexpectedResponse(
                f"the response is compressed with {self._unasked}, which was not asked for", status=self._status
            )
        try:
            for piece in _unpacked(chunk, self._unpack, self._most):
                self._size += len(piece)
                if self._size > self._limit:
                    raise UnexpectedResponse(
                        f"the response is larger than {self._limit} bytes (limits.{self._bound})", status=self._status
                    )
                if self._sink is not None:
                    self._refuse_page(piece)
                    self._sink.write(piece)
                else:
                    self._parts.append(piece)
        except zlib.error:
            raise UnexpectedResponse("the response could not be decompressed", status=self._status) from None

    def _refuse_page(self, piece: bytes) -> None:
        begins = piece.removeprefix(BOM_UTF8).lstrip()[:1]
        if self._may_be_page and begins == b"<":
            raise UnexpectedResponse("a web page came in place of the file", status=self._status)
        self._may_be_page = self._may_be_page and not begins

    def content(self) -> bytes:
        """The whole of it."""
        if any(unpack.is_cut_off for unpack in self._unpack):
            raise UnexpectedResponse("the compressed response is cut off", status=self._status)
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


def body_for(limits: Limits, headers: Mapping[str, str], status: int, sink: Sink | None) -> Body:
    """What takes the body of this answer. Only that of a success goes to the sink; an error is read by the plugin.

    Raises UnexpectedResponse for a part of a file, which nobody asked for.
    """
    if sink is not None and status == 206:
        raise UnexpectedResponse("the vendor gave only a part of the file", status=status)
    if sink is not None and 200 <= status < 300:
        return Body(headers, status, limits.max_media, sink)
    return Body(headers, status, limits.max_response)


def _unpacked(chunk: bytes, codings: list[_Unpacking], most: int) -> Iterator[bytes]:
    """The chunk with all codings undone, in pieces of at most `most` bytes."""
    if not codings:
        yield chunk
        return
    for piece in codings[0].add(chunk, most):
        yield from _unpacked(piece, codings[1:], most)


_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_UNASKED = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})


class _Unpacking:
    """One coding undone, chunk by chunk. `deflate` is zlib's format (RFC 9110 section 8.4.1.2) or, as IIS sends it, bare.

    `gzip` is members one after the other (RFC 1952 section 2.2). What follows and is none is padding.
    """

    def __init__(self, coding: str) -> None:
        self._head = b""
        self._begun = False
        self._has_members = coding != "deflate"
        self._inner = zlib.decompressobj(_GZIP) if self._has_members else None

    def add(self, chunk: bytes, most: int) -> Iterator[bytes]:
        """Pieces of at most `most` bytes."""
        self._begun = self._begun or bool(chunk)
        if self._inner is None:
            self._head += chunk
            if len(self._head) < 2:
                return
            chunk = self._head
            # the header of RFC 1950: method 8, and a check sum over both bytes
            is_zlib = chunk[0] & 0x0F == 8 and int.from_bytes(chunk[:2], "big") % 31 == 0
            self._inner = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        full = True
        while chunk or full:
            if self._inner.eof:
                self._has_members = self._has_members and chunk[:1] in (b"", _MEMBER)
                if not chunk or not self._has_members:
                    return
                self._inner = zlib.decompressobj(_GZIP)
            # a full piece may leave something behind although everything was taken in
            piece = self._inner.decompress(chunk, most)
            is_over = self._inner.eof
            chunk = self._inner.unused_data if is_over else self._inner.unconsumed_tail
            full = len(piece) == most and not is_over
            if piece:
                yield piece

    @property
    def is_cut_off(self) -> bool:
        return self._begun and (self._inner is None or not self._inner.eof)
