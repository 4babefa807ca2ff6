"""Plaid's own OpenAPI document as a judge of what is sent and what is answered.

It lies beside the project and not in it. `IDV_OPENAPI` names the folder, else it is `../shared/openapi` beside the checkout.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_NAME = "plaid-idv.yaml"


def _places() -> list[Path]:
    named = os.environ.get("IDV_OPENAPI")
    beside = Path(__file__).resolve().parents[3].parent / "shared" / "openapi"
    return [*([Path(named)] if named else []), beside]


@cache
def _document() -> dict[str, Any] | None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = next((place / _NAME for place in _places() if (place / _NAME).is_file()), None)
    if found is None:
        return None
    document = yaml.load(found.read_text(encoding="utf-8"), Loader=loader)
    return {"components": {"schemas": {name: _plain(one) for name, one in document["components"]["schemas"].items()}}}


def _plain(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema: `nullable` (also beside `$ref`'s target) becomes a type, examples go."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: _plain(value) for key, value in schema.items() if key not in ("nullable", "example", "examples", "default")
    }
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made


def _closed(schema: Any) -> Any:
    """The same with no members but those that it names: what Plaid does not know it refuses."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items()}
    return {**made, "additionalProperties": False} if isinstance(made.get("properties"), dict) else made


def assert_fits(name: str, value: Any, *, closed: bool = False) -> None:
    """Raises AssertionError that names what does not fit the schema; skips, loudly, where the document is not there."""
    document = _document()
    if document is None:
        looked = ", ".join(str(place) for place in _places())
        pytest.skip(
            f"NOT JUDGED: Plaid's OpenAPI document {_NAME} is in none of {looked}. Set IDV_OPENAPI to its folder"
        )
    from jsonschema import Draft202012Validator

    schemas = document["components"]["schemas"]
    whole = {"components": {"schemas": _closed(schemas) if closed else schemas}, "$ref": f"#/components/schemas/{name}"}
    faults = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(value)]
    assert not faults, f"no {name}: {'; '.join(faults[:5])}"
