"""The harnesses of all plugins, for tests that look at every vendor: fault matrix, state machine, fuzz, canaries."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import attrs
import idv_atlas.testing.harness
import idv_onfido.testing.harness

from idv_core.registry import discover
from idv_core.testing import FakeClock
from idv_core.testing.harness import Harness

Make = Callable[[FakeClock], Harness]


def atlas_onboarding(clock: FakeClock) -> Harness:
    harness = idv_atlas.testing.harness.harness(clock)
    return attrs.evolve(harness, settings={**harness.settings, "family": "onboarding"})


def named(place: str) -> Make:
    module, _, function = place.partition(":")
    make: Make = getattr(import_module(module), function)
    return make


FAMILIES: dict[str, Make] = {
    "atlas-onboarding": atlas_onboarding,
    "onfido-checks": idv_onfido.testing.harness.checks_harness,
}
"""Of plugins with several APIs, those besides the usual one."""

HARNESSES: dict[str, Make] = FAMILIES | {
    name: named(found.plugin.harness) for name, found in discover().found.items() if found.plugin.harness
}
HARNESSES = dict(sorted(HARNESSES.items()))
