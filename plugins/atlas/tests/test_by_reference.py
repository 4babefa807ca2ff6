"""What was handed in, and which flow an answer is of: by reference the decision is never milder than by value."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_atlas import AtlasBatch, AtlasOnboarding, AtlasSettings, AtlasVerification, Family
from idv_atlas.testing.harness import order

from idv_core import CheckOutcome, Decision, Document, Flow, FlowStatus, Result, Secret
from idv_core.errors import InvalidOrder, UnexpectedResponse
from idv_core.model import Upload
from idv_core.policy import Policy, Threshold, evaluate
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_values

NOW = datetime(2026, 8, 1, tzinfo=UTC)
SETTINGS = AtlasSettings(client_id=Secret("id"), client_secret=Secret("secret"), product_type="PFL_CDL")
VERIFICATION = AtlasVerification(SETTINGS)
ONBOARDING = AtlasOnboarding(attrs.evolve(SETTINGS, family=Family.ONBOARDING))
BULK = AtlasBatch(attrs.evolve(SETTINGS, family=Family.BULK))
POLICY = Policy(thresholds={"cross_check": Threshold(approve_at=0.8, decline_below=0.6)})
DONE = {"master_status": "SUCCESS"}
STRICT = [Decision.DECLINED, Decision.UNDECIDED, Decision.REVIEW, Decision.APPROVED]


def value(id: str, *documents: str, **more: Any) -> Flow:
    """A flow as the process has it that opened it and handed the documents in."""
    uploads = tuple(Upload(document_id=name) for name in documents)
    return Flow(id=id, status=FlowStatus.PROCESSING, created_at=NOW, uploads=uploads, **more)


def reference(id: str) -> Flow:
    """The same flow in another process, which has its reference only."""
    return Flow(id=id, status=FlowStatus.OPEN)


def entry(id: str, container: str = "data", **more: Any) -> dict[str, Any]:
    return {"document_id": id, container: {"document_type": "PAN", "name": {"value": "x"}}, **more}


def extracts(*ids: str, **more: Any) -> dict[str, Any]:
    pair = {"name": "CUSTOMER_NAME", "similarity_score": 99, "source_doc": "PAN", "target_doc": "INVOICE"}
    return {"flow_uuid": "u", "ocr_data": [entry(id) for id in ids], "cross_checks": [pair], **more}


def verified(flow: Flow, answer: Any, status: Any = DONE, adapter: AtlasVerification = VERIFICATION) -> Result:
    result: Result = run_exchange(adapter.result(flow), [reply(status), reply(answer)]).value
    return evaluate(POLICY, result, NOW)


def codes(result: Result) -> list[str]:
    return [doubt.code for doubt in result.doubts]


class TestVerification:
    def test_all_that_was_handed_in_is_there(self) -> None:
        assert verified(value("u", "pan", "aadhaar"), extracts("pan", "aadhaar")).decision is Decision.APPROVED

    def test_a_document_that_never_came_does_not_approve(self) -> None:
        assert verified(value("u", "pan", "aadhaar"), extracts("pan")).decision is Decision.REVIEW
        by_reference = verified(reference("u"), extracts("pan"))
        assert (by_reference.decision, codes(by_reference)) == (Decision.REVIEW, ["uploads.unknown"])

    @pytest.mark.parametrize("flow", [value("u"), value("u", "pan"), attrs.evolve(value("u", "pan"), created_at=None)])
    def test_a_flow_that_does_not_know_all_that_was_handed_in_does_not_approve(self, flow: Flow) -> None:
        assert codes(verified(flow, extracts("pan", "aadhaar"))) == ["uploads.unknown"]

    def test_two_results_under_one_id_do_not_approve(self) -> None:
        twice = verified(value("u", "pan", "aadhaar"), extracts("pan", "pan", "aadhaar"))
        assert (twice.decision, codes(twice)) == (Decision.REVIEW, ["document.twice"])

    def test_by_reference_the_vendor_is_asked_what_it_has_before_it_is_handed_in_again(self) -> None:
        pan = (Document("pan", url="https://files.example/pan"),)
        with pytest.raises(InvalidOrder, match="'pan' is already used"):
            run_exchange(VERIFICATION.upload(reference("u"), pan), [reply(extracts("pan"))])
        taken = reply([{"document_id": "pan", "batch_id": "B", "file_uuid": "1"}], status=201)
        ran = run_exchange(VERIFICATION.upload(reference("u"), pan), [reply(extracts("aadhaar")), taken])
        assert [request.method for request in ran.requests] == ["GET", "POST"]
        assert codes(verified(ran.value, extracts("pan", "aadhaar"))) == ["uploads.unknown"]

    @pytest.mark.parametrize("named", [{"flow_uuid": "other"}, {"flow_uuid": 7}, {"flow_id": "other"}])
    @pytest.mark.parametrize("where", ["status", "extracts"])
    def test_an_answer_of_another_flow_is_refused(self, named: dict[str, Any], where: str) -> None:
        status = {**DONE, **(named if where == "status" else {})}
        answer = extracts("pan", **(named if where == "extracts" else {}))
        with pytest.raises(UnexpectedResponse, match="of another flow"):
            verified(value("u", "pan"), answer, status)

    @pytest.mark.parametrize("unnamed", [None, ""])
    def test_extracts_that_do_not_name_their_flow_are_doubtful(self, unnamed: Any) -> None:
        result = verified(value("u", "pan"), extracts("pan", flow_uuid=unnamed))
        assert (result.decision, codes(result)) == (Decision.REVIEW, ["flow.unnamed"])
        never = AtlasVerification(attrs.evolve(SETTINGS, extracts_name_flow=False))
        assert (
            verified(value("u", "pan"), extracts("pan", flow_uuid=unnamed), adapter=never).decision is Decision.APPROVED
        )

    @given(st.data())
    def test_by_reference_is_never_milder(self, data: st.DataObject) -> None:
        answer = mutated(data, extracts("pan", "aadhaar"))
        flow = value("u", "pan", "aadhaar")
        try:
            by_reference = verified(reference("u"), answer)
        except UnexpectedResponse:
            return
        by_value = verified(flow, answer)
        assert STRICT.index(by_reference.decision) <= STRICT.index(by_value.decision)
        assert by_reference.decision is not Decision.APPROVED


def mutated(data: st.DataObject, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with some members left out, replaced or repeated, at any depth."""
    answer = copy.deepcopy(answer)
    for _ in range(data.draw(st.integers(1, 4))):
        node: Any = answer
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            inner = node[key]
            if isinstance(inner, (dict, list)) and inner and data.draw(st.booleans()):
                node = inner
                continue
            match data.draw(st.sampled_from(["leave out", "replace", "repeat"])):
                case "leave out":
                    del node[key]
                case "replace":
                    node[key] = data.draw(json_values)
                case _ if isinstance(node, list):
                    node.append(copy.deepcopy(inner))
            break
    return answer


