from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from acme import Vendor
from certificates import make_certificate, serving_with

from idv_core.testing.fixtures import clock

pytest_plugins = ["pytester"]


_LONG = ("test_state_machine.py", "test_faults.py", "test_console.py")
_THOROUGH = os.environ.get("IDV_THOROUGH", "1") == "1"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker is left with one at the end; nox wants them on its first Python only."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None and item.path.name not in _LONG)
    for item in items:
        if not _THOROUGH and item.get_closest_marker("long") is not None:
            item.add_marker(pytest.mark.skip(reason="long: runs on the first Python of nox"))


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """Makes an empty database on a server of its own, and gives its address."""
    # for those who want it: it loads the ledger
    from books import postgresql_server

    with postgresql_server() as make:
        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/idv.db"
    make: Callable[[], str] = request.getfixturevalue("postgresql")
    return make()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a certificate for localhost that nobody signed, and of its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def self_signed(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return serving_with(certificate)
