"""Errors of a document inside a successful answer: any spelling, any type, beside the document object or in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_atlas.mapping import Entries, read_documents

from idv_core import CheckOutcome

PAN = {"document_type": "PAN", "name_as_per_pan": {"value": "MEERA IYER", "confidence_score": 0.96}}
SAYINGS: list[Any] = [
    "PROCESSING_FAILED",
    {"value": "PROCESSING_FAILED", "confidence_score": 0.0},
    {"code": "PROCESSING_FAILED", "message": "could not read"},
    ["PROCESSING_FAILED"],
    [{"errorCode": 12, "details": [{"text": "blurred"}]}],
    422,
    1.5,
    True,
]
NOTHING: list[Any] = [None, "", "  ", False, [], {}, [None, ""], {"code": None, "message": ""}, {"value": "", "x": []}]


@st.composite
def error_keys(draw: st.DrawFn) -> str:
    words = draw(
        st.sampled_from(
            [
                ("error",),
                ("errors",),
                ("error", "code"),
                ("error", "reason"),
                ("error", "message"),
                ("processing", "error"),
                ("has", "error"),
                ("err", "msg"),
                ("failure", "reason"),
                ("rejection", "reasons"),
                ("is", "invalid"),
            ]
        )
    )
    spell = draw(
        st.sampled_from(
            [
                "_".join,
                "-".join,
                " ".join,
                lambda words: "_".join(words).upper(),
                lambda words: words[0] + "".join(word.title() for word in words[1:]),
                lambda words: "".join(word.title() for word in words),
            ]
        )
    )
    return str(spell(words))


places = st.sampled_from(["beside", "inside", "deeper", "in a list"])


def read(container: str, place: str, key: str, said: Any) -> Entries:
    inside = {"inside": {key: said}, "deeper": {"extra": {"ocr": {key: said}}}, "in a list": {"pages": [{key: said}]}}
    beside = {key: said} if place == "beside" else {}
    return read_documents([{"document_id": "d", container: {**PAN, **inside.get(place, {})}, **beside}], container)


@given(st.sampled_from(["data", "file_data"]), places, error_keys(), st.sampled_from(SAYINGS))
def test_whatever_says_an_error_fails_the_document(container: str, place: str, key: str, said: Any) -> None:
    (check,) = read(container, place, key, said).checks
    assert (check.outcome, check.document_id) == (CheckOutcome.FAILED, "d")
    assert check.reasons


@given(places, error_keys(), st.sampled_from(NOTHING))
def test_what_says_nothing_fails_nothing(place: str, key: str, said: Any) -> None:
    reading = read("data", place, key, said)
    assert (reading.checks, reading.doubts) == ((), ())


@given(
    places, error_keys(), st.sampled_from([0, 0.0, "0", "none", "No error", "NO_ERROR", "ok", "N/A", ["none", None]])
)
def test_what_may_say_that_there_is_none_is_a_doubt(place: str, key: str, said: Any) -> None:
    reading = read("data", place, key, said)
    assert reading.checks == ()
    assert [(doubt.code, doubt.document) for doubt in reading.doubts] == [("document.error", "d")]


@pytest.mark.parametrize(
    "said",
    [
        {"status": "FAILED"},
        {"processing_status": "extraction error"},
        {"success": False},
        {"is_valid": {"value": "no", "confidence_score": 0.0}},
        {"result": {"errors": ["blurred"]}},
    ],
)
def test_states_that_say_so_fail_it_too(said: dict[str, Any]) -> None:
    for entry in ({"data": PAN, **said}, {"data": {**PAN, **said}}):
        (check,) = read_documents([{"document_id": "d", **entry}], "data").checks
        assert check.outcome is CheckOutcome.FAILED


@pytest.mark.parametrize("said", [{"status": "PROCESSING_SUCCESS"}, {"status": "NO_ERROR"}, {"result": "done"}])
def test_other_states_do_not(said: dict[str, Any]) -> None:
    assert read_documents([{"document_id": "d", "data": PAN, **said}], "data").checks == ()


def test_a_reason_without_a_code_is_an_error() -> None:
    entry = {"document_id": "d", "data": PAN, "error_code": "", "error_reason": "multiple people"}
    (check,) = read_documents([entry], "data").checks
    assert (check.outcome, check.reasons, check.vendor_word) == (CheckOutcome.FAILED, ("multiple people",), None)


def test_codes_come_first_and_an_objects_words_are_kept() -> None:
    said = {"message": "could not read", "code": "PROCESSING_FAILED"}
    (check,) = read_documents([{"data": {**PAN, "processing_error": said}, "error_code": "INVALID_DOC"}], "data").checks
    assert check.reasons == ("INVALID_DOC", "PROCESSING_FAILED", "could not read")
    assert check.vendor_word == "INVALID_DOC"


def test_a_sentence_is_no_vendors_word() -> None:
    sentence = "Aadhaar 1234 5678 9012 of Meera Nair does not match"
    for entry in ({"data": PAN, "error_code": sentence}, {"data": {**PAN, "processing_error": sentence}}):
        (check,) = read_documents([entry], "data").checks
        assert check.vendor_word is None
        assert "1234" not in check.reasons[0]
