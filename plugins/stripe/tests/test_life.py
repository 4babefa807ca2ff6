"""After the opening: cancelled, redacted, its pictures fetched, what an account can do, and what Stripe.js is started with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from idv_stripe import StripeIdentity, StripeSettings, idv_plugin
from idv_stripe.testing.emulator import StripeEmulator
from idv_stripe.testing.harness import MEERA, ROHAN, order, pictures

from idv_core import Decision, Flow, FlowStatus, Gateway, Secret
from idv_core.config import Account
from idv_core.errors import (
    FlowNotFound,
    InvalidOrder,
    PermissionDenied,
    UnexpectedResponse,
    UnsupportedOperation,
)
from idv_core.plugin import (
    CHECK_NAMES,
    DocumentType,
    Erasure,
    ErasureStatus,
    Media,
    MediaKind,
    NotAccepted,
    subject_of,
)
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.clock import START
from idv_core.testing.exchange import reply, run_exchange

SESSIONS = "/v1/identity/verification_sessions"
ADAPTER = StripeIdentity(StripeSettings(api_key=Secret("rk_test_4711")))
DONE, REQUESTED, REFUSED = ErasureStatus.DONE, ErasureStatus.REQUESTED, ErasureStatus.REFUSED

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(network: Network, clock: FakeClock, settings: dict[str, object]) -> Connect:
    def connect(**changes: object) -> Gateway:
        account = Account("stripe", "stripe", {**settings, **changes}, test=True)
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect


@pytest.fixture
def idv(connect: Connect) -> Gateway:
    return connect()


def walk(network: Network, flow: Flow, face: object = MEERA) -> None:
    assert flow.link is not None
    with network.client() as browser:
        submit_forms(browser, flow.link.url.reveal(), *pictures(face))  # type: ignore[arg-type]


@pytest.fixture
def verified(idv: Gateway, network: Network) -> Flow:
    flow = idv.open(order())
    walk(network, flow)
    assert idv.wait(flow).decision is Decision.APPROVED
    return flow


def made(emulator: StripeEmulator, end: str) -> int:
    return sum(call.startswith("POST") and call.endswith(end) for call in emulator.calls)


class TestCancel:
    def test_the_link_leads_nowhere_and_twice_is_once(
        self, idv: Gateway, network: Network, emulator: StripeEmulator
    ) -> None:
        flow = idv.open(order())
        cancelled = idv.cancel(flow)
        assert (cancelled.status, cancelled.link, cancelled.sdk) == (FlowStatus.CANCELLED, None, None)
        assert flow.link is not None
        with network.client() as browser:
            assert "<form" not in browser.get(flow.link.url.reveal()).text
        assert idv.cancel(cancelled).status is idv.status(flow.ref).status is FlowStatus.CANCELLED
        assert idv.result(flow).decision is not Decision.APPROVED

    def test_an_answer_that_was_lost_does_no_harm(self, idv: Gateway, emulator: StripeEmulator) -> None:
        flow = idv.open(order())
        emulator.fault(f"POST {SESSIONS}/", EmulatedResponse(500, {"error": {"type": "api_error"}}))
        assert idv.cancel(flow).status is FlowStatus.CANCELLED

    def test_what_was_decided_stays(self, idv: Gateway, verified: Flow) -> None:
        assert idv.cancel(verified).status is FlowStatus.FINISHED
        assert idv.result(verified).decision is Decision.APPROVED

    def test_a_failed_attempt_can_be_ended_for_good(self, idv: Gateway, network: Network) -> None:
        flow = idv.open(order())
        walk(network, flow, ROHAN)
        failed = idv.wait(flow)
        assert (failed.decision, failed.flow.may_reopen) == (Decision.DECLINED, True)
        cancelled = idv.cancel(flow)
        assert (cancelled.status, cancelled.may_reopen) == (FlowStatus.CANCELLED, False)

    def test_what_is_being_processed_is_not_cancelled(self, idv: Gateway, network: Network) -> None:
        flow = idv.open(order())
        walk(network, flow)
        with pytest.raises(InvalidOrder, match="HTTP 400"):
            idv.cancel(flow)


class TestErase:
    def test_it_is_asked_for_once_and_done_days_later(
        self, idv: Gateway, clock: FakeClock, emulator: StripeEmulator, verified: Flow
    ) -> None:
        asked = idv.erase(verified)
        assert (asked.status, asked.reason) == (REQUESTED, "Stripe takes up to four days: ask again later")
        assert idv.erase(verified).status is REQUESTED
        assert made(emulator, "/redact") == 1
        clock.advance(timedelta(days=4).total_seconds())
        assert idv.erase(verified) == idv.erase(verified.ref) == Erasure(status=DONE)
        assert made(emulator, "/redact") == 1

    def test_what_is_erased_says_so_and_approves_nobody(self, idv: Gateway, verified: Flow) -> None:
        idv.erase(verified)
        result = idv.result(verified)
        assert (result.status, result.decision, result.flow.may_reopen) == (
            FlowStatus.ERASED,
            Decision.UNDECIDED,
            False,
        )
        assert (result.checks, result.documents, result.fields) == ((), (), ())
        assert idv.renew_link(verified).status is FlowStatus.ERASED
        assert idv.cancel(verified).status is FlowStatus.ERASED

    def test_the_link_of_one_that_waits_leads_nowhere(self, idv: Gateway, network: Network) -> None:
        flow = idv.open(order())
        assert idv.erase(flow).status is REQUESTED
        assert flow.link is not None
        with network.client() as browser:
            assert "<form" not in browser.get(flow.link.url.reveal()).text

    def test_not_while_it_is_processed(self, idv: Gateway, network: Network, emulator: StripeEmulator) -> None:
        flow = idv.open(order())
        walk(network, flow)
        refused = idv.erase(flow)
        assert (refused.status, made(emulator, "/redact")) == (REFUSED, 0)
        assert refused.reason == "Stripe redacts no session while it is being processed: ask again when it is over"
        idv.wait(flow)
        assert idv.erase(flow).status is REQUESTED

    def test_one_that_was_done_by_a_lost_attempt_is_no_error(self) -> None:
        flow = Flow(id="vs_1", status="open")
        before = {"id": "vs_1", "status": "verified", "redaction": None}
        refusal = reply({"error": {"type": "invalid_request_error"}}, 400)
        after = {**before, "redaction": {"status": "processing"}}
        assert run_exchange(ADAPTER.erase(flow), [reply(before), refusal, reply(after)]).value.status is REQUESTED
        with pytest.raises(NotAccepted):
            run_exchange(ADAPTER.erase(flow), [reply(before), refusal, reply(before)])

    def test_the_next_order_of_the_person_is_another_session(self, idv: Gateway, connect: Connect) -> None:
        flow = idv.open(order())
        idv.erase(flow)
        assert connect().open(order()).id != flow.id

    @pytest.mark.parametrize("redaction", [None, {"status": "processing"}])
    def test_the_word_for_what_is_redacted_stands_for_nobody_else(self, redaction: object) -> None:
        """Only in a session that says that it is redacted."""
        flow = Flow(id="vs_1", status="open", application_id="APP-1", subject=subject_of("CUST-1"))
        answer = {"id": "vs_1", "status": "verified", "client_reference_id": "[redacted]", "redaction": redaction}
        if redaction:
            assert run_exchange(ADAPTER.erase(flow), [reply(answer)]).value.status is REQUESTED
        else:
            with pytest.raises(UnexpectedResponse, match="another session"):
                run_exchange(ADAPTER.erase(flow), [reply(answer)])


class TestMedia:
    def test_what_there_is(self, idv: Gateway, verified: Flow) -> None:
        front, selfie = idv.media(verified)
        assert (front.kind, front.document) == (MediaKind.DOCUMENT_FRONT, "passport")
        assert (selfie.kind, selfie.document) == (MediaKind.SELFIE, None)
        assert idv.media(verified.ref) == (front, selfie)

    def test_nothing_before_the_applicant_was_there(self, idv: Gateway) -> None:
        assert idv.media(idv.open(order())) == ()

    def test_the_pictures_arrive_as_they_were_handed_in(self, idv: Gateway, verified: Flow, tmp_path: Path) -> None:
        document, face = (next(iter(form.values())) for form in pictures(MEERA))
        front, selfie = idv.media(verified)
        path, file = tmp_path / "front.png", BytesIO()
        first = idv.download(verified, front, path)
        second = idv.download(verified.ref, selfie, file)
        assert (path.read_bytes(), file.getvalue()) == (document, face)
        assert (first.sha256, second.sha256) == tuple(sha256(content).hexdigest() for content in (document, face))
        assert (first.size, first.content_type) == (len(document), "image/png")

    def test_links_live_half_a_minute(
        self, idv: Gateway, verified: Flow, emulator: StripeEmulator, clock: FakeClock
    ) -> None:
        idv.download(verified, idv.media(verified)[0], BytesIO())
        (link,) = emulator.files.links.values()
        assert link.expires_at == int(clock.now().timestamp()) + 30

    def test_our_clock_may_be_wrong(self) -> None:
        """Stripe's own counts, as its answer says it."""
        said = {"id": "vs_1", "last_verification_report": {"document": {"files": ["file_1"]}}, "status": "verified"}
        for date, end in (
            ("Thu, 01 Jan 1970 00:01:00 GMT", 90),
            ("Thu, 01 Jan 1970 00:01:00", int(START.timestamp()) + 30),
            ("soon", int(START.timestamp()) + 30),
        ):
            exchange = ADAPTER.download(Flow(id="vs_1", status="open"), Media(id="file_1", kind="document"))
            next(exchange)
            request = exchange.send(reply(said, date=date))
            assert request.form == (("file", "file_1"), ("expires_at", str(end)))

    def test_a_file_of_another_person_is_not_given_out(self, idv: Gateway, verified: Flow, network: Network) -> None:
        other = idv.open(order(application_id="APP-2"))
        walk(network, other)
        idv.wait(other)
        with pytest.raises(FlowNotFound, match="none of this session"):
            idv.download(other, idv.media(verified)[0], BytesIO())

    def test_after_the_redaction_there_is_nothing(self, idv: Gateway, verified: Flow, tmp_path: Path) -> None:
        front, _ = idv.media(verified)
        idv.erase(verified)
        assert idv.media(verified) == ()
        with pytest.raises(FlowNotFound):
            idv.download(verified, front, tmp_path / "front.png")
        assert [*tmp_path.iterdir()] == []

    def test_a_secret_key_is_told_which_one_is_needed(self, connect: Connect) -> None:
        with pytest.raises(PermissionDenied, match=r"restricted key \(rk_\)"):
            connect(api_key=Secret("sk_test_4711")).media("stripe/vs_1")

    def test_a_key_without_the_permission_is_an_error(
        self, idv: Gateway, verified: Flow, emulator: StripeEmulator
    ) -> None:
        front, _ = idv.media(verified)
        emulator.fault("POST /v1/file_links", EmulatedResponse(403, {"error": {"type": "invalid_request_error"}}))
        with pytest.raises(PermissionDenied):
            idv.download(verified, front, BytesIO())

    def test_a_link_to_elsewhere_is_not_followed(self, idv: Gateway, verified: Flow, emulator: StripeEmulator) -> None:
        front, _ = idv.media(verified)
        for link in (
            {"file": front.id, "url": "https://elsewhere.example/links/x"},
            {"file": "file_other", "url": "https://files.stripe.com/links/x"},
        ):
            emulator.fault("POST /v1/file_links", EmulatedResponse(200, link))
            with pytest.raises(UnexpectedResponse):
                idv.download(verified, front, BytesIO())

    def test_both_sides_of_a_card(self) -> None:
        report = {
            "document": {"type": "id_card", "files": ["file_1", "file_2", 7, "file_3"]},
            "selfie": {"document": "file_1", "selfie": "file_4"},
        }
        said = {"id": "vs_1", "status": "verified", "last_verification_report": report}
        found = run_exchange(ADAPTER.media(Flow(id="vs_1", status="open")), [reply(said)]).value
        assert [(one.id, str(one.kind), one.document) for one in found] == [
            ("file_1", "document_front", "idcard"),
            ("file_2", "document_back", "idcard"),
            ("file_3", "document", "idcard"),
            ("file_4", "selfie", None),
        ]


