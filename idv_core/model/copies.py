"""A frozen value with some fields changed, without checking again what was checked when it was made."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

_set = object.__setattr__


def with_changed(value: T, **changed: Any) -> T:
    """A copy of an attrs value in which only `changed` differs, by the names of its attributes.

    Converters and validators are not run, so only what is already as the class wants it may be given: it costs an eighth of
    `attrs.evolve`, and is for what the core makes of its own values. A change that is no attribute raises AttributeError.
    """
    cls: Any = type(value)
    made: T = object.__new__(cls)
    for read, write in _slots(cls):
        write(made, read(value))
    for name, new in changed.items():
        _set(made, name, new)
    return made


@cache
def _slots(cls: Any) -> tuple[tuple[Callable[..., Any], Callable[..., None]], ...]:
    """How each attribute is read and written: by its slot, as a name would have to be looked up each time."""
    slots = [getattr(cls, field.name) for field in attrs.fields(cls)]
    return tuple((slot.__get__, slot.__set__) for slot in slots)
