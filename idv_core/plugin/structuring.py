"""JSON data as attrs classes of a plugin."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

from ..errors import UnexpectedResponse
from ..model.strict import none_of_data, register_strict_scalars

T = TypeVar("T")


def structure(data: Any, cls: type[T], *, status: int | None = None) -> T:
    """JSON data as an attrs class: no coercion, unknown keys ignored. Raises UnexpectedResponse, which shows no value."""
    try:
        return _converter.structure(data, cls)
    except Exception as error:
        other = none_of_data(error)
        if other is not None:
            raise other from None
        places = "; ".join(map(_dark_path, cattrs.transform_error(error, format_exception=_describe)))
        raise UnexpectedResponse(f"the response does not match {cls.__name__}: {places}", status=status) from None


_QUOTED_KEY = re.compile(r"\[['\"].*['\"]\]")
_FIELD_KEY = re.compile(r"\['[a-z][A-Za-z_]{0,60}'\]")


def _dark_path(place: str) -> str:
    """The place without keys of the vendor's that are no names of fields: one may be a person's name."""
    return _QUOTED_KEY.sub(lambda key: key.group() if _FIELD_KEY.fullmatch(key.group()) else "[*]", place)


def _describe(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return f"required field {error.args[0]!r} missing"
    return f"{getattr(kind, '__name__', kind)} expected"


def _object_only(cls: type[Any]) -> Callable[[Any, Any], Any]:
    """cattrs looks for keys in whatever it is given, so that an array would pass for an object without them."""
    read = make_dict_structure_fn(cls, _converter)

    def structure_object(data: Any, kind: Any) -> Any:
        if not isinstance(data, dict):
            raise TypeError(f"{cls.__name__} expected")
        return read(data, kind)

    return structure_object


_converter = cattrs.Converter()
register_strict_scalars(_converter)
_converter.register_structure_hook_factory(attrs.has, _object_only)
