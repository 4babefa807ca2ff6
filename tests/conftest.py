from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a certificate for localhost that nobody signed, and of its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key", folder / "certificate"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, "-keyout", key, "-out", certificate, *names], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def self_signed(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
