"""Fixtures: Atlas's plugin and its emulator on an in-process network."""

from __future__ import annotations

import pytest
from idv_atlas.bench import make_bench, make_emulator, make_settings
from idv_atlas.emulator import AtlasEmulator

from idv_core.testing import FakeClock, Network
from idv_core.testing.bench import Bench
from idv_core.testing.fixtures import clock, network


@pytest.fixture
def emulator(clock: FakeClock, network: Network) -> AtlasEmulator:
    return make_emulator(clock, network)


@pytest.fixture
def settings(emulator: AtlasEmulator) -> dict[str, object]:
    return make_settings(emulator)


@pytest.fixture
def bench(clock: FakeClock, network: Network, emulator: AtlasEmulator, settings: dict[str, object]) -> Bench:
    return make_bench(clock, network, emulator, settings)
