from __future__ import annotations

import pytest
from idv_onfido.bench import checks, workflows
from idv_onfido.emulator import OnfidoEmulator

from idv_core.testing import FakeClock, Network
from idv_core.testing.bench import Bench
from idv_core.testing.conformance import PluginConformance


class TestWorkflows(PluginConformance):
    """A workflow run with its hosted page; events signed."""

    @pytest.fixture
    def bench(self, clock: FakeClock, network: Network, emulator: OnfidoEmulator, settings: dict[str, object]) -> Bench:
        return workflows(clock, network, emulator, settings)


class TestChecks(PluginConformance):
    """Documents and photos by API."""

    @pytest.fixture
    def bench(self, clock: FakeClock, network: Network, emulator: OnfidoEmulator, settings: dict[str, object]) -> Bench:
        return checks(clock, network, emulator, settings)
