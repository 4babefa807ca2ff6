"""Fixtures: Persona's plugin and its emulator on an in-process network."""

from __future__ import annotations

import pytest
from idv_persona.testing.emulator import PersonaEmulator
from idv_persona.testing.harness import make_emulator, make_harness, make_settings

from idv_core.testing import FakeClock, Network
from idv_core.testing.fixtures import clock, network
from idv_core.testing.harness import Harness


@pytest.fixture
def emulator(clock: FakeClock, network: Network) -> PersonaEmulator:
    return make_emulator(clock, network)


@pytest.fixture
def settings(emulator: PersonaEmulator) -> dict[str, object]:
    return make_settings(emulator)


@pytest.fixture
def harness(clock: FakeClock, network: Network, emulator: PersonaEmulator, settings: dict[str, object]) -> Harness:
    return make_harness(clock, network, emulator, settings)
