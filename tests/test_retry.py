"""What is tried again, when, and how often; and what never is."""

from __future__ import annotations

from datetime import timedelta

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order
from hypothesis import given
from hypothesis import strategies as st

from idv_core import OutcomeUnknown, VendorError
from idv_core.engine.account import Limits
from idv_core.engine.retry import Retry, RetryBudget
from idv_core.errors import AuthenticationFailed, InvalidOrder, RateLimited, UnexpectedResponse, VendorUnavailable
from idv_core.plugin import Exchange, Request, Response
from idv_core.testing import FakeClock


def asks(request: Request) -> Exchange[Response]:
    return (yield request)


GOOD = httpx.Response(200, json={"status": "busy"})


def first(*answers: httpx.Response | Exception):
    """These answers one after the other, then good ones."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        given = left.pop(0) if left else httpx.Response(200, json={"status": "busy", "id": "f-1"})
        if isinstance(given, Exception):
            raise given
        return given

    return answer


TRANSIENT = [
    httpx.ConnectError("x"),
    httpx.ReadError("reset"),
    httpx.ReadTimeout("x"),
    httpx.RemoteProtocolError("cut off"),
    *(httpx.Response(status) for status in (408, 425, 429, 500, 502, 503, 504)),
]


class TestWhatIsTriedAgain:
    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    def test_a_read_after_any_passing_fault(self, vendor: Vendor, fault: httpx.Response | Exception) -> None:
        vendor.answers["GET /flows"] = first(fault, fault)
        gateway(vendor).status("acme-1/f-1")
        assert vendor.paths().count("/flows/f-1") == 3

    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    async def test_with_tasks_too(self, vendor: Vendor, fault: httpx.Response | Exception) -> None:
        vendor.answers["GET /flows"] = first(fault, fault)
        await async_gateway(vendor).status("acme-1/f-1")
        assert vendor.paths().count("/flows/f-1") == 3

    @pytest.mark.parametrize("fault", [httpx.ConnectError("x"), httpx.Response(425), httpx.Response(429)], ids=str)
    def test_a_create_that_certainly_did_not_arrive(self, vendor: Vendor, fault: httpx.Response | Exception) -> None:
        vendor.answers["POST /flows"] = first(fault)
        assert gateway(vendor).open(order()).id == "f-1"
        assert vendor.paths().count("/flows") == 2

    @pytest.mark.parametrize(
        "fault", [f for f in TRANSIENT if "429" not in str(f) and "425" not in str(f)][1:], ids=str
    )
    def test_never_a_create_that_may_have_been_carried_out(
        self, vendor: Vendor, fault: httpx.Response | Exception
    ) -> None:
        vendor.answers["POST /flows"] = first(fault)
        with pytest.raises(OutcomeUnknown):
            gateway(vendor).open(order())
        assert vendor.paths().count("/flows") == 1

    @pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b"[]", b'{"id": 7}'], ids=repr)
    def test_a_create_whose_answer_cannot_be_read_is_of_unknown_outcome(self, vendor: Vendor, body: bytes) -> None:
        vendor.answers["POST /flows"] = lambda _: httpx.Response(200, content=body)
        with pytest.raises(OutcomeUnknown, match="not understood") as caught:
            gateway(vendor).open(order())
        assert caught.value.status == 200
        assert vendor.paths().count("/flows") == 1

    @pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 422])
    def test_a_refusal_is_final(self, vendor: Vendor, status: int) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(status)
        with pytest.raises(Exception, match=f"HTTP {status}"):
            gateway(vendor).status("acme-1/f-1")
        assert vendor.paths().count("/flows/f-1") == 1

    @pytest.mark.parametrize("status", [408, 499])
    def test_whoever_stopped_waiting_does_not_say_that_nothing_was_done(self, vendor: Vendor, status: int) -> None:
        """499 is gRPC's CANCELLED behind a gateway."""
        vendor.answers["POST /flows"] = lambda _: httpx.Response(status, json={})
        with pytest.raises(OutcomeUnknown) as caught:
            gateway(vendor).open(order())
        assert not caught.value.nothing_done
        vendor.answers["GET /flows"] = first(httpx.Response(status))
        assert gateway(vendor).status("acme-1/f-1").status == "processing"

    @pytest.mark.parametrize(
        ("status", "kind"), [(404, UnexpectedResponse), (413, InvalidOrder), (401, AuthenticationFailed)]
    )
    @pytest.mark.parametrize(("form", "body"), [("text/html", b"<html>"), ("text/plain", b"\xef\xbb\xbf<html>")])
    def test_a_page_says_of_the_call_what_anybody_can_tell(
        self, vendor: Vendor, status: int, kind: type[VendorError], form: str, body: bytes
    ) -> None:
        vendor.answers["POST /flows"] = lambda _: httpx.Response(status, content=body, headers={"content-type": form})
        with pytest.raises(kind) as caught:
            gateway(vendor).open(order())
        assert caught.value.nothing_done

    def test_a_page_is_not_handed_to_who_reads_the_status(self, vendor: Vendor) -> None:
        vendor.answers["GET /anything"] = lambda _: httpx.Response(404, html="<html>Not found</html>")
        asked = Request.get("/anything", accept={404})
        idv = gateway(vendor)
        with pytest.raises(UnexpectedResponse):
            idv.vendor(lambda _: asks(asked))
        vendor.answers["GET /anything"] = lambda _: httpx.Response(404, json={})
        assert idv.vendor(lambda _: asks(asked)).status == 404

    def test_a_sign_in_page_is_no_success(self, vendor: Vendor) -> None:
        """What a captive portal or a proxy says says nothing of a key."""
        vendor.answers["GET /anything"] = lambda _: httpx.Response(200, html="<!doctype html><html>Sign in</html>")
        with pytest.raises(UnexpectedResponse):
            gateway(vendor).vendor(lambda _: asks(Request.get("/anything")))
        vendor.answers["GET /anything"] = lambda _: httpx.Response(200, text="<answer/>")
        assert gateway(vendor).vendor(lambda _: asks(Request.get("/anything"))).content == b"<answer/>"

    def test_a_token_is_fetched_again_too(self, vendor: Vendor) -> None:
        vendor.answers["POST /token"] = first(httpx.ReadTimeout("x"), httpx.Response(200, json={"token": "t"}))
        gateway(vendor).status("acme-1/f-1")
        assert vendor.paths().count("/token") == 2


