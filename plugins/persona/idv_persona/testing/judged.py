"""Persona's own OpenAPI judges plugin and emulator in the life of some inquiries; `tests/test_openapi.py` goes further."""

from __future__ import annotations

from io import BytesIO

import attrs
import httpx

from idv_core import Decision, Flow
from idv_core.plugin import Review
from idv_core.testing import Driver, FakeClock, Network, Person, submit_forms

from .emulator import PersonaEmulator
from .openapi import Judged, judge


def judged_by_openapi() -> str:
    """Good and bad papers from opening to erasure, each call and each webhook judged. Which document it was."""
    from .harness import HOST, MEERA, ROHAN, make_harness, make_settings, order, pictures

    clock, network, by = FakeClock(), Network(), judge()
    events: list[bytes] = []

    def platform(request: httpx.Request) -> httpx.Response:
        events.append(request.content)
        return httpx.Response(200)

    made = PersonaEmulator(clock, client=lambda: httpx.Client(transport=httpx.MockTransport(platform)))
    emulator = network.host(HOST, made, clock)
    emulator.webhook = "https://platform.example/idv"
    judged = Judged(network, by)
    settings = {**make_settings(emulator), "sdk_session": True, "simulated_verifications": ["vtmpl_1"]}
    harness = make_harness(clock, network, emulator, settings)
    idv = Driver(attrs.evolve(harness, transport=judged), "sync")

    def decided(flow: Flow, face: Person, decision: Decision) -> None:
        assert flow.link is not None, "an inquiry that waits for the applicant has a link"
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(face))
        assert idv.wait(flow).decision is decision, f"the papers of {face.given_name} are {decision}"

    asked = order(application_id="APP-1")
    flow = idv.open(asked)
    idv.cancel(flow)
    decided(idv.renew_link(flow), ROHAN, Decision.DECLINED)
    again = idv.retry(flow, asked)
    decided(again, MEERA, Decision.APPROVED)
    for media in idv.media(again):
        idv.download(again, media, BytesIO())
    idv.review(again, Review(outcome="decline", author="jane@platform.example", reason="seen again"))
    assert idv.result(again).decision is Decision.DECLINED, "an approval that was withdrawn does not stand"
    for _ in range(2):
        erasure = idv.erase(again)
        clock.advance(60)
    assert erasure.status == "done", "what is redacted is redacted after a while"
    assert idv.simulate(idv.open(order(application_id="APP-2")), "approved").status.is_settled, "the sandbox obeys"
    idv.close()
    faults = [*judged.faults, *(fault for event in events for fault in by.webhook(event))]
    assert not faults, faults[0]
    assert len(judged.operations) > 8, "not all was judged"
    assert len(events) > 8, "not all webhooks came"
    return f"{by.title}: {len(judged.operations)} operations, {len(events)} webhooks, from opening to erasure"
