"""Bounds: bodies while they stream, JSON, document addresses, redirects; and recovery of what was never answered."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import timedelta

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order
from hypothesis import given
from hypothesis import strategies as st

from idv_core import Document, OutcomeUnknown
from idv_core.engine.account import Limits
from idv_core.errors import FlowNotFound, InvalidOrder, UnexpectedResponse, UnsupportedOperation, VendorUnavailable
from idv_core.gateway.documents import check_url
from idv_core.plugin.http import Response
from idv_core.testing import FakeClock
from idv_core.testing.exchange import reply
from idv_core.transports.response_body import Body

LIMIT = 1000


class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Sends chunks, and remembers how many were asked for."""

    def __init__(self, chunk: bytes, times: int) -> None:
        self.chunk, self.times, self.sent = chunk, times, 0

    def __iter__(self):
        while self.sent < self.times:
            self.sent += 1
            yield self.chunk

    async def __aiter__(self):
        for chunk in self:
            yield chunk


def small(**limits: object):
    return attrs.evolve(ACCOUNT, plugin="bare", limits=Limits(max_response=LIMIT, **limits))


class TestBodies:
    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_a_huge_answer_is_cut_off_while_it_streams(self, vendor: Vendor, kind: str) -> None:
        stream = Stream(b"x" * 300, 1_000_000)
        vendor.answers["GET /flows"] = lambda _: httpx.Response(200, stream=stream)
        with pytest.raises(UnexpectedResponse, match="larger than 1000 bytes"):
            if kind == "sync":
                gateway(vendor, account=small()).status("acme-1/f-1")
            else:
                await async_gateway(vendor, account=small()).status("acme-1/f-1")
        assert stream.sent == 4

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_a_bomb_is_never_unpacked(self, vendor: Vendor, encoding: str) -> None:
        pack = gzip.compress if encoding == "gzip" else zlib.compress
        bomb = pack(b"0" * 50_000_000)
        vendor.answers["GET /flows"] = lambda _: httpx.Response(
            200, headers={"content-encoding": encoding}, stream=Stream(bomb, 1)
        )
        with pytest.raises(UnexpectedResponse, match="larger than 1000 bytes"):
            gateway(vendor, account=small()).status("acme-1/f-1")

    @given(
        data=st.binary(max_size=900), cut=st.integers(1, 50), encoding=st.sampled_from(["gzip", "deflate", "identity"])
    )
    def test_what_was_packed_comes_out_whatever_the_chunks(self, data: bytes, cut: int, encoding: str) -> None:
        packed = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}[encoding](data)
        body = Body({"content-encoding": encoding}, 200, LIMIT)
        for start in range(0, len(packed), cut):
            body.add(packed[start : start + cut])
        assert body.content() == data

    @given(data=st.binary(max_size=300), encoding=st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, gzip"]))
    def test_rubbish_is_an_error_of_ours(self, data: bytes, encoding: str) -> None:
        try:
            body = Body({"content-encoding": encoding}, 200, LIMIT)
            body.add(data)
            body.content()
        except UnexpectedResponse:
            pass

    @given(data=st.binary(min_size=1, max_size=900), cut=st.integers(1, 50))
    def test_deflate_without_its_wrapping_is_read(self, data: bytes, cut: int) -> None:
        """As IIS sends it."""
        pack = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = pack.compress(data) + pack.flush()
        body = Body({"content-encoding": "deflate"}, 200, LIMIT)
        for start in range(0, len(packed), cut):
            body.add(packed[start : start + cut])
        assert body.content() == data

    @pytest.mark.parametrize(
        ("encoding", "pack"),
        [
            ("UTF-8", bytes),
            ("", bytes),
            ("identity", bytes),
            ("aws-chunked, gzip", gzip.compress),
            ("GZIP , identity", gzip.compress),
            ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
        ],
    )
    def test_what_else_stands_there_is_taken_as_it_is(self, encoding: str, pack: Callable[[bytes], bytes]) -> None:
        body = Body({"content-encoding": encoding}, 200, LIMIT)
        body.add(pack(b'{"a": 1}'))
        assert body.content() == b'{"a": 1}'

    @given(data=st.binary(max_size=900), split=st.integers(0, 900), cut=st.integers(1, 50), padding=st.integers(0, 9))
    def test_members_one_after_the_other_are_all_read(self, data: bytes, split: int, cut: int, padding: int) -> None:
        packed = gzip.compress(data[:split]) + gzip.compress(data[split:]) + b"\0" * padding
        body = Body({"content-encoding": "gzip"}, 200, LIMIT)
        for start in range(0, len(packed), cut):
            body.add(packed[start : start + cut])
            body.add(b"")
        assert body.content() == data

    def test_a_last_member_that_is_cut_off_is_not_left_out(self) -> None:
        body = Body({"content-encoding": "gzip"}, 200, LIMIT)
        body.add(gzip.compress(b'{"status": "good"}') + gzip.compress(b'{"status": "bad"}')[:-3])
        with pytest.raises(UnexpectedResponse, match="cut off"):
            body.content()

    @pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "compress"])
    def test_a_success_that_is_packed_as_nobody_asked_is_not_taken_as_it_is(self, coding: str) -> None:
        """A picture would be stored so, and be none."""
        with pytest.raises(UnexpectedResponse, match="which was not asked for"):
            Body({"content-encoding": coding}, 200, LIMIT).add(gzip.compress(b"x"))
        assert Body({"content-encoding": coding}, 204, LIMIT).content() == b""

    def test_of_an_error_that_is_packed_so_the_status_counts(self, vendor: Vendor) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(
            503, headers={"content-encoding": "br"}, stream=Stream(b"\x0b\x02\x80", 1)
        )
        with pytest.raises(VendorUnavailable):
            gateway(vendor).status("acme-1/f-1")

    def test_packing_over_and_over_is_bounded(self) -> None:
        bomb = b"0" * 5_000_000
        for _ in range(3):
            bomb = gzip.compress(bomb)
        body = Body({"content-encoding": "gzip, gzip, gzip"}, 200, LIMIT)
        with pytest.raises(UnexpectedResponse, match="larger than"):
            body.add(bomb)
        with pytest.raises(UnexpectedResponse, match="too many times"):
            Body({"content-encoding": "gzip, " * 100}, 200, LIMIT)

    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    def test_a_packed_answer_without_an_end_is_cut_off(self, coding: str) -> None:
        for start in (b"\x1f", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"[:9]):
            body = Body({"content-encoding": coding}, 200, LIMIT)
            with pytest.raises(UnexpectedResponse, match=r"cut off|could not be decompressed"):
                body.add(start)
                body.content()
        assert Body({"content-encoding": coding}, 200, LIMIT).content() == b"", "no body is none"

    def test_a_packed_answer_that_is_cut_off_is_not_taken_for_whole(self) -> None:
        packed = gzip.compress(json.dumps({"status": "good", "pad": "x" * 500}).encode())
        body = Body({"content-encoding": "gzip"}, 200, LIMIT)
        body.add(packed[:-9])
        with pytest.raises(UnexpectedResponse, match="cut off"):
            body.content()

    def test_a_create_with_such_an_answer_may_have_been_carried_out(self, vendor: Vendor) -> None:
        vendor.answers["POST /flows"] = lambda _: httpx.Response(200, stream=Stream(b"x" * 300, 9))
        with pytest.raises(OutcomeUnknown, match="larger than"):
            gateway(vendor, account=small()).open(order())


class TestJson:
    @given(depth=st.integers(1, 400), kind=st.sampled_from(["[", "{"]))
    def test_depth_is_bounded(self, depth: int, kind: str) -> None:
        text = "[" * depth + "]" * depth if kind == "[" else '{"a":' * depth + "1" + "}" * depth
        response = reply(text.encode())
        if depth <= 64:
            response.json()
        else:
            with pytest.raises(UnexpectedResponse, match="nested too deep"):
                response.json()

    @given(st.text(alphabet='[]{}"\\', max_size=300))
    def test_brackets_in_texts_do_not_count(self, text: str) -> None:
        assert reply({"text": text}).json() == {"text": text}

    @pytest.mark.parametrize("content", [b"[" * 100_000, b'{"n": ' + b"9" * 10_000 + b"}", b"\xff", b"", b"1e999999"])
    def test_hostile_numbers_and_depths(self, content: bytes) -> None:
        try:
            Response(status=200, content=content, received_at=reply().received_at).json()
        except UnexpectedResponse:
            pass


class TestDocumentUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "https://files.example.com/a.pdf?X-Amz-Signature=abc%2F",
            "https://bucket.s3.ap-south-1.amazonaws.com:443/k",
            "https://8.8.8.8/a",
            "https://[2606:4700:4700::1111]/a",
        ],
    )
    def test_public_ones_pass(self, url: str) -> None:
        check_url("pan", url)

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("http://files.example.com/a", "https"),
            ("ftp://files.example.com/a", "https"),
            ("file:///etc/passwd", "https"),
            ("javascript:alert(1)", "https"),
            ("https:///a", "malformed"),
            ("https://user:pw@files.example.com/a", "malformed"),
            ("https://good.example.com@127.0.0.1/a", "malformed"),
            ("https://files.example.com/a b", "malformed"),
            ("https://files.example.com/\r\nX: y", "malformed"),
            ("https://files.example.com:99999/a", "malformed"),
            ("https://[::1/a", "malformed"),
            ("https://localhost/a", "private"),
            ("https://LOCALHOST./a", "private"),
            ("https://127.0.0.1/a", "private"),
            ("https://127.1/a", "private"),
            ("https://2130706433/a", "private"),
            ("https://0x7f.0.0.1/a", "private"),
            ("https://10.1.2.3/a", "private"),
            ("https://169.254.169.254/latest/meta-data", "private"),
            ("https://[::1]/a", "private"),
            ("https://[::ffff:10.0.0.1]/a", "private"),
            ("https://[fd00::1]/a", "private"),
            ("https://0.0.0.0/a", "private"),
            ("https://metadata/a", "private"),
            ("https://vault.internal/a", "private"),
            ("https://printer.local/a", "private"),
        ],
    )
    def test_others_are_refused_with_a_reason(self, vendor: Vendor, url: str, why: str) -> None:
        with pytest.raises(InvalidOrder, match=why) as caught:
            gateway(vendor).upload("acme-1/f-1", [Document("pan", url=url)])
        assert caught.value.fields == ("pan",)
        assert url not in str(caught.value)
        assert vendor.requests == []

    def test_private_ones_pass_where_the_account_lets_them(self, vendor: Vendor) -> None:
        account = attrs.evolve(ACCOUNT, limits=Limits(allow_private_urls=True))
        flow = gateway(vendor, account=account).upload("acme-1/f-1", [Document("pan", url="http://127.0.0.1:9000/a")])
        assert [upload.document_id for upload in flow.uploads] == ["pan"]


