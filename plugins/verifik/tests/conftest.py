"""Fixtures: Verifik's plugin and its emulator on an in-process network."""

from __future__ import annotations

import pytest
from idv_verifik import SmartEnroll
from idv_verifik.bench import make_bench, make_emulator, make_settings, make_smart_enroll
from idv_verifik.emulator import VerifikEmulator

from idv_core.testing import FakeClock, Network
from idv_core.testing.bench import Bench
from idv_core.testing.fixtures import clock, network


@pytest.fixture
def emulator(clock: FakeClock, network: Network) -> VerifikEmulator:
    return make_emulator(clock, network)


@pytest.fixture
def settings(emulator: VerifikEmulator) -> dict[str, object]:
    return make_settings(emulator)


@pytest.fixture
def smart_enroll() -> SmartEnroll:
    return make_smart_enroll()


@pytest.fixture
def bench(clock: FakeClock, network: Network, emulator: VerifikEmulator, settings: dict[str, object]) -> Bench:
    return make_bench(clock, network, emulator, settings)
