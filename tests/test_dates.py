"""Dates of documents under any name: found, told apart, and never absent where something stands."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from idv_core.plugin.dates import dates_under, document_dates, means_expiry, means_issue

NAMES = """expiry expiry_date expirationDate EXPIRES date_of_expiry dateExpired exp_date valid_until validTo valid-thru
fecha_vencimiento caducidad vigencia validade not_after end_date doe goodThru"""
EXPIRY = NAMES.split()
ISSUE = ["issued_date", "issuing_date", "date_of_issue", "issuedOn", "fecha_expedicion", "doi", "issueDt"]
OTHERS = """expiry_status expiration_score expires_link valid validated_at issuing_country issuing_authority valid_from
date_of_birth experience"""
NEITHER = OTHERS.split()


def test_names() -> None:
    assert [name for name in [*EXPIRY, *ISSUE, *NEITHER] if means_expiry(name)] == EXPIRY
    assert [name for name in [*EXPIRY, *ISSUE, *NEITHER] if means_issue(name)] == ISSUE
    assert means_issue("expedición", "2020-01-01")
    assert not means_issue("expedición", "Bogotá")


@pytest.mark.parametrize("there", [{}, [], {"y": None}, {"year": None}, False, 0, "never", [[]], [{}], [None, {}]])
def test_what_is_there_and_says_nothing_is_unread(there: Any) -> None:
    assert document_dates(expires=there)["unread"] == ("expires_on",)
    assert document_dates(expires=dates_under({"a": [{"expiryDate": there}]}, means_expiry))["unread"] == (
        "expires_on",
    )


@pytest.mark.parametrize("absent", [None, "", "  "])
def test_only_null_and_blank_texts_are_absent(absent: Any) -> None:
    for value in (absent, (), (absent, absent), [absent], dates_under({"expiry": absent}, means_expiry)):
        assert document_dates(expires=value) == {"issued_on": None, "expires_on": None, "unread": ()}


def test_places_agree_or_are_unread() -> None:
    day = date(2031, 5, 7)
    data = {
        "a": {"expiry": {"year": 2031, "month": 5, "day": 7}},
        "b": [{"name": "Valid until", "value": "2031-05-07"}],
    }
    data["c"] = {"expires": {"value": "7 May 2031", "confidence": 0.9}, "is_expired": False}
    assert document_dates(expires=dates_under(data, means_expiry))["expires_on"] == day
    assert document_dates(expires=(day.isoformat(), "2019-05-07"))["unread"] == ("expires_on",)
    assert document_dates(expires=dates_under({**data, "expired": True}, means_expiry))["unread"] == ("expires_on",)


def test_keys_that_are_known_are_not_looked_under() -> None:
    data = {"register": {"expiry": "2019-05-07"}, "services": [{"register": {"validTo": "x"}, "expiry": "2031-05-07"}]}
    assert dates_under(data, means_expiry, known={"register"}) == ("2031-05-07",)
    assert dates_under({"expiry": {"register": 1}}, means_expiry, known={"register"}) == ({"register": 1},)


def test_a_field_by_name_is_read_where_its_raw_text_is_null() -> None:
    assert dates_under([{"name": "expiry", "raw": None, "value": "2031-05-07"}], means_expiry) == ("2031-05-07",)
