"""The harnesses for the conformance suite: a workflow run with its page, and documents and photos by API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from idv_core import Applicant, Document, Flow, FlowOrder, Secret
from idv_core.plugin import Address, FlowNotFound, IdentificationNumber, InvalidOrder, Place, VendorUnavailable
from idv_core.testing import (
    PEOPLE,
    USUAL,
    DocumentedError,
    EmulatedResponse,
    FakeClock,
    Form,
    Harness,
    Network,
    Person,
    UnknownWord,
    WebhookRequest,
    answers,
    completes_hosted_page,
    documented,
    make_specimen,
    uploads_documents,
)

from .. import idv_plugin
from ..account import sign
from .emulator import OnfidoEmulator
from .sdk_check import checked_by_sdk

HOST = "onfido.example"
ANA, LUIS = PEOPLE["ana"], PEOPLE["luis"]
NUMBER = "ZZ-4711-QQ"
WEBHOOK_TOKEN = Secret("emulated-webhook-token-4711")


def order(**changes: Any) -> FlowOrder:
    person = Applicant(
        reference="CUST-5120",
        given_name="Ana",
        family_name="Ruiz",
        email="ana@example.org",
        country="CO",
        birthdate=ANA.birthdate,
        address=Address(
            street_address="14 Lantern Row\nFlat 3", locality="Bogotá", region="DC", postal_code="110231", country="CO"
        ),
        nationalities=["CO"],
        gender="female",
        place_of_birth=Place(locality="Bogotá", country="CO"),
        identification_numbers=[IdentificationNumber("idcard", NUMBER, country="CO")],
    )
    return FlowOrder(**{"product": "wallet", "application_id": "APP-1", "applicant": person, **changes})


def papers(face: Person) -> tuple[Document, ...]:
    """Ana's passport, and a photo of somebody."""
    passport = Document("passport", content=make_specimen("passport", ANA), type="passport")
    return passport, Document.selfie(content=make_specimen("selfie", face))


def pictures(face: Person) -> tuple[Form, ...]:
    """Ana's passport and somebody's photo, as the hosted page asks for them."""
    return {"document": make_specimen("passport", ANA)}, {"photo": make_specimen("selfie", face)}


def make_emulator(clock: FakeClock, network: Network) -> OnfidoEmulator:
    return network.host(HOST, OnfidoEmulator(clock, client=network.client), clock)


def make_settings(emulator: OnfidoEmulator) -> dict[str, object]:
    return {
        "base_url": f"https://{HOST}/v3.6",
        "api_token": Secret(emulator.api_token),
        "workflow_id": "workflow-1",
        "webhook_token": emulator.webhook_token,
    }


_TYPES = {
    400: "bad_request",
    401: "authorization_error",
    403: "account_disabled",
    404: "resource_not_found",
    410: "gone",
    422: "validation_error",
    429: "rate_limit",
    500: "internal_server_error",
}


def refused(status: int) -> EmulatedResponse:
    return EmulatedResponse(status, {"error": {"type": _TYPES[status], "message": "Ana Ruiz is wrong"}})


def event(payload: Mapping[str, Any]) -> Callable[[str], WebhookRequest]:
    """A signed event as Onfido sends it."""
    body = json.dumps({"payload": payload}).encode()
    headers = {"X-SHA2-Signature": sign(WEBHOOK_TOKEN, body)}
    return lambda path: WebhookRequest(method="POST", path=f"{path}/events", headers=headers, body=body)


def errors_of(call: str, look: str) -> tuple[DocumentedError, ...]:
    """The error table, for the call that opens and the one that looks."""
    return (
        *documented("open", call, refused, {**USUAL, 422: InvalidOrder}),
        *documented("result", look, refused, {404: FlowNotFound, 410: FlowNotFound}),
        *documented("status", look, refused, {500: VendorUnavailable}),
    )


