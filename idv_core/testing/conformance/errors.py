"""Errors: those that the vendor documents, and whatever else comes back; openings whose answer is lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import attrs
import httpx
import pytest

from ...errors import (
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    OutcomeUnknown,
    PluginError,
    UnexpectedResponse,
    VendorUnavailable,
)
from ...model import Decision
from ...plugin.protocols import CancelProtocol, CredentialsProtocol, EraseProtocol, RecoverProtocol
from ..emulator import EmulatedResponse
from ..fuzzing import first_requests
from ..garbled import UNREADABLE, assert_error_is_read
from ..harness import ACCOUNT, Driver, Harness, another_person
from .steps import impatient, is_understood, offered, operate

# This many calls by POST may come before the one that opens.
_READS = 5
_UNUSUAL = (
    100,
    204,
    301,
    302,
    304,
    400,
    401,
    402,
    403,
    404,
    405,
    408,
    409,
    410,
    413,
    418,
    422,
    425,
    429,
    500,
    502,
    503,
    599,
)
_OF_A_PROXY = (
    EmulatedResponse(404, content=b"404 page not found\n", type="text/plain; charset=utf-8"),
    EmulatedResponse(404, content=b"<html><body>Not found</body></html>", type="text/html"),
    EmulatedResponse(404, content=b"\xef\xbb\xbf<html></html>", type="application/octet-stream"),
    EmulatedResponse(200, content=b"<html><body>Sign in</body></html>", type="text/html"),
)


class MapsErrors:
    def test_documented_errors(self, harness: Harness, idv: Driver) -> None:
        for documented in harness.errors:
            order = attrs.evolve(harness.order, application_id=f"APP-{id(documented)}")
            flow = None if documented.operation == "open" else idv.open(another_person(order, str(id(documented))))
            harness.emulator.fault(documented.match, documented.reply, times=10)
            with pytest.raises(documented.error) as caught:
                operate(idv, harness, documented.operation, flow)
            harness.emulator.clear_faults()
            error = caught.value
            assert error.account == ACCOUNT, documented
            assert error.operation == documented.operation, documented
            assert error.status == documented.reply.status, documented

    @pytest.mark.parametrize("status", _UNUSUAL)
    def test_any_status_is_a_model_or_an_error(self, harness: Harness, idv: Driver, status: int) -> None:
        flow = idv.open(harness.order)
        harness.emulator.fault("", EmulatedResponse(status, content=b"<html>", type="text/html"), times=20)
        for operation in ("open", "status", "result"):
            is_understood(partial(operate, idv, harness, operation, flow))

    @pytest.mark.parametrize("answer", _OF_A_PROXY)
    def test_a_proxy_that_knows_no_such_address_says_nothing_of_the_flow(
        self, harness: Harness, idv: Driver, answer: EmulatedResponse
    ) -> None:
        """Nor does what it says end one, or make the order one that was never opened."""
        since = harness.clock.now()
        flow = idv.open(harness.order)
        harness.clock.advance(86_400)
        harness.emulator.fault("", answer, times=30)
        calls = [partial(idv.status, flow), partial(idv.result, flow)]
        if isinstance(idv.adapter, RecoverProtocol):
            calls.append(partial(idv.recover, harness.order, since=since))
        for call in calls:
            try:
                # some need not ask before documents were handed in
                assert not call().status.is_settled
            except (UnexpectedResponse, VendorUnavailable, OutcomeUnknown):
                pass

    @pytest.mark.parametrize("status", [404, 410])
    def test_a_page_on_the_way_ends_nothing_and_proves_no_key(self, harness: Harness, idv: Driver, status: int) -> None:
        """A web page is of a proxy, or of a wrong address. It is not the vendor's word that a flow is gone or a key good."""
        flow = harness.finish(idv, idv.open(harness.order))
        harness.clock.advance(3600)
        page = EmulatedResponse(status, content=b"<html>Not found</html>", type="text/html")
        asked = [(object, "status"), (object, "result"), (EraseProtocol, "erase"), (CancelProtocol, "cancel")]
        for operation in (name for protocol, name in asked if isinstance(idv.adapter, protocol)):
            harness.emulator.fault("", page, times=20)
            with pytest.raises(IdvError) as caught:
                operate(idv, harness, operation, flow)
            assert not isinstance(caught.value, PluginError), operation
            harness.emulator.clear_faults()
        if isinstance(idv.adapter, CredentialsProtocol):
            harness.emulator.fault("", page, times=20)
            with pytest.raises(IdvError):
                idv.check_credentials()

    def test_errors_are_read_whatever_the_body_is(self, harness: Harness) -> None:
        """A page of HTML in place of JSON is everyday: `read_error` raises nothing, and the HTTP status still counts."""
        driver = Driver(harness, "sync")
        for request in first_requests(driver, harness):
            for status in _UNUSUAL:
                for what in UNREADABLE:
                    assert_error_is_read(driver.adapter, request, status, what)
        driver.close()

    def test_an_opening_without_an_answer_is_cleared_up(self, harness: Harness, idv: Driver) -> None:
        """With `recover` there is one flow afterwards, or `DuplicateFlow` says that the vendor has it and does not name it."""
        offered(idv.adapter, RecoverProtocol)
        assert harness.opened is not None, "RecoverProtocol needs Harness.opened"
        losing = _LosesAnswers(harness.transport)
        driver = Driver(attrs.evolve(harness, transport=losing), idv.kind)
        driver.open(another_person(attrs.evolve(harness.order, application_id="APP-before"), "before"))
        losing.armed = True
        for losing.passes in range(_READS):
            try:
                driver.open(harness.order)
            except VendorUnavailable as error:
                # some vendors read by POST, too
                assert error.nothing_done, "an answer to a call that does something was lost"
                continue
            except OutcomeUnknown as error:
                assert error.ask == "recover"
            break
        losing.armed = False
        for _ in range(2):
            try:
                assert driver.recover(harness.order).application_id == harness.order.application_id
            except DuplicateFlow:
                pass
            except (OutcomeUnknown, FlowNotFound):
                assert harness.opened(harness.order) == 0, "recover did not find the flow"
            assert harness.opened(harness.order) <= 1, "recover opened a second flow"
        driver.close()

    @pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
    def test_a_refused_call_is_an_error(self, harness: Harness, status: int) -> None:
        """A key that was taken back, or a vendor that is down, must not look like an applicant who is still busy."""
        for operation, told in _answers_to(harness, EmulatedResponse(status, {}), ("status", "result")):
            pytest.fail(
                f"{operation} returned a {told} though every call was answered {status}: name in `accept` only statuses that "
                "the vendor's pages give a meaning for this call, and let the core raise the others"
            )

    @pytest.mark.parametrize("content", [b"<html><body>Please wait</body></html>", b"", b'{"id": "x", "sta'])
    def test_a_success_without_an_answer_is_an_error(self, harness: Harness, content: bytes) -> None:
        """A page of a load balancer, nothing, half an answer, under 200: nothing is known of the flow."""
        answer = EmulatedResponse(200, content=content, type="text/html")
        for operation, told in _answers_to(harness, answer, ("open", "status", "result")):
            pytest.fail(
                f"{operation} returned a {told} though the answer was {content[:20]!r}: read it with `reply.structure(...)` "
                "or `reply.json()`, which raise UnexpectedResponse"
            )

    def test_a_flow_that_the_vendor_does_not_know_is_an_error(self, harness: Harness) -> None:
        """Deleted, or of another account: whoever waits for it would wait for ever."""
        driver = impatient(harness)
        flow = driver.open(harness.order)
        harness.clock.advance(86400)
        unknown = attrs.evolve(flow, id=flow.id[:-1] + ("0" if flow.id[-1] != "0" else "1"))
        for given in (unknown, unknown.ref):
            harness.emulator.calls.clear()
            try:
                result = driver.result(given)
            except IdvError:
                continue
            if not harness.emulator.calls:
                # nothing was handed in, and the vendor was not asked
                continue
            assert result.decision is not Decision.APPROVED
            assert result.status.is_settled, (
                f"the result of a flow that the vendor does not know is '{result.status}', for ever: a 404 is FlowNotFound, "
                "and 'not yet' only where the vendor's pages say so, for a flow that is young (`flow.created_at`)"
            )
        driver.close()

    @pytest.mark.parametrize("answer", ["lost", "502", "503"])
    def test_an_opening_is_made_once(self, harness: Harness, answer: str) -> None:
        """The vendor did it and the answer did not arrive: the call is repeated only where the vendor keeps two apart."""
        if harness.opened is None:
            pytest.skip("not offered: without Harness.opened nobody counts")
        losing = _LosesAnswers(harness.transport, None if answer == "lost" else int(answer))
        driver = Driver(attrs.evolve(harness, transport=losing), "sync")
        driver.open(another_person(attrs.evolve(harness.order, application_id=f"APP-warm-{answer}"), f"warm-{answer}"))
        for passes in range(_READS):
            mark = f"{answer}-{passes}"
            order = another_person(attrs.evolve(harness.order, application_id=f"APP-{mark}"), mark)
            losing.armed, losing.passes, losing.loses = True, passes, 1
            try:
                driver.open(order)
            except IdvError as error:
                losing.armed = False
                if getattr(error, "nothing_done", False) or getattr(error, "safe_to_retry", False):
                    driver.open(order)
            losing.armed = False
            assert harness.opened(order) <= 1, (
                "the vendor has two flows of one order after the answer to a create was lost: `idempotent=True` is for calls "
                "that do no harm twice, and the key that makes a create such a one is derived from the order alone; a 5xx gets "
                "no `kind` that says that nothing was done unless the vendor's pages do"
            )
        driver.close()


