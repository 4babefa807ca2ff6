"""Persona's own OpenAPI judges plugin and emulator in one life of an inquiry; `tests/test_openapi.py` goes further."""

from __future__ import annotations

import attrs
import httpx

from idv_core import Decision
from idv_core.testing import Driver, FakeClock, Network, submit_forms

from .emulator import PersonaEmulator
from .openapi import Judged, judge


def judged_by_openapi() -> str:
    """Good and bad papers from opening to decision, each call and each webhook judged. Which document it was."""
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
    harness = make_harness(clock, network, emulator, make_settings(emulator))
    idv = Driver(attrs.evolve(harness, transport=judged), "sync")
    for face, decision in ((MEERA, Decision.APPROVED), (ROHAN, Decision.DECLINED)):
        flow = idv.open(order(application_id=f"APP-{face.number}"))
        assert flow.link is not None, "a new inquiry has a link"
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(face))
        assert idv.wait(flow).decision is decision, f"the papers of {face.given_name} are {decision}"
    idv.close()
    clock.advance(5)
    faults = [*judged.faults, *(fault for event in events for fault in by.webhook(event))]
    assert not faults, faults[0]
    assert judged.operations, "nothing was judged"
    assert events, "no webhook came"
    return f"{by.title}: {len(judged.operations)} operations and {len(events)} webhooks of two inquiries"
