"""`Gateway`, the platform's API. `AsyncGateway` has the same methods and arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar, Unpack, overload

import attrs
import httpx

from .. import config
from ..clock import Clock, SystemClock
from ..config import Account, Configuration, Webhooks
from ..engine.account import AccountHealth
from ..engine.rotation import reload_on
from ..engine.sync_driver import SyncDriver
from ..errors import ConfigError
from ..plugin.http import Exchange
from ..policy import DEFAULT_POLICY, Policy
from ..registry import Registry, discover
from ..runtime.side_thread import closed
from . import life, opening, operations, receiving, waiting
from .opening import Attempt
from .order_fields import OrderFields, as_order
from .state import GatewayState
from .waiting import Progress

if TYPE_CHECKING:
    from ..engine.async_driver import AsyncDriver
    from ..model import (
        Coverage,
        Document,
        Downloaded,
        Erasure,
        Explanation,
        Flow,
        FlowOrder,
        Media,
        ProvisionedTemplate,
        Result,
        Review,
        Secret,
        Template,
    )
    from ..webhooks.receiver import Received, WebhookRequest

T = TypeVar("T")

DEADLINE = timedelta(minutes=10)


def as_configuration(accounts: Iterable[Account] | Configuration, webhooks: Webhooks | None) -> Configuration:
    """Accounts without routes, as a configuration. Raises ConfigError for what is neither."""
    if isinstance(accounts, Configuration):
        return accounts if webhooks is None else attrs.evolve(accounts, webhooks=webhooks)
    several: tuple[object, ...] = tuple(accounts) if isinstance(accounts, Iterable) else (None,)
    if not all(isinstance(account, Account) for account in several):
        raise ConfigError("accounts: must be a list of Account(...) or a Configuration; to read a file use load(path)")
    return Configuration(accounts=several, webhooks=webhooks)


class GatewayBase:
    """What both gateways share: accounts, configuration, and webhooks. Nothing here calls a vendor."""

    _state: GatewayState
    _driver: SyncDriver | AsyncDriver
    _file: Path | None = None

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts."""
        return tuple(self._state.active.sessions)

    def explain(self, order: FlowOrder, *, account: str | None = None, at: datetime | None = None) -> Explanation:
        """Explain where `open` would send this order: route, accounts, their health, policy. Calls and counts nothing.

        Args:
            order: The order.
            account: The account that the caller would pass to `open`.
            at: The moment, with a time zone; now by default.

        Raises InvalidOrder for a value that is not an order, ConfigError for an unknown account.
        """
        return self._state.explain(order, account, at)

    def reload(self, configuration: Configuration | None = None) -> None:
        """Replace the configuration: by `configuration`, or by the file that `load` read.

        Unchanged accounts keep their connections, tokens and circuit breakers. Open flows keep their account and policy. From a
        signal handler during a reload of the same thread it returns at once, and that reload reads the file once more.

        Raises ConfigError with every problem; the old configuration then stays in use.
        """
        if self._driver.is_closed:
            raise closed()
        file = self._file
        if configuration is not None:
            self._state.reload(lambda: configuration, self._driver.prepare)
        elif file is not None:
            self._state.reload(lambda: config.read_configuration(file), self._driver.prepare)
        else:
            raise ConfigError("the gateway was not loaded from a file; pass a Configuration to reload()")
        self._driver.keep(self._state.active.sessions.values())

    def reload_on(self, number: int) -> None:
        """Reload the file whenever this process receives the signal: `idv.reload_on(signal.SIGHUP)`.

        Call it in the main thread, and in each process after a fork. A thread reloads the file. Errors in the file are logged,
        and the old configuration stays in use.
        """
        reload_on(number, self.reload)

    def health(self) -> Mapping[str, AccountHealth]:
        """The health of each account as this process sees it: circuit breaker, running and queued calls, retry budget."""
        return self._state.health()

    def webhook_url(self, account: str, purpose: str) -> Secret:
        """The webhook URL of an account, to register once at the vendor.

        Raises ConfigError for an unknown account or purpose, UnsupportedOperation if the vendor sends no webhooks.
        """
        return receiving.webhook_url(self._state, account, purpose)

    def receiving(self, account: str, request: WebhookRequest) -> AbstractContextManager[Received]:
        """Receive a webhook and handle it inside the `with` block: authenticate, limit, deduplicate, parse, wake `wait`.

            try:
                with idv.receiving(account, request) as received:
                    if received.fetch and not received.repeated:
                        ...                         # store that there is news, or fetch the result
                answer = received.answer
            except WebhookRejected as error:
                answer = WebhookResponse.of(error)

        A webhook is a hint: fetch the result. It counts as handled when the block ends without an error. Let errors
        propagate: the vendor gets a 500 and retries, and the retry is not a duplicate. Does no network I/O; it may read
        secret files if a signature is wrong.

        Args:
            account: The account in the path of the URL.
            request: The HTTP request.

        Raises WebhookRejected with the HTTP status to respond with (503 while the same call is being handled).
        """
        return receiving.receiving(self._state, account, request)

    def receive(self, account: str, request: WebhookRequest) -> Received:
        """Like `receiving`, for handlers that cannot fail: the webhook counts as handled at once.

        Raises WebhookRejected.
        """
        return receiving.receive(self._state, account, request)

    def needs_webhook_key(self, account: str, request: WebhookRequest) -> bool:
        """Whether the webhook is signed with a key that has to be fetched first, by `fetch_webhook_key`. Never raises."""
        return receiving.missing_key(self._state, account, request) is not None

    def max_body(self, account: str, request: WebhookRequest) -> int:
        """The largest body, in bytes, to read for this webhook. `request.body` is ignored.

        Raises WebhookRejected if the path or the method is wrong, so that you read no body for nothing.
        """
        return receiving.max_body(self._state, account, request)


