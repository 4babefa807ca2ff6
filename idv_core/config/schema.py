"""The JSON Schema of `idv.toml`, made of the same classes that read it, so that editors complete and check what is written.

Draft 7, which the TOML extensions of editors understand.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Union, get_args, get_origin

import attrs

from ..model import CheckKind, Secret, Threshold
from ..registry import Registry
from ..routing import Route
from .accounts import OF_THE_CORE, Account, AccountDefaults, Webhooks
from .ledger import LedgerSettings
from .secrets import BUILT_IN
from .toml import PolicyTable

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "description": "An amount, in quotes."},
    timedelta: {"type": "number", "description": "Seconds."},
    # TOML's own type; editors show it to the schema as a text
    datetime: {"type": "string", "format": "date-time"},
}


def schema_of(registry: Registry) -> dict[str, Any]:
    """The schema for the plugins and the sources of secrets that are installed."""
    sources = sorted({**BUILT_IN, **registry.secret_sources})
    table = _Tables(sources)
    account = table.of(Account)
    account["properties"] = {name: account["properties"][name] for name in OF_THE_CORE}
    account["properties"]["plugin"]["enum"] = sorted(registry.found)
    accounts = []
    for name, found in sorted(registry.found.items()):
        settings = table.of(found.plugin.settings)
        both = {**account["properties"], **settings["properties"], "plugin": {"const": name}}
        accounts.append(
            {
                "if": {"properties": {"plugin": {"const": name}}, "required": ["plugin"]},
                "then": {
                    "description": found.plugin.summary,
                    "properties": both,
                    "required": ["plugin", *settings.get("required", ())],
                    "additionalProperties": False,
                },
            }
        )
    named: dict[str, Any] = {"type": "object", "properties": {"plugin": account["properties"]["plugin"]}}
    policy = table.of(PolicyTable)
    bounds = table.of(Threshold)
    kind = {
        "type": "object",
        "properties": bounds["properties"],
        "additionalProperties": bounds,
        "description": "Bounds for all checks of this kind, and for single checks under their names.",
    }
    policy["properties"] |= {member.value: kind for member in CheckKind}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "idv.toml",
        "type": "object",
        "properties": {
            "include": _one_or_more({"type": "string"}),
            "defaults": table.of(AccountDefaults),
            "accounts": {
                "type": "object",
                "additionalProperties": {**named, "required": ["plugin"], "allOf": accounts},
            },
            "webhooks": table.of(Webhooks),
            "ledger": table.of(LedgerSettings),
            "routes": {"type": "array", "items": table.of(Route)},
            "policies": {"type": "object", "additionalProperties": policy},
        },
        "additionalProperties": False,
    }


@attrs.frozen
class _Tables:
    """Schemas of attrs classes, with references to secrets by these sources."""

    sources: list[str]

    def of(self, cls: type[Any]) -> dict[str, Any]:
        fields = [field for field in attrs.fields(attrs.resolve_types(cls)) if field.init]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {field.name: self.type(field.type) for field in fields},
            "additionalProperties": False,
        }
        required = [field.name for field in fields if field.default is attrs.NOTHING]
        if required:
            schema["required"] = required
        if cls.__doc__:
            schema["description"] = " ".join(inspect.cleandoc(cls.__doc__).split())
        return schema

    def type(self, wanted: Any) -> dict[str, Any]:
        if get_origin(wanted) in (Union, types.UnionType):
            wanted = next(part for part in get_args(wanted) if part is not types.NoneType)
        origin, inner = get_origin(wanted), get_args(wanted)
        if wanted is Secret:
            references = {source: {"type": "string"} for source in self.sources}
            return {
                "type": "object",
                "properties": references,
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
            }
        if attrs.has(wanted):
            return self.of(wanted)
        if isinstance(wanted, type) and issubclass(wanted, Enum):
            return {"enum": [member.value for member in wanted]}
        if origin is tuple:
            items = self.type(inner[0])
            one_will_do = inner[0] is Secret or issubclass(inner[0], str)
            return _one_or_more(items) if one_will_do else {"type": "array", "items": items}
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": True if inner[1] is Any else self.type(inner[1])}
        return dict(_SCALARS.get(wanted, {}))


def _one_or_more(items: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [items, {"type": "array", "items": items}]}
