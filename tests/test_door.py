"""The doors for plugin authors: what stands in them is there, is typed, and costs nobody else anything."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import acme
import attrs
import pytest

import idv_core.plugin
import idv_core.testing
from idv_core import FlowStatus
from idv_core.plugin import Flow, Plugin, Polling, Result
from idv_core.plugin.protocols import ADAPTER_NAMES, status_of
from idv_core.testing import PluginConformance, run_exchange

DOORS = (idv_core.plugin, idv_core.testing)


def told_to_type_checkers(door: ModuleType) -> dict[str, str]:
    """Each name and the module that it comes from, as a type checker reads it."""
    tree = ast.parse(Path(str(door.__file__)).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    froms = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: "." * node.level + str(node.module) for node in froms for alias in node.names}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_what_is_listed_is_what_type_checkers_are_told(door: ModuleType) -> None:
    told = told_to_type_checkers(door)
    assert set(told) == set(door.__all__) <= set(dir(door))
    for name, module in told.items():
        assert getattr(door, name) is getattr(importlib.import_module(module, door.__name__), name), name


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_what_is_not_in_a_door_is_not_there(door: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Plugn'"):
        door.Plugn  # noqa: B018


def test_a_gateway_loads_nothing_that_only_plugins_use() -> None:
    code = "import sys, idv_core; idv_core.Gateway; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"idv_core.plugin.fields", "idv_core.plugin.failures", "idv_core.plugin.links"} & set(loaded)


def test_an_emulator_needs_no_test_framework() -> None:
    code = "import sys; from idv_core.testing import Emulator, page, serve; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pytest", "hypothesis"} & set(loaded)


def test_a_plugin_whose_create_is_a_class_has_that_adapter() -> None:
    plugin = Plugin(name="acme", summary="", settings=acme.AcmeSettings, create=acme.Acme)
    assert plugin.adapters == (acme.Acme,)
    assert attrs.evolve(plugin, create=lambda settings: acme.Acme(settings), adapters=()).adapters == ()


class TestStatus:
    """How far a flow is: the adapter's own word, or what its result says."""

    flow = Flow(id="f-1", status=FlowStatus.OPEN)

    def test_of_the_result_where_there_is_no_other(self) -> None:
        class Adapter:
            def result(self, flow: Flow) -> Any:
                yield from ()
                return Result(flow=attrs.evolve(flow, status=FlowStatus.FINISHED))

        assert run_exchange(status_of(Adapter(), self.flow), []).value.status is FlowStatus.FINISHED

    def test_of_its_own_where_there_is_one(self) -> None:
        class Adapter:
            def status(self, flow: Flow) -> Any:
                yield from ()
                return attrs.evolve(flow, status=FlowStatus.PROCESSING)

        assert run_exchange(status_of(Adapter(), self.flow), []).value.status is FlowStatus.PROCESSING


class TestNames:
    """An attribute that is nearly one of the contract's says nothing, and nobody would see it."""

    def check(self, adapter: type) -> None:
        harness: Any = SimpleNamespace(plugin=SimpleNamespace(adapters=(adapter,)))
        PluginConformance().test_no_name_is_nearly_one_of_the_contract(harness)

    @pytest.mark.parametrize("name", ["poling", "result_capabilites", "webhook_purpose", "accept", "renewlink"])
    def test_a_slip_is_seen(self, name: str) -> None:
        with pytest.raises(AssertionError, match=f"Slip.{name} is nearly"):
            self.check(type("Slip", (), {name: Polling()}))

    def test_a_field_is_seen_as_well(self) -> None:
        with pytest.raises(AssertionError, match=r"Slip\.poling is nearly 'polling'"):
            self.check(attrs.make_class("Slip", ["poling"]))

    def test_the_contracts_own_names_and_private_ones_are_fine(self) -> None:
        self.check(type("Fine", (), dict.fromkeys((*ADAPTER_NAMES, "_poling", "cancel", "results"))))
