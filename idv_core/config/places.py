"""Where in a file each part of a configuration stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

Path: TypeAlias = tuple[str | int, ...]


@attrs.frozen
class Place:
    """A line of a file: 1 for the first, 0 for the whole file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


Places: TypeAlias = Mapping[Path, Place]


def place_of(places: Places, path: Path) -> Place | None:
    """The place of a path, or else of the nearest table around it."""
    for end in range(len(path), -1, -1):
        if path[:end] in places:
            return places[path[:end]]
    return None
