"""Structuring of JSON data: scalars without coercion (a number is not a text), and which errors mean that data does not fit."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import cattrs
import cattrs.errors

# What converters and validators say of data that does not fit.
_OF_DATA = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    cattrs.errors.StructureHandlerNotFoundError,
    cattrs.errors.ForbiddenExtraKeysError,
)


def none_of_data(error: BaseException) -> BaseException | None:
    """The error, or one that cattrs has gathered in it, that says nothing of the data: a time limit that came up meanwhile."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(none_of_data, error.exceptions)), None)
    return None if isinstance(error, _OF_DATA) else error


def register_strict_scalars(converter: cattrs.Converter) -> None:
    """Make `converter` refuse a JSON scalar of another type instead of converting it (`None` is not the text "None")."""
    converter.register_structure_hook(str, _exactly(str))
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(int, _number(int))
    converter.register_structure_hook(float, _number(float))
    # a hook for `str` would otherwise catch every StrEnum
    converter.register_structure_hook(StrEnum, lambda value, cls: cls(value))


def _exactly(kind: type) -> Any:
    def structure(value: object, _: type) -> object:
        if type(value) is not kind:
            raise TypeError(f"{kind.__name__} expected")
        return value

    return structure


def _number(kind: type) -> Any:
    def structure(value: object, _: type) -> object:
        if type(value) is int or type(value) is kind:
            return kind(value)
        raise TypeError(f"{kind.__name__} expected")

    return structure
