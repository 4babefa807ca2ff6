"""Aadhaar numbers wherever they stand, sentences where a word should be, links: what is shown and kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_atlas.mapping import read_cross_checks, read_documents
from idv_atlas.masking import public

from idv_core import Flow, FlowStatus, Result, to_json

DIGITS = "234567890123"
FORMS = [
    "2345 6789 0123",
    "2345-6789-0123",
    "234567890123",
    "2345.6789.0123",
    "No. 2345 6789 0123 of Meera Nair",
    "Meera Nair, 234567890123, Kochi",
    234567890123,
]
KEYS = [
    "aadhaar_number",
    "aadhaarNumber",
    "AADHAAR NO",
    "aadhaar",
    "aadhaar_id",
    "aadhar_card",
    "adhaar_number",
    "masked_aadhaar",
    "uid",
    "uid_number",
    "id_number",
    "document_number",
    "number",
    "text",
    "address",
]
TYPES = ["AADHAAR", "AADHAR", "Aadhaar Card", "E_AADHAAR", "aadhaar_back", "MASKED AADHAAR"]
SHAPES = st.sampled_from(
    [
        lambda key, value: {key: value},
        lambda key, value: {key: {"value": value, "confidence_score": 0.9}},
        lambda key, value: {key: {"value": [{key: value}], "confidence_score": 0.9}},
        lambda key, value: {key: [value, [value]]},
        lambda key, value: {"group": {"inner": {key: {"value": value}}}},
        lambda key, value: {"pages": [{"fields": [{key: value}]}]},
    ]
)


def everywhere(entry: dict[str, Any], container: str = "data") -> str:
    """All that is shown or kept of an answer with this entry."""
    reading = read_documents([entry], container)
    flow = Flow(id="f", status=FlowStatus.FINISHED)
    result = Result(flow=flow, documents=reading.documents, checks=reading.checks, raw=public({"data": [entry]}))
    return repr(result) + json.dumps(to_json(result), ensure_ascii=False)


def assert_dark(text: str) -> None:
    plain = "".join(char for char in text if char not in " -.")
    assert DIGITS not in plain
    assert DIGITS[:8] not in plain


@given(st.sampled_from(KEYS), st.sampled_from(FORMS), st.sampled_from(TYPES), SHAPES, st.booleans())
def test_nothing_of_an_aadhaar_card_shows_its_number(
    key: str, number: Any, type_: str, shape: Any, beside: bool
) -> None:
    content = shape(key, number)
    if beside:
        entry = {"document_id": "a", "document_type": type_, "file_data": content}
    else:
        entry = {"document_id": "a", "file_data": {"document_type": type_, **content}}
    assert_dark(everywhere(entry, "file_data"))


@given(st.sampled_from(KEYS[:9]), st.sampled_from(FORMS), SHAPES)
def test_a_field_that_speaks_of_aadhaar_is_masked_in_any_document(key: str, number: Any, shape: Any) -> None:
    assert_dark(everywhere({"document_id": "a", "data": {"document_type": "UDYAM_CERT", **shape(key, number)}}))


@pytest.mark.parametrize(
    "content",
    [
        {"documentType": "AADHAAR"},
        {"Document Type": {"value": "Aadhaar card", "confidence_score": 1}},
        {"doc_kind": "aadhaar"},
        {"aadhaar_photo_present": "yes"},
    ],
)
def test_a_card_is_known_by_whatever_says_that_it_is_one(content: dict[str, Any]) -> None:
    assert_dark(everywhere({"document_id": "a", "data": {**content, "text": "No. 2345 6789 0123"}}))
    assert_dark(everywhere({"document_id": "a", "data": {"text": "No. 2345 6789 0123"}, **content}))


def test_the_whole_number_is_behind_reveal() -> None:
    content = {"document_type": "AADHAAR", "id_number": {"value": "2345 6789 0123"}, "name": {"value": "Meera Iyer"}}
    (document,) = read_documents([{"data": content}], "data").documents
    number, name = document.field("document_number"), document.field("name")
    assert (number.value, number.reveal()) == ("XXXX XXXX 0123", "2345 6789 0123")
    assert (name.value, name.whole) == ("Meera Iyer", None)


def test_numbers_of_other_documents_stay_as_they_are() -> None:
    content = {"document_type": "BANK_STATEMENT", "account_number": {"value": "234567890123"}}
    (document,) = read_documents([{"data": content}], "data").documents
    assert document.field("account_number").value == "234567890123"
    assert "234567890123" in json.dumps(public({"data": [{"data": content}]}))


@given(
    st.sampled_from(["AADHAAR", "PAN"]),
    st.sampled_from(["number", "aadhaar_number", "uid", "id"]),
    st.sampled_from(FORMS),
    st.booleans(),
)
def test_nothing_of_a_pair_with_an_aadhaar_card_shows_its_number(
    doc: str, field: str, number: Any, turned: bool
) -> None:
    if doc == "PAN" and field in ("number", "id"):
        return
    sides = ("target", "source") if turned else ("source", "target")
    item = {"name": "ID_NUMBER", "similarity_score": 90}
    for side, of, named in ((sides[0], doc, field), (sides[1], "PAN", "id")):
        item |= {f"{side}_doc": of, f"{side}_field_name": named, f"{side}_value": number}
    checks = tuple(read_cross_checks([item]))
    shown = json.dumps(to_json(checks[0])) + json.dumps(public({"cross_checks": [item]}))
    assert_dark(shown)


def test_a_pair_may_say_so_in_its_name() -> None:
    item = {"name": "AADHAAR_MATCH", "source_value": "2345 6789 0123", "target_value": DIGITS, "similarity_score": 90}
    (check,) = read_cross_checks([item])
    assert_dark(json.dumps(to_json(check)) + json.dumps(public({"cross_checks": [item]})))


@pytest.mark.parametrize("key", ["error_code", "error_reason", "processing_error"])
def test_errors_do_not_show_it(key: str) -> None:
    sentence = "Aadhaar 2345 6789 0123 of Meera Nair does not match"
    shown = everywhere({"document_id": "a", "data": {"document_type": "PAN", "name": "x"}, key: sentence})
    assert_dark(shown)
    assert "vendor_word='Aadhaar" not in shown


@pytest.mark.parametrize(
    ("said", "type_"),
    [
        ("PASSPORT", "PASSPORT"),
        ("RTO_FORM_26", "RTO_FORM_26"),
        ("Memorandum of Association", "Memorandum of Association"),
        ("Certificate of Incorporation", "Certificate of Incorporation"),
        ("Driving License", "Driving License"),
        ("NEW_KIND_2", "NEW_KIND_2"),
        ("PAN card of Meera Nair, ABCPN1234K", "PAN card of *** ***, ***"),
        ("https://bucket.example/x?sig=1", "***://***.***/***"),
        ("ABCPN1234K", "***"),
    ],
)
def test_a_type_is_a_word_and_of_a_sentence_only_harmless_words_show(said: str, type_: str) -> None:
    reading = read_documents([{"document_id": "a", "data": {"document_type": said, "name": "x"}}], "data")
    (document,) = reading.documents
    assert document.vendor_type == type_
    assert [doubt.code for doubt in reading.doubts] == (["document.type"] if "***" in type_ else [])


def test_sentences_in_a_pair_do_not_show() -> None:
    said = "name of Meera Nair"
    keys = ("name", "source_doc", "source_field_name", "target_doc", "target_field_name")
    (check,) = read_cross_checks([{**dict.fromkeys(keys, said), "similarity_score": 90}])
    assert "Meera" not in repr(check)
    assert check.vendor_name == "name of *** ***"


def test_links_tokens_and_pictures_are_not_kept() -> None:
    content = {
        "document_type": "PAN",
        "name": {"value": "Meera Iyer", "redact_url": "https://bucket.example/a.jpg"},
        "picture": "https://bucket.example/b.jpg?X-Amz-Signature=abc",
        "image": "data:image/png;base64," + "A" * 400,
    }
    kept = json.dumps(public({"ocr_data": [{"data": content, "file_url": "https://bucket.example/c"}]}))
    assert "bucket" not in kept
    assert "AAAA" not in kept
    assert "Meera Iyer" in kept


@pytest.mark.parametrize("name", ["234567890123", "2345 6789 0123"])
def test_a_number_as_the_name_of_a_field(name: str) -> None:
    entry = {"document_id": "a", "document_type": "AADHAAR", "data": {name: {"value": "x"}, "inner": {name: "x"}}}
    assert_dark(json.dumps(public({"data": [entry]})))
    everywhere(entry)
