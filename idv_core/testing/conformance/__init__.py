"""The conformance suite: pytest classes that a plugin's tests inherit.

Write a fixture `harness` that returns a `Harness` over your plugin and your emulator, and inherit::

    class TestAcme(PluginConformance):
        @pytest.fixture
        def harness(self):
            return Harness(plugin=idv_plugin(), ...)

Every capability that your adapter has is exercised, by the blocking gateway and by the async one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..harness import Driver, Harness
from .account import GuardsItsAccount
from .contract import KeepsTheContract
from .errors import MapsErrors
from .evidence import ApprovesOnlyEvidence
from .inputs import SurvivesAnyInput
from .life import LivesThroughAFlow
from .lifecycle import LivesOnAfterwards
from .ownership import AdoptsItsOwnOnly
from .purity import IsPure
from .reading import ReadsItAsMeant
from .secrecy import ShowsNothingSecret
from .webhooks import ReadsWebhooks


class PluginConformance(
    KeepsTheContract,
    IsPure,
    GuardsItsAccount,
    LivesThroughAFlow,
    LivesOnAfterwards,
    MapsErrors,
    ApprovesOnlyEvidence,
    ReadsItAsMeant,
    AdoptsItsOwnOnly,
    SurvivesAnyInput,
    ReadsWebhooks,
    ShowsNothingSecret,
):
    """Inherit it and write the fixture `harness`."""

    @pytest.fixture(params=["sync", "async"])
    def idv(self, harness: Harness, request: pytest.FixtureRequest) -> Iterator[Driver]:
        driver = Driver(harness, request.param)
        yield driver
        driver.close()

    @pytest.fixture
    def adapter(self, harness: Harness) -> Any:
        return Driver(harness, "sync").adapter
