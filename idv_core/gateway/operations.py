"""Every operation of the gateway, written once as steps without I/O; `Gateway` and `AsyncGateway` run them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from inspect import isawaitable
from typing import Any, TypeVar
from urllib.parse import unquote

import attrs

from ..clock import Clock
from ..config import Configuration, check
from ..config.accounts import open_account
from ..config.check import check_default
from ..config.problems import Problems
from ..config.secrets import is_quick
from ..config.settings import SettingsReader
from ..engine.account import AccountHealth, AccountSession
from ..engine.context import Trail
from ..engine.daily_cap import until_tomorrow
from ..engine.effects import Await, Blocking, Lock, Pause, Steps
from ..engine.limiters import Slot
from ..engine.log import (
    log_configuration,
    log_fallback,
    log_look_failed,
    log_rotation,
    log_shadow,
    log_vanished,
)
from ..engine.pipeline import perform
from ..engine.redaction import redact_check, redact_result
from ..engine.rotation import Reloads, Rereads
from ..engine.waiters import Waiters, wake_keys
from ..errors import (
    AuthenticationFailed,
    ConfigError,
    DeadlineExceeded,
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    UnexpectedResponse,
    UnsupportedOperation,
    VendorError,
    VendorUnavailable,
    WaitCancelled,
    WebhookRejected,
)
from ..model import (
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
from ..model.validation import seconds
from ..plugin.http import Exchange
from ..plugin.protocols import (
    CredentialsProtocol,
    LinkProtocol,
    RecoverProtocol,
    SubmitProtocol,
    TemplateProtocol,
    TokenProtocol,
    UploadProtocol,
    WebhookProtocol,
    WebhookPurposesProtocol,
    status_of,
)
from ..policy import evaluate, strictest
from ..registry import Registry
from ..runtime.forks import renew_after_fork
from ..telemetry import Observers
from ..webhooks.receiver import Received, WebhookReceiver, WebhookRequest
from .active import ActiveConfiguration, Plan, refuse
from .documents import check_documents, check_order, check_pictures, check_url, read_document
from .openings import SETTLING, Lost, OpenedFlow, Openings, identity

T = TypeVar("T")
Progress = Callable[[Result], Any]

# While waiting, two looks begin at least so many seconds apart, and each may take so many also when the wait is nearly over.
_LOOK_DISTANCE = 1.0
_LOOK_SECONDS = 10.0
_GROWTH = 1.5
# Another vendor may be asked after one of these, if it is certain that nothing was done.
_AWAY = (VendorUnavailable, RateLimited, AuthenticationFailed, PermissionDenied)
# A shadow may not keep the applicant waiting for longer than so many seconds.
_SHADOW_SECONDS = 10.0
# A vendor may repeat a webhook after this time, when the secret that it is signed with is being read again.
_REPEAT = timedelta(seconds=5)


@attrs.define(kw_only=True, eq=False)
class Operations:
    """What one gateway can do. `active` is the configuration in force, which is only ever exchanged as a whole."""

    active: ActiveConfiguration
    default: Policy
    clock: Clock
    registry: Registry
    waiters: Waiters
    observers: Observers
    openings: Openings = attrs.field(factory=Openings)
    _reloads: Reloads = attrs.field(factory=Reloads, repr=False)
    _rereads: Rereads = attrs.field(factory=Rereads, repr=False)
    _exchange: threading.RLock = attrs.field(factory=threading.RLock, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._exchange = threading.RLock()

    @classmethod
    def over(
        cls,
        configuration: Configuration,
        default: Policy,
        clock: Clock,
        registry: Registry,
        observers: Iterable[object],
    ) -> Operations:
        check_default(configuration, default)
        checked = check(configuration, registry, clock.now()).or_raise()
        return cls(
            active=ActiveConfiguration.of(checked, default, clock),
            default=default,
            clock=clock,
            registry=registry,
            waiters=Waiters(),
            observers=Observers(observers),
        )

    def reload(self, read: Callable[[], Configuration], prepare: Callable[[Iterable[AccountSession]], None]) -> None:
        """Exchange the configuration. Raises ConfigError and leaves everything as it is when there is an error in it, or when
        `prepare` raises one."""
        self._reloads.run(lambda: self._take(read(), prepare))

    def _take(self, configuration: Configuration, prepare: Callable[[Iterable[AccountSession]], None]) -> None:
        check_default(configuration, self.default)
        checked = check(configuration, self.registry, self.clock.now()).or_raise()

        def changed(active: ActiveConfiguration) -> ActiveConfiguration:
            taken = ActiveConfiguration.of(checked, self.default, self.clock, active)
            prepare(taken.sessions.values())
            return taken

        before = self._put(changed)
        log_configuration(len(configuration.accounts), len(configuration.routes))
        for name in before.sessions:
            if name not in self.active.sessions and name not in self.active.former:
                log_vanished(name)

    def _put(self, change: Callable[[ActiveConfiguration], ActiveConfiguration]) -> ActiveConfiguration:
        """Exchange what is in force for what `change` makes of it; gives back what was. A signal may come at any moment and
        its handler may exchange it too; then it is done once more."""
        with self._exchange:
            while True:
                active = self.active
                changed = change(active)
                if self.active is active:
                    self.active = changed
                    return active

    def explain(self, order: FlowOrder, account: str | None, at: datetime | None) -> Explanation:
        check_order(order, self.clock.now())
        return self.active.explain(order, account, at or self.clock.now(), self.clock.monotonic())

    def open(self, order: FlowOrder, account: str | None) -> Steps[Flow]:
        """One order becomes one flow: who comes second waits for the first, and is given the same."""
        active = self.active
        check_order(order, self.clock.now())
        plan = active.plan(order, account, self.clock.now())
        if plan.refused is not None:
            raise refuse(plan)
        names = [name for name, _ in plan.choice.accounts]
        seconds = max(active.session(name).limits.operation for name in names)
        return (
            yield from self._alone(("open", identity(order)), seconds, lambda: self._open_once(active, plan, names))
        )

    def _alone(self, key: tuple[object, ...], seconds: float, steps: Callable[[], Steps[T]]) -> Steps[T]:
        """Run the steps while nobody else in this process does anything with the same key."""
        limiter, slot = self.openings.line(key), Slot()
        try:
            if not limiter.take(slot):
                yield Lock(limiter, slot, seconds)
                if not slot.granted:
                    what = "another call for the same application was still under way"
                    raise DeadlineExceeded(what, operation=str(key[0]))
            return (yield from steps())
        finally:
            limiter.give_back(slot)

    def _open_once(self, active: ActiveConfiguration, plan: Plan, names: Sequence[str]) -> Steps[Flow]:
        """The flow of this order, as long as it is alive; one that was lost is cleared up before anybody is asked for
        another."""
        key = identity(plan.order)
        for account, before in self.openings.flows(key).items():
            if active.owner(account) in names:
                again = yield from self._still_open(before, plan.order)
                if again is not None:
                    return again
                self.openings.forget(key, account)
        for account, lost in self.openings.lost(key).items():
            if not plan.is_named or active.owner(account) in names:
                found = yield from self._cleared_up(active, plan, active.session_of_flow(account), lost)
                if found is not None:
                    self.openings.remember(key, plan.order, found, self.clock.now())
                    return found
        health: dict[str, str] = {}
        flow = yield from self._open_somewhere(active, plan, health)
        # the shadow may take its time, or be cancelled; this flow is there
        self.openings.remember(key, plan.order, flow, self.clock.now())
        flow = yield from self._with_shadow(active, plan, flow, health)
        self.openings.remember(key, plan.order, flow, self.clock.now())
        return flow

    def _cleared_up(
        self, active: ActiveConfiguration, plan: Plan, session: AccountSession, lost: Lost
    ) -> Steps[Flow | None]:
        """What became of an opening that was never answered: its flow, or None where it is certain enough that there is
        none. Raises OutcomeUnknown otherwise, so that nobody else is asked meanwhile."""
        if not isinstance(session.adapter, RecoverProtocol):
            left = lost.since + _settled(session) - self.clock.now()
            if left > timedelta(0):
                raise _not_yet(session, lost.since, left, ask=None)
            return None
        try:
            return (yield from self._recovered(active, session, plan, lost.since, lost.policy))
        except FlowNotFound:
            return None
        except OutcomeUnknown:
            raise
        except VendorError as error:
            what = f"it is not known whether the opening that was lost was carried out: {error.message}"
            raise OutcomeUnknown(
                what,
                ask="recover",
                since=lost.since,
                status=error.status,
                retry_after=error.retry_after,
                account=session.name,
                operation="open",
            ) from None

    def _still_open(self, before: OpenedFlow, order: FlowOrder) -> Steps[Flow | None]:
        """The flow that was opened for this order, as it is now; None if it has come to its end."""
        flow = before.flow
        try:
            now = yield from self.status(flow)
        except FlowNotFound:
            # some vendors take a moment until they know their own flow; another one would be one too many
            if self.clock.now() - before.at < SETTLING:
                return flow
            raise
        if now.status.is_final:
            return None
        if before.order != order:
            raise DuplicateFlow(
                f"this process opened {flow.ref} for the same application, product and applicant, and this order differs "
                "from that one. Go on with that flow, or give the order an application_id of its own",
                account=flow.account,
                operation="open",
            )
        return attrs.evolve(now, link=now.link or flow.link)

    def _open_somewhere(self, active: ActiveConfiguration, plan: Plan, health: dict[str, str]) -> Steps[Flow]:
        failure: IdvError | None = None
        for position, (name, _) in enumerate(plan.choice.accounts):
            session = active.session(name)
            onward = [name for name, _ in plan.choice.accounts[position + 1 :]]
            now = self.clock.now()
            why = active.why_not(name, now, self.clock.monotonic())
            if session.cap.is_reached(now):
                failure = failure or _capped(session, now)
            elif why is None or not onward:
                try:
                    flow = yield from self._open_at(active, plan, session)
                except _AWAY as error:
                    if not error.nothing_done:
                        raise
                    failure, why = error, type(error).__name__
                else:
                    health[name] = "available"
                    return flow
            health[name] = why or "available"
            if onward:
                log_fallback(name, onward[0], health[name])
        assert failure is not None
        raise failure

    def _open_at(
        self, active: ActiveConfiguration, plan: Plan, session: AccountSession, seconds: float | None = None
    ) -> Steps[Flow]:
        now = self.clock.now()
        key = identity(plan.order)
        if not session.cap.take(now):
            raise _capped(session, now)
        order = _with_callbacks(active, session, plan)
        trail = Trail()
        try:
            flow = yield from self._new_flow(session, "open", order, lambda a: a.open_flow(order), seconds, trail)
        except OutcomeUnknown as error:
            error.since = now
            self.openings.lose(key, session.name, now, plan.policy)
            raise
        except IdvError as error:
            if error.nothing_done:
                session.cap.give_back()
            raise
        except BaseException:
            # cancelled, or interrupted: nobody will be told what the vendor answered
            if trail.went_out:
                self.openings.lose(key, session.name, now, plan.policy)
            else:
                session.cap.give_back()
            raise
        return attrs.evolve(flow, policy=plan.policy)

    def _with_shadow(
        self, active: ActiveConfiguration, plan: Plan, flow: Flow, health: Mapping[str, str]
    ) -> Steps[Flow]:
        shadow: Flow | None = None
        name = plan.choice.shadow
        order = attrs.evolve(plan.order, is_shadow=True)
        if name is not None and name not in self.openings.lost(identity(order)):
            opening = self._open_at(active, attrs.evolve(plan, order=order), active.sessions[name], _SHADOW_SECONDS)
            shadow = yield from _shadowed(name, "open", opening)
            shadow = shadow and attrs.evolve(shadow, is_shadow=True)
        explanation = active.explanation(plan, flow.account, health, name)
        return attrs.evolve(flow, explanation=explanation, shadow=shadow)

    def recover(self, order: FlowOrder, account: str | None, since: datetime | None) -> Steps[Flow]:
        active = self.active
        check_order(order, self.clock.now())
        session = active.session(account)
        self._needs(
            session,
            RecoverProtocol,
            "recover",
            "the vendor has no call that tells whether a flow was opened. Ask its staff, or wait for its callback",
        )
        key = identity(order)
        plan = active.plan(order, session.name, self.clock.now())
        lost = next(
            (lost for name, lost in self.openings.lost(key).items() if active.owner(name) == session.name), None
        )
        since, policy = since or (lost.since if lost else None), lost.policy if lost else None
        if since is not None and (not isinstance(since, datetime) or since.tzinfo is None):
            raise InvalidOrder("since: a datetime with a time zone is needed, such as error.since", fields=("since",))
        flow = yield from self._alone(
            ("open", key), session.limits.operation, lambda: self._recovered(active, session, plan, since, policy)
        )
        self.openings.remember(key, order, flow, self.clock.now())
        return flow

    def _recovered(
        self,
        active: ActiveConfiguration,
        session: AccountSession,
        plan: Plan,
        since: datetime | None,
        policy: Policy | None,
    ) -> Steps[Flow]:
        """The flow that the vendor made of the order. That it has none is certain only some time after the opening began."""
        key = identity(plan.order)
        order = _with_callbacks(active, session, plan)
        try:
            flow = yield from self._new_flow(session, "recover", order, lambda a: a.recover(order, since))
        except OutcomeUnknown as error:
            error.since = since or self.clock.now()
            self.openings.lose(key, session.name, error.since, policy or plan.policy)
            raise
        except FlowNotFound as error:
            left = _settled(session) if since is None else since + _settled(session) - self.clock.now()
            if since is not None and left > timedelta(0):
                raise _not_yet(session, since, left) from None
            self.openings.found(key, session.name)
            error.nothing_done = since is not None
            error.message = (
                "the vendor has no flow of this order: open it again"
                if since is not None
                else "the vendor has no flow of this order. If it was opened less than "
                f"{_settled(session).total_seconds():g} s ago, ask again after that time; otherwise open it again"
            )
            raise
        known = self.openings.flows(key).get(session.name)
        if known is not None and known.flow.id == flow.id:
            policy = known.flow.policy
        explanation = active.explanation(plan, session.name, {session.name: "recovered"})
        # the vendor may not be able to tell whether it was opened as the shadow of this very order
        is_shadow = (
            plan.match is not None
            and plan.match.route.shadow is not None
            and (plan.match.route.shadow.account == session.name)
        )
        return attrs.evolve(flow, policy=policy or plan.policy, explanation=explanation, is_shadow=is_shadow)

    def check_credentials(self, account: str | None) -> Steps[bool]:
        """Whether they could be tried. Raises the error of the call if they are no good."""
        session = self.active.session(account)
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
        trail: Trail | None = None,
    ) -> Steps[Flow]:
        personal = order.applicant.personal_texts()
        flow = yield from self._perform(session, operation, start, Flow, personal, seconds, trail)
        return attrs.evolve(
            flow, account=session.name, application_id=order.application_id, created_at=self.clock.now()
        )

    def upload(self, flow: Flow | str, documents: Sequence[Document]) -> Steps[Flow]:
        session, flow = self._of(flow)
        self._needs(session, UploadProtocol, "upload", "documents are handed in by the applicant on the vendor's page")
        documents = check_documents(documents)
        ids = [document.id for document in documents]
        known = {upload.document_id for upload in flow.uploads if upload.accepted}
        twice = [id for id in ids if ids.count(id) > 1 or id in known]
        if twice or not ids:
            raise InvalidOrder(
                f"document ids must be unique in the flow: {twice[0]!r} is not" if twice else "there are no documents",
                fields=tuple(dict.fromkeys(twice)),
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
        again = lambda at, shadow, seconds: self._handed_in(at, shadow, loaded, seconds)  # noqa: E731
        return (yield from self._also(flow, "upload", UploadProtocol, again))

    def _handed_in(
        self, session: AccountSession, flow: Flow, loaded: tuple[Document, ...], seconds: float | None = None
    ) -> Steps[Flow]:
        check_pictures(loaded, session.adapter)
        flow = yield from self._flow(session, "upload", flow, lambda adapter: adapter.upload(flow, loaded), seconds)
        return attrs.evolve(flow, uploads=(_redacted(upload) for upload in flow.uploads))

    def _also(
        self, flow: Flow, operation: str, protocol: type, act: Callable[[AccountSession, Flow, float], Steps[Flow]]
    ) -> Steps[Flow]:
        """The same with the flow's shadow, where its vendor can; what goes wrong there changes nothing, and it takes no
        longer than a shadow may."""
        shadow = flow.shadow
        if shadow is None:
            return flow

        def steps() -> Steps[Flow]:
            session = self.active.session_of_flow(shadow.account)
            if not isinstance(session.adapter, protocol):
                return shadow
            return (yield from act(session, shadow, _SHADOW_SECONDS))

        after = yield from _shadowed(shadow.account, operation, steps())
        return attrs.evolve(flow, shadow=after or shadow)

    def submit(self, flow: Flow | str) -> Steps[Flow]:
        session, before = self._of(flow)
        key = ("submit", self.active.owner(before.account), before.id)
        after = yield from self._alone(
            key, session.limits.operation, lambda: self._submitted_once(session, before, key)
        )
        return (yield from self._also(after, "submit", SubmitProtocol, self._submitted))

    def _submitted_once(self, session: AccountSession, flow: Flow, key: tuple[str, ...]) -> Steps[Flow]:
        """One that was never answered may still be carried out for a while; then what is there can be looked at."""
        lost = self.openings.lost(key).get(session.name)
        left = lost.since + _settled(session) - self.clock.now() if lost else timedelta(0)
        if lost is not None and left > timedelta(0):
            raise OutcomeUnknown(
                "what was submitted before was never answered, and may still be carried out",
                ask="status",
                since=lost.since,
                retry_after=left,
                account=session.name,
                operation="submit",
            )
        now, trail = self.clock.now(), Trail()
        try:
            after = yield from self._submitted(session, flow, None, trail)
        except OutcomeUnknown as error:
            error.since = now
            self.openings.lose(key, session.name, now)
            raise
        except BaseException:
            if trail.went_out:
                self.openings.lose(key, session.name, now)
            raise
        self.openings.found(key, session.name)
        return after

    def _submitted(
        self, session: AccountSession, flow: Flow, seconds: float | None = None, trail: Trail | None = None
    ) -> Steps[Flow]:
        if not isinstance(session.adapter, SubmitProtocol):
            return flow
        return (yield from self._flow(session, "submit", flow, lambda adapter: adapter.submit(flow), seconds, trail))

    def status(self, flow: Flow | str) -> Steps[Flow]:
        session, flow = self._of(flow)
        return (yield from self._flow(session, "status", flow, lambda adapter: status_of(adapter, flow)))

    def renew_link(self, flow: Flow | str) -> Steps[Flow]:
        session, flow = self._of(flow)
        self._needs(session, LinkProtocol, "renew_link", "its links are not renewed")
        return (yield from self._flow(session, "renew_link", flow, lambda adapter: adapter.renew_link(flow)))

    def result(self, flow: Flow | str, seconds: float | None = None) -> Steps[Result]:
        session, flow = self._of(flow)
        result = yield from self._perform(
            session, "result", lambda adapter: adapter.result(flow), Result, seconds=seconds
        )
        return self._decided(session, flow, redact_result(result))

    def _decided(self, session: AccountSession, flow: Flow, result: Result) -> Result:
        """By the policy that the flow began with; where that is not known, by the strictest that there ever was here."""
        active, now = self.active, self.clock.now()
        doubts = [*result.doubts, *_doubts(session, flow, result)]
        more = {"flow": _continued(flow, result.flow), "received_at": now}
        if doubts:
            result = attrs.evolve(result, doubts=doubts)
        policies = (flow.policy,) if flow.policy else tuple(active.policies.values())
        judged = (
            evaluate(policies[0], result, now, **more)
            if len(policies) == 1
            else strictest(policies, result, now, **more)
        )
        # a bare reference does not say whether it is a shadow's
        may_be_shadow = flow.policy is None and flow.policy_mark is None and flow.account in active.shadows
        if judged.decision is Decision.UNDECIDED or not (flow.is_shadow or may_be_shadow):
            return judged
        text = f"a shadow decides nothing; it would be {judged.decision}"
        if not flow.is_shadow:
            text = f"this account serves as a shadow, so go on with flow.ref as it was stored; it would be {judged.decision}"
        reason = Reason(f"shadow.{judged.decision}", text)
        return attrs.evolve(judged, decision=Decision.UNDECIDED, reasons=(reason, *judged.reasons))

    def wait(
        self,
        flow: Flow | str,
        deadline: timedelta | float,
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> Steps[Result]:
        session, flow = self._of(flow)
        try:
            patience = seconds(deadline)
        except ValueError as error:
            raise InvalidOrder(
                f"deadline: {error}", fields=("deadline",), account=session.name, operation="wait"
            ) from None
        end = self.clock.monotonic() + patience
        pause = first = session.polling.first.total_seconds()
        ceiling = session.polling.ceiling.total_seconds()
        failure: IdvError | None = None
        # registered before the first look, so that a webhook which comes in during a look is not missed
        owner = self.active.owner(session.name)
        with self.waiters.waiting(wake_keys(owner, flow.id, flow.application_id)) as waiting:
            while True:
                if cancelled is not None and cancelled():
                    raise WaitCancelled(
                        "waiting was cancelled; the flow goes on", account=session.name, operation="wait"
                    )
                seen, begun = waiting.count, self.clock.monotonic()
                before = failure
                result, failure = yield from self._look(flow, end)
                if failure is not None and type(failure) is not type(before):
                    log_look_failed(session.name, type(failure).__name__)
                if result is not None:
                    flow = result.flow
                    told = progress(result) if progress is not None else None
                    if isawaitable(told):
                        yield Await(told)
                    if result.status.is_final:
                        return result
                left = end - self.clock.monotonic()
                if left <= 0:
                    raise _too_late(session, flow, patience, failure)
                asked = failure.retry_after if isinstance(failure, VendorError) else None
                jittered = pause * random.uniform(0.9, 1.1)  # noqa: S311, no secret depends on it
                yield Pause(min(max(jittered, asked.total_seconds() if asked else 0.0), left), waiting, seen, cancelled)
                woken = waiting.count != seen
                pause = first if woken else min(pause * _GROWTH, ceiling)
                # however many webhooks come in, the vendor is not asked more often than that
                early = _LOOK_DISTANCE - (self.clock.monotonic() - begun)
                if woken and early > 0:
                    yield Pause(min(early, max(end - self.clock.monotonic(), 0.0)), None, 0, cancelled)

    def _look(self, flow: Flow, end: float) -> Steps[tuple[Result | None, IdvError | None]]:
        """The result, or what kept it from coming that may be over at the next look."""
        left = max(end - self.clock.monotonic(), _LOOK_SECONDS)
        try:
            return (yield from self.result(flow, left)), None
        except (VendorUnavailable, RateLimited, UnexpectedResponse, DeadlineExceeded) as error:
            return None, error

    def provision(self, template: Template, account: str | None) -> Steps[ProvisionedTemplate]:
        session = self.active.session(account)
        self._needs(
            session, TemplateProtocol, "provision", "templates are made by the vendor's own staff or sent along"
        )
        receiver = self.active.receiver
        if receiver is not None and template.webhook_url is None and isinstance(session.adapter, WebhookProtocol):
            urls = receiver.urls(session.name, None)
            template = attrs.evolve(template, webhook_url=urls.webhook("events"))
        made = yield from self._perform(
            session, "provision", lambda adapter: adapter.provision(template), ProvisionedTemplate
        )
        return made

    def vendor(self, name: str, call: Callable[[Any], Exchange[T]], account: str | None) -> Steps[T]:
        return (yield from self._perform(self.active.session(account), name, call))

    def webhook_url(self, account: str, purpose: str) -> Secret:
        session = self.active.session(account)
        self._needs(session, WebhookProtocol, "webhook_url", "the vendor does not call back")
        adapter = session.adapter
        known = adapter.webhook_purposes if isinstance(adapter, WebhookPurposesProtocol) else None
        if known is not None and purpose not in known:
            raise ConfigError(
                f"there is no webhook purpose {purpose!r} (there are: {', '.join(known)})", account=account
            )
        urls = self._receiver().urls(session.name, None)
        try:
            return Secret(urls.webhook(purpose))
        except ValueError as error:
            raise ConfigError(str(error), account=account) from None

    def max_body(self, account: str, request: WebhookRequest) -> int:
        return self._receiver().max_body(self._called(account), request)

    def receive(self, account: str, request: WebhookRequest) -> Received:
        received = self._received(account, request)
        self._receiver().handled(received)
        return received

    @contextmanager
    def receiving(self, account: str, request: WebhookRequest) -> Iterator[Received]:
        receiver = self._receiver()
        received = self._received(account, request)
        try:
            yield received
        except BaseException:
            receiver.forget(received)
            raise
        receiver.handled(received)

    def forget(self, received: Received) -> None:
        if self.active.receiver is not None:
            self.active.receiver.forget(received)

    def _received(self, account: str, request: WebhookRequest) -> Received:
        receiver, session = self._receiver(), self._called(account)
        names = self.active.names(session.name)
        try:
            received = receiver.receive(session, request, names)
        except WebhookRejected as error:
            if error.status != 401:
                raise
            received = receiver.receive(self._reread_soon(session, error), request, names)
        self.waiters.wake(*received.wakes)
        return received

    def _called(self, account: str) -> AccountSession:
        try:
            return self.active.session_of_flow(account)
        except ConfigError:
            raise WebhookRejected("no such address", status=404) from None

    def _receiver(self) -> WebhookReceiver:
        if self.active.receiver is None:
            raise ConfigError("for webhooks give the gateway Webhooks(url, key), or [webhooks] in idv.toml")
        return self.active.receiver

    def health(self) -> dict[str, AccountHealth]:
        now, today = self.clock.monotonic(), self.clock.now()
        return {name: session.health(now, today) for name, session in self.active.sessions.items()}

    def _perform(
        self,
        session: AccountSession,
        operation: str,
        start: Callable[[Any], Exchange[T]],
        wanted: type[T] | None = None,
        personal: tuple[str, ...] = (),
        seconds: float | None = None,
        trail: Trail | None = None,
    ) -> Steps[T]:
        """One operation of the account's adapter; once more if the credentials were refused and there are new ones.
        All of it together takes no longer than `seconds`, and than the account's limit."""
        limit = session.limits.operation
        end = self.clock.monotonic() + (limit if seconds is None else min(seconds, limit))

        def left() -> float:
            return max(end - self.clock.monotonic(), 0.0)

        def at(session: AccountSession) -> Steps[T]:
            begin = lambda: start(session.adapter)  # noqa: E731
            return perform(session, operation, begin, self.clock, personal, self.observers, left(), wanted, trail)

        try:
            return (yield from at(session))
        except AuthenticationFailed as refused:
            try:
                fresh: AccountSession | None = yield Blocking(lambda: self._reread(session, left()), left())
            except DeadlineExceeded:
                raise refused from None
            if fresh is None:
                raise
        return (yield from at(fresh))

    def _reread(self, session: AccountSession, seconds: float) -> AccountSession | None:
        """The account with the secrets that its references give now; None if they are those that were refused."""
        self._rereads.run(
            self.active.owner(session.name),
            lambda: self.active.session_of_flow(session.name) is session,
            lambda: self._read_secrets(session),
            self.clock.monotonic,
            seconds,
        )
        now = self.active.session_of_flow(session.name)
        return None if now is session else now

    def _reread_soon(self, session: AccountSession, refused: WebhookRejected) -> AccountSession:
        """The same where nobody may be kept waiting, for webhooks are received in an event loop: files are looked at in
        place; what may take longer is read aside, and the vendor repeats its call. Raises `refused` if nothing is new."""
        owner = self.active.owner(session.name)
        opened = self.active.resolved.get(owner)
        if opened is not None and self._rereads.is_due(owner, self.clock.monotonic()):
            if not is_quick(opened.account.settings, self.registry.secret_sources):
                threading.Thread(
                    target=self._reread, args=(session, session.limits.operation), name="idv-secrets", daemon=True
                ).start()
                text = "the signing secret is being read again, so repeat the call"
                raise WebhookRejected(text, status=503, retry_after=_REPEAT)
            self._reread(session, session.limits.operation)
        now = self.active.session_of_flow(session.name)
        if now is session:
            raise refused
        return now

    def _read_secrets(self, session: AccountSession) -> None:
        owner = self.active.owner(session.name)
        if owner not in self.active.resolved:
            return
        reader = SettingsReader(Problems(), self.registry.secret_sources)
        opened = open_account(self.active.resolved[owner].account, self.registry, reader)
        if opened is None or self.active.is_same(opened):
            return

        def change(active: ActiveConfiguration) -> ActiveConfiguration:
            # meanwhile the account may have been exchanged or taken out by a reload, whose word counts
            is_current = owner in active.sessions and active.session_of_flow(session.name) is session
            return active.with_fresh(opened) if is_current else active

        self._put(change)
        log_rotation(owner)

    def _flow(
        self,
        session: AccountSession,
        operation: str,
        before: Flow,
        start: Callable[[Any], Exchange[Flow]],
        seconds: float | None = None,
        trail: Trail | None = None,
    ) -> Steps[Flow]:
        after = yield from self._perform(session, operation, start, Flow, seconds=seconds, trail=trail)
        return _continued(before, after)

    def _of(self, flow: Flow | str) -> tuple[AccountSession, Flow]:
        """The account of a flow, and the flow; a reference alone is enough to go on."""
        if isinstance(flow, Flow):
            return self.active.session_of_flow(flow.account), flow
        try:
            ref = FlowRef.parse(flow)
        except ValueError as error:
            raise InvalidOrder(str(error), fields=("flow",)) from None
        policy = self.active.policies.get(ref.policy.rpartition(".")[2]) if ref.policy else None
        known = Flow(
            account=ref.account,
            id=ref.id,
            status=FlowStatus.OPEN,
            policy=policy,
            policy_mark=ref.policy if policy is None else None,
            subject=ref.subject,
            is_shadow=ref.is_shadow,
        )
        return self.active.session_of_flow(ref.account), known

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


