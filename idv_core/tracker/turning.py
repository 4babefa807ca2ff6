"""One turn with everything around it, as steps without I/O of their own: a blocking tracker and one of tasks run the same."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias, TypeVar

import attrs
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..config import UnknownRule
from ..engine.account import AccountSession
from ..errors import ConfigError, IdvError, InvalidOrder, RateLimited
from ..gateway.execution import SHADOW_SECONDS
from ..gateway.openings import identity
from ..gateway.sync import GatewayBase
from ..gateway.telling import decided
from ..ledger import Delivery, Ledger, LedgerError, Stale, Verification
from ..ledger.leases import Handler, reserve
from ..ledger.outbox import settle
from ..ledger.reaching import trouble
from ..ledger.verification import Change, Claim, News
from ..model import Decision, Flow
from . import delivery as deliveries
from .delivery import Letter, Reply
from .turns import Adopt, Apply, Compare, Erase, Finding, Look, Open, Recover, Terms, conclude, follow, plan

T = TypeVar("T")

log = logging.getLogger("idv_core")

# Beyond the longest operation and its shadow, a lease lasts so much longer, for pauses of the machine and slow commits.
_MARGIN = timedelta(seconds=30)
# An account's pace is waited for in place if it takes no longer than this.
_PATIENCE = timedelta(seconds=5)
_COMMITS = (0.5, 1.0, 2.0, 4.0, 8.0)
# For what nobody waits for, and many vendors cannot be asked for again: a flow that was opened.
_OPENINGS = (*_COMMITS, 16.0, 30.0, 30.0, 30.0)
_FIRST, _LONGEST = timedelta(seconds=5), timedelta(minutes=15)


@attrs.frozen
class Ask:
    """An operation of the gateway. Its errors come back as values."""

    name: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Work:
    """Something with the database. It blocks for a moment; its errors are raised."""

    function: Callable[[], Any]


@attrs.frozen
class Rest:
    """Let this many seconds pass."""

    seconds: float


Effect: TypeAlias = Ask | Work | Rest | Letter
Steps: TypeAlias = Generator[Effect, Any, T]


@attrs.frozen
class Context:
    """What turns need: the gateway, the ledger, and who is told in the deciding transaction."""

    gateway: GatewayBase
    ledger: Ledger
    handlers: Sequence[Handler] = ()

    def __attrs_post_init__(self) -> None:
        self.gateway._state.decisions.are_left = True

    def tell(self, verification: Verification, change: Change) -> None:
        """Tell observers of a decision, now that it is stored."""
        observers, result = self.gateway._state.observers, change.result
        if not observers or result is None or result.decision is Decision.UNDECIDED:
            return
        opened_at, at, order = result.flow.created_at, verification.decided_at, verification.order
        seconds = (at - opened_at).total_seconds() if opened_at is not None and at is not None else None
        country = order.applicant.country if order is not None else None
        event = decided(result, seconds, product=verification.product, country=country)
        observers.tell("decided", event)

    @property
    def lease(self) -> timedelta:
        """Longer than anything that is done under it: the longest operation of any account, its shadow, and a margin."""
        sessions = self.gateway._state.active.sessions.values()
        return timedelta(seconds=max(one.limits.operation for one in sessions) + SHADOW_SECONDS) + _MARGIN

    def session(self, account: str | None) -> AccountSession | None:
        """The account as it is configured now, under whatever name; None if it is gone."""
        try:
            return self.gateway._state.active.session_of_flow(account or "")
        except ConfigError:
            return None

    def clear_up(self, verification: Verification) -> None:
        """What the gateway still holds for a lost opening of this order: the ledger knows better, by a rule or a person."""
        if verification.order is None or verification.asked_at is None:
            return
        openings, key = self.gateway._state.openings, identity(verification.order)
        for account in openings.lost(key):
            openings.found(key, account)

    def sent(self, verification: Verification) -> tuple[str | None, str | None]:
        """The route of an order, and the account that it names first, whether that can be asked now or not."""
        order, state = verification.order, self.gateway._state
        if order is None or verification.only_account is not None:
            return None, None
        plan = state.active.plan(order, None, state.clock.now())
        first = plan.choice.accounts[0][0] if plan.choice.accounts else None
        return plan.match.route.name if plan.match is not None else None, first

    def terms(self, claim: Claim, action: object) -> Terms:
        verification = claim.verification
        account, active = verification.account, self.gateway._state.active
        session = self.session(account)
        if session is None or account is None:
            return Terms()
        owner = active.owner(account)
        resolved = active.resolved.get(owner)
        return Terms(
            first=session.polling.first,
            ceiling=session.polling.ceiling,
            unknown=resolved.account.unknown if resolved is not None else UnknownRule.REVIEW,
            others=self._behind(verification, owner) if isinstance(action, Recover) else (),
        )

    def _behind(self, verification: Verification, account: str) -> tuple[str, ...]:
        """The accounts of the route behind this one."""
        if verification.order is None:
            return ()
        try:
            names = [candidate.account for candidate in self.gateway.explain(verification.order).candidates]
        except IdvError:
            return ()
        return tuple(names[names.index(account) + 1 :]) if account in names else ()


@attrs.define
class _Held:
    """The claim, with what was committed about it while the gateway was at work."""

    context: Context
    claim: Claim

    def attempt(self, account: str) -> None:
        """Commit the intent before the account is asked; keep its pace, which all processes share."""
        session = self.context.session(account)
        wait = _place(self.context, session)
        if wait > _PATIENCE:
            raise RateLimited(
                "the account's rate is used up by other processes",
                account=account,
                operation="open",
                safe_to_retry=True,
                nothing_done=True,
                retry_after=wait,
            )
        if wait:
            self.context.gateway._state.clock.wait(threading.Event(), wait.total_seconds())
        cap = session.daily_cap if session is not None else None
        route, first = self.context.sent(self.claim.verification)
        ledger, lease = self.context.ledger, self.context.lease
        self.claim = ledger.intend(self.claim, account, lease, cap, route=route, instead_of=first)


def _place(context: Context, session: AccountSession | None) -> timedelta:
    """How long to wait for this account, where its rate is limited."""
    if session is None or session.limits.rate is None:
        return timedelta(0)
    return reserve(context.ledger.store, session.name, timedelta(seconds=1 / session.limits.rate))


def turn(context: Context, claim: Claim) -> Steps[None]:
    """One turn: at most one operation of the gateway, then one fenced commit. Raises Stale, and what a handler raises."""
    action = plan(claim)
    if isinstance(action, Apply):
        yield Work(partial(context.ledger.commit, claim, action.change, context.handlers))
        return
    held = _Held(context, claim)
    if not isinstance(action, Open):
        wait = yield Work(partial(_place, context, context.session(claim.verification.account)))
        if wait > _PATIENCE:
            yield Work(partial(context.ledger.release, claim, wait))
            return
        if wait:
            yield Rest(wait.total_seconds())
    finding: Finding = yield _ask(action, held)
    if isinstance(finding, LedgerError):
        raise finding
    change = conclude(held.claim, action, finding, context.terms(held.claim, action))
    if isinstance(action, (Open, Recover)) and change.flow is not None:
        yield from _keep(context, held.claim, change, is_opening=True)
    else:
        after = yield Work(partial(context.ledger.commit, held.claim, change, context.handlers))
        context.tell(after, change)


def _ask(action: Open | Recover | Look | Adopt | Compare | Erase, held: _Held) -> Ask:
    verification = held.claim.verification
    match action:
        case Open(account):
            held.context.clear_up(verification)
            return Ask("open", (verification.order,), {"account": account, "attempt": held.attempt})
        case Recover(account):
            return Ask("recover", (verification.order,), {"account": account, "since": verification.asked_at})
        case Look(flow) | Compare(flow):
            return Ask("result", (flow,))
        case Adopt(_, ref):
            return Ask("result", (ref,))
        case Erase(row):
            return Ask("erase", (row.ref,))


def _keep(context: Context, claim: Claim, change: Change, *, is_opening: bool) -> Steps[Verification]:
    """Commit what only the vendor knows besides: a flow that was opened, a link that was renewed. Where the database is away
    it is tried again, an opening for two minutes; and once more where somebody else took over what he believed to be lost.
    """
    is_late = False
    for pause in (*(_OPENINGS if is_opening else _COMMITS), None):
        try:
            commit = partial(context.ledger.commit, claim, change, context.handlers, is_late=is_late)
            return (yield Work(commit))  # type: ignore[no-any-return]
        except Stale:
            if is_late or not is_opening:
                raise
            is_late = True
        except DBAPIError:
            if pause is None:
                raise
            yield Rest(pause)
    raise AssertionError("the last try returns or raises")


def hand_in(context: Context, claim: Claim, operation: str, args: tuple[Any, ...], news: News) -> Steps[Verification]:
    """Something that the platform does with the flow (upload, submit, renew its link), as a turn of its own."""
    verification = claim.verification
    if verification.flow is None:
        yield Work(partial(context.ledger.release, claim, timedelta(0)))
        raise InvalidOrder(
            f"verification {verification.id} is {verification.state}: it has no flow to {operation} to",
            operation=operation,
        )
    terms = context.terms(claim, None)
    finding = yield Ask(operation, (verification.flow, *args))
    if isinstance(finding, Flow):
        change = follow(claim, finding, news, terms)
        return (yield from _keep(context, claim, change, is_opening=False))
    yield Work(partial(context.ledger.release, claim, terms.first))
    raise finding


def deliver(context: Context, delivery: Delivery) -> Steps[None]:
    """Send one message, and write what came of it."""
    clock = context.ledger.store.clock
    endpoint = context.ledger.endpoints[delivery.endpoint]
    reply: Reply = yield deliveries.letter(delivery, endpoint, clock.now())
    is_done = deliveries.is_taken(reply)
    again = None if is_done else deliveries.again_after(delivery, reply, clock.now())
    if not is_done and again is None:
        log.error("message %s to endpoint %s is a dead letter (%s)", delivery.id, delivery.endpoint, reply.status)
    yield Work(partial(settle, context.ledger.store, delivery, reply.status, again=again, is_done=is_done))


def stumbled(error: Exception) -> None:
    """Log that what is due could not be looked for. Whatever it was, the tracker goes on: nobody else would."""
    what = trouble(error) if isinstance(error, SQLAlchemyError) else f"what is due cannot be taken: {_place_of(error)}"
    log.error("%s; trying again", what)


def _place_of(error: BaseException) -> str:
    """Its class, and where it was raised. No values."""
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    return type(error).__name__ + (f" at {frame[0].filename}:{frame[0].lineno}" if frame else "")


def failed(claim: Claim, error: BaseException) -> timedelta:
    """Log that a turn was broken off by what is no error of a vendor (a handler of the platform, most likely); after which
    pause it is tried again. No values are shown."""
    why = f": {trouble(error)}" if isinstance(error, DBAPIError) else ""
    log.error("verification %s: its turn failed with %s%s", claim.id, _place_of(error), why)
    pause: timedelta = _FIRST * 2 ** min(claim.verification.tries, 20)
    return min(pause, _LONGEST)
