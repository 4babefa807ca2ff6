"""Hypothesis strategies: JSON of any shape, real answers with something changed, bytes."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

json_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30)
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
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
