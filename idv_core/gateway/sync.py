"""`Gateway`: the API that a platform imports. `AsyncGateway` beside it has the same names and arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

import attrs
import httpx

from ..clock import Clock, SystemClock
from ..config import Account, Configuration, Webhooks, read_configuration
from ..engine.account import AccountHealth
from ..engine.rotation import reload_on
from ..engine.sync_driver import SyncDriver
from ..errors import ConfigError
from ..model import Document, Explanation, Flow, FlowOrder, ProvisionedTemplate, Result, Secret, Template
from ..plugin.http import Exchange
from ..policy import DEFAULT_POLICY, Policy
from ..registry import Registry, discover
from ..runtime.side_thread import closed
from ..webhooks.receiver import Received, WebhookRequest
from . import opening, operations, receiving, waiting
from .opening import Attempt
from .order_fields import OrderFields, as_order
from .state import GatewayState
from .waiting import Progress

if TYPE_CHECKING:
    from ..engine.async_driver import AsyncDriver

T = TypeVar("T")

DEADLINE = timedelta(minutes=10)


def as_configuration(accounts: Iterable[Account] | Configuration, webhooks: Webhooks | None) -> Configuration:
    """Accounts alone make a configuration without routes."""
    if not isinstance(accounts, Configuration):
        return Configuration(accounts=accounts, webhooks=webhooks)
    return accounts if webhooks is None else attrs.evolve(accounts, webhooks=webhooks)


class GatewayBase:
    """What both gateways share: their accounts, and receiving webhooks (which never blocks)."""

    _state: GatewayState
    _driver: SyncDriver | AsyncDriver
    _file: Path | None = None

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts."""
        return tuple(self._state.active.sessions)

    def explain(self, order: FlowOrder, *, account: str | None = None, at: datetime | None = None) -> Explanation:
        """Where `open` would send this order now (or `at` that moment), and the whole reasoning. Nothing is called and
        nothing counted."""
        return self._state.explain(order, account, at)

    def reload(self, configuration: Configuration | None = None) -> None:
        """Take a new configuration at once: the file read again, or the one given. Reads files.

        Raises ConfigError if there is an error in it; everything stays as it was then. Called by a signal's handler in the
        midst of a reload of the same thread, it returns at once, and the one under way reads once more. Accounts that have
        not changed keep
        their connections, tokens and circuits; flows under way keep their account and policy.
        """
        if self._driver.is_closed:
            raise closed()
        file = self._file
        if configuration is not None:
            self._state.reload(lambda: configuration, self._driver.prepare)
        elif file is not None:
            self._state.reload(lambda: read_configuration(file), self._driver.prepare)
        else:
            raise ConfigError("there is no file to read again: give reload() a Configuration")
        self._driver.keep(self._state.active.sessions.values())

    def reload_on(self, number: int) -> None:
        """Read the file again whenever this process gets the signal of that number: `idv.reload_on(signal.SIGHUP)`.

        To be called in the main thread, and after a fork in each process. A thread does the work; errors in the file are
        logged, and everything stays as it was then.
        """
        reload_on(number, self.reload)

    def health(self) -> Mapping[str, AccountHealth]:
        """How each account is doing, as this process sees it: circuit breaker, calls under way and waiting, retry budget."""
        return self._state.health()

    def webhook_url(self, account: str, purpose: str) -> Secret:
        """The address for the whole account, for vendors that want to be told once. Raises ConfigError for a purpose that the
        plugin does not have, with those that it has."""
        return receiving.webhook_url(self._state, account, purpose)

    def receiving(self, account: str, request: WebhookRequest) -> AbstractContextManager[Received]:
        """Take a webhook and handle it inside the `with`: authenticate, limit, deduplicate and read it, and wake whoever
        waits for its flow. In a synchronous view (the docs have it whole):

            try:
                with idv.receiving(account, request) as received:
                    if received.fetch and not received.repeated:
                        ...                         # store that there is news, or fetch the result
                answer = received.answer
            except WebhookRejected as error:
                answer = WebhookResponse.of(error)

        The call counts as known once the block has ended. If it raises, the same call is new when it comes again; let the
        error go on, so that the vendor gets a 500 and repeats. Never blocks but for a look at the files of secrets when a
        signature is wrong. Raises WebhookRejected with the HTTP status to answer (503 while a twin of the call is handled).
        What a call says is a hint: fetch the result.
        """
        return receiving.receiving(self._state, account, request)

    def receive(self, account: str, request: WebhookRequest) -> Received:
        """As `receiving`, for whoever has nothing to do that can fail: the call counts as known at once."""
        return receiving.receive(self._state, account, request)

    def max_body(self, account: str, request: WebhookRequest) -> int:
        """How many bytes of body the call may have, for whoever reads it himself; `request.body` is not looked at.

        Raises WebhookRejected where the address or the method is wrong, so that nobody's body is read for nothing.
        """
        return receiving.max_body(self._state, account, request)


