"""Onfido in `idv demo` and `idv emulate`: the applicant goes through the hosted page of a workflow run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Flow, Gateway, Secret
from idv_core.plugin import Polling
from idv_core.testing import Clock, Scene, make_specimen

from .emulator import OnfidoEmulator, Variants


class OnfidoEmulation:
    """Sandbox."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.polling = Polling(first=pace, ceiling=4 * pace)
        self.emulator = OnfidoEmulator(clock, variants=Variants(processing=3 * pace))

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": f"{base_url}/v3.6",
            "api_token": Secret(self.emulator.api_token),
            "workflow_id": "workflow-demo",
            "webhook_token": self.emulator.webhook_token,
        }

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        scene.say("the applicant shows document and face on the hosted page")
        scene.walk(
            flow, {"document": make_specimen("passport", scene.person)}, {"photo": make_specimen("selfie", scene.face)}
        )
        return flow
