"""Structuring of JSON scalars without coercion: a number is not a text, a text is not a truth value."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import cattrs


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
