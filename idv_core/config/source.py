"""Reads TOML files and their includes into one table that knows the line of each key."""

from __future__ import annotations

import glob
import re
import tomllib
from collections.abc import Iterator
from itertools import count
from pathlib import Path as FilePath
from typing import Any

import attrs

from ..errors import Problem
from ..model.words import quoted
from .accounts import OF_THE_CORE
from .places import LaterPlaces, Path, Place, Places, place_of
from .toml_lines import places_of


@attrs.define
class Source:
    """The data of a file with all its includes, and the line of each part."""

    data: dict[str, Any]
    places: Places
    problems: list[Problem]


@attrs.define
class _Merged:
    """What is merged: data, and places, which are looked for only where `reading` says so.

    Places are grouped by the first two parts of their paths (an account, a route), so that one group can be replaced without
    a scan of the others.
    """

    reading: _Reading
    data: dict[str, Any] = attrs.field(factory=dict)
    groups: dict[Path, dict[Path, Place]] = attrs.field(factory=dict)
    problems: list[Problem] = attrs.field(factory=list)

    def put(self, path: Path, place: Place) -> None:
        self.groups.setdefault(path[:2], {})[path] = place

    def under(self, start: Path) -> dict[Path, Place]:
        """The places of a path and of everything below it."""
        near = [self.groups.get(start[:2], {})] if len(start) > 1 else list(self.groups.values())
        return {path: place for group in near for path, place in group.items() if path[: len(start)] == start}


# Most files that are read for one configuration. A file that several others include counts once for each.
MOST_FILES = 1000


@attrs.define
class _Reading:
    """The texts of files and what patterns of names match, kept: whoever asks later for the places of what was read is told
    of the same."""

    with_places: bool = False
    texts: dict[FilePath, str] = attrs.field(factory=dict)
    matches: dict[str, list[str]] = attrs.field(factory=dict)

    def text(self, path: FilePath) -> str:
        if path not in self.texts:
            self.texts[path] = path.read_text(encoding="utf-8-sig")
        return self.texts[path]

    def glob(self, pattern: str) -> list[str]:
        if pattern not in self.matches:
            self.matches[pattern] = sorted(glob.glob(pattern))
        return self.matches[pattern]


def read_source(file: str | FilePath) -> Source:
    """Read the file, merge it over its includes, and collect the problems of all of them.

    Args:
        file: The path of the main file.
    """
    reading = _Reading()

    def find() -> _Merged:
        reading.with_places = True
        return _read(FilePath(file), (), count(1), reading)

    read = _read(FilePath(file), (), count(1), reading)
    if read.problems:
        found = find()
        return Source(found.data, _places(found), found.problems)
    files = tuple(map(str, reading.texts))
    return Source(read.data, LaterPlaces(files, lambda: _places(find())), read.problems)


def _places(merged: _Merged) -> Places:
    return {path: place for group in merged.groups.values() for path, place in group.items()}


def _read(path: FilePath, above: tuple[FilePath, ...], number: Iterator[int], reading: _Reading) -> _Merged:
    try:
        text = reading.text(path)
        data = tomllib.loads(text)
    except FileNotFoundError:
        return _Merged(reading, problems=[Problem("", "cannot be read: file not found", str(path))])
    except UnicodeDecodeError:
        return _Merged(reading, problems=[Problem("", "cannot be read: not UTF-8 text", str(path))])
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        return _Merged(reading, problems=[Problem("", f"cannot be read: {why}", str(path))])
    except tomllib.TOMLDecodeError as error:
        return _Merged(reading, problems=[_not_toml(str(error), str(path))])
    except RecursionError:
        return _Merged(reading, problems=[Problem("", "is not valid TOML: brackets are nested too deeply", str(path))])
    own, whole = _Merged(reading, data), _Merged(reading)
    if reading.with_places:
        whole.put((), Place(str(path), 0))
        for key, place in places_of(text, str(path)).items():
            own.put(key, place)
    included = data.pop("include", [])
    for index, name in enumerate([included] if isinstance(included, str) else included):
        where = place_of(own.under(("include",)), ("include", index))

        def complain(what: str, where: Place | None = where) -> None:
            whole.problems.append(Problem("include", what, str(where) if where else None))

        if not isinstance(name, str):
            complain("must be a file name or a list of file names")
            continue
        found = reading.glob(str(path.parent / name))
        if not found:
            complain(f"no file matches {quoted(name)}")
        for other in map(FilePath, found):
            if other.resolve() in (*above, path.resolve()):
                complain(f"{quoted(name)} includes this file again; remove one of the two includes")
            elif next(number) >= MOST_FILES:
                complain(
                    f"more than {MOST_FILES} files are included (a file counts each time it is included); remove some"
                )
                return whole
            else:
                _lay_over(whole, _read(other, (*above, path.resolve()), number, reading))
    _lay_over(whole, own)
    return whole


_LINE = re.compile(r"\s*\(at line ([0-9]+), column ([0-9]+)\)")
_SHOWN = re.compile(r"\('.*'\)|\(.*\)|'.{4,}'|\".{4,}\"")


def _not_toml(said: str, file: str) -> Problem:
    """`tomllib`'s message without the names and values that it quotes: one may be a secret."""
    found = _LINE.search(said)
    bare = _LINE.sub("", said).replace("(at end of document)", "").strip()
    what = _SHOWN.sub("a name", bare[:1].lower() + bare[1:])
    what += f" (column {found[2]})" if found else " (at the end of the file)"
    return Problem("", f"is not valid TOML: {what}", f"{file}:{found[1]}" if found else file)


def _lay_over(below: _Merged, above: _Merged) -> None:
    """Merge `above` over `below`: tables key by key, routes by name; anything else is replaced."""
    below.problems += above.problems
    routes = above.data.get("routes")
    if isinstance(routes, list) and isinstance(below.data.get("routes"), list):
        _merge_routes(below, above, routes)
    for key, value in above.data.items():
        if key != "routes" or "routes" not in below.data:
            _merge(below, above, (key,), below.data, value)


def _merge(below: _Merged, above: _Merged, path: Path, table: dict[Any, Any], value: Any) -> None:
    key = path[-1]
    if isinstance(value, dict) and isinstance(table.get(key), dict) and not _is_whole(path):
        for name, item in value.items():
            _merge(below, above, (*path, name), table[key], item)
        return
    table[key] = value
    _move(below, path, above, path)


def _is_whole(path: Path) -> bool:
    """Whether a setting is replaced as a whole, because it may be a secret reference."""
    if path[0] == "accounts":
        return len(path) == 3 and path[2] not in OF_THE_CORE
    if path[:2] == ("ledger", "endpoints"):
        return len(path) == 4
    return path[0] in ("webhooks", "ledger") and len(path) == 2


def _merge_routes(below: _Merged, above: _Merged, routes: list[Any]) -> None:
    there = below.data["routes"]
    positions = {route.get("name"): index for index, route in enumerate(there) if isinstance(route, dict)}
    for index, route in enumerate(routes):
        name = route.get("name") if isinstance(route, dict) else None
        position = positions.get(name, len(there)) if isinstance(name, str) else len(there)
        if position < len(there):
            there[position] = route
        else:
            there.append(route)
        _move(below, ("routes", position), above, ("routes", index))


def _move(below: _Merged, to: Path, above: _Merged, source: Path) -> None:
    """Replace the places of the old value by those of the new one."""
    if not below.reading.with_places:
        return
    for path in below.under(to):
        del below.groups[path[:2]][path]
    for path, place in above.under(source).items():
        below.put((*to, *path[len(source) :]), place)
