"""What the tests of Atlas share: an order, documents by URL, the host."""

from __future__ import annotations

from idv_core import Applicant, Document, Flow, FlowOrder
from idv_core.testing import PEOPLE, Network, Person, Reply
from idv_core.testing.conformance import Driver

HOST = "atlas.example"
PLATFORM = "platform.example"
MEERA, ROHAN = PEOPLE["meera"], PEOPLE["rohan"]
KINDS = ("pan", "aadhaar", "invoice", "delivery-order")


def order(**changes: object) -> FlowOrder:
    person = Applicant(reference="CUST-9283", name=MEERA.name, email="meera@example.org", country="IN")
    return FlowOrder(**{"product": "msme-loan", "application_id": "APP-10001", "applicant": person, **changes})


def documents(network: Network, person: Person, other: Person | None = None) -> tuple[Document, ...]:
    """PAN and invoice of one person, Aadhaar and delivery order of the other."""
    people = (person, other or person, person, other or person)
    return tuple(network.by_url(kind, whose) for kind, whose in zip(KINDS, people, strict=True))


def uploader(network: Network, person: Person, other: Person | None = None):
    def finish(idv: Driver, flow: Flow) -> Flow:
        return idv.upload(flow, documents(network, person, other))

    return finish


def refused(status: int, text: str = "Invalid token") -> Reply:
    return Reply(status, {"error": text})
