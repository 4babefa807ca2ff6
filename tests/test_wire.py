"""Requests and responses: what goes on the wire is encoded by us, what comes from it is structured or refused."""

from __future__ import annotations

import json
from urllib.parse import unquote

import attrs
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idv_core.errors import InvalidOrder, UnexpectedResponse
from idv_core.model import from_json
from idv_core.plugin import decoding, http
from idv_core.plugin.http import Request, fill_path
from idv_core.testing.exchange import reply, run_exchange


@given(st.text(min_size=1).filter(lambda text: text not in (".", "..")).filter(lambda t: t.isprintable()))
def test_a_segment_stays_one_segment(segment: str) -> None:
    path = fill_path("/flow/{}/result", segment)
    assert path.count("/") == 3
    assert unquote(path.split("/")[2]) == segment
    assert httpx.URL("https://x.example" + path).raw_path.decode() == path


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_segment_that_would_change_the_path_is_refused(segment: str) -> None:
    with pytest.raises(InvalidOrder):
        Request.get("/flow/{}", segment)


@pytest.mark.parametrize("segment", ["\ud800", "x" * 1001, 5])
def test_a_segment_that_cannot_be_sent_is_refused(segment: object) -> None:
    with pytest.raises(InvalidOrder):
        Request.get("/flow/{}", segment)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/cases", ("c-1",)),
        ("/cases/{}", ()),
        ("/cases/{}/{}", ("a",)),
        ("/cases/{}", ("a", "b")),
        ("/cases/{0}", ("a",)),
    ],
)
def test_each_segment_has_its_place(path: str, segments: tuple[str, ...]) -> None:
    """An id without a place would be dropped without a word."""
    with pytest.raises(ValueError, match="segments"):
        Request.get(path, *segments)


@pytest.mark.parametrize(
    "path",
    ["", "cases", "https://login.vendor.example/token", "//elsewhere.example/x", "/a b", "/a\nb", "/a?b=c", "/a#b", "/a\\b", "/é", "/{x}"],
)  # fmt: skip
def test_a_path_begins_at_the_base_url(path: str) -> None:
    for make in (Request.get, Request.post, Request.put, Request.delete):
        with pytest.raises(ValueError, match="must begin with one slash"):
            make(path)


@pytest.mark.parametrize("value", ["\ud800", None, 5])
def test_a_query_is_texts_that_can_be_sent(value: object) -> None:
    with pytest.raises(InvalidOrder, match="'q' in the query"):
        Request.get("/a", query={"q": value})


def test_the_target_is_what_is_sent() -> None:
    request = Request.get("/a", query=(("populates[]", "x y"), ("populates[]", "&")))
    assert request.target == "/a?populates%5B%5D=x%20y&populates%5B%5D=%26"
    assert httpx.URL("https://x.example" + request.target).raw_path.decode() == request.target
    assert Request.get("/a").target == "/a"


def test_only_a_post_is_not_repeatable() -> None:
    assert [make("/a").idempotent for make in (Request.get, Request.put, Request.delete, Request.post)] == [
        True
    ] * 3 + [False]
    assert Request.post("/a", idempotent=True).idempotent


def test_a_request_shows_no_header_query_or_body() -> None:
    request = Request.post("/a", query={"q": "dark"}, json={"name": "dark"}, headers={"Token": "dark"})
    assert "dark" not in repr(request)


@attrs.frozen
class Thing:
    id: str
    size: float = 0.0
    tags: list[str] = attrs.field(factory=list)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({}, "required field 'id' missing"),
        ({"id": None}, "str expected"),
        ({"id": 7}, "str expected"),
        ({"id": "a", "size": "big"}, "float expected"),
        ({"id": "a", "tags": [1]}, "str expected"),
        ({"id": "a", "size": True}, "float expected"),
        ([], "Thing"),
        (None, "Thing"),
    ],
)
def test_what_does_not_fit_is_named_without_its_value(data: object, problem: str) -> None:
    with pytest.raises(UnexpectedResponse, match=problem) as caught:
        reply(data).structure(Thing)
    assert "big" not in str(caught.value)


def test_what_fits_is_structured_and_more_is_ignored() -> None:
    assert reply({"id": "a", "size": 3, "unknown": {}}).structure(Thing) == Thing("a", 3.0)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xfe", b"{", b"[" * 2000])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        reply(content, content_type="text/html").json()


def test_json_is_not_nested_without_end() -> None:
    assert reply(json.loads("[" * 60 + "]" * 60)).json()
    with pytest.raises(UnexpectedResponse, match="too deep"):
        reply(json.loads("[" * 70 + "]" * 70)).json()


def test_an_answer_is_decoded_once_however_often_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def counted(content: bytes) -> object:
        read.append(content)
        return decoding.decode(content)

    monkeypatch.setattr(http, "decode", counted)
    answer = reply({"id": "a", "size": 3})
    assert answer.structure(Thing) == Thing("a", 3.0)
    assert answer.json_object() == answer.json() == {"id": "a", "size": 3}
    assert len(read) == 1
    assert attrs.evolve(answer, content=b'"b"').json() == "b", "another body is another answer"


def test_an_exchange_can_be_run_by_hand() -> None:
    def exchange():
        first = yield Request.get("/a")
        second = yield Request.get("/b")
        return first.json() + second.json()

    ran = run_exchange(exchange(), [reply(1), reply(2)])
    assert ran.value == 3
    assert [request.path for request in ran.requests] == ["/a", "/b"]

    def endless():
        while True:
            yield Request.get("/a")

    with pytest.raises(AssertionError, match="never ends"):
        run_exchange(endless(), [reply(1)])
    with pytest.raises(AssertionError, match="asks GET /a: give it a reply"):
        run_exchange(endless(), [])


@attrs.frozen
class AllOptional:
    id: str | None = None


@attrs.frozen
class Holder:
    inner: AllOptional | None = None


@pytest.mark.parametrize("data", [[], ["id"], "id", 7, None, [["id", "x"]]], ids=repr)
def test_what_is_no_object_is_not_read_as_one(data: object) -> None:
    """Found by fuzzing: an array without a class's keys passed for an object in which all of them are left out."""
    with pytest.raises(UnexpectedResponse, match="does not match AllOptional"):
        reply(data).structure(AllOptional)
    if data is not None:
        with pytest.raises(UnexpectedResponse):
            reply({"inner": data}).structure(Holder)


class TimeIsUp(Exception):
    """What a worker's time limit raises in the middle of whatever runs."""


@pytest.mark.parametrize("error", [TimeIsUp(), TimeoutError(), OSError(), RuntimeError(), KeyboardInterrupt()])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_what_has_nothing_to_do_with_the_data_is_no_fault_of_the_data(error: BaseException, depth: int) -> None:
    @attrs.frozen
    class Slow:
        number: int = attrs.field()

        @number.validator
        def _check(self, _: object, value: int) -> None:
            raise error

    kind: type = Slow
    data: object = {"number": 1}
    for _ in range(depth):
        kind = attrs.make_class("Around", {"inner": attrs.field(type=list[kind])})  # type: ignore[valid-type]
        data = {"inner": [data]}
    for read in (lambda: reply(data).structure(kind), lambda: from_json(kind, data)):
        with pytest.raises(type(error)) as caught:
            read()
        assert caught.value is error
