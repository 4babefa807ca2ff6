"""The conformance suite, with Acme's bench."""

import pytest
from idv_acme.bench import bench as make_bench

from idv_core.testing import FakeClock
from idv_core.testing.bench import Bench
from idv_core.testing.conformance import PluginConformance


class TestAcme(PluginConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return make_bench(FakeClock())
