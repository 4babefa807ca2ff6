"""Emulators, file server and webhook server on loopback ports: what `idv demo` and `idv emulate` stand on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import attrs

from ..clock import SystemClock
from ..errors import PluginError
from ..registry import discover
from ..testing.asgi import Served
from ..testing.emulation import Emulation, load_emulation

_LAST_PORT = 65535


@attrs.define
class OnStage:
    """One vendor that is being emulated."""

    name: str
    emulation: Emulation
    served: Served


def raise_emulators(names: Iterable[str], pace: timedelta, port: int = 0) -> list[OnStage]:
    """Start the emulators of these plugins, or of all that have one. Ports are free ones, or count up from `port`."""
    registry = discover()
    clock = SystemClock()
    wanted = list(names)
    made = {name: load_emulation(registry.plugin(name), clock, pace) for name in wanted or sorted(registry.found)}
    emulations = {name: emulation for name, emulation in made.items() if emulation is not None}
    lacking = [name for name in wanted if name not in emulations]
    if lacking:
        raise PluginError(f"plugin {lacking[0]!r} has no emulator")
    if not emulations:
        raise PluginError(
            "no installed plugin has an emulator; install one, such as: pip install 'idv-atlas[emulator]'"
        )
    if port + len(emulations) - 1 > _LAST_PORT:
        raise ValueError(
            f"--port {port}: {len(emulations)} emulators need as many ports, and {_LAST_PORT} is the last one"
        )
    return [
        OnStage(name, emulation, Served(emulation.emulator.app, emulation.emulator.tick, port and port + index).start())
        for index, (name, emulation) in enumerate(emulations.items())
    ]
