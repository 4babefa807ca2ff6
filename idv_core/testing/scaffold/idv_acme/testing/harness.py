"""The harness for the conformance suite: what the suite cannot know of Acme."""

from __future__ import annotations

from idv_core import Applicant, FlowOrder, Secret
from idv_core.testing import (
    PEOPLE,
    EmulatedResponse,
    FakeClock,
    Form,
    Harness,
    Network,
    Person,
    UnknownWord,
    answers,
    completes_hosted_page,
    documented,
    make_specimen,
)

from .. import idv_plugin
from .emulator import AcmeEmulator

HOST = "api.acme.example"
MEERA, ROHAN = PEOPLE["meera"], PEOPLE["rohan"]


def refused(status: int) -> EmulatedResponse:
    return EmulatedResponse(status, {"code": f"E{status}", "message": f"{MEERA.name} is wrong"})


def pictures(face: Person) -> tuple[Form, ...]:
    """What the applicant uploads on the vendor's page: Meera's passport, and somebody's face."""
    return {"document": make_specimen("passport", MEERA)}, {"face": make_specimen("selfie", face)}


def harness(clock: FakeClock) -> Harness:
    """The plugin and its emulator on an in-process network."""
    network = Network()
    emulator = network.host(HOST, AcmeEmulator(clock, client=network.client), clock)
    person = Applicant(reference="CUST-9283", name=MEERA.name, email="meera@example.org", country="IN")
    return Harness(
        plugin=idv_plugin(),
        settings={"api_key": Secret(emulator.api_key), "base_url": f"https://{HOST}"},
        emulator=emulator,
        clock=clock,
        transport=network,
        order=FlowOrder(product="wallet", application_id="APP-1", applicant=person),
        finish=completes_hosted_page(network, *pictures(MEERA)),
        finish_badly=completes_hosted_page(network, *pictures(ROHAN)),
        errors=documented("open", "POST /verifications", refused),
        unknown_words=(UnknownWord("GET /verifications/", answers({"id": "v-1", "status": "excellent"})),),
        personal=(MEERA.name, "meera@example.org"),
        opened=lambda order: sum(made.application == order.application_id for made in emulator.verifications.values()),
    )
