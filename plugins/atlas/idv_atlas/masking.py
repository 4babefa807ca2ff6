"""Aadhaar numbers and links are taken out of what is shown and kept (fact sheet sections 1.5 row 21 and 9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from idv_core.plugin import is_aadhaar_name, mask_aadhaar_in, masked_aadhaar, without_secrets

from .words import parts

_NUMBER = re.compile(r"aadh?a+r.*n(o|um)", re.IGNORECASE)
_LONGEST_LABEL = 1000
_LINKS = ("redact_url", "file_url")
# The values of a cross-check, and where it says which fields they are of.
_COMPARED = {"source_value": "source_field_name", "target_value": "target_field_name"}
_speaks = lru_cache(maxsize=2048)(is_aadhaar_name)


def public(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The vendor's answer with Aadhaar numbers masked, without links, tokens and pictures."""
    return without_secrets(_public(answer), drop=_LINKS)


def _public(node: Any) -> Any:
    if isinstance(node, list):
        return [_public(item) for item in node]
    if isinstance(node, str):
        return (masked_aadhaar(node) or node) if is_aadhaar_name(node) else node
    if not isinstance(node, Mapping):
        return node
    if speaks_of_aadhaar(node):
        node = mask_aadhaar_in(node, True)
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if is_number_name(key):
            kept[key] = _masked_field(value)
        elif key in _COMPARED and is_number_name(str(node.get(_COMPARED[key], ""))):
            kept[key] = mask(value)
        else:
            kept.update({name: _public(item) for name, item in mask_aadhaar_in({key: value}, False).items()})
    return kept


def speaks_of_aadhaar(node: Mapping[str, Any]) -> bool:
    """Whether an object is, holds or compares an Aadhaar card: its type says so, or that of the document object in it, or
    the name of a field."""
    if not _COMPARED.keys().isdisjoint(node) and _said_aadhaar(node.get("name")):
        return True
    for place in (node, *(value for value in node.values() if isinstance(value, dict))):
        for key, value in place.items():
            if _speaks(key) or (_is_label(key) and _said_aadhaar(value)):
                return True
    return False


def _said_aadhaar(value: Any) -> bool:
    text = value.get("value") if isinstance(value, dict) else value
    return isinstance(text, str) and is_aadhaar_name(text[:_LONGEST_LABEL])


@lru_cache(maxsize=2048)
def _is_label(key: str) -> bool:
    """Whether a key of that name says what something is."""
    return not {"type", "doc", "document", "field", "kind", "category", "label", "name", "key", "id"}.isdisjoint(
        parts(key)
    )


@lru_cache(maxsize=2048)
def is_number_name(field: str) -> bool:
    """Whether a field of that name holds an Aadhaar number and nothing else."""
    return _NUMBER.search(field) is not None


def mask(value: Any) -> str:
    """An Aadhaar number with its last four digits only, whatever it looks like."""
    text = "".join(str(value).split())
    return f"XXXX XXXX {text[-4:]}" if len(text) >= 8 else "XXXX XXXX XXXX"


def masked(name: str, value: Any, anywhere: bool) -> Any:
    """The value of a field with what must not be shown masked; the very same value where there is nothing.

    `anywhere`: the field is of an Aadhaar card.
    """
    if is_number_name(name):
        return mask(value)
    if not anywhere and not isinstance(value, (dict, list)) and not _speaks(name):
        return value
    (shown,) = mask_aadhaar_in({name: value}, anywhere).values()
    return value if shown == value else shown


def _masked_field(value: Any) -> Any:
    if isinstance(value, Mapping):
        score = value.get("confidence_score")
        kept = score if isinstance(score, (int, float)) else None
        return {"value": mask(value.get("value")), "confidence_score": kept}
    return mask(value)
