"""What stands in or beside a clear report or an approved run, and says something else, never approves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_onfido.checks import OnfidoChecks
from idv_onfido.settings import OnfidoSettings
from idv_onfido.workflows import OnfidoWorkflows

from idv_core import Decision, Flow, Result, Secret
from idv_core.errors import UnexpectedResponse
from idv_core.model import Upload, subject_of
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.testing.exchange import reply, run_exchange

SETTINGS = OnfidoSettings(api_token=Secret("api_live.abcdefghijk.lmnopqrstuvwxyz"), workflow_id="wf-1")
FLOW = Flow(id="r-1", status="open", subject=subject_of("CUST-1"), details={"applicant_id": "a-1"})
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TROUBLE = [
    {"error": {"type": "x"}},
    {"errors": ["could not process"]},
    {"failureReason": "blurred"},
    {"verdict": "odd"},
    {"is_valid": False},
]


def run_of(output: Any = (), tasks: tuple[tuple[str, Any], ...] = (), task: Any = (), **run: Any) -> Result:
    """The result of an approved run with a clear document check and those further tasks."""
    made = [("document_check", {"result": "clear", **dict(output)}), *tasks]
    listed = [{"id": f"{name}_1", "task_def_id": name, "created_at": "2026-01-01T00:00:00Z"} for name, _ in made]
    answers = [
        {"id": f"{name}_1", "workflow_run_id": "r-1", "output": told, **dict(task)}
        for name, told in made
        if not name.startswith("upload_")
    ]
    about = {"id": "r-1", "applicant_id": "A-1", "workflow_id": "wf-1", "status": "approved", "reasons": ["all well"]}
    replies = [reply({**about, "customer_user_id": "CUST-1", "error": None, "output": None, **run}), reply(listed)]
    result = run_exchange(OnfidoWorkflows(SETTINGS).result(FLOW), [*replies, *map(reply, answers)]).value
    return evaluate(DEFAULT_POLICY, result, NOW)


def check_of(check: Any = (), report: Any = (), uploads: tuple[Upload, ...] = ()) -> Result:
    """The result of a clear check with one clear report."""
    one = {"id": "c-1", "applicant_id": "r-1", "status": "complete", "result": "clear", "report_ids": ["p-1"]}
    made = {"id": "p-1", "check_id": "c-1", "name": "document", "status": "complete", "result": "clear"}
    replies = [reply({"checks": [{**one, **dict(check)}]}), reply({"reports": [{**made, **dict(report)}]})]
    return evaluate(
        DEFAULT_POLICY,
        run_exchange(OnfidoChecks(SETTINGS).result(attrs.evolve(FLOW, uploads=uploads)), replies).value,
        NOW,
    )


@st.composite
def breakdowns(draw: st.DrawFn, part: Any) -> Any:
    """The part in a breakdown of any depth, all above it clear."""
    for name in draw(st.lists(st.sampled_from(["visual_authenticity", "fonts", "face_match"]), min_size=1, max_size=6)):
        part = {"result": "clear", "breakdown": {name: part}}
    return part["breakdown"]


@given(
    st.data(),
    st.sampled_from(
        [{"result": "consider"}, "consider", {"result": "unidentified"}, {"result": ["clear"]}, ["consider"]]
        + [{"result": "clear", **trouble} for trouble in TROUBLE]
        + [{"result": "clear", "properties": trouble} for trouble in TROUBLE]
    ),
)
def test_an_inner_part_that_is_not_clear(data: st.DataObject, part: Any) -> None:
    breakdown = data.draw(breakdowns(part))
    for result in (run_of({"breakdown": breakdown}), check_of(report={"breakdown": breakdown})):
        assert [str(check.outcome) for check in result.checks] == ["inconclusive"]
        assert result.checks[0].reasons
        assert result.decision is Decision.REVIEW
    fine = data.draw(breakdowns({"result": "clear", "properties": {"score": 0.9}}))
    assert run_of({"breakdown": fine}).decision is Decision.APPROVED


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_beside(trouble: dict[str, Any]) -> None:
    assert run_of().decision is check_of().decision is Decision.APPROVED
    for result in (
        run_of(trouble),
        run_of(**trouble),
        run_of(task=trouble),
        run_of(output={"properties": trouble}),
        check_of(check=trouble),
        check_of(report=trouble),
    ):
        assert result.decision is Decision.REVIEW


def test_a_run_of_another_applicant_is_an_alarm() -> None:
    for other in ({"applicant_id": "a-2"}, {"customer_user_id": "CUST-2"}):
        with pytest.raises(UnexpectedResponse, match="another run"):
            run_of(**other)


def test_what_comes_from_the_sandbox_is_a_test() -> None:
    assert (run_of().is_test, run_of(sandbox=True).is_test, run_of({"sandbox": True}).is_test) == (False, True, True)


@st.composite
def properties(draw: st.DrawFn, key: str, value: Any) -> Any:
    told: Any = {key: value}
    for name in draw(st.lists(st.sampled_from(["nfc", "mrz", "barcode", "extracted_data", "[]"]), max_size=4)):
        told = [told] if name == "[]" else {name: told}
    # properties that are no object are a doubt by themselves
    return told if isinstance(told, dict) else {"read": told}


@given(
    st.data(),
    st.sampled_from(["date_of_expiry", "expiry_date", "expirationDate", "valid_until", "EXPIRES"]),
)
def test_an_expiry_is_found_under_any_name_in_any_place(data: st.DataObject, key: str) -> None:
    def output(value: Any) -> Any:
        return {"properties": data.draw(properties(key, value))}

    for value in ("2019-01-01", {}, [], "soon", 7, {"year": 2031}):
        assert run_of(output(value)).decision is Decision.REVIEW
        assert run_of(tasks=(("document_check_v2", {"result": "clear", **output(value)}),)).decision is Decision.REVIEW
    for value in ("2031-01-01", None):
        assert run_of(output(value)).decision is Decision.APPROVED


def test_classes_of_vehicles_end_by_themselves() -> None:
    classes = [{"category": "B", "expiry_date": "2019-01-01"}, {"category": "A", "expiry_date": "2035-01-01"}]
    told = {"date_of_expiry": "2031-01-01", "valid_from": "2020-02-01", "issuing_date": "2020-01-01"}
    for more in ({"driving_licence_information": classes}, {"passenger_vehicle": classes[0]}):
        assert run_of({"properties": {**told, **more}}).decision is Decision.APPROVED
        assert run_of({"properties": more}).decision is Decision.REVIEW


@pytest.mark.parametrize("name", ["document_check_v2", "watchlist_asset_listed", "x"])
def test_tasks_that_nobody_knows(name: str) -> None:
    for output in (
        {"result": "consider"},
        {"result": "consider", "sub_result": "rejected"},
        {"result": "clear", "sub_result": "caution"},
        {"result": "odd"},
        {"result": "clear", "breakdown": {"a": {"result": "consider"}}},
        {"error": "x"},
        {"decision": "declined"},
        ["rejected"],
    ):
        assert run_of(tasks=((name, output),)).decision is Decision.REVIEW, output
    for fine in ({"result": "clear"}, {}, None, [{"id": "d-1", "side": "front"}], {"country": "GBR"}):
        result = run_of(tasks=((name, fine), ("upload_document_photo", None)))
        assert result.decision is Decision.APPROVED, fine
        assert result.notes == (f"the task {name} is not known, and was not read",)


def test_ordinary_fields_are_no_doubt() -> None:
    device = {"emulator": False, "randomized_device": False, "number_of_suspected_ip_reuse_reports": 1}
    person = {"first_name": "Ana", "last_name": "Fail", "remarks": "NOT VALID FOR TRAVEL", "civil_state": "single"}
    breakdown = {"compromised_document": {"result": "clear"}, "data_validation": {"result": None, "breakdown": {}}}
    breakdown["data_validation"]["breakdown"] = {"expiry_date": {"result": "clear"}}
    output = {"uuid": "u", "sub_result": "clear", "properties": {**person, "device": device}, "breakdown": breakdown}
    assert run_of(output, tags=["failed"], dashboard_url="https://d.example").decision is Decision.APPROVED


def test_reports_are_about_the_applicant_of_the_flow() -> None:
    with pytest.raises(UnexpectedResponse, match="another applicant"):
        check_of(report={"applicant_id": "bob"})
