"""Runs one operation of a plugin. If the credentials are refused, the secrets are reloaded first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import attrs

from ..config.accounts import resolve_account
from ..config.problems import Problems
from ..config.secrets import is_quick
from ..config.settings import SettingsReader
from ..engine.account import AccountSession
from ..engine.context import Trail
from ..engine.effects import Blocking, Steps
from ..engine.limiters import Slot
from ..engine.log import log_rotation, log_shadow
from ..engine.pipeline import perform
from ..errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    IdvError,
    InvalidOrder,
    OutcomeUnknown,
    UnsupportedOperation,
    WebhookRejected,
)
from ..model import Flow, FlowRef, FlowStatus
from ..plugin.http import Exchange
from ..transports.sinks import Sink
from .active import ActiveConfiguration
from .openings import SETTLING
from .state import GatewayState

T = TypeVar("T")

# A shadow may not keep the applicant waiting for longer than this, in seconds.
SHADOW_SECONDS = 10.0
# A vendor may repeat a webhook after this time, when the secret that it is signed with is being read again.
_REPEAT = timedelta(seconds=5)
# What only the core knows of a flow.
_OURS = ("application_id", "created_at", "policy", "policy_mark", "subject", "explanation", "shadow", "is_shadow")


def execute(
    state: GatewayState,
    session: AccountSession,
    operation: str,
    start: Callable[[Any], Exchange[T]],
    wanted: type[T] | None = None,
    personal: tuple[str, ...] = (),
    seconds: float | None = None,
    trail: Trail | None = None,
    sink: Sink | None = None,
) -> Steps[T]:
    """One operation of the account's adapter, which `start` begins; once more if the credentials were refused and there are
    new ones. All of it together takes no longer than `seconds`, and than the account's limit."""
    limit = session.limits.operation
    end = state.clock.monotonic() + (limit if seconds is None else min(seconds, limit))
    refused: AuthenticationFailed | None = None
    while True:
        left = max(end - state.clock.monotonic(), 0.0)
        try:
            return (
                yield from perform(
                    session, operation, start, state.clock, personal, state.observers, left, wanted, trail, sink
                )
            )
        except AuthenticationFailed as error:
            if refused is not None:
                raise
            refused = error
        left = max(end - state.clock.monotonic(), 0.0)
        try:
            fresh: AccountSession | None = yield Blocking(partial(reread, state, session, left), left)
        except DeadlineExceeded:
            raise refused from None
        if fresh is None:
            raise refused
        session = fresh


def execute_on_flow(
    state: GatewayState,
    session: AccountSession,
    operation: str,
    before: Flow,
    start: Callable[[Any], Exchange[Flow]],
    seconds: float | None = None,
    trail: Trail | None = None,
) -> Steps[Flow]:
    """The flow after the operation, with what only the core knows of it."""
    after = yield from execute(state, session, operation, start, Flow, seconds=seconds, trail=trail)
    return continued(before, after)


def once(
    state: GatewayState,
    session: AccountSession,
    key: tuple[str, ...],
    operation: str,
    act: Callable[[Trail], Steps[Flow]],
) -> Steps[Flow]:
    """One that was never answered may still be carried out for a while; then what is there can be looked at."""
    lost = state.openings.lost(key).get(session.name)
    left = lost.since + settled(session) - state.clock.now() if lost else None
    if lost is not None and left is not None and left.total_seconds() > 0:
        raise OutcomeUnknown(
            f"the last {operation}() was never answered, and the vendor may still process it. Look at status(flow)",
            ask="status",
            since=lost.since,
            retry_after=left,
            account=session.name,
            operation=operation,
        )
    now, trail = state.clock.now(), Trail()
    try:
        after = yield from act(trail)
    except OutcomeUnknown as error:
        error.since = now
        state.openings.lose(key, session.name, now)
        raise
    except BaseException:
        if trail.went_out:
            state.openings.lose(key, session.name, now)
        raise
    state.openings.found(key, session.name)
    return after


def continued(before: Flow, after: Flow) -> Flow:
    """What the plugin says of the flow now, with what only the core knows of it."""
    if after.account is before.account and all(getattr(after, name) is getattr(before, name) for name in _OURS):
        return after
    return attrs.evolve(after, account=before.account, **{name: getattr(before, name) for name in _OURS})


