"""Collects all problems of a configuration, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import attrs

from ..errors import Problem
from ..model import Secret
from ..model.words import HIDDEN, is_identifier, is_shown, shown
from .places import Path, Places, place_of


@attrs.define
class Problems:
    """The problems found so far. Paths show the name of a route, if it has one.

    Problems go to logs, so no text shows anything that looks like a key.
    """

    places: Places = attrs.field(factory=dict)
    route_names: Mapping[int, str] = attrs.field(factory=dict)
    found: list[Problem] = attrs.field(factory=list)
    paths: list[Path] = attrs.field(factory=list)

    def add(self, path: Path, text: str, *, is_warning: bool = False) -> None:
        """Add a problem at that path of the configuration."""
        place = place_of(self.places, path)
        self.paths.append(path)
        self.found.append(Problem(self._dotted(path), text, str(place) if place else None, is_warning))

    def unknown(self, path: Path, text: str) -> None:
        """Add a problem about an unknown key, redacted unless it looks like a setting: it may be a misplaced secret."""
        self.add(path, text)
        if not is_identifier(str(path[-1])):
            self.found[-1] = attrs.evolve(self.found[-1], path=self._dotted((*path[:-1], HIDDEN)))

    def _dotted(self, path: Path) -> str:
        text = ""
        for position, part in enumerate(path):
            if isinstance(part, int):
                named = self.route_names.get(part) if path[0] == "routes" and position == 1 else None
                text += f"[{named if named and is_shown(named) else part}]"
            else:
                text += f".{shown(part)}" if text else shown(part)
        return text


def without(text: str, given: object) -> str:
    """`text` with every string in `given` redacted that may be a secret.

    Args:
        text: The message.
        given: The value from the file that the message is about.
    """
    for secret in sorted(set(_texts(given)), key=len, reverse=True):
        if len(secret) > 3 and not is_shown(secret):
            text = text.replace(secret, HIDDEN).replace(repr(secret)[1:-1], HIDDEN)
    return text


def _texts(given: object) -> Iterable[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, Secret):
        yield given.reveal()
    elif isinstance(given, Mapping):
        for key, value in given.items():
            yield from _texts(key)
            yield from _texts(value)
    elif isinstance(given, (list, tuple)):
        for item in given:
            yield from _texts(item)


def said(error: Exception) -> str:
    """A validator's message, in words for people who do not write Python."""
    text = next((part for part in error.args if isinstance(part, str)), "")
    if found := _BOUND.match(text):
        return f"must be {_BOUNDS[found[1]].format(found[2])}"
    if not text or "<class" in text or ("<" in text and ">" in text.partition("<")[2]):
        return "is not valid here"
    return text


_BOUND = re.compile(r"'\w+' must be (>=|<=|>|<) ([-+.\w]+)")
_BOUNDS = {">": "greater than {}", ">=": "{} or more", "<": "less than {}", "<=": "{} or less"}


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Errors before warnings, then by file and line."""

    def place(problem: Problem) -> tuple[bool, str, int]:
        file, _, line = (problem.place or "").rpartition(":")
        known = line.isascii() and line.isdigit()
        return problem.is_warning, file if known else problem.place or "", int(line) if known else 0

    return tuple(sorted(problems, key=place))
