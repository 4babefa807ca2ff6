"""Whichever library reads it, the same JSON is read and the same rubbish refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idv_core.plugin.decoding import decode, decode_with_stdlib
from idv_core.testing.strategies import json_values

texts = json_values.flatmap(lambda data: st.sampled_from([json.dumps(data), json.dumps(data, ensure_ascii=False)]))


def read(decoder: object, content: bytes) -> object:
    try:
        return "read", repr(decoder(content))  # type: ignore[operator]
    except ValueError:
        return "refused"


def test_the_quick_one_is_what_is_tested() -> None:
    assert decode is not decode_with_stdlib, "msgspec belongs to the test dependencies"


@given(texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_all_that_is_written_is_read_alike(content: bytes) -> None:
    assert read(decode, content) == read(decode_with_stdlib, content)


@given(st.data(), texts)
def test_what_was_damaged_is_read_or_refused_alike(data: st.DataObject, text: str) -> None:
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    assert read(decode, bytes(content)) == read(decode_with_stdlib, bytes(content))


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",:0123456789.eE+-\\utrfalsn \t\n', max_size=40).map(str.encode))
def test_rubbish_too(content: bytes) -> None:
    assert read(decode, content) == read(decode_with_stdlib, content)


@pytest.mark.parametrize(
    "content",
    [b"NaN", b"1e999", b"[-1e999]", b"9" * 5000, b"[Infinity]", b"-Infinity", b'"\\ud800"', b'"\\udc00x"', b"\xef\xbb\xbf" * 2 + b"{}", '{"a": 1}'.encode("utf-16"),
     b"", b" ", b"{'a': 1}", b"[1,]", b"01", b"1.", b'"\t"', b"[" * 100_000],
    ids=lambda content: repr(content[:20]),
)  # fmt: skip
@pytest.mark.parametrize("decoder", [decode, decode_with_stdlib], ids=["quick", "stdlib"])
def test_what_is_no_json_is_refused(decoder: object, content: bytes) -> None:
    assert read(decoder, content) == "refused"


@pytest.mark.parametrize("decoder", [decode, decode_with_stdlib], ids=["quick", "stdlib"])
def test_whole_surrogate_pairs_are_read(decoder: object) -> None:
    assert decoder(b'"\\ud83d\\ude00"') == "\U0001f600"  # type: ignore[operator]


@pytest.mark.parametrize("decoder", [decode, decode_with_stdlib], ids=["quick", "stdlib"])
def test_one_byte_order_mark_is_skipped(decoder: object) -> None:
    assert decoder(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}  # type: ignore[operator]


@pytest.mark.parametrize("depth", [500, 900, 960, 980, 990, 2_000])
@pytest.mark.parametrize("decoder", [decode, decode_with_stdlib], ids=["quick", "stdlib"])
def test_no_depth_is_more_than_refused(decoder: object, depth: int) -> None:
    read(decoder, b'["\\u0041",' * depth + b"1" + b"]" * depth)
