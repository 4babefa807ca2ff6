"""Hypothesis strategies: JSON of any shape, real answers with something changed, bytes."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from ..model import Address, ExtractedField, FieldName, Place, Secret
from ..model.fields import ADDRESSES, DATES, GENDERS

json_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30)
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)

_words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
_countries = st.sampled_from(["CO", "DE", "IN", "KZ"])


def _values(name: FieldName) -> st.SearchStrategy[Any]:
    """What a field of that name may hold."""
    if name in DATES:
        return st.dates()
    if name in ADDRESSES:
        return st.builds(Address, formatted=st.none() | _words, locality=st.none() | _words, country=_countries)
    if name is FieldName.PLACE_OF_BIRTH:
        return st.builds(Place, locality=st.none() | _words, country=st.none() | _countries)
    if name is FieldName.NATIONALITIES:
        return st.lists(_countries, max_size=2).map(tuple)
    if name is FieldName.GENDER:
        return st.sampled_from(sorted(GENDERS))
    if name in (FieldName.OTHER, FieldName.TRANSACTIONS, FieldName.LINE_ITEMS, FieldName.VEHICLE_CLASSES):
        return json_values
    return _words | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def extracted_fields(draw: st.DrawFn, secrets: st.SearchStrategy[Secret]) -> ExtractedField:
    """A field of the vocabulary with a value of its type, or one that could not be read."""
    name = draw(st.sampled_from(FieldName))
    return ExtractedField(
        name=name,
        value=draw(st.none() | _values(name)),
        vendor_name=draw(_words),
        vendor_text=draw(st.none() | _words),
        confidence=draw(st.none() | st.floats(0, 1)),
        whole=draw(st.none() | secrets),
    )


@st.composite
def json_like(draw: st.DrawFn, examples: list[Any]) -> Any:
    """One of the examples with up to three parts replaced, removed or renamed; or any JSON at all."""
    if not examples or draw(st.integers(0, 4)) == 0:
        return draw(json_values)
    holder = [copy.deepcopy(draw(st.sampled_from(examples)))]
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(holder))
        inside, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "replace", "remove", "case"])):
            case "remove" if isinstance(inside, dict):
                del inside[key]
            case "case" if isinstance(inside[key], str):
                inside[key] = inside[key].swapcase()
            case _:
                inside[key] = draw(json_values)
    return holder[0]


def _places(data: Any) -> Any:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield data, key
        yield from _places(value)
