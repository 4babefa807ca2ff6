"""Tables of the file as values of attrs classes. Every problem is collected with its path; nothing is coerced."""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin

import attrs
import cattrs

from ..hookspecs import SecretSource
from ..model import Secret
from ..model.strict import register_strict_scalars
from .places import Path
from .problems import Problems, listed, near
from .secrets import resolve

WRONG = object()
"""Stands for a value that could not be read; the problem has been told."""


@attrs.frozen
class SettingsReader:
    """Reads tables. `sources` give secrets."""

    problems: Problems
    sources: Mapping[str, SecretSource] = attrs.field(factory=dict)

    def read(self, cls: type[Any], given: Any, path: Path, ignore: tuple[str, ...] = ()) -> Any:
        """`given` as a value of the attrs class, or WRONG. Keys in `ignore` are read elsewhere."""
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            self.problems.add(path, "a table is needed")
            return WRONG
        fields = {field.name: field for field in attrs.fields(attrs.resolve_types(cls)) if field.init}
        before = len(self.problems.found)
        for name in given:
            if name not in fields and name not in ignore:
                hint = near(name, [*fields, *ignore])
                self.problems.add((*path, name), f"there is no such setting{hint}")
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if name in given:
                value = self._field(field, given[name], (*path, name))
                if value is not WRONG:
                    values[name] = value
            elif field.default is attrs.NOTHING:
                self.problems.add((*path, name), "is missing")
        if len(self.problems.found) > before:
            return WRONG
        try:
            return cls(**values)
        except (ValueError, TypeError) as error:
            self.problems.add(path, str(error))
            return WRONG

    def _field(self, field: attrs.Attribute[Any], given: Any, path: Path) -> Any:
        value = self.value(field.type, given, path)
        if value is WRONG:
            return WRONG
        try:
            converted = field.converter(value) if field.converter else value  # type: ignore[operator]
            if field.validator is not None:
                field.validator(None, field, converted)
        except (ValueError, TypeError) as error:
            self.problems.add(path, str(error).removeprefix(f"{field.name}: "))
            return WRONG
        return value

    def value(self, wanted: Any, given: Any, path: Path) -> Any:
        """`given` as a value of that type, or WRONG. One text or secret will do where several may stand."""
        if get_origin(wanted) in (Union, types.UnionType):
            if given is None:
                return None
            wanted = next(part for part in get_args(wanted) if part is not types.NoneType)
        origin, inner = get_origin(wanted), get_args(wanted)
        if wanted is Secret:
            return self._attempt(path, lambda: resolve(given, self.sources))
        if attrs.has(wanted):
            return self.read(wanted, given, path)
        if isinstance(wanted, type) and issubclass(wanted, Enum):
            return self._member(wanted, given, path)
        if origin is tuple:
            if isinstance(given, str) and inner[0] is str:
                return (given,)
            if inner[0] is Secret and not isinstance(given, (list, tuple)):
                one = self.value(Secret, given, path)
                return WRONG if one is WRONG else (one,)
            if not isinstance(given, (list, tuple)):
                self.problems.add(path, "a list is needed")
                return WRONG
            items = [self.value(inner[0], item, (*path, index)) for index, item in enumerate(given)]
            return WRONG if WRONG in items else tuple(items)
        if origin is not None and issubclass(origin, Mapping) and inner[1] is not Any:
            if not isinstance(given, Mapping):
                self.problems.add(path, "a table is needed")
                return WRONG
            read = {key: self.value(inner[1], item, (*path, key)) for key, item in given.items()}
            return WRONG if WRONG in read.values() else read
        return self._attempt(path, lambda: _converter.structure(given, wanted) if wanted else given)

    def _member(self, wanted: type[Enum], given: Any, path: Path) -> Any:
        if isinstance(given, wanted):
            return given
        values = [member.value for member in wanted]
        if given in values:
            return wanted(given)
        hint = near(given, values) if isinstance(given, str) else ""
        self.problems.add(path, f"{given!r} is none of {listed(values)}{hint}")
        return WRONG

    def _attempt(self, path: Path, make: Any) -> Any:
        try:
            return make()
        except Exception as error:
            self.problems.add(path, str(error))
            return WRONG


def _moment(value: Any, _: type) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError("a date and time with an offset is needed, such as 2026-12-01T00:00:00+05:30")
    return value


_converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
register_strict_scalars(_converter)
_converter.register_structure_hook(datetime, _moment)
