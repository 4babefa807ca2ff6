"""For the tests of a platform: a vendor that does what the test says, whichever vendor it is.

`EmulatedVendor` drives any plugin's emulator by the plugin's harness; `FakeVendor` (`idv_core.testing.fake_vendor`) is one that
can do more. A test that uses only what is here runs unchanged over all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import attrs
import httpx

from ..config import Account, Webhooks
from ..errors import IdvError, OutcomeUnknown, UnexpectedResponse, UnsupportedOperation, VendorError, VendorUnavailable
from ..gateway.aio import AsyncGateway
from ..gateway.sync import Gateway
from ..model import Applicant, Document, Flow, FlowOrder, FlowRef, Secret
from ..registry import registry_of
from ..telemetry.events import OperationEnded, OperationStarted
from ..telemetry.observers import observes
from .clock import FakeClock
from .emulation import register_webhooks
from .emulator import EmulatedResponse, Emulator
from .harness import Harness
from .platform import Network

Outcome: TypeAlias = Literal["approved", "declined", "review"]

PLATFORM = "https://platform.example"

# Between two looks at a verification, and how often it is looked at.
_PAUSE = 15.0
_LOOKS = 100
_TIMES = 1000
_READS = ("status", "result", "media")


class NotOffered(UnsupportedOperation):
    """This vendor, or its emulator, cannot do what the test asks for. The pytest plugin skips such a test and says so."""


class EmulatedVendor:
    """One vendor's emulator on an in-process network, with the time under control.

    Args:
        harness: The plugin's harness (`Plugin.harness`); see `vendor_named` for an installed plugin by name.

    `gateway()` and `async_gateway()` make gateways to it. Where your platform makes its own:
    `Gateway.load("idv.toml", **vendor.wiring)`.

    Attributes:
        name: The vendor's name, also that of the account.
        clock: The time. Waiting moves it; nothing sleeps.
        account: The account.
        wiring: What a gateway needs to reach this vendor: transport, clock, plugins, observers, policy.
    """

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.name = harness.plugin.name
        self.clock: FakeClock = harness.clock
        self.account = Account(self.name, self.name, harness.settings, test=True)
        self._line = _Line(harness.transport)
        self._flows: dict[str, Flow] = {}
        self.wiring: dict[str, Any] = {
            "transport": self._line,
            "clock": harness.clock,
            "registry": registry_of(harness.plugin),
            "observers": (_Watch(self._started, self._ended),),
            "policy": harness.policy,
        }
        self._next: str | None = None
        self._own = Gateway([self.account], webhooks=_WEBHOOKS, **self.wiring)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def emulator(self) -> Emulator:
        """The emulator itself, for what only this vendor has."""
        return self.harness.emulator

    @property
    def applicant(self) -> Applicant:
        """A person whom this vendor takes, and whose documents it will see."""
        return self.harness.order.applicant

    @property
    def documents(self) -> tuple[Document, ...]:
        """Good documents to upload; empty where the applicant shows them on the vendor's page."""
        return self.harness.documents

    def order(self, application_id: str = "APP-1") -> FlowOrder:
        """An order that this vendor takes."""
        order = self.harness.order
        return FlowOrder(product=order.product, application_id=application_id, applicant=order.applicant)

    def gateway(self) -> Gateway:
        """A gateway with the one account. Webhook addresses begin with `https://platform.example/idv`."""
        gateway = Gateway([self.account], webhooks=_WEBHOOKS, **self.wiring)
        opens = gateway.open

        def remembering(*args: Any, **more: Any) -> Flow:
            return self._remember(opens(*args, **more))

        gateway.open = remembering  # type: ignore[method-assign]
        return gateway

    def async_gateway(self) -> AsyncGateway:
        """The same for asyncio."""
        gateway = AsyncGateway([self.account], webhooks=_WEBHOOKS, **self.wiring)
        opens = gateway.open

        async def remembering(*args: Any, **more: Any) -> Flow:
            return self._remember(await opens(*args, **more))

        gateway.open = remembering  # type: ignore[method-assign]
        return gateway

    def deliver_to(self, app: Any, *, wsgi: bool = False) -> None:
        """Send webhooks to this app, which receives them under `/idv`. They come as time passes.

        Args:
            app: An ASGI app such as FastAPI with `WebhookApp` mounted, or a WSGI app such as Flask or Django.
            wsgi: Whether it is a WSGI app.
        """
        network = self.harness.transport
        if not isinstance(network, Network):
            raise NotOffered(f"the emulator of {self.name} is not on a Network")
        (network.add_wsgi if wsgi else network.add)(PLATFORM.removeprefix("https://"), app)
        register_webhooks(self._own, self.name, self.emulator)

    def decide(self, flow: Flow | str, outcome: Outcome) -> Flow:
        """Let the verification end: the applicant does what is needed, and the time passes until the vendor has decided.

        Returns the flow as it is then. Keep it where the vendor takes documents by API: they were uploaded here.

        Args:
            flow: The flow, or its reference. Where the applicant goes to a page, a reference will do for flows that were
                opened by `gateway()` or `async_gateway()`, and for vendors that can renew links.
            outcome: `approved`, `declined` or `review`.

        Raises NotOffered where this emulator has no such end.
        """
        finish = {"approved": self.harness.finish, "declined": self.harness.finish_badly}.get(outcome)
        if finish is None:
            raise NotOffered(f"the emulator of {self.name} has no applicant who ends in {outcome}")
        account = flow.account if isinstance(flow, Flow) else FlowRef.parse(flow).account
        opened = attrs.evolve(self._with_link(flow), account=self.name)
        done = finish(self._own, opened)  # type: ignore[arg-type]
        for _ in range(_LOOKS):
            now = self._own.status(done)
            if now.status.is_settled:
                return attrs.evolve(now, account=account)
            self.clock.advance(_PAUSE)
        raise AssertionError(f"{self.name} did not decide within {_LOOKS * _PAUSE:g} seconds")

    def fail(self, *, next: str, error: type[VendorError], done: bool = False) -> None:
        """Let the next operation of that name fail with this error; the one after it works again.

        Args:
            next: The gateway's method: `open`, `result`, `upload`, ...
            error: `VendorUnavailable` (nobody can be reached), `OutcomeUnknown` (the answer is lost), `UnexpectedResponse` (a
                page of HTML; some plugins say `VendorUnavailable` to it), or an error of its table, like `RateLimited`.
            done: With `OutcomeUnknown`: whether the vendor did it all the same, so that `recover` finds the flow.

        Raises NotOffered where this vendor documents no such error.
        """
        rows = [row for row in self.harness.errors if row.operation == next]
        match = rows[0].match if rows else ""
        if error is VendorUnavailable:
            self._line.is_down = True
        elif error is OutcomeUnknown:
            if next in _READS:
                raise NotOffered(f"{next} changes nothing at the vendor, so its outcome is never unknown")
            self._line.loses, self._line.is_done = match, done
        elif error is UnexpectedResponse:
            if next not in _READS:
                raise NotOffered(f"after {next} a response that is not understood is OutcomeUnknown")
            self.emulator.fault(match, EmulatedResponse(content=b"<html>", type="text/html"), _TIMES)
        else:
            reply = next_reply(rows, error)
            if reply is None:
                raise NotOffered(f"{self.name} documents no {error.__name__} for {next}")
            self.emulator.fault(match, reply, _TIMES)
        self._line.armed = False
        self._next = next

    def recovered(self) -> None:
        """Take back what `fail` prepared."""
        self.emulator.clear_faults()
        self._line.mend()
        self._next = None

    def _started(self, operation: str) -> None:
        if operation == self._next:
            self._line.armed = True

    def _ended(self, operation: str) -> None:
        if operation == self._next:
            self.recovered()

    def _remember(self, flow: Flow) -> Flow:
        self._flows[flow.ref] = flow
        return flow

    def _with_link(self, flow: Flow | str) -> Flow:
        if isinstance(flow, Flow):
            return flow
        if flow in self._flows:
            return self._flows[flow]
        ours = str(attrs.evolve(FlowRef.parse(flow), account=self.name))
        try:
            return self._own.renew_link(ours)
        except UnsupportedOperation:
            return self._own.status(ours)


