"""The harness for the conformance suite: an order, an applicant who does everything step by step, the host."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from idv_core import Applicant, Document, Flow, FlowOrder, OutcomeUnknown, Secret
from idv_core.plugin import (
    Address,
    AuthenticationFailed,
    DuplicateFlow,
    FlowNotFound,
    IdentificationNumber,
    InvalidOrder,
    PermissionDenied,
    Place,
    RateLimited,
)
from idv_core.testing import (
    PEOPLE,
    DocumentedError,
    EmulatedResponse,
    FakeClock,
    Harness,
    Network,
    Person,
    UnknownWord,
    WebhookRequest,
    by_content,
)

from .. import Documents, DocumentType, SignUpForm, SmartEnroll, idv_plugin
from .emulator import VerifikEmulator

HOST = "verifik.example"
ANA, LUIS = PEOPLE["ana"], PEOPLE["luis"]
NUMBER = "ZZ-4711-QQ"


def applicant(person: Person = ANA, **changes: Any) -> Applicant:
    email = f"{person.given_name.lower()}@example.org"
    return Applicant(
        **{
            "reference": "CUST-3",
            "given_name": person.given_name,
            "family_name": person.family_name,
            "email": email,
            "phone_number": f"+57{person.phone}",
            "country": "CO",
            "locale": "es",
            "birthdate": person.birthdate,
            "address": Address(street_address="14 Lantern Row", locality="Cali", postal_code="760001", country="CO"),
            "nationalities": ["CO"],
            "gender": "female",
            "place_of_birth": Place(locality="Cali", country="CO"),
            "identification_numbers": [IdentificationNumber("idcard", NUMBER, country="CO")],
            **changes,
        }
    )


def order(**changes: Any) -> FlowOrder:
    return FlowOrder(**{"product": "wallet", "application_id": "APP-7", "applicant": applicant(), **changes})


def pictures(person: Person = ANA, face: Person | None = None) -> tuple[Document, ...]:
    return by_content("cedula", person), by_content("selfie", face or person)


def said(status: int, code: str, message: str, **more: object) -> EmulatedResponse:
    return EmulatedResponse(status, {"code": code, "message": message, **more})


def saying(word: object) -> Callable[[Flow], EmulatedResponse]:
    """The registration itself, with this word for its status."""
    return lambda flow: EmulatedResponse(200, {"data": {"_id": flow.id, "status": word}})


def make_emulator(clock: FakeClock, network: Network) -> VerifikEmulator:
    return network.host(HOST, VerifikEmulator(clock, client=network.client), clock)


def make_settings(emulator: VerifikEmulator) -> dict[str, object]:
    return {
        "base_url": f"https://{HOST}",
        "hosted_url": f"https://{HOST}",
        "token": Secret(emulator.token),
        "project": emulator.project,
        "project_flow": emulator.add_project_flow(),
    }


def make_smart_enroll() -> SmartEnroll:
    documents = Documents(document_types=(DocumentType(country="CO"),), information_verification=True, screening=True)
    return SmartEnroll(documents=documents, sign_up_form=SignUpForm(email_gateway="none", country_code="CO"))


def make_harness(
    clock: FakeClock,
    network: Network,
    emulator: VerifikEmulator,
    settings: dict[str, object],
) -> Harness:
    register, read = "POST /v2/app-registrations", "GET /v2/app-registrations/"
    upload = "POST /v2/document-validations"
    return Harness(
        plugin=idv_plugin(),
        settings=settings,
        emulator=emulator,
        clock=clock,
        transport=network,
        order=order(),
        documents=pictures(),
        bad_documents=pictures(ANA, LUIS),
        template=make_smart_enroll().template("wallet onboarding CO"),
        errors=(
            DocumentedError(
                "open", register, said(401, "Unauthorized", "Invalid or expired token."), AuthenticationFailed
            ),
            DocumentedError("open", register, said(409, "Conflict", "email_is_registered_already"), DuplicateFlow),
            DocumentedError("open", register, said(412, "Conflict", "phone_is_registered_already"), DuplicateFlow),
            DocumentedError("open", register, said(409, "MissingParameter", "missing countryCode"), InvalidOrder),
            DocumentedError("open", register, said(422, "MissingParameter", "missing project"), InvalidOrder),
            DocumentedError(
                "open", register, said(409, "PreconditionFailed", "email domain not allowed"), InvalidOrder
            ),
            DocumentedError("open", register, said(402, "PaymentRequired", "insufficient_credits"), PermissionDenied),
            DocumentedError(
                "open", register, said(409, "Project_not_active", "409:Project_not_active"), PermissionDenied
            ),
            DocumentedError("open", register, said(429, "TooManyRequests", "too_many_requests"), RateLimited),
            DocumentedError("open", register, said(500, "InternalServerError", "internal_error"), OutcomeUnknown),
            DocumentedError("result", read, said(404, "NotFound", "AppRegistration_not_found"), FlowNotFound),
            DocumentedError("result", read, said(403, "Forbidden", "Access forbidden"), PermissionDenied),
            DocumentedError(
                "status", read, said(401, "Unauthorized", "Invalid or expired token."), AuthenticationFailed
            ),
            DocumentedError("status", read, said(403, "FORBIDDEN", "token_expired"), AuthenticationFailed),
            DocumentedError("upload", upload, said(422, "MissingParameter", "missing image"), InvalidOrder),
            DocumentedError("upload", upload, said(409, "already_exists", "409:already_exists"), InvalidOrder),
            DocumentedError("renew_link", register, said(403, "access_denied", "403:access_denied"), PermissionDenied),
        ),
        unknown_words=tuple(
            UnknownWord(read, saying(word))
            for word in ("COMPLETED", "COMPLETED_WITHOUT_KYC", "APPROVED", "completed!", "", 7, None)
        ),
        personal=(ANA.name, "ana@example.org", ANA.phone, "0000000003", NUMBER, "14 Lantern Row"),
        opened=lambda order: sum(one["email"] == order.applicant.email for one in emulator.registrations.values()),
        webhook=lambda path: WebhookRequest(
            method="POST",
            path=f"{path}/events",
            body=b'{"type": "onboarding_app_registration_completed", "object": {"_id": "r1", "status": "COMPLETED"}}',
        ),
        expire_tokens=lambda: clock.advance(timedelta(days=27, hours=1).total_seconds()),
    )


def harness(clock: FakeClock) -> Harness:
    """All of it on an in-process network."""
    network = Network()
    emulator = make_emulator(clock, network)
    return make_harness(clock, network, emulator, make_settings(emulator))