def workflows(clock: FakeClock, network: Network, emulator: OnfidoEmulator, settings: dict[str, object]) -> Harness:
    """Family `workflows`: the applicant completes_hosted_page through the hosted page."""

    runs = "/v3.6/workflow_runs"

    def saying(status: str) -> Callable[[Flow], EmulatedResponse]:
        more = {"applicant_id": "a", "workflow_id": "workflow-1"}
        return lambda flow: EmulatedResponse(200, {"id": flow.id, "status": status, **more})

    def a_task(flow: Flow) -> EmulatedResponse:
        """What a task says, in answer to whatever is asked about the run."""
        return EmulatedResponse(200, {**emulator.runs[flow.id].tasks[-2], "output": None})

    return Harness(
        plugin=idv_plugin(),
        settings=settings,
        emulator=emulator,
        clock=clock,
        transport=network,
        order=order(),
        finish=completes_hosted_page(network, *pictures(ANA)),
        finish_badly=completes_hosted_page(network, *pictures(LUIS)),
        errors=errors_of(f"POST {runs}", f"GET {runs}/"),
        unknown_words=(
            UnknownWord(f"GET {runs}/", saying("accepted")),
            UnknownWord(f"GET {runs}/", saying("awaiting_client_input")),
            UnknownWord(
                f"GET {runs}/",
                answers({"id": "another", "status": "approved", "applicant_id": "a", "workflow_id": "workflow-1"}),
            ),
            UnknownWord(f"GET {runs}/", a_task),
        ),
        personal=("Ana Ruiz", "Ruiz", "ana@example.org", NUMBER, "14 Lantern Row"),
        opened=lambda order: sum(
            f"application:{order.application_id}" in run.about["tags"] for run in emulator.runs.values()
        ),
        webhook=event({"resource_type": "workflow_run", "action": "workflow_run.completed", "object": {"id": "run-1"}}),
        sdk_check=checked_by_sdk,
    )


def checks(clock: FakeClock, network: Network, emulator: OnfidoEmulator, settings: dict[str, object]) -> Harness:
    """Family `checks`: the platform hands in documents and photos."""

    def reports(**report: Any) -> UnknownWord:
        def reply(flow: Flow) -> EmulatedResponse:
            check = [check for check in emulator.checks.values() if check.about["applicant_id"] == flow.id][-1]
            return EmulatedResponse(200, {"reports": [{**one, **report} for one in check.reports]})

        return UnknownWord("GET /v3.6/reports", reply)

    def check(**said: Any) -> UnknownWord:
        def reply(flow: Flow) -> EmulatedResponse:
            made = [check.about for check in emulator.checks.values() if check.about["applicant_id"] == flow.id]
            return EmulatedResponse(200, {"checks": [{**one, **said} for one in made]})

        return UnknownWord("GET /v3.6/checks", reply)

    return attrs.evolve(
        workflows(clock, network, emulator, settings),
        settings={**settings, "family": "checks"},
        documents=papers(ANA),
        bad_documents=papers(LUIS),
        finish=uploads_documents(papers(ANA)),
        finish_badly=uploads_documents(papers(LUIS)),
        errors=errors_of("POST /v3.6/applicants", "GET /v3.6/checks"),
        unknown_words=(
            reports(name="something_new"),
            reports(result="fine"),
            reports(sub_result="odd"),
            reports(status="in_progress"),
            reports(breakdown={}),
            reports(check_id="another"),
            check(status="finished"),
            check(result="excellent"),
            check(applicant_id="another"),
            check(report_ids=["one-more"]),
            UnknownWord("GET /v3.6/reports", answers({"reports": []})),
        ),
        opened=lambda order: sum(made["email"] == order.applicant.email for made in emulator.applicants.values()),
        webhook=event({"resource_type": "check", "action": "check.completed", "resource": {"applicant_id": "a-1"}}),
        no_recovery="an applicant carries nothing of ours by which it could be found",
    )


def harness(clock: FakeClock) -> Harness:
    """Family `workflows` on an in-process network."""
    network = Network()
    emulator = make_emulator(clock, network)
    return workflows(clock, network, emulator, make_settings(emulator))


def checks_harness(clock: FakeClock) -> Harness:
    """Family `checks` on an in-process network."""
    network = Network()
    emulator = make_emulator(clock, network)
    return checks(clock, network, emulator, make_settings(emulator))
