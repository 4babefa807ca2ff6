"""A harness: a plugin with its emulator, what the suite cannot know of it, and a driver for both gateways."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import attrs

from ..config import Account, Webhooks
from ..errors import (
    AuthenticationFailed,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    VendorError,
)
from ..gateway.aio import AsyncGateway
from ..gateway.sync import Gateway
from ..model import Document, Flow, FlowOrder, Review, Secret, Template
from ..plugin.protocols import (
    CancelProtocol,
    EraseProtocol,
    LinkProtocol,
    MediaProtocol,
    RetryProtocol,
    ReviewProtocol,
    SubmitProtocol,
    TemplateProtocol,
    UploadProtocol,
)
from ..plugin.spec import Plugin
from ..policy import DEFAULT_POLICY, Policy
from ..registry import registry_of
from ..webhooks.receiver import WebhookRequest
from .applicant import Form, submit_forms
from .clock import FakeClock
from .emulator import EmulatedResponse, Emulator
from .platform import Network

T = TypeVar("T")

ACCOUNT = "account-under-test"
WEBHOOKS = Webhooks("https://platform.example/idv", Secret("key-of-the-conformance-suite-0123456789"))


@attrs.frozen
class DocumentedError:
    """An error of the vendor's pages: calls that match answer `reply`, and `operation` must raise `error`."""

    operation: str
    match: str
    reply: EmulatedResponse
    error: type[VendorError]


USUAL: Mapping[int, type[VendorError]] = {
    400: InvalidOrder,
    401: AuthenticationFailed,
    403: PermissionDenied,
    429: RateLimited,
    500: OutcomeUnknown,
}
"""The errors that every platform meets when it opens a flow."""


def documented(
    operation: str,
    match: str,
    reply: Callable[[int], EmulatedResponse],
    errors: Mapping[int, type[VendorError]] = USUAL,
) -> tuple[DocumentedError, ...]:
    """A table of errors by HTTP status, of one call; `reply` makes the vendor's answer of that status."""
    return tuple(DocumentedError(operation, match, reply(status), error) for status, error in errors.items())


@attrs.frozen
class UnknownWord:
    """An answer with a word that no page has, or with something missing. It must never lead to an approval."""

    match: str
    reply: Callable[[Flow], EmulatedResponse]


def answers(data: Any) -> Callable[[Flow], EmulatedResponse]:
    """The same 200 whatever the flow is."""
    return lambda _: EmulatedResponse(200, data)


Finish: TypeAlias = "Callable[[Driver, Flow], Flow]"


def uploads_documents(documents: tuple[Document, ...]) -> Finish:
    """A platform that hands in these documents and says that this is all."""

    def finish(idv: Driver, flow: Flow) -> Flow:
        done: Flow = idv.submit(idv.upload(flow, documents))
        return done

    return finish


def completes_hosted_page(network: Network, *forms: Form) -> Finish:
    """An applicant who goes to the flow's link and fills in these forms, one after the other."""

    def finish(idv: Driver, flow: Flow) -> Flow:
        assert flow.link is not None, "the flow has no link to go to"
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *forms)
        return flow

    return finish


@attrs.define(kw_only=True)
class Harness:
    """Your plugin with your emulator, and what the suite cannot know.

    `transport` is any httpx transport that leads to the emulator. `documents` are good ones to hand in, `bad_documents`
    somebody else's. `finish` brings a flow to a good end as an applicant (or platform) would, through the driver it is given,
    `finish_badly` to a bad one; unless you say otherwise, by handing in these documents. `errors` is your vendor's error
    table, `unknown_words` what the suite may answer to show that nothing not understood approves. `personal` are texts that no
    log, error or repr may hold. `opened` counts the flows that your emulator has for an order. `policy` gives thresholds
    where your vendor only scores. `no_recovery` says why the vendor has no way to find out what became of an opening.
    `sdk_check` drives the emulator by the vendor's own client and tells which one it was; it raises AssertionError.
    `does_without` are keys of an approving answer that an approval may do without, because another key says the same.
    """

    plugin: Plugin
    settings: Mapping[str, Any]
    emulator: Emulator
    clock: FakeClock
    transport: Any
    order: FlowOrder
    documents: tuple[Document, ...] = ()
    bad_documents: tuple[Document, ...] = ()
    finish: Finish = attrs.Factory(lambda self: uploads_documents(self.documents), takes_self=True)
    finish_badly: Finish = attrs.Factory(lambda self: uploads_documents(self.bad_documents), takes_self=True)
    template: Template | None = None
    errors: tuple[DocumentedError, ...] = ()
    unknown_words: tuple[UnknownWord, ...] = ()
    personal: tuple[str, ...] = ()
    webhook: Callable[[str], WebhookRequest] | None = None
    policy: Policy = DEFAULT_POLICY
    expire_tokens: Callable[[], None] | None = None
    opened: Callable[[FlowOrder], int] | None = None
    no_recovery: str | None = None
    sdk_check: Callable[[], str] | None = None
    does_without: tuple[str, ...] = ()
    recorded: list[Any] = attrs.field(factory=list)

    def settings_at(self, url: str) -> dict[str, Any]:
        """The settings with the emulator at another scheme, host and port; the path of the base URL stays."""
        return {**self.settings, "base_url": url + urlsplit(self.settings["base_url"]).path}


