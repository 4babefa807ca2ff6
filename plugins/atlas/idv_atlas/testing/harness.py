"""The harness for the conformance suite: an order, documents by URL, the host."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from idv_core import Document, FlowOrder, OutcomeUnknown, Secret
from idv_core.plugin import (
    AuthenticationFailed,
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    PermissionDenied,
    RateLimited,
    VendorUnavailable,
)
from idv_core.policy import Policy, Threshold
from idv_core.testing import (
    FILES_HOST,
    NUMBER,
    PEOPLE,
    STREET,
    DocumentedError,
    EmulatedResponse,
    FakeClock,
    Harness,
    Network,
    Person,
    UnknownWord,
    WebhookRequest,
    answers,
    make_applicant,
)

from .. import idv_plugin
from .emulator import AtlasEmulator

V3 = "/v3/verification"

HOST = "atlas.example"
PLATFORM = "platform.example"
MEERA, ROHAN = PEOPLE["meera"], PEOPLE["rohan"]
KINDS = ("pan", "aadhaar", "invoice", "delivery-order")


def order(**changes: Any) -> FlowOrder:
    person = make_applicant(MEERA, "IN")
    return FlowOrder(**{"product": "msme-loan", "application_id": "APP-10001", "applicant": person, **changes})


def documents(network: Network, person: Person, other: Person | None = None) -> tuple[Document, ...]:
    """PAN and invoice of one person, Aadhaar and delivery order of the other."""
    people = (person, other or person, person, other or person)
    return tuple(network.by_url(kind, whose) for kind, whose in zip(KINDS, people, strict=True))


def refused(status: int, text: str = "Invalid token") -> EmulatedResponse:
    return EmulatedResponse(status, {"error": text})


def make_emulator(clock: FakeClock, network: Network) -> AtlasEmulator:
    return network.host(HOST, AtlasEmulator(clock, client=network.client, fetch_hosts=[FILES_HOST]), clock)


def make_settings(emulator: AtlasEmulator) -> dict[str, object]:
    return {
        "base_url": f"https://{HOST}",
        "client_id": Secret("atlas-client-1"),
        "client_secret": Secret("atlas-secret-1"),
        "product_type": "PFL_CDL",
    }


def make_harness(clock: FakeClock, network: Network, emulator: AtlasEmulator, settings: dict[str, object]) -> Harness:
    done = {"master_status": "SUCCESS"}
    missing = "Missing or empty required parameters: ['product_type']"
    init, upload, status, extracts = (f"{V3}/{call}" for call in ("flow/init", "multiupload", "status", "extracts"))

    def expire_tokens() -> None:
        emulator.expire_tokens()
        clock.advance(timedelta(minutes=5).total_seconds())

    return Harness(
        plugin=idv_plugin(),
        settings=settings,
        emulator=emulator,
        clock=clock,
        transport=network,
        order=order(),
        documents=documents(network, MEERA),
        bad_documents=documents(network, MEERA, ROHAN),
        errors=(
            DocumentedError("open", f"POST {init}", refused(400, missing), InvalidOrder),
            DocumentedError("open", f"POST {init}", refused(401), AuthenticationFailed),
            DocumentedError("open", f"POST {init}", refused(409, "exists"), DuplicateFlow),
            DocumentedError("open", f"POST {init}", refused(410, "gone"), PermissionDenied),
            DocumentedError("open", f"POST {init}", refused(429), RateLimited),
            DocumentedError("open", f"POST {init}", refused(503, "down"), OutcomeUnknown),
            DocumentedError("upload", f"POST {upload}", refused(400, missing), InvalidOrder),
            DocumentedError("upload", f"POST {upload}", refused(409, "no flow"), FlowNotFound),
            DocumentedError("upload", f"POST {upload}", refused(422, "auth url"), VendorUnavailable),
            DocumentedError("status", f"GET {status}", refused(400), InvalidOrder),
            DocumentedError("status", f"GET {status}", refused(409, "no flow"), FlowNotFound),
            DocumentedError("result", f"GET {status}", refused(401), AuthenticationFailed),
            DocumentedError("result", f"GET {status}", refused(429), RateLimited),
        ),
        unknown_words=(
            UnknownWord(f"GET {status}", answers({"master_status": "APPROVED"})),
            UnknownWord(f"GET {status}", answers({})),
            UnknownWord(f"GET {status}", answers({"master_status": True})),
            UnknownWord(f"GET {status}", answers({**done, "master_status": "success"})),
            UnknownWord(f"GET {status}", answers({**done, "flow_uuid": "another"})),
            UnknownWord(f"GET {extracts}", answers({"ocr_data": [], "cross_checks": []})),
            UnknownWord(f"GET {extracts}", answers({"flow_uuid": "another", "ocr_data": []})),
        ),
        personal=(MEERA.name, "meera@example.org", "0000 1111 2223", "ZZZPI0000M", NUMBER, STREET),
        no_recovery="a second init makes a second flow, and there is no search (family verification)",
        opened=lambda order: sum(
            case.request.get("application_id") == order.application_id for case in emulator.cases.values()
        ),
        webhook=lambda path: WebhookRequest(method="POST", path=f"{path}/results", body=b'{"flow_uuid": "LOS-1"}'),
        policy=Policy(thresholds={"cross_check": Threshold(approve_at=0.8, decline_below=0.6)}),
        expire_tokens=expire_tokens,
    )


def harness(clock: FakeClock) -> Harness:
    """All of it on an in-process network."""
    network = Network()
    emulator = make_emulator(clock, network)
    return make_harness(clock, network, emulator, make_settings(emulator))