class TestRecovery:
    def lost(self, vendor: Vendor, there: bool) -> None:
        def time_out(_: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("x")

        vendor.answers["POST /flows"] = time_out
        found = httpx.Response(200, json={"id": "f-9"}) if there else httpx.Response(404)
        vendor.answers["GET /people/CUST-1"] = lambda _: found

    def test_the_error_says_what_to_ask(self, vendor: Vendor) -> None:
        self.lost(vendor, there=True)
        with pytest.raises(OutcomeUnknown, match=r"Call recover\(order\)") as caught:
            gateway(vendor).open(order())
        assert caught.value.ask == "recover"

    def test_what_was_opened_is_found(self, vendor: Vendor) -> None:
        self.lost(vendor, there=True)
        flow = gateway(vendor).recover(order())
        assert (flow.ref, flow.application_id) == ("acme-1/f-9", "APP-1")
        assert flow.created_at is not None

    def test_a_recovery_that_is_lost_itself_is_asked_for_again(self, vendor: Vendor) -> None:
        self.lost(vendor, there=False)
        idv = gateway(vendor)
        with pytest.raises(OutcomeUnknown):
            idv.open(order())
        with pytest.raises(OutcomeUnknown, match="may still process") as caught:
            idv.recover(order())
        assert caught.value.ask == "recover"

    def test_that_there_is_nothing_is_certain_only_after_a_while(self, vendor: Vendor, clock: FakeClock) -> None:
        self.lost(vendor, there=False)
        idv = gateway(vendor, clock)
        with pytest.raises(OutcomeUnknown) as lost:
            idv.open(order())
        began = lost.value.since
        assert began == FakeClock().now()
        del vendor.answers["POST /flows"]
        # a second opening asks first whether the lost one was carried out
        with pytest.raises(OutcomeUnknown) as caught:
            idv.open(order())
        assert caught.value.retry_after == timedelta(seconds=150) - (clock.now() - began)
        clock.advance(caught.value.retry_after.total_seconds())
        with pytest.raises(FlowNotFound, match="open it again") as gone:
            gateway(vendor, clock).recover(order(), since=began)
        assert gone.value.nothing_done
        assert idv.open(order()).id == "f-1"
        assert vendor.paths().count("/flows") == 2

    async def test_who_knows_no_moment_is_told_what_it_depends_on(self, vendor: Vendor) -> None:
        self.lost(vendor, there=False)
        with pytest.raises(FlowNotFound, match="less than 150 s ago, call recover again after that time"):
            await async_gateway(vendor).recover(order())
        assert "/flows" not in vendor.paths()

    def test_a_vendor_without_a_way_says_so(self, vendor: Vendor) -> None:
        self.lost(vendor, there=True)
        idv = gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare"))
        with pytest.raises(OutcomeUnknown, match="The vendor's API cannot tell: ask its support") as caught:
            idv.open(order())
        assert caught.value.ask is None
        with pytest.raises(UnsupportedOperation, match="cannot tell whether a flow was opened"):
            idv.recover(order())

    @pytest.mark.parametrize(
        ("operation", "ask"), [("upload", "status"), ("renew_link", "renew_link"), ("vendor", None)]
    )
    def test_other_operations_say_it_too(self, vendor: Vendor, operation: str, ask: str | None) -> None:
        def reset(_: httpx.Request) -> httpx.Response:
            raise httpx.ReadError("x")

        vendor.answers["POST /flows/"] = reset
        idv = gateway(vendor)
        flow = idv.status("acme-1/f-1")
        with pytest.raises(OutcomeUnknown) as caught:
            match operation:
                case "upload":
                    idv.upload(flow, [Document("pan", url="https://files.example.com/a")])
                case "renew_link":
                    idv.renew_link(flow)
                case _:
                    idv.vendor(lambda acme: acme.renew_link(flow))
        assert caught.value.ask == ask
