"""What a registration and its parts say beside their documented members (fact sheet section 3.3.2 to 3.9).

Only what is known to be harmless counts as such: a state that is not known to be good, a no, and a concern are doubts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Documented members that are no or empty as a rule, and say nothing about the person (sections 3.4 to 3.6).
_HARMLESS = frozenset(
    {
        "deleted",
        "requires2FA",
        "requiresBackSide",
        "scoreValidated",
        "infoValidationSupported",
        "passed",
        "existing",
        "new",
        "sent",
        "providerConfirmation",
        "showFaceLivenessRecommendation",
    }
)
_STATE = re.compile(r"(?:status|state|outcome|verdict|decision)$")
_CONCERN = re.compile(
    r"fake|fraud|tamper|forge|spoof|deepfake|redflag|mismatch|suspicio|manipulat|blacklist|watchlist|sanction|warning|alert|"
    r"^hits?$|declined|denied|revoked|blocked|duplicate|unverified"
)
_WORDS = "active validated completed complete success successful ok done passed approved verified valid clear"
_GOOD = frozenset(_WORDS.split())
_BAD = re.compile(
    r"expired|fail|reject|invalid|revoked|cancel|suspend|denied|declined|blocked|pending|tamper|fraud|not_?found"
)
_NOTHING = frozenset({"", "0", "false", "n/a", "na", "no", "none", "null"})


def claims(said: Mapping[str, Any], skip: frozenset[str] = frozenset(), *, is_print: bool = False) -> Iterator[str]:
    """`status`, `denied` and `concern`, for what is there and not known to be good.

    In what was read from a document (`is_print`) a state may be a place, so that only words of a state count.
    """
    for key, value in said.items():
        plain = re.sub(r"[^a-z]", "", key.lower())
        # errors are read by `error_words`
        if key in skip or re.search(r"error|fail|reject", plain):
            continue
        if _CONCERN.search(plain) or re.match(r"(?:is)?[Nn]ot[A-Z_]", key):
            if _is_something(value):
                yield "concern"
        elif _STATE.search(plain):
            if any(not _is_good(leaf, is_print) for leaf in _leaves(value)):
                yield "status"
        elif value is False and key not in _HARMLESS and not plain.endswith("expired"):
            yield "denied"
        else:
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, Mapping):
                    yield from claims(item, is_print=is_print)


def _is_good(leaf: Any, is_print: bool) -> bool:
    if leaf is None or leaf is True:
        return True
    word = leaf.strip().lower() if isinstance(leaf, str) else None
    if is_print:
        return leaf is not False and not (word and _BAD.search(word))
    return word is not None and (not word or word in _GOOD)


def _is_something(value: Any) -> bool:
    return any(leaf not in (None, False, 0) and str(leaf).strip().lower() not in _NOTHING for leaf in _leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, Mapping)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(item)
    else:
        yield value