class TestWhen:
    def test_retry_after_is_waited_for(self, vendor: Vendor, clock: FakeClock) -> None:
        vendor.answers["GET /flows"] = first(httpx.Response(429, headers={"retry-after": "7"}))
        gateway(vendor, clock).status("acme-1/f-1")
        assert 7 <= clock.monotonic() <= 7.25

    def test_a_date_is_read_against_the_vendors_own_clock(self, vendor: Vendor, clock: FakeClock) -> None:
        headers = {"date": "Mon, 02 Mar 2026 09:00:00 GMT", "retry-after": "Mon, 02 Mar 2026 09:00:07 GMT"}
        vendor.answers["GET /flows"] = first(httpx.Response(503, headers=headers))
        gateway(vendor, clock).status("acme-1/f-1")
        assert 7 <= clock.monotonic() <= 7.25

    def test_a_long_retry_after_is_the_callers_affair(self, vendor: Vendor, clock: FakeClock) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(429, headers={"retry-after": "3600"})
        with pytest.raises(RateLimited) as caught:
            gateway(vendor, clock).status("acme-1/f-1")
        assert caught.value.retry_after == timedelta(hours=1)
        assert clock.monotonic() == 0

    def test_the_deadline_always_wins(self, vendor: Vendor, clock: FakeClock) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(503, headers={"retry-after": "20"})
        account = attrs.evolve(ACCOUNT, limits=Limits(operation=30.0))
        with pytest.raises(VendorUnavailable):
            gateway(vendor, clock, account=account).status("acme-1/f-1")
        assert clock.monotonic() < 30
        assert vendor.paths().count("/flows/f-1") == 2

    @given(attempt=st.integers(1, 50), chance=st.floats(0, 1))
    def test_pauses_are_full_jitter_and_bounded(self, attempt: int, chance: float) -> None:
        retry = Retry(attempts=51, base=0.5, ceiling=8)
        pause = retry.pause(attempt, None, chance)
        assert pause is not None
        assert 0 <= pause <= min(8, 0.5 * 2 ** (attempt - 1))

    @given(seconds=st.integers(0, 100), chance=st.floats(0, 1))
    def test_nobody_comes_back_before_retry_after(self, seconds: int, chance: float) -> None:
        pause = Retry(longest_wait=60).pause(1, timedelta(seconds=seconds), chance)
        assert (pause is None) == (seconds > 60)
        assert pause is None or seconds <= pause <= seconds + 0.25


