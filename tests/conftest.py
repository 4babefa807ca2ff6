from __future__ import annotations

import pytest
from acme import Vendor

from idv_core.testing.fixtures import clock

pytest_plugins = ["pytester"]


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()
