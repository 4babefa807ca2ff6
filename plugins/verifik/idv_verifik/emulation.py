"""Verifik in `idv demo` and `idv emulate`: document and selfie step by step, through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Applicant, Document, Flow, FlowOrder, Gateway, Secret
from idv_core.clock import Clock
from idv_core.protocols import Polling
from idv_core.testing.emulation import Scene
from idv_core.testing.specimens import PEOPLE, make_specimen

from .emulator import VerifikEmulator

_PERSON, _OTHER = PEOPLE["ana"], PEOPLE["luis"]


class VerifikEmulation:
    """Smart Enroll with names, screening and liveness."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.polling = Polling(first=pace, ceiling=4 * pace)
        self.emulator = VerifikEmulator(clock)

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": base_url,
            "hosted_url": base_url,
            "token": Secret(self.emulator.token),
            "project": self.emulator.project,
            "project_flow": self.emulator.add_project_flow(),
        }

    def order(self, application_id: str) -> FlowOrder:
        person = Applicant(
            reference="CUST-2",
            given_name=_PERSON.given_name,
            family_name=_PERSON.family_name,
            email="ana@example.org",
            country="CO",
            locale="es",
        )
        return FlowOrder(product="wallet", application_id=application_id, applicant=person)

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        face = _OTHER if scene.two_people else _PERSON
        scene.say("handing in the document")
        flow = idv.upload(flow, [Document("cedula", content=make_specimen("cedula", _PERSON), country="CO")])
        scene.say("handing in the selfie")
        flow = idv.upload(flow, [Document.selfie(content=make_specimen("selfie", face))])
        return idv.submit(flow)
