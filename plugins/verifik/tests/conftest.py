"""Fixtures: Verifik's plugin and its emulator on an in-process network."""

from __future__ import annotations

import pytest
from idv_verifik import SmartEnroll
from idv_verifik.testing.emulator import VerifikEmulator
from idv_verifik.testing.harness import make_emulator, make_harness, make_settings, make_smart_enroll

from idv_core.testing import FakeClock, Network
from idv_core.testing.fixtures import clock, network
from idv_core.testing.harness import Harness


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
def harness(clock: FakeClock, network: Network, emulator: VerifikEmulator, settings: dict[str, object]) -> Harness:
    return make_harness(clock, network, emulator, settings)
