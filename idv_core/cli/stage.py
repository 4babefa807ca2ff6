"""Emulators, file server and callback server on loopback ports: what `idv demo` and `idv emulate` stand on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import attrs

from ..clock import SystemClock
from ..errors import PluginError
from ..registry import discover
from ..testing.asgi import Served
from ..testing.emulation import Emulation, load_emulation


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
    raised: list[OnStage] = []
    for name in wanted or sorted(registry.found):
        emulation = load_emulation(registry.plugin(name), clock, pace)
        if emulation is None:
            if wanted:
                raise PluginError(f"plugin {name!r} has no emulator")
            continue
        served = Served(emulation.emulator.app, emulation.emulator.tick, port + len(raised) if port else 0)
        raised.append(OnStage(name, emulation, served.start()))
    if not raised:
        raise PluginError(
            "no installed plugin has an emulator; install one, such as: pip install 'idv-atlas[emulator]'"
        )
    return raised
