"""Every operation of the gateway, written once as steps without I/O; `Gateway` and `AsyncGateway` run them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import attrs

from .callbacks.desk import CallbackDesk, Inbound, Received
from .clock import Clock
from .config import Configuration, check
from .config.accounts import open_account
from .config.problems import Problems
from .config.settings import SettingsReader
from .documents import check_url, read_document
from .engine.account import AccountHealth, AccountSession
from .engine.caps import until_tomorrow
from .engine.conversation import perform
from .engine.effects import Blocking, Pause, Steps
from .engine.forks import renew_after_fork
from .engine.redaction import redact_check
from .engine.reports import report_configuration, report_fallback, report_rotation, report_shadow
from .engine.wakers import Wakers
from .errors import (
    AuthenticationFailed,
    CallbackRejected,
    ConfigError,
    DeadlineExceeded,
    IdvError,
    InvalidOrder,
    PermissionDenied,
    RateLimited,
    UnsupportedOperation,
    VendorError,
    VendorUnavailable,
    WaitCancelled,
)
from .live import Live, Plan, refuse
from .model import (
    Decision,
    Document,
    Explanation,
    Flow,
    FlowOrder,
    FlowRef,
    FlowStatus,
    Policy,
    ProvisionedTemplate,
    Reason,
    Result,
    Secret,
    Template,
    Upload,
)
from .policy import judge, strictest
from .protocols import (
    CallbackProtocol,
    CredentialsProtocol,
    LinkProtocol,
    RecoverProtocol,
    SubmitProtocol,
    TemplateProtocol,
    TokenProtocol,
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
# Another vendor may be asked after one of these, if it is certain that nothing was done.
_AWAY = (VendorUnavailable, RateLimited, AuthenticationFailed, PermissionDenied)
# A shadow may not keep the applicant waiting for longer than so many seconds.
_SHADOW_SECONDS = 10.0


@attrs.define(kw_only=True, eq=False)
class Operations:
    """What one gateway can do. `live` is the configuration in force, which is only ever exchanged as a whole."""

    live: Live
    default: Policy
    clock: Clock
    registry: Registry
    wakers: Wakers
    observers: Observers
    _changing: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._changing = threading.Lock()

    @classmethod
    def over(
        cls,
        configuration: Configuration,
        default: Policy,
        clock: Clock,
        registry: Registry,
        observers: Iterable[object],
    ) -> Operations:
        checked = check(configuration, registry, clock.now()).or_raise()
        return cls(
            live=Live.of(checked, default, clock),
            default=default,
            clock=clock,
            registry=registry,
            wakers=Wakers(),
            observers=Observers(observers),
        )

    def take(self, configuration: Configuration) -> None:
        """Exchange the configuration. Raises ConfigError and leaves everything as it is when there is an error in it."""
        with self._changing:
            checked = check(configuration, self.registry, self.clock.now()).or_raise()
            self.live = Live.of(checked, self.default, self.clock, self.live)
        report_configuration(len(configuration.accounts), len(configuration.routes))

    def explain(self, order: FlowOrder, account: str | None, at: datetime | None) -> Explanation:
        return self.live.explain(order, account, at or self.clock.now(), self.clock.monotonic())

    def open(self, order: FlowOrder, account: str | None) -> Steps[Flow]:
        live = self.live
        plan = live.plan(order, account, self.clock.now())
        if plan.refused is not None:
            raise refuse(plan)
        health: dict[str, str] = {}
        failure: IdvError | None = None
        for position, (name, _) in enumerate(plan.choice.accounts):
            session = live.session(name)
            onward = [name for name, _ in plan.choice.accounts[position + 1 :]]
            now = self.clock.now()
            why = live.why_not(name, now, self.clock.monotonic())
            if session.cap.is_reached(now):
                failure = failure or _capped(session, now)
            elif why is None or not onward:
                try:
                    flow = yield from self._open_at(live, plan, session)
                except _AWAY as error:
                    if not error.nothing_done:
                        raise
                    failure, why = error, type(error).__name__
                else:
                    health[name] = "available"
                    return (yield from self._with_shadow(live, plan, flow, health))
            health[name] = why or "available"
            if onward:
                report_fallback(name, onward[0], health[name])
        assert failure is not None
        raise failure

    def _open_at(self, live: Live, plan: Plan, session: AccountSession, seconds: float | None = None) -> Steps[Flow]:
        now = self.clock.now()
        if not session.cap.take(now):
            raise _capped(session, now)
        order = _with_callbacks(live, session, plan.order)
        try:
            flow = yield from self._new_flow(session, "open", order, lambda a: a.open_flow(order), seconds)
        except VendorError as error:
            if error.nothing_done:
                session.cap.give_back()
            raise
        return attrs.evolve(flow, policy=plan.policy)

    def _with_shadow(self, live: Live, plan: Plan, flow: Flow, health: Mapping[str, str]) -> Steps[Flow]:
        shadow: Flow | None = None
        name = plan.choice.shadow
        if name is not None:
            shadow = yield from _shadowed(name, "open", self._open_at(live, plan, live.sessions[name], _SHADOW_SECONDS))
            shadow = shadow and attrs.evolve(shadow, is_shadow=True)
        explanation = live.explanation(plan, flow.account, health, name)
        return attrs.evolve(flow, explanation=explanation, shadow=shadow)

    def recover(self, order: FlowOrder, account: str | None) -> Steps[Flow]:
        live = self.live
        session = live.session(account)
        self._needs(
            session,
            RecoverProtocol,
            "recover",
            "the vendor has no call that tells whether a flow was opened. Ask its staff, or wait for its callback",
        )
        plan = live.plan(order, session.name, self.clock.now())
        order = _with_callbacks(live, session, order)
        flow = yield from self._new_flow(session, "recover", order, lambda a: a.recover(order))
        explanation = live.explanation(plan, session.name, {session.name: "recovered"})
        return attrs.evolve(flow, policy=plan.policy, explanation=explanation)

    def check_credentials(self, account: str | None) -> Steps[bool]:
        """Whether they could be tried. Raises the error of the call if they are no good."""
        session = self.live.session(account)
        if isinstance(session.adapter, CredentialsProtocol):
            yield from self._perform(session, "check_credentials", lambda a: a.check_credentials())
        elif isinstance(session.adapter, TokenProtocol):
            yield from self._perform(session, "check_credentials", lambda a: a.obtain_token(None))
        else:
            return False
        return True

    def _new_flow(
        self,
        session: AccountSession,
        operation: str,
        order: FlowOrder,
        start: Callable[[Any], Exchange[Flow]],
        seconds: float | None = None,
    ) -> Steps[Flow]:
        flow = yield from self._perform(session, operation, start, order.applicant.personal_texts(), seconds)
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
        if not session.limits.allow_private_urls:
            documents = [_checked(document) for document in documents]
        limit = session.limits.max_upload
        loaded = yield Blocking(
            lambda: tuple(read_document(document, limit) for document in documents), session.limits.operation
        )
        flow = yield from self._handed_in(session, flow, loaded)
        again = lambda at, shadow: self._handed_in(at, shadow, loaded)  # noqa: E731
        return (yield from self._also(flow, "upload", UploadProtocol, again))

    def _handed_in(self, session: AccountSession, flow: Flow, loaded: tuple[Document, ...]) -> Steps[Flow]:
        flow = yield from self._flow(session, "upload", flow, lambda adapter: adapter.upload(flow, loaded))
        return attrs.evolve(flow, uploads=(_redacted(upload) for upload in flow.uploads))

    def _also(
        self, flow: Flow, operation: str, protocol: type, act: Callable[[AccountSession, Flow], Steps[Flow]]
    ) -> Steps[Flow]:
        """The same with the flow's shadow, where its vendor can; what goes wrong there changes nothing."""
        shadow = flow.shadow
        if shadow is None:
            return flow

        def steps() -> Steps[Flow]:
            session = self.live.session(shadow.account)
            return (yield from act(session, shadow)) if isinstance(session.adapter, protocol) else shadow

        after = yield from _shadowed(shadow.account, operation, steps())
        return attrs.evolve(flow, shadow=after or shadow)

    def submit(self, flow: Flow | str) -> Steps[Flow]:
        session, flow = self._of(flow)
        flow = yield from self._submitted(session, flow)
        return (yield from self._also(flow, "submit", SubmitProtocol, self._submitted))

    def _submitted(self, session: AccountSession, flow: Flow) -> Steps[Flow]:
        if not isinstance(session.adapter, SubmitProtocol):
            return flow
        return (yield from self._flow(session, "submit", flow, lambda adapter: adapter.submit(flow)))

    def status(self, flow: Flow | str) -> Steps[Flow]:
        session, flow = self._of(flow)
        return (yield from self._flow(session, "status", flow, lambda adapter: adapter.status(flow)))

    def renew_link(self, flow: Flow | str) -> Steps[Flow]:
        session, flow = self._of(flow)
        self._needs(session, LinkProtocol, "renew_link", "its links are not renewed")
        return (yield from self._flow(session, "renew_link", flow, lambda adapter: adapter.renew_link(flow)))

    def result(self, flow: Flow | str) -> Steps[Result]:
        session, flow = self._of(flow)
        result = yield from self._perform(session, "result", lambda adapter: adapter.result(flow))
        if any(check.reasons for check in result.checks):
            result = attrs.evolve(result, checks=map(redact_check, result.checks))
        return self._decided(flow, result)

    def _decided(self, flow: Flow, result: Result) -> Result:
        """By the policy that the flow began with; where that is not known, by the strictest of those it may have been."""
        live, now = self.live, self.clock.now()
        more = {"flow": _continued(flow, result.flow), "received_at": now}
        policies = (flow.policy,) if flow.policy else live.policies_of.get(flow.account, live.all_policies)
        judged = (
            judge(policies[0], result, now, **more) if len(policies) == 1 else strictest(policies, result, now, **more)
        )
        if not flow.is_shadow or judged.decision is Decision.UNDECIDED:
            return judged
        text = f"a shadow decides nothing; it would be {judged.decision}"
        reason = Reason(f"shadow.{judged.decision}", text)
        return attrs.evolve(judged, decision=Decision.UNDECIDED, reasons=(reason, *judged.reasons))

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
        session = self.live.session(account)
        self._needs(
            session, TemplateProtocol, "provision", "templates are made by the vendor's own staff or sent along"
        )
        desk = self.live.desk
        if desk is not None and template.callback_url is None and isinstance(session.adapter, CallbackProtocol):
            urls = desk.urls(session.name, None)
            template = attrs.evolve(template, callback_url=urls.url("events"))
        made: ProvisionedTemplate = yield from self._perform(
            session, "provision", lambda adapter: adapter.provision(template)
        )
        return made

    def vendor(self, name: str, call: Callable[[Any], Exchange[T]], account: str | None) -> Steps[T]:
        return (yield from self._perform(self.live.session(account), name, call))

    def callback_url(self, account: str, purpose: str) -> Secret:
        return Secret(self._callback_desk().urls(self.live.session(account).name, None).url(purpose))

    def receive(self, account: str, inbound: Inbound) -> Received:
        desk = self._callback_desk()
        live = self.live
        session = live.sessions.get(account) or live.retired.get(account)
        if session is None:
            raise CallbackRejected("no such address", status=404)
        received = desk.receive(session, inbound)
        if received.fetch:
            self.wakers.wake(("application", account, received.application_id))
            self.wakers.wake(("flow", received.flow_ref))
        return received

    def forget(self, received: Received) -> None:
        if self.live.desk is not None:
            self.live.desk.forget(received)

    def _callback_desk(self) -> CallbackDesk:
        if self.live.desk is None:
            raise ConfigError("for callbacks give the gateway Callbacks(url, key), or [callbacks] in idv.toml")
        return self.live.desk

    def health(self) -> dict[str, AccountHealth]:
        now, today = self.clock.monotonic(), self.clock.now()
        return {name: session.health(now, today) for name, session in self.live.sessions.items()}

    def _perform(
        self,
        session: AccountSession,
        operation: str,
        start: Callable[[Any], Exchange[T]],
        personal: tuple[str, ...] = (),
        seconds: float | None = None,
    ) -> Steps[T]:
        """One operation of the account's adapter; once more if the credentials were refused and there are new ones."""

        def at(session: AccountSession) -> Steps[T]:
            begin = lambda: start(session.adapter)  # noqa: E731
            return perform(session, operation, begin, self.clock, personal, self.observers, seconds)

        try:
            return (yield from at(session))
        except AuthenticationFailed:
            fresh: AccountSession | None = yield Blocking(lambda: self._reread(session), session.limits.operation)
            if fresh is None:
                raise
        return (yield from at(fresh))

    def _reread(self, session: AccountSession) -> AccountSession | None:
        """The account with the secrets that its references give now; None if they are those that were refused."""
        with self._changing:
            live = self.live
            current = live.sessions.get(session.name)
            if current is None or current is not session:
                return current
            problems = Problems()
            reader = SettingsReader(problems, self.registry.secret_sources)
            opened = open_account(live.opened[session.name].account, self.registry, reader)
            if opened is None or live.is_same(opened):
                return None
            fresh = opened.session(session)
            self.live = attrs.evolve(
                live,
                opened={**live.opened, session.name: opened},
                sessions={**live.sessions, session.name: fresh},
            )
        report_rotation(session.name)
        return fresh

    def _flow(
        self, session: AccountSession, operation: str, before: Flow, start: Callable[[Any], Exchange[Flow]]
    ) -> Steps[Flow]:
        return _continued(before, (yield from self._perform(session, operation, start)))

    def _of(self, flow: Flow | str) -> tuple[AccountSession, Flow]:
        """The account of a flow, and the flow; a reference alone is enough to go on."""
        if isinstance(flow, Flow):
            return self.live.session(flow.account), flow
        try:
            ref = FlowRef.parse(flow)
        except ValueError as error:
            raise InvalidOrder(str(error), fields=("flow",)) from None
        return self.live.session(ref.account), Flow(account=ref.account, id=ref.id, status=FlowStatus.OPEN)

    @staticmethod
    def _needs(session: AccountSession, protocol: type, operation: str, why: str) -> None:
        if not isinstance(session.adapter, protocol):
            raise UnsupportedOperation(
                f"plugin {session.plugin!r} does not offer {operation} with this account: {why}",
                account=session.name,
                operation=operation,
            )