class TestCoverage:
    def test_what_the_settings_ask_for(self, connect: Connect) -> None:
        covered = connect(allowed_types=["id_card"], require_id_number=True).coverage()
        assert covered.document_types == {DocumentType.IDCARD}
        assert covered.checks == {
            "document.authenticity",
            "face_match.selfie_to_document",
            "data_source.government_register",
        }
        plain = connect(require_matching_selfie=False).coverage()
        assert plain.document_types == {DocumentType.IDCARD, DocumentType.PASSPORT, DocumentType.DRIVING_PERMIT}
        assert (plain.checks, plain.templates, plain.countries) == ({"document.authenticity"}, (), None)

    def test_a_flow_of_the_dashboard_may_check_anything(self, connect: Connect) -> None:
        covered = connect(
            verification_flow="vf_1", allowed_types=["passport"], require_matching_selfie=False
        ).coverage()
        assert covered.templates == ("vf_1",)
        assert len(covered.document_types or ()) == 3
        assert "email.possession" in (covered.checks or ())
        names = {f"{kind}.{name}" for kind, known in CHECK_NAMES.items() for name in known}
        assert (covered.checks or set()) <= names


def test_stripe_js_is_started_with_the_client_secret(idv: Gateway, clock: FakeClock, network: Network) -> None:
    flow = idv.open(order())
    assert flow.sdk is not None
    assert (flow.sdk.kind, flow.sdk.expires_at) == ("stripe_js", clock.now() + timedelta(hours=24))
    assert flow.sdk.token.reveal().startswith(f"{flow.id}_secret_")
    assert flow.sdk.token.reveal() not in repr(flow)
    walk(network, flow)
    assert idv.renew_link(flow).sdk is None


@pytest.mark.parametrize("operation", ["cancel", "erase", "media"])
def test_an_unknown_session_is_a_clear_error(idv: Gateway, operation: str) -> None:
    with pytest.raises(FlowNotFound):
        getattr(idv, operation)("stripe/vs_unknown")
    with pytest.raises(InvalidOrder, match="none of Stripe's"):
        getattr(idv, operation)("stripe/a b")


def test_what_stripe_has_no_call_for(idv: Gateway) -> None:
    flow = idv.open(order())
    with pytest.raises(UnsupportedOperation, match="retry"):
        idv.retry(flow, order())
    with pytest.raises(UnsupportedOperation, match="simulate"):
        idv.simulate(flow, "approved")
