"""Onfido in `idv demo` and `idv emulate`: the applicant goes through the hosted page of a workflow run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from idv_core import Applicant, Flow, FlowOrder, Gateway, Secret
from idv_core.clock import Clock
from idv_core.protocols import Polling
from idv_core.testing.emulation import Scene
from idv_core.testing.specimens import PEOPLE, make_specimen

from .emulator import OnfidoEmulator, Variants

_PERSON, _OTHER = PEOPLE["ana"], PEOPLE["luis"]


class OnfidoEmulation:
    """Sandbox, with webhooks unsent: the demo waits by polling."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.polling = Polling(first=pace, ceiling=4 * pace)
        self.emulator = OnfidoEmulator(clock, variants=Variants(processing=3 * pace))

    def settings(self, base_url: str) -> dict[str, Any]:
        token = Secret(self.emulator.api_token)
        return {"base_url": f"{base_url}/v3.6", "api_token": token, "workflow_id": "workflow-demo"}

    def order(self, application_id: str) -> FlowOrder:
        person = Applicant(reference="CUST-5", name=_PERSON.name, country="CO")
        return FlowOrder(product="wallet", application_id=application_id, applicant=person)

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        face = _OTHER if scene.two_people else _PERSON
        if flow.link is not None:
            url = flow.link.url.reveal()
            with httpx.Client(timeout=10) as browser:
                scene.say("the applicant shows document and face on the hosted page")
                browser.post(url, files={"document": make_specimen("passport", _PERSON)})
                browser.post(url, files={"photo": make_specimen("selfie", face)})
        return flow
