"""What the suite finds where a plugin hands on a vendor's words although the vocabulary has one."""

from __future__ import annotations

from typing import Any

import pytest

from idv_core import Check, Flow, Result
from idv_core.model import DocumentEvidence, ExtractedField, FieldName
from idv_core.testing.vocabulary import assert_speaks_vocabulary, vocabulary_faults


def result(**more: Any) -> Result:
    return Result(flow=Flow(id="f", status="finished"), **more)


def other(key: str) -> ExtractedField:
    return ExtractedField(name="other", value="x", vendor_name=key)


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("dob", "birthdate"),
        ("date_of_birth", "birthdate"),
        ("birthDate", "birthdate"),
        ("firstName", "given_name"),
        ("first_name", "given_name"),
        ("surname", "family_name"),
        ("full_name", "name"),
        ("documentNumber", "document_number"),
        ("expirationDate", "date_of_expiry"),
        ("Date of issue", "date_of_issuance"),
        ("nationality", "nationalities"),
    ],
)
def test_a_field_left_as_other_though_the_vocabulary_has_it(key: str, ours: str) -> None:
    for given in (
        result(fields=[other(key)]),
        result(documents=[DocumentEvidence(document_id="d", fields=[other(key)])]),
    ):
        (fault,) = vocabulary_faults(given)
        assert fault.startswith(f"the vendor's '{key}' of ")
        assert fault.endswith(f"is read as 'other': it is '{ours}'")


@pytest.mark.parametrize("key", ["serial_number", "emi_amount", "title", "imei_number", "formatted_address.city"])
def test_what_the_vocabulary_does_not_surely_have_may_be_other(key: str) -> None:
    assert vocabulary_faults(result(fields=[other(key)])) == []


@pytest.mark.parametrize(
    ("word", "ours"), [("PASSPORT", "passport"), ("PAN", "tax_card"), ("driving_licence", "driving_permit")]
)
def test_a_document_left_as_other_though_its_word_is_known(word: str, ours: str) -> None:
    document = DocumentEvidence(document_id="d", type="other", vendor_type=word)
    assert vocabulary_faults(result(documents=[document])) == [
        f"a document that the vendor calls '{word}' has type 'other': it is '{ours}'"
    ]


def test_other_says_what_the_vendor_calls_it() -> None:
    faults = vocabulary_faults(
        result(
            documents=[
                DocumentEvidence(
                    document_id="d",
                    type="other",
                    fields=[ExtractedField(name=FieldName.NAME, value="Ana", vendor_name=" ")],
                )
            ],
            checks=[
                Check(kind="liveness", name="other"),
                Check(kind="liveness", name="other", vendor_name="imageQuality"),
            ],
        )
    )
    assert faults == [
        "a document of type 'other' has no vendor_type: say what the vendor calls it",
        "the field 'name' of a document of type 'other' has no vendor_name: say under which key the vendor writes it",
        "a liveness check is named 'other' without a vendor_name: say what the vendor calls it",
        "the vendor's liveness check 'imageQuality' is named 'other', and its word is ours",
    ]


def test_all_faults_are_told_at_once_and_good_results_have_none() -> None:
    with pytest.raises(AssertionError, match=r"'dob'.*; .*'surname'"):
        assert_speaks_vocabulary(result(fields=[other("dob"), other("surname")]))
    good = ExtractedField(name="birthdate", value=None, vendor_name="dob", vendor_text="smudged")
    document = DocumentEvidence(document_id="d", type="passport", vendor_type="PASSPORT", fields=[good])
    assert_speaks_vocabulary(
        result(documents=[document], checks=[Check(kind="document", name="other", vendor_name="hologram")])
    )