class TestBudget:
    def test_an_outage_is_not_made_worse(self, vendor: Vendor, clock: FakeClock) -> None:
        """100 calls of a vendor that is down for reads: with three attempts each it would be 300."""
        vendor.answers["GET /flows"] = lambda _: httpx.Response(429)
        idv = gateway(vendor, clock)
        for _ in range(100):
            with pytest.raises(RateLimited):
                idv.status("acme-1/f-1")
        assert vendor.paths().count("/flows/f-1") <= 100 + 10 + 100 * 0.2

    @given(st.lists(st.booleans(), max_size=300))
    def test_repeats_never_exceed_reserve_and_share(self, calls: list[bool]) -> None:
        budget = RetryBudget(Retry(budget=0.2, reserve=10))
        made = repeats = 0
        for is_call in calls:
            if is_call:
                budget.earn()
                made += 1
            elif budget.spend():
                repeats += 1
            assert repeats <= 10 + 0.2 * made + 1e-9
            assert 0 <= budget.left <= 10

    def test_one_attempt_means_no_repeat(self, vendor: Vendor) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(503)
        account = attrs.evolve(ACCOUNT, retry=Retry(attempts=1))
        with pytest.raises(VendorUnavailable):
            gateway(vendor, account=account).status("acme-1/f-1")
        assert vendor.paths().count("/flows/f-1") == 1


class TestClocks:
    def test_a_vendor_that_refuses_our_time_is_given_its_own(self, vendor: Vendor, clock: FakeClock) -> None:
        """Ours is ten minutes behind; the signature of the second call has the vendor's time."""
        seen: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["signed-at"])
            ahead = {"date": "Mon, 02 Mar 2026 10:25:00 GMT"}
            return httpx.Response(401, headers=ahead) if len(seen) == 1 else httpx.Response(200, json={"id": "f-1"})

        vendor.answers["POST /flows"] = answer
        account = attrs.evolve(ACCOUNT, plugin="signing")
        idv = gateway(vendor, clock, account=account)
        idv.open(order())
        idv.open(order(application_id="APP-2"))
        assert seen == ["10:15", "10:25", "10:25"]

    def test_a_wrong_key_is_not_blamed_on_the_clock(self, vendor: Vendor, clock: FakeClock) -> None:
        vendor.answers["POST /flows"] = lambda _: httpx.Response(401, headers={"date": "Mon, 02 Mar 2026 10:15:09 GMT"})
        with pytest.raises(AuthenticationFailed):
            gateway(vendor, clock, account=attrs.evolve(ACCOUNT, plugin="signing")).open(order())
        assert vendor.paths().count("/flows") == 1

    @pytest.mark.parametrize("ends", ["401", "500", "away"])
    def test_a_date_that_did_not_help_is_forgotten(self, vendor: Vendor, clock: FakeClock, ends: str) -> None:
        """A proxy's own page may come with a date of its own."""
        calls = 0

        def wrong(request: httpx.Request) -> httpx.Response:
            nonlocal calls
            calls += 1
            if calls == 1 or ends == "401":
                # each page with another date
                return httpx.Response(401, headers={"date": f"Mon, 02 Mar 2026 0{calls}:15:00 GMT"})
            if ends == "500":
                return httpx.Response(500)
            raise httpx.ReadError("gone", request=request)

        vendor.answers["POST /flows"] = wrong
        idv = gateway(vendor, clock, account=attrs.evolve(ACCOUNT, plugin="signing"))
        with pytest.raises(VendorError):
            idv.open(order())
        assert calls == 2
        assert idv._state.active.sessions["acme-1"].clock_skew == timedelta(0)

    def test_a_date_that_helped_is_kept_also_when_the_order_is_refused(self, vendor: Vendor, clock: FakeClock) -> None:
        answers = [
            httpx.Response(401, headers={"date": "Mon, 02 Mar 2026 11:15:00 GMT"}),
            httpx.Response(422, json={"code": "name"}),
        ]
        vendor.answers["POST /flows"] = lambda _: answers.pop(0)
        idv = gateway(vendor, clock, account=attrs.evolve(ACCOUNT, plugin="signing"))
        with pytest.raises(VendorError):
            idv.open(order())
        assert idv._state.active.sessions["acme-1"].clock_skew == timedelta(hours=1)
