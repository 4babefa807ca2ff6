"""Verigram in `idv demo` and `idv emulate`: the applicant goes through the hosted page; every call of ours is signed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Flow, Gateway, Secret
from idv_core.plugin import Polling
from idv_core.testing import Clock, Scene, make_specimen

from .emulator import Variants, VerigramEmulator


class VerigramEmulation:
    """Signed production mode."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.polling = Polling(first=pace, ceiling=4 * pace)
        self.emulator = VerigramEmulator(clock, variants=Variants(processing=3 * pace))

    def settings(self, base_url: str) -> dict[str, Any]:
        key, secret = next(iter(self.emulator.keys.items()))
        return {"base_url": base_url, "api_key": Secret(key), "secret": Secret(secret)}

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        scene.say("the applicant agrees on the hosted page, and shows document and face")
        scene.walk(
            flow,
            {"consent": "yes"},
            {"document": make_specimen("kz-id", scene.person)},
            {"selfie": make_specimen("selfie", scene.face)},
        )
        return flow
