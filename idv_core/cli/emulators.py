"""Starts emulators on loopback ports, for `idv demo` and `idv emulate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import attrs

from ..clock import SystemClock
from ..config import Account, Webhooks
from ..errors import PluginError
from ..gateway.sync import Gateway
from ..model import Secret
from ..registry import discover
from ..testing.asgi import Served
from ..testing.emulation import Emulation, load_emulation, register_webhooks

_LAST_PORT = 65535


@attrs.define
class RunningEmulator:
    """The running emulator of one vendor."""

    name: str
    emulation: Emulation
    served: Served


def start_emulators(names: Iterable[str], pace: timedelta, port: int = 0) -> list[RunningEmulator]:
    """Start emulators.

    Args:
        names: Names of plugins; default: all with an emulator.
        pace: How long an emulated vendor takes for each step.
        port: The first port; 0 for free ports.

    Raises:
        PluginError: A plugin has no emulator.
        ValueError: There are not enough ports.
    """
    registry = discover()
    clock = SystemClock()
    wanted = list(names)
    made = {name: load_emulation(registry.plugin(name), clock, pace) for name in wanted or sorted(registry.found)}
    emulations = {name: emulation for name, emulation in made.items() if emulation is not None}
    lacking = [name for name in wanted if name not in emulations]
    if lacking:
        raise PluginError(f"plugin {lacking[0]!r} has no emulator; leave it out")
    if not emulations:
        raise PluginError(
            "no installed plugin has an emulator; install one, for example: pip install 'idv-atlas[emulator]'"
        )
    if port + len(emulations) - 1 > _LAST_PORT:
        raise ValueError(
            f"--port {port}: the first port for {len(emulations)} emulators is {_LAST_PORT + 1 - len(emulations)} at most"
        )
    return [
        RunningEmulator(
            name, emulation, Served(emulation.emulator.app, emulation.emulator.tick, port and port + index).start()
        )
        for index, (name, emulation) in enumerate(emulations.items())
    ]


def send_webhooks(
    running: Iterable[RunningEmulator], settings: Mapping[str, Mapping[str, Any]], url: str, key: Secret
) -> None:
    """Let the emulators send webhooks to accounts of their names.

    Args:
        running: The emulators.
        settings: The settings of each account.
        url: Where the platform mounts its `WebhookApp`.
        key: The platform's webhook key.

    Raises:
        ValueError: The URL or the key is not valid.
    """
    accounts = [Account(name, name, given, test=True) for name, given in settings.items()]
    with Gateway(accounts, webhooks=Webhooks(url, key)) as gateway:
        for vendor in running:
            register_webhooks(gateway, vendor.name, vendor.emulation.emulator)
