"""What of a vendor's answer may be kept in `Result.raw`: data, but no key to anything and no picture."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

_DEEPEST = 64
_MASK = "***"
# a link, or a picture written into the text itself (RFC 2397); `//host` takes the scheme of the page it stands on. Without a
# scheme it is told by `www.`, or by a host with what stands behind it; written for a URL, JSON or HTML, by its `://`.
_LINK = re.compile(
    r"(?<!\w)(?:(?:[a-z][a-z0-9+.-]{1,20}:[/\\]{2}|//)[^\s/]|data:[\w.+-]*/?[\w.+-]*[;,])\S*"
    r"|(?<![\w.-])(?:www\.|(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?::\d{1,5})?[/?#])\S+"
    r"|(?<!\S)\S*?(?::|%(?:25)*3a|&#(?:58|x3a);)(?:%(?:25)*2f|&#(?:47|x2f);){2}\S*",
    re.IGNORECASE | re.ASCII,
)
# credentials as they stand in a header (RFC 6750, RFC 7617), and keys that say by their beginning what they are
_KEY = re.compile(
    r"\bbearer\s+(?!of\b|is\b)\S+|\bbasic\s+(?=[^\s\d=]*[\d=])[a-z0-9+/=]{6,}"
    r"|(?<![a-z0-9])(?:sk|pk|rk|whsec|tok|gh[opsu]|xox[abp])[_-][\w-]{3,}|(?<![a-z0-9])api_(?:live|sandbox|test)[\w.-]*"
    r"|\bAKIA[0-9A-Z]{16}|eyJ[\w-]*\.[\w-]+\.[\w-]*",
    re.IGNORECASE | re.ASCII,
)
# `token=abc`, `"token": "abc"`
_NAMED = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]{1,80})(?P<is>\s?=\s?)[^\s&;,]+"
    r"|(?P<quoted>[\"'](?P<key>[\w. -]{1,80})[\"']\s?:\s?)(?:[\"'][^\"']*[\"']|\w+)"
)
# tokens and base64: no word of a person's language is so long. Languages that write without blanks are not ASCII.
_PACKED = re.compile(r"[\x21-\x7e]{100}")
_PACKED_LINES = re.compile(r"(?:[A-Za-z0-9+/=_-]{30,}\s{1,4}){2}|(?:(?<!\d)\d{1,3},\s?){32}")
# 32 numbers with a comma behind each; two lines of 30 characters are longer by one
_SHORTEST_PACKED = 62
_IN_LINKS = "/:.%&"
_PIECE = re.compile(r"[A-Za-z0-9+/=_-]+")
# JPEG, PNG, PDF, GIF and WebP, in base64 and in bytes
_PICTURE = re.compile(r"\s*(?:/9j/|iVBORw0KGgo|JVBERi0|R0lGOD|UklGR)")
_FIRST_BYTES = ((255, 216, 255), (137, 80, 78, 71), (37, 80, 68, 70), (71, 73, 70, 56), (82, 73, 70, 70))
_MANY_BYTES = 32
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_BETWEEN = re.compile(r"[\s_.-]")
_SECRET_WORDS = frozenset({"auth", "oauth", "otp", "totp", "sig", "pw"})
_SECRET = re.compile(
    "token|secret(?!ar)|passw|passcode|passphrase|pwd|contrase|credential|cookie|jwt|bearer|base64|b64|signature|hmac|csrf|xsrf"
    "|apikey|(?:access|private|secret|signing|encryption|session|master)key|authori[sz]ation|^[ox]?auth(?!ent|or)"
    "|(?:verification|security|access|confirmation|login|onetime)code"
)


def without_secrets(data: Mapping[str, Any], drop: Collection[str] = ()) -> dict[str, Any]:
    """A copy of JSON data without links, tokens and pictures, at any depth.

    Left out by name: what `drop` names (spelled as you like: `frontUrl` means `front_url` too), and names that speak of a
    token, secret, password, key, signature or the like, in any spelling; true and false stay. Left out by value: a text that is
    a link (also without its scheme), a JWT, a key, or base64 in one piece, in lines or in a list of pieces, and bytes as a list
    of numbers or a Buffer. A link or a key inside a sentence becomes `***`; JSON within a text is looked at like the rest. What
    is no JSON, or deeper than 64, is left out. Names and numbers of people stay: this makes data harmless to keep, not
    anonymous.

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
        return value if _is_word(value) else _text(value, dropped, depth)
    if depth > _DEEPEST:
        return _OUT
    if isinstance(value, Mapping):
        numbered = (
            list(value.values()) if value and all(isinstance(key, str) and key.isdecimal() for key in value) else []
        )
        if ("data" in value and value.get("type") == "Buffer") or _is_packed(numbered):
            return _OUT
        kept = {
            key: _kept(item, dropped, depth + 1)
            for key, item in value.items()
            if isinstance(key, str) and not _is_secret(key, item, dropped)
        }
        return {key: item for key, item in kept.items() if item is not _OUT}
    if isinstance(value, (list, tuple)):
        if _is_packed(value):
            return _OUT
        return [item for item in (_kept(item, dropped, depth + 1) for item in value) if item is not _OUT]
    return _OUT


