"""The benches of all plugins, for tests that look at every vendor: fault matrix, state machine, fuzz, canaries."""

from __future__ import annotations

from collections.abc import Callable

import atlas_bench
import attrs
import verifik_bench
import verigram_bench
from idv_stripe import bench as stripe_bench

from idv_core.testing import FakeClock, Network
from idv_core.testing.conformance import Bench


def atlas(clock: FakeClock) -> Bench:
    network = Network()
    emulator = atlas_bench.make_emulator(clock, network)
    return atlas_bench.make_bench(clock, network, emulator, atlas_bench.make_settings(emulator))


def atlas_onboarding(clock: FakeClock) -> Bench:
    bench = atlas(clock)
    return attrs.evolve(bench, settings={**bench.settings, "family": "onboarding"})


def stripe(clock: FakeClock) -> Bench:
    network = Network()
    emulator = stripe_bench.make_emulator(clock, network)
    return stripe_bench.make_bench(clock, network, emulator, stripe_bench.make_settings(emulator))


def verifik(clock: FakeClock) -> Bench:
    network = Network()
    emulator = verifik_bench.make_emulator(clock, network)
    return verifik_bench.make_bench(clock, network, emulator, verifik_bench.make_settings(emulator))


def verigram(clock: FakeClock) -> Bench:
    network = Network()
    emulator = verigram_bench.make_emulator(clock, network)
    return verigram_bench.make_bench(clock, network, emulator, verigram_bench.make_settings(emulator))


BENCHES: dict[str, Callable[[FakeClock], Bench]] = {
    "atlas": atlas,
    "atlas-onboarding": atlas_onboarding,
    "stripe": stripe,
    "verifik": verifik,
    "verigram": verigram,
}
