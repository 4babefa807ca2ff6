"""Verigram in `idv demo` and `idv emulate`: the applicant goes through the hosted page; every call of ours is signed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from idv_core import Flow, Gateway, Secret
from idv_core.clock import Clock
from idv_core.protocols import Polling
from idv_core.testing.emulation import Scene
from idv_core.testing.specimens import make_specimen

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
        if flow.link is not None:
            url = flow.link.url.reveal()
            with httpx.Client(timeout=10) as browser:
                browser.get(url)
                scene.say("the applicant agrees on the hosted page")
                browser.post(url, data={"consent": "yes"})
                scene.say("the applicant shows document and face")
                browser.post(url, files={"document": make_specimen("kz-id", scene.person)})
                browser.post(url, files={"selfie": make_specimen("selfie", scene.face)})
        return flow
