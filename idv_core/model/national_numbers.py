"""Aadhaar numbers, found wherever they stand and masked to the last four digits (UIDAI's rule for what is stored and shown)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# What may stand between the digits: blanks, line breaks, marks, characters without width; no letter, and no mask.
_GAP = r"(?:[^\w*]|_)"
# 12 digits, or the 16 of a virtual id, in any script, with up to 6 such characters between
_NUMBER = re.compile(rf"(?<!\d)\d(?:{_GAP}{{0,6}}\d){{11}}(?:(?:{_GAP}{{0,6}}\d){{4}})?(?!\d)")
_DIGITS_ONLY = re.compile(rf"{_GAP}*(?:\d{_GAP}*){{8,}}")
_DIGITS = re.compile(r"\d+")
_LONGEST = 16
_NAME = re.compile(r"aadh*a+r|adh+a+r|आधार|(?<![a-z])uid(?![a-z])", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def is_aadhaar_name(name: str) -> bool:
    """Whether a field or a document type of that name has to do with Aadhaar: any spelling, or `uid` as a word of its own."""
    if name.isascii() and "ad" not in (plain := name.lower()) and "uid" not in plain:
        return False
    return _NAME.search(_HUMP.sub("_", name)) is not None


def masked_aadhaar(text: str) -> str | None:
    """The text with each 12-digit number (or 16-digit virtual id) in it masked, None where there is none.

    The first digit and the check digit are not looked at: what a reader took for the number is masked even if misread.

    >>> masked_aadhaar("No. 2345-6789 0123 of the card")
    'No. XXXX XXXX 0123 of the card'
    """
    masked = _NUMBER.sub(lambda found: _mask(found.group()), text)
    return masked if masked != text else None


def mask_aadhaar_in(value: Any, document_is_aadhaar: bool) -> Any:
    """JSON data with its Aadhaar numbers masked, at any depth: in texts, as whole JSON numbers, as the names of fields, and in
    pieces (a list or an object whose items are groups of digits that make one up).

    With `document_is_aadhaar` everywhere, else only below names that speak of Aadhaar (`is_aadhaar_name`). Below such a
    name a text of 8 digits or more is masked whatever their count. An object that names a field in one value and has what it
    holds in another (`{"name": "aadhaar_number", "value": ...}`) counts as the field.
    """
    return _masked(value, document_is_aadhaar, False)


def _masked(value: Any, anywhere: bool, named: bool) -> Any:
    if isinstance(value, Mapping):
        named = named or _names_aadhaar(value)
        if (anywhere or named) and _is_in_pieces([v for v in value.values() if named or isinstance(v, str)], named):
            return _piecewise(value, value.items())
        return {
            _masked_key(key, anywhere or named): _masked(item, anywhere, named or is_aadhaar_name(str(key)))
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        if (anywhere or named) and _is_in_pieces(value, named):
            return _piecewise(value, enumerate(value))
        return [_masked(item, anywhere, named) for item in value]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not (anywhere or named):
        return value
    if isinstance(value, float) and not value.is_integer():
        return value
    text = value if isinstance(value, str) else f"{value:.0f}"
    if named and _DIGITS_ONLY.fullmatch(text):
        return _mask(text)
    masked = masked_aadhaar(text)
    return value if masked is None else masked


def _names_aadhaar(value: Mapping[Any, Any]) -> bool:
    """Whether an object is a field by name and value, and the name is Aadhaar's number."""
    return any(
        isinstance(value.get(key), str) and len(value[key]) < 100 and is_aadhaar_name(value[key])
        for key in ("name", "key", "field", "field_name", "fieldName", "label")
    )


def _masked_key(key: Any, wanted: bool) -> Any:
    return (masked_aadhaar(key) or key) if wanted and isinstance(key, str) else key


def _groups(value: Any) -> list[str]:
    """The digits of one piece: a text of digits and blanks, or a whole number. None at all for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return []
    text = str(value)
    return _DIGITS.findall(text) if len(text) < 30 and text.replace(" ", "").isdecimal() else []


def _is_in_pieces(items: Any, named: bool) -> bool:
    """Whether the pieces of digits of a list or an object make up one number: groups of the same kind, 12 or 16 in all
    (below a name that says Aadhaar 8 or more)."""
    groups = ["".join(_groups(item)) for item in items]
    given = [group for group in groups if group]
    total = sum(map(len, given))
    if len(given) < 2 or any(len(group) >= 12 for group in given):
        return False
    # a JSON number has lost the zeros that it began with
    short = any(isinstance(item, int) and not isinstance(item, bool) for item in items)
    return (8 if named else 10 if short else 12) <= total <= _LONGEST if short or named else total in (12, _LONGEST)


def _piecewise(value: Any, items: Any) -> Any:
    """The pieces masked but for the last."""
    pieces = [(key, item, bool(_groups(item))) for key, item in items]
    last = max(at for at, (_, _, is_piece) in enumerate(pieces) if is_piece)
    shown = [
        (key, "XXXX" if is_piece and (at != last or len("".join(_groups(item))) > 4) else item)
        for at, (key, item, is_piece) in enumerate(pieces)
    ]
    return dict(shown) if isinstance(value, Mapping) else [item for _, item in shown]


def _mask(number: str) -> str:
    return f"XXXX XXXX {''.join(char for char in number if char.isdigit())[-4:]}"
