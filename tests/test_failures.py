"""What speaks of a failure beside an approving answer is found in any spelling; what is ordinary is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idv_core.plugin.failures import failures_in, is_bad_word
from idv_core.testing.strategies import json_values

NAMES = ["error", "errorCode", "ERROR_MESSAGE", "errors", "err", "failure_reason", "rejected", "isExpired", "fraud"]
STATES = ["status", "result", "verdict", "reviewStatus", "check_result", "final-decision", "flow_outcome", "docstatus"]
BAD = ["fail", "FAILED", "document expired", "not_verified", "rejected", "consider", "no match", "Suspected"]


@st.composite
def wrapped(draw: st.DrawFn, inner: Any) -> Any:
    for key in draw(st.lists(st.sampled_from(["a", "steps", "details", "[]"]), max_size=9)):
        inner = [inner] if key == "[]" else {key: inner}
    return inner


@given(st.data(), st.sampled_from(NAMES))
def test_something_under_the_name_of_an_error(data: st.DataObject, name: str) -> None:
    value = data.draw(st.sampled_from(["E1", "could not read", 17, True, {"code": "x"}, ["x"], [[{"a": 1}]]]))
    assert failures_in(data.draw(wrapped({name: value}))) == (name,)
    nothing = data.draw(st.sampled_from([None, "", [], {}, False, "none", "no error", {"code": None}]))
    assert failures_in(data.draw(wrapped({name: nothing}))) == ()


@given(st.data(), st.sampled_from(STATES))
def test_a_status_that_is_no_good_word(data: st.DataObject, name: str) -> None:
    value = data.draw(st.sampled_from([*BAD, "odd", "in_review", False, 0, 3, ["pass", "odd"]]))
    assert failures_in(data.draw(wrapped({name: value}))) == (name,)
    fine = data.draw(st.sampled_from([None, "", "pass", "Clear", "verified", "completed", True, ["pass"]]))
    assert failures_in(data.draw(wrapped({name: fine}))) == ()


@given(st.data(), st.sampled_from(BAD))
def test_a_bad_word_anywhere(data: st.DataObject, word: str) -> None:
    assert is_bad_word(word)
    assert failures_in(data.draw(wrapped({"veridoc": word}))) == ("veridoc",)
    assert failures_in(data.draw(wrapped({"steps": [f"veridoc:{word}"]}))) == ("steps",)


@pytest.mark.parametrize("name", ["is_valid", "valid", "success", "passed", "documentVerified", "face_matched", "live"])
def test_a_no_where_there_should_be_a_yes(name: str) -> None:
    for no in (False, "false", "no", "NO"):
        assert failures_in({name: no}) == (name,)
    for yes in (True, "yes", None):
        assert failures_in({name: yes}) == ()


@pytest.mark.parametrize(
    "ordinary",
    [
        {"failed_attempts": 2, "fraud_score": 0.01, "error_count": 1, "error_url": "https://e.example"},
        {"marital_status": "single", "address": {"state": "CA"}, "name": "Ana", "type": "passport"},
        {"mismatch": False, "tampered": "no", "fraud": {"result": "clear", "score": 0.98}, "default": "x"},
        {"created_at": "2026-01-01T00:00:00Z", "livemode": False, "similarity": 98.7, "tags": ["product:wallet"]},
        {"date_expired": "2031-01-01", "validated": True, "sdk_version": "1.2"},
    ],
)
def test_what_is_ordinary_is_left_alone(ordinary: dict[str, Any]) -> None:
    assert failures_in(ordinary) == ()


def test_known_keys_further_names_and_what_is_told_of_a_key() -> None:
    assert failures_in({"a": {"status": "fail"}}, known={"status"}) == ()
    assert failures_in({"Reason": "blurred"}) == ()
    assert failures_in({"Reason": "blurred"}, also={"reason"}) == ("Reason",)
    assert failures_in({"990101300123": "fail"}) == ("unnamed",)


@given(json_values)
def test_any_data_is_read(data: Any) -> None:
    assert all(isinstance(name, str) for name in failures_in(data))
