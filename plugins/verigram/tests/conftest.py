"""Fixtures: Verigram's plugin and its emulator on an in-process network."""

from __future__ import annotations

import pytest
from idv_verigram.bench import make_bench, make_emulator, make_settings
from idv_verigram.emulator import VerigramEmulator

from idv_core.testing import FakeClock, Network
from idv_core.testing.bench import Bench
from idv_core.testing.fixtures import clock, network


@pytest.fixture
def emulator(clock: FakeClock, network: Network) -> VerigramEmulator:
    return make_emulator(clock, network)


@pytest.fixture
def settings(emulator: VerigramEmulator) -> dict[str, object]:
    return make_settings(emulator)


@pytest.fixture
def bench(clock: FakeClock, network: Network, emulator: VerigramEmulator, settings: dict[str, object]) -> Bench:
    return make_bench(clock, network, emulator, settings)
