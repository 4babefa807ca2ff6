"""Atlas's words in our vocabulary: what is read, what is masked, and that nothing is invented."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_atlas.mapping import read_cross_checks, read_documents, read_master_status
from idv_atlas.masking import mask, public

from idv_core import CheckKind, CheckOutcome, FlowStatus, to_json
from idv_core.testing.strategies import json_values

WHOLE = "1234 5678 9012"
PRE_SIGNED = "https://bucket.example/a.jpeg?X-Amz-Signature=abc"
AADHAAR = {
    "document_type": "AADHAAR",
    "name": {"value": "Meera Iyer", "confidence_score": 0.97},
    "aadhaar_number": {"value": WHOLE, "confidence_score": 0.99, "redact_url": PRE_SIGNED},
}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NOT_STARTED", FlowStatus.OPEN),
        ("IN_PROGRESS", FlowStatus.PROCESSING),
        ("SUCCESS", FlowStatus.FINISHED),
        ("FAILED", FlowStatus.FAILED),
        ("success", FlowStatus.PROCESSING),
        ("COMPLETED", FlowStatus.PROCESSING),
        ("", FlowStatus.PROCESSING),
        (None, FlowStatus.PROCESSING),
        (True, FlowStatus.PROCESSING),
        (["SUCCESS"], FlowStatus.PROCESSING),
        ({"a": 1}, FlowStatus.PROCESSING),
    ],
)
def test_master_status_alone_says_whether_it_is_over(word: object, status: FlowStatus) -> None:
    assert read_master_status(word) is status


class TestDocuments:
    def test_a_good_document_is_evidence_and_no_check(self) -> None:
        entry = {"document_id": "a-1", "error_code": "", "error_reason": "", "data": AADHAAR}
        reading = read_documents([entry], "data")
        (document,) = reading.documents
        assert (reading.checks, reading.doubts) == ((), ())
        assert (document.type, document.vendor_type, document.country) == ("national_number_card", "AADHAAR", "IN")
        assert document.field("name").value == "Meera Iyer"
        assert document.field("name").confidence == 0.97

    @pytest.mark.parametrize(
        ("printed", "read"),
        [
            ("07/03/2024", date(2024, 3, 7)),
            ("07-03-2024", date(2024, 3, 7)),
            ("5/3/2024", date(2024, 3, 5)),
            ("2024-03-07", date(2024, 3, 7)),
            ("2024-03-07T00:00:00+05:30", date(2024, 3, 7)),
            ("07 Mar 2024", date(2024, 3, 7)),
            (20240307, date(2024, 3, 7)),
            (None, None),
        ],
    )
    def test_dates_are_read_day_first_or_where_they_are_certain(self, printed: object, read: date | None) -> None:
        bill = {"document_type": "EBILL", "bill_date": {"value": printed, "confidence_score": 0.9}}
        passport = {"document_type": "PASSPORT", "date_of_issue": printed, "date_of_expiry": {"value": printed}}
        entries = [{"document_id": "b", "data": bill}, {"document_id": "p", "data": passport}]
        documents = read_documents(entries, "data").documents
        assert [(d.issued_on, d.expires_on, d.unread) for d in documents] == [(read, None, ()), (read, read, ())]

    def test_the_aadhaar_number_is_masked_everywhere(self) -> None:
        (document,) = read_documents([{"document_id": "a-1", "data": AADHAAR}], "data").documents
        number = document.field("document_number")
        assert number.value == "XXXX XXXX 9012"
        assert number.reveal() == WHOLE
        assert document.images["redacted"].reveal() == PRE_SIGNED
        for shown in (
            repr(document),
            json.dumps(to_json(document)),
            json.dumps(public({"ocr_data": [{"data": AADHAAR}]})),
        ):
            assert WHOLE not in shown
            assert "1234" not in shown
            assert "Signature" not in shown

    @pytest.mark.parametrize(
        ("value", "masked"),
        [
            ("1234 5678 9012", "XXXX XXXX 9012"),
            ("123456789012", "XXXX XXXX 9012"),
            ("********9012", "XXXX XXXX 9012"),
            (123456789012, "XXXX XXXX 9012"),
            ("12345678", "XXXX XXXX 5678"),
            ("1234567", "XXXX XXXX XXXX"),
            ("", "XXXX XXXX XXXX"),
            (None, "XXXX XXXX XXXX"),
        ],
    )
    def test_masking_keeps_four_digits_at_the_most(self, value: object, masked: str) -> None:
        assert mask(value) == masked

    @given(json_values)
    def test_a_number_of_any_shape_is_masked(self, value: object) -> None:
        for given_ in (value, {"value": value}):
            data = {"document_type": "AADHAAR", "aadhaar_number": given_}
            read_documents([{"data": data}], "data")
            shown = public(data)["aadhaar_number"]
            assert str(shown["value"] if isinstance(shown, dict) else shown).startswith("XXXX")

    @pytest.mark.parametrize("name", ["aadhaar_number", "AADHAAR_NO", "aadhar_number"])
    def test_other_spellings_are_masked_too(self, name: str) -> None:
        (document,) = read_documents([{"data": {name: {"value": WHOLE}, "group": {name: WHOLE}}}], "data").documents
        assert all(field.value == "XXXX XXXX 9012" for field in document.fields)
        assert WHOLE not in json.dumps(public({"a": [{name: WHOLE}]}))

    @pytest.mark.parametrize(
        ("entry", "reasons"),
        [
            (
                {"data": {}, "error_code": "UNRECOGNISED", "error_reason": "document not in list"},
                ("UNRECOGNISED", "document not in list"),
            ),
            (
                {"data": AADHAAR, "error_code": "INVALID_DOC", "error_reason": "multiple faces"},
                ("INVALID_DOC", "multiple faces"),
            ),
            ({"data": AADHAAR, "error_code": "NEW_WORD", "error_reason": None}, ("NEW_WORD",)),
            ({"data": AADHAAR, "error_code": 7}, ("UNKNOWN_ERROR",)),
            ({"data": {"processing_error": "PROCESSING_FAILED"}}, ("PROCESSING_FAILED",)),
            ({"data": {"processing_error": {"value": "PROCESSING_FAILED"}}}, ("PROCESSING_FAILED",)),
        ],
    )
    def test_a_documents_error_inside_a_200_is_a_failed_check(
        self, entry: dict[str, object], reasons: tuple[str, ...]
    ) -> None:
        (check,) = read_documents([{"document_id": "d", **entry}], "data").checks
        assert (check.kind, check.outcome, check.document_id) == (CheckKind.DOCUMENT, CheckOutcome.FAILED, "d")
        assert (check.vendor_name, check.vendor_word) == (entry["data"].get("document_type"), reasons[0])
        assert check.reasons == reasons

    @pytest.mark.parametrize(
        "fine",
        [
            {},
            {"error_code": "", "error_reason": " "},
            {"error_code": None, "errors": [], "processing_error": {}},
            {
                "error": False,
                "errors": [{"code": None, "message": ""}],
                "status": "PROCESSING_SUCCESS",
                "success": True,
            },
        ],
    )
    def test_nothing_under_the_name_of_an_error_is_none(self, fine: dict[str, object]) -> None:
        reading = read_documents([{"document_id": "d", "data": {"document_type": "PAN", **fine}, **fine}], "data")
        assert (reading.checks, reading.doubts) == ((), ())

    def test_an_id_that_is_empty_or_twice_attributes_nothing(self) -> None:
        entries = [{"document_id": id, "data": {"document_type": "PAN"}} for id in ("a", "b", "b", "", None, 3)]
        reading = read_documents(entries, "data")
        assert [document.document_id for document in reading.documents] == ["a", None, None, None, None, "3"]
        assert [(doubt.code, doubt.document) for doubt in reading.doubts] == [("document.twice", "b")]

    def test_a_document_without_an_entry_was_not_done(self) -> None:
        entries = [{"document_id": "a", "data": {"document_type": "PAN"}}]
        (check,) = read_documents(entries, "data", ["a", "b"]).checks
        assert (check.outcome, check.document_id, check.vendor_word) == (CheckOutcome.NOT_DONE, "b", None)

    @pytest.mark.parametrize("nothing", [{}, None, [], "PAN", {"name": None, "number": ""}])
    def test_a_document_of_which_nothing_was_read_was_not_done(self, nothing: object) -> None:
        (check,) = read_documents([{"document_id": "a", "data": nothing}], "data", ["a"]).checks
        assert (check.outcome, check.document_id) == (CheckOutcome.NOT_DONE, "a")

    def test_fields_of_every_shape(self) -> None:
        content = {
            "document_type": "FSSAI_CERTIFICATE",
            "formatted_address": {"city": {"value": "kochi", "confidence_score": 1}, "deep": {"er": {"value": 3}}},
            "bare": "word",
            "list": {"value": ["a", "b"], "confidence_score": 0.0},
            "empty": {"value": "", "confidence_score": 0.0},
            "null": {"value": None, "confidence_score": None},
            "odd": {"value": "x", "confidence_score": 3},
        }
        reading = read_documents([{"data": content}], "data")
        (document,) = reading.documents
        assert reading.checks == ()
        assert (document.type, document.vendor_type) == ("business_licence", "FSSAI")
        (address,) = (field for field in document.fields if field.name == "company_address")
        assert address.value.locality == "kochi"
        others = [field for field in document.fields if field.name == "other"]
        assert {field.vendor_name: (field.value, field.confidence) for field in others} == {
            "formatted_address.deep.er": (3, None),
            "bare": ("word", None),
            "list": (["a", "b"], 0.0),
            "odd": ("x", None),
        }
        beside = {"document_type": "PAN", "file_data": {"name": "x"}}
        assert read_documents([beside], "file_data").documents[0].type == "tax_card"


ITEM = {
    "source_doc": "DELIVERY_ORDER",
    "source_field_name": "customer_name",
    "source_value": "Meera Iyer",
    "target_doc": "INVOICE",
    "target_field_name": "customer_name",
    "target_value": "M Iyer",
    "similarity_score": 72,
    "name": "CUSTOMER_NAME",
}


class TestCrossChecks:
    def test_it_has_a_score_and_no_outcome(self) -> None:
        (check,) = read_cross_checks([ITEM])
        assert (check.kind, check.name, check.vendor_name, check.outcome) == (
            "cross_check",
            "name",
            "CUSTOMER_NAME",
            None,
        )
        assert check.score is not None
        assert (check.score.value, check.score.raw, check.score.scale) == (0.72, 72, (0, 100))
        assert check.pair is not None
        assert (check.pair.source_document, check.pair.target_value) == ("DELIVERY_ORDER", "M Iyer")

    @pytest.mark.parametrize("score", [None, "high", 101, -1, True])
    def test_a_score_that_cannot_be_read_is_inconclusive(self, score: object) -> None:
        (check,) = read_cross_checks([{**ITEM, "similarity_score": score}])
        assert (check.outcome, check.score) == (CheckOutcome.INCONCLUSIVE, None)

    def test_an_aadhaar_number_is_masked_here_too(self) -> None:
        item = {**ITEM, "source_field_name": "aadhaar_number", "source_value": WHOLE, "target_value": 5}
        (check,) = read_cross_checks([item])
        assert check.pair is not None
        assert (check.pair.source_value, check.pair.target_value) == ("XXXX XXXX 9012", "5")
        assert WHOLE not in json.dumps(public({"cross_checks": [item]}))

    def test_an_empty_item_is_survived(self) -> None:
        (check,) = read_cross_checks([{"source_value": {}}])
        assert (check.name, check.vendor_name, check.outcome) == ("other", "UNNAMED", CheckOutcome.INCONCLUSIVE)
        assert check.reasons == ("the score is missing or outside 0..100",)
        assert check.pair is not None
        assert (check.pair.source_document, check.pair.source_field, check.pair.source_value) == ("?", "?", None)


@given(st.lists(st.dictionaries(st.text(max_size=8), json_values, max_size=4), max_size=3))
def test_entries_of_any_shape_are_read(entries: list[dict[str, object]]) -> None:
    assert len(read_documents(entries, "data").documents) == len(entries)
    assert len(list(read_cross_checks(entries))) == len(entries)
    json.dumps(public({"data": entries}))


def test_very_deep_answers_are_cut() -> None:
    deep: object = "x"
    for _ in range(30):
        deep = {"group": deep}
    read_documents([{"data": deep}], "data")
    json.dumps(public(deep))


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("2345 6789 0123", "XXXX XXXX 0123"),
        ("XXXX XXXX 0123", "XXXX XXXX 0123"),
        ("xxxxxxxx0123", "XXXX XXXX 0123"),
        ("not found", None),
        ("unreadable!", None),
        ("N/A", None),
        ("XXXX XXXX XXXX", None),
        ("12", None),
        (True, None),
    ],
)
def test_a_masked_number_is_one(printed: object, shown: str | None) -> None:
    entry = {"document_id": "a", "data": {"document_type": "AADHAAR", "aadhaar_number": printed, "name": "Meera Iyer"}}
    (document,) = read_documents([entry], "data").documents
    assert document.claims.document_number.value == shown
    assert str(printed) not in repr(document.fields)
