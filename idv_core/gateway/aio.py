"""`AsyncGateway`, the platform's API for asyncio. The same methods and arguments as `Gateway`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar, Unpack, overload

import httpx

from .. import config
from ..clock import Clock, SystemClock
from ..config import Account, Configuration, Webhooks
from ..engine.async_driver import AsyncDriver
from ..model import (
    Coverage,
    Document,
    Downloaded,
    Erasure,
    Flow,
    FlowOrder,
    Media,
    ProvisionedTemplate,
    Result,
    Review,
    Template,
)
from ..plugin.http import Exchange
from ..policy import DEFAULT_POLICY, Policy
from ..registry import Registry, discover
from ..webhooks.receiver import WebhookRequest
from . import life, opening, operations, receiving, waiting
from .opening import Attempt
from .order_fields import OrderFields, as_order
from .state import GatewayState
from .sync import DEADLINE, GatewayBase, as_configuration
from .waiting import Progress

T = TypeVar("T")


class AsyncGateway(GatewayBase):
    """One typed API for all vendors, for asyncio. Safe for tasks, also of several event loops.

    The same methods and arguments as `Gateway`, with `await`. Cancelling a task cancels its operation.

    Args:
        transport: An `httpx.AsyncBaseTransport` of your own, such as `FastTransport` (extra `fast`). You close it.

    The other arguments are those of `Gateway`. Raises ConfigError with every problem of the configuration.
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
        """Make a gateway from a file, usually `idv.toml`.

        Args:
            path: The file.
            webhooks: Replaces `[webhooks]` of the file.

        The other arguments are those of the class. Raises ConfigError with every problem, each with its line.
        """
        gateway = cls(
            config.read_configuration(path),
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
        """Open a flow at the account that the routes choose, or at `account`. Store `flow.ref`.

        The same order again in this process returns the same flow until that flow ends. Other processes do not know it: guard
        the call in your own database, or rely on the idempotency that the vendor's page describes.

        Args:
            order: What to verify and about whom. Pass the same order to `explain` and `recover`.
            account: The name of an account; None lets the routes choose.
            attempt: Called with the name of each account before that account is asked, so that the intent can be stored
                first. If it raises, the account is not asked; RateLimited with `nothing_done` lets the next one be tried.
            fields: The fields of a `FlowOrder`, instead of `order`.

        Raises:
            NoRoute: The routes refuse this order.
            InvalidOrder: The order is not valid, or the vendor rejected it.
            DuplicateFlow: The vendor already has a flow for this order.
            OutcomeUnknown: The vendor may or may not have opened a flow. Call `recover`.
            VendorError: Any other failure; see `nothing_done` and `safe_to_retry`.
        """
        return await self._driver.run(opening.open_flow(self._state, as_order(order, fields), account, attempt))

    async def recover(self, order: FlowOrder, *, account: str | None = None, since: datetime | None = None) -> Flow:
        """Find the flow of an `open` that ended with `OutcomeUnknown`.

        It only opens a flow if the vendor makes that safe with an idempotency key.

        Args:
            order: The order that was passed to `open`.
            account: The account of the error.
            since: The `since` of the error, with a time zone. This process remembers it.

        Raises:
            OutcomeUnknown: The vendor may still process the request. Call again after `retry_after`.
            FlowNotFound: The vendor has no flow for this order. Call `open` again.
            DuplicateFlow: The vendor has a flow and does not tell its id.
            UnsupportedOperation: The vendor's API cannot tell.
        """
        return await self._driver.run(opening.recover(self._state, order, account, since))

    async def upload(self, flow: Flow | str, documents: Sequence[Document]) -> Flow:
        """Upload documents. `uploads` of the returned flow holds the vendor's response to each.

        Args:
            flow: The flow, or its reference.
            documents: The documents, each with an id that is unique in the flow.

        Raises:
            InvalidOrder: A document is not valid. `fields` holds its id.
            UnsupportedOperation: The applicant uploads the documents on the vendor's page.
            VendorError: The vendor failed or refused.
        """
        return await self._driver.run(operations.upload(self._state, flow, documents))

    async def submit(self, flow: Flow | str) -> Flow:
        """Tell the vendor that all documents are uploaded. Does nothing for vendors without such a step.

        Raises VendorError.
        """
        return await self._driver.run(operations.submit(self._state, flow))

    async def status(self, flow: Flow | str) -> Flow:
        """Fetch the status of the flow.

        Raises FlowNotFound or another VendorError.
        """
        return await self._driver.run(operations.status(self._state, flow))

    async def renew_link(self, flow: Flow | str) -> Flow:
        """Fetch a new link for the applicant.

        Raises UnsupportedOperation if the vendor cannot renew links, else VendorError.
        """
        return await self._driver.run(operations.renew_link(self._state, flow))

    async def result(self, flow: Flow | str) -> Result:
        """Fetch the evidence as it is now, with the decision of the policy.

        Raises FlowNotFound, UnexpectedResponse or another VendorError.
        """
        return await self._driver.run(operations.result(self._state, flow))

    async def wait(
        self,
        flow: Flow | str,
        *,
        deadline: timedelta | float = DEADLINE,
        progress: Progress | None = None,
    ) -> Result:
        """Wait until the flow ends: poll with growing pauses, and check at once when a webhook arrives.

        A vendor that is slow or unavailable is polled again until the deadline.

        Args:
            flow: The flow, or its reference.
            deadline: How long to wait, as a timedelta or in seconds; 10 minutes by default.
            progress: Called with each result, and awaited if it is an async function.

        Raises:
            DeadlineExceeded: The flow has not ended. Call again, or check later.
            VendorError: An error of `result` that waiting cannot resolve.
        """
        return await self._driver.run(waiting.wait(self._state, flow, deadline, progress))

    async def cancel(self, flow: Flow | str) -> Flow:
        """End the flow at the vendor, so that its link leads nowhere; the shadow's too. Cancelling twice is safe.

        Raises UnsupportedOperation if the vendor cannot, else VendorError.
        """
        return await self._driver.run(life.cancel(self._state, flow))

    async def erase(self, flow: Flow | str) -> Erasure:
        """Ask the vendor to erase the person's data, and the shadow's vendor too. Call again to see how far it is.

        Raises UnsupportedOperation if the vendor cannot, else VendorError.
        """
        return await self._driver.run(life.erase(self._state, flow))

    async def media(self, flow: Flow | str) -> tuple[Media, ...]:
        """List the pictures, videos and reports that the vendor keeps of the flow.

        Raises UnsupportedOperation if the vendor gives out none, else VendorError.
        """
        return await self._driver.run(life.media(self._state, flow))

    async def download(self, flow: Flow | str, media: Media, to: str | os.PathLike[str] | BinaryIO) -> Downloaded:
        """Fetch one of `media(flow)` to a file, in pieces. It is as confidential as the person: protect the file.

        Args:
            flow: The flow, or its reference.
            media: What to fetch.
            to: The name of a file, which is replaced in one step at the end; or a file opened in binary mode.

        Raises:
            InvalidOrder: The file cannot be written.
            UnexpectedResponse: It is larger than `limits.max_media`.
            VendorError: Any other failure.
        """
        return await self._driver.run(life.download(self._state, flow, media, to))

    async def retry(self, flow: Flow | str, order: FlowOrder) -> Flow:
        """Let the person try again: a new attempt with its own reference. Asked twice in this process, the same attempt.

        Args:
            flow: The attempt before, or its reference.
            order: The order it was opened with.

        Raises UnsupportedOperation if the vendor has no attempts, OutcomeUnknown if no answer came, else VendorError.
        """
        return await self._driver.run(life.retry(self._state, flow, order))

    async def review(self, flow: Flow | str, review: Review) -> Flow:
        """Hand a person's decision to the vendor.

        Raises UnsupportedOperation if the vendor takes none, else VendorError.
        """
        return await self._driver.run(life.review(self._state, flow, review))

    async def simulate(self, flow: Flow | str, outcome: str) -> Flow:
        """Tell the vendor's test mode how the flow ends: `approved`, `declined`, or another word of the vendor's page.

        Raises UnsupportedOperation on accounts without `test = true` and at vendors without such a call, else VendorError.
        """
        return await self._driver.run(life.simulate(self._state, flow, outcome))

    async def coverage(self, *, account: str | None = None) -> Coverage:
        """What the account can verify: document types, countries, checks, templates.

        Raises UnsupportedOperation if it is not known, else VendorError.
        """
        return await self._driver.run(life.coverage(self._state, account))

    async def provision(self, template: Template, *, account: str | None = None) -> ProvisionedTemplate:
        """Make sure that a template exists at the vendor. Idempotent: a second call makes no second template.

        Raises UnsupportedOperation if the vendor has no API for templates, else VendorError.
        """
        return await self._driver.run(operations.provision(self._state, template, account))

    async def check_credentials(self, *, account: str | None = None) -> bool:
        """Test the credentials of an account without opening a flow. False if the vendor offers no such test.

        Raises AuthenticationFailed or another VendorError.
        """
        return await self._driver.run(operations.check_credentials(self._state, account))

    async def vendor(
        self, call: Callable[[Any], Exchange[T]], *, account: str | None = None, name: str = "vendor"
    ) -> T:
        """Call an operation that only this vendor has: `await idv.vendor(lambda a: a.checklist(flow), account="atlas")`.

        Args:
            call: Takes the account's adapter and returns the operation.
            account: The name of the account; None if there is only one.
            name: What logs, errors and observers call the operation.

        Raises VendorError.
        """
        return await self._driver.run(operations.vendor(self._state, name, call, account))

    async def fetch_webhook_key(self, account: str, request: WebhookRequest) -> None:
        """Fetch the key that the webhook is signed with, if it is not known yet. `WebhookApp` does it; call it before
        `receive` or `receiving`, which answer 503 without it.

        Raises WebhookRejected.
        """
        if self.needs_webhook_key(account, request):
            await self._driver.run(receiving.fetch_key(self._state, account, request))

    async def close(self) -> None:
        """Close the connections. Every later call raises ConfigError."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
