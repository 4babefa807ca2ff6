"""The body of an answer, bounded while it streams, also when it is compressed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from ..errors import UnexpectedResponse

ACCEPTED = "gzip, deflate"
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class Body:
    """Takes chunks as they come. Raises UnexpectedResponse as soon as there are more than `limit` bytes, unpacked."""

    def __init__(self, headers: Mapping[str, str], status: int, limit: int) -> None:
        self._status, self._limit = status, limit
        self._parts: list[bytes] = []
        self._size = 0
        encoding = headers.get("content-encoding", "identity").strip().lower()
        self._unpack = None
        if encoding in _WINDOWS:
            self._unpack = zlib.decompressobj(_WINDOWS[encoding])
        elif encoding not in ("identity", ""):
            raise UnexpectedResponse("the answer is packed in a way that was not asked for", status=status)

    def add(self, chunk: bytes) -> None:
        if self._unpack is not None:
            try:
                chunk = self._unpack.decompress(chunk, self._limit - self._size + 1)
            except zlib.error:
                raise UnexpectedResponse("the answer could not be unpacked", status=self._status) from None
        self._size += len(chunk)
        if self._size > self._limit:
            raise UnexpectedResponse(f"the answer is larger than {self._limit} bytes", status=self._status)
        self._parts.append(chunk)

    def content(self) -> bytes:
        """The whole of it."""
        if self._unpack is not None and self._size and not self._unpack.eof:
            raise UnexpectedResponse("the packed answer is cut off", status=self._status)
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
