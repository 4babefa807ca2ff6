"""Keeps values with personal data out of pickles and reprs. `to_json` is the way out, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


def not_pickled(cls: type[T]) -> type[T]:
    """Class decorator: pickling raises TypeError; copies are the frozen value itself."""

    def refuse(self: object) -> NoReturn:
        raise TypeError(
            f"a {cls.__name__} holds personal data and is not pickled; use to_json(...) and encrypt what it gives"
        )

    def same(self: T, *_: Any) -> T:
        return self

    for name, method in (("__reduce__", refuse), ("__copy__", same), ("__deepcopy__", same)):
        setattr(cls, name, method)
    return cls


@not_pickled
class RedactedMapping(Mapping[str, Any]):
    """A mapping that is read like any other and shows nothing in `repr`. No dict, because pretty printers open dicts."""

    __slots__ = ("_data",)

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = dict(data)

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"
