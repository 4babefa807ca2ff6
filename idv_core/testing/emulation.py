"""What a plugin offers to `idv demo` and `idv emulate`: its emulator, settings for it, and an applicant to play."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

import attrs
import httpx

from ..clock import Clock
from ..gateway.sync import Gateway
from ..model import Flow
from ..plugin.protocols import Polling, WebhookPurposesProtocol
from ..plugin.spec import Plugin
from .applicant import Form, submit_forms
from .emulator import Emulator
from .specimens import Person

_EVENTS = "events"


@attrs.frozen(kw_only=True)
class Scene:
    """How to play: `person` is the applicant, `face` whose selfie (or second half of the documents) is handed in.

    `put_file` gives a file an address.
    """

    person: Person
    face: Person
    put_file: Callable[[bytes], str]
    say: Callable[[str], object]

    def walk(self, flow: Flow, *forms: Form) -> None:
        """Go to the flow's link and fill in these forms, one after the other."""
        if flow.link is not None:
            with httpx.Client(timeout=10) as browser:
                submit_forms(browser, flow.link.url.reveal(), *forms)


class Emulation(Protocol):
    """Made as `Class(clock, pace)`: `pace` is how long the vendor takes for one stage of its work."""

    emulator: Emulator
    polling: Polling | None

    def settings(self, base_url: str) -> dict[str, Any]:
        """Settings of an account at the emulator; secrets as `Secret`."""
        ...

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        """Do what platform and applicant do until only waiting is left."""
        ...


def load_emulation(plugin: Plugin, clock: Clock, pace: timedelta) -> Emulation | None:
    """The plugin's emulation, or None if it has none."""
    if plugin.emulation is None:
        return None
    module, _, name = plugin.emulation.partition(":")
    made: Emulation = getattr(importlib.import_module(module), name)(clock, pace)
    return made


def register_webhooks(gateway: Gateway, account: str, emulator: Emulator) -> None:
    """Enter the account's webhook address at the emulator, as one does in a vendor's dashboard.

    Vendors that are told an address with each flow need none, and nothing is done.
    """
    adapter = gateway._state.active.session(account).adapter
    if isinstance(adapter, WebhookPurposesProtocol) and _EVENTS in adapter.webhook_purposes:
        emulator.register_webhook(gateway.webhook_url(account, _EVENTS).reveal())
