"""Dates and errors of a document, wherever its keys put them and however they are spelled."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_verifik import mapping
from idv_verifik.printed import error_words, printed_dates

from idv_core import Decision, Flow, Result
from idv_core.policy import DEFAULT_POLICY, evaluate

EXPIRY = (
    "expiration date",
    "date of expiry",
    "date of expiration",
    "expiry date",
    "expiry",
    "expires",
    "expires on",
    "exp date",
    "document expiration date",
    "valid until",
    "valid thru",
    "valid to",
    "validity end date",
    "end of validity",
    "fecha de vencimiento",
    "fecha vencimiento",
    "fecha de expiración",
    "fecha de caducidad",
    "válido hasta",
    "data de validade",
)
ISSUE = (
    "issue date",
    "date of issue",
    "issued on",
    "date issued",
    "issuing date",
    "issuance date",
    "fecha de expedición",
    "fecha expedicion",
    "fecha de emisión",
    "data de emissão",
)
NEITHER = (
    "birth date",
    "date of birth",
    "fecha de nacimiento",
    "validatedAt",
    "validated at",
    "issuing authority",
    "issuing country",
    "place of issue",
    "lugar de expedición",
    "issued by",
    "experience",
    "document number",
    "expiration date confidence",
    "createdAt",
)
PLACES = ("documentData", "OCRExtraction", "ocrResults", "scoreValidation", "validationResults")


def spelled(words: str, style: str) -> str:
    parts = words.split()
    match style:
        case "camel":
            return parts[0] + "".join(part.title() for part in parts[1:])
        case "title":
            return " ".join(part.title() for part in parts)
        case _:
            return {"snake": "_", "kebab": "-", "run": "", "blank": " ", "UPPER_": "_"}[style].join(
                part.upper() if style == "UPPER_" else part for part in parts
            )


def names(of: tuple[str, ...]) -> st.SearchStrategy[str]:
    styles = st.sampled_from(["camel", "title", "snake", "kebab", "run", "blank", "UPPER_"])
    return st.builds(spelled, st.sampled_from(of), styles)


@st.composite
def places(draw: st.DrawFn, name: str, value: Any) -> dict[str, Any]:
    """A document validation that tells `value` under that name, somewhere."""
    how = draw(st.sampled_from(["plain", "valued", "listed", "grouped", "several"]))
    told: Any = {
        "plain": {name: value},
        "valued": {name: {"value": value, "confidence": 0.98}},
        "listed": {"fields": [{"name": "sex", "value": "F"}, {"name": name, "value": value, "confidence": 1}]},
        "grouped": {"dates": {"printed": {name: value}}},
        "several": {name: [value]},
    }[how]
    place = draw(st.sampled_from([*PLACES, None]))
    return told if place is None else {place: told}


@given(st.data(), st.dates(date(1950, 1, 1), date(2090, 12, 31)))
def test_an_iso_date_is_found_under_any_name_in_any_place(data: st.DataObject, day: date) -> None:
    text = data.draw(
        st.sampled_from([f"{day}", f"{day}T00:00:00.000Z", f"{day:%Y/%m/%d}", f"{day:%d} {day:%b} {day:%Y}"])
    )
    expires = printed_dates(data.draw(places(data.draw(names(EXPIRY)), text)))
    assert expires == {"issued_on": None, "expires_on": day, "unread": ()}
    issued = printed_dates(data.draw(places(data.draw(names(ISSUE)), text)))
    assert issued == {"issued_on": day, "expires_on": None, "unread": ()}


@given(
    st.data(),
    st.sampled_from(
        [
            "09/03/2019",
            "30/06/19",
            "03-2019",
            "1448-05-01",
            "2567-01-31",
            "soon",
            "N/A",
            7,
            True,
            False,
            [],
            {},
            {"a": "b"},
        ]
    ),
)
def test_one_that_is_there_and_not_understood_is_named(data: st.DataObject, value: Any) -> None:
    document = data.draw(places(data.draw(names(EXPIRY)), value))
    assert printed_dates(document) == {"issued_on": None, "expires_on": None, "unread": ("expires_on",)}
    document = data.draw(places(data.draw(names(ISSUE)), value))
    assert printed_dates(document) == {"issued_on": None, "expires_on": None, "unread": ("issued_on",)}


@given(st.data(), st.sampled_from([None, "", " "]))
def test_one_that_is_empty_is_absent(data: st.DataObject, value: Any) -> None:
    for of in (EXPIRY, ISSUE):
        assert printed_dates(data.draw(places(data.draw(names(of)), value)))["unread"] == ()


@given(st.data(), st.sampled_from(["2019-03-09", "BOGOTA D.C.", 0.98]))
def test_other_names_mean_nothing(data: st.DataObject, value: Any) -> None:
    document = data.draw(places(data.draw(names(NEITHER)), value))
    assert printed_dates(document) == {"issued_on": None, "expires_on": None, "unread": ()}


def test_the_end_of_the_record_is_not_the_documents() -> None:
    record = {"_id": "d", "expiresAt": "2020-01-01T00:00:00Z", "appRegistration": {"expiresAt": "2020-01-01"}}
    assert printed_dates(record)["expires_on"] is None


def test_two_places_that_differ_are_not_understood() -> None:
    both = {"documentData": {"expirationDate": "2031-05-09"}, "OCRExtraction": {"expiryDate": "2030-05-09"}}
    assert printed_dates(both)["unread"] == ("expires_on",)
    both["OCRExtraction"]["expiryDate"] = "9 May 2031"
    assert printed_dates(both)["expires_on"] == date(2031, 5, 9)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_data_is_read(data: Any) -> None:
    printed_dates({"OCRExtraction": data, "documentData": data})
    error_words({"x": data})


class TestDecisions:
    def judged(self, **document: Any) -> Result:
        data = {
            "_id": "r-1",
            "status": "COMPLETED",
            "documentValidation": {"_id": "d-1", "status": "ACTIVE", **document},
            "biometricValidation": {"_id": "b-1", "status": "validated"},
            "compareFaceVerification": {"_id": "c-1", "status": "success", "result": {"passed": True}},
        }
        flow = Flow(id="r-1", status="open")
        result = mapping.read_registration(json.loads(json.dumps(data)), flow)
        return evaluate(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC))

    @pytest.mark.parametrize("place", ["OCRExtraction", "documentData"])
    def test_an_expired_document_is_noticed_wherever_it_says_so(self, place: str) -> None:
        assert self.judged(**{place: {"dateOfExpiry": "2031-01-31"}}).decision is Decision.APPROVED
        for text, code in (("2020-01-31", "document.expired"), ("01/02/2031", "document.expiry_unknown")):
            result = self.judged(**{place: {"dateOfExpiry": text}})
            assert (result.decision, [reason.code for reason in result.reasons]) == (Decision.REVIEW, [code])

    @pytest.mark.parametrize(
        "told",
        [
            {"failedReason": "409:document_number_is_not_extracted"},
            {"failed_reason": ["x"]},
            {"error": True},
            {"errors": [{"code": 7}]},
            {"processing_error": {"code": "PROCESSING_FAILED"}},
            {"OCRExtraction": {"fullName": "ANA", "Error": "could not read"}},
            {"validationResults": [{"rejectionReason": 3}]},
            {"OCRExtraction": "ANA RUIZ"},
            {"documentData": ["ANA RUIZ"]},
        ],
        ids=str,
    )
    def test_an_error_in_any_spelling_and_type_is_not_a_pass(self, told: dict[str, Any]) -> None:
        assert self.judged(**told).decision is Decision.REVIEW

    @pytest.mark.parametrize(
        "told",
        [
            {"failedReason": None},
            {"errors": []},
            {"error": False},
            {"processing_error": {"code": None, "text": ""}},
            {"errorCode": "0"},
            {"failedAttempts": 2},
            {"OCRExtraction": {"fullName": "ANA"}},
            {"OCRExtraction": None},
        ],
        ids=str,
    )
    def test_the_absence_of_an_error_is_none(self, told: dict[str, Any]) -> None:
        assert self.judged(**told).decision is Decision.APPROVED

    def test_names_of_keys_are_bounded(self) -> None:
        (word,) = error_words({"error" + "x" * 100: 1})
        assert re.fullmatch(r"errorx{35}", word)
