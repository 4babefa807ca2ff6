"""The bench for the conformance suite: what the suite cannot know of Acme."""

from __future__ import annotations

from idv_core import Applicant, Flow, FlowOrder, Secret
from idv_core.testing import PEOPLE, FakeClock, Network, Person, Reply, make_specimen
from idv_core.testing.bench import Bench, Driver, Finish, UnknownWord, answers, documented

from . import idv_plugin
from .emulator import AcmeEmulator

HOST = "api.acme.example"
MEERA, ROHAN = PEOPLE["meera"], PEOPLE["rohan"]


def refused(status: int) -> Reply:
    return Reply(status, {"code": f"E{status}", "message": f"{MEERA.name} is wrong"})


def bench(clock: FakeClock) -> Bench:
    """The plugin and its emulator on an in-process network."""
    network = Network()
    emulator = AcmeEmulator(clock, client=network.client)
    network.add(HOST, emulator.app)

    def walking(face: Person) -> Finish:
        """What the applicant does on the vendor's page."""

        def finish(idv: Driver, flow: Flow) -> Flow:
            assert flow.link is not None
            url = flow.link.url.reveal()
            with network.client() as browser:
                browser.post(url, files={"document": make_specimen("passport", MEERA)})
                browser.post(url, files={"face": make_specimen("selfie", face)})
            return flow

        return finish

    person = Applicant(reference="CUST-9283", name=MEERA.name, email="meera@example.org", country="IN")
    return Bench(
        plugin=idv_plugin(),
        settings={"api_key": Secret(emulator.api_key), "base_url": f"https://{HOST}"},
        emulator=emulator,
        clock=clock,
        transport=network,
        order=FlowOrder(product="wallet", application_id="APP-1", applicant=person),
        finish=walking(MEERA),
        finish_badly=walking(ROHAN),
        errors=documented("open", "POST /verifications", refused),
        unknown_words=(UnknownWord("GET /verifications/", answers({"id": "v-1", "status": "excellent"})),),
        personal=(MEERA.name, "meera@example.org"),
        opened=lambda order: sum(made.application == order.application_id for made in emulator.verifications.values()),
    )
