"""Whose registration it is: opening, finding again, the customer who comes back, references; and lists of any server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_verifik import Verifik, VerifikSettings, idv_plugin
from idv_verifik.testing.emulator import VerifikEmulator
from idv_verifik.testing.harness import ANA, LUIS, applicant, order, pictures, said

from idv_core import Applicant, Decision, Flow, FlowOrder, FlowStatus, Gateway, OutcomeUnknown, Secret
from idv_core.config import Account
from idv_core.errors import DuplicateFlow, FlowNotFound, IdvError, InvalidOrder, PermissionDenied, UnexpectedResponse
from idv_core.plugin.http import Request
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.exchange import reply, run_exchange

SETTINGS = VerifikSettings(token=Secret("account-token"), project="p-1", project_flow="pf-1")
ADAPTER = Verifik(SETTINGS)
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
_NAMES_ONE = re.compile(r"[!-.0-~]{1,128}")
LINK = reply({"data": {"token": "fresh", "status": "STARTED", "appRegistrationId": "r-1"}})
THEIRS: dict[str, Any] = {
    "_id": "r-1",
    "project": "p-1",
    "projectFlow": "pf-1",
    "status": "STARTED",
    "email": "ana@example.org",
    "phone": "3005550101",
    "countryCode": "+57",
    "informationValidation": {"_id": "i-1", "fullName": "Ana Ruiz", "firstName": "Ana", "lastName": "Ruiz"},
    "createdAt": "2026-03-02T10:00:00.000Z",
}


def gateway(network: Network, clock: FakeClock, settings: dict[str, object], **changes: object) -> Gateway:
    account = Account("vf", "verifik", {**settings, **changes})
    return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))


@pytest.fixture
def idv(network: Network, clock: FakeClock, settings: dict[str, object]) -> Gateway:
    return gateway(network, clock, settings)


@pytest.fixture
def other_process(network: Network, clock: FakeClock, settings: dict[str, object]) -> Gateway:
    """A gateway that knows nothing of what the first one did."""
    return gateway(network, clock, settings)


def finished(idv: Gateway, flow: Flow) -> Flow:
    return idv.wait(idv.submit(idv.upload(flow, pictures()))).flow


def recovered(told: dict[str, Any] | list[dict[str, Any]], since: datetime | None = None, **changes: Any) -> Flow:
    """What `recover` makes of a vendor that tells this of the contact."""
    listed = reply({"data": told if isinstance(told, list) else [told]})
    exchange = ADAPTER.recover(order(**changes), since)
    request, flow = next(exchange), None
    try:
        while True:
            request = exchange.send(LINK if request.path.endswith("resend-link") else listed)
    except StopIteration as stop:
        flow = stop.value
    assert isinstance(flow, Flow)
    return flow


class TestOpening:
    """What comes back is compared with what was asked for."""

    def opened(self, registration: object, information: object = None) -> Flow:
        data = {"appRegistration": registration, "informationValidation": information, "token": "t"}
        flow = run_exchange(ADAPTER.open_flow(order()), [reply({"data": data})]).value
        assert isinstance(flow, Flow)
        return flow

    @pytest.mark.parametrize("information", ["i-1", {"_id": "i-1"}, {"_id": "i-1", "fullName": "ANA RUIZ"}])
    def test_references_are_ids_or_objects(self, information: object) -> None:
        assert self.opened(THEIRS, information).details == {"information_validation": "i-1"}
        assert self.opened("r-1", information).id == "r-1"

    @pytest.mark.parametrize("information", [None, "", 7, [], {}])
    def test_what_is_no_reference_is_left_out(self, information: object) -> None:
        assert self.opened({"_id": "r-1"}, information).details == {}

    @pytest.mark.parametrize(
        "same",
        [
            {"email": "ANA@example.org"},
            {"phone": "+57 300 555 0101"},
            {"phone": 3005550101, "countryCode": "57"},
            {"informationValidation": {"fullName": "RUIZ Aná"}},
            {"informationValidation": {"firstName": "Ana", "lastName": "Ruiz"}},
            {"informationValidation": {"fullName": ""}},
            {"email": None, "phone": None},
            {"projectFlow": {"_id": "pf-1", "type": "onboarding"}},
        ],
        ids=str,
    )
    def test_the_same_person_in_other_spelling(self, same: dict[str, Any]) -> None:
        told = {**THEIRS, **same}
        assert self.opened(told, told["informationValidation"]).id == "r-1"

    @pytest.mark.parametrize(
        "other",
        [
            {"email": "luis@example.org"},
            {"phone": "3005550102"},
            {"countryCode": "+58"},
            {"informationValidation": {"fullName": "Luis Mora"}},
            {"informationValidation": {"firstName": "Luis", "lastName": "Ruiz"}},
            {"fullName": "Luis Mora"},
            {"project": "p-2"},
            {"projectFlow": {"_id": "pf-2"}},
            {"status": "COMPLETED"},
            {"deleted": True},
            {"informationValidation": {"_id": "i-1", "appRegistration": "r-2"}},
            {"informationValidation": {"_id": "i-1", "deleted": True}},
        ],
        ids=str,
    )
    def test_a_registration_of_somebody_else_is_no_flow(self, other: dict[str, Any]) -> None:
        told = {**THEIRS, **other}
        with pytest.raises(UnexpectedResponse, match="another registration"):
            self.opened(told, told["informationValidation"])

    def test_facts_that_were_not_sent_are_somebody_elses(self) -> None:
        alone = order(applicant=Applicant(reference="r", email="ana@example.org"))
        data = {"appRegistration": THEIRS, "informationValidation": THEIRS["informationValidation"], "token": "t"}
        with pytest.raises(UnexpectedResponse, match="phone, name"):
            run_exchange(ADAPTER.open_flow(alone), [reply({"data": data})])

    def test_a_vendor_that_gives_the_registration_that_is_there(
        self, idv: Gateway, other_process: Gateway, emulator: VerifikEmulator
    ) -> None:
        """The older behaviour: a fresh token for whoever has the e-mail (section 1.7 row 9)."""
        idv.open(order())
        emulator.variants.recreate = True
        luis = applicant(LUIS, email="ana@example.org", phone_number=None)
        with pytest.raises(OutcomeUnknown) as caught:
            other_process.open(order(application_id="APP-LUIS", applicant=luis))
        assert caught.value.ask == "recover"

    def test_an_information_validation_that_is_an_id(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        emulator.variants.information_answer = "id"
        assert finished(idv, idv.open(order())).status is FlowStatus.FINISHED

    @pytest.mark.parametrize("status", [400, 409, 412, 422])
    def test_a_second_opening_elsewhere_says_what_to_do(
        self, idv: Gateway, other_process: Gateway, emulator: VerifikEmulator, status: int
    ) -> None:
        emulator.variants.duplicate_status = status
        flow = idv.open(order())
        with pytest.raises(DuplicateFlow, match=r"Call recover\(order\)") as caught:
            other_process.open(order())
        assert (caught.value.status, caught.value.nothing_done) == (status, True)
        assert caught.value.vendor_message == "email_is_registered_already"
        assert other_process.recover(order()).id == flow.id


class TestRecovery:
    """A registration whose creation was never answered, and nobody else's (section 7 row 6)."""

    def test_the_lost_one_is_found_with_a_fresh_link(
        self, idv: Gateway, other_process: Gateway, clock: FakeClock
    ) -> None:
        before = clock.now()
        lost = idv.open(order())
        for found in (other_process.recover(order()), other_process.recover(order(), since=before)):
            assert found.id == lost.id
            assert found.link is not None
            assert found.link != lost.link
        assert finished(other_process, found).status is FlowStatus.FINISHED

    def test_where_there_is_none_nothing_is_registered(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        with pytest.raises(FlowNotFound):
            idv.recover(order())
        assert emulator.registrations == {}

    @pytest.mark.parametrize("populate", [True, False])
    def test_somebody_else_with_the_same_mailbox_gets_nothing(
        self, idv: Gateway, other_process: Gateway, emulator: VerifikEmulator, clock: FakeClock, populate: bool
    ) -> None:
        emulator.variants.lists_populate = populate
        ana = idv.open(order(applicant=applicant(phone_number=None)))
        luis = order(application_id="APP-LUIS", applicant=applicant(LUIS, email="ana@example.org", phone_number=None))
        for since in (None, clock.now()):
            with pytest.raises(DuplicateFlow, match="use another e-mail or phone") as caught:
                other_process.recover(luis, since=since)
            assert ana.id not in str(caught.value)
        assert not [call for call in emulator.calls if call.endswith("resend-link")]

    @pytest.mark.parametrize("since", [None, NOW])
    @pytest.mark.parametrize(
        "other",
        [
            {"informationValidation": {"_id": "i", "fullName": "Luis Mora"}},
            {"informationValidation": None, "name": "Luis Mora"},
            {"phone": "3005550102"},
            {"email": "luis@example.org"},
            {"projectFlow": "pf-2"},
            {"projectFlow": {"_id": "pf-2"}},
            {"status": "CANCELLED"},
            {"status": None},
            {"deleted": "true"},
        ],
        ids=str,
    )
    def test_one_that_disagrees_is_not_given(self, since: datetime | None, other: dict[str, Any]) -> None:
        with pytest.raises(DuplicateFlow) as caught:
            recovered({**THEIRS, **other}, since)
        assert "r-1" not in str(caught.value)
        assert recovered(THEIRS, since).id == "r-1"

    @given(st.timedeltas(timedelta(days=-30), timedelta(days=30)))
    def test_one_that_was_made_before_is_of_another_order(self, age: timedelta) -> None:
        told = {**THEIRS, "createdAt": (NOW - age).isoformat()}
        if age <= timedelta(minutes=1):
            assert recovered(told, NOW).id == "r-1"
        else:
            with pytest.raises(DuplicateFlow):
                recovered(told, NOW)

    @pytest.mark.parametrize("created", [None, "soon", 7])
    def test_one_that_does_not_say_when_is_of_another_order(self, created: object) -> None:
        with pytest.raises(DuplicateFlow):
            recovered({**THEIRS, "createdAt": created}, NOW)
        assert recovered({**THEIRS, "createdAt": created}, None).id == "r-1"

    def test_a_contact_alone_is_not_enough_without_the_moment(self) -> None:
        bare = {key: THEIRS[key] for key in ("_id", "status", "email", "createdAt")}
        with pytest.raises(DuplicateFlow):
            recovered(bare, None)
        assert recovered(bare, NOW).id == "r-1"
        assert recovered({**bare, "phone": "3005550101"}, None).id == "r-1"

    def test_what_the_filter_did_not_keep_out_is_passed_over(self) -> None:
        strangers = [
            {**THEIRS, "_id": "r-2", "email": "x@example.org", "phone": "1"},
            {**THEIRS, "_id": "r-3", "project": "p-2"},
            {**THEIRS, "_id": "r-4", "status": "EXPIRED"},
            {**THEIRS, "_id": "r-5", "deleted": True},
        ]
        assert recovered([*strangers, THEIRS]).id == "r-1"
        with pytest.raises(FlowNotFound):
            recovered(strangers)

    def test_by_phone_where_there_is_no_mail_or_another(self, idv: Gateway, other_process: Gateway) -> None:
        by_phone = order(applicant=applicant(email=None))
        flow = idv.open(by_phone)
        assert other_process.recover(by_phone).id == flow.id
        with pytest.raises(DuplicateFlow, match="use another e-mail or phone"):
            other_process.recover(order(applicant=applicant(LUIS, phone_number=f"+57{ANA.phone}")))

    def test_the_link_must_be_of_the_registration(self) -> None:
        told = {"token": "t", "appRegistrationId": "r-2"}
        with pytest.raises(UnexpectedResponse, match="another registration"):
            run_exchange(ADAPTER.renew_link(Flow(id="r-1", status="open")), [reply({"data": told})])

    def test_without_contact_there_is_nothing_to_look_for(self, idv: Gateway) -> None:
        with pytest.raises(InvalidOrder, match="e-mail or phone"):
            idv.recover(order(applicant=applicant(email=None, phone_number=None)))


class TestReturningCustomer:
    def test_the_error_says_where_the_result_is(self, idv: Gateway, other_process: Gateway, clock: FakeClock) -> None:
        first = finished(idv, idv.open(order()))
        clock.advance(timedelta(days=7).total_seconds())
        again = order(application_id="APP-8")
        with pytest.raises(DuplicateFlow, match=r"Call recover\(order\)"):
            other_process.open(again)
        with pytest.raises(DuplicateFlow, match="has ended") as caught:
            other_process.recover(again)
        for personal in (*applicant().personal_texts(), ANA.phone):
            assert personal not in str(caught.value)
        (id,) = re.findall(r"result\('<account>/(\w+)'\)", str(caught.value))
        assert id == first.id
        assert other_process.result(f"vf/{id}").decision is Decision.APPROVED
        elsewhere = applicant(email="ana.ruiz@example.org", phone_number="+573005550199")
        assert other_process.open(order(application_id="APP-8", applicant=elsewhere)).id != first.id

    @pytest.mark.parametrize(
        "changes",
        [
            {"applicant": applicant(LUIS, email="ana@example.org", phone_number=None)},
            {"applicant": Applicant(reference="r", email="ana@example.org")},
            {"template": "pf-2"},
        ],
        ids=["another name", "no name", "another product"],
    )
    def test_somebody_else_and_another_product_are_not_told_the_id(self, changes: dict[str, Any]) -> None:
        with pytest.raises(DuplicateFlow) as caught:
            recovered({**THEIRS, "status": "COMPLETED"}, **changes)
        assert "r-1" not in str(caught.value)

    def test_after_it_has_expired_the_contact_is_free(self, idv: Gateway, clock: FakeClock) -> None:
        first = idv.open(order())
        clock.advance(timedelta(hours=25).total_seconds())
        assert idv.open(order(application_id="APP-8")).id != first.id


class TestReferences:
    @pytest.mark.parametrize("id", ["\ud800", "x" * 100_000, "a b", "a/b", "..", ".", "é", "\x00", "\n"])
    @pytest.mark.parametrize("operation", ["status", "result", "renew_link", "submit"])
    def test_one_that_can_be_no_registrations_is_refused(self, idv: Gateway, id: str, operation: str) -> None:
        with pytest.raises((InvalidOrder, FlowNotFound)):
            getattr(idv, operation)(f"vf/{id}")

    @given(st.text(min_size=1))
    def test_any_text_is_a_request_or_refused(self, id: str) -> None:
        flow = Flow(id=id, status="open", secrets={"token": Secret("t")}) if id.strip() else Flow(id="x", status="open")
        for start in (ADAPTER.result, ADAPTER.status, ADAPTER.renew_link, lambda flow: ADAPTER.steps.sync(flow, "end")):
            exchange = start(flow)
            if _NAMES_ONE.fullmatch(flow.id) and flow.id not in (".", ".."):
                assert isinstance(next(exchange), Request)
            else:
                with pytest.raises(InvalidOrder):
                    next(exchange)

    def test_ids_of_the_pages_are_taken(self) -> None:
        for id in ("674de8df21c72be3cc42b8a8", "reg_2026", "6b20aa00c1d2e3f40516273", "a.b~c:d"):
            assert next(ADAPTER.status(Flow(id=id, status="open"))).path.count("/") == 3


class TestTokenOfTheApplicant:
    def test_a_wrong_code_is_handed_in_once(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        """403 with the general code `Forbidden`: the word in the message says what it is about."""
        emulator.variants.otp_refusal = "Forbidden"
        flow = idv.vendor(lambda verifik: verifik.steps.send_email_code(idv.open(order()), "ana@example.org"))
        with pytest.raises(PermissionDenied):
            idv.vendor(lambda verifik: verifik.steps.check_email_code(flow, "ana@example.org", "999999"))
        assert len([call for call in emulator.calls if call.startswith("PUT /v2/email")]) == 1
        assert not [call for call in emulator.calls if call.endswith("resend-link")]

    @pytest.mark.parametrize(
        ("status", "body", "renewed"),
        [
            (401, {"code": "Unauthorized", "message": "Invalid or expired token."}, True),
            (401, {"message": "jwt_expired"}, True),
            (401, {}, True),
            (401, {"code": "Unauthorized", "message": "401:otp_does_not_match"}, False),
            (403, {"code": "FORBIDDEN", "message": "token_expired"}, True),
            (403, {"code": "Forbidden", "message": "Access forbidden"}, True),
            (403, {"code": "access_denied", "message": "403:access_denied"}, True),
            (403, {"code": "Forbidden", "message": "403:otp_does_not_match"}, False),
            (403, {"code": "FORBIDDEN", "message": "signUpForm_validation_not_passed"}, False),
            (403, {"code": "Blocked", "message": "no"}, False),
            (403, {}, False),
        ],
    )
    def test_which_refusals_are_about_the_token(
        self, idv: Gateway, emulator: VerifikEmulator, status: int, body: dict[str, str], renewed: bool
    ) -> None:
        flow = idv.open(order())
        emulator.fault("PUT /v2/app-registrations", EmulatedResponse(status, body))
        try:
            idv.vendor(lambda verifik: verifik.steps.sync(flow, "signUpForm"))
        except IdvError:
            assert not renewed
        assert bool([call for call in emulator.calls if call.endswith("resend-link")]) == renewed


class TestUploadWithoutAnAnswer:
    """The selfie's answer was lost, and with it the flow that knew of the document."""

    def test_the_same_documents_can_be_handed_in_again(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = idv.open(order())
        emulator.fault("POST /v2/biometric", said(502, "ERROR", "bad_gateway"))
        with pytest.raises(OutcomeUnknown):
            idv.upload(flow, pictures())
        flow = idv.upload(idv.status(flow), pictures())
        assert [(upload.document_id, upload.accepted) for upload in flow.uploads] == [
            ("cedula", True),
            ("selfie", True),
        ]
        assert "already_exists" in flow.uploads[0].check.reasons
        assert len(emulator.documents) == 1
        result = idv.wait(idv.submit(flow))
        assert (result.decision, result.documents[0].document_id) == (Decision.APPROVED, "cedula")

    def test_and_so_can_a_selfie_that_arrived(self, idv: Gateway) -> None:
        flow = idv.open(order())
        idv.upload(flow, pictures())
        again = idv.upload(flow, pictures())
        assert [upload.accepted for upload in again.uploads] == [True, True]
        assert idv.wait(idv.submit(again)).decision is Decision.APPROVED

    def test_what_the_applicant_took_himself_is_not_ours(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = idv.open(order())
        idv.upload(flow, pictures()[:1])
        (document,) = emulator.documents.values()
        document["inputMethod"] = "CAMERA"
        with pytest.raises(InvalidOrder) as caught:
            idv.upload(flow, pictures()[:1])
        assert caught.value.code == "already_exists"

    @pytest.mark.parametrize(
        ("start", "data"),
        [
            (lambda flow: ADAPTER.upload(flow, pictures_read()[:1]), {"_id": "d", "appRegistration": "r-2"}),
            (lambda flow: ADAPTER.upload(flow, pictures_read()[1:]), {"_id": "r-2", "projectFlow": "pf-1"}),
            (lambda flow: ADAPTER.steps.sync(flow, "end"), {"status": "COMPLETED", "appRegistrationId": "r-2"}),
            (lambda flow: ADAPTER.steps.compare(flow), {"appRegistration": "r-2"}),
        ],
        ids=["document", "selfie", "sync", "comparison"],
    )
    def test_an_answer_about_another_registration_is_none(self, start: Any, data: dict[str, str]) -> None:
        flow = Flow(id="r-1", status="open", secrets={"token": Secret("t")})
        with pytest.raises(UnexpectedResponse, match="another registration"):
            run_exchange(start(flow), [reply({"data": data})])


def pictures_read() -> tuple[Any, ...]:
    return tuple(attrs.evolve(picture, path=None, content=b"\x89PNG") for picture in pictures())


class TestSettingsOfTheProjectFlow:
    """Published registrations show three keys of their project flow; what it asks for is looked up (section 3.3.2)."""

    @pytest.mark.parametrize("shown", ["published", "whole"])
    def test_submit_does_what_the_flow_asks_for(self, idv: Gateway, emulator: VerifikEmulator, shown: str) -> None:
        emulator.variants.flow_shown = shown
        result = idv.wait(finished(idv, idv.open(order())))
        kinds = {check.kind.value for check in result.checks}
        assert {"name_match", "screening"} <= kinds
        assert result.decision is Decision.APPROVED

    def test_a_search_that_was_not_made_is_noticed(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = finished(idv, idv.open(order()))
        for information in emulator.informations.values():
            del information["criminalData"]
        assert idv.result(flow).decision is Decision.REVIEW

    def test_where_they_are_not_told_the_stricter_reading_counts(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = finished(idv, idv.open(order()))
        for status in (403, 404):
            emulator.fault("GET /v3/project-flows", said(status, "NotFound", "ProjectFlow_not_found"))
            emulator.fault("GET /v2/project-flows", EmulatedResponse(200, {"data": {"_id": "another"}}))
            assert idv.result(flow).decision is Decision.APPROVED
        (document,) = emulator.documents.values()
        document["namesMatch"] = False
        emulator.fault("GET /v3/project-flows", said(404, "NotFound", "ProjectFlow_not_found"))
        emulator.fault("GET /v2/project-flows", said(404, "NotFound", "ProjectFlow_not_found"))
        assert idv.result(flow).decision is Decision.DECLINED

    def test_a_flow_under_way_is_not_asked_about(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        idv.result(idv.open(order()))
        assert not [call for call in emulator.calls if call.startswith("GET /v3/project-flows")]


class Server:
    """A list as some server gives it."""

    def __init__(self, count: int, cap: int, manner: str, total: int | None) -> None:
        self.items = [{"_id": f"f-{number}", "name": f"flow {number}"} for number in range(count)]
        self.cap, self.manner, self.total = cap, manner, total

    def answer(self, request: Request) -> dict[str, Any]:
        query = dict(request.query)
        size = min(self.cap, int(query["limit"]))
        last = max(1, -(-len(self.items) // size))
        page = {"ignores": 1, "repeats": min(int(query["page"]), last)}.get(self.manner, int(query["page"]))
        shown = [{**item, "updatedAt": query["page"]} for item in self.items[(page - 1) * size : page * size]]
        told = {} if self.total is None else {"total": self.total, "pages": max(1, self.total // size), "limit": size}
        return {"data": shown, **told}


class TestLists:
    @given(
        count=st.integers(0, 60),
        cap=st.integers(1, 120),
        manner=st.sampled_from(["pages", "repeats", "ignores"]),
        total=st.none() | st.integers(0, 200),
    )
    def test_any_server_is_read_to_its_end_and_no_further(
        self, count: int, cap: int, manner: str, total: int | None
    ) -> None:
        server = Server(count, cap, manner, total)
        exchange = ADAPTER.project_flows.list()
        asked, request = 0, next(exchange)
        found: tuple[dict[str, Any], ...] = ()
        try:
            while True:
                asked += 1
                request = exchange.send(reply(server.answer(request)))
        except StopIteration as stop:
            found = stop.value
        there = server.items[:cap] if manner == "ignores" else server.items
        assert [flow["_id"] for flow in found] == [item["_id"] for item in there]
        assert asked <= -(-len(there) // cap) + 1

    def test_one_that_never_ends_is_not_read_on_and_on(self) -> None:
        def endless() -> Iterator[Any]:
            number = 0
            while True:
                number += 1
                yield reply({"data": [{"_id": f"f-{number}"}]})

        with pytest.raises(UnexpectedResponse, match="does not end"):
            run_exchange(ADAPTER.project_flows.list(), endless())

    def test_a_template_on_a_later_page_is_found(
        self, idv: Gateway, emulator: VerifikEmulator, smart_enroll: Any, network: Network
    ) -> None:
        made = idv.provision(smart_enroll.template("wallet"))
        for number in range(25):
            emulator.add_project_flow(name=f"flow {number}")
        before = len(emulator.project_flows)
        assert idv.provision(smart_enroll.template("wallet")).id == made.id
        assert len(emulator.project_flows) == before

    def test_a_page_that_is_too_large_is_refused_by_the_emulator(
        self, network: Network, emulator: VerifikEmulator
    ) -> None:
        with network.client() as client:
            headers = {"Authorization": f"Bearer {emulator.token}"}
            url = "https://verifik.example/v2/project-flows?limit=101"
            assert client.get(url, headers=headers).status_code == 409


def test_orders_without_a_name_are_found_by_the_moment(idv: Gateway, other_process: Gateway, clock: FakeClock) -> None:
    alone: FlowOrder = order(applicant=Applicant(reference="CUST-9", email="solo@example.org"))
    before = clock.now()
    flow = idv.open(alone)
    with pytest.raises(DuplicateFlow):
        other_process.recover(alone)
    assert other_process.recover(alone, since=before).id == flow.id
