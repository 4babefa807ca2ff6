"""Opens flows: duplicates, fallback, lost responses, shadows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from inspect import isawaitable
from typing import Any, TypeAlias

import attrs

from ..clock import Clock
from ..engine.account import AccountSession
from ..engine.context import Trail
from ..engine.daily_cap import until_tomorrow
from ..engine.effects import Await, Blocking, Lock, Steps
from ..engine.limiters import Slot
from ..engine.log import log_fallback
from ..errors import (
    AuthenticationFailed,
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    VendorError,
    VendorUnavailable,
)
from ..model import Flow, FlowOrder, Policy
from ..plugin.protocols import RecoverProtocol
from . import operations
from .active import ActiveConfiguration, Plan, refuse
from .documents import check_function, check_order
from .execution import SHADOW_SECONDS, check_granted, execute, needs, settled, unnoticed
from .openings import SETTLING, Lost, OpenedFlow, identity
from .state import GatewayState

Attempt: TypeAlias = Callable[[str], Any]

# Another vendor may be asked after one of these, if it is certain that nothing was done.
_AWAY = (VendorUnavailable, RateLimited, AuthenticationFailed, PermissionDenied)


def open_flow(
    state: GatewayState, order: FlowOrder, account: str | None, attempt: Attempt | None = None
) -> Steps[Flow]:
    """Open one flow for an order. A second caller waits for the first and gets the same flow.

    `attempt` is called with the name of each account before that account is asked.
    """
    active = state.active
    check_order(order, state.clock.now())
    check_function("attempt", attempt)
    plan = active.plan(order, account, state.clock.now())
    if plan.refused is not None:
        raise refuse(plan)
    key = identity(order)
    candidates = _Candidates(active, plan, state.clock)
    limiter, slot = state.openings.line(("open", key)), Slot()
    try:
        if not limiter.take(slot):
            yield Lock(limiter, slot, candidates.longest)
            check_granted(slot, "open")
        flow = yield from _known_flow(state, active, plan)
        if flow is not None:
            return flow
        while flow is None:
            session = candidates.next()
            try:
                told = (yield Blocking(partial(attempt, session.name))) if attempt is not None else None
                if isawaitable(told):
                    yield Await(told)
                flow = yield from _open_at(state, active, plan, session)
            except _AWAY as error:
                if not error.nothing_done:
                    raise
                candidates.failed(error)
        # the shadow may take its time, or be cancelled; this flow is there
        state.openings.remember(key, order, flow, state.clock.now())
        flow = yield from _with_shadow(state, active, plan, flow, candidates.health)
        state.openings.remember(key, order, flow, state.clock.now())
        return flow
    finally:
        limiter.give_back(slot)


class _Candidates:
    """The accounts of a plan, to be asked one after the other until one has opened the flow. `health` says how those came
    out that were looked at."""

    def __init__(self, active: ActiveConfiguration, plan: Plan, clock: Clock) -> None:
        self.health: dict[str, str] = {}
        self._names = [name for name, _ in plan.choice.accounts]
        self._active, self._clock = active, clock
        self._onward = list(self._names)
        self._failure: IdvError | None = None

    @property
    def longest(self) -> float:
        """Seconds that an operation of these accounts may take."""
        return max(self._active.session(name).limits.operation for name in self._names)

    def next(self) -> AccountSession:
        """The next account that can open a flow now; the last one in any case. Raises what the others failed with."""
        while self._onward:
            name = self._onward.pop(0)
            session = self._active.session(name)
            now = self._clock.now()
            why = self._active.why_not(name, now, self._clock.monotonic())
            self.health[name] = why or "available"
            if session.cap.is_reached(now):
                self._failure = self._failure or _capped(session, now)
            elif why is None or not self._onward:
                self.health[name] = "available"
                return session
            self._log_fallback(name)
        assert self._failure is not None
        raise self._failure

    def failed(self, error: IdvError) -> None:
        """The account that was asked last opened nothing."""
        self._failure = error
        name = self._names[-1 - len(self._onward)]
        self.health[name] = type(error).__name__
        self._log_fallback(name)

    def _log_fallback(self, name: str) -> None:
        if self._onward:
            log_fallback(name, self._onward[0], self.health[name])


def _known_flow(state: GatewayState, active: ActiveConfiguration, plan: Plan) -> Steps[Flow | None]:
    """The flow of this order, as long as it is alive; one that was lost is cleared up before anybody is asked for
    another."""
    key = identity(plan.order)
    names = [name for name, _ in plan.choice.accounts]
    for account, before in state.openings.flows(key).items():
        if active.owner(account) in names:
            again = yield from _still_open(state, before, plan.order)
            if again is not None:
                return again
            state.openings.forget(key, account)
    for account, lost in state.openings.lost(key).items():
        if not plan.is_named or active.owner(account) in names:
            found = yield from _cleared_up(state, active, plan, active.session_of_flow(account), lost)
            if found is not None:
                state.openings.remember(key, plan.order, found, state.clock.now())
                return found
    return None


def _open_at(
    state: GatewayState, active: ActiveConfiguration, plan: Plan, session: AccountSession, seconds: float | None = None
) -> Steps[Flow]:
    """The flow, opened at this account. What was sent and never answered is remembered as lost."""
    now = state.clock.now()
    key = identity(plan.order)
    if not session.cap.take(now):
        raise _capped(session, now)
    order = active.with_urls(session.name, plan.order, plan.policy.mark)
    trail = Trail()
    try:
        personal = order.applicant.personal_texts()
        flow = yield from execute(
            state, session, "open", lambda adapter: adapter.open_flow(order), Flow, personal, seconds, trail
        )
        return attrs.evolve(
            flow,
            account=session.name,
            application_id=order.application_id,
            created_at=state.clock.now(),
            policy=plan.policy,
        )
    except OutcomeUnknown as error:
        error.since = now
        state.openings.lose(key, session.name, now, plan.policy)
        raise
    except IdvError as error:
        if error.nothing_done:
            session.cap.give_back(now)
        raise
    except BaseException:
        # cancelled, or interrupted: nobody will be told what the vendor answered
        if trail.went_out:
            state.openings.lose(key, session.name, now, plan.policy)
        else:
            session.cap.give_back(now)
        raise


def _with_shadow(
    state: GatewayState, active: ActiveConfiguration, plan: Plan, flow: Flow, health: Mapping[str, str]
) -> Steps[Flow]:
    shadow: Flow | None = None
    name = plan.choice.shadow
    if name is not None:
        order = attrs.evolve(plan.order, is_shadow=True)
        if name not in state.openings.lost(identity(order)):
            opening = _open_at(state, active, attrs.evolve(plan, order=order), active.sessions[name], SHADOW_SECONDS)
            shadow = yield from unnoticed(name, "open", opening)
            shadow = shadow and attrs.evolve(shadow, is_shadow=True)
    explanation = active.explanation(plan, flow.account, health, name)
    return attrs.evolve(flow, explanation=explanation, shadow=shadow)


def _cleared_up(
    state: GatewayState, active: ActiveConfiguration, plan: Plan, session: AccountSession, lost: Lost
) -> Steps[Flow | None]:
    """What became of an opening that was never answered: its flow, or None where it is certain enough that there is
    none. Raises OutcomeUnknown otherwise, so that nobody else is asked meanwhile."""
    if not isinstance(session.adapter, RecoverProtocol):
        left = lost.since + settled(session) - state.clock.now()
        if left > timedelta(0):
            raise _not_yet(session, lost.since, left, ask=None)
        return None
    try:
        return (yield from _recovered(state, active, session, plan, lost.since, lost.policy))
    except FlowNotFound:
        return None
    except OutcomeUnknown:
        raise
    except VendorError as error:
        what = f"the lookup of the lost open() failed, so its outcome is still unknown: {error.message}"
        raise OutcomeUnknown(
            what,
            ask="recover",
            since=lost.since,
            status=error.status,
            retry_after=error.retry_after,
            account=session.name,
            operation="open",
        ) from None


def _still_open(state: GatewayState, before: OpenedFlow, order: FlowOrder) -> Steps[Flow | None]:
    """The flow that was opened for this order, as it is now; None if it has come to its end."""
    flow = before.flow
    try:
        now = yield from operations.status(state, flow)
    except FlowNotFound:
        # some vendors take a moment until they know their own flow; another one would be one too many
        if state.clock.now() - before.at < SETTLING:
            return flow
        raise
    if now.status.is_settled:
        return None
    if before.order != order:
        raise DuplicateFlow(
            f"this process opened {flow.ref} for the same application, product and applicant, and this order differs "
            "from that one. Continue with that flow, or give the order another application_id",
            account=flow.account,
            operation="open",
        )
    return attrs.evolve(now, link=now.link or flow.link)


def recover(state: GatewayState, order: FlowOrder, account: str | None, since: datetime | None) -> Steps[Flow]:
    """Find the flow of an order whose create call got no response."""
    active = state.active
    check_order(order, state.clock.now())
    session = active.session(account)
    needs(
        session,
        RecoverProtocol,
        "recover",
        "the vendor's API cannot tell whether a flow was opened. Ask its support, or wait for its webhook",
    )
    key = identity(order)
    plan = active.plan(order, session.name, state.clock.now())
    lost = next((lost for name, lost in state.openings.lost(key).items() if active.owner(name) == session.name), None)
    since, policy = since or (lost.since if lost else None), lost.policy if lost else None
    if since is not None and (not isinstance(since, datetime) or since.tzinfo is None):
        raise InvalidOrder("since: must be a datetime with a time zone, such as error.since", fields=("since",))
    limiter, slot = state.openings.line(("open", key)), Slot()
    try:
        if not limiter.take(slot):
            yield Lock(limiter, slot, session.limits.operation)
            check_granted(slot, "open")
        flow = yield from _recovered(state, active, session, plan, since, policy)
    finally:
        limiter.give_back(slot)
    state.openings.remember(key, order, flow, state.clock.now())
    return flow


def _recovered(
    state: GatewayState,
    active: ActiveConfiguration,
    session: AccountSession,
    plan: Plan,
    since: datetime | None,
    policy: Policy | None,
) -> Steps[Flow]:
    """The flow that the vendor made of the order. That it has none is certain only some time after the opening began."""
    key = identity(plan.order)
    order = active.with_urls(session.name, plan.order, plan.policy.mark)
    personal = order.applicant.personal_texts()
    try:
        flow = yield from execute(
            state, session, "recover", lambda adapter: adapter.recover(order, since), Flow, personal
        )
    except OutcomeUnknown as error:
        error.since = since or state.clock.now()
        state.openings.lose(key, session.name, error.since, policy or plan.policy)
        raise
    except FlowNotFound as error:
        left = settled(session) if since is None else since + settled(session) - state.clock.now()
        if since is not None and left > timedelta(0):
            raise _not_yet(session, since, left) from None
        state.openings.found(key, session.name)
        error.nothing_done = since is not None
        error.message = (
            "the vendor has no flow for this order; open it again"
            if since is not None
            else "the vendor has no flow for this order. If it was opened less than "
            f"{settled(session).total_seconds():g} s ago, call recover again after that time; otherwise open it again"
        )
        raise
    created_at = state.clock.now()
    known = state.openings.flows(key).get(session.name)
    if known is not None and known.flow.id == flow.id:
        policy = known.flow.policy
    explanation = active.explanation(plan, session.name, {session.name: "recovered"})
    # the vendor may not be able to tell whether it was opened as the shadow of this very order
    is_shadow = (
        plan.match is not None
        and plan.match.route.shadow is not None
        and (plan.match.route.shadow.account == session.name)
    )
    return attrs.evolve(
        flow,
        account=session.name,
        application_id=order.application_id,
        created_at=created_at,
        policy=policy or plan.policy,
        explanation=explanation,
        is_shadow=is_shadow,
    )


def _not_yet(session: AccountSession, since: datetime, left: timedelta, ask: str | None = "recover") -> OutcomeUnknown:
    what = (
        "the vendor has no flow for this order yet, and may still process the request; call recover(order) again later"
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


def _capped(session: AccountSession, now: datetime) -> RateLimited:
    return RateLimited(
        f"our own daily cap for this account ({session.cap.most} flows, daily_cap) is reached",
        account=session.name,
        operation="open",
        safe_to_retry=True,
        nothing_done=True,
        retry_after=until_tomorrow(now),
    )
