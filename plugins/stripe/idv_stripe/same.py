"""Whether what Stripe tells of an applicant is what was sent. Its own way of writing it down is nobody else."""

from __future__ import annotations

import unicodedata

# Fewer digits than this name nobody.
_LEAST = 7


def same(name: str, ours: object, told: object) -> bool:
    """Mail addresses but for capitals and blanks, phone numbers by their digits, everything else as it is."""
    if isinstance(ours, str) and isinstance(told, str):
        if name == "email":
            return _plain(ours) == _plain(told)
        if name == "phone":
            return _is_same_phone(ours, told)
    return ours == told


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_same_phone(ours: str, told: str) -> bool:
    """`told` may lack the country's prefix, or have zeros in its place."""
    sent, shown = ("".join(char for char in text if char.isdecimal()) for text in (ours, told))
    shown = shown.lstrip("0")
    return sent == shown or (len(shown) >= _LEAST and sent.endswith(shown) and not told.lstrip().startswith("+"))