_OURS = ("application_id", "created_at", "policy", "policy_mark", "subject", "explanation", "shadow", "is_shadow")


def _doubts(session: AccountSession, flow: Flow, result: Result) -> Iterator[Reason]:
    """What stands against an approval whatever the evidence says."""
    if result.is_test and not session.is_test:
        yield Reason(
            "account.test_mode", "made in the vendor's test mode, where nothing is checked (test = true lets it)"
        )
    if flow.policy is None and flow.policy_mark is not None:
        name = unquote(flow.policy_mark.rpartition(".")[0])
        yield Reason("policy.unknown", f"the policy {name!r} that the flow began with is gone or has other rules now")


def _too_late(session: AccountSession, flow: Flow, patience: float, failure: IdvError | None) -> DeadlineExceeded:
    seen = f"the last look failed ({failure.message})" if failure is not None else f"the flow is {flow.status}"
    return DeadlineExceeded(
        f"the deadline of {patience:g} s is over and {seen}; wait again, or look later",
        account=session.name,
        operation="wait",
    )


def _settled(session: AccountSession) -> timedelta:
    """How long after the beginning of a call its vendor may still carry it out."""
    return timedelta(seconds=session.limits.operation) + SETTLING


def _not_yet(session: AccountSession, since: datetime, left: timedelta, ask: str | None = "recover") -> OutcomeUnknown:
    what = (
        "the vendor has no flow of this order yet, and may still carry out what it was sent. Call recover(order) again then"
        if ask
        else "this order was sent to the vendor before and never answered, and the vendor has no call that tells whether it "
        "was carried out. Ask its staff, wait for its webhook, or give the order an application_id of its own"
    )
    return OutcomeUnknown(
        what,
        ask=ask,
        since=since,
        retry_after=left,
        account=session.name,
        operation="recover",
    )


def _with_callbacks(active: ActiveConfiguration, session: AccountSession, plan: Plan) -> FlowOrder:
    """The order with the addresses for its flow, which carry what a decision about the flow depends on."""
    order = plan.order
    if active.receiver is None or order.urls is not None:
        return order
    urls = active.receiver.urls(session.name, order.application_id, order.return_url, plan.policy.mark, order.is_shadow)
    return attrs.evolve(order, urls=urls)


def _capped(session: AccountSession, now: datetime) -> RateLimited:
    return RateLimited(
        f"our own daily cap for this account ({session.cap.most}) is reached",
        account=session.name,
        operation="open",
        safe_to_retry=True,
        nothing_done=True,
        retry_after=until_tomorrow(now),
    )


def _shadowed(account: str, operation: str, steps: Steps[Flow]) -> Steps[Flow | None]:
    """What happens at a shadow's vendor must not be noticed by the applicant."""
    try:
        return (yield from steps)
    except IdvError as error:
        log_shadow(account, operation, type(error).__name__)
        return None
