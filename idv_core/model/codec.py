"""Values to JSON data and back. The round trip is exact; secrets leave only when asked for by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from .applicant import IdentificationNumber
from .document import Document
from .flow import Flow, FlowOrder, FlowUrls, Link, SdkSession
from .policy import Policy
from .result import Result
from .secret import Secret
from .strict import none_of_data, register_strict_scalars
from .words import what_is

T = TypeVar("T")

STORED_VERSION = 1
"""Written as `version` into what is stored: flows, results and orders. See `from_json` for what it promises."""
_STORED = (Flow, FlowOrder, Result)
_SECRET = (Secret, Secret | None, Link | None, SdkSession | None, tuple[IdentificationNumber, ...])


def to_json(value: Any, *, secrets: bool = False) -> Any:
    """Convert a value to JSON data: dicts, lists, strings, numbers.

    Flows, results and orders carry a `version`.

    Args:
        value: Any value of `idv_core.model`, except a `Document`.
        secrets: Whether to keep links, tokens and unmasked numbers. Encrypt the data then.

    Raises TypeError for a `Document`.
    """
    data = _converter(secrets).unstructure(value)
    return {"version": STORED_VERSION, **data} if isinstance(value, _STORED) else data


def from_json(cls: type[T], data: Any) -> T:
    """Read what `to_json` wrote.

    Releases can share a store during a rolling deploy or a rollback. A release reads every earlier `version`, and data
    without one. In its own version it ignores unknown keys: a later release added them, and no decision depends on them.
    It refuses a later version as a whole. It never ignores keys of a policy, because a dropped rule would make a decision
    milder. Storing a flow again drops the ignored keys.

    Args:
        cls: The class, such as `Flow`.
        data: The data.

    Raises ValueError that names what does not fit.
    """
    if attrs.has(cls) and not isinstance(data, Mapping):
        hint = "; decode a JSON text with json.loads first" if isinstance(data, (str, bytes)) else ""
        raise ValueError(f"not a stored {cls.__name__}: must be a dict, as to_json gave it, not {what_is(data)}{hint}")
    lenient = False
    if cls in _STORED and isinstance(data, Mapping) and "version" in data:
        version = data["version"]
        if type(version) is not int or version < 1:
            raise ValueError(f"not a stored {cls.__name__}: version must be a whole number, 1 or more")
        if version > STORED_VERSION:
            raise ValueError(
                f"this {cls.__name__} was stored by a newer release (version {version}); this one reads up to "
                f"{STORED_VERSION}. Leave it to the newer release, or upgrade"
            )
        data = {key: item for key, item in data.items() if key != "version"}
        lenient = True
    try:
        return _converter(True, lenient).structure(data, cls)
    except Exception as error:
        other = none_of_data(error)
        if other is not None:
            raise other from None
        places = "; ".join(cattrs.transform_error(error))
        raise ValueError(f"not a stored {cls.__name__}: {places}") from None


@cache
def _converter(secrets: bool, lenient: bool = False) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=not lenient)
    register_strict_scalars(converter)
    converter.register_unstructure_hook(StrEnum, lambda member: member.value)
    converter.register_unstructure_hook(Secret, lambda secret: secret.reveal() if secrets else None)
    converter.register_structure_hook(Secret, lambda text, _: Secret(text))
    for moment in (datetime, date):
        converter.register_unstructure_hook(moment, lambda value: value.isoformat())
        converter.register_structure_hook(moment, lambda text, cls: cls.fromisoformat(text))
    if not secrets:
        converter.register_unstructure_hook_func(lambda cls: cls == Mapping[str, Secret], lambda _: {})
    converter.register_unstructure_hook_factory(attrs.has, lambda cls: _unstructure(cls, converter, secrets))
    converter.register_structure_hook_factory(attrs.has, lambda cls: _structure(cls, converter, lenient))
    return converter


def _structure(cls: type[Any], converter: cattrs.Converter, lenient: bool) -> Any:
    is_rule = cls.__module__ == Policy.__module__
    return make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=is_rule or not lenient)


def _unstructure(cls: type[Any], converter: cattrs.Converter, secrets: bool) -> Any:
    if cls is Document:
        raise TypeError("a Document is for upload and cannot be stored; keep your own file and its id")
    hidden = {
        field.name: override(omit=True)
        for field in attrs.fields(attrs.resolve_types(cls))
        # webhook addresses are made anew from the order, and hold the key that signs them
        if field.type == FlowUrls | None or (not secrets and field.type in _SECRET)
    }
    return make_dict_unstructure_fn(cls, converter, **hidden)  # type: ignore[arg-type]
