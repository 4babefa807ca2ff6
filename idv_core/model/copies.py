"""A frozen value with some fields changed, without checking again what was checked when it was made."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

_set = object.__setattr__


def with_changed(value: T, **changed: Any) -> T:
    """A copy of an attrs value in which only `changed` differs, by the names of its attributes.

    Converters and validators are not run, so only what is already as the class wants it may be given: it costs a fifth of
    `attrs.evolve`, and is for what the core makes of its own values. A change that is no attribute raises AttributeError.
    """
    cls: Any = type(value)
    made: T = object.__new__(cls)
    for name in _names(cls):
        _set(made, name, getattr(value, name))
    for name, new in changed.items():
        _set(made, name, new)
    return made


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(cls))
