"""What becomes of a verification besides opening and reading it: webhooks, attempts, people's words, pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import httpx
import pytest
from idv_plaid import PlaidIdentityVerification, PlaidSettings, idv_plugin
from idv_plaid.testing.emulator import PlaidEmulator
from idv_plaid.testing.harness import HOST, MEERA, ROHAN, applicant, forms, order

from idv_core import Decision, Flow, FlowStatus, Gateway, OutcomeUnknown, Secret
from idv_core.config import Account, Webhooks
from idv_core.errors import (
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    UnexpectedResponse,
    UnsupportedOperation,
    VendorUnavailable,
    WebhookRejected,
)
from idv_core.model import MediaKind, Review
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network, WebhookRequest, make_specimen
from idv_core.testing.applicant import submit_forms
from idv_core.testing.exchange import reply, run_exchange

PLATFORM = "https://platform.example/idv"
RETRY = "POST /identity_verification/retry"
KEY = "POST /webhook_verification_key/get"

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(network: Network, clock: FakeClock, settings: dict[str, object]) -> Connect:
    """A gateway of a process of its own: it knows of no flow that another one opened."""

    def connect(transport: Any = network, **changes: object) -> Gateway:
        account = Account("plaid", "plaid", {**settings, **changes}, test=True)
        webhooks = Webhooks(PLATFORM, Secret("key-of-the-tests-0123456789abcdef"))
        registry = registry_of(idv_plugin())
        return Gateway([account], webhooks=webhooks, transport=transport, clock=clock, registry=registry)

    return connect


@pytest.fixture
def idv(connect: Connect) -> Gateway:
    return connect()


@pytest.fixture
def finish(network: Network, clock: FakeClock) -> Callable[..., None]:
    def finish(flow: Flow, face: Any = MEERA) -> None:
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *forms(face))
        clock.advance(5)

    return finish


class TestWebhooks:
    @pytest.fixture
    def call(self, idv: Gateway, emulator: PlaidEmulator, clock: FakeClock) -> Callable[..., WebhookRequest]:
        path = idv.webhook_url("plaid", "events").reveal().removeprefix(f"{PLATFORM}/plaid")

        def call(code: str = "STATUS_UPDATED", id: str = "idv_1", **changes: Any) -> WebhookRequest:
            body = emulator.event(code, id)
            headers = {"Plaid-Verification": emulator.keys[-1].token(body, clock.now())}
            made = WebhookRequest(method="POST", path=path, headers=headers, body=body)
            return attrs.evolve(made, **changes)

        return call

    @pytest.mark.parametrize("code", ["STATUS_UPDATED", "STEP_UPDATED", "RETRIED"])
    def test_a_signed_webhook_names_its_flow(
        self, idv: Gateway, call: Callable[..., WebhookRequest], code: str
    ) -> None:
        received = idv.receive("plaid", call(code))
        assert (received.flow_ref, received.event, received.fetch) == ("plaid/idv_1", code, True)

    def test_a_key_is_fetched_once_until_plaid_signs_with_another(
        self, idv: Gateway, call: Callable[..., WebhookRequest], emulator: PlaidEmulator, clock: FakeClock
    ) -> None:
        for number in range(3):
            idv.receive("plaid", call(id=f"idv_{number}"))
        assert emulator.calls.count(KEY) == 1
        emulator.rotate_key()
        clock.advance(31)
        idv.receive("plaid", call(id="idv_4"))
        assert emulator.calls.count(KEY) == 2
        old = emulator.event("STATUS_UPDATED", "idv_5")
        signed = {"Plaid-Verification": emulator.keys[0].token(old, clock.now())}
        clock.advance(3601)
        signed = {"Plaid-Verification": emulator.keys[0].token(old, clock.now())}
        with pytest.raises(WebhookRejected, match="expired") as caught:
            idv.receive("plaid", call(headers=signed, body=old))
        assert caught.value.status == 401

    def test_what_is_not_signed_by_plaid_is_refused(
        self, idv: Gateway, call: Callable[..., WebhookRequest], emulator: PlaidEmulator, clock: FakeClock
    ) -> None:
        from idv_plaid.testing.signer import SigningKey

        body = emulator.event("STATUS_UPDATED", "idv_1")
        forged = SigningKey(clock.now())
        named = SigningKey(clock.now(), id=emulator.keys[0].id)
        for wrong in (
            call(headers={}),
            call(headers={"Plaid-Verification": "no.to.ken"}),
            call(body=body + b" "),
            call(headers={"Plaid-Verification": named.token(body, clock.now())}),
            call(headers={"Plaid-Verification": forged.token(body, clock.now())}),
        ):
            with pytest.raises(WebhookRejected) as caught:
                idv.receive("plaid", wrong)
            assert caught.value.status == 401
        with pytest.raises(WebhookRejected, match="too old"):
            late = call()
            clock.advance(301)
            idv.receive("plaid", late)

    def test_a_webhook_of_another_product_leads_nowhere(
        self, idv: Gateway, call: Callable[..., WebhookRequest], emulator: PlaidEmulator, clock: FakeClock
    ) -> None:
        for body in (b'{"webhook_type": "ITEM", "webhook_code": "ERROR", "identity_verification_id": "idv_1"}', b"{}"):
            headers = {"Plaid-Verification": emulator.keys[-1].token(body, clock.now())}
            received = idv.receive("plaid", call(headers=headers, body=body))
            assert (received.flow_ref, received.fetch) == (None, False)

    def test_a_key_of_another_name_is_not_taken(self) -> None:
        settings = PlaidSettings(client_id="me", secret=Secret("s"), template_id="t")
        with pytest.raises(UnexpectedResponse, match="another key"):
            answer = reply({"key": {"kid": "k-2"}, "request_id": "r"})
            run_exchange(PlaidIdentityVerification(settings).webhook_key("k-1"), [answer])

    def test_the_emulators_events_tell_a_whole_life(
        self, idv: Gateway, emulator: PlaidEmulator, finish: Callable[..., None], clock: FakeClock
    ) -> None:
        events: list[tuple[str, str | None]] = []

        def receive(request: httpx.Request) -> httpx.Response:
            path = request.url.path.removeprefix("/idv/plaid")
            headers = dict(request.headers)
            received = idv.receive(
                "plaid", WebhookRequest(method="POST", path=path, headers=headers, body=request.content)
            )
            events.append((received.event, received.flow_ref))
            return httpx.Response(200)

        emulator._client = lambda: httpx.Client(transport=httpx.MockTransport(receive))
        emulator.webhook = idv.webhook_url("plaid", "events").reveal()
        flow = idv.open(order())
        finish(flow)
        clock.advance(1)
        assert {ref for _, ref in events} == {f"plaid/{flow.id}"}
        assert [event for event, _ in events] == ["STEP_UPDATED"] * 4 + ["STATUS_UPDATED"]


class TestAttempts:
    def test_a_new_attempt_is_a_flow_of_its_own_that_names_the_one_before(
        self, idv: Gateway, emulator: PlaidEmulator, finish: Callable[..., None]
    ) -> None:
        finish(flow := idv.open(order()), ROHAN)
        assert idv.result(flow).decision is Decision.DECLINED
        again = idv.retry(flow, order())
        assert again.id != flow.id
        assert (again.previous_id, again.attempt, again.status) == (flow.id, 2, FlowStatus.AWAITING_APPLICANT)
        finish(again)
        result = idv.result(again)
        assert result.decision is Decision.APPROVED
        assert (result.flow.previous_id, result.flow.attempt) == (flow.id, 2)
        assert "skipped" not in {check.vendor_word for check in result.checks}
        assert idv.result(flow).decision is Decision.DECLINED

    def test_in_another_process_it_is_the_same_attempt(
        self, connect: Connect, emulator: PlaidEmulator, finish: Callable[..., None]
    ) -> None:
        finish(flow := connect().open(order()), ROHAN)
        again = connect().retry(flow, order())
        assert connect().retry(flow.ref, order()).id == again.id
        opened = connect().open(order())
        assert (opened.id, opened.attempt, opened.previous_id) == (again.id, 2, flow.id)
        assert connect().recover(order()).id == again.id
        assert len(emulator.attempts) == 2

    def test_while_it_is_under_way_there_is_no_other(self, idv: Gateway, emulator: PlaidEmulator) -> None:
        flow = idv.open(order())
        with pytest.raises(DuplicateFlow, match="still under way"):
            idv.retry(flow, order())
        assert len(emulator.attempts) == 1

    def test_with_another_order_there_is_none(
        self, idv: Gateway, emulator: PlaidEmulator, finish: Callable[..., None]
    ) -> None:
        finish(flow := idv.open(order()), ROHAN)
        for other in (order(application_id="APP-2"), order(applicant=applicant(reference="CUST-2"))):
            with pytest.raises(InvalidOrder, match="the order that it was opened with"):
                idv.retry(flow, other)
        assert RETRY not in emulator.calls

    def test_one_that_was_never_answered_is_found_again(
        self, connect: Connect, emulator: PlaidEmulator, network: Network, finish: Callable[..., None]
    ) -> None:
        class Losing(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                answer = network.handle_request(request)
                if request.url.path.endswith("/retry"):
                    raise httpx.ReadError("the answer was lost")
                return answer

        finish(flow := connect().open(order()), ROHAN)
        with pytest.raises(OutcomeUnknown):
            connect(Losing()).retry(flow, order())
        again = connect().retry(flow, order())
        assert again.previous_id == flow.id
        assert len(emulator.attempts) == 2

    @pytest.mark.parametrize("of", [{"id": "same"}, {"previous_attempt_id": "idv_other"}, {"client_user_id": "x"}])
    def test_an_answer_that_is_no_attempt_after_it_is_not_taken(
        self, connect: Connect, emulator: PlaidEmulator, finish: Callable[..., None], of: dict[str, str]
    ) -> None:
        finish(flow := connect().open(order()), ROHAN)
        attempt = emulator.attempts[flow.id]
        answer = attempt.shown("https://plaid.example", lambda path, _: path, 2)
        good = {**answer, "id": "idv_new", "previous_attempt_id": flow.id, "status": "active"}
        wrong = {**good, **of} if of != {"id": "same"} else {**good, "id": flow.id}
        emulator.fault(RETRY, EmulatedResponse(200, wrong))
        with pytest.raises(OutcomeUnknown):
            connect().retry(flow, order())
        emulator.fault(RETRY, EmulatedResponse(200, good))
        assert connect().retry(flow, order()).id == "idv_new"


class TestPeople:
    def test_a_hit_waits_for_a_persons_word(
        self, idv: Gateway, emulator: PlaidEmulator, finish: Callable[..., None]
    ) -> None:
        emulator.listed.add(MEERA.name)
        finish(flow := idv.open(order()))
        result = idv.result(flow)
        assert (result.decision, result.decided_by, result.flow.may_reopen) == (Decision.REVIEW, "vendor", True)
        emulator.override(flow.id, "watchlist_screening", "manually_approved")
        result = idv.result(flow)
        assert (result.decision, result.decided_by) == (Decision.APPROVED, "person")

    def test_an_approval_that_a_person_withdrew_stands_no_longer(
        self, idv: Gateway, emulator: PlaidEmulator, finish: Callable[..., None]
    ) -> None:
        finish(flow := idv.open(order()))
        assert idv.result(flow).approved
        emulator.override(flow.id, "selfie_check", "manually_rejected")
        result = idv.result(flow)
        assert (result.decision, result.decided_by) == (Decision.DECLINED, "person")

    def test_what_only_people_can_do_at_plaid_is_not_offered(self, idv: Gateway) -> None:
        flow = idv.open(order())
        review = Review(outcome="approve", author="ana", reason="looked at it")  # type: ignore[arg-type]
        for operation in (
            lambda: idv.cancel(flow),
            lambda: idv.erase(flow),
            lambda: idv.review(flow, review),
            lambda: idv.simulate(flow, "approved"),
        ):
            with pytest.raises(UnsupportedOperation):
                operation()

    def test_a_redacted_verification_is_erased(
        self, idv: Gateway, emulator: PlaidEmulator, finish: Callable[..., None]
    ) -> None:
        finish(flow := idv.open(order()))
        emulator.redact(flow.id)
        assert idv.status(flow).status is FlowStatus.ERASED
        assert idv.media(flow) == ()


class TestMedia:
    @pytest.fixture
    def flow(self, idv: Gateway, finish: Callable[..., None]) -> Flow:
        finish(flow := idv.open(order()))
        return flow

    def test_what_was_handed_in_is_fetched(self, idv: Gateway, flow: Flow, clock: FakeClock) -> None:
        found = {media.id: media for media in idv.media(flow)}
        assert {name: media.kind for name, media in found.items()} == {
            "documents/1/original_front": MediaKind.DOCUMENT_FRONT,
            "documents/1/cropped_front": MediaKind.DOCUMENT_FRONT,
            "documents/1/face": MediaKind.PORTRAIT,
            "selfies/1/video_url": MediaKind.VIDEO,
        }
        assert found["documents/1/face"].document == "passport"
        # their addresses have come to an end meanwhile
        clock.advance(61)
        for name, content, type_ in (
            ("documents/1/original_front", make_specimen("passport", MEERA), "image/png"),
            ("selfies/1/video_url", make_specimen("selfie", MEERA), "video/webm"),
        ):
            file = io.BytesIO()
            told = idv.download(flow.ref, found[name], file)
            assert file.getvalue() == content
            assert (told.content_type, told.size) == (type_, len(content))

    def test_no_credentials_go_where_the_pictures_are(
        self, connect: Connect, network: Network, flow: Flow, idv: Gateway
    ) -> None:
        seen: list[tuple[str, bool]] = []

        class Watching(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                seen.append((request.url.path.split("/")[1], "plaid-secret" in request.headers))
                return network.handle_request(request)

        connect(Watching()).download(flow.ref, idv.media(flow)[0], io.BytesIO())
        assert seen == [("identity_verification", True), ("verifications", False)]

    def test_a_picture_that_is_no_longer_there_is_not_found(
        self, idv: Gateway, flow: Flow, emulator: PlaidEmulator
    ) -> None:
        picture = idv.media(flow)[0]
        emulator.redact(flow.id)
        with pytest.raises(FlowNotFound, match="no such picture"):
            idv.download(flow, picture, io.BytesIO())

    def test_nothing_is_fetched_from_another_host(self, idv: Gateway, flow: Flow, emulator: PlaidEmulator) -> None:
        def store(path: str, _: bytes) -> str:
            return f"https://evil.example/{path}"

        shown = emulator.attempts[flow.id].shown(f"https://{HOST}", store, 2)
        emulator.fault("POST /identity_verification/get", EmulatedResponse(200, shown), times=2)
        picture = idv.media(flow)[0]
        file = io.BytesIO()
        with pytest.raises(UnexpectedResponse):
            idv.download(flow, picture, file)
        assert file.getvalue() == b""


class TestPlaidLink:
    def test_with_a_name_each_flow_has_a_token(
        self, connect: Connect, emulator: PlaidEmulator, clock: FakeClock, finish: Callable[..., None]
    ) -> None:
        idv = connect(client_name="Lantern")
        flow = idv.open(order())
        assert flow.sdk is not None
        assert (flow.sdk.kind, flow.sdk.token.reveal()[:5]) == ("plaid_link", "link-")
        assert flow.sdk.expires_at is not None
        assert flow.sdk.expires_at > clock.now()
        assert flow.link is not None
        again = connect(client_name="Lantern").open(order())
        assert again.sdk is not None
        assert again.sdk.token != flow.sdk.token
        finish(flow, ROHAN)
        retried = idv.retry(flow, order())
        assert retried.sdk is not None
        assert connect().open(order()).sdk is None

    def test_without_a_token_nothing_is_opened(self, connect: Connect, emulator: PlaidEmulator) -> None:
        emulator.fault("POST /link/token/create", EmulatedResponse(500, {}), times=10)
        with pytest.raises(VendorUnavailable) as caught:
            connect(client_name="Lantern").open(order())
        assert caught.value.nothing_done
        assert emulator.attempts == {}

    @pytest.mark.parametrize("name", ["", " ", "x" * 31, 7])
    def test_a_name_that_link_would_not_show_is_refused(self, name: Any) -> None:
        with pytest.raises(ValueError, match="client_name"):
            PlaidSettings(client_id="me", secret=Secret("s"), template_id="t", client_name=name)


def test_what_an_account_can_do(idv: Gateway, emulator: PlaidEmulator) -> None:
    told = idv.coverage()
    assert told.document_types is not None
    assert "passport" in told.document_types
    assert told.checks is not None
    assert {"data_source.name", "face_match.selfie_to_document", "document"} <= told.checks
    assert told.templates == (emulator.template_id,)
    assert emulator.calls == []


@pytest.fixture(autouse=True)
def closed(idv: Gateway) -> Iterator[None]:
    yield
    idv.close()
