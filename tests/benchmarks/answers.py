"""What the server of the benchmarks answers, and the accounts that ask it."""

from __future__ import annotations

import json
from typing import Any

from idv_core import Flow, Secret
from idv_core.config import Account, Webhooks
from idv_core.engine.account import Limits

WEBHOOKS = Webhooks("https://platform.example/idv", Secret("key-of-the-benchmarks-0123456789abcdef"))


def verigram_answer(size: int) -> bytes:
    """A finished flow of about that size."""
    services = [
        {"service_name": "verilive", "service_status": "pass"},
        {"service_name": "veridoc", "service_status": "pass"},
    ]
    answer = {"flow_id": f"s{size}", "flow_status": "pass", "end_cause": "completed", "services": services, "pad": ""}
    return json.dumps({**answer, "pad": "x" * max(0, size - len(json.dumps(answer)))}).encode()


def atlas_documents(count: int) -> bytes:
    """So many documents of ten fields each, and a cross-check for each: about 990 bytes for one."""
    entries = [
        {
            "document_id": f"d-{number}",
            "file_uuid": f"u-{number}",
            "data": {
                "document_type": "INVOICE",
                **{f"field_{i}": {"value": f"some value {number} {i}", "confidence_score": 0.93} for i in range(10)},
            },
        }
        for number in range(count)
    ]
    check = {
        "name": "CUSTOMER_NAME",
        "source_doc": "INVOICE",
        "source_field_name": "field_1",
        "source_value": "some value",
        "target_doc": "DELIVERY_ORDER",
        "target_field_name": "field_2",
        "target_value": "some value",
        "similarity_score": 93.5,
    }
    return json.dumps({"flow_uuid": "f", "ocr_data": entries, "cross_checks": [check] * count}).encode()


SDK_SIZE = 600
UUID = "0f2c1a6e-6f1e-4a52-9a3b-0d7c1c8f4e11"
EXTRACTS = atlas_documents(210)
PERSON = {"first_name": "Ana", "last_name": "Ruiz", "email": "ana@example.org"}


def padded(answer: dict[str, Any], field: str, size: int = SDK_SIZE) -> bytes:
    return json.dumps({**answer, field: "x" * max(1, size - len(json.dumps(answer)) - len(field) - 6)}).encode()


ANSWERS: dict[str, bytes] = {
    "/flow/s300/": verigram_answer(300),
    "/flow/s2048/": verigram_answer(2048),
    "/flow/s600/": verigram_answer(SDK_SIZE),
    "/v3/verification/authtoken": b'{"access_token": "t", "expires_in": 3600}',
    "/v3/verification/status": b'{"master_status": "SUCCESS"}',
    "/v3/verification/extracts": EXTRACTS,
    "/onfido/applicants/": padded(
        {"id": UUID, "href": "/a", "created_at": "2026-03-02T10:15:00Z", **PERSON}, "address_line"
    ),
    "/v1/identity/verification_sessions/": padded(
        {"id": "vs_1", "object": "identity.verification_session", "status": "verified", "type": "document"},
        "client_secret",
    ),
    "/didit/session/": padded({"session_id": "s", "status": "Approved", "vendor_data": "CUST-1"}, "callback"),
    "/complycube/clients/": padded({"id": "c", "type": "person", "email": "ana@example.org"}, "externalId"),
}


def accounts(url: str, limits: Limits | None = None) -> list[Account]:
    limits = limits or Limits(concurrency=1000)
    verigram = {"base_url": url, "api_key": Secret("key"), "secret": Secret("s3cr3t")}
    atlas = {"base_url": url, "client_id": Secret("i"), "client_secret": Secret("s"), "product_type": "P"}
    return [
        Account("verigram", "verigram", verigram, limits=limits),
        Account("atlas", "atlas", atlas, limits=limits),
    ]


def verigram_flow(size: int) -> Flow:
    return Flow(account="verigram", id=f"s{size}", status="awaiting_applicant")
