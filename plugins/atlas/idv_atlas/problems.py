"""A document's errors inside a successful answer, in any spelling and of any type (fact sheet sections 3.14 and 6.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import attrs

from idv_core.plugin import masked_aadhaar

from .words import is_plain_field, parts

_UNKNOWN = "UNKNOWN_ERROR"
_MOST, _LONGEST = 5, 80
_WORDS = """
err errs fail failed fails failure failures fault faults exception exceptions reject rejected rejection rejections
invalid unreadable unrecognised unrecognized unsupported problem problems issues
"""
_BAD = frozenset(_WORDS.split())
# Keys that say how it went, in a word that may be a bad one; and keys that say that it went well, unless they say no.
_STATES = frozenset(
    {"status", "documentstatus", "filestatus", "processingstatus", "ocrstatus", "extractionstatus", "result"}
)
_GOOD = frozenset(
    {"success", "successful", "issuccess", "issuccessful", "isvalid", "valid", "recognised", "recognized"}
)
_NO = ("no", "false", "n", "0")
# Said under the name of an error, and most likely saying that there is none. Nobody documents it, so that it stays a doubt.
_UNSURE = frozenset(
    {"none", "null", "nil", "na", "no", "false", "ok", "okay", "success", "0", "", "noerror", "noerrors"}
)
_BESIDE = frozenset({"confidence", "confidencescore"})


@attrs.frozen
class Problems:
    """`reasons` are the words of the failure. `unsure` says that something stands there which may mean that there is none."""

    reasons: tuple[str, ...] = ()
    unsure: bool = False


def read_problems(entry: Mapping[str, Any]) -> Problems:
    """What an entry says went wrong with its document: beside the document object, in it, or deeper."""
    found: list[_Found] = []
    _look(entry, 0, found)
    if not found:
        return _NONE
    found.sort(key=lambda one: one[0])
    words = dict.fromkeys(word for _, word in found if word is not None)
    return Problems(tuple(words)[:_MOST], not words)


# Where a word stands (how deep, and whether as a code), and the word; None for what may mean that all is well.
_Found: TypeAlias = tuple[tuple[int, bool], "str | None"]
_NONE = Problems()


def _look(node: Any, depth: int, found: list[_Found]) -> None:
    if isinstance(node, list):
        for item in node:
            _look(item, depth + 1, found)
    elif isinstance(node, dict):
        for key, value in node.items():
            role, is_code = _role(key)
            if role == "error":
                found += (((depth, not is_code), word) for leaf in _leaves(value) for word in _told(leaf))
                continue
            if role == "state":
                found += (((depth, True), _bounded(leaf)) for leaf in _leaves(value) if is_bad_word(leaf))
            elif role == "good" and any(leaf is False or _plain(leaf) in _NO for leaf in _leaves(value)):
                found.append(((depth, True), _UNKNOWN))
            if isinstance(value, (dict, list)) and not is_plain_field(value):
                _look(value, depth + 1, found)


@lru_cache(maxsize=4096)
def _role(key: str) -> tuple[Literal["error", "state", "good"] | None, bool]:
    """What a key of that name tells, and whether in a code."""
    words = parts(key)
    name = "".join(words)
    if _is_of_errors(name, words):
        return "error", "code" in name
    return "state" if name in _STATES else "good" if name in _GOOD else None, False


def _is_of_errors(name: str, words: tuple[str, ...]) -> bool:
    return "error" in name or name.startswith("err") or not _BAD.isdisjoint(words)


def is_of_error(key: str) -> bool:
    """Whether a key is the name of an error."""
    return _role(key)[0] == "error"


def is_bad_word(state: Any) -> bool:
    """Whether a status word says that something went wrong."""
    words = parts(state[:_LONGEST]) if isinstance(state, str) else ()
    return "".join(words) not in _UNSURE and _is_of_errors("".join(words), words)


def _plain(leaf: Any) -> str | None:
    """A text without what spellings differ in; None for what is no text."""
    return re.sub(r"[\s_/-]", "", leaf[:_LONGEST]).lower() if isinstance(leaf, str) else None


def _leaves(value: Any) -> Iterator[Any]:
    """What stands in a value of any shape, its codes first."""
    if isinstance(value, Mapping):
        for key in sorted(value, key=lambda key: "code" not in key.lower()):
            if "".join(parts(key)) not in _BESIDE:
                yield from _leaves(value[key])
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _told(leaf: Any) -> Iterator[str | None]:
    if leaf is None or leaf is False:
        return
    if isinstance(leaf, str):
        text = leaf.strip()
        if text:
            yield None if _plain(text) in _UNSURE else _bounded(text)
    else:
        yield _UNKNOWN if leaf else None


def _bounded(word: str) -> str:
    # a number that is cut in two would not be known any more
    cut = word[: 2 * _LONGEST]
    return (masked_aadhaar(cut) or cut)[:_LONGEST]
