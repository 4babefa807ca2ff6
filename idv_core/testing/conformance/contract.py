"""What a plugin is: its protocols, its names, what it imports."""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from ...plugin.protocols import (
    ADAPTER_NAMES,
    CONTRACT_VERSION,
    AdapterProtocol,
    FlowProtocol,
    ResultProtocol,
    TemplateProtocol,
    TokenProtocol,
    UploadProtocol,
    WebhookProtocol,
)
from ..harness import Harness
from .steps import shipped_files

_IO = "the core does the I/O"
# What is imported, and why not. Below a name everything is forbidden too.
_FORBIDDEN_IMPORTS = {
    **dict.fromkeys(
        (
            "socket", "ssl", "select", "threading", "asyncio", "multiprocessing", "concurrent", "os", "subprocess", "httpx",
            "requests", "aiohttp", "urllib3", "urllib.request", "http.client", "ftplib", "smtplib", "sqlite3",
        ),
        _IO,
    ),
    **dict.fromkeys(("pathlib", "tempfile", "shutil", "glob"), "the core reads and writes files"),
    "time": "time is a parameter: `now` in `authorize`, `reply.received_at` everywhere else",
    "random": "a key for repeats is derived from the order alone, and a nonce is `request.nonce`",
    "secrets": "a key for repeats is derived from the order alone, and a nonce is `request.nonce`",
    "logging": "the core logs every call, redacted",
}  # fmt: skip


class KeepsTheContract:
    def test_implements_the_contract(self, harness: Harness, adapter: Any) -> None:
        assert harness.plugin.contract == CONTRACT_VERSION
        for protocol in (AdapterProtocol, FlowProtocol, ResultProtocol):
            assert isinstance(adapter, protocol), f"{type(adapter).__name__} lacks {protocol.__name__}"
        assert type(adapter) in harness.plugin.adapters, (
            "the plugin's `adapters` must name every class that `create` returns"
        )

    def test_no_name_is_nearly_one_of_the_contract(self, harness: Harness) -> None:
        """`poling` in place of `polling` would say nothing, and nobody would see it."""
        for adapter in harness.plugin.adapters:
            fields = attrs.fields(adapter) if attrs.has(adapter) else ()
            names = {*dir(adapter), *(field.name for field in fields)}
            for name in sorted(names - ADAPTER_NAMES):
                near = difflib.get_close_matches(name, ADAPTER_NAMES - names, n=1, cutoff=0.85)
                assert name.startswith("_") or not near, (
                    f"{adapter.__name__}.{name} is nearly {near[0]!r}, which the core looks for: is it meant? "
                    "If it is not, let the name begin with an underscore"
                )

    def test_says_all_that_the_suite_needs(self, harness: Harness, adapter: Any) -> None:
        needed = {
            "documents": UploadProtocol,
            "bad_documents": UploadProtocol,
            "template": TemplateProtocol,
            "webhook": WebhookProtocol,
            "expire_tokens": TokenProtocol,
        }
        for name, protocol in needed.items():
            assert not isinstance(adapter, protocol) or getattr(harness, name), (
                f"{protocol.__name__} needs Harness.{name}"
            )
        assert harness.errors, "Harness.errors: the error table of the vendor's pages"
        assert harness.unknown_words, "Harness.unknown_words: answers that nobody documents"

    def test_does_no_io(self, adapter: Any) -> None:
        """Nor does it import anything of idv-core but the door. Its test code lies in a subpackage `testing`."""
        package = Path(str(sys.modules[type(adapter).__module__.partition(".")[0]].__file__)).parent
        for file, place in shipped_files(adapter):
            for name in _imports(file, Path(package.name) / place):
                root, *rooms = name.split(".")
                why = next((_FORBIDDEN_IMPORTS[part] for part in _above(name) if part in _FORBIDDEN_IMPORTS), None)
                assert why is None, f"{place} imports {name}: {why}"
                assert root != "idv_core" or rooms == ["plugin"], (
                    f"{place} imports {name}: a plugin's code imports of idv-core `idv_core.plugin` only"
                )
                assert root != package.name or "testing" not in rooms, f"{place} imports its test code, {name}"


def _imports(file: Path, place: Path) -> Iterator[str]:
    """The modules that a file imports; `place` is its path from where packages are."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = place.parts[: -node.level] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield module
            if module in ("urllib", "http"):
                yield from (f"{module}.{alias.name}" for alias in node.names)
            if node.level and not node.module:
                yield from (".".join((*above, alias.name)) for alias in node.names)


def _above(name: str) -> Iterator[str]:
    """The module itself, and the packages that it is in."""
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(len(parts), 0, -1))