_WEBHOOKS = Webhooks(f"{PLATFORM}/idv", Secret("key-of-the-platform-under-test-0123456789"))


def next_reply(rows: list[Any], error: type[IdvError]) -> EmulatedResponse | None:
    """The vendor's documented answer that means this error."""
    return next((row.reply for row in rows if row.error is error), None)


class _Line(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The line to the vendor: it can be down, and it can lose answers (those to `loses`, a beginning of `METHOD /path`)."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.mend()

    def mend(self) -> None:
        self.armed = False
        self.is_down = False
        self.is_done = False
        self.loses: str | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        lost = self._is_lost(request)
        response: httpx.Response | None = None if lost and not self.is_done else self._inner.handle_request(request)
        return self._passed_on(response, lost)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        lost = self._is_lost(request)
        response = None if lost and not self.is_done else await self._inner.handle_async_request(request)
        return self._passed_on(response, lost)

    def _is_lost(self, request: httpx.Request) -> bool:
        if self.armed and self.is_down:
            raise httpx.ConnectError("the line is down")
        called = f"{request.method} {request.url.path}"
        return self.armed and self.loses is not None and request.method != "GET" and called.startswith(self.loses)

    def _passed_on(self, response: httpx.Response | None, lost: bool) -> httpx.Response:
        if lost or response is None:
            raise httpx.ReadError("the answer was lost")
        return response


class _Watch:
    """Tells when an operation begins and ends."""

    def __init__(self, started: Callable[[str], None], ended: Callable[[str], None]) -> None:
        self._started, self._ended = started, ended

    @observes
    def operation_started(self, event: OperationStarted) -> None:
        self._started(event.operation)

    @observes
    def operation_ended(self, event: OperationEnded) -> None:
        self._ended(event.started.operation)
