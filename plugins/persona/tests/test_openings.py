"""What becomes of one order that is opened twice, lost, expired, refused, or answered with somebody else's inquiry."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_persona import Persona, PersonaSettings, idv_plugin
from idv_persona.orders import body_of, key_of
from idv_persona.testing.emulator import PersonaEmulator
from idv_persona.testing.harness import INQUIRIES, MEERA, TEMPLATE, order, pictures

from idv_core import Applicant, Decision, Flow, FlowOrder, FlowStatus, Gateway, OutcomeUnknown, Secret
from idv_core.config import Account
from idv_core.errors import DuplicateFlow, IdvError, InvalidOrder, UnexpectedResponse
from idv_core.plugin import Address, NotAccepted
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.clock import START
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_like

SETTINGS = PersonaSettings(
    api_key=Secret("persona_sandbox_4711"), template_id=TEMPLATE, base_url="https://persona.example/api/v1"
)
ADAPTER = Persona(SETTINGS)
NONE: dict[str, Any] = {"data": [], "links": {"prev": None, "next": None}}

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(network: Network, clock: FakeClock, emulator: PersonaEmulator, settings: dict[str, object]) -> Connect:
    """A gateway of a process of its own: it knows of no flow that another one opened."""

    def connect(**changes: object) -> Gateway:
        account = Account("persona", "persona", {**settings, **changes}, test=True)
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect


def expire(emulator: PersonaEmulator, flow: Flow) -> None:
    emulator.end(emulator.inquiries[flow.id])


def open_at(idv: Gateway, order: FlowOrder) -> Flow:
    """By the plugin itself, as the gateway does for a shadow."""
    return idv.vendor(lambda persona: persona.open_flow(order))


def recover_at(idv: Gateway, order: FlowOrder) -> Flow:
    return idv.vendor(lambda persona: persona.recover(order, None))


class TestOpeningAgain:
    def test_in_another_process_it_is_the_same_inquiry_with_a_link_of_now(
        self, connect: Connect, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        flow = connect().open(order())
        clock.advance(3600)
        again = connect().open(order())
        assert (again.id, again.status, len(emulator.inquiries)) == (flow.id, FlowStatus.AWAITING_APPLICANT, 1)
        assert again.link is not None
        assert again.link != flow.link
        assert again.link.expires_at == clock.now() + timedelta(hours=24)

    def test_one_that_is_over_is_not_given_out_and_gets_one_successor(
        self, connect: Connect, emulator: PersonaEmulator
    ) -> None:
        """All within a day, while Persona keeps the keys."""
        ids = []
        for _ in range(3):
            flow = connect().open(order())
            assert connect().open(order()).id == flow.id
            expire(emulator, flow)
            assert connect().status(flow).status is FlowStatus.EXPIRED
            ids.append(flow.id)
        assert len({*ids}) == len(emulator.inquiries) == 3

    def test_nor_is_one_that_ends_by_itself_or_is_redacted_or_decided(
        self, connect: Connect, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        first = connect().open(order())
        clock.advance(86400)
        second = connect().open(order())
        emulator.inquiries[second.id].times["redacted"] = clock.now()
        third = connect().open(order())
        assert third.link is not None
        with network.client() as browser:
            submit_forms(browser, third.link.url.reveal(), *pictures(MEERA))
        clock.advance(2)
        under_way = connect().open(order())
        assert (under_way.id, under_way.status, under_way.link) == (third.id, FlowStatus.PROCESSING, None)
        clock.advance(5)
        assert connect().result(third).decision is Decision.APPROVED
        fourth = connect().open(order())
        assert len({first.id, second.id, third.id, fourth.id}) == 4

    def test_one_whose_note_was_written_over_is_found_by_its_key(
        self, connect: Connect, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        flow = connect().open(order())
        emulator.inquiries[flow.id].note = "a reviewer was here"
        clock.advance(3600)
        assert connect().open(order()).id == flow.id
        expire(emulator, flow)
        assert connect().open(order()).id != flow.id

    def test_one_that_the_vendor_no_longer_knows_is_no_flow(
        self, connect: Connect, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        lost = connect().open(order())
        clock.advance(3600)
        del emulator.inquiries[lost.id]
        assert connect().open(order()).id in emulator.inquiries

    def test_co_applicants_products_templates_tenants_and_shadows_have_inquiries_of_their_own(
        self, connect: Connect, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        orders = [
            order(),
            order(applicant=Applicant(reference="CUST-2", email="rohan@example.org")),
            order(product="loan"),
            order(template="itmpl_strict"),
            order(template="itmplv_strict"),
            order(template="tmpl_strict"),
            order(application_id="APP-2"),
            order(tenant="bank-a"),
            order(tenant="bank-b"),
            order(is_shadow=True),
            order(tenant="bank-a", is_shadow=True),
        ]
        opened = [open_at(connect(), one).id for one in orders]
        assert len({*opened}) == len(orders) == len(emulator.inquiries)
        clock.advance(3600)
        assert [open_at(connect(), one).id for one in orders] == opened
        assert [recover_at(connect(), one).id for one in orders] == opened
        assert len({key_of(one, SETTINGS, 0) for one in orders}) == len(orders)

    def test_with_other_details_it_is_one_clear_error_until_the_applicant_has_begun(
        self, connect: Connect, emulator: PersonaEmulator
    ) -> None:
        flow = connect().open(order())
        changed = order(applicant=Applicant(reference="CUST-9283", email="other@example.org"))
        with pytest.raises(DuplicateFlow, match="details of the applicant are others"):
            connect().open(changed)
        with pytest.raises(DuplicateFlow):
            recover_at(connect(), changed)
        emulator.begin(emulator.inquiries[flow.id])
        assert connect().open(changed).id == flow.id

    def test_the_same_mail_address_and_phone_number_in_another_spelling_are_the_same(
        self, connect: Connect, emulator: PersonaEmulator
    ) -> None:
        person = Applicant(reference="CUST-1", email="Meera@Example.org", phone_number="+573005550101")
        flow = connect().open(order(applicant=person))
        fields = emulator.inquiries[flow.id].fields
        fields["email-address"]["value"] = " meera@example.org"
        fields["phone-number"]["value"] = "300-555-0101"
        assert connect().open(order(applicant=person)).id == flow.id
        fields["phone-number"]["value"] = "300-555-0102"
        with pytest.raises(DuplicateFlow):
            connect().open(order(applicant=person))

    def test_too_often_within_a_day_is_one_clear_error(
        self, connect: Connect, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        """Only where the list shows none of them, so that each key gives a dead one again."""
        for _ in range(10):
            flow = connect().open(order())
            expire(emulator, flow)
        for inquiry in emulator.inquiries.values():
            inquiry.note = None
        clock.advance(3600)
        with pytest.raises(DuplicateFlow, match="10 times within a day"):
            connect().open(order())
        with pytest.raises(DuplicateFlow, match="10 times within a day"):
            recover_at(connect(), order())


class TestRecover:
    def test_finds_it_among_many_of_the_applicant(self, connect: Connect, emulator: PersonaEmulator) -> None:
        flow = connect().open(order())
        for number in range(230):
            connect().open(order(application_id=f"OTHER-{number}"))
        assert recover_at(connect(), order()).id == flow.id
        assert len(emulator.inquiries) == 231

    def test_takes_none_that_was_over_before_the_lost_call_began(
        self, connect: Connect, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        flow = connect().open(order())
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(MEERA))
        clock.advance(3600)
        began = clock.now()
        found = connect().vendor(lambda persona: persona.recover(order(), began))
        assert found.id != flow.id
        assert recover_at(connect(), order()).id == found.id

    def test_takes_the_one_that_ended_since(
        self, connect: Connect, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        began = clock.now()
        flow = connect().open(order())
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(MEERA))
        clock.advance(60)
        found = connect().vendor(lambda persona: persona.recover(order(), began))
        assert (found.id, found.status, found.link) == (flow.id, FlowStatus.FINISHED, None)

    def test_a_filter_that_is_not_known_gives_nobody_elses(self, connect: Connect, emulator: PersonaEmulator) -> None:
        other = connect().open(order(applicant=Applicant(reference="CUST-2")))
        listed = EmulatedResponse(200, {**NONE, "data": [emulator.inquiries[other.id].resource()]})
        emulator.fault(f"GET {INQUIRIES}", listed, times=1)
        assert recover_at(connect(), order()).id != other.id

    def test_a_500_that_is_kept_is_gone_around_once_the_list_shows_none(
        self, connect: Connect, emulator: PersonaEmulator
    ) -> None:
        broken = EmulatedResponse(500, {"errors": [{"title": "Internal server error"}]})
        kept = key_of(order(), SETTINGS, 0)
        answered = emulator._create

        def create(call: Any) -> EmulatedResponse:
            return broken if call.headers["idempotency-key"] == kept else answered(call)

        emulator._patterns = [
            (method, pattern, create if run == answered else run) for method, pattern, run in emulator._patterns
        ]
        posts = 0

        def steps() -> Any:
            nonlocal posts
            exchange = ADAPTER.recover(order(), None)
            request = next(exchange)
            while True:
                posts += request.method == "POST"
                sent = ADAPTER.authorize(request, None, START)
                headers = {
                    key.lower(): getattr(value, "reveal", lambda value=value: value)()
                    for key, value in sent.headers.items()
                }
                body = b"" if request.json is None else json.dumps(request.json).encode()
                headers["authorization"] = f"Bearer {emulator.api_key}"
                status, said, content = emulator.respond(
                    request.method, f"/api/v1{request.target}", headers, body, "https://persona.example"
                )
                answer = attrs.evolve(reply(content, status), headers=said, received_at=emulator.clock.now())
                try:
                    request = exchange.send(answer)
                except StopIteration as stop:
                    return stop.value

        flow = steps()
        assert flow.id in emulator.inquiries
        assert (posts, len(emulator.inquiries)) == (4, 1)

    def test_more_500s_are_an_unknown_outcome(self, connect: Connect, emulator: PersonaEmulator) -> None:
        emulator.fault(f"POST {INQUIRIES}", EmulatedResponse(500, {}), times=100)
        with pytest.raises(OutcomeUnknown):
            connect().open(order())
        with pytest.raises(OutcomeUnknown):
            connect().recover(order(), account="persona")


class TestAnswers:
    def made(self, **said: Any) -> dict[str, Any]:
        """The answer to a creation, as Persona would write it."""
        sent = body_of(order(), SETTINGS)
        attributes = {
            "status": "created",
            "reference-id": "CUST-9283",
            "note": sent["data"]["attributes"]["note"],
            "created-at": START.isoformat(),
            "redacted-at": None,
            "fields": {"email-address": {"type": "string", "value": "meera@example.org"}},
        }
        template = {"inquiry-template": {"data": {"type": "inquiry-template", "id": TEMPLATE}}}
        data = {"type": "inquiry", "id": "inq_1", "attributes": {**attributes, **said}, "relationships": template}
        meta = {"session-token": None, "one-time-link": "https://withpersona.com/verify?code=us1-1"}
        return {"data": data, "meta": meta}

    def open(self, *answers: Any) -> Flow:
        return run_exchange(ADAPTER.open_flow(order()), [reply(NONE), *map(reply, answers)]).value

    def test_the_one_that_fits_is_taken(self) -> None:
        flow = self.open(self.made(), self.made())
        assert (flow.id, flow.status, flow.application_id) == ("inq_1", FlowStatus.AWAITING_APPLICANT, "APP-1")
        assert flow.link is not None
        assert flow.link.url.reveal() == "https://withpersona.com/verify?code=us1-1"

    @pytest.mark.parametrize(
        ("said", "what"),
        [
            ({"reference-id": "CUST-2"}, "reference"),
            ({"note": '{"application_id":"APP-2","product":"wallet"}'}, "application_id"),
            ({"note": '{"application_id":"APP-1","product":"loan"}'}, "product"),
            ({"note": '{"application_id":"APP-1","product":"wallet","tenant":"a"}'}, "tenant"),
            ({"note": '{"application_id":"APP-1","product":"wallet","is_shadow":true}'}, "is_shadow"),
            ({"fields": {"email-address": {"value": "other@example.org"}}}, "email-address"),
        ],
    )
    def test_one_that_names_another_order_is_not_taken(self, said: dict[str, Any], what: str) -> None:
        with pytest.raises(UnexpectedResponse, match=what):
            self.open(self.made(**said), self.made())

    def test_nor_one_of_another_template_or_another_id_behind_the_link(self) -> None:
        other = self.made()
        other["data"]["relationships"]["inquiry-template"]["data"]["id"] = "itmpl_other"
        with pytest.raises(UnexpectedResponse, match="template"):
            self.open(other, self.made())
        second = self.made()
        second["data"]["id"] = "inq_2"
        with pytest.raises(UnexpectedResponse, match="another inquiry"):
            self.open(self.made(), second)

    @pytest.mark.parametrize(
        "link", [None, 7, "", "http://withpersona.com/verify", "https://withpersona.com.evil.example/", "javascript:x"]
    )
    def test_a_link_that_leads_elsewhere_is_not_taken(self, link: Any) -> None:
        answered = self.made()
        answered["meta"]["one-time-link"] = link
        with pytest.raises(UnexpectedResponse):
            self.open(self.made(), answered)

    @pytest.mark.parametrize("id", ["", "inq_", "act_1", "inq_1/approve", "inq_1\n", 7, None, "inq_é"])
    def test_an_id_that_is_none_is_not_taken(self, id: Any) -> None:
        answered = self.made()
        answered["data"]["id"] = id
        with pytest.raises(UnexpectedResponse):
            self.open(answered, answered)

    def test_what_was_answered_a_while_ago_is_looked_at_and_must_be_of_the_order(self) -> None:
        """Where Persona makes no link for it."""
        refused = reply({"errors": [{"title": "Unprocessable entity"}]}, 422)

        def open(now: Any, *more: Any) -> Flow:
            answers = [reply(NONE), reply(self.made()), refused, reply(now), *map(reply, more)]
            return run_exchange(ADAPTER.open_flow(order()), answers).value

        assert open(self.made(status="completed")).status is FlowStatus.PROCESSING
        assert open(self.made(status="expired"), self.made(), self.made()).status is FlowStatus.AWAITING_APPLICANT
        other = self.made(status="completed")
        other["data"]["attributes"]["reference-id"] = "CUST-2"
        with pytest.raises(UnexpectedResponse):
            open(other)
        with pytest.raises(NotAccepted):
            open(self.made())

    def test_a_list_that_does_not_end_is_an_error(self) -> None:
        """Also one whose pages say that there is more and give the same again."""
        first = {"data": [{"id": "inq_1"}], "links": {"next": "/more"}}
        ran = run_exchange(
            ADAPTER.open_flow(order()), [reply(first), reply(first), reply(self.made()), reply(self.made())]
        )
        assert [request.method for request in ran.requests] == ["GET", "GET", "POST", "POST"]
        pages = [reply({"data": [{"id": f"inq_{page}"}], "links": {"next": "/more"}}) for page in range(100)]
        with pytest.raises(UnexpectedResponse, match="does not end"):
            run_exchange(ADAPTER.open_flow(order()), pages)
        for odd in ({"data": {}, "links": {}}, {"data": []}, {"data": ["odd"], "links": {}}):
            with pytest.raises(UnexpectedResponse):
                run_exchange(ADAPTER.open_flow(order()), [reply(odd)])

    def test_ids_and_templates_of_nobody_go_nowhere(self) -> None:
        flow = Flow(id="../admin", status="open")
        for exchange in (ADAPTER.result(flow), ADAPTER.status(flow), ADAPTER.renew_link(flow)):
            with pytest.raises(InvalidOrder):
                run_exchange(exchange, [])
        for template in ("kyc", "itmpl_", "itmpl_a b", "vf_1"):
            with pytest.raises(InvalidOrder, match="template"):
                run_exchange(ADAPTER.open_flow(order(template=template)), [])
            with pytest.raises(ValueError, match="template_id"):
                PersonaSettings(api_key=SETTINGS.api_key, template_id=template)

    @given(st.data())
    def test_a_mutated_answer_opens_nothing_of_anybody_else(self, data: st.DataObject) -> None:
        answered = data.draw(json_like([self.made()]))
        try:
            flow = self.open(answered, self.made())
        except IdvError:
            return
        said = json.loads(json.dumps(answered))["data"]
        assert flow.id == said["id"] == "inq_1"
        assert said["attributes"].get("reference-id") in (None, "CUST-9283")


class TestSent:
    def test_what_is_sent_is_what_was_asked(self) -> None:
        asked = attrs.evolve(order(), return_url="https://platform.example/thanks")
        body = body_of(asked, SETTINGS)
        attributes = body["data"]["attributes"]
        assert attributes["inquiry-template-id"] == TEMPLATE
        assert attributes["redirect-uri"] == "https://platform.example/thanks"
        assert attributes["fields"] == {
            "name-first": "Meera",
            "name-last": "Iyer",
            "birthdate": "1991-04-12",
            "email-address": "meera@example.org",
            "address-street-1": "14 Lantern Row",
            "address-city": "Kochi",
            "address-subdivision": "Kerala",
            "address-postal-code": "682001",
            "address-country-code": "IN",
        }
        assert json.loads(attributes["note"]) == {"application_id": "APP-1", "product": "wallet"}
        assert body["meta"] == {"auto-create-account-reference-id": "CUST-9283"}

    def test_the_lines_of_a_street_are_kept_apart(self) -> None:
        address = Address(street_address="14 Lantern Row\nFlat 2\nBlock B", country="IN")
        person = attrs.evolve(order().applicant, address=address)
        fields = body_of(attrs.evolve(order(), applicant=person), SETTINGS)["data"]["attributes"]["fields"]
        assert (fields["address-street-1"], fields["address-street-2"]) == ("14 Lantern Row", "Flat 2, Block B")

    @pytest.mark.parametrize(
        ("template", "key"),
        [
            ("itmpl_1", "inquiry-template-id"),
            ("itmplv_1", "inquiry-template-version-id"),
            ("tmpl_1", "template-id"),
        ],
    )
    def test_each_kind_of_template_has_its_key(self, template: str, key: str) -> None:
        assert body_of(order(template=template), SETTINGS)["data"]["attributes"][key] == template

    def test_without_prefill_nothing_is_said_of_the_applicant(self) -> None:
        settings = attrs.evolve(SETTINGS, prefill=False)
        assert "fields" not in body_of(order(), settings)["data"]["attributes"]

    def test_the_link_lives_as_long_as_the_account_says(
        self, connect: Connect, clock: FakeClock, network: Network
    ) -> None:
        flow = connect(link_life=60).open(order())
        assert flow.link is not None
        assert flow.link.expires_at == clock.now() + timedelta(seconds=60)
        with network.client() as browser:
            assert browser.get(flow.link.url.reveal()).status_code == 200
            clock.advance(61)
            assert browser.get(flow.link.url.reveal()).status_code == 404

    def test_keys_say_of_which_mode_they_are(self) -> None:
        for key, mode in (("persona_sandbox_1", "test"), ("persona_production_1", "live"), ("odd", None)):
            assert Persona(attrs.evolve(SETTINGS, api_key=Secret(key))).key_mode == mode


class TestLinks:
    def test_an_expired_inquiry_is_resumed(self, connect: Connect, network: Network, emulator: PersonaEmulator) -> None:
        flow = connect().open(order())
        expire(emulator, flow)
        again = connect().renew_link(flow)
        assert (again.id, again.status) == (flow.id, FlowStatus.AWAITING_APPLICANT)
        assert again.link is not None
        with network.client() as browser:
            assert browser.get(again.link.url.reveal()).status_code == 200

    def test_one_that_is_decided_has_no_link(self, connect: Connect, emulator: PersonaEmulator) -> None:
        flow = connect().open(order())
        emulator.decide(flow.id, "declined")
        again = connect().renew_link(flow)
        assert (again.status, again.link) == (FlowStatus.FINISHED, None)