class Driver:
    """`Gateway` or `AsyncGateway` behind the same blocking calls, so that each test runs with both.

    With `AsyncGateway` an operation is cancelled as soon as the event `cancel_when` is set, and raises CancelledError.
    """

    def __init__(self, harness: Harness, kind: str, observers: Sequence[object] = (), **more: Any) -> None:
        account = Account(ACCOUNT, harness.plugin.name, harness.settings, test=True, **more)
        shared: dict[str, Any] = {
            "webhooks": WEBHOOKS,
            "policy": harness.policy,
            "clock": harness.clock,
            "registry": registry_of(harness.plugin),
            "transport": harness.transport,
            "observers": observers,
        }
        self.kind = kind
        self.cancel_when: threading.Event | None = None
        self._runner = asyncio.Runner()
        self.gateway: Any = Gateway([account], **shared) if kind == "sync" else AsyncGateway([account], **shared)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.gateway, name)
        if not inspect.iscoroutinefunction(method):
            return method
        return lambda *args, **more: self._runner.run(_unless(self.cancel_when, method(*args, **more)))

    def change_loop(self) -> None:
        """Go on in another event loop."""
        self._runner.close()
        self._runner = asyncio.Runner()

    def close(self, transport: Any = None) -> None:
        """Close the gateway, and a transport that was brought for it alone."""
        if self.kind != "sync":
            self._runner.run(self.gateway.close())
            if transport is not None:
                self._runner.run(transport.aclose())
        else:
            self.gateway.close()
            if transport is not None:
                transport.close()
        self._runner.close()

    @property
    def has_token_already(self) -> bool:
        """Whether the next call of the account is the operation's own."""
        session = self.gateway._state.active.sessions[ACCOUNT]
        return session.token is not None or not session.has_token

    @property
    def adapter(self) -> Any:
        return self.gateway._state.active.sessions[ACCOUNT].adapter


async def _unless(cancelled: threading.Event | None, operation: Coroutine[Any, Any, T]) -> T:
    """What the operation returns, unless it is cancelled first."""
    if cancelled is None:
        return await operation
    task = asyncio.ensure_future(operation)
    told = asyncio.ensure_future(asyncio.to_thread(cancelled.wait))
    await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    cancelled.set()
    await told
    return await task


DECLINE = Review(outcome="decline", author="reviewer-1", reason="the portrait is another person")
"""What a reviewer decides in the suite and in the fault matrix."""


def operations_of(adapter: Any) -> list[str]:
    more = {
        "upload": UploadProtocol,
        "submit": SubmitProtocol,
        "renew_link": LinkProtocol,
        "provision": TemplateProtocol,
        "cancel": CancelProtocol,
        "erase": EraseProtocol,
        "media": MediaProtocol,
        "retry": RetryProtocol,
        "review": ReviewProtocol,
    }
    return ["open", "status", "result", *(name for name, protocol in more.items() if isinstance(adapter, protocol))]


def another_person(order: FlowOrder, mark: str) -> FlowOrder:
    """The same order for somebody else."""
    person = order.applicant
    email = f"p{mark}@example.org" if person.email else None
    return attrs.evolve(
        order,
        applicant=attrs.evolve(person, reference=f"{person.reference}-{mark}"[:60], email=email, phone_number=None),
    )
