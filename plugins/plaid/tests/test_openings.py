"""What becomes of one order that is opened twice, lost, over, or answered with somebody else's verification."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_plaid import PlaidIdentityVerification, PlaidSettings, idv_plugin
from idv_plaid.person import ID_TYPES, differing, user_of
from idv_plaid.testing.emulator import PlaidEmulator
from idv_plaid.testing.harness import MEERA, ROHAN, applicant, forms, order
from idv_plaid.user_ids import read_user_id, user_id

from idv_core import Applicant, Flow, FlowOrder, FlowStatus, Gateway, OutcomeUnknown, Secret
from idv_core.config import Account
from idv_core.errors import DuplicateFlow, InvalidOrder, UnexpectedResponse
from idv_core.model import DocumentType, IdentificationNumber, subject_of
from idv_core.model.fields import Address
from idv_core.registry import registry_of
from idv_core.testing import FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.exchange import reply, run_exchange

BASE = "/identity_verification"
ADAPTER = PlaidIdentityVerification(
    PlaidSettings(client_id="me", secret=Secret("s3cr3t"), template_id="idvtmp_1", base_url="https://plaid.example")
)

NONE = reply({"identity_verifications": [], "next_cursor": None})

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(network: Network, clock: FakeClock, settings: dict[str, object]) -> Connect:
    """A gateway of a process of its own: it knows of no flow that another one opened."""

    def connect(**changes: object) -> Gateway:
        account = Account("plaid", "plaid", {**settings, **changes}, test=True)
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect


def finish(network: Network, clock: FakeClock, flow: Flow, face: Any) -> None:
    assert flow.link is not None
    with network.client() as browser:
        submit_forms(browser, flow.link.url.reveal(), *forms(face))
    clock.advance(5)


class TestOpeningAgain:
    def test_in_another_process_it_is_the_same_verification(self, connect: Connect, emulator: PlaidEmulator) -> None:
        flow = connect().open(order())
        again = connect().open(order())
        assert (again.ref, again.link) == (flow.ref, flow.link)
        assert connect().recover(order()).ref == flow.ref
        assert len(emulator.attempts) == 1

    @pytest.mark.parametrize(
        "other",
        [
            order(application_id="APP-2"),
            order(product="loan"),
            order(tenant="t-1"),
            order(applicant=applicant(reference="CUST-2")),
            attrs.evolve(order(), is_shadow=True),
        ],
    )
    def test_another_order_is_another_verification(self, other: FlowOrder) -> None:
        assert user_id(other) != user_id(order())

    def test_another_template_is_another_verification(self, connect: Connect, emulator: PlaidEmulator) -> None:
        emulator.templates["idvtmp_other"] = 1
        first, second = connect().open(order()), connect().open(order(template="idvtmp_other"))
        assert first.id != second.id
        assert emulator.attempts[second.id].template_id == "idvtmp_other"

    @pytest.mark.parametrize("face", [MEERA, ROHAN])
    def test_one_that_is_over_is_not_opened_again(
        self, connect: Connect, emulator: PlaidEmulator, network: Network, clock: FakeClock, face: Any
    ) -> None:
        finish(network, clock, flow := connect().open(order()), face)
        for again in (connect().open, connect().recover):
            with pytest.raises(DuplicateFlow, match=flow.id):
                again(order())
        assert len(emulator.attempts) == 1

    def test_other_details_of_the_applicant_are_told(self, connect: Connect, emulator: PlaidEmulator) -> None:
        connect().open(order())
        for change in ({"email": "other@example.org"}, {"birthdate": date(1990, 1, 1)}):
            with pytest.raises(DuplicateFlow, match="other details"):
                connect().open(order(applicant=applicant(**change)))
        assert connect().open(order(applicant=applicant(email="MEERA@example.org"))).id in emulator.attempts

    def test_what_plaid_did_not_carry_out_is_opened_by_recover(self, connect: Connect, emulator: PlaidEmulator) -> None:
        emulator.failing = 10
        idv = connect()
        with pytest.raises(OutcomeUnknown):
            idv.open(order())
        emulator.failing = 0
        assert idv.recover(order()).id in emulator.attempts
        assert len(emulator.attempts) == 1


class TestSomebodyElse:
    def answer(self, **changes: Any) -> dict[str, Any]:
        made = {"id": "idv_1", "status": "active", "client_user_id": user_id(order()), "template": {"id": "idvtmp_1"}}
        return {**made, "shareable_url": "https://flow.plaid.com/verify/idv_1?key=1", "user": {}, **changes}

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_user_id": user_id(order(application_id="APP-2"))},
            {"client_user_id": "APP-1"},
            {"client_user_id": None},
            {"template": {"id": "idvtmp_2"}},
            {"template": None},
            {"id": ""},
            {"id": "a b"},
            {"id": 7},
            {"shareable_url": "https://evil.example/verify"},
        ],
    )
    def test_an_opening_that_is_answered_with_another_order_is_not_taken(self, changes: dict[str, Any]) -> None:
        assert run_exchange(ADAPTER.open_flow(order()), [NONE, reply(self.answer())]).value.id == "idv_1"
        with pytest.raises(UnexpectedResponse):
            run_exchange(ADAPTER.open_flow(order()), [NONE, reply(self.answer(**changes))])

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": "idv_2"},
            {"client_user_id": user_id(order(application_id="APP-2"))},
            {"client_user_id": user_id(order(applicant=applicant(reference="CUST-2")))},
            {"client_user_id": "somebody"},
        ],
    )
    def test_a_result_of_somebody_else_is_an_alarm(self, changes: dict[str, Any]) -> None:
        flow = Flow(id="idv_1", status="open", application_id="APP-1", subject=subject_of("CUST-9283"))
        assert run_exchange(ADAPTER.result(flow), [reply(self.answer())]).value.flow.id == "idv_1"
        with pytest.raises(UnexpectedResponse, match="another verification"):
            run_exchange(ADAPTER.result(flow), [reply(self.answer(**changes))])

    def test_a_result_that_names_nobody_is_a_doubt(self) -> None:
        flow = Flow(id="idv_1", status="open", subject=subject_of("CUST-9283"))
        result = run_exchange(ADAPTER.result(flow), [reply(self.answer(client_user_id=None))]).value
        assert [reason.code for reason in result.doubts] == ["flow.unnamed"]

    def test_a_shadows_verification_looked_at_as_another_is_a_doubt(self) -> None:
        named = user_id(attrs.evolve(order(), is_shadow=True))
        for is_shadow, codes in ((True, []), (False, ["flow.shadow"])):
            flow = Flow(id="idv_1", status="open", subject=subject_of("CUST-9283"), is_shadow=is_shadow)
            result = run_exchange(ADAPTER.result(flow), [reply(self.answer(client_user_id=named))]).value
            assert [reason.code for reason in result.doubts] == codes

    def test_an_id_that_is_none_of_plaids_is_not_asked_for(self) -> None:
        for id in ("a b", "idv_\n", "é"):
            with pytest.raises(InvalidOrder, match="id is none of Plaid's"):
                run_exchange(ADAPTER.result(Flow(id=id, status="open")), [])

    def test_a_list_that_does_not_end_is_an_error(self) -> None:
        page = {"identity_verifications": [self.answer()], "next_cursor": "again"}
        with pytest.raises(UnexpectedResponse, match="does not end"):
            run_exchange(ADAPTER.open_flow(order()), [reply(page)] * 100)

    def test_other_peoples_verifications_in_the_list_are_not_looked_at(self) -> None:
        """A filter that is ignored gives the verifications of all applicants."""
        others = [self.answer(id="idv_2", client_user_id="somebody"), self.answer(id="idv_3", template={"id": "x"})]
        page = {"identity_verifications": others, "next_cursor": None}
        opened = run_exchange(ADAPTER.open_flow(order()), [reply(page), reply(self.answer())])
        assert opened.value.id == "idv_1"

    def test_the_newest_attempt_is_the_flow(self) -> None:
        over = self.answer(status="failed", created_at="2026-03-02T10:15:00Z")
        newer = self.answer(id="idv_2", created_at="2026-03-02T11:00:00Z")
        older = self.answer(id="idv_0", created_at="2026-03-01T11:00:00Z")
        pages = [
            {"identity_verifications": [over, newer], "next_cursor": "next"},
            {"identity_verifications": [older], "next_cursor": None},
        ]
        assert run_exchange(ADAPTER.open_flow(order()), [reply(page) for page in pages]).value.id == "idv_2"

    def test_attempts_of_the_same_moment_are_told_apart_by_the_one_before(self) -> None:
        moment = {"created_at": "2026-03-02T10:15:00Z"}
        first = self.answer(status="failed", **moment)
        second = self.answer(id="idv_2", status="failed", previous_attempt_id="idv_1", **moment)
        third = self.answer(id="idv_3", previous_attempt_id="idv_2", **moment)
        for listed in ([third, second, first], [first, second, third], [second, third, first]):
            page = {"identity_verifications": listed, "next_cursor": None}
            flow = run_exchange(ADAPTER.open_flow(order()), [reply(page)]).value
            assert (flow.id, flow.attempt, flow.previous_id) == ("idv_3", 3, "idv_2")

    def test_attempts_that_name_each_other_do_not_go_round_for_ever(self) -> None:
        first = self.answer(previous_attempt_id="idv_2")
        second = self.answer(id="idv_2", previous_attempt_id="idv_1", created_at="2026-03-02T10:15:00Z")
        page = {"identity_verifications": [second, first], "next_cursor": None}
        assert run_exchange(ADAPTER.open_flow(order()), [reply(page)]).value.id == "idv_2"

    def test_one_that_was_created_at_the_same_moment_and_is_over_is_told(self) -> None:
        with pytest.raises(DuplicateFlow, match="idv_1"):
            run_exchange(ADAPTER.open_flow(order()), [NONE, reply(self.answer(status="failed"))])


class TestUserIds:
    @given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40), st.booleans())
    def test_what_it_tells_is_what_was_put_in(self, application: str, reference: str, is_shadow: bool) -> None:
        try:
            person = Applicant(reference=reference)
            made = FlowOrder(product="p", application_id=application, applicant=person, is_shadow=is_shadow)
        except ValueError:
            return
        told = read_user_id(user_id(made))
        assert told is not None
        assert (told.application_id, told.subject, told.is_shadow) == (application, subject_of(reference), is_shadow)

    @pytest.mark.parametrize("text", ["", "APP-1", "APP-1.abc.def", "CUST-1", ".0123456789ab.0123456789ab"])
    def test_somebody_elses_name_is_none_of_ours(self, text: str) -> None:
        assert read_user_id(text) is None

    def test_it_shows_no_reference(self) -> None:
        assert "CUST-9283" not in user_id(order())


class TestThePerson:
    def test_only_what_is_known_and_fits_is_sent(self) -> None:
        assert user_of(Applicant(reference="C")) == {}
        assert user_of(Applicant(reference="C", name="Meera Iyer", given_name="Meera")) == {}
        assert user_of(Applicant(reference="C", country="IN")) == {"address": {"country": "IN"}}
        whole = user_of(applicant())
        assert whole["address"] == {
            "street": "14 Hill Road",
            "city": "Kochi",
            "region": "KL",
            "postal_code": "682001",
            "country": "IN",
        }
        assert whole["name"] == {"given_name": "Meera", "family_name": "Iyer"}

    @pytest.mark.parametrize(
        "address",
        [
            Address(formatted="14 Hill Road, Kochi", country="IN"),
            Address(street_address="14 Hill Road", country="IN"),
            Address(street_address="14", locality="Kochi", country="IN"),
            Address(street_address="14 Hill Road", locality="Kochi", region="Kerala", country="IN"),
            Address(street_address="x" * 81, locality="Kochi", country="IN"),
            Address(street_address="14 Hill Road", locality="Kochi", postal_code="1", country="IN"),
        ],
    )
    def test_an_address_that_does_not_fit_is_the_country_alone(self, address: Address) -> None:
        assert user_of(Applicant(reference="C", address=address))["address"] == {"country": "IN"}

    def test_the_first_number_that_plaid_takes_is_sent(self) -> None:
        def sent(*numbers: IdentificationNumber) -> Any:
            return user_of(Applicant(reference="C", identification_numbers=numbers)).get("id_number")

        passport = IdentificationNumber(DocumentType.PASSPORT, Secret("X1"), country="IN")
        pan = IdentificationNumber(DocumentType.TAX_CARD, Secret("ZZZP I0000M"), country="IN")
        assert sent(passport, pan) == {"value": "ZZZPI0000M", "type": "in_pan"}
        assert sent(passport) is None
        card = DocumentType.NATIONAL_NUMBER_CARD
        for value, type_ in (("000-00-0000", "us_ssn"), ("0000", "us_ssn_last_4")):
            assert sent(IdentificationNumber(card, Secret(value), country="US"))["type"] == type_
        assert sent(IdentificationNumber(card, Secret("00000"), country="US")) is None
        assert len(set(ID_TYPES.values())) == len(ID_TYPES)

    def test_what_plaid_tells_is_compared_as_people_write_it(self) -> None:
        sent = {"email_address": "a@example.org", "phone_number": "+12345550101", "date_of_birth": "1991-04-12"}
        assert differing(sent, {}) == []
        told = {"email_address": " A@Example.org", "phone_number": "2345550101", "date_of_birth": "1991-04-12"}
        assert differing(sent, told) == []
        for name, value in (("email_address", "b@example.org"), ("phone_number", "+445550101"), ("date_of_birth", 7)):
            assert differing(sent, {**told, name: value}) == [name]


def test_the_environment_is_told_by_the_address(connect: Connect, network: Network, clock: FakeClock) -> None:
    for base_url, mode in (
        ("https://sandbox.plaid.com", "test"),
        ("https://production.plaid.com/", "live"),
        ("https://plaid.example", None),
    ):
        settings = PlaidSettings(client_id="me", secret=Secret("s"), template_id="t", base_url=base_url)
        adapter = PlaidIdentityVerification(settings)
        assert adapter.key_mode == mode
        over = TestSomebodyElse().answer(status="success")
        flow = Flow(id="idv_1", status="open")
        assert run_exchange(adapter.result(flow), [reply(over)]).value.is_test is (mode == "test")


def test_a_flow_that_ended_without_a_verdict_is_told(
    connect: Connect, emulator: PlaidEmulator, clock: FakeClock
) -> None:
    for end, status in ((emulator.cancel, FlowStatus.CANCELLED), (emulator.expire, FlowStatus.EXPIRED)):
        flow = connect().open(order(application_id=f"APP-{status}"))
        end(flow.id)
        result = connect().result(flow.ref)
        assert (result.status, result.flow.link) == (status, None)
