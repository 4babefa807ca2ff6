"""The benches of all plugins, for tests that look at every vendor: fault matrix, state machine, fuzz, canaries."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import idv_atlas.bench
import idv_onfido.bench
import idv_stripe.bench
import idv_verifik.bench
import idv_verigram.bench

from idv_core.testing import FakeClock
from idv_core.testing.bench import Bench


def atlas_onboarding(clock: FakeClock) -> Bench:
    bench = idv_atlas.bench.bench(clock)
    return attrs.evolve(bench, settings={**bench.settings, "family": "onboarding"})


BENCHES: dict[str, Callable[[FakeClock], Bench]] = {
    "atlas": idv_atlas.bench.bench,
    "atlas-onboarding": atlas_onboarding,
    "onfido": idv_onfido.bench.bench,
    "onfido-checks": idv_onfido.bench.checks_bench,
    "stripe": idv_stripe.bench.bench,
    "verifik": idv_verifik.bench.bench,
    "verigram": idv_verigram.bench.bench,
}
