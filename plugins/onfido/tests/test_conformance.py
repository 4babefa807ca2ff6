from __future__ import annotations

import pytest
from idv_onfido.testing.emulator import OnfidoEmulator
from idv_onfido.testing.harness import checks, workflows

from idv_core.testing import FakeClock, Network
from idv_core.testing.conformance import PluginConformance
from idv_core.testing.harness import Harness


class TestWorkflows(PluginConformance):
    """A workflow run with its hosted page; events signed."""

    @pytest.fixture
    def harness(
        self, clock: FakeClock, network: Network, emulator: OnfidoEmulator, settings: dict[str, object]
    ) -> Harness:
        return workflows(clock, network, emulator, settings)


class TestChecks(PluginConformance):
    """Documents and photos by API."""

    @pytest.fixture
    def harness(
        self, clock: FakeClock, network: Network, emulator: OnfidoEmulator, settings: dict[str, object]
    ) -> Harness:
        return checks(clock, network, emulator, settings)
