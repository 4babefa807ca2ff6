"""The harness for the conformance suite: the plugin, the emulator, and an applicant who walks through the hosted page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

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
    answers,
    completes_hosted_page,
    make_applicant,
    make_specimen,
)

from .. import idv_plugin
from ..webhooks import signature_header
from .emulator import StripeEmulator
from .sdk_check import checked_by_sdk

HOST = "stripe.example"
MEERA, ROHAN = PEOPLE["meera"], PEOPLE["rohan"]


def order(**changes: Any) -> FlowOrder:
    person = make_applicant(MEERA, "IN")
    return FlowOrder(**{"product": "wallet", "application_id": "APP-1", "applicant": person, **changes})


def pictures(face: Person) -> tuple[Form, ...]:
    """Meera's passport and somebody's selfie, as the hosted page asks for them."""
    return {"document": make_specimen("passport", MEERA)}, {"selfie": make_specimen("selfie", face)}


def make_emulator(clock: FakeClock, network: Network) -> StripeEmulator:
    return network.host(HOST, StripeEmulator(clock, client=network.client), clock)


def make_settings(emulator: StripeEmulator) -> dict[str, object]:
    return {
        "base_url": f"https://{HOST}",
        "api_key": Secret(emulator.api_key),
        "webhook_secret": emulator.webhook_secret,
        "read_sensitive": True,
    }


def refused(status: int, **error: str) -> EmulatedResponse:
    return EmulatedResponse(status, {"error": {"message": "Meera Iyer is wrong", **error}})


def saying(session: Mapping[str, object]) -> Callable[[Flow], EmulatedResponse]:
    """The session itself, with these words in it."""
    return lambda flow: EmulatedResponse(200, {"id": flow.id, **session})


def make_harness(clock: FakeClock, network: Network, emulator: StripeEmulator, settings: dict[str, object]) -> Harness:
    def event(path: str) -> WebhookRequest:
        body = json.dumps(
            {
                "type": "identity.verification_session.verified",
                "data": {"object": {"id": "vs_1", "object": "identity.verification_session"}},
            }
        ).encode()
        stamp = str(int(clock.now().timestamp()))
        return WebhookRequest(
            method="POST",
            path=f"{path}/events",
            headers=signature_header(emulator.webhook_secret, stamp, body),
            body=body,
        )

    errors = (
        (400, {"type": "invalid_request_error", "code": "parameter_missing"}, InvalidOrder),
        (400, {"type": "idempotency_error"}, DuplicateFlow),
        (401, {"type": "invalid_request_error"}, AuthenticationFailed),
        (402, {"type": "invalid_request_error"}, PermissionDenied),
        (403, {"type": "invalid_request_error"}, PermissionDenied),
        (409, {"type": "invalid_request_error", "code": "idempotency_key_in_use"}, RateLimited),
        (429, {"type": "api_error", "code": "rate_limit"}, RateLimited),
        (500, {"type": "api_error"}, OutcomeUnknown),
    )
    sessions = "/v1/identity/verification_sessions"
    base = {"object": "identity.verification_session", "livemode": False}
    words = (
        {"status": "approved"},
        {"status": "verified", "last_verification_report": None},
        {"status": "verified", "last_verification_report": {"document": {"status": "fine"}}},
        {"status": "verified", "last_verification_report": {"document": {"status": "verified"}, "selfie": {}}},
        {
            "status": "verified",
            "last_verification_report": {"document": {"status": "verified"}, "selfie": "unverified"},
        },
        {"status": "verified", "last_verification_report": {"document": {"status": "verified", "error": ["odd"]}}},
        {"status": "requires_input", "last_error": {"code": "something_new"}},
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
                DocumentedError("open", f"POST {sessions}", refused(status, **error), kind)
                for status, error, kind in errors
            ),
            DocumentedError("result", f"GET {sessions}/", refused(404, code="resource_missing"), FlowNotFound),
            DocumentedError("status", f"GET {sessions}/", refused(500, type="api_error"), VendorUnavailable),
        ),
        unknown_words=(
            UnknownWord(f"GET {sessions}/", answers({"id": "vs_another", "status": "verified", **base})),
            *(UnknownWord(f"GET {sessions}/", saying({**base, **word})) for word in words),
        ),
        personal=(MEERA.name, "meera@example.org", NUMBER, STREET),
        opened=lambda order: sum(
            session.metadata.get("application_id") == order.application_id for session in emulator.sessions.values()
        ),
        webhook=event,
        sdk_check=checked_by_sdk,
    )


def harness(clock: FakeClock) -> Harness:
    """All of it on an in-process network."""
    network = Network()
    emulator = make_emulator(clock, network)
    return make_harness(clock, network, emulator, make_settings(emulator))
