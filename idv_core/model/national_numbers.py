"""Aadhaar numbers, found wherever they stand and masked to the last four digits (UIDAI's rule for what is stored and shown)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# 12 digits, or the 16 of a virtual id, in any script, as printed: in groups with blanks, hyphens or dots between, or without
_NUMBER = re.compile(r"(?<!\d)\d(?:[\s.\-‐-―]{0,2}\d){11}(?:(?:[\s.\-‐-―]{0,2}\d){4})?(?!\d)")
_DIGITS_ONLY = re.compile(r"[\s.\-‐-―]*(?:\d[\s.\-‐-―]*){8,}")
_NAME = re.compile(r"aadh*a+r|adh+a+r|आधार|(?<![a-z])uid(?![a-z])", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def is_aadhaar_name(name: str) -> bool:
    """Whether a field or a document type of that name has to do with Aadhaar: any spelling, or `uid` as a word of its own."""
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
    """JSON data with its Aadhaar numbers masked, texts and whole JSON numbers alike, at any depth.

    With `document_is_aadhaar` everywhere, else only below names that speak of Aadhaar (`is_aadhaar_name`). Below such a
    name a text of 8 digits or more is masked whatever their count.
    """
    return _masked(value, document_is_aadhaar, False)


def _masked(value: Any, anywhere: bool, named: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(item, anywhere, named or is_aadhaar_name(str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
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


def _mask(number: str) -> str:
    return f"XXXX XXXX {''.join(char for char in number if char.isdigit())[-4:]}"
