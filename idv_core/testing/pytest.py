"""pytest fixtures for a platform's tests. In your `conftest.py`: `pytest_plugins = ["idv_core.testing.pytest"]`.

`fake_vendor` is the vendor that obeys. `idv_vendor` is that one too, and with `pytest --idv-vendor stripe` (or `all`, for each
installed plugin with an emulator) the same tests run over that vendor's emulator. What an emulator cannot do is skipped.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from .emulated_vendor import EmulatedVendor, NotOffered
from .fake_vendor import FakeVendor
from .vendors import vendor_named, vendor_names


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--idv-vendor",
        action="append",
        metavar="NAME",
        help="run tests of `idv_vendor` over this vendor's emulator: a plugin's name, `fake` (the default), or `all`",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "idv_vendor" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--idv-vendor") or ["fake"]
    names = vendor_names() if "all" in wanted else list(dict.fromkeys(wanted))
    metafunc.parametrize("idv_vendor", names, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    except NotOffered as error:
        pytest.skip(str(error))


@pytest.fixture
def idv_vendor(request: pytest.FixtureRequest) -> EmulatedVendor:
    """The vendor that the command line chooses."""
    return vendor_named(request.param)


@pytest.fixture
def fake_vendor() -> FakeVendor:
    """The vendor that obeys."""
    return FakeVendor()
