"""The harness: Verigram's plugin, its emulator, and an applicant who completes_hosted_page through the hosted page."""

from __future__ import annotations

from typing import Any

import httpx

from idv_core import Flow, FlowOrder, OutcomeUnknown, Secret
from idv_core.plugin import (
    AuthenticationFailed,
    InvalidOrder,
    PermissionDenied,
    RateLimited,
    VendorUnavailable,
)
from idv_core.testing import (
    NUMBER,
    PEOPLE,
    STREET,
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
    make_applicant,
    make_specimen,
    submit_forms,
)

from .. import idv_plugin
from .emulator import VerigramEmulator

HOST = "verigram.example"
AIGERIM, DANIYAR = PEOPLE["aigerim"], PEOPLE["daniyar"]


def forms(document: bytes, selfie: bytes) -> tuple[Form, ...]:
    """What the hosted page asks for, in its order."""
    return {"consent": "yes"}, {"document": document}, {"selfie": selfie}


def walk(network: Network, flow: Flow, document: bytes, selfie: bytes) -> httpx.Response:
    """What the applicant does on the hosted page; the last answer."""
    assert flow.link is not None
    with network.client() as browser:
        return submit_forms(browser, flow.link.url.reveal(), *forms(document, selfie))


def papers(face: Person) -> tuple[Form, ...]:
    return forms(make_specimen("kz-id", AIGERIM), make_specimen("selfie", face))


def order(**changes: Any) -> FlowOrder:
    person = make_applicant(AIGERIM, "KZ")
    return FlowOrder(**{"product": "wallet", "application_id": "APP-1", "applicant": person, **changes})


_CODES = {
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    422: "VALIDATION_ERROR",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_ERROR",
}


def refused(status: int) -> EmulatedResponse:
    return EmulatedResponse(status, {"error_code": _CODES[status], "error_message": "person_id is wrong"})


def make_emulator(clock: FakeClock, network: Network) -> VerigramEmulator:
    return network.host(HOST, VerigramEmulator(clock, client=network.client), clock)


def make_settings(emulator: VerigramEmulator) -> dict[str, object]:
    return {
        "base_url": f"https://{HOST}",
        "api_key": Secret("production-key-1"),
        "secret": Secret("s3cr3t-for-tests"),
    }


def make_harness(
    clock: FakeClock, network: Network, emulator: VerigramEmulator, settings: dict[str, object]
) -> Harness:
    opening = {
        401: AuthenticationFailed,
        403: PermissionDenied,
        422: InvalidOrder,
        429: RateLimited,
        500: OutcomeUnknown,
    }
    results: tuple[dict[str, object], ...] = (
        {"flow_status": "excellent"},
        {},
        {"flow_status": "pass", "end_cause": "interrupted"},
        {"flow_status": True},
    )
    return Harness(
        plugin=idv_plugin(),
        settings=settings,
        emulator=emulator,
        clock=clock,
        transport=network,
        order=order(),
        finish=completes_hosted_page(network, *papers(AIGERIM)),
        finish_badly=completes_hosted_page(network, *papers(DANIYAR)),
        errors=(
            *documented("open", "POST /flow", refused, opening),
            *documented("result", "GET /flow/", refused, {status: opening[status] for status in (401, 403, 429)}),
            *documented("status", "GET /flow/", refused, {500: VendorUnavailable}),
        ),
        unknown_words=tuple(UnknownWord("GET /flow/", answers(result)) for result in results),
        personal=(AIGERIM.name, "aigerim@example.org", NUMBER, STREET),
        no_recovery="Verigram has neither a key for repeats nor a search",
        opened=lambda order: sum(flow.person_id == order.applicant.reference for flow in emulator.flows.values()),
    )


def harness(clock: FakeClock) -> Harness:
    """All of it on an in-process network."""
    network = Network()
    emulator = make_emulator(clock, network)
    return make_harness(clock, network, emulator, make_settings(emulator))