FILES: list[dict[str, Any]] = [
    {"document_id": "5643", "status": "PROCESSING_SUCCESS"},
    {"document_id": "7890", "status": "UPLOAD_SUCCESS"},
]
SUBMITTED: dict[str, Any] = {"flow_id": "F", "data": [entry("5643", external_reference_id="U")]}


class TestOnboarding:
    def result(self, flow: Flow, files: Any, submitted: Any) -> Result:
        replies = [reply({**DONE, "file_statuses": files}), reply(submitted)]
        return evaluate(POLICY, run_exchange(ONBOARDING.result(flow), replies).value, NOW)

    @pytest.mark.parametrize("flow", [value("F:U", "5643", "7890"), reference("F:U")], ids=["value", "reference"])
    def test_a_file_without_a_result_is_missed(self, flow: Flow) -> None:
        result = self.result(flow, FILES, SUBMITTED)
        (check,) = result.checks
        assert (check.document_id, check.outcome) == ("7890", CheckOutcome.NOT_DONE)
        assert result.doubts == ()

    def test_where_the_vendor_lists_no_files_nobody_knows(self) -> None:
        assert codes(self.result(reference("F:U"), [], SUBMITTED)) == ["uploads.unknown"]

    @pytest.mark.parametrize("word", ["FAILED", "failed", "PROCESSING_FAILED", "REJECTED", "upload error"])
    def test_a_file_that_failed_is_a_failed_document(self, word: str) -> None:
        result = self.result(reference("F:U"), [FILES[0], {"document_id": 7890, "status": word}], SUBMITTED)
        assert [(check.document_id, check.outcome) for check in result.checks] == [("7890", CheckOutcome.FAILED)]

    def test_a_co_applicants_file_is_not_missed(self) -> None:
        theirs = {"flow_id": "F", "data": [*SUBMITTED["data"], entry("7890", external_reference_id="V")]}
        assert self.result(reference("F:U"), FILES, theirs).checks == ()

    def test_answers_of_others(self) -> None:
        assert codes(self.result(reference("F:U"), FILES, {"data": SUBMITTED["data"]})) == ["flow.unnamed"]
        for status in ({"flow_id": "G"}, {"external_reference_id": "V"}):
            with pytest.raises(UnexpectedResponse, match="of another flow"):
                run_exchange(ONBOARDING.status(reference("F:U")), [reply({**DONE, **status})])

    def test_closing_another_flow_is_noticed(self) -> None:
        assert run_exchange(ONBOARDING.submit(reference("F:U")), [reply(b"")]).value.status is FlowStatus.PROCESSING
        with pytest.raises(UnexpectedResponse, match="of another flow"):
            run_exchange(ONBOARDING.submit(reference("F:U")), [reply({"flow_id": "G", "data": []})])

    def test_by_reference_the_vendor_is_asked_what_it_has_before_it_is_handed_in_again(self) -> None:
        again = (Document("5643", url="https://files.example/pan"),)
        with pytest.raises(InvalidOrder, match="'5643' is already used"):
            run_exchange(ONBOARDING.upload(reference("F:U"), again), [reply({**DONE, "file_statuses": FILES})])

    @pytest.mark.parametrize(
        "named", [{"application_id": "APP-2"}, {"external_reference_id": "X"}, {"username": "Rohan Das"}]
    )
    def test_what_was_opened_is_what_was_asked_for(self, named: dict[str, str]) -> None:
        asked = order()
        echoed = {"application_id": "APP-10001", "external_reference_id": "CUST-9283", "username": " meera IYER "}
        opened = {"flow_id": "F", **echoed}
        assert run_exchange(ONBOARDING.open_flow(asked), [reply(opened, status=201)]).value.id == "F:CUST-9283"
        with pytest.raises(UnexpectedResponse, match=f"another {next(iter(named))} than"):
            run_exchange(ONBOARDING.open_flow(asked), [reply({**opened, **named}, status=201)])


