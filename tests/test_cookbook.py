"""docs/cookbook.md: each recipe is run as it is printed, with the assertions at its end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "cookbook.md").read_text()
RECIPES = dict(re.findall(r'```python title="([a-z]+)\.py"\n(.*?)```', PAGE, re.DOTALL))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe(name: str) -> None:
    exec(compile(RECIPES[name], f"cookbook/{name}.py", "exec"), {"__name__": name})


def test_every_recipe_shows_what_it_does() -> None:
    assert len(RECIPES) == PAGE.count("\n## ") == 12
    assert [name for name, code in RECIPES.items() if "assert " not in code] == []
