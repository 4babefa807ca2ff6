"""JSON text to data, strictly (RFC 8259): by msgspec where it is installed (extra `fast`), else by the standard library.

Both refuse and read the same, so that a result does not depend on what is installed. One byte order mark before the text is
skipped, as the RFC lets a reader do.
"""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import Any, NoReturn


def decode_with_stdlib(content: bytes) -> Any:
    """Raises ValueError for what is not JSON in UTF-8, for NaN and Infinity, and for texts with half a surrogate pair."""
    text = content.removeprefix(BOM_UTF8).decode()
    try:
        data = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if _has_escapes(content):
        _refuse_half_pairs(data)
    return data


def _has_escapes(content: bytes) -> bool:
    """Whether a character is written by its number. One byte is found much sooner than two."""
    return b"\\" in content and b"\\u" in content


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("a number out of range")
    return value


def _refuse_half_pairs(data: Any) -> None:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None


def _fastest() -> Callable[[bytes], Any]:
    try:
        import msgspec
    except ImportError:
        return decode_with_stdlib
    fast = msgspec.json.Decoder().decode

    def decode_with_msgspec(content: bytes) -> Any:
        try:
            data = fast(content.removeprefix(BOM_UTF8))
        except (msgspec.MsgspecError, RecursionError):
            raise ValueError("not JSON") from None
        if _has_escapes(content):
            _refuse_half_pairs(data)
        return data

    return decode_with_msgspec


decode = _fastest()
"""The quickest there is. Raises ValueError."""