class Gateway(GatewayBase):
    """One typed API in front of every vendor, for blocking code. Safe for threads.

    `accounts` are the vendors' accounts, or a whole `Configuration` with routes and policies; `webhooks` is where vendors
    reach us, `policy` what turns evidence into a decision where no route names one.
    `transport` is any `httpx.BaseTransport` of your own (it stays yours to close), `observers` are told of every operation
    and call (see `idv_core.telemetry`). Use it as a context manager.
    """

    _driver: SyncDriver

    def __init__(
        self,
        accounts: Iterable[Account] | Configuration,
        *,
        webhooks: Webhooks | None = None,
        policy: Policy = DEFAULT_POLICY,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        registry: Registry | None = None,
        observers: Iterable[object] = (),
    ) -> None:
        clock = clock or SystemClock()
        configuration = as_configuration(accounts, webhooks)
        self._state = GatewayState.over(configuration, policy, clock, registry or discover(), observers)
        self._driver = SyncDriver(clock, self._state.waiters, transport)
        self._driver.prepare(self._state.active.sessions.values())

    @classmethod
    def load(
        cls,
        path: str | Path = "idv.toml",
        *,
        webhooks: Webhooks | None = None,
        policy: Policy = DEFAULT_POLICY,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        registry: Registry | None = None,
        observers: Iterable[object] = (),
    ) -> Self:
        """A gateway as the file says; the rest is as for `Gateway(...)`. `webhooks` go before those of the file.
        Raises ConfigError that lists every problem, each with its line."""
        gateway = cls(
            read_configuration(path),
            webhooks=webhooks,
            policy=policy,
            transport=transport,
            clock=clock,
            registry=registry,
            observers=observers,
        )
        gateway._file = Path(path)
        return gateway

    @overload
    def open(self, order: FlowOrder, *, account: str | None = None, attempt: Attempt | None = None) -> Flow: ...
    @overload
    def open(
        self, *, account: str | None = None, attempt: Attempt | None = None, **fields: Unpack[OrderFields]
    ) -> Flow: ...
    def open(
        self,
        order: FlowOrder | None = None,
        *,
        account: str | None = None,
        attempt: Attempt | None = None,
        **fields: Any,
    ) -> Flow:
        """Open a flow where the routes send it, or at `account`. Keep the flow, or `flow.ref`.

        `order` is a `FlowOrder`, which can be given to `explain` and `recover` too; or say its fields here.

        The same order again within this process gives the same flow, as long as it has not come to its end. Two processes
        do not see each other: make sure of one call in your own database, or rely on what the vendor's page promises.

        `attempt` is called with the name of each account before that account is asked, so that the intent can be stored first.
        If it raises, the account is not asked; RateLimited with `nothing_done` lets the next one be tried.
        Raises NoRoute, InvalidOrder, DuplicateFlow, OutcomeUnknown and the rest of VendorError.
        """
        return self._driver.run(opening.open_flow(self._state, as_order(order, fields), account, attempt))

    def recover(self, order: FlowOrder, *, account: str | None = None, since: datetime | None = None) -> Flow:
        """After an OutcomeUnknown of `open`: the one flow of this order, as the vendor has it.

        `account` and `since` are those of the error; within this process `since` is remembered. It is opened here only where
        the vendor itself keeps two apart (an idempotency key). Raises OutcomeUnknown with `retry_after` while the vendor may
        still carry out what it was sent, FlowNotFound where it has no flow and `open` may be called again, DuplicateFlow
        where it has one and does not name it, UnsupportedOperation where it has no way to ask."""
        return self._driver.run(opening.recover(self._state, order, account, since))

    def upload(self, flow: Flow | str, documents: Sequence[Document]) -> Flow:
        """Hand documents in. `uploads` of the flow returned has the vendor's answer to each of them."""
        return self._driver.run(operations.upload(self._state, flow, documents))

    def submit(self, flow: Flow | str) -> Flow:
        """Say that everything has been handed in. Vendors that need no such word are left alone."""
        return self._driver.run(operations.submit(self._state, flow))

    def status(self, flow: Flow | str) -> Flow:
        """Ask how far the flow is."""
        return self._driver.run(operations.status(self._state, flow))

    def renew_link(self, flow: Flow | str) -> Flow:
        """Get a fresh link for the applicant, where the vendor makes them."""
        return self._driver.run(operations.renew_link(self._state, flow))

    def result(self, flow: Flow | str) -> Result:
        """Fetch the evidence as it stands, with the policy's decision."""
        return self._driver.run(operations.result(self._state, flow))

    def wait(
        self,
        flow: Flow | str,
        *,
        deadline: timedelta | float = DEADLINE,
        progress: Progress | None = None,
    ) -> Result:
        """Wait until the flow is final: polls with growing pauses, and looks at once when a webhook comes in.

        `deadline` is a timedelta or seconds; until then a vendor that is slow, away or answers with rubbish is looked at
        again. `progress` is called with each result. Raises DeadlineExceeded, and the errors of
        `result` that no waiting mends.
        """
        return self._driver.run(waiting.wait(self._state, flow, deadline, progress))

    def provision(self, template: Template, *, account: str | None = None) -> ProvisionedTemplate:
        """Make sure that a template exists at the vendor. Doing it twice leaves one."""
        return self._driver.run(operations.provision(self._state, template, account))

    def check_credentials(self, *, account: str | None = None) -> bool:
        """Try the account's credentials without opening anything; False where the vendor offers no way. Raises VendorError."""
        return self._driver.run(operations.check_credentials(self._state, account))

    def vendor(self, call: Callable[[Any], Exchange[T]], *, account: str | None = None, name: str = "vendor") -> T:
        """Run an operation that only this vendor has: `idv.vendor(lambda atlas: atlas.checklist(flow), account="atlas")`."""
        return self._driver.run(operations.vendor(self._state, name, call, account))

    def close(self) -> None:
        """Close the connections. Any call from then on raises ConfigError."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
