"""Where the body of a large answer goes, piece by piece: the platform's file, with its size and its SHA-256."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from ..errors import InvalidOrder

T = TypeVar("T")


class Sink(Protocol):
    """Takes the body of one answer. `begin` is called for each attempt, and drops what an earlier one wrote."""

    def begin(self, content_type: str | None = None) -> None: ...

    def write(self, piece: bytes) -> None: ...


class FileSink:
    """Writes to a file object of the platform, or to a path.

    A path gets its content in one step at the end (`commit`), by way of a file beside it, so nobody reads half of one. Only
    its owner may read it.
    `to` that is an open file is written from where it stands. Raises InvalidOrder where it cannot be written.
    """

    def __init__(self, to: str | os.PathLike[str] | BinaryIO) -> None:
        self.size = 0
        self.content_type: str | None = None
        self._digest = hashlib.sha256()
        self._path: Path | None = None
        self._start: int | None = None
        self._begun = False
        if isinstance(to, (str, os.PathLike)):
            self._path = path = Path(to)
            # a name that nobody has, also where a process that was killed left one, and every process has the id 1
            handle, beside = self._tried(lambda: tempfile.mkstemp(".part", ".idv-", path.parent))
            self._beside = Path(beside)
            self._file: BinaryIO = os.fdopen(handle, "wb")
        else:
            if not callable(getattr(to, "write", None)):
                raise InvalidOrder("to: give the name of a file, or a file opened in binary mode", fields=("to",))
            self._file = to

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits, of all that was written."""
        return self._digest.hexdigest()

    def begin(self, content_type: str | None = None) -> None:
        self.content_type = content_type
        if self._begun:
            self._again()
        elif self._path is None and _can_seek(self._file):
            self._start = self._file.tell()
        self._begun = True

    def write(self, piece: bytes) -> None:
        written = self._tried(lambda: self._file.write(piece))
        if written is not None and written != len(piece):
            raise InvalidOrder("to: the file took only a part of what was written; open it buffered", fields=("to",))
        self.size += len(piece)
        self._digest.update(piece)

    def commit(self) -> None:
        """The whole content is there."""
        if self._path is not None:
            self._tried(self._file.close)
            self._tried(lambda: os.replace(self._beside, self._path or ""))
        else:
            self._tried(getattr(self._file, "flush", lambda: None))

    def abandon(self) -> None:
        """Leave nothing half at a path. Does nothing after `commit`."""
        if self._path is not None:
            self._file.close()
            self._beside.unlink(missing_ok=True)

    def _again(self) -> None:
        if self.size and self._path is None and self._start is None:
            raise InvalidOrder(
                "to: a part was written already, and this file cannot be turned back; give a path", fields=("to",)
            )
        if self.size:
            self._tried(lambda: self._file.seek(self._start or 0))
            self._tried(self._file.truncate)
        self.size, self._digest = 0, hashlib.sha256()

    def _tried(self, write: Callable[[], T]) -> T:
        try:
            return write()
        except (OSError, ValueError, TypeError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
        raise InvalidOrder(f"to: the file cannot be written ({why})", fields=("to",))


def _can_seek(file: BinaryIO) -> bool:
    try:
        return bool(file.seekable())
    except (AttributeError, ValueError):
        return False