def _checked(document: Document) -> Document:
    """With the address as it was read, where it has one."""
    return (
        attrs.evolve(document, url=Secret(check_url(document.id, document.url.reveal()))) if document.url else document
    )


def _redacted(upload: Upload) -> Upload:
    return upload if upload.check is None else attrs.evolve(upload, check=redact_check(upload.check))


def _continued(before: Flow, after: Flow) -> Flow:
    """What the plugin says of the flow now, with what only the core knows of it."""
    if after.account is before.account and all(getattr(after, name) is getattr(before, name) for name in _OURS):
        return after
    return attrs.evolve(after, account=before.account, **{name: getattr(before, name) for name in _OURS})


_OURS = ("application_id", "opened_at", "policy", "explanation", "shadow", "is_shadow")


def _with_callbacks(live: Live, session: AccountSession, order: FlowOrder) -> FlowOrder:
    if live.desk is None or order.callbacks is not None or not isinstance(session.adapter, CallbackProtocol):
        return order
    return attrs.evolve(order, callbacks=live.desk.urls(session.name, order.application_id, order.return_url))


def _capped(session: AccountSession, now: datetime) -> RateLimited:
    return RateLimited(
        f"our own daily cap for this account ({session.cap.most}) is reached",
        account=session.name,
        operation="open",
        safe_to_repeat=True,
        nothing_done=True,
        retry_after=until_tomorrow(now),
    )


def _shadowed(account: str, operation: str, steps: Steps[Flow]) -> Steps[Flow | None]:
    """What happens at a shadow's vendor must not be noticed by the applicant."""
    try:
        return (yield from steps)
    except IdvError as error:
        report_shadow(account, operation, type(error).__name__)
        return None
