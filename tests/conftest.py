from __future__ import annotations

import pytest
from acme import Vendor
from hypothesis import settings

from idv_core.testing.fixtures import clock

settings.register_profile("idv", deadline=None)
settings.load_profile("idv")

pytest_plugins = ["pytester"]


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()