class TestBatches:
    three = tuple(Document(id, url=f"https://files.example/{id}") for id in ("a", "b", "c"))
    pending = Flow(id="pending:APP-1", status=FlowStatus.OPEN, created_at=NOW, details={"product_type": "X"})

    def taken(self, *ids: str) -> list[dict[str, str]]:
        return [{"document_id": f"APP-1/{id}", "batch_id": "B", "file_uuid": id} for id in ids]

    def result(self, flow: Flow, *pages: dict[str, Any]) -> Result:
        return evaluate(POLICY, run_exchange(BULK.result(flow), [reply(page) for page in pages]).value, NOW)

    def page(self, *ids: str, **more: Any) -> dict[str, Any]:
        return {"data": [entry(f"APP-1/{id}", "file_data") for id in ids], **more}

    def test_a_file_that_was_not_taken_keeps_nobody_waiting(self) -> None:
        flow = run_exchange(BULK.upload(self.pending, self.three), [reply(self.taken("a", "b"), status=201)]).value
        assert [upload.accepted for upload in flow.uploads] == [True, True, False]
        result = self.result(flow, self.page("a", "b", has_next=False))
        assert result.status is FlowStatus.FINISHED
        assert [(check.document_id, check.outcome) for check in result.checks] == [("c", CheckOutcome.NOT_DONE)]
        assert result.doubts == ()
        by_reference = self.result(reference(flow.id), self.page("a", "b", has_next=False))
        assert (by_reference.status, codes(by_reference)) == (FlowStatus.FINISHED, ["uploads.unknown"])

    def test_files_that_nobody_sent_are_no_answer_to_this_upload(self) -> None:
        with pytest.raises(UnexpectedResponse, match="not handed in"):
            run_exchange(BULK.upload(self.pending, self.three), [reply(self.taken("a", "b", "z"), status=201)])

    @pytest.mark.parametrize(
        "said", [{}, {"has_next": None}, {"has_next": True}, {"has_next": "true"}, {"has_next": 1}]
    )
    def test_the_list_goes_on_until_a_page_brings_nothing_new(self, said: dict[str, Any]) -> None:
        pages = [self.page("a", **said), self.page("b", **said), self.page("b", **said)]
        ran = run_exchange(BULK.result(reference("B:3")), [reply(page) for page in pages])
        assert len(ran.requests) == 3
        assert ran.value.status is FlowStatus.PROCESSING

    @pytest.mark.parametrize("said", [False, "false"])
    def test_or_until_the_vendor_says_so(self, said: Any) -> None:
        assert len(run_exchange(BULK.result(reference("B:3")), [reply(self.page("a", has_next=said))]).requests) == 1

    def test_a_page_of_another_batch_is_refused(self) -> None:
        with pytest.raises(UnexpectedResponse, match="of another flow"):
            self.result(reference("B:1"), self.page("a", batch_id="C"))


