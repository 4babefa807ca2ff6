"""Collecting what is wrong, all of it, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import attrs

from ..errors import Problem
from ..model import Secret
from ..model.words import HIDDEN, is_identifier, is_shown, shown
from .toml_lines import Path, Places, place_of


@attrs.define
class Problems:
    """What is wrong so far. Routes are named in paths, where they have a name. No text of a problem holds what looks like
    a key, for it goes to logs."""

    places: Places = attrs.field(factory=dict)
    route_names: Mapping[int, str] = attrs.field(factory=dict)
    found: list[Problem] = attrs.field(factory=list)
    paths: list[Path] = attrs.field(factory=list)

    def add(self, path: Path, text: str, *, is_warning: bool = False) -> None:
        place = place_of(self.places, path)
        self.paths.append(path)
        self.found.append(Problem(self._dotted(path), text, str(place) if place else None, is_warning))

    def unknown(self, path: Path, text: str) -> None:
        """Of a key that nobody reads. It may be a secret in the wrong place, so it is shown only if it looks like ours."""
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
    """`text` without those texts in `given` (a value of a file, or a part of it) that may not be shown."""
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
    """What an error of a validator says, in words for people who do not write Python."""
    text = next((part for part in error.args if isinstance(part, str)), "")
    if found := _BOUND.match(text):
        return f"a number {_BOUNDS[found[1]].format(found[2])} is needed"
    if not text or "<class" in text or ("<" in text and ">" in text.partition("<")[2]):
        return "is not acceptable here"
    return text


_BOUND = re.compile(r"'\w+' must be (>=|<=|>|<) ([-+.\w]+)")
_BOUNDS = {">": "above {}", ">=": "of {} or more", "<": "below {}", "<=": "of {} at most"}


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Errors before warnings, then by file and line."""

    def place(problem: Problem) -> tuple[bool, str, int]:
        file, _, line = (problem.place or "").rpartition(":")
        known = line.isascii() and line.isdigit()
        return problem.is_warning, file if known else problem.place or "", int(line) if known else 0

    return tuple(sorted(problems, key=place))
