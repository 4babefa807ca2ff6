"""Structuring of JSON scalars without coercion: a number is not a text, a text is not a truth value."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import cattrs


def register_strict_scalars(converter: cattrs.Converter) -> None:
    """Make `converter` refuse a JSON scalar of another type instead of converting it (`None` is not the text "None")."""
    hooks = {str: _exactly(str), bool: _exactly(bool), int: _number(int), float: _number(float)}
    for kind, hook in hooks.items():
        # by identity, because a hook for `str` would also catch every StrEnum
        converter.register_structure_hook_func(partial(operator.is_, kind), hook)


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
