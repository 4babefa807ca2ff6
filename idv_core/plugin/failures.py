"""What a vendor's answer says of a failure beside the words that a plugin understands.

A plugin reads the verdict where the vendor documents it. What stands beside it and tells of an error, of another verdict or
of something that is not as it should be must lead to review, in whatever spelling it comes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

from .dates import LEAF, means_expiry, plain_name, read_date


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_BAD_NAME = re.compile(
    r"error|^errs?(?:$|code|msg|message|text|no$|num)|fail|(?<!de)fault|exception|reject|declin|denied|denial|refus|"
    r"invalid|unverified|unsuccess|expired|fraud|suspicio|suspect|tamper|forge|counterfeit|fake|spoof|mismatch|blacklist|"
    r"revoked|stolen|problem|warning"
)
_GOOD_NAME = re.compile(
    r"(?<!in)valid$|(?<!un)success(?:ful)?$|pass(?:ed)?$|(?<!un)verified$|(?<!in)authentic$|genuine$|"
    r"(?<!mis)match(?:ed|es)?$|(?<!un)approved$|accepted$|(?<!un)recogni[sz]ed$|(?<!in)complete(?:d)?$|^(?:is)?(?:a)?live$"
)
_STATES = frozenset({"status", "result", "outcome", "verdict", "decision", "conclusion"})
# What a status may be of without being about something else (a marital status, say).
_OF = _set(
    """
    aml authenticity check document doc face final flow identity id kyc liveness match overall photo process report review
    selfie service session step sub validation verification verify video
    """
)
# Figures and places that are named after a failure and tell of none.
_COUNTED = _set(
    """
    attempt attempts confidence count counts limit limits link number probability rate retries score scores threshold uri url
    """
)
_BAD_WORDS = _set(
    """
    abort aborted blocked cancelled canceled consider counterfeit declined denied err error errors exception expired fail
    failed failing failure fake false forged fraud fraudulent incomplete invalid mismatch mismatched negative nomatch
    notok rejected rejection refused revoked spoof spoofed stolen suspect suspected suspicious tampered timeout unclear
    unconfirmed unidentified unsuccessful unverified
    """
)
_GOOD_WORDS = _set(
    """
    accepted active approved clear cleared complete completed confirmed done finished genuine live match matched ok okay
    pass passed positive success succeeded successful true valid validated verified yes
    """
)
_NOTHING = frozenset({"", "0", "false", "na", "nil", "no", "noerror", "noerrors", "none", "notdetected", "null"})
_NO = frozenset({"0", "false", "n", "no"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST, _LONGEST_NAME = 120, 40
_NAME = re.compile(r"[A-Za-z][A-Za-z_ -]*", re.ASCII)


def failures_in(data: Any, *, known: Collection[str] = (), also: Collection[str] = ()) -> tuple[str, ...]:
    """The names of the keys under which something speaks of a failure, however deep; none if all is well.

    That is: something under the name of an error (`errorCode`), a status, result or verdict that is no good word, a "no"
    under a name that is good (`is_valid`), or a word such as `rejected` anywhere. Give what is left of an answer when that is
    taken out which the plugin understands; `known` are keys that it understands wherever they stand, `also` names (without
    case and punctuation) that tell of a failure in this vendor's answers, such as "reason".
    """
    found: list[str] = []
    _look("", data, frozenset(known), frozenset(also), found)
    return tuple(dict.fromkeys(found))


def is_bad_word(text: str) -> bool:
    """Whether a text of a few words says that something went wrong: `FAILED`, `document expired`, `not verified`."""
    words = _words(text[:_LONGEST])
    if not _BAD_WORDS.isdisjoint(words):
        return True
    return any(one in ("not", "no", "un", "non") and two in _GOOD_WORDS for one, two in pairwise(words))


def _look(name: str, value: Any, known: frozenset[str], also: frozenset[str], found: list[str]) -> None:
    if isinstance(value, (list, tuple)):
        for item in value:
            _look(name, item, known, also, found)
    elif not isinstance(value, LEAF) and isinstance(value, Mapping):
        for key, inner in value.items():
            if key in known:
                continue
            if _is_named_badly(key, also) and _is_something(key, inner):
                found.append(shown(key))
            else:
                _look(key, inner, known, also, found)
    elif _is_bad(name, value):
        found.append(shown(name))


def _is_bad(name: str, value: Any) -> bool:
    text = plain_name(value) if isinstance(value, str) else None
    if value is None or text == "":
        return False
    if _is_state(name):
        return value is not True and text not in _GOOD_WORDS
    if _GOOD_NAME.search(plain_name(name)) and (value is False or text in _NO):
        return True
    return isinstance(value, str) and text not in _NOTHING and is_bad_word(value)


@lru_cache(maxsize=4096)
def _is_named_badly(key: str, also: frozenset[str]) -> bool:
    plain = plain_name(key)
    return bool(_BAD_NAME.search(plain) or plain in also) and _COUNTED.isdisjoint(_words(key))


@lru_cache(maxsize=4096)
def _is_state(key: str) -> bool:
    *before, last = _words(key) or ("",)
    return (last in _STATES and _OF.issuperset(before)) or any(
        plain_name(key) == f"{word}{state}" for state in _STATES for word in _OF
    )


def _is_something(key: str, value: Any) -> bool:
    """Whether something is told under the name of a failure. A date of expiry is told by the dates."""
    if isinstance(value, Mapping):
        return any(_is_something(inner, item) for inner, item in value.items() if _COUNTED.isdisjoint(_words(inner)))
    if isinstance(value, (list, tuple)):
        return any(_is_something(key, item) for item in value)
    if isinstance(value, str):
        plain = plain_name(value)
        if plain in _NOTHING or plain in _GOOD_WORDS - {"true", "yes", "positive", "confirmed", "match", "matched"}:
            return False
    return value not in (None, False, 0) and not (means_expiry(key) and read_date(value) is not None)


def shown(key: str) -> str:
    """A key as it may be told: not if it could be somebody's name or number."""
    return key if len(key) <= _LONGEST_NAME and _NAME.fullmatch(key) else "unnamed"


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(text))
