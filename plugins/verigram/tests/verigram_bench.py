"""The bench: Verigram's plugin, its emulator, and an applicant who walks through the hosted page."""

from __future__ import annotations

import httpx

from idv_core import Applicant, Flow, FlowOrder
from idv_core.testing import PEOPLE, Network, Person, Reply, make_specimen
from idv_core.testing.conformance import Driver

HOST = "verigram.example"
AIGERIM, DANIYAR = PEOPLE["aigerim"], PEOPLE["daniyar"]


def walk(network: Network, flow: Flow, document: bytes, selfie: bytes) -> httpx.Response:
    """What the applicant does on the hosted page; the last answer."""
    assert flow.link is not None
    url = flow.link.url.reveal()
    with network.client() as browser:
        assert browser.get(url).status_code == 200
        browser.post(url, data={"consent": "yes"})
        browser.post(url, files={"document": document})
        return browser.post(url, files={"selfie": selfie})


def walker(network: Network, person: Person, face: Person):
    def finish(idv: Driver, flow: Flow) -> Flow:
        walk(network, flow, make_specimen("kz-id", person), make_specimen("selfie", face))
        return flow

    return finish


def order(**changes: object) -> FlowOrder:
    person = Applicant(reference="CUST-9283", name=AIGERIM.name, email="aigerim@example.org", country="KZ", locale="en")
    return FlowOrder(**{"product": "wallet", "application_id": "APP-1", "applicant": person, **changes})


def refused(status: int, code: str) -> Reply:
    return Reply(status, {"error_code": code, "error_message": "person_id is wrong"})
