"""Importing the library loads no plugin and no extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

import idv_core

EXTRAS = ("typer", "rich", "starlette", "uvicorn", "PIL", "pytest", "hypothesis")


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("names", [(), ("Gateway",), tuple(idv_core.__all__)], ids=["nothing", "Gateway", "everything"])
def test_the_import_is_lean(names: tuple[str, ...]) -> None:
    """What httpx itself loads (rich, if it happens to be installed) is not our doing."""
    ours = loaded_by("; ".join(["idv_core", *(f"idv_core.{name}" for name in names)])) - loaded_by("httpx")
    roots = {name.partition(".")[0] for name in ours}
    assert "idv_core" in roots
    assert not roots & {"idv_atlas", "idv_verifik", "idv_verigram", *EXTRAS}
    assert not [name for name in ours if name.startswith(("idv_core.testing", "idv_core.cli"))]


# What takes its time to load and only some gateways use: those with files, zones, webhooks, payloads, observers, tasks.
SELDOM = (
    "asyncio",
    "cattrs",
    "concurrent.futures.thread",
    "decimal",
    "difflib",
    "pluggy",
    "tomllib",
    "zoneinfo",
    "idv_core.config.ledger",
    "idv_core.config.toml",
    "idv_core.engine.async_driver",
    "idv_core.gateway.aio",
    "idv_core.model.claims",
    "idv_core.model.codec",
    "idv_core.plugin.dates",
    "idv_core.plugin.structuring",
    "idv_core.plugin.urls",
    "idv_core.transports.pools",
    "idv_core.webhooks.asgi",
    "idv_core.webhooks.receiver",
)


def test_the_gateway_loads_what_each_gateway_uses() -> None:
    ours = loaded_by("idv_core; idv_core.Gateway")
    assert "idv_core.gateway.sync" in ours
    assert not set(SELDOM) & (ours - loaded_by("httpx"))


@pytest.mark.parametrize("package", ["", ".config", ".gateway", ".model", ".plugin", ".telemetry", ".webhooks"])
def test_all_names_of_a_package_are_there_and_none_is_its_module(package: str) -> None:
    """Also where a module of the package has the same name, and was loaded before."""
    code = (
        f"import pkgutil, types; from importlib import import_module; package = import_module('idv_core{package}')\n"
        "for module in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "    if module.name not in ('idv_core.cli', 'idv_core.testing', 'idv_core.server', 'idv_core.telemetry.otel'):\n"
        "        import_module(module.name)\n"
        "print(*[name for name in package.__all__ if isinstance(getattr(package, name), types.ModuleType)])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == []


def test_what_is_not_there_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Gatway'"):
        idv_core.Gatway  # noqa: B018
    assert "Gateway" in dir(idv_core)