def _is_word(text: str) -> bool:
    """Whether it is a short word of small letters or of capitals: no key and no picture is, and most values are."""
    return len(text) < 20 and text.isalpha() and text.isascii() and (text.islower() or text.isupper())


def _text(text: str, dropped: frozenset[str], depth: int) -> Any:
    if text.lstrip()[:1] in ("{", "[", '"') and depth < _DEEPEST:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            kept = _kept(data, dropped, depth + 1)
            return text if kept == data else kept if kept is _OUT else json.dumps(kept, ensure_ascii=False)
    if _PICTURE.match(text) or (len(text) >= _SHORTEST_PACKED and _is_packed_text(text)):
        return _OUT
    harmless = without_links(text)
    return _OUT if harmless != text and harmless.strip() == _MASK else harmless


def _is_packed_text(text: str) -> bool:
    return bool(_PACKED.search(text) or _PACKED_LINES.search(text)) or _in_lines(text)


def without_links(text: str) -> str:
    """The text with `***` for each link, key and credential in it."""
    # each needs one of these, and most texts have none
    if "=" in text or '"' in text or "'" in text:
        text = _NAMED.sub(_unnamed, text)
    if any(map(text.__contains__, _IN_LINKS)):
        text = _LINK.sub(_MASK, text)
    return _KEY.sub(_MASK, text)


def _unnamed(found: re.Match[str]) -> str:
    name = found["name"] or found["key"]
    if not speaks_of_secret(name):
        return found.group()
    return f"{found['name']}{found['is']}{_MASK}" if found["name"] else f'{found["quoted"]}"{_MASK}"'


def _in_lines(text: str) -> bool:
    """Whether it is base64 in pieces of one length: no sentence has only words of one length."""
    pieces = text.split()
    return len(pieces) > 2 and len(pieces[0]) > 3 and _are_pieces(pieces) and len({*map(len, pieces[:-1])}) == 1


def _are_pieces(pieces: list[str]) -> bool:
    joined = "".join(pieces)
    return (
        len(joined) >= 100
        and all(map(_PIECE.fullmatch, pieces))
        and any(map(str.isupper, joined))
        and any(map(str.islower, joined))
    )


def _is_packed(items: Any) -> bool:
    """Whether a list is a picture: bytes as numbers, or base64 cut in pieces."""
    if items and all(isinstance(item, int) and not isinstance(item, bool) and -128 <= item <= 255 for item in items):
        first = tuple(item % 256 for item in items[:4])
        return len(items) >= _MANY_BYTES or any(first[: len(begins)] == begins for begins in _FIRST_BYTES)
    if len(items) < 2 or not all(isinstance(item, str) and _PIECE.fullmatch(item) for item in items):
        return False
    pieces = items if len(items) == 2 else items[:-1]
    return all(len(piece) >= 16 for piece in pieces) and (bool(_PICTURE.match(items[0])) or _are_pieces(list(items)))


def _is_secret(name: str, value: Any, dropped: frozenset[str]) -> bool:
    is_shown, speaks = _seen(name) if len(name) <= _LONGEST_NAME else _look_at(name)
    if not is_shown or (dropped and _plain(name) in dropped):
        return True
    return speaks and value is not None and not isinstance(value, bool)


def _look_at(name: str) -> tuple[bool, bool]:
    """Whether a name may be shown itself, and whether it speaks of a secret."""
    return _text(name, frozenset(), _DEEPEST) == name, speaks_of_secret(name)


# the names of a vendor's fields come again with each answer
_LONGEST_NAME = 64
_seen = lru_cache(maxsize=4096)(_look_at)


def speaks_of_secret(name: str) -> bool:
    """Whether a field of that name holds a key, a token, a password or the like, in any spelling."""
    words = {word.lower() for word in _WORD.findall(name)}
    return not _SECRET_WORDS.isdisjoint(words) or _SECRET.search(_plain(name)) is not None


def _plain(name: str) -> str:
    """A name without what spellings differ in: capitals, underscores, hyphens, dots, blanks."""
    return _BETWEEN.sub("", name).lower()
