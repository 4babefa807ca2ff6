"""What of a vendor's answer is kept: links, tokens and pictures are told by their values as well as by their names."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idv_core.model.national_numbers import is_aadhaar_name, mask_aadhaar_in, masked_aadhaar
from idv_core.model.public import without_secrets

PICTURE = base64.b64encode(b"\xff\xd8\xff" + bytes(range(256))).decode()


@pytest.mark.parametrize(
    "value",
    [
        "https://vendor.example/sign-in?t=abc",
        "HTTP://vendor.example/x",
        "//cdn.vendor.example/face.png?sig=1",
        "  https://vendor.example/x ",
        "data:image/png;base64,iVBORw0K",
        "s3://faces/42.jpg",
        PICTURE,
        "\r\n".join(PICTURE[at : at + 76] for at in range(0, len(PICTURE), 76)),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "f" * 100,
        "vendor.example/x?token=abc",
        "www.vendor.example",
        "cdn.vendor.example:8443/face.png",
        "https%3A%2F%2Fvendor.example%2Fx",
        "https%253A%252F%252Fvendor.example%252Fx",
        "https:\\\\vendor.example\\x",
        "https:&#x2F;&#x2F;vendor.example",
        "Bearer abcdef",
        "bearer abcdef",
        "Basic dXNlcjpwYXNzdw==",
        "sk_live_abcdef123456",
        "api_live.abcdef",
        "/9j/4AAQSkZJRgABAQAAAQ",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB",
        *("\n".join(PICTURE[at : at + width] for at in range(0, len(PICTURE), width)) for width in (4, 8, 40, 48, 64)),
        " ".join(PICTURE[at : at + 48] for at in range(60, len(PICTURE), 48)),
        ", ".join(map(str, range(200))),
        '["/9j/4AAQSkZJRgABAQAAAQ", "/9j/4AAQSkZJRgABAQAAAQ"]',
    ],
)
def test_a_value_that_opens_something_is_left_out_whatever_its_name(value: str) -> None:
    answer = {"status": "ACTIVE", "deep": [{"harmless": value, "kept": 1}], "list": [value, "kept"]}
    assert without_secrets(answer) == {"status": "ACTIVE", "deep": [{"kept": 1}], "list": ["kept"]}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "Buffer", "data": [255, 216]},
        {"type": "Buffer", "data": "/9j/"},
        [255, 216, 255, 224, 0, 16],
        [-1, -40, -1, -32],
        [137, 80, 78, 71],
        list(range(100)),
        {str(at): byte for at, byte in enumerate(b"\xff\xd8\xff\xe0")},
        [PICTURE[at : at + 60] for at in range(0, len(PICTURE), 60)],
        [PICTURE[at : at + 60] for at in range(33, len(PICTURE), 60)],
        {str(at): PICTURE[at : at + 60] for at in range(0, len(PICTURE), 60)},
    ],
)
def test_bytes_and_pictures_in_pieces_are_left_out(value: Any) -> None:
    assert without_secrets({"harmless": value, "list": [value], "status": 1}) == {"list": [], "status": 1}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"accessToken": "abc", "status": "ok"}', '{"status": "ok"}'),
        ('{"a": "{\\"token\\": \\"abc\\", \\"b\\": 1}"}', '{"a": "{\\"b\\": 1}"}'),
        ('[{"link": "https://vendor.example/x"}]', "[{}]"),
        ("sent {'token': 'abc', 'status': 'ok'}", "sent {'token': \"***\", 'status': 'ok'}"),
        ("called with token=abc&page=2", "called with token=***&page=2"),
        ("header was Bearer abc.def", "header was ***"),
        ("see vendor.example/x?sig=1 soon", "see *** soon"),
    ],
)
def test_what_stands_within_a_text(text: str, kept: str) -> None:
    assert without_secrets({"x": text}) == {"x": kept}


@pytest.mark.parametrize("name", ["accessToken", "TOKEN", "client_secret", "otp", "imageBase64", "apiKey", "api-key", "tokens", "accesstoken", "refreshtoken", "Token2", "secrets", "apikey", "API key", "x.api.key", "pwd", "userpassword", "verificationCode", "sig", "signature", "X-Amz-Signature", "auth", "authtoken", "authLink", "authlink", "o_auth", "oauth2", "session_key", "cookies", "Set-Cookie", "credentials"])  # fmt: skip
def test_a_name_that_says_secret_is_enough(name: str) -> None:
    assert without_secrets({name: "123456", "status": "ok"}) == {"status": "ok"}
    assert without_secrets({name: ["123456"], "status": "ok"}) == {"status": "ok"}


@pytest.mark.parametrize("name", ["author", "isAuthentic", "authenticity", "secretary", "passport", "design", "authority", "postalCode", "keywords", "signed_at", "assigned", "compass"])  # fmt: skip
def test_other_names_stay(name: str) -> None:
    assert without_secrets({name: "123456"}) == {name: "123456"}


def test_whether_there_is_a_token_is_no_token() -> None:
    assert without_secrets({"hasToken": True, "token": None}) == {"hasToken": True, "token": None}


def test_what_a_plugin_names_is_dropped_in_any_spelling() -> None:
    assert without_secrets({"frontUrl": 1, "front_url": 2, "FrontURL": 3, "front": 4}, ("front_url",)) == {"front": 4}


@pytest.mark.parametrize(
    "value",
    [
        "see page 3 // second column",
        "data: is missing",
        "507f1f77bcf86cd799439011",
        "550e8400-e29b-41d4-a716-446655440000",
        "ข" * 200,
        "a sentence of many words " * 30,
        "and/or, N.A./none, 12.05/2020",
        "the bearer of this passport, basic verification",
        '{"status": "ok", "n": 1}',
        "{not json",
        [10, 20, 100, 200],
        ["507f1f77bcf86cd799439011"] * 6,
        ["name", "birthdate"],
        {"0": "Meera", "1": "Nair"},
        {"type": "Buffer"},
        "status=ok",
        7,
        None,
        True,
        0.5,
    ],
)
def test_what_opens_nothing_stays(value: Any) -> None:
    assert without_secrets({"x": value}) == {"x": value}


def test_a_link_inside_a_sentence_goes_and_the_sentence_stays() -> None:
    assert without_secrets({"note": "see https://vendor.example/x?t=1 soon"}) == {"note": "see *** soon"}


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(st.dictionaries(st.text(), json_data))
def test_any_json_gives_json_and_doing_it_twice_changes_nothing(data: dict[str, Any]) -> None:
    once = without_secrets(data)
    json.dumps(once)
    assert without_secrets(once) == once


@given(st.dictionaries(st.text("ab"), json_data), st.sampled_from(["https://v.example/x", PICTURE]))
def test_a_link_put_anywhere_does_not_come_out(data: dict[str, Any], link: str) -> None:
    text = json.dumps(without_secrets({"a": data, "b": [[{"c": link}]], "d": {"e": link}}))
    assert link not in text


def test_a_megabyte_of_anything_is_looked_at_in_one_go() -> None:
    for piece in ("a", "eyJ", "data:", "//", "A" * 60 + " ", "é", "a:", "1 "):
        without_secrets({"x": piece * (1_000_000 // len(piece))})


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("234567890123", "XXXX XXXX 0123"),
        ("1234 5678 9012", "XXXX XXXX 9012"),
        ("2345-6789-0123", "XXXX XXXX 0123"),
        ("2345\u00a06789 0123", "XXXX XXXX 0123"),
        ("UID: 2345.6789.0123, issued 2019", "UID: XXXX XXXX 0123, issued 2019"),
        ("2345 6789 0123 4567", "XXXX XXXX 4567"),
        ("२३४५ ६७८९ ०१२३", "XXXX XXXX ०१२३"),
    ],
)
def test_an_aadhaar_number_is_masked_where_it_stands(text: str, masked: str) -> None:
    assert masked_aadhaar(text) == masked


@pytest.mark.parametrize("text", ["", "Meera Iyer", "XXXX XXXX 0123", "2345678901", "12345678901234", "01/01/1990"])
def test_a_text_without_an_aadhaar_number_has_none(text: str) -> None:
    assert masked_aadhaar(text) is None


@pytest.mark.parametrize(
    "name", ["aadhaar", "aadhaar_id", "adhaar_number", "AadharNo", "masked_aadhaar", "uid", "uidNumber", "AADHAAR CARD"]
)
def test_names_that_speak_of_aadhaar(name: str) -> None:
    assert is_aadhaar_name(name)
    assert mask_aadhaar_in({name: [{"value": 234567890123}]}, False) == {name: [{"value": "XXXX XXXX 0123"}]}


@pytest.mark.parametrize("name", ["flow_uuid", "fluid", "radar", "calendar", "guid", "id_number"])
def test_names_that_do_not(name: str) -> None:
    assert mask_aadhaar_in({name: "234567890123"}, False) == {name: "234567890123"}


def test_in_an_aadhaar_document_the_name_of_the_field_does_not_matter() -> None:
    fields = {"id_number": {"value": "2345 6789 0123"}, "document_number": 234567890123, "pin": 560001, "name": "Meera"}
    assert mask_aadhaar_in(fields, True) == {
        "id_number": {"value": "XXXX XXXX 0123"},
        "document_number": "XXXX XXXX 0123",
        "pin": 560001,
        "name": "Meera",
    }


@given(st.integers(10**11, 10**12 - 1), json_data)
def test_no_aadhaar_number_comes_out_of_an_aadhaar_document(number: int, more: Any) -> None:
    digits = str(number)
    data = {
        "more": more,
        "text": f"no {digits}",
        "list": [digits, number, {"deep": f"{digits[:4]} {digits[4:8]} {digits[8:]}"}],
    }
    masked = mask_aadhaar_in(data, True)
    assert digits not in json.dumps([masked["text"], masked["list"]]).replace(" ", "")


@given(st.text("\u200b \n\t-–.,/_|:•()#", max_size=5), st.text("\u200b \n\t-–.,/_|:•()#", max_size=5))
def test_whatever_marks_stand_between_the_digits(one: str, two: str) -> None:
    assert masked_aadhaar(f"No. 2345{one}6789{two}0123 x") == "No. XXXX XXXX 0123 x"


@pytest.mark.parametrize(
    ("data", "masked"),
    [
        ({"number": ["2345", "6789", "0123"]}, {"number": ["XXXX", "XXXX", "0123"]}),
        ({"n": [2345, 6789, 123]}, {"n": ["XXXX", "XXXX", 123]}),
        ({"n": ["2345 6789", "0123"]}, {"n": ["XXXX", "0123"]}),
        ({"n": {"a": "2345", "b": "6789", "c": "0123"}}, {"n": {"a": "XXXX", "b": "XXXX", "c": "0123"}}),
        ({"2345 6789 0123": "x"}, {"XXXX XXXX 0123": "x"}),
        ({"pin": 560001, "born": "01/01/1990", "page": "1234"}, {"pin": 560001, "born": "01/01/1990", "page": "1234"}),
    ],
)
def test_a_number_in_pieces_or_as_a_name(data: Any, masked: Any) -> None:
    assert mask_aadhaar_in(data, True) == masked


def test_a_field_given_by_name_and_value() -> None:
    assert mask_aadhaar_in([{"name": "aadhaar_number", "value": "234567890123"}], False) == [
        {"name": "aadhaar_number", "value": "XXXX XXXX 0123"}
    ]
