"""Vendors for the tests of a platform, by name."""

from __future__ import annotations

import importlib

from ..registry import discover
from .clock import FakeClock
from .emulated_vendor import EmulatedVendor, NotOffered
from .fake_vendor import FakeVendor
from .harness import Harness


def vendor_named(name: str) -> EmulatedVendor:
    """The emulator of an installed plugin, or `fake` for the vendor that obeys.

    Raises PluginError for an unknown plugin, NotOffered for one without a harness.
    """
    if name == "fake":
        return FakeVendor()
    plugin = discover().plugin(name)
    if plugin.harness is None:
        raise NotOffered(f"plugin {name!r} has no harness")
    module, _, function = plugin.harness.partition(":")
    made: Harness = getattr(importlib.import_module(module), function)(FakeClock())
    return EmulatedVendor(made)


def vendor_names() -> list[str]:
    """`fake`, and every installed plugin with a harness."""
    found = discover().found
    return ["fake", *sorted(name for name, one in found.items() if one.plugin.harness is not None)]
