"""`AsyncGateway`: the API that a platform imports, for asyncio. The same names and arguments as `Gateway`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

import httpx

from ..clock import Clock, SystemClock
from ..config import Account, Configuration, Webhooks, read_configuration
from ..engine.async_driver import AsyncDriver
from ..model import Document, Flow, FlowOrder, ProvisionedTemplate, Result, Template
from ..plugin.http import Exchange
from ..policy import DEFAULT_POLICY, Policy
from ..registry import Registry, discover
from . import opening, operations, waiting
from .opening import Attempt
from .order_fields import OrderFields, as_order
from .state import GatewayState
from .sync import DEADLINE, GatewayBase, as_configuration
from .waiting import Progress

T = TypeVar("T")


class AsyncGateway(GatewayBase):
    """One typed API in front of every vendor, for asyncio. Safe for tasks, also of several event loops.

    The same as `Gateway`, with `httpx.AsyncBaseTransport` and `await`. Cancelling a task cancels what it does.
    """

    _driver: AsyncDriver

    def __init__(
        self,
        accounts: Iterable[Account] | Configuration,
        *,
        webhooks: Webhooks | None = None,
        policy: Policy = DEFAULT_POLICY,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        registry: Registry | None = None,
        observers: Iterable[object] = (),
    ) -> None:
        clock = clock or SystemClock()
        configuration = as_configuration(accounts, webhooks)
        self._state = GatewayState.over(configuration, policy, clock, registry or discover(), observers)
        self._driver = AsyncDriver(clock, self._state.waiters, transport)
        self._driver.prepare(self._state.active.sessions.values())

    @classmethod
    def load(
        cls,
        path: str | Path = "idv.toml",
        *,
        webhooks: Webhooks | None = None,
        policy: Policy = DEFAULT_POLICY,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        registry: Registry | None = None,
        observers: Iterable[object] = (),
    ) -> Self:
        """A gateway as the file says; the rest is as for `AsyncGateway(...)`. `webhooks` go before those of the file.
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
    async def open(self, order: FlowOrder, *, account: str | None = None, attempt: Attempt | None = None) -> Flow: ...
    @overload
    async def open(
        self, *, account: str | None = None, attempt: Attempt | None = None, **fields: Unpack[OrderFields]
    ) -> Flow: ...
    async def open(
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
        A coroutine function is awaited.
        Raises NoRoute, InvalidOrder, DuplicateFlow, OutcomeUnknown and the rest of VendorError.
        """
        return await self._driver.run(opening.open_flow(self._state, as_order(order, fields), account, attempt))

    async def recover(self, order: FlowOrder, *, account: str | None = None, since: datetime | None = None) -> Flow:
        """After an OutcomeUnknown of `open`: the one flow of this order, as the vendor has it.

        `account` and `since` are those of the error; within this process `since` is remembered. It is opened here only where
        the vendor itself keeps two apart (an idempotency key). Raises OutcomeUnknown with `retry_after` while the vendor may
        still carry out what it was sent, FlowNotFound where it has no flow and `open` may be called again, DuplicateFlow
        where it has one and does not name it, UnsupportedOperation where it has no way to ask."""
        return await self._driver.run(opening.recover(self._state, order, account, since))

    async def upload(self, flow: Flow | str, documents: Sequence[Document]) -> Flow:
        """Hand documents in. `uploads` of the flow returned has the vendor's answer to each of them."""
        return await self._driver.run(operations.upload(self._state, flow, documents))

    async def submit(self, flow: Flow | str) -> Flow:
        """Say that everything has been handed in. Vendors that need no such word are left alone."""
        return await self._driver.run(operations.submit(self._state, flow))

    async def status(self, flow: Flow | str) -> Flow:
        """Ask how far the flow is."""
        return await self._driver.run(operations.status(self._state, flow))

    async def renew_link(self, flow: Flow | str) -> Flow:
        """Get a fresh link for the applicant, where the vendor makes them."""
        return await self._driver.run(operations.renew_link(self._state, flow))

    async def result(self, flow: Flow | str) -> Result:
        """Fetch the evidence as it stands, with the policy's decision."""
        return await self._driver.run(operations.result(self._state, flow))

    async def wait(
        self,
        flow: Flow | str,
        *,
        deadline: timedelta | float = DEADLINE,
        progress: Progress | None = None,
    ) -> Result:
        """Wait until the flow is final: polls with growing pauses, and looks at once when a webhook comes in.

        `deadline` is a timedelta or seconds; until then a vendor that is slow, away or answers with rubbish is looked at
        again. `progress` is called with each result, and awaited where it is asynchronous. Raises DeadlineExceeded,
        and the errors of `result` that no waiting mends.
        """
        return await self._driver.run(waiting.wait(self._state, flow, deadline, progress))

    async def provision(self, template: Template, *, account: str | None = None) -> ProvisionedTemplate:
        """Make sure that a template exists at the vendor. Doing it twice leaves one."""
        return await self._driver.run(operations.provision(self._state, template, account))

    async def check_credentials(self, *, account: str | None = None) -> bool:
        """Try the account's credentials without opening anything; False where the vendor offers no way. Raises VendorError."""
        return await self._driver.run(operations.check_credentials(self._state, account))

    async def vendor(
        self, call: Callable[[Any], Exchange[T]], *, account: str | None = None, name: str = "vendor"
    ) -> T:
        """Run an operation that only this vendor has: `await idv.vendor(lambda a: a.checklist(flow), account="atlas")`."""
        return await self._driver.run(operations.vendor(self._state, name, call, account))

    async def close(self) -> None:
        """Close the connections. Any call from then on raises ConfigError."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
