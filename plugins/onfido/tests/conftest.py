"""Fixtures: Onfido's plugin and its emulator on an in-process network."""

from __future__ import annotations

import pytest
from idv_onfido.testing.emulator import OnfidoEmulator
from idv_onfido.testing.harness import make_emulator, make_settings

from idv_core.testing import FakeClock, Network
from idv_core.testing.fixtures import clock, network


@pytest.fixture
def emulator(clock: FakeClock, network: Network) -> OnfidoEmulator:
    return make_emulator(clock, network)


@pytest.fixture
def settings(emulator: OnfidoEmulator) -> dict[str, object]:
    return make_settings(emulator)
