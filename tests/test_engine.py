"""The engine: tokens, errors, bounds, time-outs; the same with threads and with tasks."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order
from hypothesis import given
from hypothesis import strategies as st

from idv_core import OutcomeUnknown, Secret, VendorError
from idv_core.engine.account import CachedToken, Limits
from idv_core.engine.clock_skew import retry_after, skew_of
from idv_core.engine.redaction import redact, redact_check
from idv_core.errors import (
    AuthenticationFailed,
    ConfigError,
    DeadlineExceeded,
    IdvError,
    InvalidOrder,
    PluginError,
    RateLimited,
    UnexpectedResponse,
    VendorUnavailable,
    bounded,
    kind_of_status,
)
from idv_core.model import Check
from idv_core.plugin.http import Request
from idv_core.plugin.protocols import Grant
from idv_core.testing import FakeClock
from idv_core.testing.exchange import reply
from idv_core.transports.proxies import environment_proxy


def raises(error: Exception):
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def refusing(status: int, **headers: str):
    said = {"code": "some_code", "message": "invalid request"}
    return lambda _: httpx.Response(status, json=said, headers={"x-request-id": "r-77", **headers})


class TestTokens:
    def test_one_token_serves_many_threads(self, vendor: Vendor) -> None:
        idv = gateway(vendor)
        start = threading.Barrier(8)

        def look(_: int) -> None:
            start.wait()
            idv.status("acme-1/f-1")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(look, range(8)))
        assert vendor.tokens == 1

    async def test_one_token_serves_many_tasks(self, vendor: Vendor) -> None:
        idv = async_gateway(vendor)
        await asyncio.gather(*(idv.status("acme-1/f-1") for _ in range(20)))
        assert vendor.tokens == 1

    def test_it_is_renewed_ahead_of_its_end(self, vendor: Vendor, clock: FakeClock) -> None:
        idv = gateway(vendor, clock)
        idv.status("acme-1/f-1")
        clock.advance(530)
        idv.status("acme-1/f-1")
        assert vendor.tokens == 1
        clock.advance(20)
        idv.status("acme-1/f-1")
        assert vendor.tokens == 2
        assert vendor.requests[-1].headers["Authorization"] == "token-2"

    def test_a_failed_renewal_does_no_harm_while_the_old_one_lasts(
        self, vendor: Vendor, clock: FakeClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        idv = gateway(vendor, clock)
        idv.status("acme-1/f-1")
        vendor.answers["POST /token"] = lambda _: httpx.Response(503)
        clock.advance(560)
        idv.status("acme-1/f-1")
        assert "token not renewed" in caplog.text
        clock.advance(60)
        with pytest.raises(VendorUnavailable):
            idv.status("acme-1/f-1")

    @pytest.mark.parametrize(("lives", "tokens"), [(10**12, 1), (8 * 10**13, 1), (0, 2), (-(10**12), 2)])
    def test_any_lifetime_is_one(self, vendor: Vendor, lives: int, tokens: int) -> None:
        """A vendor that counts milliseconds, say, leads past the end of the calendar."""
        counted: list[int] = []

        def grant(_: httpx.Request) -> httpx.Response:
            counted.append(1)
            return httpx.Response(200, json={"token": "t", "lives": lives})

        vendor.answers["POST /token"] = grant
        idv = gateway(vendor)
        for _ in range(2):
            assert idv.status("acme-1/f-1").status == "processing"
        assert len(counted) == tokens

    @given(
        expires_in=st.none() | st.timedeltas(),
        expires_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        renew_before=st.timedeltas(),
    )
    def test_a_token_is_renewed_before_its_end_whatever_the_vendor_says(
        self, expires_in: timedelta | None, expires_at: datetime | None, renew_before: timedelta
    ) -> None:
        grant = Grant(access_token=Secret("t"), expires_in=expires_in, expires_at=expires_at, renew_before=renew_before)
        now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        token = CachedToken.of(grant, now)
        assert token.is_over(now) <= token.is_due(now)
        assert (token.renew_at is None) == (token.expires_at is None)

    def test_a_refused_token_is_renewed_once(self, vendor: Vendor) -> None:
        vendor.refused_tokens.add("token-1")
        gateway(vendor).status("acme-1/f-1")
        assert vendor.paths() == ["/token", "/flows/f-1", "/token", "/flows/f-1"]

    def test_refusals_without_end_are_final(self, vendor: Vendor) -> None:
        vendor.refused_tokens |= {f"token-{number}" for number in range(1, 20)}
        with pytest.raises(AuthenticationFailed) as caught:
            gateway(vendor).open(order())
        assert not caught.value.safe_to_retry
        # a first token and four more, with a call for each of them
        assert len(vendor.requests) == 10

    def test_a_token_that_another_process_took_is_replaced_again(self, vendor: Vendor) -> None:
        """A vendor may keep one token for each client: a newer one of another process ends ours."""
        vendor.refused_tokens |= {"token-1", "token-2", "token-3"}
        assert gateway(vendor).open(order()).id == "f-1"

    async def test_many_tasks_with_a_refused_token_renew_it_once(self, vendor: Vendor) -> None:
        idv = async_gateway(vendor)
        await idv.status("acme-1/f-1")
        vendor.refused_tokens.add("token-1")
        await asyncio.gather(*(idv.status("acme-1/f-1") for _ in range(10)))
        assert vendor.tokens == 2


class TestFaults:
    """A create that may have been carried out is never called harmless."""

    never_sent = (httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x"), httpx.ProxyError("x"))
    perhaps_sent = (
        httpx.ReadTimeout("x"),
        httpx.WriteTimeout("x"),
        httpx.ReadError("x"),
        httpx.WriteError("x"),
        httpx.RemoteProtocolError("x"),
        httpx.DecodingError("x"),
    )

    @pytest.mark.parametrize("fault", never_sent, ids=repr)
    def test_never_sent(self, vendor: Vendor, fault: Exception) -> None:
        vendor.answers["POST /flows"] = raises(fault)
        with pytest.raises(VendorUnavailable) as caught:
            gateway(vendor).open(order())
        assert caught.value.safe_to_retry

    @pytest.mark.parametrize("fault", perhaps_sent, ids=repr)
    def test_perhaps_carried_out(self, vendor: Vendor, fault: Exception) -> None:
        vendor.answers["POST /flows"] = raises(fault)
        with pytest.raises(OutcomeUnknown) as caught:
            gateway(vendor).open(order())
        assert not caught.value.safe_to_retry
        assert vendor.paths().count("/flows") == 1

    @pytest.mark.parametrize("fault", perhaps_sent, ids=repr)
    async def test_a_read_may_be_repeated(self, vendor: Vendor, fault: Exception) -> None:
        vendor.answers["GET /flows"] = raises(fault)
        with pytest.raises(VendorError) as caught:
            await async_gateway(vendor).status("acme-1/f-1")
        assert caught.value.safe_to_retry

    def test_the_original_fault_is_not_chained(self, vendor: Vendor) -> None:
        vendor.answers["GET /flows"] = raises(httpx.ReadError("carries the request with its headers"))
        with pytest.raises(VendorUnavailable) as caught:
            gateway(vendor).status("acme-1/f-1")
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


class TestBounds:
    def test_a_large_answer_is_cut_off(self, vendor: Vendor) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(200, content=b" " * 2000)
        account = attrs.evolve(ACCOUNT, limits=Limits(max_response=1000))
        with pytest.raises(UnexpectedResponse, match="larger than 1000 bytes"):
            gateway(vendor, account=account).status("acme-1/f-1")

    async def test_a_large_answer_is_cut_off_in_tasks_too(self, vendor: Vendor) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(200, content=b" " * 2000)
        account = attrs.evolve(ACCOUNT, limits=Limits(max_response=1000))
        with pytest.raises(UnexpectedResponse, match="larger than 1000 bytes"):
            await async_gateway(vendor, account=account).status("acme-1/f-1")

    def test_the_whole_operation_has_its_time(self, vendor: Vendor, clock: FakeClock) -> None:
        def slow(request: httpx.Request) -> httpx.Response:
            clock.advance(100)
            return httpx.Response(200, json={"token": "t"})

        vendor.answers["POST /token"] = slow
        with pytest.raises(DeadlineExceeded):
            gateway(vendor, clock).open(order())
        assert "/flows" not in vendor.paths()

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_an_answer_that_drips_is_given_up(self, vendor: Vendor, clock: FakeClock, kind: str) -> None:
        class Drip(httpx.SyncByteStream, httpx.AsyncByteStream):
            def __iter__(self):
                for _ in range(50):
                    clock.advance(10)
                    yield b" "

            async def __aiter__(self):
                for chunk in self:
                    yield chunk

        vendor.answers["GET /flows"] = lambda _: httpx.Response(200, stream=Drip())
        look = {
            "sync": lambda: gateway(vendor, clock).status("acme-1/f-1"),
            "async": lambda: asyncio.run(async_gateway(vendor, clock).status("acme-1/f-1")),
        }
        with pytest.raises(DeadlineExceeded):
            look[kind]()

    def test_no_phase_gets_more_than_is_left(self, vendor: Vendor) -> None:
        account = attrs.evolve(ACCOUNT, limits=Limits(operation=3.0, connect=1.0))
        gateway(vendor, account=account).status("acme-1/f-1")
        timeout = vendor.requests[-1].extensions["timeout"]
        assert timeout == {"connect": 1.0, "read": 3.0, "write": 3.0, "pool": 3.0}

    def test_a_redirect_is_not_followed(self, vendor: Vendor) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(301, headers={"location": "https://evil.example"})
        with pytest.raises(UnexpectedResponse):
            gateway(vendor).status("acme-1/f-1")
        assert {request.url.host for request in vendor.requests} == {"acme.example"}

    @pytest.mark.parametrize(
        "body",
        [
            {"name": "half a pair \ud800"},
            {"score": float("nan")},
            {"born": datetime(1990, 1, 1, tzinfo=UTC)},
            {"what": object()},
            {1: {2: {(3,): 4}}},
        ],
        ids=["surrogate", "NaN", "date", "object", "key"],
    )
    def test_what_cannot_be_sent_was_certainly_not_sent(self, vendor: Vendor, body: dict) -> None:
        """It comes out of an order, so nobody is told to report it to the plugin's authors."""

        def ask(_: object):
            yield Request.post("/flows", json=body)

        with pytest.raises(InvalidOrder, match="nothing was sent") as caught:
            gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare")).vendor(ask, name="open")
        assert caught.value.nothing_done
        assert vendor.requests == []

    def test_nor_was_a_form(self, vendor: Vendor) -> None:
        def ask(_: object):
            yield Request.post("/flows", form={"name": "half a pair \ud800"})

        with pytest.raises(InvalidOrder, match="nothing was sent"):
            gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare")).vendor(ask)

    def test_a_query_that_is_too_long_was_not_sent(self, vendor: Vendor) -> None:
        def ask(_: object):
            yield Request.get("/flows", query={"name": "x" * 70_000})

        with pytest.raises(InvalidOrder, match="too long") as caught:
            gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare")).vendor(ask)
        assert caught.value.nothing_done

    @pytest.mark.parametrize("error", [ConfigError("no proxy"), PluginError("no path")], ids=repr)
    def test_what_a_driver_could_not_begin_to_send_was_not_sent(self, vendor: Vendor, error: IdvError) -> None:
        vendor.answers["POST /flows"] = raises(error)
        with pytest.raises(type(error)) as caught:
            gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare")).open(order())
        assert caught.value.nothing_done

    def test_a_plugin_that_fails_while_it_signs_has_sent_nothing(self, vendor: Vendor, monkeypatch) -> None:
        def broken(*_: object) -> Request:
            raise KeyError("no such setting")

        monkeypatch.setattr("acme.AcmeBare.authorize", broken)
        with pytest.raises(PluginError) as caught:
            gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare")).open(order())
        assert caught.value.nothing_done
        assert vendor.requests == []

    def test_a_header_cannot_be_injected(self, vendor: Vendor) -> None:
        with pytest.raises(InvalidOrder, match="must be printable ASCII"):
            gateway(vendor).vendor(lambda acme: acme.break_down("header"))


