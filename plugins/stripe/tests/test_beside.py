"""What stands beside a session that is verified, and is documented nowhere, never approves over a failure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_stripe.plugin import StripeIdentity
from idv_stripe.settings import StripeSettings

from idv_core import Decision, Flow, FlowStatus, Result, Secret
from idv_core.errors import UnexpectedResponse
from idv_core.model import subject_of
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.testing.exchange import reply, run_exchange

ADAPTER = StripeIdentity(StripeSettings(api_key=Secret("sk_live_" + "a" * 24)))
FLOW = Flow(id="vs_1", status="open", application_id="APP-1", subject=subject_of("CUST-1"))
TROUBLE = [
    {"errors": [{"code": "document_expired"}]},
    {"error_code": "document_expired"},
    {"ErrorMessage": "odd"},
    {"failure": True},
    {"result": "fail"},
    {"verdict": "odd"},
    {"is_valid": False},
    {"checks": [{"name": "fonts", "outcome": "rejected"}]},
]


def read(document: Any = (), report: Any = (), **session: Any) -> Result:
    part = {"status": "verified", "type": "passport", "error": None, "expiration_date": None, **dict(document)}
    whole = {"verification_session": "vs_1", "client_reference_id": "CUST-1", "livemode": True, "document": part}
    answer = {
        "id": "vs_1",
        "status": "verified",
        "livemode": True,
        "client_reference_id": "CUST-1",
        "metadata": {"application_id": "APP-1"},
        "redaction": None,
        "last_verification_report": {**whole, **dict(report)},
        **session,
    }
    return evaluate(
        DEFAULT_POLICY, run_exchange(ADAPTER.result(FLOW), [reply(answer)]).value, datetime(2026, 3, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_beside_what_is_verified(trouble: dict[str, Any]) -> None:
    assert read().decision is Decision.APPROVED
    assert read(document=trouble).decision is Decision.REVIEW
    assert read(report=trouble).decision is Decision.REVIEW
    assert read(report={"selfie": {"status": "verified", **trouble}}).decision is Decision.REVIEW
    assert read(**trouble).decision is Decision.REVIEW


@pytest.mark.parametrize(
    "part", ["unverified", "verified", ["unverified"], [{"status": "x"}], {"result": "fail"}, False]
)
def test_a_part_that_nobody_knows_is_not_passed_over(part: Any) -> None:
    assert read(report={"liveness": part}).decision is Decision.REVIEW


def test_ordinary_fields_are_no_doubt() -> None:
    fine = read(
        document={
            "first_name": "Ana",
            "last_name": "Fail",
            "dob": {"day": 1, "month": 2, "year": 1990},
            "files": ["f"],
        },
        report={"id": "vr_1", "object": "identity.verification_report", "options": {}, "new_count": 7, "extra": None},
        related_customer="cus_1",
    )
    assert fine.decision is Decision.APPROVED


@given(
    st.sampled_from(["expiration_date", "expiry_date", "expiresOn", "valid_until", "date_of_expiry"]),
    st.sampled_from([{}, [], {"y": None}, {"day": None}, {"year": 2031}, "soon", 7, False, [{}]]),
)
def test_an_expiry_that_is_there_is_never_absent(key: str, value: Any) -> None:
    assert read(document={key: value}).documents[0].unread == ("expires_on",)
    assert read(document={"mrz": [{key: value}]}).decision is Decision.REVIEW
    for over in ({"day": 1, "month": 1, "year": 2019}, "2019-01-01"):
        assert read(document={key: over}).decision is not Decision.APPROVED
    assert read(document={key: {"day": 1, "month": 1, "year": 2031}}).decision is Decision.APPROVED
    assert read(document={key: {"day": None, "month": None, "year": None}}).decision is Decision.APPROVED


def test_a_session_that_is_redacted_is_erased_and_approves_nobody() -> None:
    for told in ({"status": "processing"}, "redacted", {}):
        result = read(redaction=told)
        assert (result.status, result.decision) == (FlowStatus.ERASED, Decision.UNDECIDED)
        assert (result.checks, result.documents, result.verdict) == ((), (), None)


@pytest.mark.parametrize(
    "of",
    [{"verification_session": "vs_2"}, {"verification_session": 7}, {"client_reference_id": "CUST-2"},
     {"client_reference_id": ["CUST-1"]}],
)  # fmt: skip
def test_a_report_of_another_session_is_an_alarm(of: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedResponse, match="the report is"):
        read(report=of)
    assert read(report=dict.fromkeys(of)).decision is Decision.APPROVED


def test_a_report_of_the_test_mode_is_a_test() -> None:
    assert (read().is_test, read(report={"livemode": False}).is_test) == (False, True)
