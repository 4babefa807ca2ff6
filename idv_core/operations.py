"""Every operation of the gateway, written once as steps without I/O; `Gateway` and `AsyncGateway` run them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import attrs

from .callbacks.addresses import Addresses
from .callbacks.desk import CallbackDesk, Inbound, Received
from .clock import Clock
from .config import Account, Callbacks
from .config.accounts import open_account
from .documents import check_url, read_document
from .engine.account import AccountHealth, AccountSession
from .engine.conversation import perform
from .engine.effects import Blocking, Pause, Steps
from .engine.redaction import redact_check
from .engine.wakers import Wakers
from .errors import (
    CallbackRejected,
    ConfigError,
    DeadlineExceeded,
    InvalidOrder,
    PluginError,
    RateLimited,
    UnsupportedOperation,
    VendorUnavailable,
    WaitCancelled,
)
from .model import Document, Flow, FlowOrder, FlowRef, FlowStatus, ProvisionedTemplate, Result, Secret, Template, Upload
from .policy import Policy
from .protocols import (
    CallbackProtocol,
    LinkProtocol,
    RecoverProtocol,
    SubmitProtocol,
    TemplateProtocol,
    UploadProtocol,
)
from .registry import Registry
from .telemetry import Observers
from .wire import Exchange

T = TypeVar("T")
Progress = Callable[[Result], Any]

# While waiting, so many calls in a row may find the vendor away before the wait gives up.
_PATIENCE = 5
_GROWTH = 1.5


@attrs.define(kw_only=True)
class Operations:
    """The accounts, the policy and the callbacks of one gateway."""

    sessions: Mapping[str, AccountSession]
    policy: Policy
    clock: Clock
    wakers: Wakers
    desk: CallbackDesk | None
    observers: Observers

    @classmethod
    def over(
        cls,
        accounts: Iterable[Account],
        callbacks: Callbacks | None,
        policy: Policy,
        clock: Clock,
        registry: Registry,
        observers: Iterable[object],
    ) -> Operations:
        sessions: dict[str, AccountSession] = {}
        problems: list[str] = []
        for account in accounts:
            if account.name in sessions:
                problems.append(f"accounts.{account.name}: is there twice")
                continue
            try:
                sessions[account.name] = open_account(account, registry)
            except ConfigError as error:
                problems.extend(error.problems or (error.message,))
            except PluginError as error:
                problems.append(f"accounts.{account.name}.plugin: {error.message}")
        if problems:
            raise ConfigError("; ".join(problems), problems=tuple(problems))
        if not sessions:
            raise ConfigError("at least one account is needed")
        desk = CallbackDesk(Addresses(callbacks.url, callbacks.key), clock) if callbacks else None
        return cls(
            sessions=sessions,
            policy=policy,
            clock=clock,
            wakers=Wakers(),
            desk=desk,
            observers=Observers(observers),
        )

    def session(self, account: str | None) -> AccountSession:
        if account is None and len(self.sessions) == 1:
            return next(iter(self.sessions.values()))
        known = ", ".join(sorted(self.sessions))
        if account is None:
            raise ConfigError(f"there are several accounts, so say which one: {known}")
        if account not in self.sessions:
            raise ConfigError(f"there is no account {account!r} (there are: {known})", account=account)
        return self.sessions[account]

    def open(self, order: FlowOrder, account: str | None) -> Steps[Flow]:
        session = self.session(account)
        order = self._with_callbacks(session, order)
        return (yield from self._new_flow(session, "open", order, lambda: session.adapter.open_flow(order)))

    def recover(self, order: FlowOrder, account: str | None) -> Steps[Flow]:
        session = self.session(account)
        self._needs(
            session,
            RecoverProtocol,
            "recover",
            "the vendor has no call that tells whether a flow was opened. Ask its staff, or wait for its callback",
        )
        order = self._with_callbacks(session, order)
        return (yield from self._new_flow(session, "recover", order, lambda: session.adapter.recover(order)))

    def _with_callbacks(self, session: AccountSession, order: FlowOrder) -> FlowOrder:
        if self.desk is None or order.callbacks is not None or not isinstance(session.adapter, CallbackProtocol):
            return order
        return attrs.evolve(order, callbacks=self.desk.urls(session.name, order.application_id, order.return_url))

    def _new_flow(
        self, session: AccountSession, operation: str, order: FlowOrder, start: Callable[[], Exchange[Flow]]
    ) -> Steps[Flow]:
        flow = yield from self._perform(session, operation, start, order.applicant.personal_texts())
        return attrs.evolve(flow, account=session.name, application_id=order.application_id, opened_at=self.clock.now())

    def upload(self, flow: Flow | str, documents: Sequence[Document]) -> Steps[Flow]:
        session, flow = self._of(flow)
        self._needs(session, UploadProtocol, "upload", "documents are handed in by the applicant on the vendor's page")
        ids = [document.id for document in documents]
        known = {upload.document_id for upload in flow.uploads if upload.accepted}
        twice = [id for id in ids if ids.count(id) > 1 or id in known]
        if twice or not ids:
            raise InvalidOrder(
                f"document ids must be unique in the flow: {twice[0]!r} is not" if twice else "there are no documents",
                fields=tuple(twice),
                account=session.name,
                operation="upload",
            )
        for document in documents:
            if document.url is not None and not session.limits.allow_private_urls:
                check_url(document.id, document.url.reveal())
        limit = session.limits.max_upload
        loaded = yield Blocking(lambda: tuple(read_document(document, limit) for document in documents))
        flow = yield from self._flow(session, "upload", flow, lambda: session.adapter.upload(flow, loaded))
        return attrs.evolve(flow, uploads=(_redacted(upload) for upload in flow.uploads))

    def submit(self, flow: Flow | str) -> Steps[Flow]:
        session, flow = self._of(flow)
        if not isinstance(session.adapter, SubmitProtocol):
            return flow
        adapter = session.adapter
        return (yield from self._flow(session, "submit", flow, lambda: adapter.submit(flow)))

    def status(self, flow: Flow | str) -> Steps[Flow]:
        session, flow = self._of(flow)
        return (yield from self._flow(session, "status", flow, lambda: session.adapter.status(flow)))

    def renew_link(self, flow: Flow | str) -> Steps[Flow]:
        session, flow = self._of(flow)
        self._needs(session, LinkProtocol, "renew_link", "its links are not renewed")
        return (yield from self._flow(session, "renew_link", flow, lambda: session.adapter.renew_link(flow)))

    def result(self, flow: Flow | str) -> Steps[Result]:
        session, flow = self._of(flow)
        result = yield from self._perform(session, "result", lambda: session.adapter.result(flow))
        if any(check.reasons for check in result.checks):
            result = attrs.evolve(result, checks=map(redact_check, result.checks))
        return self.policy.judge(result, flow=_continued(flow, result.flow), received_at=self.clock.now())

    def wait(
        self, flow: Flow | str, deadline: timedelta, progress: Progress | None, cancelled: Callable[[], bool] | None
    ) -> Steps[Result]:
        session, flow = self._of(flow)
        keys = (("flow", flow.ref), ("application", session.name, flow.application_id))
        end = self.clock.monotonic() + deadline.total_seconds()
        pause = first = session.polling.first.total_seconds()
        ceiling = session.polling.ceiling.total_seconds()
        away = 0
        while True:
            if cancelled is not None and cancelled():
                raise WaitCancelled("waiting was cancelled; the flow goes on", account=session.name, operation="wait")
            least = 0.0
            try:
                result = yield from self.result(flow)
            except (VendorUnavailable, RateLimited) as error:
                away += 1
                if away >= _PATIENCE:
                    raise
                least = error.retry_after.total_seconds() if error.retry_after else 0.0
            else:
                away = 0
                flow = result.flow
                if progress is not None:
                    progress(result)
                if result.status.is_final:
                    return result
            left = end - self.clock.monotonic()
            if left <= 0:
                raise DeadlineExceeded(
                    f"the flow is {flow.status} and the deadline of {deadline} is over; wait again, or look later",
                    account=session.name,
                    operation="wait",
                )
            before = self.clock.monotonic()
            jittered = pause * random.uniform(0.9, 1.1)  # noqa: S311, no secret depends on it
            yield Pause(min(max(jittered, least), left), keys, cancelled)
            woken = self.clock.monotonic() - before < pause / 2
            pause = first if woken else min(pause * _GROWTH, ceiling)

    def provision(self, template: Template, account: str | None) -> Steps[ProvisionedTemplate]:
        session = self.session(account)
        self._needs(
            session, TemplateProtocol, "provision", "templates are made by the vendor's own staff or sent along"
        )
        if self.desk is not None and template.callback_url is None and isinstance(session.adapter, CallbackProtocol):
            urls = self.desk.urls(session.name, None)
            template = attrs.evolve(template, callback_url=urls.url("events"))
        made: ProvisionedTemplate = yield from self._perform(
            session, "provision", lambda: session.adapter.provision(template)
        )
        return made

    def vendor(self, name: str, call: Callable[[Any], Exchange[T]], account: str | None) -> Steps[T]:
        session = self.session(account)
        return (yield from self._perform(session, name, lambda: call(session.adapter)))

    def callback_url(self, account: str, purpose: str) -> Secret:
        return Secret(self._callback_desk().urls(self.session(account).name, None).url(purpose))

    def receive(self, account: str, inbound: Inbound) -> Received:
        desk = self._callback_desk()
        if account not in self.sessions:
            raise CallbackRejected("no such address", status=404)
        received = desk.receive(self.sessions[account], inbound)
        if received.fetch:
            self.wakers.wake(("application", account, received.application_id))
            self.wakers.wake(("flow", received.flow_ref))
        return received

    def forget(self, received: Received) -> None:
        if self.desk is not None:
            self.desk.forget(received)

    def _callback_desk(self) -> CallbackDesk:
        if self.desk is None:
            raise ConfigError("for callbacks give the gateway Callbacks(url, key), or [callbacks] in idv.toml")
        return self.desk

    def health(self) -> dict[str, AccountHealth]:
        now = self.clock.monotonic()
        return {name: session.health(now) for name, session in self.sessions.items()}

    def _perform(
        self,
        session: AccountSession,
        operation: str,
        start: Callable[[], Exchange[T]],
        personal: tuple[str, ...] = (),
    ) -> Steps[T]:
        return perform(session, operation, start, self.clock, personal, self.observers)

    def _flow(
        self, session: AccountSession, operation: str, before: Flow, start: Callable[[], Exchange[Flow]]
    ) -> Steps[Flow]:
        return _continued(before, (yield from self._perform(session, operation, start)))

    def _of(self, flow: Flow | str) -> tuple[AccountSession, Flow]:
        """The account of a flow, and the flow; a reference alone is enough to go on."""
        if isinstance(flow, Flow):
            return self.session(flow.account), flow
        try:
            ref = FlowRef.parse(flow)
        except ValueError as error:
            raise InvalidOrder(str(error), fields=("flow",)) from None
        return self.session(ref.account), Flow(account=ref.account, id=ref.id, status=FlowStatus.OPEN)

    @staticmethod
    def _needs(session: AccountSession, protocol: type, operation: str, why: str) -> None:
        if not isinstance(session.adapter, protocol):
            raise UnsupportedOperation(
                f"plugin {session.plugin!r} does not offer {operation} with this account: {why}",
                account=session.name,
                operation=operation,
            )


def _redacted(upload: Upload) -> Upload:
    return upload if upload.check is None else attrs.evolve(upload, check=redact_check(upload.check))


def _continued(before: Flow, after: Flow) -> Flow:
    """What the plugin says of the flow now, with what only the core knows of it."""
    if (after.account, after.application_id, after.opened_at) == (
        before.account,
        before.application_id,
        before.opened_at,
    ):
        return after
    return attrs.evolve(after, account=before.account, application_id=before.application_id, opened_at=before.opened_at)
