"""Stripe's own SDK drives the emulator over real sockets; `tests/test_sdk.py` goes further."""

from __future__ import annotations

from typing import Any

import httpx

from idv_core import Secret
from idv_core.testing import PEOPLE, FakeClock, make_specimen, serve, submit_forms

from ..webhooks import signature_header
from .emulator import StripeEmulator

_CREATE: Any = {
    "type": "document",
    "client_reference_id": "CUST-1",
    "metadata": {"application_id": "APP-1"},
    "options": {"document": {"require_matching_selfie": True}},
}


def checked_by_sdk() -> str:
    """The life of a session, its idempotency and a webhook's signature, as the SDK sees them. Which SDK it was."""
    import stripe

    clock = FakeClock()
    emulator = StripeEmulator(clock)
    with serve(emulator.app) as served:
        sdk = stripe.StripeClient(emulator.api_key, base_addresses={"api": served.url}, max_network_retries=0)
        sessions = sdk.v1.identity.verification_sessions
        session = sessions.create(_CREATE, {"idempotency_key": "k-1"})
        assert session.status == "requires_input", "a new session waits for the applicant"
        assert sessions.create(_CREATE, {"idempotency_key": "k-1"}).id == session.id, "the same key, the same session"
        assert session.url is not None, "a new session has a link"
        with httpx.Client() as browser:
            document, selfie = (make_specimen(kind, PEOPLE["meera"]) for kind in ("passport", "selfie"))
            submit_forms(browser, session.url, {"document": document}, {"selfie": selfie})
        assert sessions.retrieve(session.id).status == "processing", "what was handed in is processed"
        clock.advance(5)
        done = sessions.retrieve(session.id, {"expand": ["last_verification_report"]})
        assert done.status == "verified", "good papers are verified"
        report: Any = done.last_verification_report
        assert report.document.status == report.selfie.status == "verified", "the report has both parts"
        assert [item.id for item in sessions.list({"client_reference_id": "CUST-1"}).data] == [session.id], (
            "it is found"
        )
        _judge_life(sdk, clock, done)
    body = b'{"id": "evt_1", "object": "event"}'
    header = signature_header(Secret("whsec_1"), "1767225600", body)["Stripe-Signature"]
    verify: Any = stripe.WebhookSignature.verify_header
    assert verify(body.decode(), header, "whsec_1", None), "the signature of a webhook is accepted"
    return f"stripe {stripe.VERSION}: life of a session, idempotency, list, pictures, cancel, redaction, signature"


def _judge_life(sdk: Any, clock: FakeClock, verified: Any) -> None:
    """What there is after the result: files, the end of a session that waits, redaction."""
    sessions = sdk.v1.identity.verification_sessions
    for id in (*verified.last_verification_report.document.files, verified.last_verification_report.selfie.selfie):
        link = sdk.v1.file_links.create({"file": id, "expires_at": int(clock.now().timestamp()) + 30})
        assert len(httpx.get(link.url).content) == sdk.v1.files.retrieve(id).size, "a link leads to the whole file"
    assert sessions.cancel(sessions.create(_CREATE).id).status == "canceled", "what waits can be cancelled"
    assert sessions.redact(verified.id).redaction.status == "processing", "redaction takes its time"
    clock.advance(4 * 86400)
    assert sessions.retrieve(verified.id).redaction.status == "redacted", "and comes to its end"
