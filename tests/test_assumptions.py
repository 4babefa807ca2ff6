"""The tables of what is assumed about each vendor (docs/assurance.md): the code that they name is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_NAMED = re.compile(r"`([A-Za-z_]+)\.([A-Za-z_]+)`")


def places() -> list[tuple[str, str, str]]:
    """Vendor, module and name of each place in the third column."""
    found, vendor = [], ""
    for line in ROOT.joinpath("docs", "assurance.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = re.match(r"## What is assumed about (\w+)", line)
            vendor = heading[1].lower() if heading else ""
        cells = line.split("|")
        if vendor and len(cells) == 5:
            found += [(vendor, module, name) for module, name in _NAMED.findall(cells[3])]
    return found


@cache
def names_in(file: Path) -> frozenset[str]:
    """Functions, methods, classes and values of a module."""
    tree = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    targets = (
        [node.name] if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else [ast.unparse(one) for one in node.targets]
        for node in tree
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Assign))
    )
    return frozenset(name for named in targets for name in named)


@pytest.mark.parametrize(("vendor", "module", "name"), sorted(set(places())))
def test_the_place_of_an_assumption_is_there(vendor: str, module: str, name: str) -> None:
    plugin = ROOT.joinpath("plugins", vendor, f"idv_{vendor}")
    files = [
        file
        for file in plugin.glob("*.py")
        if file.stem == module or (module[0].isupper() and module in names_in(file))
    ]
    assert files, f"plugins/{vendor} has no module or class {module}"
    assert any(name in names_in(file) for file in files)


def test_the_tables_are_read() -> None:
    assert {vendor for vendor, _, _ in places()} >= {"atlas", "onfido", "verifik", "verigram"}
