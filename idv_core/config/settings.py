"""Tables of the file as values of attrs classes. Every problem is collected with its path; nothing is coerced."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import attrs

from ..model import Secret
from ..model.words import listed, near, what_is
from .places import Path
from .problems import Problems, said, without
from .secrets import resolve

if TYPE_CHECKING:
    from ..plugin.spec import SecretSource

WRONG = object()
"""Stands for a value that could not be read; the problem has been told."""


@attrs.frozen(eq=False, repr=False)
class SettingsReader:
    """Reads tables. `sources` give secrets."""

    problems: Problems
    sources: Mapping[str, SecretSource] = attrs.field(factory=dict)

    def read(self, cls: type[Any], given: Any, path: Path, ignore: tuple[str, ...] = ()) -> Any:
        """`given` as a value of the attrs class, or WRONG. Keys in `ignore` are read elsewhere."""
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            self.problems.add(path, "must be a table")
            return WRONG
        known: Any = cls
        fields = _fields_of(known)
        before = len(self.problems.found)
        for name in given:
            if name not in fields and name not in ignore:
                hint = near(name, [*fields, *ignore])
                self.problems.unknown((*path, name), f"there is no such setting{hint}")
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if name in given:
                wanted, one = field.type, given[name]
                value = self.value(wanted, one, (*path, name), partial(_of_another_kind, field, one))
                if value is not WRONG:
                    values[name] = value
            elif field.default is attrs.NOTHING:
                self.problems.add((*path, name), "is missing")
        failed: Exception | None = None
        if len(self.problems.found) == before:
            try:
                return cls(**values)
            except Exception as error:
                failed = error
        # each value is asked alone, so that all that is wrong is told at its own line
        said_already = len(self.problems.found)
        for name, value in values.items():
            refused = _refused(fields[name], value)
            if refused is not None:
                self.problems.add((*path, name), without(without(refused, given[name]), value))
        if failed is None or len(self.problems.found) > said_already:
            return WRONG
        if not isinstance(failed, (ValueError, TypeError)):
            raise failed
        self.problems.add(path, without(without(said(failed), given), list(values.values())))
        return WRONG

    def value(self, wanted: Any, given: Any, path: Path, refused: Callable[[], str | None] = lambda: None) -> Any:
        """`given` as a value of that type, or WRONG. One text or secret will do where several may stand. `refused` gives a
        better word than that for the type, if there is one."""
        wanted, optional, origin, inner, is_class = _shape_of(wanted)
        if optional and given is None:
            return None
        if wanted is Secret:
            try:
                return resolve(given, self.sources)
            except ValueError as error:
                self.problems.add(path, str(error))
                return WRONG
        if is_class:
            return self.read(wanted, given, path)
        if isinstance(wanted, type) and issubclass(wanted, Enum):
            return self._member(wanted, given, path)
        if origin is tuple:
            if isinstance(given, str) and issubclass(inner[0], str):
                given = (given,)
            if inner[0] is Secret and not isinstance(given, (list, tuple)):
                one = self.value(Secret, given, path)
                return WRONG if one is WRONG else (one,)
            if not isinstance(given, (list, tuple)):
                self.problems.add(path, "must be a list")
                return WRONG
            items = [self.value(inner[0], item, (*path, index)) for index, item in enumerate(given)]
            return WRONG if WRONG in items else tuple(items)
        if origin is not None and issubclass(origin, Mapping):
            return self._mapping(inner[0], inner[1], given, path)
        scalar = _scalar(wanted, given)
        if scalar is WRONG:
            self.problems.add(path, refused() or _NEEDED[wanted].format(what_is(given)))
        return scalar

    def _mapping(self, keys: Any, wanted: Any, given: Any, path: Path) -> Any:
        if not isinstance(given, Mapping):
            self.problems.add(path, "must be a table")
            return WRONG
        if wanted is Any:
            return given
        read = {
            self.value(keys, key, (*path, key)): self.value(wanted, item, (*path, key)) for key, item in given.items()
        }
        return WRONG if WRONG in read or WRONG in read.values() else read

    def _member(self, wanted: type[Enum], given: Any, path: Path) -> Any:
        if isinstance(given, wanted):
            return given
        values = [member.value for member in wanted]
        if isinstance(given, str) and given in values:
            return wanted(given)
        if isinstance(given, str) and "_missing_" in vars(wanted):
            # a vocabulary knows other words for its own
            try:
                return wanted(given)
            except ValueError as error:
                self.problems.add(path, str(error))
                return WRONG
        hint = near(given, values) if isinstance(given, str) else ""
        what = f"'{given}'" if hint else what_is(given) if not isinstance(given, str) else "the value given"
        self.problems.add(path, f"must be one of {listed(values)}, not {what}{hint}")
        return WRONG


@cache
def _shape_of(wanted: Any) -> tuple[Any, bool, Any, tuple[Any, ...], bool]:
    """The type without None, whether None will do, its origin and arguments, and whether it is an attrs class."""
    optional = get_origin(wanted) in (Union, types.UnionType)
    if optional:
        wanted = next(part for part in get_args(wanted) if part is not types.NoneType)
    return wanted, optional, get_origin(wanted), get_args(wanted), attrs.has(wanted)


@cache
def _fields_of(cls: Any) -> dict[str, attrs.Attribute[Any]]:
    return {field.name: field for field in attrs.fields(attrs.resolve_types(cls)) if field.init}


def _refused(field: attrs.Attribute[Any], value: Any) -> str | None:
    """What the field's own converter and validator say against the value."""
    try:
        converted = field.converter(value) if field.converter else value  # type: ignore[operator]
        if field.validator is not None:
            field.validator(None, field, converted)
    except Exception as error:
        return said(error).removeprefix(f"{field.name}: ")
    return None


def _of_another_kind(field: attrs.Attribute[Any], given: Any) -> str | None:
    """What a validator of ours says to a value that has not even the right type: it tells the bounds as well."""
    try:
        if field.validator is not None:
            field.validator(None, field, given)
    except ValueError as error:
        return said(error).removeprefix(f"{field.name}: ")
    except Exception:
        return None
    return None


_NEEDED: dict[Any, str] = {
    str: "must be a string, not {}",
    bool: "must be true or false, not {}",
    int: "must be a whole number, not {}",
    float: "must be a number, not {}",
    timedelta: "must be a number of seconds, not {}",
    datetime: "must be a date and time with an offset, such as 2026-12-01T00:00:00+05:30",
}


def _scalar(wanted: Any, given: Any) -> Any:
    """`given` if it is of the wanted kind, or WRONG. A whole number will do for one with a fraction, an ISO 8601 text for a
    moment; what the core does not know is left to the settings class."""
    match wanted:
        case _ if wanted is bool or wanted is str:
            return given if type(given) is wanted else WRONG
        case _ if wanted is int:
            return given if type(given) is int else WRONG
        case _ if wanted is float:
            return _float(given)
        case _ if wanted is timedelta:
            return given if isinstance(given, timedelta) else _float(given)
        case _ if wanted is datetime:
            return _moment(given)
    return given


def _float(given: Any) -> Any:
    try:
        return float(given) if type(given) in (int, float) else WRONG
    except OverflowError:
        return WRONG


def _moment(given: Any) -> Any:
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            return WRONG
    return given if isinstance(given, datetime) else WRONG