class TestErrors:
    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 413, 422, 425, 429])
    def test_each_says_where_and_what(self, vendor: Vendor, status: int) -> None:
        vendor.answers["POST /flows"] = refusing(status)
        with pytest.raises(kind_of_status(status)) as caught:
            gateway(vendor).open(order())
        error = caught.value
        assert (error.account, error.operation, error.status) == ("acme-1", "open", status)
        assert (error.code, error.vendor_message, error.request_id) == ("some_code", "invalid request", "r-77")
        assert str(error).startswith("acme-1 open: ")
        assert error.safe_to_retry is (status in (425, 429)), "a wrong key is as wrong the next time"

    @pytest.mark.parametrize("status", [302, 408, 500, 502, 503, 504, 599])
    def test_an_answer_that_says_nothing_certain_about_a_create(self, vendor: Vendor, status: int) -> None:
        vendor.answers["POST /flows"] = refusing(status)
        with pytest.raises(OutcomeUnknown, match="may or may not have processed the POST") as caught:
            gateway(vendor).open(order())
        error = caught.value
        assert (error.account, error.operation, error.status) == ("acme-1", "open", status)
        assert (error.code, error.request_id, error.safe_to_retry) == ("some_code", "r-77", False)
        assert vendor.paths().count("/flows") == 1

    def test_retry_after_is_read(self, vendor: Vendor) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(429, headers={"retry-after": "7"})
        with pytest.raises(RateLimited) as caught:
            gateway(vendor).status("acme-1/f-1")
        assert caught.value.retry_after == timedelta(seconds=7)
        assert "retry after 7 s" in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("0", 0),
            (" 30 ", 30),
            ("Mon, 02 Mar 2026 10:16:00 GMT", 60),
            ("Mon, 02 Mar 2026 10:00:00 GMT", 0),
            ("Mon, 02 Mar 2026 10:16:00 -0000", 60),
            ("soon", None),
            ("-5", None),
            ("1e9", None),
            ("99999999999", 99999999999),
            ("", None),
            ("2.5", 3),
            ("0.1", 1),
            ("3, 3", 3),
            ("1.5, 9", 2),
            ("2.", 2),
            (".5", None),
            ("nan", None),
            ("inf", None),
            ("٣", None),
            ("Tue, 24 Nov 99999999999 12:00:00 GMT", None),
            ("Mon, 02 Mar 2026 10:16:00 +99999999999", None),
        ],
    )
    def test_retry_after_is_seconds_or_a_date(self, text: str, seconds: int | None) -> None:
        read = retry_after(reply({}, 429, retry_after=text))
        assert read == (None if seconds is None else timedelta(seconds=seconds))

    @given(st.text(max_size=40) | st.from_regex(r"Mon, [0-9]{1,3} Mar [0-9]{1,12} [0-9:]{1,9} [+-]?[A-Z0-9]{1,9}"))
    def test_no_date_of_a_vendor_raises(self, text: str) -> None:
        for headers in (
            {"retry_after": text},
            {"date": text},
            {"retry_after": "Mon, 02 Mar 2026 10:16:00 GMT", "date": text},
        ):
            answer = reply({}, 429, **headers)
            retry_after(answer)
            skew_of(answer, timedelta(0))

    @pytest.mark.parametrize(("what", "sign"), [("key", "KeyError at"), ("yield", "instead of a Request")])
    def test_a_broken_plugin_is_our_error_and_shows_nothing(self, vendor: Vendor, what: str, sign: str) -> None:
        with pytest.raises(PluginError, match=sign) as caught:
            gateway(vendor).vendor(lambda acme: acme.break_down(what), name="try")
        assert "a name" not in str(caught.value)
        assert caught.value.__context__ is None
        assert caught.value.operation == "try"

    def test_an_accepted_answer_can_still_be_an_error(self, vendor: Vendor) -> None:
        from idv_core import Document
        from idv_core.errors import DuplicateFlow

        vendor.answers["POST /flows/f-1/files"] = lambda _: httpx.Response(409, json={"code": "twice"})
        with pytest.raises(DuplicateFlow) as caught:
            gateway(vendor).upload("acme-1/f-1", [Document("a", content=b"x")])
        assert caught.value.code == "twice"

    def test_plain_errors_read_plainly(self) -> None:
        assert str(IdvError("no")) == "no"
        assert str(ConfigError("no", account="x")) == "x: no"
        assert bounded("a\r\nb\x00" + "c" * 300) == "a b " + "c" * 195 + "…"


