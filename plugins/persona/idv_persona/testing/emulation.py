"""Persona in `idv demo` and `idv emulate`: the applicant goes through the hosted flow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Flow, Gateway, Secret
from idv_core.plugin import Polling
from idv_core.testing import Clock, Scene, make_specimen

from .emulator import PersonaEmulator, Variants


class PersonaEmulation:
    """The sandbox, with webhooks unsent: the demo waits by polling."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.polling = Polling(first=pace, ceiling=4 * pace)
        self.emulator = PersonaEmulator(clock, variants=Variants(processing=2 * pace, deciding=pace))

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": f"{base_url}/api/v1",
            "api_key": Secret(self.emulator.api_key),
            "template_id": "itmpl_Emulated4711",
        }

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        scene.say("the applicant shows id and face in the hosted flow")
        scene.walk(
            flow, {"document": make_specimen("passport", scene.person)}, {"selfie": make_specimen("selfie", scene.face)}
        )
        return flow
