from __future__ import annotations

import pytest
from acme import Vendor

from idv_core.testing.fixtures import clock

pytest_plugins = ["pytester"]


_LONG = ("test_state_machine.py", "test_levels.py", "test_faults.py", "test_scaffold.py", "test_ownership.py")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: item.path.name not in _LONG)


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()
