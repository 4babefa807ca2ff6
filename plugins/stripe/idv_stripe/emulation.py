"""Stripe Identity in `idv demo` and `idv emulate`: the applicant goes through the hosted page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from idv_core import Applicant, Flow, FlowOrder, Gateway, Secret
from idv_core.clock import Clock
from idv_core.protocols import Polling
from idv_core.testing.emulation import Scene
from idv_core.testing.specimens import PEOPLE, make_specimen

from .emulator import StripeEmulator, Variants

_PERSON, _OTHER = PEOPLE["meera"], PEOPLE["rohan"]


class StripeEmulation:
    """Test mode, with webhooks unsent: the demo waits by polling."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.polling = Polling(first=pace, ceiling=4 * pace)
        self.emulator = StripeEmulator(clock, variants=Variants(processing=3 * pace))

    def settings(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "api_key": Secret(self.emulator.api_key)}

    def order(self, application_id: str) -> FlowOrder:
        person = Applicant(reference="CUST-4", name=_PERSON.name, country="IN")
        return FlowOrder(product="wallet", application_id=application_id, applicant=person)

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        face = _OTHER if scene.two_people else _PERSON
        if flow.link is not None:
            url = flow.link.url.reveal()
            with httpx.Client(timeout=10) as browser:
                scene.say("the applicant shows document and face on the hosted page")
                browser.post(url, files={"document": make_specimen("passport", _PERSON)})
                browser.post(url, files={"selfie": make_specimen("selfie", face)})
        return flow
