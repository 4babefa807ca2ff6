"""The conformance suite, with Acme's harness."""

import pytest
from idv_acme.testing.harness import harness as make_harness

from idv_core.testing import FakeClock, Harness, PluginConformance


class TestAcme(PluginConformance):
    @pytest.fixture
    def harness(self) -> Harness:
        return make_harness(FakeClock())