class TestRedaction:
    """A vendor's words are shown as far as they are known to be harmless."""

    request = Request.post("/flows", json={"name": "meera iyer", "list": [{"code": "zz99"}], "n": 3})

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            (
                "Missing or empty required parameters: ['product_type']",
                "Missing or empty required parameters: ['product_type']",
            ),
            ("email_is_registered_already", "email_is_registered_already"),
            ("MissingParameter", "MissingParameter"),
            ("no applicant MEERA IYER here", "no applicant *** here"),
            ("no applicant meera iyer here", "no applicant *** here"),
            ("Rohan Das is unknown", "*** *** is unknown"),
            ("call +91 55501 00101 now", "call *** now"),
            ("number 0000 1111 2223", "number ***"),
            ("PAN ZZZPI0000M failed", "*** *** failed"),
            ("see https://x.example/a?sig=1 please", "see *** please"),
            ("mail a.b@example.org", "mail ***"),
            ("token eyJhbGciOiJIUzI1NiJ9.e30.abc0123", "token ***"),
            ("zz99 failed", "*** failed"),
            ("Мира Ивановна not found", "*** *** not found"),
        ],
    )
    def test_words(self, text: str, shown: str) -> None:
        assert redact(text, self.request) == shown

    def test_nothing_and_what_the_caller_knows(self) -> None:
        assert redact(None, self.request) is None
        assert redact("", self.request) is None
        assert redact("not aigerim", self.request, ("Aigerim Serik",)) == "not ***"


