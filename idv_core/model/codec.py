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

from .document import Document
from .flow import CallbackUrls, Link
from .secret import Secret
from .strict import register_strict_scalars

T = TypeVar("T")


def dump(value: Any, *, secrets: bool = False) -> Any:
    """JSON data (dicts, lists, texts, numbers) of any value of the vocabulary.

    Without `secrets=True` every secret is left out: links, tokens, unmasked numbers. With it, encrypt what you get.
    """
    return _converter(secrets).unstructure(value)


def load(cls: type[T], data: Any) -> T:
    """The value that `dump` made the data of. Raises ValueError that names the places that do not fit."""
    try:
        return _converter(True).structure(data, cls)
    except Exception as error:
        places = "; ".join(cattrs.transform_error(error))
        raise ValueError(f"this is no {cls.__name__}: {places}") from None


@cache
def _converter(secrets: bool) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
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
    converter.register_structure_hook_factory(attrs.has, lambda cls: make_dict_structure_fn(cls, converter))
    return converter


def _unstructure(cls: type[Any], converter: cattrs.Converter, secrets: bool) -> Any:
    if cls is Document:
        raise TypeError("documents are handed in, not stored: keep your own file and its id")
    hidden = {
        field.name: override(omit=True)
        for field in attrs.fields(attrs.resolve_types(cls))
        # callback addresses are made anew from the order, and hold the key that signs them
        if field.type == CallbackUrls | None or (not secrets and field.type in (Secret, Secret | None, Link | None))
    }
    return make_dict_unstructure_fn(cls, converter, **hidden)  # type: ignore[arg-type]
