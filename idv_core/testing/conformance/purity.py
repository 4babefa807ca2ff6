"""What a plugin's code may not do: read the clock, files or chance, write to a log, keep anything between two calls."""

from __future__ import annotations

import ast
import contextlib
import copy
import sys
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from ..harness import Driver, Harness
from .steps import shipped_files

_TIME = "time is a parameter: `now` in `authorize`, `reply.received_at` everywhere else"
_CHANCE = "a key for repeats is derived from the order alone, so that a repeat has the same; a nonce is `request.nonce`"
_LOG = "the core logs every call, redacted; what a platform should know goes into `notes` or the error"
_FILES = "the core reads files and hands in bytes, or `content_of(document)`"
# How a call ends, or is named, and what to do instead.
_FORBIDDEN_CALLS = {
    "datetime.now": _TIME,
    "datetime.utcnow": _TIME,
    "datetime.today": _TIME,
    "date.today": _TIME,
    "uuid.uuid1": _CHANCE,
    "uuid.uuid4": _CHANCE,
    "uuid1": _CHANCE,
    "uuid4": _CHANCE,
    "print": _LOG,
    "logging.getLogger": _LOG,
    "getLogger": _LOG,
    "open": _FILES,
    "input": "nobody sits there",
    "eval": "an answer is data, never code",
    "exec": "an answer is data, never code",
    "__import__": "write an import, so that it can be looked at",
    "import_module": "write an import, so that it can be looked at",
    "importlib.import_module": "write an import, so that it can be looked at",
}
_MUTABLE = (list, dict, set, deque, bytearray)


class IsPure:
    def test_reads_neither_clock_nor_files_nor_chance(self, adapter: Any) -> None:
        """By its source: an adapter that reads them works on the author's machine, and cannot be tested or repeated."""
        for file, place in shipped_files(adapter):
            for line, call in _calls(file):
                what = _FORBIDDEN_CALLS.get(call) or _FORBIDDEN_CALLS.get(".".join(call.split(".")[-2:]))
                assert what is None, f"{place}:{line} calls {call}(): {what}"

    def test_keeps_nothing_between_calls(self, harness: Harness) -> None:
        """One adapter serves all applicants, in threads and in several processes: what it keeps is another person's."""
        driver = Driver(harness, "sync")
        before = _kept(driver.adapter)
        flow = harness.finish(driver, driver.open(harness.order))
        harness.clock.advance(3600)
        driver.result(flow)
        for name, value in _kept(driver.adapter).items():
            assert before.get(name, _NEW) == value, (
                f"{name} changed while a flow was opened and read: keep nothing; what a flow needs goes into "
                "`Flow.details`, a secret into `Flow.secrets`, a token is kept by the core"
            )
        driver.close()


_NEW = object()


def _calls(file: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each call of a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and (name := _dotted(node.func)):
            yield node.lineno, name


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{inner}.{node.attr}" if (inner := _dotted(node.value)) else ""
    return node.id if isinstance(node, ast.Name) else ""


def _kept(adapter: Any) -> dict[str, Any]:
    """Copies of all that can change: lists, dictionaries and sets of modules and classes, and the adapter's own fields."""
    package = type(adapter).__module__.partition(".")[0]
    kept: dict[str, Any] = {}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] == package and "testing" not in name.split("."):
            for key, value in _changeable(module):
                # what cannot be copied (a table of routes with open sockets, say) cannot be compared
                with contextlib.suppress(Exception):
                    kept[f"{name}.{key}"] = copy.deepcopy(value)
    names = [field.name for field in attrs.fields(type(adapter))] if attrs.has(type(adapter)) else []
    own = {name: getattr(adapter, name) for name in names} | getattr(adapter, "__dict__", {})
    for name, value in own.items():
        if not isinstance(getattr(type(adapter), name, None), cached_property):
            with contextlib.suppress(Exception):
                kept[f"{type(adapter).__name__}.{name}"] = copy.deepcopy(value)
    return kept


def _changeable(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if name.startswith("__"):
            continue
        if isinstance(value, _MUTABLE):
            yield name, value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for inner, held in vars(value).items():
                if isinstance(held, _MUTABLE) and not inner.startswith("__"):
                    yield f"{name}.{inner}", held
