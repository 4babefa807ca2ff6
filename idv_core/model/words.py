"""Words for messages: what a value is, which name was probably meant, and what of the reader's own text may be shown.

A key pasted into the wrong place must not reach a log. So a text that stands in a file is shown only where it looks like
a name: words of letters, and numbers of few digits, with dots, dashes, blanks and slashes between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

HIDDEN = "***"
"""Stands for what is not shown."""

_LONGEST = 64
_MOST_COMPARED = 200
_WORD = re.compile(r"(?:[A-Z]?[a-z]{1,15}|[A-Z]{1,16})[0-9]{0,3}|[0-9]{1,4}")
_BETWEEN = re.compile(r"[-_./ :*?,]+")
_MANY_DIGITS = re.compile(r"(?:[^0-9]*[0-9]){9}")
_KEYS = re.compile(r"(?:sk|pk|rk|whsec|ghp|gho|xox.|glpat|AKIA|ASIA|eyJ|Bearer)(?![a-z])|api[_.-](?:live|sandbox)")
_LOWER, _UPPER = re.compile(r"[a-z]{2,}[0-9]*"), re.compile(r"[A-Z]{4,}[0-9]*")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_-]*")

_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "true or false"),
    (str, "a string"),
    (int, "a whole number"),
    (float, "a number with a fraction"),
    (timedelta, "a duration"),
    (datetime, "a date and time"),
    (date, "a date"),
    (time, "a time of day"),
    (Mapping, "a table"),
    ((list, tuple, set, frozenset), "a list"),
)


def what_is(value: object) -> str:
    """What a value is: `a string`, `a whole number`, `a list`."""
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return "None" if value is None else f"a value of class {type(value).__name__}"


def is_shown(text: object) -> bool:
    """Whether it is a text that looks like a name that somebody gave, and not like a key, a token or a number of a document."""
    if not isinstance(text, str) or len(text) > _LONGEST or not text or _MANY_DIGITS.match(text) or _KEYS.match(text):
        return False
    words = [word for word in _BETWEEN.split(text) if word]
    return bool(words) and all(map(_WORD.fullmatch, words)) and not any(map(_is_mixed, text.split(".")))


def _is_mixed(part: str) -> bool:
    """`live_ABCD` is how keys look; `CUSTOMER_NAME`, `customer_name` and `atlas-IN` are names."""
    words = _BETWEEN.split(part)
    return any(map(_LOWER.fullmatch, words)) and any(map(_UPPER.fullmatch, words))


def is_identifier(text: str) -> bool:
    """Whether it may be shown and is written as names of settings are."""
    return is_shown(text) and _IDENTIFIER.fullmatch(text) is not None


def shown(text: object) -> str:
    """The text if it looks like a name, else three stars."""
    return str(text) if is_shown(str(text)) else HIDDEN


def quoted(text: object) -> str:
    """The same in quotation marks."""
    return f"'{shown(text)}'"


def near(name: object, names: Iterable[object], synonyms: Mapping[str, object] | None = None) -> str:
    """`; did you mean 'verigram-kz'?`, or nothing. `synonyms` are other words, as `plain` writes them, for some of `names`."""
    text = str(name)
    known = (synonyms or {}).get(plain(text))
    if known is not None:
        return f"; did you mean '{known}'?"
    if not is_shown(text):
        return ""
    fit = [other for other in map(str, names) if abs(len(other) - len(text)) <= max(3, len(text) // 2)]
    if len(fit) > _MOST_COMPARED:
        return ""
    import difflib  # only mistakes need it

    close = {other.casefold(): other for other in reversed(fit)}
    found = difflib.get_close_matches(text, fit, n=1) or difflib.get_close_matches(text.casefold(), close, n=1)
    return f"; did you mean '{close.get(found[0].casefold(), found[0])}'?" if found else ""


def plain(text: str) -> str:
    """`dateOfBirth`, `Date of birth` and `DATE-OF-BIRTH` as `dateofbirth`."""
    return "".join(char for char in text.casefold() if char.isalnum())


def listed(names: Iterable[Any]) -> str:
    return ", ".join(str(name) for name in names) or "none"
