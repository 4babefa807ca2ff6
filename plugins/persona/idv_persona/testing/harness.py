"""The harness for the conformance suite: the plugin, the emulator, and an applicant who walks through the hosted flow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from idv_core import Flow, FlowOrder, OutcomeUnknown, Secret
from idv_core.plugin import (
    AuthenticationFailed,
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    PermissionDenied,
    RateLimited,
    VendorUnavailable,
)
from idv_core.testing import (
    NUMBER,
    PEOPLE,
    STREET,
    DocumentedError,
    EmulatedResponse,
    FakeClock,
    Form,
    Harness,
    Network,
    Person,
    UnknownWord,
    WebhookRequest,
    completes_hosted_page,
    make_applicant,
    make_specimen,
)

from .. import idv_plugin
from ..orders import told_of_order
from .emulator import PersonaEmulator
from .judged import judged_by_openapi

HOST = "persona.example"
MEERA, ROHAN = PEOPLE["meera"], PEOPLE["rohan"]
TEMPLATE = "itmpl_Ygs16MKTkA6obnF8C3Rb17dm"
INQUIRIES = "/api/v1/inquiries"


def order(**changes: Any) -> FlowOrder:
    person = make_applicant(MEERA, "IN")
    return FlowOrder(**{"product": "wallet", "application_id": "APP-1", "applicant": person, **changes})


def pictures(face: Person) -> tuple[Form, ...]:
    """Meera's passport and somebody's selfie, as the hosted flow asks for them."""
    return {"document": make_specimen("passport", MEERA)}, {"selfie": make_specimen("selfie", face)}


def make_emulator(clock: FakeClock, network: Network) -> PersonaEmulator:
    return network.host(HOST, PersonaEmulator(clock, client=network.client), clock)


def make_settings(emulator: PersonaEmulator) -> dict[str, object]:
    return {
        "base_url": f"https://{HOST}/api/v1",
        "api_key": Secret(emulator.api_key),
        "template_id": TEMPLATE,
        "webhook_secrets": emulator.webhook_secrets,
    }


def refused(status: int, title: str) -> EmulatedResponse:
    return EmulatedResponse(status, {"errors": [{"title": title, "details": "Meera Iyer is wrong"}]})


def opened_for(emulator: PersonaEmulator, order: FlowOrder) -> int:
    """How many inquiries there are for the order's application."""
    told = [told_of_order(inquiry.resource()) for inquiry in emulator.inquiries.values()]
    return sum(one["application_id"] == order.application_id for one in told)


def make_harness(clock: FakeClock, network: Network, emulator: PersonaEmulator, settings: dict[str, object]) -> Harness:
    def event(path: str) -> WebhookRequest:
        about = {"type": "inquiry", "id": "inq_1", "attributes": {"status": "approved"}}
        attributes = {"name": "inquiry.approved", "payload": {"data": about, "included": []}}
        body = json.dumps({"data": {"type": "event", "id": "evt_1", "attributes": attributes}}).encode()
        return WebhookRequest(method="POST", path=f"{path}/events", headers=emulator.signed(body), body=body)

    def changed(
        *, status: str = "approved", part: Mapping[str, object] | None = None, **attributes: object
    ) -> Callable[[Flow], EmulatedResponse]:
        """The inquiry as it is, approved, with these attributes, and its verifications with those in `part`."""

        def said(flow: Flow) -> EmulatedResponse:
            inquiry = emulator.inquiries[flow.id]
            data = inquiry.resource()
            data["attributes"] |= {
                "status": status,
                **{key.replace("_", "-"): value for key, value in attributes.items()},
            }
            parts = [inquiry.verification(one) for one in inquiry.verifications]
            for one in parts:
                one["attributes"] |= part or {}
            return EmulatedResponse(200, {"data": data, "included": parts})

        return said

    def another(flow: Flow) -> EmulatedResponse:
        data = attrs.evolve(emulator.inquiries[flow.id], id="inq_another").resource()
        return EmulatedResponse(200, {"data": data, "included": []})

    def check(**said: object) -> dict[str, object]:
        one = {"name": "id_fabrication_detection", "status": "passed", "reasons": [], "requirement": "required"}
        return {"checks": [{**one, **said}]}

    errors = (
        (400, "Bad Request", InvalidOrder),
        (401, "Must be authenticated to access this endpoint", AuthenticationFailed),
        (403, "Forbidden", PermissionDenied),
        (409, "Idempotency key has been used with other parameters", DuplicateFlow),
        (422, "Unprocessable entity", InvalidOrder),
        (429, "Rate limit exceeded", RateLimited),
        (500, "Internal server error", OutcomeUnknown),
    )
    words = (
        changed(status="verified"),
        changed(status="Approved"),
        changed(status="completed", part={"status": "fine"}),
        changed(part={"status": "tentatively_passed"}),
        changed(part={"status": "confirmed"}),
        changed(part={"checks": None}),
        changed(part=check(status="odd")),
        changed(part=check(status="failed", requirement="sometimes")),
        changed(part=check(status="failed", requirement="not_required")),
        changed(part=check(status="failed", requirement="not_required", name="id_aura_detection")),
        changed(part={"failure-reason": "forged"}),
        changed(error={"code": "odd"}),
        changed(redacted_at="2026-03-01T00:00:00.000Z"),
    )
    return Harness(
        plugin=idv_plugin(),
        settings=settings,
        emulator=emulator,
        clock=clock,
        transport=network,
        order=order(),
        finish=completes_hosted_page(network, *pictures(MEERA)),
        finish_badly=completes_hosted_page(network, *pictures(ROHAN)),
        errors=(
            *(
                DocumentedError("open", f"POST {INQUIRIES}", refused(status, title), kind)
                for status, title, kind in errors
            ),
            DocumentedError("result", f"GET {INQUIRIES}/", refused(404, "Record not found"), FlowNotFound),
            DocumentedError("result", f"GET {INQUIRIES}/", refused(409, "Stale object error"), RateLimited),
            DocumentedError("status", f"GET {INQUIRIES}/", refused(500, "Internal server error"), VendorUnavailable),
        ),
        unknown_words=(
            UnknownWord(f"GET {INQUIRIES}/", another),
            *(UnknownWord(f"GET {INQUIRIES}/", word) for word in words),
        ),
        personal=(MEERA.name, "meera@example.org", NUMBER, STREET),
        opened=lambda order: opened_for(emulator, order),
        webhook=event,
        sdk_check=judged_by_openapi,
    )


def harness(clock: FakeClock) -> Harness:
    """All of it on an in-process network."""
    network = Network()
    emulator = make_emulator(clock, network)
    return make_harness(clock, network, emulator, make_settings(emulator))
