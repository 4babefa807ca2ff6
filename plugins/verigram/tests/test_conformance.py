from __future__ import annotations

import attrs
import pytest
from idv_verigram.testing.emulator import VerigramEmulator
from idv_verigram.testing.harness import make_harness

from idv_core.testing import FakeClock, Network
from idv_core.testing.conformance import PluginConformance
from idv_core.testing.harness import Harness


class TestVerigram(PluginConformance):
    """Verigram, signed production mode."""


class TestVerigramWithTheRegister(PluginConformance):
    """The same, and each result brings the population register's record."""

    @pytest.fixture
    def harness(
        self, clock: FakeClock, network: Network, emulator: VerigramEmulator, settings: dict[str, object]
    ) -> Harness:
        harness = make_harness(clock, network, emulator, {**settings, "read_register": True})
        return attrs.evolve(harness, personal=(*harness.personal, "000000000005"))