def test_the_log_has_stable_keys_and_no_body(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="idv_core"):
        gateway(vendor).open(order())
    record = next(record for record in caplog.records if getattr(record, "idv_status", None) == 201)
    assert record.idv_account == "acme-1"
    assert record.idv_method == "POST"
    assert "Meera" not in str([vars(record) for record in caplog.records])


class TestTransports:
    def test_a_users_pytest_httpx_works(self, httpx_mock, clock: FakeClock) -> None:
        httpx_mock.add_response(url="https://acme.example/token", json={"token": "t"})
        httpx_mock.add_response(url="https://acme.example/flows/f-1", json={"status": "good"})
        with gateway(Vendor(), clock, transport=None) as idv:
            assert idv.status("acme-1/f-1").status.is_settled

    async def test_a_users_respx_works(self, respx_mock, clock: FakeClock) -> None:
        respx_mock.post("https://acme.example/token").respond(json={"token": "t"})
        respx_mock.get("https://acme.example/flows/f-1").respond(json={"status": "good"})
        async with async_gateway(Vendor(), clock, transport=None) as idv:
            assert (await idv.status("acme-1/f-1")).status.is_settled

    def test_a_brought_transport_is_left_open(self, vendor: Vendor) -> None:
        class Mine(httpx.MockTransport):
            closed = False

            def close(self) -> None:
                self.closed = True

        mine = Mine(vendor)
        with gateway(vendor, transport=mine) as idv:
            idv.status("acme-1/f-1")
        assert not mine.closed

    def test_the_environments_proxy_is_honoured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        assert environment_proxy("https://acme.example") is None
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        monkeypatch.setenv("NO_PROXY", "inside.example")
        assert environment_proxy("https://acme.example") == "http://proxy.example:3128"
        assert environment_proxy("https://inside.example") is None
        assert environment_proxy("http://acme.example") is None
        monkeypatch.setenv("ALL_PROXY", "http://all.example:1")
        assert environment_proxy("http://acme.example") == "http://all.example:1"


class TestReasons:
    """A vendor's sentences about a check are shown as far as they are harmless; codes stay as they are."""

    @pytest.mark.parametrize(
        ("reason", "shown"),
        [
            ("ERR_NO_FACE_DETECTED", "ERR_NO_FACE_DETECTED"),
            ("document_number_is_not_extracted", "document_number_is_not_extracted"),
            ("PROCESSING_FAILED", "PROCESSING_FAILED"),
            ("Document is unreadable", "Document is unreadable"),
            ("Name Meera Iyer does not match", "Name *** *** does not match"),
            ("no reply from meera@example.org", "no reply from ***"),
            ("number 0000 1111 2223 is known", "number *** is known"),
        ],
    )
    def test_they_are_cleaned_by_the_core(self, reason: str, shown: str) -> None:
        check = Check(kind="document", name="overall", reasons=[reason, "blurry"])
        assert redact_check(check).reasons == (shown, "blurry")

    def test_a_check_without_a_sentence_is_left_alone(self) -> None:
        check = Check(kind="document", name="overall", reasons=["TAMPERED"])
        assert redact_check(check) is check
