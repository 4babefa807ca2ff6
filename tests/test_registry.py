"""Plugins are found by entry points; a broken one is reported and the others work."""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import attrs
import pytest
from acme import PLUGIN, Acme, AcmeBare

from idv_core.errors import PluginError
from idv_core.plugin.protocols import capabilities
from idv_core.plugin.spec import ENTRY_POINT_GROUP, Plugin, hookimpl
from idv_core.registry import discover, registry_of


class _Installed(Distribution):
    def __init__(self, name: str) -> None:
        self._name = name

    def read_text(self, filename: str) -> str:
        return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1.2\n" if filename == "METADATA" else ""

    def locate_file(self, path: str) -> Path:
        return Path(path)


def point(name: str, value: str, distribution: str | None = None) -> EntryPoint:
    made = EntryPoint(name, value, ENTRY_POINT_GROUP)
    if distribution:
        vars(made)["dist"] = _Installed(distribution)
    return made


class Good:
    @hookimpl
    def idv_plugin(self):
        return PLUGIN


class Newer:
    @hookimpl
    def idv_plugin(self):
        return attrs.evolve(PLUGIN, name="newer", contract=99)


class Older:
    @hookimpl
    def idv_plugin(self):
        return attrs.evolve(PLUGIN, name="older", contract=0)


class Nonsense:
    @hookimpl
    def idv_plugin(self):
        return "a text"


class Silent:
    pass


GOOD, NEWER, OLDER, NONSENSE, SILENT = Good(), Newer(), Older(), Nonsense(), Silent()


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plugins_for_tests", sys.modules[__name__])


def test_the_installed_plugins_are_found() -> None:
    registry = discover()
    assert {"atlas", "verifik", "verigram"} <= set(registry.found)
    assert registry.broken == ()
    assert registry.found["atlas"].distribution == "idv-atlas"


def test_a_broken_plugin_does_not_disturb_the_others() -> None:
    registry = discover(
        [
            point("good", "plugins_for_tests:GOOD", "dist-good"),
            point("missing", "no_such_module_at_all", "dist-missing"),
            point("newer", "plugins_for_tests:NEWER", "dist-newer"),
            point("older", "plugins_for_tests:OLDER"),
            point("nonsense", "plugins_for_tests:NONSENSE"),
            point("silent", "plugins_for_tests:SILENT"),
        ]
    )
    assert list(registry.found) == ["acme"]
    assert registry.found["acme"].version == "1.2"
    reasons = {broken.name: str(broken) for broken in registry.broken}
    assert "dist-missing could not be loaded: ModuleNotFoundError" in reasons["missing"]
    assert "contract version 99" in reasons["newer"]
    assert "upgrade idv-core" in reasons["newer"]
    assert "upgrade the plugin" in reasons["older"]
    assert "must return one" in reasons["nonsense"]
    assert "must return one" in reasons["silent"]
    with pytest.raises(PluginError, match="dist-missing"):
        registry.plugin("missing")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        ("class E(Exception):\n def __str__(self): raise KeyError\nraise E", r"E: \(no message\)"),
        ("raise ValueError('line\\n' * 50_000)", "ValueError: line line"),
    ],
)
def test_however_a_module_ends_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, told: str
) -> None:
    (tmp_path / "ends_so.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ends_so", raising=False)
    registry = discover([point("good", "plugins_for_tests:GOOD"), point("bad", "ends_so")])
    assert list(registry.found) == ["acme"]
    (broken,) = registry.broken
    assert re.search(told, str(broken))
    assert len(str(broken)) < 1000
    assert "\n" not in str(broken)


def test_two_plugins_of_one_name_are_an_error_that_names_both() -> None:
    points = [point("a", "plugins_for_tests:GOOD", "dist-one"), point("b", "plugins_for_tests:GOOD", "dist-two")]
    with pytest.raises(PluginError, match=r"dist-one.*dist-two"):
        discover(points)


def test_the_same_entry_point_twice_is_one() -> None:
    points = [point("a", "plugins_for_tests:GOOD", "dist-one")] * 2
    assert list(discover(points).found) == ["acme"]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(PluginError, match=r"did you mean 'acme'\?.*pip install idv-acmee"):
        registry_of(PLUGIN).plugin("acmee")


def test_a_capability_is_what_is_there() -> None:
    every = ("flow", "upload", "submit", "result", "webhook", "template", "link", "recover", "token")
    assert capabilities(Acme) == every
    assert capabilities(AcmeBare) == ("flow", "result")


def test_a_plugin_that_names_no_contract_was_written_for_the_first() -> None:
    """Whatever version is installed: otherwise an old plugin would pass for a new one."""
    assert Plugin(name="old", summary="", settings=dict, create=dict).contract == 1
