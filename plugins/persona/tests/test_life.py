"""After the opening: cancelled, decided by a person, tried again, erased, played in the sandbox; files, coverage, the SDK."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_persona import Persona, PersonaSettings, idv_plugin
from idv_persona.links import end_of_token
from idv_persona.testing.after import PRINTED
from idv_persona.testing.emulator import PersonaEmulator
from idv_persona.testing.harness import HOST, INQUIRIES, MEERA, ROHAN, TEMPLATE, order, pictures

from idv_core import Decision, Flow, FlowStatus, Gateway, Secret
from idv_core.config import Account
from idv_core.errors import (
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    UnexpectedResponse,
    UnsupportedOperation,
)
from idv_core.model import VendorVerdict
from idv_core.plugin import CHECK_NAMES, Erasure, ErasureStatus, Media, MediaKind, Review, ReviewOutcome
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.clock import START
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_values

SETTINGS = PersonaSettings(
    api_key=Secret("persona_sandbox_4711"), template_id=TEMPLATE, base_url=f"https://{HOST}/api/v1"
)
ADAPTER = Persona(SETTINGS)
BY_PERSON = Review(outcome=ReviewOutcome.APPROVE, author="jane@platform.example", reason="seen in person")

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(network: Network, clock: FakeClock, emulator: PersonaEmulator, settings: dict[str, object]) -> Connect:
    def connect(**changes: object) -> Gateway:
        account = Account("persona", "persona", {**settings, **changes}, test=True)
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect


@pytest.fixture
def idv(connect: Connect) -> Gateway:
    return connect()


def walk(network: Network, flow: Flow, face: Any = MEERA) -> None:
    assert flow.link is not None
    with network.client() as browser:
        submit_forms(browser, flow.link.url.reveal(), *pictures(face))


class TestCancel:
    def test_the_link_leads_nowhere_and_twice_is_once(
        self, idv: Gateway, network: Network, emulator: PersonaEmulator
    ) -> None:
        flow = idv.open(order())
        cancelled = idv.cancel(flow)
        assert (cancelled.status, cancelled.may_reopen) == (FlowStatus.EXPIRED, True)
        assert flow.link is not None
        with network.client() as browser:
            assert browser.get(flow.link.url.reveal()).status_code == 404
        expired = [call for call in emulator.calls if call.endswith("/expire")]
        assert idv.cancel(flow) == cancelled
        assert [call for call in emulator.calls if call.endswith("/expire")] == expired
        assert idv.status(flow.ref).status is FlowStatus.EXPIRED

    def test_what_was_decided_stays(self, idv: Gateway, network: Network, clock: FakeClock) -> None:
        flow = idv.open(order())
        walk(network, flow)
        assert idv.wait(flow).decision is Decision.APPROVED
        assert idv.cancel(flow).status is FlowStatus.FINISHED
        assert idv.result(flow).decision is Decision.APPROVED


class TestReview:
    @pytest.mark.parametrize(
        ("outcome", "word", "verdict"),
        [
            (ReviewOutcome.APPROVE, "approved", VendorVerdict.POSITIVE),
            (ReviewOutcome.DECLINE, "declined", VendorVerdict.NEGATIVE),
        ],
    )
    def test_a_person_decides_what_is_in_review(
        self,
        idv: Gateway,
        network: Network,
        clock: FakeClock,
        emulator: PersonaEmulator,
        outcome: ReviewOutcome,
        word: str,
        verdict: VendorVerdict,
    ) -> None:
        emulator.variants.decides = False
        flow = idv.open(order())
        walk(network, flow)
        clock.advance(5)
        assert idv.status(flow).status is FlowStatus.PROCESSING
        emulator.become("needs_review", emulator.inquiries[flow.id], "marked-for-review", "marked-for-review")
        waiting = idv.result(flow)
        assert (waiting.decision, waiting.flow.may_reopen, waiting.decided_by) == (Decision.REVIEW, True, None)
        decided = idv.review(flow, attrs.evolve(BY_PERSON, outcome=outcome))
        assert decided.status is FlowStatus.FINISHED
        result = idv.result(flow)
        assert (result.vendor_word, result.verdict, result.decided_by) == (word, verdict, "person")
        assert emulator.inquiries[flow.id].comment == "jane@platform.example: seen in person"

    def test_an_approval_that_was_withdrawn_does_not_stand(self, idv: Gateway, network: Network) -> None:
        flow = idv.open(order())
        walk(network, flow)
        assert idv.wait(flow).decided_by == "vendor"
        idv.review(flow, attrs.evolve(BY_PERSON, outcome=ReviewOutcome.DECLINE))
        assert idv.result(flow).decision is Decision.DECLINED

    def test_a_person_cannot_approve_over_a_failed_check(self, idv: Gateway, network: Network) -> None:
        """The verdict is the person's; the checks still count for our policy."""
        flow = idv.open(order())
        walk(network, flow, ROHAN)
        assert idv.wait(flow).decision is Decision.DECLINED
        idv.review(flow, BY_PERSON)
        result = idv.result(flow)
        assert (result.verdict, result.decision) == (VendorVerdict.POSITIVE, Decision.DECLINED)

    def test_twice_is_once_also_when_the_first_answer_was_lost(self, idv: Gateway, emulator: PersonaEmulator) -> None:
        flow = idv.open(order())
        idv.review(flow, BY_PERSON)
        calls = [call for call in emulator.calls if call.endswith("/approve")]
        assert idv.review(flow, BY_PERSON).status is FlowStatus.FINISHED
        assert [call for call in emulator.calls if call.endswith("/approve")] == calls
        # the look before it came too early
        before = emulator.inquiries[flow.id].resource()
        before["attributes"]["status"] = "pending"
        emulator.fault(f"GET {INQUIRIES}/", EmulatedResponse(200, {"data": before}))
        assert idv.review(flow, BY_PERSON).status is FlowStatus.FINISHED

    def test_a_refusal_is_an_error(self, idv: Gateway, emulator: PersonaEmulator) -> None:
        flow = idv.open(order())
        emulator.fault(f"POST {INQUIRIES}/", EmulatedResponse(422, {"errors": [{"title": "Record invalid"}]}))
        with pytest.raises(InvalidOrder):
            idv.review(flow, BY_PERSON)

    def test_another_document_cannot_be_asked_for(self, idv: Gateway) -> None:
        flow = idv.open(order())
        with pytest.raises(UnsupportedOperation, match="renew_link"):
            idv.review(flow, attrs.evolve(BY_PERSON, outcome=ReviewOutcome.RESUBMIT))


