"""The harnesses of all plugins, for tests that look at every vendor: fault matrix, state machine, fuzz, canaries."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import idv_atlas.testing.harness
import idv_onfido.testing.harness
import idv_stripe.testing.harness
import idv_verifik.testing.harness
import idv_verigram.testing.harness

from idv_core.testing import FakeClock
from idv_core.testing.harness import Harness


def atlas_onboarding(clock: FakeClock) -> Harness:
    harness = idv_atlas.testing.harness.harness(clock)
    return attrs.evolve(harness, settings={**harness.settings, "family": "onboarding"})


HARNESSES: dict[str, Callable[[FakeClock], Harness]] = {
    "atlas": idv_atlas.testing.harness.harness,
    "atlas-onboarding": atlas_onboarding,
    "onfido": idv_onfido.testing.harness.harness,
    "onfido-checks": idv_onfido.testing.harness.checks_harness,
    "stripe": idv_stripe.testing.harness.harness,
    "verifik": idv_verifik.testing.harness.harness,
    "verigram": idv_verigram.testing.harness.harness,
}
