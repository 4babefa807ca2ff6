"""What becomes of one order that is opened twice, lost, or answered with somebody else's run; and names as they go out."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from idv_onfido import OnfidoChecks, OnfidoSettings, OnfidoWorkflows, idv_plugin
from idv_onfido.names import is_same_name, names_of
from idv_onfido.testing.emulator import OnfidoEmulator
from idv_onfido.testing.harness import ANA, order, papers, pictures

from idv_core import Applicant, Decision, Flow, FlowOrder, FlowStatus, Gateway, OutcomeUnknown, Secret
from idv_core.config import Account
from idv_core.errors import DuplicateFlow, FlowNotFound, IdvError, InvalidOrder, UnexpectedResponse
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_like

SETTINGS = OnfidoSettings(
    api_token=Secret("api_sandbox.4711"), workflow_id="wf-1", base_url="https://onfido.example/v3.6"
)
RUNS, CHECKS = OnfidoWorkflows(SETTINGS), OnfidoChecks(SETTINGS)
APPLICANT = {"id": "ap-1", "first_name": "Ana", "last_name": "Ruiz", "email": "ana@example.org"}
RUN = {
    "id": "run-1",
    "applicant_id": "ap-1",
    "workflow_id": "wf-1",
    "status": "awaiting_input",
    "customer_user_id": "CUST-5120",
    "tags": ["application:APP-1", "product:wallet"],
}

Connect = Callable[..., Gateway]


def open_at(idv: Gateway, order: FlowOrder) -> Flow:
    """By the plugin itself, as the gateway does for a shadow."""
    flow = idv.vendor(lambda onfido: onfido.open_flow(order))
    return attrs.evolve(flow, account="onfido", application_id=order.application_id)


class TestOpeningAgain:
    def test_in_another_process_it_is_the_same_run(self, connect: Connect, emulator: OnfidoEmulator) -> None:
        flow = connect().open(order())
        again = connect().open(order())
        assert (again.id, again.link, again.ref) == (flow.id, flow.link, flow.ref)
        assert (len(emulator.runs), len(emulator.applicants)) == (1, 1)

    @pytest.mark.parametrize("status", ["abandoned", "error", "approved", "declined", "review"])
    def test_a_run_that_is_over_is_not_given_out(self, connect: Connect, emulator: OnfidoEmulator, status: str) -> None:
        flow = connect().open(order())
        emulator.runs[flow.id].about["status"] = status
        again = connect().open(order())
        assert (again.id != flow.id, again.status) == (True, FlowStatus.AWAITING_APPLICANT)

    def test_nor_is_one_whose_link_is_over(self, connect: Connect, clock: FakeClock, emulator: OnfidoEmulator) -> None:
        flow = connect().open(order())
        emulator.runs[flow.id].expires_at = (clock.now() + timedelta(hours=1)).isoformat()
        assert connect().open(order()).id == flow.id
        clock.advance(3600)
        assert connect().open(order()).id != flow.id

    def test_co_applicants_products_workflows_tenants_and_shadows_have_runs_of_their_own(
        self, connect: Connect, emulator: OnfidoEmulator
    ) -> None:
        person = order().applicant
        orders = [
            order(),
            order(applicant=attrs.evolve(person, reference="CUST-2")),
            order(product="loan"),
            order(template="workflow-2"),
            order(application_id="APP-2"),
            order(tenant="bank-a"),
            order(tenant="bank-b, Bogotá"),
            order(is_shadow=True),
            order(tenant="bank-a", is_shadow=True),
        ]
        opened = [open_at(connect(), one).id for one in orders]
        assert len({*opened}) == len(orders) == len(emulator.runs)
        assert [open_at(connect(), one).id for one in orders] == opened
        assert [connect().vendor(lambda onfido, one=one: onfido.recover(one, None)).id for one in orders] == opened

    @pytest.mark.parametrize(
        "changed", [{"given_name": "Luis"}, {"email": "luis@example.org"}, {"birthdate": date(1990, 1, 2)}]
    )
    def test_another_persons_run_is_not_given_out(
        self, connect: Connect, emulator: OnfidoEmulator, changed: dict[str, Any]
    ) -> None:
        person = attrs.evolve(order().applicant, birthdate=date(1990, 1, 1))
        connect().open(order(applicant=person))
        other = order(applicant=attrs.evolve(person, **changed))
        for call in (lambda idv: idv.open(other), lambda idv: idv.recover(other)):
            with pytest.raises(DuplicateFlow, match="another application_id"):
                call(connect())
        assert len(emulator.runs) == 1

    def test_a_run_whose_applicant_was_deleted_is_none(self, connect: Connect, emulator: OnfidoEmulator) -> None:
        flow = connect().open(order())
        emulator.applicants.clear()
        with pytest.raises(FlowNotFound):
            connect().recover(order())
        assert connect().open(order()).id != flow.id

    @pytest.mark.parametrize("path", ["GET /v3.6/workflow_runs", "GET /v3.6/applicants/"])
    @pytest.mark.parametrize("status", [404, 410])
    def test_a_proxys_page_is_not_a_list_without_runs(
        self, connect: Connect, emulator: OnfidoEmulator, path: str, status: int
    ) -> None:
        connect().open(order())
        for call in (lambda idv: idv.open(order()), lambda idv: idv.recover(order())):
            emulator.fault(path, EmulatedResponse(status, content=b"<h1>Not found</h1>", type="text/html"), times=1)
            with pytest.raises(UnexpectedResponse):
                call(connect())
        assert len(emulator.runs) == 1

    @pytest.mark.parametrize("status", ["approved", "declined", "review", "abandoned", "error"])
    def test_what_has_just_been_made_is_not_over(self, status: str) -> None:
        answers = [reply([]), reply(APPLICANT, 201), reply({**RUN, "status": status}, 201)]
        with pytest.raises(UnexpectedResponse, match="over already"):
            run_exchange(RUNS.open_flow(order()), answers)

    def test_a_shadows_run_stays_one_whichever_way_it_is_reached(
        self, connect: Connect, network: Network, clock: FakeClock
    ) -> None:
        flow = open_at(connect(), order(is_shadow=True))
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(ANA))
        clock.advance(5)
        result = connect().result(flow)
        assert (result.decision, [doubt.code for doubt in result.doubts]) == (Decision.REVIEW, ["flow.shadow"])
        assert connect().result(attrs.evolve(flow, is_shadow=True)).decision is Decision.UNDECIDED


class TestRecovering:
    def test_it_opens_nothing(self, connect: Connect, emulator: OnfidoEmulator) -> None:
        with pytest.raises(FlowNotFound):
            connect().recover(order())
        assert not emulator.runs
        assert not emulator.applicants

    def test_a_run_that_is_listed_late_is_waited_for(
        self, connect: Connect, clock: FakeClock, emulator: OnfidoEmulator
    ) -> None:
        emulator.variants.listed_after = timedelta(seconds=30)
        begun = clock.now()
        flow = connect().open(order())
        with pytest.raises(OutcomeUnknown):
            connect().recover(order(), since=begun)
        clock.advance(30)
        assert connect().recover(order(), since=begun).id == flow.id

    def test_a_dead_run_and_one_made_before_are_others(
        self, connect: Connect, clock: FakeClock, emulator: OnfidoEmulator
    ) -> None:
        flow = connect().open(order())
        clock.advance(120)
        with pytest.raises(OutcomeUnknown):
            connect().recover(order(), since=clock.now())
        assert connect().recover(order(), since=clock.now() - timedelta(seconds=120)).id == flow.id
        emulator.runs[flow.id].about["status"] = "abandoned"
        with pytest.raises(FlowNotFound):
            connect().recover(order())

    def test_a_run_that_is_done_already_is_found(self, connect: Connect, network: Network, clock: FakeClock) -> None:
        flow = connect().open(order())
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(ANA))
        clock.advance(5)
        assert connect().recover(order()).status is FlowStatus.FINISHED
        assert connect().result(flow.ref).decision is Decision.APPROVED

    @pytest.mark.parametrize("pages", ["empty", "last", "first"])
    @pytest.mark.parametrize("others", [0, 19, 20, 21, 45])
    def test_lists_end_whatever_paging_there_is(
        self, connect: Connect, emulator: OnfidoEmulator, pages: str, others: int
    ) -> None:
        emulator.variants.pages = pages  # type: ignore[assignment]
        idv = connect()
        for number in range(others):
            person = Applicant(reference=f"CO-{number}", given_name="Ana", family_name="Ruiz")
            idv.open(order(applicant=person))
        emulator.calls.clear()
        with pytest.raises(FlowNotFound):
            idv.recover(order())
        assert len(emulator.calls) <= others // 20 + 2

    @given(st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=12))
    @example([[1], [1]])
    def test_each_page_but_the_last_brings_something_new(self, pages: list[list[int]]) -> None:
        asked: list[list[int]] = []

        def answers() -> Iterator[Any]:
            for page in pages:
                asked.append(page)
                yield reply([{**RUN, "id": f"run-{number}", "customer_user_id": "CUST-2"} for number in page])
            while True:
                asked.append([])
                yield reply([])

        assert run_exchange(RUNS._listed(order(), None), answers()).value == []
        seen: set[int] = set()
        for page in asked[:-1]:
            assert not seen.issuperset(page)
            seen.update(page)

    def test_a_list_without_an_end_is_an_error(self) -> None:
        endless = (reply([{**RUN, "id": f"run-{number}"}]) for number in range(10_000))
        with pytest.raises(UnexpectedResponse, match="does not end"):
            run_exchange(RUNS._listed(order(), None), endless)


class TestWhose:
    @pytest.mark.parametrize(
        ("applicant", "run"),
        [
            ({"first_name": "Luis"}, {}),
            ({"last_name": "Gómez"}, {}),
            ({"email": "luis@example.org"}, {}),
            ({}, {"applicant_id": "ap-2"}),
            ({}, {"workflow_id": "wf-2"}),
            ({}, {"customer_user_id": "CUST-2"}),
            ({}, {"tags": ["application:APP-2", "product:wallet"]}),
            ({}, {"tags": ["application:APP-1"]}),
            ({}, {"tags": []}),
            ({}, {"tags": ["application:APP-1", "product:wallet", "tenant:bank-b"]}),
            ({}, {"tags": ["application:APP-1", "product:wallet", "is_shadow:true"]}),
            ({"phone_number": "+573005550102"}, {}),
            ({"dob": "1990-01-02"}, {}),
        ],
    )
    def test_what_was_opened_is_compared_with_what_was_asked(
        self, clock: FakeClock, applicant: dict[str, Any], run: dict[str, Any]
    ) -> None:
        answers = [reply([]), reply({**APPLICANT, **applicant}, 201), reply({**RUN, **run}, 201)]
        person = attrs.evolve(order().applicant, phone_number="+573005550101", birthdate=date(1990, 1, 1))
        with pytest.raises(UnexpectedResponse):
            run_exchange(RUNS.open_flow(order(applicant=person)), answers)
        good = [reply([]), reply({"id": "ap-1"}, 201), reply({**RUN, "tags": None, "customer_user_id": None}, 201)]
        assert run_exchange(RUNS.open_flow(order()), good).value.id == "run-1"
        as_told = [
            reply([]),
            reply({**APPLICANT, "first_name": "ANA "}, 201),
            reply({**RUN, "applicant_id": "AP-1"}, 201),
        ]
        assert run_exchange(RUNS.open_flow(order()), as_told).value.id == "run-1"

    @pytest.mark.parametrize(
        "told",
        [
            {"first_name": "JOSE", "last_name": "MULLER GOMEZ"},
            {"first_name": "Jose\u0301", "last_name": "Müller  Gómez"},
            {"last_name": "Müller Gómez", "email": "jose@example.org", "phone_number": "57 300 555-0101"},
            {"phone_number": "300 555 0101", "dob": "1990-01-01T00:00:00Z"},
            {"first_name": None, "last_name": "", "email": None, "phone_number": None, "dob": None},
        ],
    )
    def test_the_vendors_own_spelling_is_nobody_else(self, told: dict[str, Any]) -> None:
        person = Applicant(
            reference="CUST-5120",
            given_name="José",
            family_name="Müller-Gómez",
            email="Jose@Example.org",
            phone_number="+573005550101",
            birthdate=date(1990, 1, 1),
        )
        record = {"id": "ap-1", **told}
        made = [reply([]), reply(record, 201), reply(RUN, 201)]
        found = [reply([RUN]), reply([]), reply(record)]
        for answers in (made, found):
            assert run_exchange(RUNS.open_flow(order(applicant=person)), answers).value.id == "run-1"

    @pytest.mark.parametrize(
        ("one", "other", "is_same"),
        [
            ("Łukasz Sørensen", "LUKASZ SORENSEN", True),
            ("O’Neill", "ONEILL", True),
            ("Işık", "ISIK", True),
            ("Strauß", "STRAUSS", True),
            ("Андрей Йод", "Андреи Иод", True),
            ("Ana", "Anna", False),
            ("-", "Ana", False),
            ("मीरा", "मारा", False),
            ("がん", "かん", False),
            ("Ана", "Ана Б", False),
        ],
    )
    def test_names(self, one: str, other: str, is_same: bool) -> None:
        assert is_same_name(one, other) is is_same_name(other, one) is is_same

    @pytest.mark.parametrize("told", [{"tags": ["application:APP-2"]}, {"customer_user_id": "CUST-2"}])
    def test_what_is_looked_at_is_the_flows_own(
        self, connect: Connect, emulator: OnfidoEmulator, told: dict[str, Any]
    ) -> None:
        flow = connect().open(order())
        emulator.runs[flow.id].about.update(told)
        for look in (connect().result, connect().status):
            with pytest.raises(UnexpectedResponse, match="another run"):
                look(flow)

    def test_a_check_and_a_file_of_another_applicant(self) -> None:
        flow = Flow(id="ap-1", status="open")
        with pytest.raises(UnexpectedResponse, match="another applicant"):
            run_exchange(
                CHECKS.submit(flow), [reply({"checks": []}), reply({"id": "c-1", "applicant_id": "ap-2"}, 201)]
            )
        for document in papers(ANA):
            with pytest.raises(UnexpectedResponse, match="another applicant"):
                run_exchange(CHECKS.upload(flow, (document,)), [reply({"id": "d-1", "applicant_id": "ap-2"}, 201)])

    @pytest.mark.parametrize("id", ["\ud800", "x" * 100_000, "a b", "é"])
    def test_a_reference_that_is_none_is_the_callers_mistake(self, id: str) -> None:
        flow = Flow(id=id, status="open")
        for exchange in (RUNS.result(flow), CHECKS.result(flow), CHECKS.submit(flow), CHECKS.upload(flow, papers(ANA))):
            with pytest.raises(InvalidOrder):
                run_exchange(exchange, [])

    @given(st.data())
    def test_a_mutated_answer_opens_nothing_of_anybody_else(self, data: st.DataObject) -> None:
        answer = data.draw(json_like([RUN]))
        try:
            flow = run_exchange(RUNS.open_flow(order()), [reply([]), reply(APPLICANT, 201), reply(answer, 201)]).value
        except IdvError:
            return
        said = json.loads(json.dumps(answer))
        assert (flow.id, said["applicant_id"].lower()) == (said["id"], "ap-1")
        assert said.get("customer_user_id") in (None, "CUST-5120")


CHECK = {"id": "c-1", "applicant_id": "ap-1", "status": "complete", "result": "clear", "sandbox": False,
         "created_at": "2026-01-01T00:00:00Z", "report_ids": ["r-1", "r-2"]}  # fmt: skip
REPORTS = [
    {"id": "r-1", "check_id": "c-1", "name": "document", "status": "complete", "result": "clear"},
    {"id": "r-2", "check_id": "c-1", "name": "facial_similarity_photo", "status": "complete", "result": "clear"},
]


class TestNull:
    """The SDK types these as optional: null is absent."""

    def read(self, *checks: dict[str, Any], reports: Any = REPORTS) -> Any:
        answers = [reply({"checks": checks}), reply({"reports": reports})]
        return run_exchange(CHECKS.result(Flow(id="ap-1", status="open")), answers).value

    @pytest.mark.parametrize("name", ["report_ids", "created_at", "sandbox"])
    def test_of_a_check(self, name: str) -> None:
        result = self.read({**CHECK, name: None})
        assert (result.vendor_word, result.doubts) == ("clear", ())

    def test_a_status_that_is_null_is_under_way(self) -> None:
        assert self.read({**CHECK, "status": None}).status is FlowStatus.PROCESSING
        run = run_exchange(RUNS.result(Flow(id="run-1", status="open")), [reply({**RUN, "status": None})]).value
        assert (run.status, run.verdict) == (FlowStatus.PROCESSING, None)

    def test_a_report_that_is_not_there_is_a_doubt_where_the_check_names_none(self) -> None:
        (doubt,) = self.read({**CHECK, "report_ids": None}, reports=REPORTS[:1]).doubts
        assert (doubt.code, "facial_similarity_photo" in doubt.text) == ("report.missing", True)
        assert self.read(CHECK, reports=REPORTS[:1]).verdict == "doubtful"

    def test_a_report_that_names_no_check_is_a_doubt(self) -> None:
        reports = [{**report, "check_id": None} for report in REPORTS]
        assert [doubt.code for doubt in self.read(CHECK, reports=reports).doubts] == ["report.unnamed"]

    def test_which_of_two_checks_was_the_last(self) -> None:
        later = {**CHECK, "created_at": "2026-01-02T00:00:00.5+00:00", "result": "consider"}
        for checks in ((CHECK, later), (later, CHECK)):
            result = self.read(*checks)
            assert (result.vendor_word, result.doubts) == ("consider", ())
        for unknown in (None, "yesterday", ""):
            (doubt,) = self.read(CHECK, {**later, "created_at": unknown}).doubts
            assert doubt.code == "check.order_unknown"

    def test_of_tasks(self) -> None:
        task = {"id": "document_check_1", "task_def_id": "document_check", "created_at": None}
        output = {**task, "workflow_run_id": "run-1", "output": {"result": "clear"}}
        flow, run = Flow(id="run-1", status="open"), reply({**RUN, "status": "approved"})

        def doubts(tasks: list[Any], output: dict[str, Any]) -> list[str]:
            result = run_exchange(RUNS.result(flow), [run, reply(tasks), reply(output)]).value
            assert result.checks
            return [doubt.code for doubt in result.doubts]

        assert doubts([task, {"id": None, "task_def_id": None}], output) == []
        assert doubts([task], {**output, "workflow_run_id": None}) == ["flow.unnamed"]
        assert doubts([task, task], output) == ["task.order_unknown"]


class TestTestMode:
    def test_the_sandbox_is_one(self, connect: Connect, network: Network, clock: FakeClock, settings: Any) -> None:
        flow = connect().open(order())
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(ANA))
        clock.advance(5)
        assert connect().result(flow).is_test
        unmarked = Gateway(
            [Account("onfido", "onfido", settings)], transport=network, clock=clock, registry=registry_of(idv_plugin())
        )
        result = unmarked.result(flow)
        assert (result.decision, [reason.code for reason in result.reasons]) == (Decision.REVIEW, ["account.test_mode"])

    @pytest.mark.parametrize(
        ("token", "told", "is_test"), [("api_live.x", None, False), ("x", True, True), ("x", None, False)]
    )
    def test_a_check_says_it(self, token: str, told: bool | None, is_test: bool) -> None:
        adapter = OnfidoChecks(attrs.evolve(SETTINGS, api_token=Secret(token)))
        answers = [reply({"checks": [{**CHECK, "sandbox": told}]}), reply({"reports": REPORTS})]
        assert run_exchange(adapter.result(Flow(id="ap-1", status="open")), answers).value.is_test is is_test


WORDS = st.text(st.characters(categories=["L", "M"], include_characters="'-"), min_size=1, max_size=8).map(
    lambda word: unicodedata.normalize("NFC", word)
)
NAMES = st.lists(WORDS, min_size=1, max_size=4)


def apart(**known: str | None) -> tuple[str, str]:
    return names_of(Applicant(reference="CUST-1", **known), {})


class TestNames:
    @pytest.mark.parametrize(
        ("known", "sent"),
        [
            ({"name": "Ana María Ruiz Gómez", "given_name": "Ana María"}, ("Ana María", "Ruiz Gómez")),
            ({"name": "Ana María Ruiz Gómez", "family_name": "Ruiz Gómez"}, ("Ana María", "Ruiz Gómez")),
            ({"name": "Nguyễn Văn An", "given_name": "An"}, ("An", "Nguyễn Văn")),
            ({"name": "Nguyễn Văn An", "family_name": "Nguyễn"}, ("Văn An", "Nguyễn")),
            ({"name": "Ruiz Gómez, Ana", "given_name": "Ana"}, ("Ana", "Ruiz Gómez")),
            ({"name": "RUIZ  Ana", "family_name": "Ruiz"}, ("Ana", "Ruiz")),
            ({"name": unicodedata.normalize("NFD", "José Núñez"), "given_name": "José"}, None),
            ({"name": "Anything", "given_name": "Ana", "family_name": "Ruiz"}, ("Ana", "Ruiz")),
        ],
    )
    def test_the_known_half_is_cut_off_the_whole(self, known: dict[str, str], sent: tuple[str, str] | None) -> None:
        made = apart(**known)
        assert made == (sent or ("José", unicodedata.normalize("NFD", "Núñez")))

    @pytest.mark.parametrize(
        "known",
        [
            {"name": "Nguyễn Văn An"},
            {"name": "Ana Ruiz"},
            {"name": "Suharto"},
            {"name": "Suharto", "given_name": "Suharto"},
            {"given_name": "Suharto"},
            {"family_name": "Suharto"},
            {"name": "Ana María Ruiz", "given_name": "María"},
            {"name": "Jean-Pierre Dupont", "given_name": "Jean"},
            {"name": "An Văn An", "given_name": "An"},
            {},
        ],
    )
    def test_nothing_is_guessed(self, known: dict[str, str]) -> None:
        with pytest.raises(InvalidOrder, match="given_name and family_name"):
            apart(**known)

    @pytest.mark.parametrize("option", [7, "", " ", ["-"]])
    def test_an_option_is_a_text(self, option: object) -> None:
        with pytest.raises(InvalidOrder, match="first_name is a text"):
            names_of(Applicant(reference="CUST-1", family_name="Suharto"), {"first_name": option})

    @given(
        given_words=NAMES, family_words=NAMES, family_first=st.booleans(), known=st.sampled_from(["given", "family"])
    )
    @example(given_words=["An"], family_words=["An", "Văn"], family_first=False, known="given")
    def test_what_goes_out_is_what_came_in(
        self, given_words: list[str], family_words: list[str], family_first: bool, known: str
    ) -> None:
        first, last = " ".join(given_words), " ".join(family_words)
        whole = f"{last} {first}" if family_first else f"{first} {last}"
        person = {"name": whole, f"{known}_name": first if known == "given" else last}
        try:
            made = Applicant(reference="CUST-1", **person)
        except ValueError:
            assume(False)
        try:
            sent = names_of(made, {})
        except InvalidOrder:
            half = (first if known == "given" else last).casefold()
            assert whole.casefold().startswith(half)
            assert whole.casefold().endswith(half)
            return
        assert sorted(" ".join(sent).split()) == sorted(whole.split())
        assert sent[0 if known == "given" else 1] == person[f"{known}_name"]


def test_opening_makes_no_second_run_where_the_list_fails(clock: FakeClock) -> None:
    """Whoever cannot look does not open."""
    asked: list[str] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(200, json={"runs": []})

    settings = {"base_url": "https://onfido.example/v3.6", "api_token": Secret("api_sandbox.x"), "workflow_id": "wf-1"}
    account = Account("onfido", "onfido", settings, test=True)
    idv = Gateway([account], transport=httpx.MockTransport(vendor), clock=clock, registry=registry_of(idv_plugin()))
    with pytest.raises(UnexpectedResponse) as caught:
        idv.open(order())
    assert (caught.value.nothing_done, {*asked}) == (True, {"GET"})
    assert isinstance(clock.now(), datetime)
