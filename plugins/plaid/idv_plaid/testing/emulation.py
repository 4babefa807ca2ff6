"""Plaid Identity Verification in `idv demo` and `idv emulate`: the applicant goes through the page behind the link."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Flow, Gateway, Secret
from idv_core.plugin import Polling
from idv_core.testing import Clock, Scene, make_specimen

from .emulator import PlaidEmulator, Variants


class PlaidEmulation:
    """Webhooks unsent: the demo waits by polling."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.polling = Polling(first=pace, ceiling=4 * pace)
        self.emulator = PlaidEmulator(clock, variants=Variants(processing=3 * pace))

    def settings(self, base_url: str) -> dict[str, Any]:
        emulator = self.emulator
        credentials = {"client_id": emulator.client_id, "secret": Secret(emulator.secret)}
        return {"base_url": base_url, "template_id": emulator.template_id, **credentials}

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        person = scene.person
        known = {"given_name": person.given_name, "family_name": person.family_name}
        scene.say("the applicant agrees, and shows document and face on the hosted page")
        scene.walk(
            flow,
            {"consent": "yes"},
            {**known, "date_of_birth": person.birthdate.isoformat()},
            {"document": make_specimen("passport", person)},
            {"selfie": make_specimen("selfie", scene.face)},
        )
        return flow
