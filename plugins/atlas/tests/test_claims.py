"""States, yes and no, and warnings beside what was read: only what is known to be good lets a document or a pair pass."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_atlas.account import opened_id
from idv_atlas.batch import AtlasBatch
from idv_atlas.mapping import Entries, answer_doubts, read_cross_checks, read_documents
from idv_atlas.settings import AtlasSettings, Family

from idv_core import CheckOutcome, Flow, Secret
from idv_core.errors import UnexpectedResponse
from idv_core.testing.exchange import reply, run_exchange

PAN = {"document_type": "PAN", "name_as_per_pan": {"value": "MEERA IYER", "confidence_score": 0.96}}
PAIR = {"name": "NAME", "similarity_score": 99, "source_doc": "PAN", "target_doc": "PASSPORT"}
STATES = ["status", "state", "documentStatus", "expiry_status", "processing_state", "OUTCOME", "verdict", "status_code"]
BAD = [
    "EXPIRED",
    "PENDING",
    "rejected by operator",
    "PARTIAL",
    "NOT_VERIFIED",
    422,
    0,
    False,
    ["FAILED"],
    {"word": "odd"},
]
CLAIMS: list[dict[str, Any]] = [
    {"warnings": ["TAMPERED"]},
    {"warning": {"code": 3}},
    {"is_tampered": True},
    {"tamper_detected": "yes"},
    {"fraudScore": 0.4},
    {"not_found": True},
    {"declined": 1},
    {"processed": False},
    {"ok": False},
    {"is_verified": "no"},
    {"document_verified": 0},
    {"isAuthentic": {"value": "unsure"}},
    {"some_new_check": False},
    {"reason": "several people"},
    {"message": {"value": "could not read"}},
    {"fields": [{"name": "status", "value": "SUSPENDED"}]},
]
FINE: list[dict[str, Any]] = [
    {"status": "PROCESSING_SUCCESS", "state": "SUCCESS", "status_code": 200, "outcome": "verified"},
    {"warnings": [], "warning": None, "message": "", "reason": "n/a", "alerts": {}},
    {"is_tampered": False, "fraud": "no", "blurred": 0, "duplicate": None},
    {"ok": True, "verified": "yes", "is_authentic": 1, "match": {"value": "MATCHED"}},
]
PRINTED: list[dict[str, Any]] = [
    {"state": "Kerala", "formatted_address": {"state": {"value": "kerala", "confidence_score": 1}}},
    {"hypothecation_status": {"value": "Hypothecated", "confidence_score": 0.9}, "hypothecation": {"value": "no"}},
    {"document_quality_flag": {"value": "xerox_copy"}, "is_original": {"value": "no"}, "customer_present": "no"},
    {"remarks": {"value": "duplicate issued", "confidence_score": 0.8}, "ifsc_code": "ABCD0001234"},
    {"nic_5_digit_code": {"value": ["47411"]}, "dealer_stamp": {"value": "no", "confidence_score": 0.0}},
]


def read(place: str, said: dict[str, Any]) -> Entries:
    inside = {"inside": said, "deeper": {"extra": {"pages": [said]}}}.get(place, {})
    beside = said if place == "beside" else {}
    return read_documents([{"document_id": "d", "data": {**PAN, **inside}, **beside}], "data")


places = st.sampled_from(["beside", "inside", "deeper"])


@given(places, st.sampled_from([*({key: word} for key in STATES if key != "state" for word in BAD), *CLAIMS]))
def test_what_is_not_known_to_be_good_is_a_doubt(place: str, said: dict[str, Any]) -> None:
    reading = read(place, said)
    assert reading.doubts or [check.outcome for check in reading.checks] == [CheckOutcome.FAILED]


@given(places, st.sampled_from(["status", "outcome", "processing_state"]), st.text(min_size=1).filter(str.strip))
def test_no_unknown_word_of_a_state_is_good(place: str, key: str, word: str) -> None:
    reading = read(place, {key: f"{word} xyzzy"})
    assert reading.doubts or reading.checks


@pytest.mark.parametrize("place", ["beside", "inside", "deeper"])
@pytest.mark.parametrize("said", FINE, ids=str)
def test_good_words_are_none(place: str, said: dict[str, Any]) -> None:
    reading = read(place, said)
    assert (reading.checks, reading.doubts) == ((), ())


@pytest.mark.parametrize("said", PRINTED, ids=str)
def test_what_a_document_says_is_not_what_is_said_of_it(said: dict[str, Any]) -> None:
    reading = read("inside", said)
    assert (reading.checks, reading.doubts) == ((), ())


def test_a_state_inside_is_a_place_unless_it_is_none() -> None:
    assert read("inside", {"state": "EXPIRED"}).doubts
    assert read("beside", {"state": "Kerala"}).doubts


@pytest.mark.parametrize(
    "said",
    [*({key: word} for key in STATES for word in BAD), *CLAIMS, {"error": "x"}, {"error_code": 0}, {"match": False}],
    ids=str,
)
def test_a_pair_that_says_more_than_its_score_is_inconclusive(said: dict[str, Any]) -> None:
    (check,) = read_cross_checks([{**PAIR, **said}])
    assert check.outcome is CheckOutcome.INCONCLUSIVE
    assert check.score is not None
    assert check.reasons


@pytest.mark.parametrize("said", [{}, {"error_code": ""}, {"status": "COMPLETED"}, {"match": True}, *FINE], ids=str)
def test_a_pair_that_says_no_more_is_not(said: dict[str, Any]) -> None:
    (check,) = read_cross_checks([{**PAIR, **said, "source_value": "FAILED", "target_value": "error"}])
    assert (check.outcome, check.reasons) == (None, ())


@pytest.mark.parametrize(
    "said",
    [
        {"error": "partial failure"},
        {"error_code": "X"},
        {"status": "FAILED"},
        {"master_status": "PENDING"},
        {"failed_documents": ["d"]},
        {"cross_check_errors": ["x"]},
        {"success": False},
        {"warnings": ["late"]},
    ],
    ids=str,
)
def test_what_the_whole_answer_says_is_a_doubt(said: dict[str, Any]) -> None:
    assert list(answer_doubts({"flow_uuid": "F", "data": [], **said}, "data"))


def test_what_the_application_sent_and_paging_are_none() -> None:
    page = {"data": [{"error": 1}], "has_next": False, "has_prev": False, "page": 1, "total_pages": 1}
    sent = {"flow_id": "F", "flow_params": {"status": "VIP", "is_new": False}, "master_status": "SUCCESS"}
    assert list(answer_doubts({**page, **sent}, "data")) == []


@pytest.mark.parametrize("nothing", [{}, [], {"value": {}}, {"value": []}])
def test_an_empty_shape_is_no_absent_date(nothing: Any) -> None:
    reading = read("inside", {"date_of_expiry": nothing})
    assert reading.documents[0].unread == ("expires_on",)


@pytest.mark.parametrize("key", ["renewal_date", "renew_by", "lapses_on", "use_before", "last_date", "terminates_on"])
def test_other_words_for_an_end(key: str) -> None:
    assert str(read("inside", {key: "31/01/2020"}).documents[0].expires_on) == "2020-01-31"


def test_an_opening_that_names_two_flows_is_not_understood() -> None:
    assert opened_id(reply({"flow_id": "F1", "flow_uuid": "F1"})) == "F1"
    with pytest.raises(UnexpectedResponse, match="two flows"):
        opened_id(reply({"flow_id": "F1", "flow_uuid": "F2"}))


class TestPages:
    ADAPTER = AtlasBatch(
        AtlasSettings(client_id=Secret("id"), client_secret=Secret("secret"), product_type="x", family=Family.BULK)
    )

    def entries(self, **more: Any) -> dict[str, Any]:
        return {"data": [{"document_id": "a", "file_data": {"document_type": "PAN", "n": 1}}], **more}

    def test_a_404_ends_the_pages_unless_more_was_promised(self) -> None:
        flow = Flow(id="B:2", status="processing")
        gone = reply({"error": "no such page"}, status=404)
        ran = run_exchange(self.ADAPTER.result(flow), [reply(self.entries()), gone])
        assert len(ran.value.documents) == 1
        assert ran.requests[0].accept != ran.requests[1].accept
        for promised in (True, "true"):
            pages = [reply(self.entries(has_next=promised)), reply({"data": []})]
            ran = run_exchange(self.ADAPTER.result(flow), pages)
            assert 404 not in ran.requests[1].accept

    def test_what_a_page_says_on_top_is_a_doubt(self) -> None:
        pages = [reply(self.entries(error="late")), reply({"data": []})]
        ran = run_exchange(self.ADAPTER.result(Flow(id="B:1", status="processing")), pages)
        assert "answer.error" in [doubt.code for doubt in ran.value.doubts]
