"""pytest fixtures for plugins' tests: import them in your conftest. A clock under control, a network without sockets."""

from __future__ import annotations

import pytest

from .clock import FakeClock
from .platform import Network


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def network() -> Network:
    return Network()
