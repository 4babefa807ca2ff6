"""Packages whose names are loaded when somebody first asks for them (PEP 562), so that a program pays only for what it uses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any


def lazily(package: str, names: Collection[str], places: tuple[str, ...]) -> Callable[[str], Any]:
    """The `__getattr__` of a package.

    `places` are its modules that have the public `names`, relative to it. They are looked through in this order, and those
    that come before are loaded too: so what is seldom used stands last.
    """

    def get(name: str) -> Any:
        if name in names:
            for place in places:
                module = import_module(place, package)
                if hasattr(module, name):
                    value = getattr(module, name)
                    setattr(sys.modules[package], name, value)
                    return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
