"""Where in a file each part of a configuration stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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


class LaterPlaces(Mapping[Path, Place]):
    """The places of `files`, found when something is wrong and somebody asks where. `find` finds them."""

    def __init__(self, files: tuple[str, ...], find: Callable[[], Places]) -> None:
        self.files = files
        self._find = find
        self._found: Places | None = None

    def _all(self) -> Places:
        if self._found is None:
            self._found = self._find()
            # the texts of the files are needed no longer
            self._find = dict
        return self._found

    def __getitem__(self, path: Path) -> Place:
        return self._all()[path]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def files_of(places: Places) -> tuple[str, ...]:
    """The files that the places are in."""
    if isinstance(places, LaterPlaces):
        return places.files
    return tuple(dict.fromkeys(place.file for place in places.values()))


def place_of(places: Places, path: Path) -> Place | None:
    """The place of a path, or else of the nearest table around it."""
    for end in range(len(path), -1, -1):
        if path[:end] in places:
            return places[path[:end]]
    return None
