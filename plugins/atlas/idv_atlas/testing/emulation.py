"""Atlas in `idv demo` and `idv emulate`: four documents by URL, results by webhook."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Document, Flow, Gateway, Secret
from idv_core.plugin import Polling
from idv_core.testing import Clock, Scene, make_specimen

from .emulator import AtlasEmulator, Variants


class AtlasEmulation:
    """Family verification."""

    polling = Polling(first=timedelta(seconds=3), ceiling=timedelta(seconds=3))

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        self.emulator = AtlasEmulator(clock, variants=Variants(stage=pace))

    def settings(self, base_url: str) -> dict[str, Any]:
        client_id, client_secret = self.emulator.credentials
        return {
            "base_url": base_url,
            "client_id": Secret(client_id),
            "client_secret": Secret(client_secret),
            "product_type": "PFL_CDL",
        }

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        papers = {"pan": scene.person, "aadhaar": scene.face, "invoice": scene.person, "delivery-order": scene.face}
        files = {kind: scene.put_file(make_specimen(kind, whose)) for kind, whose in papers.items()}
        scene.say(f"handing in {len(files)} documents by URL")
        return idv.upload(flow, [Document(kind, url=url) for kind, url in files.items()])
