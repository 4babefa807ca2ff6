"""What stands beside a flow that passed, and is documented nowhere, never approves over a failure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_verigram.mapping import KINDS, read_answer
from idv_verigram.plugin import Verigram
from idv_verigram.settings import VerigramSettings

from idv_core import Decision, Flow, Result, Secret
from idv_core.model import subject_of
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.testing.exchange import reply, run_exchange

LIVE = {"service_name": "verilive", "service_status": "pass"}
GOOD = {"flow_id": "f-1", "flow_status": "pass", "end_cause": "completed", "services": [LIVE]}


ADAPTER = Verigram(VerigramSettings(base_url="https://verigram.example", api_key=Secret("k")))
FLOW = Flow(id="f-1", status="awaiting_applicant", details={"person_id": "CUST-1"}, subject=subject_of("CUST-1"))


def read(**more: Any) -> Result:
    result = run_exchange(ADAPTER.result(FLOW), [reply({**GOOD, **more})]).value
    return evaluate(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC))


def decide(**more: Any) -> Decision | None:
    return read(**more).decision


@pytest.mark.parametrize(
    "trouble",
    [
        {"error": "document expired"},
        {"errorCode": "DOC_EXPIRED"},
        {"reason": "blurred"},
        {"failure": {"code": 7}},
        {"status": "fail"},
        {"result": "odd"},
        {"is_valid": False},
        {"steps": [{"check": {"outcome": "rejected"}}]},
    ],
)
def test_trouble_in_a_service_that_passed_or_beside_the_services(trouble: dict[str, Any]) -> None:
    assert decide() is Decision.APPROVED
    assert decide(services=[LIVE, {"service_name": "veridoc", "service_status": "pass", **trouble}]) is Decision.REVIEW
    assert decide(**trouble) is Decision.REVIEW
    assert decide(interrupter={"service_name": "esign", "service_status": "pass", **trouble}) is Decision.REVIEW


@st.composite
def shapes(draw: st.DrawFn, name: str, word: str) -> dict[str, Any]:
    """A service that says how it went, in any of the shapes that a vendor may think of."""
    name = draw(st.sampled_from([name, name.upper(), name.replace("-", "_")]))
    one: Any = draw(
        st.sampled_from(
            [
                {name: word},
                {name: [word]},
                {name: {"service_status": word}},
                {name: {"status": word}},
                {"service_name": name, "service_status": word},
                {"service_name": name, "status": word},
                {"name": name, "status": word},
                {"service": name, "result": word},
            ]
        )
    )
    for key in draw(st.lists(st.sampled_from(["a", "results", "[]"]), max_size=12)):
        one = [one] if key == "[]" else {key: one}
    return {"more": one}


@given(st.data(), st.sampled_from(sorted(KINDS)))
def test_a_service_that_failed_is_seen_in_any_shape(data: st.DataObject, name: str) -> None:
    more = data.draw(shapes(name, "fail"))
    (check,) = read_answer(FLOW, more, date(2026, 3, 1)).checks
    assert (check.vendor_name, check.kind, check.outcome) == (name, KINDS[name], "failed")
    assert decide(**more) in (Decision.DECLINED, Decision.REVIEW)
    for word in ("odd", "in_progress"):
        assert decide(**data.draw(shapes(name, word))) is Decision.REVIEW


def test_two_places_that_differ_are_no_attempts() -> None:
    failed = {"service_name": "veridoc", "service_status": "fail"}
    assert decide(services=[failed, LIVE], results={"veridoc": "pass"}) is Decision.REVIEW
    assert decide(services=[failed, {**failed, "service_status": "pass"}, LIVE]) is Decision.APPROVED
    inner = {**LIVE, "steps": [{"service_name": "verilive", "service_status": "fail"}]}
    assert decide(services=[inner]) is Decision.REVIEW


@pytest.mark.parametrize("key", ["expiry_date", "expirationDate", "valid_until", "date_of_expiry"])
def test_a_date_of_expiry_in_a_service_counts(key: str) -> None:
    def with_date(value: Any) -> Result:
        document = {"service_name": "veridoc", "service_status": "pass", "document": {key: value}}
        return read(services=[LIVE, document])

    for fine in ("2031-05-07", None, ""):
        assert with_date(fine).decision is Decision.APPROVED
    assert [reason.code for reason in with_date("2019-01-01").reasons] == ["document.expired"]
    for unread in ({}, [], "soon", 7):
        assert [reason.code for reason in with_date(unread).reasons] == ["document.unread"], unread


def test_ordinary_fields_are_no_doubt() -> None:
    assert (
        decide(
            created_at="2026-01-01T00:00:00Z",
            expires_at="2026-01-02T00:00:00Z",
            locale="en",
            error_code=None,
            template={"pipeline": [{"name": "veridoc", "max_retries": 3}]},
            kisc_pii={"documents": [{"status": {"code": "00"}, "endDate": "2015-01-01"}]},
        )
        is Decision.APPROVED
    )


def test_words_are_told_as_they_came() -> None:
    odd = read(services=[{**LIVE, "service_status": " Rejected: Meera Nair"}])
    assert odd.checks[0].vendor_word == "Rejected: Meera Nair"
    assert read(flow_status="Blocked").vendor_word == "Blocked"
