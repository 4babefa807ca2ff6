"""A string that must stay hidden: token, key, signed link, document number."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, final


@final
class Secret:
    """A string that `repr`, `str`, `format`, `pickle` and error messages never show.

    Read it with `reveal()`. Comparison takes constant time.

    >>> Secret("s3cr3t")
    Secret(***)

    Raises ValueError for an empty string.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not text:
            raise ValueError("a secret must be a non-empty string")
        self._text = text

    def reveal(self) -> str:
        """The string itself. Call it as late as possible and do not store the string."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; use to_json(..., secrets=True) and encrypt what it gives")

    def __getstate__(self) -> NoReturn:
        raise TypeError("the state of a Secret is hidden; read it with reveal()")


def _bytes(text: str) -> bytes:
    """Any text as bytes, half a surrogate pair too: what it holds is not looked at here."""
    return text.encode(errors="surrogatepass")
