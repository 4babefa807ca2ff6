"""`Gateway`: the API that a platform imports. `AsyncGateway` beside it has the same names and arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from .callbacks.desk import Inbound, Received
from .clock import Clock, SystemClock
from .config import Account, Callbacks, load_configuration
from .engine.account import AccountHealth
from .engine.sync_driver import SyncDriver
from .model import Document, Flow, FlowOrder, ProvisionedTemplate, Result, Secret, Template
from .operations import Operations, Progress
from .policy import DEFAULT_POLICY, Policy
from .registry import Registry, discover
from .wire import Exchange

T = TypeVar("T")

DEADLINE = timedelta(minutes=10)


class GatewayBase:
    """What both gateways share: their accounts, and receiving callbacks (which never blocks)."""

    _operations: Operations

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts."""
        return tuple(self._operations.sessions)

    def health(self) -> Mapping[str, AccountHealth]:
        """How each account is doing, as this process sees it: circuit breaker, calls under way and waiting, retry budget."""
        return self._operations.health()

    def callback_url(self, account: str, purpose: str) -> Secret:
        """The address for the whole account, for vendors that want to be told once; the vendor's page names the purposes."""
        return self._operations.callback_url(account, purpose)

    def receive(self, account: str, inbound: Inbound) -> Received:
        """Take an inbound call: authenticate, bound, deduplicate and read it, and wake whoever waits for its flow.

        Never blocks. Raises CallbackRejected with the HTTP status to answer. What it says is a hint: fetch the result.
        """
        return self._operations.receive(account, inbound)

    def forget(self, received: Received) -> None:
        """Treat the same inbound call as new when it comes again, because handling it failed."""
        self._operations.forget(received)


class Gateway(GatewayBase):
    """One typed API in front of every vendor, for blocking code. Safe for threads.

    `accounts` are the vendors' accounts, `callbacks` where vendors reach us, `policy` what turns evidence into a decision.
    `transport` is any `httpx.BaseTransport` of your own (it stays yours to close), `observers` are told of every operation
    and call (see `idv_core.telemetry`). Use it as a context manager.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        callbacks: Callbacks | None = None,
        policy: Policy = DEFAULT_POLICY,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        registry: Registry | None = None,
        observers: Iterable[object] = (),
    ) -> None:
        clock = clock or SystemClock()
        self._operations = Operations.over(accounts, callbacks, policy, clock, registry or discover(), observers)
        self._driver = SyncDriver(clock, self._operations.wakers, transport)

    @classmethod
    def load(cls, path: str | Path = "idv.toml", **more: Any) -> Self:
        """A gateway as the file says. Raises ConfigError that lists every problem."""
        configuration = load_configuration(path)
        return cls(configuration.accounts, callbacks=configuration.callbacks, **more)

    def open(self, order: FlowOrder, *, account: str | None = None) -> Flow:
        """Open a flow. Keep `flow.ref`. Raises InvalidOrder, DuplicateFlow, OutcomeUnknown and the rest of VendorError."""
        return self._driver.run(self._operations.open(order, account))

    def recover(self, order: FlowOrder, *, account: str | None = None) -> Flow:
        """After an OutcomeUnknown of `open`: the one flow of this order, found at the vendor, or opened now where that cannot
        make two. Raises UnsupportedOperation where the vendor has no way, DuplicateFlow where it has the flow but does not
        name it."""
        return self._driver.run(self._operations.recover(order, account))

    def upload(self, flow: Flow | str, documents: Sequence[Document]) -> Flow:
        """Hand documents in. `uploads` of the flow returned has the vendor's answer to each of them."""
        return self._driver.run(self._operations.upload(flow, documents))

    def submit(self, flow: Flow | str) -> Flow:
        """Say that everything has been handed in. Vendors that need no such word are left alone."""
        return self._driver.run(self._operations.submit(flow))

    def status(self, flow: Flow | str) -> Flow:
        """Ask how far the flow is."""
        return self._driver.run(self._operations.status(flow))

    def flow(self, ref: str) -> Flow:
        """Go on with a flow that another process opened."""
        return self.status(ref)

    def renew_link(self, flow: Flow | str) -> Flow:
        """Get a fresh link for the applicant, where the vendor makes them."""
        return self._driver.run(self._operations.renew_link(flow))

    def result(self, flow: Flow | str) -> Result:
        """Fetch the evidence as it stands, with the policy's decision."""
        return self._driver.run(self._operations.result(flow))

    def wait(
        self,
        flow: Flow | str,
        *,
        deadline: timedelta = DEADLINE,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Result:
        """Wait until the flow is final: polls with growing pauses, and looks at once when a callback comes in.

        `progress` is called with each result. Raises DeadlineExceeded, or WaitCancelled once `cancelled()` is true.
        """
        return self._driver.run(self._operations.wait(flow, deadline, progress, cancelled))

    def provision(self, template: Template, *, account: str | None = None) -> ProvisionedTemplate:
        """Make sure that a template exists at the vendor. Doing it twice leaves one."""
        return self._driver.run(self._operations.provision(template, account))

    def vendor(self, call: Callable[[Any], Exchange[T]], *, account: str | None = None, name: str = "vendor") -> T:
        """Run an operation that only this vendor has: `idv.vendor(lambda atlas: atlas.checklist(flow), account="atlas")`."""
        return self._driver.run(self._operations.vendor(name, call, account))

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
