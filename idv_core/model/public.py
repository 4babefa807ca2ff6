"""What of a vendor's answer may be kept in `Result.raw`: data, but no key to anything and no picture."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

_DEEPEST = 64
_MASK = "***"
# a link, or a picture written into the text itself (RFC 2397); `//host` takes the scheme of the page it stands on
_LINK = re.compile(
    r"(?<![\w:])(?:(?:[a-z][a-z0-9+.-]{0,20}:)?//[^\s/]|data:[\w.+-]*/?[\w.+-]*[;,])\S*", re.IGNORECASE | re.ASCII
)
# tokens and base64: no word of a person's language is so long. Languages that write without blanks are not ASCII.
_PACKED = re.compile(r"[\x21-\x7e]{100}")
_PACKED_LINES = re.compile(r"(?:[A-Za-z0-9+/=_-]{50,}\s{1,4}){2}")
_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*", re.ASCII)
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_WORDS = "token secret password passwd passcode otp base64 jwt authorization bearer cookie credential credentials"
_SECRET_WORDS = frozenset(_WORDS.split())
_SECRET_PAIRS = frozenset({("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key")})


def without_secrets(data: Mapping[str, Any], drop: Collection[str] = ()) -> dict[str, Any]:
    """A copy of JSON data without links, tokens and pictures, at any depth.

    Left out by name: what `drop` names (spelled as you like: `frontUrl` means `front_url` too), and names with a word
    such as token, secret, password, otp or base64 in them. Left out by value: a text that is a link
    (`https://...`, `//...`, `data:...`), a JWT, and one with 100 ASCII characters in a row without a blank (a picture in
    base64, a token). A link inside a sentence becomes `***`. What is no JSON, or deeper than 64, is left out. Names and
    numbers of people stay: this makes data harmless to keep, not anonymous.

    >>> without_secrets({"status": "ACTIVE", "authLink": "https://vendor.example/x?t=1", "accessToken": "abc"})
    {'status': 'ACTIVE'}
    """
    dropped = frozenset(map(_plain, drop))
    kept = _kept(data, dropped, 0)
    return kept if isinstance(kept, dict) else {}


_OUT: Any = object()


def _kept(value: Any, dropped: frozenset[str], depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return _text(value)
    if depth > _DEEPEST:
        return _OUT
    if isinstance(value, Mapping):
        kept = {
            key: _kept(item, dropped, depth + 1)
            for key, item in value.items()
            if isinstance(key, str) and not _is_secret_name(key, dropped)
        }
        return {key: item for key, item in kept.items() if item is not _OUT}
    if isinstance(value, (list, tuple)):
        return [item for item in (_kept(item, dropped, depth + 1) for item in value) if item is not _OUT]
    return _OUT


def _text(text: str) -> Any:
    if _PACKED.search(text) or _PACKED_LINES.search(text) or _JWT.search(text):
        return _OUT
    harmless = _LINK.sub(_MASK, text)
    return _OUT if harmless != text and harmless.strip() == _MASK else harmless


def _is_secret_name(name: str, dropped: frozenset[str]) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return (
        _plain(name) in dropped
        or not _SECRET_WORDS.isdisjoint(words)
        or not _SECRET_PAIRS.isdisjoint(pairwise(words))
        or _text(name) != name
    )


def _plain(name: str) -> str:
    """A name without what spellings differ in: capitals, underscores, hyphens, blanks."""
    return re.sub(r"[\s_-]", "", name).lower()
