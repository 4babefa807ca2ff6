"""Stripe Identity in `idv demo` and `idv emulate`: the applicant goes through the hosted page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Flow, Gateway, Secret
from idv_core.plugin import Polling
from idv_core.testing import Clock, Scene, make_specimen

from .emulator import StripeEmulator, Variants


class StripeEmulation:
    """Test mode."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.polling = Polling(first=pace, ceiling=4 * pace)
        self.emulator = StripeEmulator(clock, variants=Variants(processing=3 * pace))

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": base_url,
            "api_key": Secret(self.emulator.api_key),
            "webhook_secret": self.emulator.webhook_secret,
            "read_sensitive": True,
        }

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        scene.say("the applicant shows document and face on the hosted page")
        scene.walk(
            flow, {"document": make_specimen("passport", scene.person)}, {"selfie": make_specimen("selfie", scene.face)}
        )
        return flow
