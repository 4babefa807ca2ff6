"""What each word of a report becomes. Only clear and understood passes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_onfido.mapping import Report, public, read_reports, report_name

from idv_core import CheckKind, CheckOutcome
from idv_core.model.fields import Address
from idv_core.testing.strategies import json_values

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


def report(name: str, data: Any) -> Report:
    """As it comes from the wire: no text in it is one of ours."""
    return Report(*json.loads(json.dumps([name, data])))


def one(name: str, **data: Any) -> Any:
    (check,), _ = read_reports([report(name, data)], {})
    return check


@pytest.mark.parametrize(
    ("result", "sub_result", "outcome"),
    [
        ("clear", "clear", PASSED),
        ("clear", None, PASSED),
        ("consider", "suspected", FAILED),
        ("consider", "rejected", INCONCLUSIVE),
        ("consider", "caution", INCONCLUSIVE),
        ("consider", None, INCONCLUSIVE),
        ("clear", "suspected", INCONCLUSIVE),
        ("clear", "new_word", INCONCLUSIVE),
        ("unidentified", None, INCONCLUSIVE),
        (None, "clear", INCONCLUSIVE),
    ],
)
def test_a_document_report(result: str | None, sub_result: str | None, outcome: CheckOutcome) -> None:
    assert one("document", result=result, sub_result=sub_result).outcome is outcome


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("watchlist_aml", "records"),
        ("watchlist_standard", "records"),
        ("watchlist_enhanced", "records"),
        ("watchlist_peps_only", "records"),
        ("watchlist_sanctions_only", "records"),
        ("known_faces", "matches"),
    ],
)
def test_a_list_that_is_clear_and_names_somebody_is_looked_at(name: str, key: str) -> None:
    assert one(name, result="clear", properties={key: []}).outcome is PASSED
    found = one(name, result="clear", properties={key: [{"full_name": "somebody"}]})
    assert (found.outcome, found.reasons) == (INCONCLUSIVE, (key,))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("complete", PASSED),
        ("awaiting_data", INCONCLUSIVE),
        ("withdrawn", CheckOutcome.NOT_DONE),
        ("cancelled", CheckOutcome.NOT_DONE),
        (None, INCONCLUSIVE),
    ],
)
def test_a_report_that_is_not_complete_does_not_pass(status: str | None, outcome: CheckOutcome) -> None:
    assert one("document", status=status, result="clear").outcome is outcome


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("watchlist_standard", CheckKind.SCREENING),
        ("identity_enhanced", CheckKind.DATA_SOURCE),
        ("proof_of_address", CheckKind.ADDRESS_MATCH),
        ("known_faces", CheckKind.OTHER),
    ],
)
def test_other_reports_pass_when_clear_and_are_looked_at_when_not(name: str, kind: CheckKind) -> None:
    assert (one(name, result="clear").kind, one(name, result="clear").outcome) == (kind, PASSED)
    assert one(name, result="consider").outcome is INCONCLUSIVE


def test_a_report_that_nobody_knows_is_inconclusive() -> None:
    check = one("aura_reading", result="clear", sub_result="clear")
    assert (check.kind, check.vendor_name, check.outcome) == (CheckKind.OTHER, "aura_reading", INCONCLUSIVE)


def face(compared: object, authentic: object, whole: object = None) -> list[CheckOutcome | None]:
    breakdown = {"face_comparison": {"result": compared}, "visual_authenticity": {"result": authentic}}
    clear = "clear" if compared == authentic == "clear" else "consider"
    data = {"result": whole or clear, "breakdown": breakdown}
    checks, _ = read_reports([report("facial_similarity_photo", data)], {})
    assert [check.kind for check in checks] == [CheckKind.FACE_MATCH, CheckKind.LIVENESS]
    return [check.outcome for check in checks]


def test_a_face_is_compared_and_looked_at() -> None:
    assert face("clear", "clear") == [PASSED, PASSED]
    assert face("consider", "clear") == [FAILED, INCONCLUSIVE]
    assert face("clear", "consider") == [INCONCLUSIVE, FAILED]
    assert face(None, "clear") == [INCONCLUSIVE, INCONCLUSIVE]
    assert face("clear", "clear", whole="consider") == [INCONCLUSIVE, INCONCLUSIVE]
    assert face("same", "clear") == [INCONCLUSIVE, INCONCLUSIVE]
    assert face("accepted", "accepted", whole="accepted") == [INCONCLUSIVE, INCONCLUSIVE]
    assert face("odd", "consider", whole="clear") == [INCONCLUSIVE, FAILED]


def test_what_is_flagged_is_named_down_to_the_second_level_and_sentences_are_not_shown() -> None:
    breakdown = {
        "visual_authenticity": {"result": "consider", "breakdown": {"fonts": {"result": "consider"}, "template": {}}},
        "data_comparison": {"result": "consider", "breakdown": {}},
        "image_integrity": {"result": "clear", "breakdown": {"colour_picture": {"result": "consider"}}},
        "Ana Ruiz": {"result": "consider"},
    }
    check = one("document", result="consider", sub_result="caution", breakdown=breakdown)
    assert check.reasons == ("visual_authenticity.fonts", "data_comparison")


def test_dates_and_countries_only_where_they_are_some() -> None:
    properties = {"issuing_country": "GBR", "date_of_expiry": "2031-02-29", "issuing_date": "2021-02-28"}
    _, (document,) = read_reports([report("document", {"properties": properties})], {})
    assert (document.country, document.expires_on, str(document.issued_on)) == ("GB", None, "2021-02-28")
    assert document.unread == ("expires_on",)
    _, (document,) = read_reports([report("document", {"properties": {"issuing_country": "UTO"}})], {})
    assert (document.country, document.unread) == (None, ())


@pytest.mark.parametrize(
    ("properties", "expires", "unread"),
    [
        ({"date_of_expiry": "2031-05-07T00:00:00Z"}, "2031-05-07", False),
        ({"date_of_expiry": None}, "None", False),
        ({"date_of_expiry": 1}, "None", True),
        ({"date_of_expiry": ["2031-05-07"]}, "None", True),
        ({"extracted_data": {"date_of_expiry": "2031-05-07"}}, "2031-05-07", False),
        ({"nfc": {"date_of_expiry": "2031-05-07"}}, "2031-05-07", False),
        ({"date_of_expiry": "2031-05-07", "nfc": {"date_of_expiry": "2019-05-07"}}, "None", True),
        ({"date_of_expiry": "2031-05-07", "extracted_data": {"date_of_expiry": None}}, "2031-05-07", False),
    ],
)
def test_an_expiry_that_is_there_is_never_absent(properties: Any, expires: str, unread: bool) -> None:
    _, (document,) = read_reports([report("document", {"properties": properties})], {})
    assert (str(document.expires_on), "expires_on" in document.unread) == (expires, unread)


@pytest.mark.parametrize(
    "breakdown",
    [
        {"visual_authenticity": {"result": "consider"}},
        {"visual_authenticity": "consider"},
        {"visual_authenticity": ["consider"]},
        {"visual_authenticity": False},
        {"data_validation": {"result": {"value": "consider"}}},
        "consider",
        ["consider"],
    ],
)
def test_a_clear_report_with_a_part_that_is_not_is_not_understood(breakdown: Any) -> None:
    assert one("document", result="clear", sub_result="clear", breakdown=breakdown).outcome is INCONCLUSIVE
    faces, _ = read_reports([report("facial_similarity_photo", {"result": "clear", "breakdown": breakdown})], {})
    assert PASSED not in [check.outcome for check in faces]


def test_verdicts_of_parts_that_are_words_alone_are_read() -> None:
    def read(compared: str, authentic: str) -> list[CheckOutcome | None]:
        clear = "clear" if compared == authentic == "clear" else "consider"
        data = {"result": clear, "breakdown": {"face_comparison": compared, "visual_authenticity": authentic}}
        return [check.outcome for check in read_reports([report("facial_similarity_photo", data)], {})[0]]

    assert read("clear", "clear") == [PASSED, PASSED]
    assert read("consider", "clear") == [FAILED, INCONCLUSIVE]
    said = one("document", result="consider", sub_result="suspected", breakdown={"visual_authenticity": "consider"})
    assert (said.outcome, said.reasons) == (FAILED, ("visual_authenticity",))


def test_a_document() -> None:
    properties = {
        "document_type": "national_identity_card",
        "first_name": "Ana",
        "last_name": "",
        "date_of_birth": 1993,
        "document_numbers": [
            {"type": "document_number", "value": "X1"},
            {"type": "Ana Ruiz", "value": "X2"},
            {"type": "tax_number", "value": None},
            "X3",
        ],
    }
    _, (document,) = read_reports([report("document", {"properties": properties})], {})
    assert (document.type, document.vendor_type) == ("idcard", "national_identity_card")
    assert [(field.name, field.value) for field in document.fields] == [
        ("given_name", "Ana"),
        ("birthdate", None),
        ("document_number", "X1"),
    ]
    assert "X1" not in repr(report("document", {"properties": properties}))


@pytest.mark.parametrize("there", ["Ana Ruiz", 7, True, False, ""])
def test_what_was_read_and_is_no_object_is_not_clear(there: Any) -> None:
    data = {"result": "clear", "sub_result": "clear", "status": "complete", "properties": there}
    (check,), _ = read_reports([report("document", data)], {})
    assert (check.outcome, check.reasons) == (INCONCLUSIVE, ("properties",))


@pytest.mark.parametrize("there", [7, True, ["Ana"], {"first": "Ana"}])
def test_a_name_that_cannot_be_read_is_not_the_other_half_of_it(there: Any) -> None:
    _, (document,) = read_reports([report("document", {"properties": {"first_name": there, "last_name": "Ruiz"}})], {})
    assert (document.claims.given_name.value, document.claims.name.value) == (None, None)
    assert document.claims.family_name.value == "Ruiz"


def test_an_address_is_one_with_its_parts() -> None:
    def address(**properties: Any) -> Any:
        _, (document,) = read_reports([report("document", {"properties": properties})], {})
        return document.claims.address.value

    lines = {"street_address": "1 A St", "city": "B", "state": "C", "postal_code": "1", "country_code": "GBR"}
    assert address(address="1 A St, B", address_lines=lines) == Address(
        formatted="1 A St, B", street_address="1 A St", locality="B", region="C", postal_code="1", country="GB"
    )
    assert address(address_lines={"city": "B"}) == Address(locality="B")
    assert address(address="1 A St") == Address(formatted="1 A St")
    assert address(address_lines={"country": "nowhere", "city": 7}) is None
    assert address() is None


def test_the_vendors_words_are_kept() -> None:
    assert one("document", result="consider", sub_result="caution").vendor_word == "caution"
    assert one("document", result="consider").vendor_word == "consider"
    checks, _ = read_reports([report("facial_similarity_photo", {"result": "consider"})], {})
    assert [check.vendor_word for check in checks] == ["consider", "consider"]
    kept = public(
        {"id": "r-1", "status": "approved", "output": {"name": "Ana"}}, [report("document", {"result": "clear"})]
    )
    assert kept == {
        "id": "r-1",
        "status": "approved",
        "reports": [{"name": "document", "result": "clear", "sub_result": None, "flagged": []}],
    }


def test_evidence_comes_back_under_the_platforms_ids_where_it_is_about_one_thing() -> None:
    def of(*ids: str) -> str | None:
        data = {"result": "clear", "documents": [{"id": id} for id in ids]}
        checks, _ = read_reports([report("document", data)], {"d-1": "card", "d-2": "card", "d-3": "other"})
        return checks[0].document_id

    assert (of("d-1"), of("d-1", "d-2"), of("d-1", "d-3"), of("d-9"), of()) == ("card", "card", None, None, None)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("document_check", "document"),
        ("facial_similarity_photo_check", "facial_similarity_photo"),
        ("watchlist_standard", "watchlist_standard"),
        ("upload_document_photo", None),
        ("profile_data", None),
        ("check", None),
    ],
)
def test_tasks_that_make_reports(task: str, name: str | None) -> None:
    assert report_name(task) == name


@given(name=st.sampled_from(["document", "facial_similarity_photo", "watchlist_aml", "odd"]), data=json_values)
def test_any_report_is_read_and_only_clear_passes(name: str, data: Any) -> None:
    made = Report(name, data if isinstance(data, dict) else {"result": data, "breakdown": data, "properties": data})
    checks, _ = read_reports([made], {})
    assert checks
    for check in checks:
        assert check.outcome is not PASSED or made.data["result"] == "clear"
    assert public(made.data, [made])["reports"][0]["name"] == name
