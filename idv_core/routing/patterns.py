"""Patterns with `*` (any run of characters) and `?` (any one): matching, and whether some cover others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache


def is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def prefix_of(pattern: str) -> str:
    """What every text begins with that the pattern matches."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


@lru_cache(maxsize=65_536)
def matcher(pattern: str) -> Callable[[str], object]:
    """A function that tells whether a text matches, case and all."""
    if not is_pattern(pattern):
        return pattern.__eq__
    prefix = pattern[:-1]
    if pattern[-1] == "*" and not is_pattern(prefix):
        return lambda text: text.startswith(prefix)
    translated = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile(translated, re.DOTALL).fullmatch


def covers(patterns: Iterable[str], others: Iterable[str]) -> bool:
    """Whether every text that one of `others` matches is matched by one of `patterns`. Exact: both are walked as automata."""
    given = frozenset(patterns)
    wild = tuple(pattern for pattern in given if is_pattern(pattern))
    return all(_covers(given, wild, other) for other in others)


_State = frozenset[tuple[int, int]]


def _covers(given: frozenset[str], patterns: tuple[str, ...], other: str) -> bool:
    if other in given:
        return True
    if not is_pattern(other):
        return any(matcher(pattern)(other) for pattern in patterns)
    patterns = (*patterns, *filter(matcher(other), given.difference(patterns)))
    if not patterns:
        return False
    letters = sorted({char for pattern in (*patterns, other) for char in pattern} - {"*", "?"})
    # one letter that nobody names stands for all the others
    letters.append(chr(max(map(ord, letters), default=96) + 1))
    start = (_closed(other, {0}), frozenset(_closed_all(patterns, {(index, 0) for index in range(len(patterns))})))
    seen, waiting = {start}, [start]
    while waiting:
        mine, theirs = waiting.pop()
        if len(other) in mine and not any(position == len(patterns[index]) for index, position in theirs):
            return False
        for letter in letters:
            onward = _closed(other, {end for position in mine for end in _step(other, position, letter)})
            if not onward:
                continue
            moved = {(index, end) for index, position in theirs for end in _step(patterns[index], position, letter)}
            state = (onward, frozenset(_closed_all(patterns, moved)))
            if state not in seen:
                seen.add(state)
                waiting.append(state)
    return True


def _step(pattern: str, position: int, letter: str) -> tuple[int, ...]:
    if position == len(pattern):
        return ()
    if pattern[position] == "*":
        return (position,)
    return (position + 1,) if pattern[position] in ("?", letter) else ()


def _closed(pattern: str, positions: Iterable[int]) -> frozenset[int]:
    """With the positions behind stars, which may match nothing."""
    found: set[int] = set()
    for position in positions:
        found.add(position)
        while position < len(pattern) and pattern[position] == "*":
            position += 1
            found.add(position)
    return frozenset(found)


def _closed_all(patterns: tuple[str, ...], states: Iterable[tuple[int, int]]) -> _State:
    return frozenset((index, end) for index, position in states for end in _closed(patterns[index], (position,)))