class TestRetry:
    def test_another_attempt_names_the_one_before(
        self, connect: Connect, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        first = connect().open(order())
        walk(network, first, ROHAN)
        clock.advance(5)
        second = connect().retry(first, order())
        assert (second.attempt, second.previous_id, second.id != first.id) == (2, first.id, True)
        assert second.status is FlowStatus.AWAITING_APPLICANT
        by_reference = connect().status(f"persona/{second.id}")
        assert (by_reference.attempt, by_reference.previous_id) == (2, first.id)
        walk(network, second)
        clock.advance(5)
        assert connect().result(second).decision is Decision.APPROVED
        assert connect().result(first).decision is Decision.DECLINED
        third = connect().retry(second, order())
        assert (third.attempt, third.previous_id) == (3, second.id)

    def test_twice_is_once_also_after_a_day(
        self, connect: Connect, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        first = connect().open(order())
        walk(network, first, ROHAN)
        clock.advance(5)
        second = connect().retry(first, order())
        emulator.inquiries[second.id].expires = clock.now() + timedelta(days=9)
        assert connect().retry(first, order()).id == second.id
        clock.advance(2 * 86400)
        assert connect().retry(first, order()).id == second.id
        assert connect().open(order()).id == second.id
        assert len(emulator.inquiries) == 2

    def test_one_that_is_under_way_ends_with_it(self, idv: Gateway, network: Network) -> None:
        first = idv.open(order())
        assert first.link is not None
        second = idv.retry(first, order())
        assert idv.status(first).status is FlowStatus.EXPIRED
        with network.client() as browser:
            assert browser.get(first.link.url.reveal()).status_code == 404
        assert second.link is not None

    def test_one_that_is_not_decided_yet_is_waited_for(
        self, idv: Gateway, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        emulator.variants.decides = False
        flow = idv.open(order())
        walk(network, flow)
        clock.advance(5)
        with pytest.raises(InvalidOrder, match="wait for its result"):
            idv.retry(flow, order())
        assert len(emulator.inquiries) == 1

    def test_a_successor_that_has_ended_unseen_is_one_clear_error(
        self, connect: Connect, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        first = connect().open(order())
        second = connect().retry(first, order())
        emulator.end(emulator.inquiries[second.id])
        emulator.inquiries[second.id].note = None
        clock.advance(3600)
        with pytest.raises((DuplicateFlow, OutcomeUnknown), match="has ended too"):
            connect().retry(first, order())

    @pytest.mark.parametrize(
        "note",
        [
            '{"application_id":"APP-1","product":"wallet","attempt":2}',
            '{"application_id":"APP-1","product":"wallet","attempt":true,"previous":"inq_1"}',
            '{"application_id":"APP-1","product":"wallet","attempt":1,"previous":"inq_1"}',
            '{"application_id":"APP-1","product":"wallet","attempt":"2","previous":["inq_1"]}',
        ],
    )
    def test_a_note_that_is_not_whole_names_no_attempt(self, note: str) -> None:
        data = {"type": "inquiry", "id": "inq_2", "attributes": {"status": "created", "note": note}}
        flow = run_exchange(ADAPTER.status(Flow(id="inq_2", status="open")), [reply({"data": data})]).value
        assert (flow.attempt, flow.previous_id) == (1, None)


class TestErase:
    def test_is_requested_then_done(
        self, idv: Gateway, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        emulator.variants.watchlist = True
        flow = idv.open(order())
        walk(network, flow)
        assert idv.wait(flow).decision is Decision.APPROVED
        for _ in range(2):
            assert idv.erase(flow) == Erasure(status=ErasureStatus.REQUESTED)
        assert [call for call in emulator.calls if call.startswith("DELETE")] == [f"DELETE {INQUIRIES}/{flow.id}"]
        clock.advance(11)
        done = idv.erase(flow)
        assert (done.status, "account" in (done.reason or "")) == (ErasureStatus.DONE, True)
        result = idv.result(flow)
        assert (result.status, result.decision) == (FlowStatus.ERASED, Decision.UNDECIDED)
        assert (result.documents, result.checks) == ((), ())
        assert idv.open(order()).id != flow.id

    def test_one_under_way_is_erased_too_and_its_link_leads_nowhere(self, idv: Gateway, network: Network) -> None:
        flow = idv.open(order())
        assert flow.link is not None
        idv.erase(flow)
        with network.client() as browser:
            assert browser.get(flow.link.url.reveal()).status_code == 404
        again = idv.renew_link(flow)
        assert (again.status, again.link) == (FlowStatus.ERASED, None)

    def test_what_is_locked_is_refused(self, idv: Gateway, emulator: PersonaEmulator) -> None:
        flow = idv.open(order())
        emulator.inquiries[flow.id].is_locked = True
        refused = idv.erase(flow)
        assert (refused.status, "locked" in (refused.reason or "")) == (ErasureStatus.REFUSED, True)
        assert idv.status(flow).status is FlowStatus.AWAITING_APPLICANT

    def test_somebody_else_may_have_asked_a_moment_before(self, idv: Gateway, emulator: PersonaEmulator) -> None:
        flow = idv.open(order())
        said = EmulatedResponse(409, {"errors": [{"title": "Conflict", "details": "Inquiry already redacted"}]})
        emulator.fault(f"DELETE {INQUIRIES}/", said)
        assert idv.erase(flow).status is ErasureStatus.REQUESTED

    def test_another_conflict_is_about_the_inquiry_and_no_duplicate(
        self, idv: Gateway, emulator: PersonaEmulator
    ) -> None:
        flow = idv.open(order())
        emulator.fault(f"DELETE {INQUIRIES}/", EmulatedResponse(409, {"errors": [{"title": "Conflict"}]}))
        with pytest.raises(InvalidOrder):
            idv.erase(flow)

    def test_an_answer_about_another_inquiry_is_an_alarm(self) -> None:
        def data(id: str) -> dict[str, Any]:
            return {"data": {"type": "inquiry", "id": id, "attributes": {"status": "created"}}}

        for answers in ([data("inq_2")], [data("inq_1"), data("inq_2")]):
            with pytest.raises(UnexpectedResponse):
                run_exchange(ADAPTER.erase(Flow(id="inq_1", status="open")), map(reply, answers))


class TestMedia:
    def test_pictures_of_all_attempts_and_the_pdf(
        self, idv: Gateway, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        flow = idv.open(order())
        walk(network, flow)
        clock.advance(5)
        front, face, report = idv.media(flow)
        document, selfie = (next(iter(form.values())) for form in pictures(MEERA))
        assert (front.kind, front.document, front.size) == (MediaKind.DOCUMENT_FRONT, "passport", len(document))
        assert (face.kind, face.document, face.size) == (MediaKind.SELFIE, None, len(selfie))
        assert (report.kind, report.content_type) == (MediaKind.REPORT, "application/pdf")
        assert "access_token" not in front.id

    def test_the_files_themselves(self, idv: Gateway, network: Network, clock: FakeClock) -> None:
        flow = idv.open(order())
        walk(network, flow)
        clock.advance(5)
        wanted = [*(next(iter(form.values())) for form in pictures(MEERA)), PRINTED]
        for media, content in zip(idv.media(flow), wanted, strict=True):
            file = BytesIO()
            fetched = idv.download(flow.ref, media, file)
            assert (file.getvalue(), fetched.size) == (content, len(content))
            assert fetched.sha256 == sha256(content).hexdigest()
            assert fetched.content_type == ("application/pdf" if media.kind is MediaKind.REPORT else "image/png")

    def test_each_address_is_asked_for_anew_and_called_without_our_key(
        self, idv: Gateway, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        flow = idv.open(order())
        walk(network, flow)
        clock.advance(5)
        for media in idv.media(flow):
            requests = self.requests(emulator, flow, media)
            last = requests[-1]
            assert last.streamed
            if media.kind is MediaKind.REPORT:
                assert (len(requests), last.path, last.signed) == (1, f"/inquiries/{flow.id}/print", True)
                continue
            assert (len(requests), last.signed) == (2, False)
            assert last.address.reveal().startswith(f"https://{HOST}/files/")

    def requests(self, emulator: PersonaEmulator, flow: Flow, media: Media) -> Any:
        inquiry = emulator.inquiries[flow.id]
        parts = [inquiry.verification(one, f"https://{HOST}") for one in inquiry.verifications]
        answers = [reply({"data": inquiry.resource(), "included": parts})] if media.id != "print" else []
        return run_exchange(ADAPTER.download(flow, media), [*answers, reply(PRINTED)]).requests

    def test_every_place_that_may_hold_one(self) -> None:
        def said(**attributes: Any) -> Any:
            part = {"type": "verification/x", "id": "ver_1", "attributes": attributes, "relationships": {}}
            data = {"type": "inquiry", "id": "inq_1", "attributes": {"status": "approved"}}
            flow = Flow(id="inq_1", status="finished")
            answer = reply({"data": data, "included": [part]})
            return run_exchange(ADAPTER.media(flow), [answer]).value[:-1]

        url = "https://files.withpersona.com/a.jpg?access_token=b"
        for key, kind in (
            ("front-photo-url", MediaKind.DOCUMENT_FRONT),
            ("back-photo-url", MediaKind.DOCUMENT_BACK),
            ("selfie-photo-url", MediaKind.PORTRAIT),
            ("center-photo-url", MediaKind.SELFIE),
            ("left-photo-url", MediaKind.SELFIE),
            ("right-photo-url", MediaKind.SELFIE),
            ("video-url", MediaKind.VIDEO),
        ):
            (media,) = said(**{key: url})
            assert (media.id, media.kind) == (f"ver_1/{key}", kind)
            assert said(**{key: None}) == said(**{key: 7}) == ()
        files = [{"url": url, "filename": "a.pdf", "byte-size": 7}, {"url": None}, "odd"]
        (media,) = said(files=files)
        assert (media.id, media.kind) == ("ver_1/files/0", MediaKind.DOCUMENT)

    def test_a_file_that_is_gone_is_one_clear_error(self, idv: Gateway, network: Network, clock: FakeClock) -> None:
        flow = idv.open(order())
        with pytest.raises(FlowNotFound, match="no such file"):
            idv.download(flow, Media(id="ver_1/front-photo-url", kind=MediaKind.DOCUMENT_FRONT), BytesIO())

    def test_only_hosts_that_the_account_allows(self) -> None:
        assert ADAPTER.allowed_hosts == ("files.withpersona.com",)


class TestSimulate:
    @pytest.mark.parametrize(
        ("outcome", "status", "word", "decision"),
        [
            ("approved", FlowStatus.FINISHED, "approved", Decision.APPROVED),
            ("declined", FlowStatus.FINISHED, "declined", Decision.DECLINED),
            ("review", FlowStatus.FINISHED, "needs_review", Decision.REVIEW),
            ("failed", FlowStatus.FINISHED, "failed", Decision.DECLINED),
            ("expired", FlowStatus.EXPIRED, "expired", Decision.UNDECIDED),
            ("completed", FlowStatus.PROCESSING, "completed", Decision.UNDECIDED),
        ],
    )
    def test_one_word_leads_to_that_end_and_twice_is_once(
        self,
        connect: Connect,
        emulator: PersonaEmulator,
        outcome: str,
        status: FlowStatus,
        word: str,
        decision: Decision,
    ) -> None:
        idv = connect(simulated_verifications=["vtmpl_1"])
        flow = idv.open(order())
        for _ in range(2):
            assert idv.simulate(flow, outcome).status is status
        result = idv.result(flow)
        assert (result.vendor_word, result.decision, result.is_test) == (word, decision, True)
        assert sum(call.endswith("perform-simulate-actions") for call in emulator.calls) == 1
        assert outcome in ADAPTER.simulations

    def test_without_verifications_nothing_is_approved(self, idv: Gateway) -> None:
        flow = idv.open(order())
        idv.simulate(flow, "approved")
        assert idv.result(flow).decision is Decision.REVIEW

    def test_one_that_has_begun_is_not_begun_again(self, idv: Gateway, emulator: PersonaEmulator) -> None:
        flow = idv.open(order())
        emulator.begin(emulator.inquiries[flow.id])
        assert idv.simulate(flow, "declined").status is FlowStatus.FINISHED

    def test_a_word_that_there_is_not_is_refused(self, idv: Gateway) -> None:
        flow = idv.open(order())
        with pytest.raises(InvalidOrder, match="approved, declined"):
            idv.simulate(flow, "splendid")

    def test_persona_refuses_it_outside_the_sandbox(self, connect: Connect, emulator: PersonaEmulator) -> None:
        emulator.api_key = "persona_production_4711"
        idv = connect(api_key=Secret(emulator.api_key))
        flow = idv.open(order())
        with pytest.raises(PermissionDenied):
            idv.simulate(flow, "approved")


class TestCoverage:
    def test_says_what_the_pages_say(self) -> None:
        covered = run_exchange(ADAPTER.coverage(), []).value
        assert {"passport", "driving_permit", "idcard"} <= covered.document_types
        assert {
            "document.authenticity",
            "face_match.selfie_to_document",
            "liveness",
            "screening.watchlist",
        } <= covered.checks
        kinds = {kind.value: names for kind, names in CHECK_NAMES.items()}
        for check in covered.checks:
            kind, _, name = check.partition(".")
            assert name in ("", "other", *kinds[kind]), check
        assert (covered.countries, covered.templates) == (None, ())


class TestSdk:
    def test_a_session_where_the_account_wants_one(self, connect: Connect, clock: FakeClock) -> None:
        assert connect().open(order()).sdk is None
        idv = connect(sdk_session=True)
        flow = idv.open(order(application_id="APP-2"))
        assert flow.sdk is not None
        assert flow.link is not None
        assert (flow.sdk.kind, flow.sdk.expires_at) == ("persona", clock.now() + timedelta(days=1))
        clock.advance(60)
        assert idv.renew_link(flow).sdk is not None

    def test_the_end_of_a_token(self) -> None:
        def token(claims: Any) -> str:
            body = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
            return f"e30.{body}.sig"

        assert end_of_token(token({"exp": 1573939061})) == datetime(2019, 11, 16, 21, 17, 41, tzinfo=UTC)
        for odd in ({}, {"exp": "soon"}, {"exp": True}, {"exp": 10**30}, {"exp": -(10**30)}, [], "x"):
            assert end_of_token(token(odd)) is None
        for odd in ("", "a.b", "a.b.c.d", "e30.é.x", f"e30.{'A' * 20_000}.x", "e30.!!!.x"):
            assert end_of_token(odd) is None

    def test_an_answer_without_a_token_is_not_taken(self) -> None:
        settings = attrs.evolve(SETTINGS, sdk_session=True)
        data = {"type": "inquiry", "id": "inq_1", "attributes": {"status": "pending", "created-at": START.isoformat()}}
        link = {"data": data, "meta": {"one-time-link": "https://withpersona.com/verify?code=1"}}
        flow = Flow(id="inq_1", status="open")
        answers = [{"data": data}, link, {"data": data, "meta": {}}]
        with pytest.raises(UnexpectedResponse, match="session-token"):
            run_exchange(Persona(settings).renew_link(flow), map(reply, answers))


@pytest.mark.parametrize(
    "operation",
    [
        lambda flow: ADAPTER.cancel(flow),
        lambda flow: ADAPTER.review(flow, BY_PERSON),
        lambda flow: ADAPTER.erase(flow),
        lambda flow: ADAPTER.media(flow),
        lambda flow: ADAPTER.retry(flow, order()),
        lambda flow: ADAPTER.simulate(flow, "approved"),
        lambda flow: ADAPTER.download(flow, Media(id="print", kind=MediaKind.REPORT)),
    ],
)
def test_ids_of_nobody_go_nowhere(operation: Any) -> None:
    with pytest.raises(InvalidOrder):
        run_exchange(operation(Flow(id="../admin", status="open")), [])


@given(
    st.lists(json_values, min_size=1, max_size=3), st.sampled_from(["cancel", "review", "erase", "media", "simulate"])
)
def test_any_answer_is_a_model_or_an_error(answers: list[Any], operation: str) -> None:
    more = {"review": (BY_PERSON,), "simulate": ("approved",)}.get(operation, ())
    with pytest.raises(UnexpectedResponse):
        run_exchange(getattr(ADAPTER, operation)(Flow(id="inq_1", status="open"), *more), map(reply, answers))
