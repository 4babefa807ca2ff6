"""The vendor that obeys is a good plugin itself: it passes the suite that every vendor's plugin passes."""

from __future__ import annotations

import pytest

from idv_core.testing import FakeClock, Harness, PluginConformance
from idv_core.testing.fake_emulator import harness as make_harness


class TestFakeVendor(PluginConformance):
    # it lives in idv_core, whose other packages do I/O and keep what they need
    test_does_no_io = None
    test_reads_neither_clock_nor_files_nor_chance = None
    test_keeps_nothing_between_calls = None

    @pytest.fixture
    def harness(self) -> Harness:
        return make_harness(FakeClock())