def flow_at(state: GatewayState, flow: Flow | str) -> tuple[AccountSession, Flow]:
    """The account of a flow, and the flow; a reference alone is enough to go on."""
    if isinstance(flow, Flow):
        return state.active.session_of_flow(flow.account), flow
    try:
        ref = FlowRef.parse(flow)
    except ValueError as error:
        raise InvalidOrder(str(error), fields=("flow",)) from None
    policy = state.active.policies.get(ref.policy.rpartition(".")[2]) if ref.policy else None
    known = Flow(
        account=ref.account,
        id=ref.id,
        status=FlowStatus.OPEN,
        policy=policy,
        policy_mark=ref.policy if policy is None else None,
        subject=ref.subject,
        is_shadow=ref.is_shadow,
    )
    return state.active.session_of_flow(ref.account), known


def needs(session: AccountSession, protocol: type, operation: str, why: str) -> None:
    """Raises UnsupportedOperation where the account's adapter has no such protocol."""
    if not isinstance(session.adapter, protocol):
        raise UnsupportedOperation(
            f"plugin {session.plugin!r} does not offer {operation} with this account: {why}",
            account=session.name,
            operation=operation,
        )


def reread(state: GatewayState, session: AccountSession, seconds: float) -> AccountSession | None:
    """The account with the secrets that its references give now; None if they are those that were refused."""
    state.rereads.run(
        state.active.owner(session.name),
        lambda: state.active.session_of_flow(session.name) is session,
        lambda: read_secrets(state, session),
        state.clock.monotonic,
        seconds,
    )
    now = state.active.session_of_flow(session.name)
    return None if now is session else now


def reread_soon(state: GatewayState, session: AccountSession, refused: WebhookRejected) -> AccountSession:
    """The same where nobody may be kept waiting, for webhooks are received in an event loop: files are looked at in
    place; what may take longer is read aside, and the vendor repeats its call. Raises `refused` if nothing is new."""
    owner = state.active.owner(session.name)
    resolved = state.active.resolved.get(owner)
    if resolved is not None and state.rereads.is_due(owner, state.clock.monotonic()):
        if not is_quick(resolved.account.settings, state.registry.secret_sources):
            threading.Thread(
                target=reread, args=(state, session, session.limits.operation), name="idv-secrets", daemon=True
            ).start()
            text = "the signing secret is being reloaded; retry the call"
            raise WebhookRejected(text, status=503, retry_after=_REPEAT)
        reread(state, session, session.limits.operation)
    now = state.active.session_of_flow(session.name)
    if now is session:
        raise refused
    return now


def read_secrets(state: GatewayState, session: AccountSession) -> None:
    """Follow the references of the account again, and exchange it if they give something new."""
    owner = state.active.owner(session.name)
    if owner not in state.active.resolved:
        return
    reader = SettingsReader(Problems(), state.registry.secret_sources)
    fresh = resolve_account(state.active.resolved[owner].account, state.registry, reader)
    if fresh is None or state.active.is_same(fresh):
        return

    def change(active: ActiveConfiguration) -> ActiveConfiguration:
        # meanwhile the account may have been exchanged or taken out by a reload, whose word counts
        is_current = owner in active.sessions and active.session_of_flow(session.name) is session
        return active.with_fresh(fresh) if is_current else active

    state.exchange(change)
    log_rotation(owner)


def check_granted(slot: Slot, operation: str) -> None:
    """Raises DeadlineExceeded where somebody else still holds what one caller at a time may do."""
    if not slot.granted:
        what = "another call for the same application was still under way"
        raise DeadlineExceeded(what, operation=operation)


def settled(session: AccountSession) -> timedelta:
    """How long after the beginning of a call its vendor may still carry it out."""
    return timedelta(seconds=session.limits.operation) + SETTLING


def unnoticed(account: str, operation: str, steps: Steps[Flow]) -> Steps[Flow | None]:
    """What happens at a shadow's vendor must not be noticed by the applicant."""
    try:
        return (yield from steps)
    except IdvError as error:
        log_shadow(account, operation, type(error).__name__)
        return None
