"""Patterns with `*` (any run of characters) and `?` (any one): matching, and whether some cover others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import attrs

_WILD = re.compile(r"[*?]")


def is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def prefix_of(pattern: str) -> str:
    """What every text begins with that the pattern matches."""
    return _WILD.split(pattern, maxsplit=1)[0]


@lru_cache(maxsize=65_536)
def matcher(pattern: str) -> Callable[[str], object]:
    """A function that tells whether a text matches, case and all. Its time is that of text times pattern at the most."""
    if not is_pattern(pattern):
        return pattern.__eq__
    prefix = pattern[:-1]
    if pattern[-1] == "*" and not is_pattern(prefix):
        return lambda text: text.startswith(prefix)
    first, *rest = ("".join("." if char == "?" else re.escape(char) for char in part) for part in pattern.split("*"))
    if not rest:
        return re.compile(first, re.DOTALL).fullmatch
    *middle, last = rest
    # the earliest place of each part is as good as any, so no other is tried
    between = "".join(f"(?>.*?{part})" for part in middle)
    return re.compile(f"{first}{between}.*{last}", re.DOTALL).fullmatch


@attrs.frozen
class _Wide:
    """Patterns as what can be looked up: all of them as they stand, and those with one star as beginning and end."""

    given: frozenset[str]
    ends: frozenset[tuple[str, str]]
    lengths: tuple[tuple[int, int], ...]

    def covers(self, other: str) -> bool:
        if other in self.given:
            return True
        parts = _WILD.split(other)
        head, tail, least = parts[0], parts[-1], len(other) if len(parts) == 1 else 0
        for before, after in self.lengths:
            if len(parts) == 1 and before + after > least:
                continue
            if (head[:before], tail[len(tail) - after :] if after <= len(tail) else None) in self.ends:
                return True
        return False


@lru_cache(maxsize=4096)
def _wide(patterns: tuple[str, ...]) -> _Wide:
    simple = (pattern.partition("*")[::2] for pattern in patterns if pattern.count("*") == 1 and "?" not in pattern)
    ends = frozenset(simple)
    return _Wide(frozenset(patterns), ends, tuple(sorted({(len(before), len(after)) for before, after in ends})))


def covers(patterns: Iterable[str], others: Iterable[str]) -> bool:
    """Whether every text that one of `others` matches is matched by one of `patterns`, as far as that is easily seen.

    Seen are equal ones, and those with one star (`msme-*`, `*-loan`, `a-*-z`) that cover a text or another pattern by its
    beginning and end. True is right; False may be wrong. The time grows with the number of patterns, not with its square.
    """
    wide = _wide(tuple(patterns))
    return all(wide.covers(other) for other in others)