def _answers_to(harness: Harness, answer: EmulatedResponse, operations: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The operations that return something, and what, though each call of theirs gets this answer."""
    driver = impatient(harness)
    flow = harness.finish(driver, driver.open(harness.order))
    for operation in operations:
        harness.emulator.calls.clear()
        harness.emulator.fault("", answer, times=100)
        try:
            told = operate(driver, harness, operation, flow)
        except IdvError:
            continue
        finally:
            harness.emulator.clear_faults()
        if harness.emulator.calls:
            yield operation, type(told).__name__
    driver.close()


class _LosesAnswers(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The vendor gets each call; while armed, nobody gets the answers to those that do something, after the first `passes`,
    or gets a page with `status` in their place. So many answers as `loses` says are lost."""

    def __init__(self, inner: Any, status: int | None = None) -> None:
        self._inner, self._status = inner, status
        self.armed = False
        self.passes = 0
        self.loses = 10**6

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._passed_on(request, self._inner.handle_request(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._passed_on(request, await self._inner.handle_async_request(request))

    def _passed_on(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not self.armed or request.method == "GET":
            return response
        self.passes -= 1
        if self.passes >= 0 or not self.loses:
            return response
        self.loses -= 1
        if self._status is None:
            raise httpx.ReadError("the answer was lost")
        return httpx.Response(self._status, stream=httpx.ByteStream(b"<html>"))
