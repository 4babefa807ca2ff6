"""Persona's answers as JSON:API writes them: `data` with attributes and relationships, `included`, `errors`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Attributes:
    status: str


@attrs.frozen(kw_only=True)
class Inquiry:
    """What is needed of an inquiry to go on with it."""

    type: str
    id: str
    attributes: Attributes


@attrs.frozen(kw_only=True)
class InquiryAnswer:
    data: Inquiry


@attrs.frozen(kw_only=True)
class InquiryList:
    data: tuple[dict[str, Any], ...]
    links: dict[str, Any]


def as_object(value: object) -> Mapping[str, Any]:
    """The object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str | None:
    """The text, or None for anything else and for an empty one."""
    return value if isinstance(value, str) and value else None


def attributes_of(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_object(resource.get("attributes"))


def related(resource: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Type and id of the one resource that stands in that relationship; empty where there is none."""
    return as_object(as_object(as_object(resource.get("relationships")).get(name)).get("data"))


def all_related(resource: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """Type and id of each resource in that relationship."""
    data = as_object(as_object(resource.get("relationships")).get(name)).get("data")
    return (as_object(one) for one in as_list(data))


def included(answer: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    """The included resources whose type begins with `kind/`."""
    for one in as_list(answer.get("included")):
        if isinstance(one, dict) and str(one.get("type")).startswith(f"{kind}/"):
            yield one
