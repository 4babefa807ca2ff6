"""Atlas in `idv demo` and `idv emulate`: four documents by URL, results by callback."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Applicant, Document, Flow, FlowOrder, Gateway, Secret
from idv_core.clock import Clock
from idv_core.protocols import Polling
from idv_core.testing.emulation import Scene
from idv_core.testing.specimens import PEOPLE, make_specimen

from .emulator import AtlasEmulator, Variants

_PERSON, _OTHER = PEOPLE["meera"], PEOPLE["rohan"]


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

    def order(self, application_id: str) -> FlowOrder:
        person = Applicant(reference="CUST-1", name=_PERSON.name, country="IN")
        return FlowOrder(product="msme-loan", application_id=application_id, applicant=person)

    def play(self, idv: Gateway, flow: Flow, scene: Scene) -> Flow:
        other = _OTHER if scene.two_people else _PERSON
        papers = {"pan": _PERSON, "aadhaar": other, "invoice": _PERSON, "delivery-order": other}
        files = {kind: scene.put_file(make_specimen(kind, whose)) for kind, whose in papers.items()}
        scene.say(f"handing in {len(files)} documents by URL")
        return idv.upload(flow, [Document(kind, url=url) for kind, url in files.items()])