class Gateway(GatewayBase):
    """One typed API for all vendors, for blocking code. Thread-safe.

    Use it as a context manager.

    Args:
        accounts: The accounts at the vendors, or a `Configuration` with routes and policies.
        webhooks: The public URL of your webhook endpoint, and its key.
        policy: The policy for routes that name none; the strict default if it is left out.
        transport: An `httpx.BaseTransport` of your own, such as `FastTransport` (extra `fast`). You close it.
        clock: The source of time, for tests.
        registry: The plugins; all installed plugins by default.
        observers: Objects that are told of every operation and call; see `idv_core.telemetry`.

    Raises ConfigError with every problem of the configuration.
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
        return self._driver.run(opening.open_flow(self._state, as_order(order, fields), account, attempt))

    def recover(self, order: FlowOrder, *, account: str | None = None, since: datetime | None = None) -> Flow:
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
        return self._driver.run(opening.recover(self._state, order, account, since))

    def upload(self, flow: Flow | str, documents: Sequence[Document]) -> Flow:
        """Upload documents. `uploads` of the returned flow holds the vendor's response to each.

        Args:
            flow: The flow, or its reference.
            documents: The documents, each with an id that is unique in the flow.

        Raises:
            InvalidOrder: A document is not valid. `fields` holds its id.
            UnsupportedOperation: The applicant uploads the documents on the vendor's page.
            VendorError: The vendor failed or refused.
        """
        return self._driver.run(operations.upload(self._state, flow, documents))

    def submit(self, flow: Flow | str) -> Flow:
        """Tell the vendor that all documents are uploaded. Does nothing for vendors without such a step.

        Raises VendorError.
        """
        return self._driver.run(operations.submit(self._state, flow))

    def status(self, flow: Flow | str) -> Flow:
        """Fetch the status of the flow.

        Raises FlowNotFound or another VendorError.
        """
        return self._driver.run(operations.status(self._state, flow))

    def renew_link(self, flow: Flow | str) -> Flow:
        """Fetch a new link for the applicant.

        Raises UnsupportedOperation if the vendor cannot renew links, else VendorError.
        """
        return self._driver.run(operations.renew_link(self._state, flow))

    def result(self, flow: Flow | str) -> Result:
        """Fetch the evidence as it is now, with the decision of the policy.

        Raises FlowNotFound, UnexpectedResponse or another VendorError.
        """
        return self._driver.run(operations.result(self._state, flow))

    def wait(
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
            progress: Called with each result.

        Raises:
            DeadlineExceeded: The flow has not ended. Call again, or check later.
            VendorError: An error of `result` that waiting cannot resolve.
        """
        return self._driver.run(waiting.wait(self._state, flow, deadline, progress))

    def cancel(self, flow: Flow | str) -> Flow:
        """End the flow at the vendor, so that its link leads nowhere; the shadow's too. Cancelling twice is safe.

        Raises UnsupportedOperation if the vendor cannot, else VendorError.
        """
        return self._driver.run(life.cancel(self._state, flow))

    def erase(self, flow: Flow | str) -> Erasure:
        """Ask the vendor to erase the person's data, and the shadow's vendor too. Call again to see how far it is.

        Raises UnsupportedOperation if the vendor cannot, else VendorError.
        """
        return self._driver.run(life.erase(self._state, flow))

    def media(self, flow: Flow | str) -> tuple[Media, ...]:
        """List the pictures, videos and reports that the vendor keeps of the flow.

        Raises UnsupportedOperation if the vendor gives out none, else VendorError.
        """
        return self._driver.run(life.media(self._state, flow))

    def download(self, flow: Flow | str, media: Media, to: str | os.PathLike[str] | BinaryIO) -> Downloaded:
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
        return self._driver.run(life.download(self._state, flow, media, to))

    def retry(self, flow: Flow | str, order: FlowOrder) -> Flow:
        """Let the person try again: a new attempt with its own reference. Asked twice in this process, the same attempt.

        Args:
            flow: The attempt before, or its reference.
            order: The order it was opened with.

        Raises UnsupportedOperation if the vendor has no attempts, OutcomeUnknown if no answer came, else VendorError.
        """
        return self._driver.run(life.retry(self._state, flow, order))

    def review(self, flow: Flow | str, review: Review) -> Flow:
        """Hand a person's decision to the vendor.

        Raises UnsupportedOperation if the vendor takes none, else VendorError.
        """
        return self._driver.run(life.review(self._state, flow, review))

    def simulate(self, flow: Flow | str, outcome: str) -> Flow:
        """Tell the vendor's test mode how the flow ends: `approved`, `declined`, or another word of the vendor's page.

        Raises UnsupportedOperation on accounts without `test = true` and at vendors without such a call, else VendorError.
        """
        return self._driver.run(life.simulate(self._state, flow, outcome))

    def coverage(self, *, account: str | None = None) -> Coverage:
        """What the account can verify: document types, countries, checks, templates.

        Raises UnsupportedOperation if it is not known, else VendorError.
        """
        return self._driver.run(life.coverage(self._state, account))

    def provision(self, template: Template, *, account: str | None = None) -> ProvisionedTemplate:
        """Make sure that a template exists at the vendor. Idempotent: a second call makes no second template.

        Raises UnsupportedOperation if the vendor has no API for templates, else VendorError.
        """
        return self._driver.run(operations.provision(self._state, template, account))

    def check_credentials(self, *, account: str | None = None) -> bool:
        """Test the credentials of an account without opening a flow. False if the vendor offers no such test.

        Raises AuthenticationFailed or another VendorError.
        """
        return self._driver.run(operations.check_credentials(self._state, account))

    def vendor(self, call: Callable[[Any], Exchange[T]], *, account: str | None = None, name: str = "vendor") -> T:
        """Call an operation that only this vendor has: `idv.vendor(lambda atlas: atlas.checklist(flow), account="atlas")`.

        Args:
            call: Takes the account's adapter and returns the operation.
            account: The name of the account; None if there is only one.
            name: What logs, errors and observers call the operation.

        Raises VendorError.
        """
        return self._driver.run(operations.vendor(self._state, name, call, account))

    def receiving(self, account: str, request: WebhookRequest) -> AbstractContextManager[Received]:
        self.fetch_webhook_key(account, request)
        return super().receiving(account, request)

    receiving.__doc__ = GatewayBase.receiving.__doc__

    def receive(self, account: str, request: WebhookRequest) -> Received:
        self.fetch_webhook_key(account, request)
        return super().receive(account, request)

    receive.__doc__ = GatewayBase.receive.__doc__

    def fetch_webhook_key(self, account: str, request: WebhookRequest) -> None:
        """Fetch the key that the webhook is signed with, if it is not known yet. `receive` and `receiving` do it by themselves.

        Raises WebhookRejected.
        """
        if self.needs_webhook_key(account, request):
            self._driver.run(receiving.fetch_key(self._state, account, request))

    def close(self) -> None:
        """Close the connections. Every later call raises ConfigError."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
