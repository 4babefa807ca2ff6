"""Keeps values with personal data out of pickles. `dump` is the way out, by name."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


def not_pickled(cls: type[T]) -> type[T]:
    """Class decorator: pickling raises TypeError; copies are the frozen value itself."""

    def refuse(self: object) -> NoReturn:
        raise TypeError(
            f"a {cls.__name__} holds personal data and is not pickled; use dump(...) and encrypt what it gives"
        )

    def same(self: T, *_: Any) -> T:
        return self

    for name, method in (("__reduce__", refuse), ("__copy__", same), ("__deepcopy__", same)):
        setattr(cls, name, method)
    return cls