@pytest.mark.parametrize("id", ["x" * 500, "\ud800", "a\nb", " ", "F:\x00"])
def test_what_cannot_be_an_id_of_atlas_is_said_to_be_none(id: str) -> None:
    flow = attrs.evolve(reference("F"))
    object.__setattr__(flow, "id", id)
    for adapter in (VERIFICATION, ONBOARDING, BULK):
        for call in (adapter.status, adapter.result):
            with pytest.raises(InvalidOrder) as caught:
                run_exchange(call(flow), [])
            assert caught.value.fields == ("flow",)


@pytest.mark.parametrize("id", ["B:٣", "B:²", "B:-1", "B:1.5", ":3"])
def test_a_batch_is_counted_in_plain_digits(id: str) -> None:
    with pytest.raises(InvalidOrder, match="batch_id:number"):
        run_exchange(BULK.result(reference(id)), [])


@pytest.mark.parametrize("params", ["x", 5, [1], True])
@pytest.mark.parametrize("adapter", [VERIFICATION, ONBOARDING], ids=["verification", "onboarding"])
def test_flow_params_that_are_no_object_are_the_callers_mistake(
    adapter: AtlasVerification | AtlasOnboarding, params: Any
) -> None:
    with pytest.raises(InvalidOrder) as caught:
        run_exchange(adapter.open_flow(order(vendor_options={"atlas": {"flow_params": params}})), [])
    assert caught.value.fields == ("vendor_options.atlas.flow_params",)


@pytest.mark.parametrize("id", ["", "  ", "a\nb", "x" * 300])
def test_an_id_that_cannot_be_one_is_no_flow(id: str) -> None:
    with pytest.raises(UnexpectedResponse, match="no flow_uuid or flow_id"):
        run_exchange(ONBOARDING.open_flow(order()), [reply({"flow_id": id})])
