"""Dates of documents: every form that can be read in one way only, under every key that means expiry or issue."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_atlas.mapping import read_documents

from idv_core import Check, CheckKind, CheckOutcome, Decision, Flow, FlowStatus, Result
from idv_core.model import DocumentEvidence
from idv_core.policy import Policy, evaluate

NOW = datetime(2026, 8, 1, tzinfo=UTC)
MATCHED = Check(kind=CheckKind.DATA_SOURCE, name="government_register", outcome=CheckOutcome.PASSED)
OLD = date(2020, 1, 31)
PRINTED = [
    "31/01/2020",
    "31-01-2020",
    "31.01.2020",
    "31/1/2020",
    "31 Jan 2020",
    "January 31, 2020",
    "2020-01-31",
    "2020/01/31",
    "20200131",
    20200131,
    "2020-01-31T00:00:00Z",
    "2020-01-31T00:00:00+05:30",
    "2020-01-31 10:00:00",
    {"year": 2020, "month": 1, "day": 31},
]
UNREAD = ["31/01/20", "01-2020", "01/31/2020", "31 Foo 2020", "1441-06-06", "20 years", "see back", True, 5, ["a", "b"]]
EXPIRY = [
    "date_of_expiry",
    "dateOfExpiry",
    "DATE_OF_EXPIRY",
    "Date of Expiry",
    "expiry_date",
    "expiryDate",
    "expiration_date",
    "expires_on",
    "expiresAt",
    "EXPIRES",
    "exp_date",
    "doe",
    "D.O.E.",
    "EXPDATE",
    "expriy_date",
    "valid_till",
    "validTill",
    "Valid Upto",
    "valid_up_to",
    "valid_until",
    "VALID-THRU",
    "valid_through",
    "valid_to",
    "validity",
    "validity_to",
    "validity_nt",
    "dl_validity_date",
    "passport_number_valid_till",
    "good_through",
    "not_after",
    "end_date",
]
ISSUE = ["date_of_issue", "issueDate", "ISSUED_ON", "issuing_date", "Date of Issuance", "issued", "bill_date", "doi"]


def read(content: dict[str, Any], **beside: Any) -> DocumentEvidence:
    entry = {"document_id": "p", "data": {"document_type": "PASSPORT", "name": "x", **content}, **beside}
    return read_documents([entry], "data").documents[0]


@st.composite
def placed(draw: st.DrawFn, keys: list[str], values: list[Any]) -> tuple[Any, DocumentEvidence]:
    key, value = draw(st.sampled_from(keys)), draw(st.sampled_from(values))
    field = draw(
        st.sampled_from(
            [
                value,
                {"value": value, "confidence_score": 0.9},
                [value],
                {"value": [value]},
                {"value": None, "text": value},
                {"date": {"value": value, "confidence_score": 1}},
            ]
        )
    )
    place = draw(st.sampled_from(["field", "group", "list", "deep", "beside", "named"]))
    match place:
        case "field":
            document = read({key: field})
        case "group":
            document = read({"details": {key: field}})
        case "list":
            document = read({"pages": [{"side": "front"}, {key: field}]})
        case "deep":
            document = read({"a": {"b": [{"c": {key: field}}]}})
        case "beside":
            document = read({}, **{key: field})
        case _:
            document = read({"fields": [{"name": key, "value": value}]})
    return value, document


@given(placed(EXPIRY, PRINTED))
def test_an_end_is_found_and_read(found: tuple[Any, DocumentEvidence]) -> None:
    _, document = found
    assert (document.expires_on, document.unread) == (OLD, ())
    assert _decision(document) is Decision.REVIEW


@given(placed(EXPIRY, UNREAD))
def test_an_end_that_cannot_be_read_is_said_to_be_there(found: tuple[Any, DocumentEvidence]) -> None:
    _, document = found
    assert (document.expires_on, document.unread) == (None, ("expires_on",))
    assert _decision(document) is Decision.REVIEW


@given(placed(ISSUE, PRINTED))
def test_the_day_of_issue_is_found_and_read(found: tuple[Any, DocumentEvidence]) -> None:
    _, document = found
    assert (document.issued_on, document.expires_on, document.unread) == (OLD, None, ())


@given(placed(ISSUE, UNREAD))
def test_a_day_of_issue_that_cannot_be_read_is_said_to_be_there(found: tuple[Any, DocumentEvidence]) -> None:
    _, document = found
    assert (document.issued_on, document.unread) == (None, ("issued_on",))


def test_a_span_has_a_beginning_and_an_end() -> None:
    for name in ("validity", "valid"):
        for span in (
            {"from": "01/02/2010", "to": "31/01/2020"},
            {"from": {"value": "x"}, "to": {"value": "2020-01-31"}},
        ):
            assert read({name: span}).expires_on == OLD
            assert read({name: span}).unread == ()


def test_two_ends_that_differ_are_not_understood() -> None:
    document = read({"validity_nt": "31/01/2040", "validity_tr": "31/01/2020"})
    assert (document.expires_on, document.unread) == (None, ("expires_on",))


@pytest.mark.parametrize(
    "fields",
    [
        {"validity_to": "Not Applicable"},
        {"date_of_expiry": None, "valid_till": {"value": "", "confidence_score": 0.0}},
        {"expiry_status": "VALID", "is_expired": "no", "expired": False},
        {"place_of_issue": "Kochi", "issuing_authority": "RPO", "issued_by": "RPO", "is_valid": "yes"},
        {"statement_period_to": "31/01/2020", "due_date": "31/01/2020", "joining_date": "31/01/2020"},
        {"redact_url_expires_at": "2020-01-31", "linkExpiry": "2020-01-31"},
        {"experience": "5 years", "expenses": 3, "validity_from": "01/02/2010", "oem_validation_date": "01/02/2010"},
    ],
)
def test_what_is_no_date_of_the_document(fields: dict[str, Any]) -> None:
    document = read(fields)
    assert (document.issued_on, document.expires_on, document.unread) == (None, None, ())
    assert _decision(document) is Decision.APPROVED


def test_expired_in_a_word_is_not_good() -> None:
    assert read({"is_expired": "yes"}).unread == ("expires_on",)


def _decision(document: DocumentEvidence) -> Decision:
    flow = Flow(id="f", status=FlowStatus.FINISHED)
    return evaluate(Policy(), Result(flow=flow, checks=[MATCHED], documents=[document]), NOW).decision
