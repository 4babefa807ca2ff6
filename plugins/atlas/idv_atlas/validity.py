"""When a document was issued and when it ends, wherever its answer says so (fact sheet section 3.0)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from idv_core.plugin import document_dates, means_expiry, means_issue

from .words import is_plain_field, parts

_Kind = Literal["issued", "expires"]

# Bills are dated, and nothing else on them is a date of issue.
_BILLED = re.compile(r"dateofbill|billdate|^issuance$")
# A key that ends so says something about the date, not the date itself.
_ABOUT = frozenset({"status", "flag", "score", "confidence", "reason", "url", "link"})
_BEGINS = frozenset({"from", "start", "begin", "since"})
_LABELS = frozenset({"name", "key", "field", "label"})
# Documented for `validity_to` of a GST certificate.
_ENDLESS = "not applicable"
_NO = (None, False, "", "no", "false", "n")


def read_validity(content: Mapping[str, Any], beside: Mapping[str, Any]) -> dict[str, Any]:
    """`issued_on`, `expires_on` and `unread` of a `DocumentEvidence`. Atlas prints day first; year first is read too.

    `content` is the document object, `beside` the entry that it stands in.
    """
    found: dict[_Kind, list[Any]] = {"issued": [], "expires": []}
    _look(content, "", found)
    for key, value in beside.items():
        if value is not content:
            _look({key: value}, "", found)
    return document_dates(issued=tuple(found["issued"]), expires=tuple(found["expires"]), day_first=True)


def _look(node: Any, above: str, found: dict[_Kind, list[Any]]) -> None:
    """Dates in a group of fields. `above` is the group's own name: `{"validity": {"to": ...}}` is the same as `validity_to`."""
    if isinstance(node, list):
        for item in node:
            _look(item, above, found)
        return
    if not isinstance(node, dict):
        return
    if "value" in node:
        labels = [label for name in node.keys() & _LABELS if isinstance(label := node[name], str)]
        node = {**dict.fromkeys(labels, node["value"]), **node} if labels else node
    for key, item in node.items():
        name, kind = _named(above, key)
        if kind is not None and not _is_span(item):
            found[kind] += (value for value in _values(item) if not _says_nothing(name, value))
        elif isinstance(item, (dict, list)) and not (is_plain_field(item) and _is_dateless(name)):
            _look(item, name, found)


@lru_cache(maxsize=4096)
def _is_dateless(name: str) -> bool:
    """Whether neither part of a field of that name is a date."""
    return all(_named(name, part)[1] is None for part in ("value", "confidence_score"))


def _is_span(item: Any) -> bool:
    """Whether it is a group in which further names tell beginning and end apart."""
    return isinstance(item, Mapping) and any("".join(parts(key)) in _BEGINS for key in item)


@lru_cache(maxsize=4096)
def _named(above: str, key: str) -> tuple[str, _Kind | None]:
    words = parts(key)
    name = "".join(words)
    kind = _kind(key)
    return name, kind or (_kind(f"{above}_{key}") if above else None)


def _kind(key: str) -> _Kind | None:
    if means_expiry(key):
        return "expires"
    return "issued" if means_issue(key) or _BILLED.search("".join(parts(key))) else None


def _values(item: Any) -> Iterator[Any]:
    """The date of a field, of a list of fields, or of a group that is one date (`year`, `month`, `day`)."""
    if isinstance(item, list) and item:
        for one in item:
            yield from _values(one)
    elif not item or not isinstance(item, Mapping) or {"year", "month", "day"} <= item.keys():
        yield item
    elif item.get("value") not in (None, ""):
        yield from _values(item["value"])
    else:
        for key, one in item.items():
            if _ABOUT.isdisjoint(parts(key)[-1:]):
                yield from _values(one)


def _says_nothing(name: str, value: Any) -> bool:
    text = value.strip().lower() if isinstance(value, str) else value
    return (name == "validityto" and text == _ENDLESS) or ("expired" in name and text in _NO)
