"""What becomes of one order that is opened twice, lost, cancelled, refused, or answered with somebody else's session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import attrs
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_stripe import StripeIdentity, StripeSettings, idv_plugin
from idv_stripe.same import same
from idv_stripe.testing.emulator import StripeEmulator
from idv_stripe.testing.harness import MEERA, order, pictures

from idv_core import Applicant, Decision, Flow, FlowOrder, FlowStatus, Gateway, OutcomeUnknown, Secret
from idv_core.config import Account
from idv_core.errors import DuplicateFlow, IdvError, InvalidOrder, RateLimited, UnexpectedResponse
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_like

SESSIONS = "/v1/identity/verification_sessions"
SETTINGS = StripeSettings(api_key=Secret("sk_test_4711"), base_url="https://stripe.example")
ADAPTER = StripeIdentity(SETTINGS)

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(network: Network, clock: FakeClock, emulator: StripeEmulator, settings: dict[str, object]) -> Connect:
    """A gateway of a process of its own: it knows of no flow that another one opened."""

    def connect(**changes: object) -> Gateway:
        account = Account("stripe", "stripe", {**settings, **changes}, test=True)
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect


def cancel(idv: Gateway, flow: Flow) -> None:
    idv.cancel(flow)


def open_at(idv: Gateway, order: FlowOrder) -> Flow:
    """By the plugin itself, as the gateway does for a shadow."""
    flow = idv.vendor(lambda stripe: stripe.open_flow(order))
    return attrs.evolve(flow, account="stripe", application_id=order.application_id)


def recover_at(idv: Gateway, order: FlowOrder) -> Flow:
    return idv.vendor(lambda stripe: stripe.recover(order, None))


class TestOpeningAgain:
    def test_in_another_process_it_is_the_same_session_with_the_link_of_now(
        self, connect: Connect, clock: FakeClock, emulator: StripeEmulator
    ) -> None:
        flow = connect().open(order())
        clock.advance(3600)
        again = connect().open(order())
        assert (again.id, again.status, len(emulator.sessions)) == (flow.id, FlowStatus.AWAITING_APPLICANT, 1)
        assert again.link is not None
        assert again.link.expires_at == clock.now() + timedelta(hours=48)

    def test_a_session_that_is_over_is_not_given_out_and_gets_one_successor(
        self, connect: Connect, emulator: StripeEmulator
    ) -> None:
        ids = []
        for _ in range(3):
            flow = connect().open(order())
            assert connect().open(order()).id == flow.id
            assert flow.status is connect().status(flow).status is FlowStatus.AWAITING_APPLICANT
            cancel(connect(), flow)
            ids.append(flow.id)
        assert len({*ids}) == len(emulator.sessions) == 3

    def test_so_does_one_that_was_redacted_or_finished(
        self, connect: Connect, network: Network, clock: FakeClock, emulator: StripeEmulator
    ) -> None:
        first = connect().open(order())
        emulator.sessions[first.id].redaction = "processing"
        second = connect().open(order())
        assert second.link is not None
        with network.client() as browser:
            submit_forms(browser, second.link.url.reveal(), *pictures(MEERA))
        assert connect().open(order()).status is FlowStatus.PROCESSING
        clock.advance(5)
        assert connect().result(second).decision is Decision.APPROVED
        assert connect().open(order()).id not in (first.id, second.id)

    def test_one_that_the_vendor_no_longer_knows_is_no_flow(self, connect: Connect, emulator: StripeEmulator) -> None:
        lost = connect().open(order())
        del emulator.sessions[lost.id]
        assert connect().open(order()).id in emulator.sessions

    def test_co_applicants_products_templates_tenants_and_shadows_have_sessions_of_their_own(
        self, connect: Connect, clock: FakeClock, emulator: StripeEmulator
    ) -> None:
        orders = [
            order(),
            order(applicant=Applicant(reference="CUST-2", email="rohan@example.org")),
            order(product="loan"),
            order(template="vf_strict"),
            order(application_id="APP-2"),
            order(tenant="bank-a"),
            order(tenant="bank-b"),
            order(is_shadow=True),
            order(tenant="bank-a", is_shadow=True),
        ]
        opened = [open_at(connect(), one).id for one in orders]
        assert len({*opened}) == len(orders) == len(emulator.sessions)
        for later in (timedelta(0), timedelta(days=2)):
            clock.advance(later.total_seconds())
            assert [open_at(connect(), one).id for one in orders] == opened
            assert [recover_at(connect(), one).id for one in orders] == opened

    def test_with_other_details_it_is_one_clear_error(self, connect: Connect) -> None:
        connect().open(order())
        changed = order(applicant=Applicant(reference="CUST-9283", email="other@example.org"))
        for call in (lambda idv: idv.open(changed), lambda idv: idv.recover(changed)):
            with pytest.raises(DuplicateFlow, match="another application_id"):
                call(connect())

    def test_days_later_it_is_still_the_session_that_is_under_way(
        self, connect: Connect, clock: FakeClock, emulator: StripeEmulator
    ) -> None:
        flow = connect().open(order())
        clock.advance(3 * 24 * 3600)
        again = connect().open(order())
        assert (again.id, len(emulator.sessions)) == (flow.id, 1)
        assert again.link is not None
        cancel(connect(), flow)
        assert connect().open(order()).id != flow.id

    @pytest.mark.parametrize("status", [404, 410])
    def test_a_page_that_is_not_there_is_not_a_list_without_sessions(self, clock: FakeClock, status: int) -> None:
        asked: list[str] = []

        def vendor(request: httpx.Request) -> httpx.Response:
            asked.append(request.method)
            return httpx.Response(status, html="<h1>Not found</h1>")

        idv = gateway_at(vendor, clock)
        for call in (idv.open, idv.recover):
            with pytest.raises(UnexpectedResponse, match="not understood"):
                call(order())
        assert {*asked} == {"GET"}

    def test_a_session_is_gone_only_where_stripe_says_so(self, clock: FakeClock) -> None:
        """A proxy's 404 behind a replayed answer opens no successor."""
        created: list[str] = []

        def vendor(request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                created.append(request.headers["idempotency-key"])
                return httpx.Response(200, content=A_SESSION.content, headers={"Idempotent-Replayed": "true"})
            is_list = request.url.path == SESSIONS
            return httpx.Response(200, json=NO_SESSIONS) if is_list else httpx.Response(404, html="<h1>Not found</h1>")

        with pytest.raises(OutcomeUnknown):
            gateway_at(vendor, clock).open(order())
        assert len(created) == 1

    @pytest.mark.parametrize("status", ["verified", "canceled"])
    def test_what_has_just_been_made_is_not_over(self, status: str) -> None:
        answers = [reply(NO_SESSIONS), reply({"id": "vs_1", "status": status})]
        with pytest.raises(UnexpectedResponse, match="over already"):
            run_exchange(ADAPTER.open_flow(order()), answers)

    def test_the_same_order_is_the_same_bytes(self) -> None:
        first, second = (
            run_exchange(StripeIdentity(SETTINGS).open_flow(order()), [reply(NO_SESSIONS), A_SESSION]) for _ in range(2)
        )
        assert first.requests == second.requests
        assert first.requests[1].headers == second.requests[1].headers


NO_SESSIONS = {"data": [], "has_more": False}
A_SESSION = reply({"id": "vs_1", "status": "requires_input", "url": "https://verify.stripe.com/start/x"})


class TestAKeyInUse:
    def in_use(self) -> EmulatedResponse:
        error = {"type": "invalid_request_error", "code": "idempotency_key_in_use", "message": "in progress"}
        return EmulatedResponse(409, {"error": error})

    def test_is_waited_for(self, connect: Connect, clock: FakeClock, emulator: StripeEmulator) -> None:
        emulator.fault(f"POST {SESSIONS}", self.in_use(), times=2)
        begun = clock.now()
        assert connect().open(order()).id in emulator.sessions
        assert clock.now() - begun >= timedelta(seconds=2)

    def test_for_longer_than_we_wait_it_can_be_repeated(self, connect: Connect, emulator: StripeEmulator) -> None:
        emulator.fault(f"POST {SESSIONS}", self.in_use(), times=100)
        with pytest.raises(RateLimited) as caught:
            connect().open(order())
        assert (caught.value.nothing_done, caught.value.safe_to_retry) == (True, True)
        assert caught.value.retry_after == timedelta(seconds=1)

    def test_after_a_time_out_of_ours_nothing_is_certain(self, clock: FakeClock) -> None:
        answers = iter([httpx.ReadTimeout("slow")])

        def vendor(request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return httpx.Response(200, json=NO_SESSIONS)
            for fault in answers:
                raise fault
            return httpx.Response(409, json=self.in_use().data)

        with pytest.raises(OutcomeUnknown) as caught:
            gateway_at(vendor, clock).open(order())
        assert caught.value.ask == "recover"


def gateway_at(vendor: Callable[[httpx.Request], httpx.Response], clock: FakeClock) -> Gateway:
    settings = {"api_key": Secret("sk_test_4711"), "base_url": "https://stripe.example"}
    transport = httpx.MockTransport(vendor)
    account = Account("stripe", "stripe", settings, test=True)
    return Gateway([account], transport=transport, clock=clock, registry=registry_of(idv_plugin()))


class TestRecovering:
    @pytest.mark.parametrize("further", [0, 1, 2, 3, 5])
    def test_a_500_that_is_kept_does_not_burn_the_order(
        self, connect: Connect, emulator: StripeEmulator, further: int
    ) -> None:
        """Each key keeps its first answer; so many further ones begin with a 500, too."""
        emulator.failing = 1
        with pytest.raises(OutcomeUnknown):
            connect().open(order())
        emulator.failing = further
        for _ in range(further // 3):
            with pytest.raises(OutcomeUnknown):
                connect().recover(order())
        flow = connect().recover(order())
        assert [*emulator.sessions] == [flow.id]
        assert connect().recover(order()).id == flow.id

    def test_it_does_not_where_the_replay_is_not_marked(self, clock: FakeClock) -> None:
        kept: dict[str, int] = {}

        def vendor(request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return httpx.Response(200, json={"data": [], "has_more": False})
            status = kept.setdefault(request.headers["idempotency-key"], 200 if kept else 500)
            return httpx.Response(status, content=A_SESSION.content if status == 200 else b"{}")

        with pytest.raises(OutcomeUnknown):
            gateway_at(vendor, clock).open(order())
        assert gateway_at(vendor, clock).recover(order()).id == "vs_1"

    def test_another_products_and_another_templates_session_is_not_taken(
        self, connect: Connect, emulator: StripeEmulator
    ) -> None:
        light = connect().open(order(template="vf_light"))
        for strict in (order(product="loan", template="vf_light"), order(template="vf_strict"), order()):
            assert connect().recover(strict).id != light.id

    def test_a_dead_session_is_not_taken(self, connect: Connect) -> None:
        flow = connect().open(order())
        cancel(connect(), flow)
        found = connect().recover(order())
        assert (found.id != flow.id, found.status) == (True, FlowStatus.AWAITING_APPLICANT)

    def test_weaker_options_are_not_taken(self, connect: Connect) -> None:
        connect(require_matching_selfie=False).open(order())
        with pytest.raises(DuplicateFlow, match="options"):
            connect().recover(order())

    def test_what_was_made_before_the_lost_opening_is_another_flow(self, clock: FakeClock) -> None:
        now = int(clock.now().timestamp())
        told = {"application_id": "APP-1", "product": "wallet"}
        session = {"id": "vs_old", "status": "requires_input", "metadata": told, "client_reference_id": "CUST-9283"}

        def opened(created: Any) -> tuple[str, ...]:
            listed = reply({"data": [{**session, "created": created}], "has_more": False})
            ran = run_exchange(
                ADAPTER.recover(order(), clock.now()), [listed, reply({**session, "url": "https://x.stripe.com/"})]
            )
            return tuple(request.method for request in ran.requests)

        assert opened(now) == opened(now - 59) == ("GET", "GET")
        assert opened(now - 61) == opened(None) == ("GET", "POST")

    @given(
        st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=12),
        st.sampled_from([True, False, None]),
        st.booleans(),
    )
    def test_the_list_ends_whatever_paging_the_vendor_has(
        self, pages: list[list[int]], has_more: bool | None, ours_is_there: bool
    ) -> None:
        """Pages that repeat, overlap, are empty, or never end by themselves: each page but the last brings something new."""
        asked: list[list[int]] = []

        def answers() -> Iterator[Any]:
            for page in pages:
                asked.append(page)
                yield reply({"data": [{"id": f"vs_{number}"} for number in page], "has_more": has_more})
            while True:
                asked.append([])
                yield reply({"data": [], "has_more": has_more})

        exchange = ADAPTER._listed(order(), None)
        assert run_exchange(exchange, answers()).value is None
        seen: set[int] = set()
        for page in asked[:-1]:
            assert not seen.issuperset(page)
            seen.update(page)

    def test_a_list_without_an_end_is_an_error(self) -> None:
        numbers = iter(range(10_000))
        endless = (reply({"data": [{"id": f"vs_{number}"}], "has_more": True}) for number in numbers)
        with pytest.raises(UnexpectedResponse, match="does not end"):
            run_exchange(ADAPTER._listed(order(), None), endless)
        assert next(numbers) <= 101


class TestWhoseSession:
    @pytest.mark.parametrize(
        "told",
        [
            {"metadata": {"application_id": "APP-2"}},
            {"metadata": {"product": "loan"}},
            {"metadata": {"application_id": "APP-1", "product": "wallet", "tenant": "bank-b"}},
            {"metadata": {"application_id": "APP-1", "product": "wallet", "is_shadow": "true"}},
            {"client_reference_id": "CUST-2"},
            {"client_reference_id": 7},
            {"verification_flow": "vf_another"},
            {"provided_details": {"email": "rohan@example.org"}},
            {"options": {"document": {"require_matching_selfie": False}}},
        ],
    )
    def test_what_was_opened_is_compared_with_what_was_asked(self, clock: FakeClock, told: dict[str, Any]) -> None:
        session = {"id": "vs_1", "status": "requires_input", "url": "https://verify.stripe.com/start/x", **told}
        with pytest.raises(OutcomeUnknown, match="of another order"):
            gateway_at(lambda _: httpx.Response(200, json=session), clock).open(order())

    @given(
        mail=st.sampled_from(["meera@example.org", "MEERA@Example.ORG", " Meera@example.org"]),
        phone=st.sampled_from(["+919812345678", "+91 98123 45678", "0091 98123-45678", "098123 45678", "9812345678"]),
    )
    def test_the_vendors_own_spelling_is_nobody_else(self, mail: str, phone: str) -> None:
        person = Applicant(reference="CUST-9283", email="Meera@Example.org", phone_number="+919812345678")
        session = {
            **json.loads(A_SESSION.content),
            "client_reference_id": "CUST-9283",
            "metadata": {"application_id": "APP-1", "product": "wallet"},
            "provided_details": {"email": mail, "phone": phone},
        }
        asked = order(applicant=person)
        for answers in (
            [reply(NO_SESSIONS), reply(session)],
            [reply({"data": [session], "has_more": False}), reply(session)],
        ):
            assert run_exchange(ADAPTER.open_flow(asked), answers).value.id == "vs_1"

    @pytest.mark.parametrize("phone", ["+919812345679", "98123", "+9812345678", "", "+57 98123 45678"])
    def test_another_number_is_somebody_else(self, phone: str) -> None:
        assert same("email", "meera@example.org", "meera@example.com") is False
        assert same("phone", "+919812345678", phone) is False

    def test_a_shadows_session_stays_one_whichever_way_it_is_reached(
        self, connect: Connect, network: Network, clock: FakeClock
    ) -> None:
        flow = open_at(connect(), order(is_shadow=True))
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(MEERA))
        clock.advance(5)
        result = connect().result(flow)
        assert (result.decision, [doubt.code for doubt in result.doubts]) == (Decision.REVIEW, ["flow.shadow"])
        assert connect().result(attrs.evolve(flow, is_shadow=True)).decision is Decision.UNDECIDED

    @pytest.mark.parametrize("told", [{"metadata": {"application_id": "APP-2"}}, {"client_reference_id": "CUST-2"}])
    def test_what_is_looked_at_is_the_flows_own(
        self, connect: Connect, emulator: StripeEmulator, told: dict[str, Any]
    ) -> None:
        idv = connect()
        flow = idv.open(order())
        session = emulator.sessions[flow.id]
        session.metadata |= told.get("metadata", {})
        session.client_reference_id = told.get("client_reference_id", session.client_reference_id)
        looks: tuple[Callable[[], object], ...] = (
            lambda: idv.result(flow),
            lambda: idv.status(flow),
            lambda: idv.renew_link(flow),
        )
        for look in looks:
            with pytest.raises(UnexpectedResponse, match="another session"):
                look()
        if "client_reference_id" in told:
            with pytest.raises(UnexpectedResponse, match="another session"):
                idv.result(flow.ref)

    @pytest.mark.parametrize("id", ["\ud800", "x" * 100_000, "a b", "é", "a\nb"])
    def test_a_reference_that_is_none_is_the_callers_mistake(self, id: str) -> None:
        flow = Flow(id=id, status="open")
        for exchange in (ADAPTER.result(flow), ADAPTER.renew_link(flow), ADAPTER.cancel(flow)):
            with pytest.raises(InvalidOrder):
                run_exchange(exchange, [])

    @given(st.data())
    def test_a_mutated_answer_opens_nothing_of_anybody_else(self, data: st.DataObject) -> None:
        good = {
            "id": "vs_1",
            "status": "requires_input",
            "url": "https://verify.stripe.com/start/x",
            "metadata": {"application_id": "APP-1", "product": "wallet"},
            "client_reference_id": "CUST-9283",
        }
        answer = data.draw(json_like([good]))
        try:
            flow = run_exchange(ADAPTER.open_flow(order()), [reply(NO_SESSIONS), reply(answer)]).value
        except IdvError:
            return
        said = json.loads(json.dumps(answer))
        assert flow.id == said["id"]
        assert said.get("client_reference_id") in (None, "CUST-9283")


def test_what_is_sent_is_what_was_asked(connect: Connect, clock: FakeClock) -> None:
    sent: list[dict[str, str]] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=NO_SESSIONS)
        sent.append(dict(parse_qsl(request.content.decode())))
        return httpx.Response(200, json=json.loads(A_SESSION.content))

    asked: FlowOrder = attrs.evolve(order(), return_url="https://platform.example/thanks")
    gateway_at(vendor, clock).open(asked)
    assert sent[0]["return_url"] == "https://platform.example/thanks"
    assert sent[0]["metadata[application_id]"] == "APP-1"
