"""Verifik in `idv demo` and `idv emulate`: document and selfie step by step, through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Document, Flow, Gateway, Secret
from idv_core.plugin import Polling
from idv_core.testing import Clock, Scene, make_specimen

from .emulator import VerifikEmulator


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

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        scene.say("handing in the document")
        flow = idv.upload(flow, [Document("cedula", content=make_specimen("cedula", scene.person), country="CO")])
        scene.say("handing in the selfie")
        flow = idv.upload(flow, [Document.selfie(content=make_specimen("selfie", scene.face))])
        return idv.submit(flow)
