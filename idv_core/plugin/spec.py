"""The one hook that a plugin's distribution implements, found by the entry point group `idv_core.plugins`.

Another group, `idv_core.secrets`, is for sources of secrets: the entry point's name is the key of references
(`{ vault = "secret/atlas" }`), its object a `SecretSource`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
import pluggy

PROJECT = "idv_core"
ENTRY_POINT_GROUP = "idv_core.plugins"

SECRETS_GROUP = "idv_core.secrets"

SecretSource: TypeAlias = Callable[[str], str]
"""Gives the secret of that name, or raises ValueError. Called when a gateway is made, and again when a key is refused."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


def _if_a_class(create: Callable[[Any], Any]) -> tuple[type[Any], ...]:
    return (create,) if isinstance(create, type) else ()


@attrs.frozen(kw_only=True)
class Plugin:
    """A vendor. `settings` is the attrs class of an account's settings, `create` makes an adapter of such settings.

    `adapters` are the classes that `create` may return (one per API family), so that capabilities can be listed without
    an account; where `create` is a class, that class is the default. `emulation` names, as `module:Class`, what `idv demo`
    and `idv emulate` run (`idv_core.testing.emulation`), and `harness`, as `module:function`, what makes the harness for the
    conformance suite (`(FakeClock) -> Harness`); they are imported only then. `contract` is the version of the contract that
    the plugin was written for, not the one that happens to be installed: a plugin that says nothing was written for the
    first.
    """

    name: str
    summary: str
    settings: type[Any]
    create: Callable[[Any], Any]
    adapters: tuple[type[Any], ...] = attrs.Factory(lambda self: _if_a_class(self.create), takes_self=True)
    emulation: str | None = None
    harness: str | None = None
    contract: int = 1


@hookspec
def idv_plugin() -> Plugin:  # type: ignore[empty-body]
    """Return the plugin. Called once, when the plugin is first needed."""
