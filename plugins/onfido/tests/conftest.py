"""Fixtures: Onfido's plugin and its emulator on an in-process network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from idv_onfido import idv_plugin
from idv_onfido.testing.emulator import OnfidoEmulator
from idv_onfido.testing.harness import make_emulator, make_settings

from idv_core import Gateway
from idv_core.config import Account
from idv_core.registry import registry_of
from idv_core.testing import FakeClock, Network
from idv_core.testing.fixtures import clock, network


@pytest.fixture
def emulator(clock: FakeClock, network: Network) -> OnfidoEmulator:
    return make_emulator(clock, network)


@pytest.fixture
def settings(emulator: OnfidoEmulator) -> dict[str, object]:
    return make_settings(emulator)


@pytest.fixture
def connect(network: Network, clock: FakeClock, settings: dict[str, object]) -> Callable[..., Gateway]:
    """A gateway of a process of its own: it knows of no run that another one opened."""

    def connect(**changes: object) -> Gateway:
        account = Account("onfido", "onfido", {**settings, **changes}, test=True)
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect
