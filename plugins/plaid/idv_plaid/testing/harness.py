"""The harness for the conformance suite: the plugin, the emulator, and an applicant who walks through the hosted page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from idv_core import Applicant, Flow, FlowOrder, OutcomeUnknown, Secret
from idv_core.plugin import (
    Address,
    AuthenticationFailed,
    FlowNotFound,
    IdentificationNumber,
    InvalidOrder,
    PermissionDenied,
    RateLimited,
    VendorUnavailable,
)
from idv_core.testing import (
    PEOPLE,
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
    make_specimen,
)

from .. import idv_plugin
from ..user_ids import user_id
from .emulator import PlaidEmulator
from .sdk_check import checked_by_sdk

HOST = "plaid.example"
MEERA, ROHAN = PEOPLE["meera"], PEOPLE["rohan"]
NUMBER = "ZZZPI0000M"


def applicant(**changes: Any) -> Applicant:
    known = {
        "reference": "CUST-9283",
        "given_name": MEERA.given_name,
        "family_name": MEERA.family_name,
        "birthdate": MEERA.birthdate,
        "email": "meera@example.org",
        "country": "IN",
        "address": Address(
            street_address="14 Hill Road", locality="Kochi", region="KL", postal_code="682001", country="IN"
        ),
        "identification_numbers": (IdentificationNumber("tax_card", NUMBER, country="IN"),),
    }
    return Applicant(**{**known, **changes})


def order(**changes: Any) -> FlowOrder:
    return FlowOrder(**{"product": "wallet", "application_id": "APP-1", "applicant": applicant(), **changes})


def forms(face: Person) -> tuple[Form, ...]:
    """Consent, Meera's passport and somebody's face, as the hosted page asks for them."""
    document, selfie = make_specimen("passport", MEERA), make_specimen("selfie", face)
    return {"consent": "yes"}, {"document": document}, {"selfie": selfie}


def make_emulator(clock: FakeClock, network: Network) -> PlaidEmulator:
    return network.host(HOST, PlaidEmulator(clock, client=network.client), clock)


def make_settings(emulator: PlaidEmulator, base_url: str = f"https://{HOST}") -> dict[str, object]:
    return {
        "base_url": base_url,
        "client_id": emulator.client_id,
        "secret": Secret(emulator.secret),
        "template_id": emulator.template_id,
    }


def refused(status: int, type_: str, code: str) -> EmulatedResponse:
    said = {"error_type": type_, "error_code": code, "error_message": "Meera Iyer is wrong", "display_message": None}
    return EmulatedResponse(status, said)


def saying(verification: Mapping[str, object]) -> Callable[[Flow], EmulatedResponse]:
    """The verification itself, with these words in it."""
    return lambda flow: EmulatedResponse(200, {"id": flow.id, **verification})


_STEPS = {
    "accept_tos": "success",
    "verify_sms": "not_applicable",
    "kyc_check": "not_applicable",
    "documentary_verification": "not_applicable",
    "selfie_check": "not_applicable",
    "watchlist_screening": "success",
    "risk_check": "success",
}
_KYC = {part: {"summary": "match"} for part in ("name", "date_of_birth", "address", "phone_number", "id_number")}
_ANALYSIS = {"authenticity": "match", "image_quality": "high", "extracted_data": None}


def unknown_words(id: str) -> tuple[Mapping[str, object], ...]:
    """Answers in Plaid's form that say `success` and have something in them that no page has, or lack something."""
    steps = {**_STEPS, "kyc_check": "success"}
    document = {"status": "success", "attempt": 1, "analysis": _ANALYSIS, "extracted_data": None}
    documentary = {**_STEPS, "documentary_verification": "success"}
    base = {"client_user_id": id, "status": "success"}
    return (
        {**base, "status": "approved", "steps": steps, "kyc_check": {"status": "success", **_KYC}},
        base,
        {**base, "steps": _STEPS},
        {**base, "steps": {**steps, "kyc_check": "passed"}, "kyc_check": {"status": "success", **_KYC}},
        {**base, "steps": {**steps, "palm_check": "success"}, "kyc_check": {"status": "success", **_KYC}},
        {**base, "steps": steps, "kyc_check": None},
        {**base, "steps": steps, "kyc_check": {"status": "failed", **_KYC}},
        {**base, "steps": steps, "kyc_check": {"status": "success", **_KYC, "name": {"summary": "exact"}}},
        {**base, "steps": steps, "kyc_check": {"status": "success", **_KYC, "name": {"summary": "partial_match"}}},
        {**base, "steps": steps, "kyc_check": {"status": "success", **_KYC}, "redacted_at": "2026-03-02T10:15:00Z"},
        {**base, "steps": steps, "kyc_check": {"status": "success", **_KYC}, "errors": ["odd"]},
        {**base, "steps": documentary, "documentary_verification": {"status": "success", "documents": []}},
        {
            **base,
            "steps": documentary,
            "documentary_verification": {"status": "success", "documents": [{**document, "analysis": {}}]},
        },
        {
            **base,
            "steps": {**steps, "watchlist_screening": "pending_review"},
            "kyc_check": {"status": "success", **_KYC},
        },
    )


def make_harness(clock: FakeClock, network: Network, emulator: PlaidEmulator, settings: dict[str, object]) -> Harness:
    errors = (
        (400, "INVALID_INPUT", "INVALID_FIELD", InvalidOrder),
        (400, "INVALID_REQUEST", "MISSING_FIELDS", InvalidOrder),
        (400, "INVALID_INPUT", "INVALID_API_KEYS", AuthenticationFailed),
        (400, "INVALID_INPUT", "INVALID_PRODUCT", PermissionDenied),
        (400, "INVALID_INPUT", "UNAUTHORIZED_ENVIRONMENT", PermissionDenied),
        (429, "RATE_LIMIT_EXCEEDED", "RATE_LIMIT", RateLimited),
        (500, "API_ERROR", "INTERNAL_SERVER_ERROR", OutcomeUnknown),
    )
    get = "POST /identity_verification/get"

    def event(path: str) -> WebhookRequest:
        body = emulator.event("STATUS_UPDATED", "idv_1")
        headers = {"Plaid-Verification": emulator.keys[-1].token(body, clock.now())}
        return WebhookRequest(method="POST", path=f"{path}/events", headers=headers, body=body)

    return Harness(
        plugin=idv_plugin(),
        settings=settings,
        emulator=emulator,
        clock=clock,
        transport=network,
        order=order(),
        finish=completes_hosted_page(network, *forms(MEERA)),
        finish_badly=completes_hosted_page(network, *forms(ROHAN)),
        errors=(
            *(
                DocumentedError("open", "POST /identity_verification/create", refused(status, type_, code), error)
                for status, type_, code, error in errors
            ),
            DocumentedError("result", get, refused(404, "INVALID_REQUEST", "NOT_FOUND"), FlowNotFound),
            DocumentedError("status", get, refused(500, "API_ERROR", "INTERNAL_SERVER_ERROR"), VendorUnavailable),
        ),
        unknown_words=(
            UnknownWord(get, answers({"id": "idv_another", "status": "success", "client_user_id": "CUST-1"})),
            *(UnknownWord(get, _of_the_flow(index, emulator)) for index in range(len(unknown_words("")))),
        ),
        personal=(MEERA.name, MEERA.birthdate.isoformat(), "meera@example.org", "14 Hill Road", NUMBER),
        opened=lambda order: sum(one.client_user_id == user_id(order) for one in emulator.attempts.values()),
        webhook=event,
        sdk_check=checked_by_sdk,
    )


def _of_the_flow(index: int, emulator: PlaidEmulator) -> Callable[[Flow], EmulatedResponse]:
    """One of the unknown words, said of the flow's own applicant."""
    return lambda flow: saying(unknown_words(emulator.attempts[flow.id].client_user_id)[index])(flow)


def harness(clock: FakeClock) -> Harness:
    """All of it on an in-process network."""
    network = Network()
    emulator = make_emulator(clock, network)
    return make_harness(clock, network, emulator, make_settings(emulator))
