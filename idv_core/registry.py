"""Finds plugins by their entry points. A broken plugin is reported; the others keep working."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

from .errors import PluginError, bounded
from .plugin.protocols import CONTRACT_VERSION
from .runtime.interrupts import interrupt_in

if TYPE_CHECKING:
    from importlib import metadata

    from .plugin.spec import Plugin, SecretSource

# Characters of a plugin's own message.
_LONGEST = 500


@attrs.frozen(kw_only=True)
class Found:
    """A loaded plugin and its distribution."""

    plugin: Plugin
    distribution: str
    version: str


@attrs.frozen(kw_only=True)
class Broken:
    """An entry point that could not be loaded, and why."""

    name: str
    distribution: str
    reason: str

    def __str__(self) -> str:
        return f"plugin {self.name!r} of {self.distribution} could not be loaded: {self.reason}"


@attrs.frozen
class Registry:
    """The plugins and the secret sources that are installed."""

    found: Mapping[str, Found]
    broken: tuple[Broken, ...] = ()
    secret_sources: Mapping[str, SecretSource] = attrs.field(factory=dict)

    def plugin(self, name: str) -> Plugin:
        """The plugin of that name.

        Raises:
            PluginError: It is not installed (the message lists those that are), or it could not be loaded (and why).
        """
        if name in self.found:
            return self.found[name].plugin
        for broken in self.broken:
            if broken.name == name:
                raise PluginError(str(broken))
        import difflib

        near = difflib.get_close_matches(name, self.found, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(sorted(self.found)) or "none"
        raise PluginError(f"there is no plugin {name!r}{hint} (installed: {known}; try: pip install idv-{name})")


def discover(entry_points: Iterable[metadata.EntryPoint] | None = None) -> Registry:
    """Load every plugin of the entry point group `idv_core.plugins`.

    A plugin that cannot be imported, has another contract version or returns the wrong type becomes a `Broken`.

    Args:
        entry_points: Entry points to load instead of the installed ones.

    Raises:
        PluginError: Two plugins have one name.
    """
    from importlib import metadata  # a program that brings its own registry never loads these two

    from .plugin.spec import ENTRY_POINT_GROUP, SECRETS_GROUP

    # one look through all that is installed
    installed = metadata.entry_points() if entry_points is None else metadata.EntryPoints()
    points = installed.select(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points
    found: dict[str, Found] = {}
    broken: list[Broken] = []
    for point in _once(points):
        distribution, version = _distribution(point)
        try:
            plugin = _load(point)
        except (Exception, SystemExit) as error:
            _raise_interrupt(error)
            broken.append(Broken(name=point.name, distribution=distribution, reason=_summary(error)))
            continue
        if plugin.name in found:
            raise PluginError(
                f"two plugins are called {plugin.name!r}: one of {found[plugin.name].distribution}, "
                f"one of {distribution}; uninstall one of them"
            )
        found[plugin.name] = Found(plugin=plugin, distribution=distribution, version=version)
    sources: dict[str, SecretSource] = {}
    for point in _once(installed.select(group=SECRETS_GROUP)):
        try:
            sources[point.name] = point.load()
        except (Exception, SystemExit) as error:
            _raise_interrupt(error)
            broken.append(Broken(name=point.name, distribution=_distribution(point)[0], reason=_summary(error)))
    return Registry(found, tuple(broken), sources)


def registry_of(*plugins: Plugin, secret_sources: Mapping[str, SecretSource] | None = None) -> Registry:
    """A registry of exactly these plugins and secret sources, for tests and for programs that bring their own."""
    found = {plugin.name: Found(plugin=plugin, distribution="given", version="") for plugin in plugins}
    return Registry(found, secret_sources=secret_sources or {})


UPGRADE = "upgrade the plugin; for its author: 'Contract 2' in the changelog says what to write instead (contract=2)"


def _load(point: metadata.EntryPoint) -> Plugin:
    import pluggy

    from .plugin import spec

    manager = pluggy.PluginManager(spec.PROJECT)
    manager.add_hookspecs(spec)
    manager.register(point.load(), name=point.name)
    given = manager.hook.idv_plugin()
    if len(given) != 1 or not isinstance(given[0], spec.Plugin):
        raise TypeError("its hook idv_plugin() must return one Plugin")
    plugin: Plugin = given[0]
    if plugin.contract != CONTRACT_VERSION:
        raise TypeError(
            f"it is written for contract version {plugin.contract}, this idv-core has {CONTRACT_VERSION}: "
            f"{'upgrade idv-core' if plugin.contract > CONTRACT_VERSION else UPGRADE}"
        )
    return plugin


def _once(points: Iterable[metadata.EntryPoint]) -> list[metadata.EntryPoint]:
    """Without duplicates, such as a checkout and its installed metadata."""
    return list({(point.name, point.value, _distribution(point)[0]): point for point in points}.values())


def _distribution(point: metadata.EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist is not None else ("unknown distribution", "")


def _raise_interrupt(error: BaseException) -> None:
    """A time limit that ran out meanwhile is no fault of the plugin."""
    interrupt = interrupt_in(error) if isinstance(error, Exception) else None
    if interrupt is not None:
        raise interrupt from None


def _summary(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    try:
        text = bounded(str(error), _LONGEST)
    except Exception:
        text = "(no message)"
    return f"{type(error).__name__}: {text}{where}"
