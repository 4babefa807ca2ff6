"""Collecting what is wrong, all of it, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ..errors import Problem
from .places import Path, Places, place_of


@attrs.define
class Problems:
    """What is wrong so far. Routes are named in paths, where they have a name."""

    places: Places = attrs.field(factory=dict)
    route_names: Mapping[int, str] = attrs.field(factory=dict)
    found: list[Problem] = attrs.field(factory=list)
    paths: list[Path] = attrs.field(factory=list)

    def add(self, path: Path, text: str, *, is_warning: bool = False) -> None:
        place = place_of(self.places, path)
        self.paths.append(path)
        self.found.append(Problem(self._dotted(path), text, str(place) if place else None, is_warning))

    def _dotted(self, path: Path) -> str:
        text = ""
        for position, part in enumerate(path):
            if isinstance(part, int):
                named = self.route_names.get(part) if path[0] == "routes" and position == 1 else None
                text += f"[{named or part}]"
            else:
                text += f".{part}" if text else part
        return text


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Errors before warnings, then by file and line."""

    def place(problem: Problem) -> tuple[bool, str, int]:
        file, _, line = (problem.place or "").rpartition(":")
        return problem.is_warning, file, int(line) if line.isdigit() else 0

    return tuple(sorted(problems, key=place))


def near(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'verigram-kz'?`, or nothing."""
    found = difflib.get_close_matches(str(name), list(names), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def listed(names: Iterable[Any]) -> str:
    return ", ".join(str(name) for name in names) or "none"
