"""Judged by Stripe's own SDK: it drives the emulator over real sockets, and the plugin sees the same objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from idv_stripe import idv_plugin
from idv_stripe.testing.emulator import StripeEmulator
from idv_stripe.testing.harness import MEERA, ROHAN, order, pictures
from idv_stripe.webhooks import sign, signature_header

from idv_core import Decision, FlowStatus, Gateway, Secret
from idv_core.config import Account, Webhooks
from idv_core.errors import WebhookRejected
from idv_core.model import VendorVerdict
from idv_core.plugin import ErasureStatus
from idv_core.registry import registry_of
from idv_core.testing import FakeClock
from idv_core.testing.applicant import submit_forms
from idv_core.testing.asgi import Served, serve
from idv_core.webhooks import WebhookRequest

SECRET = "whsec_emulated4711"


@pytest.fixture
def served(clock: FakeClock) -> Iterator[tuple[StripeEmulator, Served]]:
    emulator = StripeEmulator(clock)
    clock.on_advance.append(emulator.tick)
    with serve(emulator.app) as running:
        yield emulator, running


@pytest.fixture
def sdk(served: tuple[StripeEmulator, Served]) -> stripe.StripeClient:
    emulator, running = served
    return stripe.StripeClient(emulator.api_key, base_addresses={"api": running.url}, max_network_retries=0)


@pytest.fixture
def idv(served: tuple[StripeEmulator, Served], clock: FakeClock) -> Iterator[Gateway]:
    emulator, running = served
    settings = {
        "base_url": running.url,
        "api_key": Secret(emulator.api_key),
        "webhook_secret": Secret(SECRET),
        "read_sensitive": True,
    }
    webhooks = Webhooks("https://platform.example/idv", Secret("key-of-the-tests-0123456789abcdef"))
    with Gateway(
        [Account("stripe", "stripe", settings, test=True)],
        webhooks=webhooks,
        clock=clock,
        registry=registry_of(idv_plugin()),
    ) as made:
        yield made


def walk(url: str, face: Any) -> None:
    with httpx.Client() as browser:
        submit_forms(browser, url, *pictures(face))


EXPAND: Any = ["last_verification_report", "last_verification_report.document.expiration_date", "verified_outputs"]
CREATE: Any = {
    "type": "document",
    "client_reference_id": "CUST-9283",
    "metadata": {"application_id": "APP-7", "product": "wallet"},
    "options": {"document": {"require_matching_selfie": True}},
    "provided_details": {"email": "meera@example.org"},
}


class TestLife:
    def test_what_the_sdk_opens_the_plugin_reads(
        self, sdk: stripe.StripeClient, idv: Gateway, clock: FakeClock
    ) -> None:
        """docs.stripe.com/identity/how-sessions-work, from beginning to end."""
        sessions = sdk.v1.identity.verification_sessions
        session = sessions.create(CREATE)
        assert (session.status, session.livemode, session.client_reference_id) == ("requires_input", False, "CUST-9283")
        ref = f"stripe/{session.id}"
        assert idv.status(ref).status is FlowStatus.AWAITING_APPLICANT
        assert session.url is not None
        walk(session.url, MEERA)
        assert sessions.retrieve(session.id).status == "processing"
        assert idv.status(ref).status is FlowStatus.PROCESSING
        clock.advance(5)
        session = sessions.retrieve(session.id, {"expand": EXPAND})
        result = idv.result(ref)
        assert (session.status, result.vendor_word) == ("verified", "verified")
        assert (result.status, result.verdict) == (FlowStatus.FINISHED, VendorVerdict.POSITIVE)
        assert result.decision is Decision.APPROVED
        report = session.last_verification_report
        assert isinstance(report, stripe.identity.VerificationReport)
        assert report.document is not None
        assert report.selfie is not None
        assert [(check.vendor_name, check.vendor_word) for check in result.checks] == [
            ("document", report.document.status),
            ("selfie", report.selfie.status),
        ]
        (document,) = result.documents
        assert document.field("given_name").value == report.document.first_name  # type: ignore[union-attr]
        assert document.expires_on is not None
        assert report.document.expiration_date is not None
        assert document.expires_on.year == report.document.expiration_date.year
        assert "number" not in report.document.to_dict(), "it was not asked for"
        assert session.verified_outputs is not None
        assert session.verified_outputs.last_name == result.claims.family_name.value
        assert "dob" not in session.verified_outputs.to_dict()
        assert sdk.v1.identity.verification_reports.retrieve(report.id).id == report.id

    def test_what_the_plugin_opens_the_sdk_reads(
        self, sdk: stripe.StripeClient, idv: Gateway, clock: FakeClock
    ) -> None:
        flow = idv.open(order())
        session = sdk.v1.identity.verification_sessions.retrieve(flow.id)
        assert session.metadata["application_id"] == "APP-1"
        assert session.provided_details is not None
        assert session.provided_details.email == "meera@example.org"
        assert flow.link is not None
        assert session.url == flow.link.url.reveal()
        assert flow.sdk is not None
        assert session.client_secret == flow.sdk.token.reveal()
        listed = sdk.v1.identity.verification_sessions.list({"client_reference_id": "CUST-9283"})
        assert [item.id for item in listed.data] == [flow.id]

    def test_a_failed_attempt(self, sdk: stripe.StripeClient, idv: Gateway, clock: FakeClock) -> None:
        """It goes back to requires_input with the reason, and the applicant may be sent there again."""
        flow = idv.open(order())
        assert flow.link is not None
        walk(flow.link.url.reveal(), ROHAN)
        clock.advance(5)
        session = sdk.v1.identity.verification_sessions.retrieve(flow.id)
        assert session.status == "requires_input"
        assert session.last_error is not None
        result = idv.result(flow)
        assert session.last_error.code == "selfie_face_mismatch"
        assert [check.reasons for check in result.failed_checks()] == [("selfie_face_mismatch",)]
        assert (result.verdict, result.decision) == (VendorVerdict.NEGATIVE, Decision.DECLINED)
        again = idv.renew_link(flow)
        assert again.link is not None
        walk(again.link.url.reveal(), MEERA)
        clock.advance(5)
        assert idv.result(flow).decision is Decision.APPROVED
        assert sdk.v1.identity.verification_sessions.retrieve(flow.id).status == "verified"

    def test_cancelled_by_either(self, sdk: stripe.StripeClient, idv: Gateway) -> None:
        session = sdk.v1.identity.verification_sessions.create(CREATE)
        sdk.v1.identity.verification_sessions.cancel(session.id)
        assert idv.status(f"stripe/{session.id}").status is FlowStatus.CANCELLED
        flow = idv.open(order())
        assert idv.cancel(flow).status is FlowStatus.CANCELLED
        assert sdk.v1.identity.verification_sessions.retrieve(flow.id).status == "canceled"

    def test_redacted_by_either(self, sdk: stripe.StripeClient, idv: Gateway, clock: FakeClock) -> None:
        sessions = sdk.v1.identity.verification_sessions
        made = sessions.create(CREATE)
        redacted = sessions.redact(made.id)
        assert redacted.redaction is not None
        assert (redacted.status, redacted.redaction.status) == ("canceled", "processing")
        assert idv.status(f"stripe/{made.id}").status is FlowStatus.ERASED
        assert idv.erase(f"stripe/{made.id}").status is ErasureStatus.REQUESTED
        with pytest.raises(stripe.InvalidRequestError):
            sessions.redact(made.id)
        flow = idv.open(order())
        assert idv.erase(flow).status is ErasureStatus.REQUESTED
        clock.advance(timedelta(days=4).total_seconds())
        seen = sessions.retrieve(flow.id)
        assert seen.redaction is not None
        assert (seen.redaction.status, seen.client_reference_id) == ("redacted", "[redacted]")
        assert seen.metadata.to_dict() == {}
        assert idv.erase(flow).status is ErasureStatus.DONE

    def test_pictures_by_either(self, sdk: stripe.StripeClient, idv: Gateway, clock: FakeClock, tmp_path: Path) -> None:
        flow = idv.open(order())
        assert flow.link is not None
        walk(flow.link.url.reveal(), MEERA)
        clock.advance(5)
        session = sdk.v1.identity.verification_sessions.retrieve(flow.id, {"expand": EXPAND})
        report = session.last_verification_report
        assert isinstance(report, stripe.identity.VerificationReport)
        assert report.document is not None
        assert report.selfie is not None
        front, selfie = idv.media(flow)
        assert ([front.id], front.id, selfie.id) == (
            report.document.files,
            report.selfie.document,
            report.selfie.selfie,
        )
        file = sdk.v1.files.retrieve(front.id)
        assert (file.purpose, sdk.v1.files.retrieve(selfie.id).purpose) == ("identity_document_downloadable", "selfie")
        now = int(clock.now().timestamp())
        link = sdk.v1.file_links.create({"file": front.id, "expires_at": now + 30})
        assert (link.file, link.expired) == (front.id, False)
        got = idv.download(flow, front, tmp_path / "front")
        assert link.url is not None
        assert httpx.get(link.url).content == (tmp_path / "front").read_bytes()
        assert got.size == file.size
        with pytest.raises(stripe.InvalidRequestError):
            sdk.v1.file_links.create({"file": front.id, "expires_at": now + 31})
        clock.advance(30)
        assert httpx.get(link.url).status_code == 404

    def test_errors_are_the_same(self, sdk: stripe.StripeClient, idv: Gateway, served: Any) -> None:
        with pytest.raises(stripe.InvalidRequestError) as theirs:
            sdk.v1.identity.verification_sessions.retrieve("vs_none")
        assert (theirs.value.code, theirs.value.http_status) == ("resource_missing", 404)
        with pytest.raises(stripe.InvalidRequestError, match="Missing required param"):
            sdk.v1.identity.verification_sessions.create({})  # type: ignore[typeddict-item]
        wrong = stripe.StripeClient("sk_test_wrong", base_addresses={"api": served[1].url})
        with pytest.raises(stripe.AuthenticationError):
            wrong.v1.identity.verification_sessions.list()


class TestIdempotency:
    def test_the_same_key_gives_the_same_session_for_a_day(
        self, sdk: stripe.StripeClient, served: Any, clock: FakeClock
    ) -> None:
        create = sdk.v1.identity.verification_sessions.create
        first, second = (create(CREATE, {"idempotency_key": "k-1"}) for _ in range(2))
        assert first.id == second.id
        with pytest.raises(stripe.IdempotencyError):
            create({**CREATE, "client_reference_id": "CUST-2"}, {"idempotency_key": "k-1"})
        clock.advance(timedelta(days=2).total_seconds())
        assert create(CREATE, {"idempotency_key": "k-1"}).id != first.id

    def test_recover_finds_the_session_among_the_applicants(
        self, sdk: stripe.StripeClient, idv: Gateway, served: Any
    ) -> None:
        for number in range(120):
            sdk.v1.identity.verification_sessions.create({**CREATE, "metadata": {"application_id": f"OTHER-{number}"}})
            if number == 0:
                flow = idv.open(order())
        recovered = idv.recover(order(), account="stripe")
        assert recovered.id == flow.id
        assert recovered.link is not None
        assert len(served[0].sessions) == 121


class TestWebhooks:
    def event(self, clock: FakeClock) -> tuple[bytes, str]:
        body = json.dumps(
            {
                "id": "evt_1",
                "object": "event",
                "type": "identity.verification_session.verified",
                "data": {"object": {"id": "vs_1", "object": "identity.verification_session"}},
            }
        ).encode()
        return body, str(int(clock.now().timestamp()))

    def test_what_the_emulator_signs_the_sdk_accepts(self, clock: FakeClock) -> None:
        body, stamp = self.event(clock)
        header = signature_header(Secret(SECRET), stamp, body)["Stripe-Signature"]
        event = stripe.Webhook.construct_event(body, header, SECRET, tolerance=None)  # type: ignore[arg-type]
        assert event.type == "identity.verification_session.verified"
        assert event.data.object["id"] == "vs_1"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body + b" ", header, SECRET, tolerance=None)  # type: ignore[arg-type]

    def test_what_the_sdk_signs_the_plugin_accepts(self, idv: Gateway, clock: FakeClock) -> None:
        body, stamp = self.event(clock)
        theirs = stripe.WebhookSignature._compute_signature(f"{stamp}.{body.decode()}", SECRET)
        assert theirs == sign(Secret(SECRET), stamp, body)
        path = idv.webhook_url("stripe", "events").reveal().removeprefix("https://platform.example/idv")

        def receive(header: str, sent: bytes = body) -> Any:
            return idv.receive(
                "stripe", WebhookRequest(method="POST", path=path, headers={"Stripe-Signature": header}, body=sent)
            )

        received = receive(f"t={stamp},v1={'0' * 64},v1={theirs},v0=x")
        assert (received.flow_ref, received.event, received.fetch) == (
            "stripe/vs_1",
            "identity.verification_session.verified",
            True,
        )
        for header, sent in (
            (f"t={stamp},v1={theirs}", body + b" "),
            (f"t={int(stamp) + 1},v1={theirs}", body),
            ("", body),
            ("t=é,v1=é", body),
            (f"v1={theirs}", body),
        ):
            with pytest.raises(WebhookRejected) as caught:
                receive(header, sent)
            assert caught.value.status == 401
        clock.advance(301)
        with pytest.raises(WebhookRejected, match="too old"):
            receive(f"t={stamp},v1={theirs}")

    def test_the_emulators_webhook_leads_to_the_result(
        self, sdk: stripe.StripeClient, served: Any, clock: FakeClock, idv: Gateway
    ) -> None:
        emulator, _ = served
        seen: list[dict[str, Any]] = []
        emulator._client = lambda: httpx.Client(transport=httpx.MockTransport(receive))
        emulator.webhook = "https://platform.example/hook"

        def receive(request: httpx.Request) -> httpx.Response:
            event = stripe.Webhook.construct_event(
                request.content,
                request.headers["Stripe-Signature"],
                SECRET,
                tolerance=None,  # type: ignore[arg-type]
            )
            seen.append({"type": event.type, "id": event.data.object["id"]})
            return httpx.Response(200)

        session = sdk.v1.identity.verification_sessions.create(CREATE)
        assert session.url is not None
        walk(session.url, MEERA)
        clock.advance(5)
        clock.advance(5)
        assert [event["type"].rpartition(".")[2] for event in seen] == ["created", "processing", "verified"]
        assert {event["id"] for event in seen} == {session.id}


def test_a_live_account_takes_no_test_session(served: Any, clock: FakeClock) -> None:
    """In test mode nothing is really checked."""
    from idv_core.errors import UnexpectedResponse

    emulator, running = served
    emulator.api_key = "sk_live_emulated4711"
    settings = {"base_url": running.url, "api_key": Secret(emulator.api_key)}
    with Gateway([Account("s", "stripe", settings)], clock=clock, registry=registry_of(idv_plugin())) as idv:
        flow = idv.open(order())
        emulator.sessions[flow.id].livemode = False
        with pytest.raises(UnexpectedResponse, match="of the test mode"):
            idv.result(flow)
        assert isinstance(flow.created_at, datetime)
