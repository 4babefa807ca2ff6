"""What a turn does, as pure functions: from what is stored to one action, and from what came of it to the change.

No I/O and no clock: the time is the database's, as the claim has it. One action is at most one operation of the gateway.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeAlias
from zlib import crc32

import attrs

from ..config import UnknownRule
from ..errors import (
    ConfigError,
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    InvalidOrder,
    NoRoute,
    UnexpectedResponse,
    UnsupportedOperation,
    VendorError,
)
from ..ledger.ledger import erased
from ..ledger.verification import Change, Claim, FlowRow, Hint, News, Order, Role, State
from ..model import Decision, Erasure, ErasureStatus, Flow, FlowRef, FlowStatus, Result, subject_of, to_json

_SOON = timedelta(seconds=5)
# Nobody looks more often than once in a twentieth of the time that was waited so far, nor less often than hourly for it.
_SHARE = 20
_HOURLY = timedelta(hours=1)
_GROWTH = 1.5
_ERASURE = timedelta(days=1)
# How long vendors are asked to erase; then somebody has to call them.
_PATIENCE = timedelta(days=60)
_RESTING_TRIES = 5
_BEFORE = frozenset({FlowStatus.OPEN, FlowStatus.AWAITING_APPLICANT})
_ENDS = {
    FlowStatus.EXPIRED: State.EXPIRED,
    FlowStatus.CANCELLED: State.FAILED,
    FlowStatus.FAILED: State.FAILED,
    FlowStatus.ERASED: State.FAILED,
}


@attrs.frozen(kw_only=True)
class Terms:
    """How an account is followed: the pause before the first look and the longest one, its rule for what nobody can tell, and
    the accounts that the route has behind it."""

    first: timedelta = timedelta(seconds=5)
    ceiling: timedelta = timedelta(seconds=60)
    unknown: UnknownRule = attrs.field(default=UnknownRule.REVIEW, converter=UnknownRule)
    others: tuple[str, ...] = ()


@attrs.frozen
class Open:
    """Open the flow where the routes send it, or at that account only."""

    account: str | None


@attrs.frozen
class Recover:
    """Find out what became of an opening that was never answered."""

    account: str


@attrs.frozen
class Look:
    """Fetch the result of the flow."""

    flow: Flow


@attrs.frozen
class Adopt:
    """Fetch the result of the flow that the hint names, and make it this verification's."""

    hint: Hint
    ref: str


@attrs.frozen
class Compare:
    """Fetch the result of the shadow."""

    flow: Flow


@attrs.frozen
class Erase:
    """Ask the vendor to erase its flow."""

    row: FlowRow


@attrs.frozen
class Apply:
    """Change what is stored; nobody is asked."""

    change: Change


Action: TypeAlias = Open | Recover | Look | Adopt | Compare | Erase | Apply
Finding: TypeAlias = Flow | Result | Erasure | IdvError


def plan(claim: Claim) -> Action:
    """What is to be done with a verification that is due."""
    verification, now = claim.verification, claim.now
    state, flow = verification.state, verification.flow
    if verification.erased_at is not None:
        row = next((row for row in claim.flows if row.erasure in (None, ErasureStatus.REQUESTED.value)), None)
        return Erase(row) if row is not None else Apply(Change(state=state, delay=None))
    kept = verification.retain_until
    if state is not State.OPENING and (verification.erasure_asked_at is not None or (kept is not None and kept <= now)):
        return Apply(erased(verification))
    match state:
        case State.ORDERED:
            return Apply(_expired(claim, None)) if verification.deadline <= now else Open(verification.only_account)
        case State.OPENING:
            return _adoption(claim) or Recover(verification.account or "")
        case State.UNKNOWN:
            return _resolution(claim)
        case _ if flow is None:
            return Apply(Change(state=state, delay=None))
        case State.AWAITING | State.FOLLOWING:
            return Look(flow)
        case _ if flow.shadow is not None and not claim.is_woken:
            return Compare(flow.shadow)
        case _:
            return Look(flow)


def _resolution(claim: Claim) -> Action:
    """A person's word about an unknown verification, then what a webhook says its flow is."""
    account = claim.verification.account
    for hint in claim.hints:
        if hint.proved != "person":
            continue
        if hint.event == Order.GIVE_UP.value:
            given_up = News("failed", {"why": "given up", "account": account})
            change = Change(state=State.FAILED, delay=None, news=(given_up,), delivery="verification.failed")
            return Apply(attrs.evolve(change, done=hint.digest))
        if hint.event == Order.REOPEN.value:
            return Apply(_again(account, "a person", hint.digest))
    return _adoption(claim) or Apply(Change(state=State.UNKNOWN, delay=None))


def _adoption(claim: Claim) -> Adopt | None:
    """The flow that a webhook to this application's own address names, or a person."""
    verification = claim.verification
    for hint in claim.hints:
        ref = FlowRef.parse(hint.ref) if hint.ref else None
        if ref is None or ref.is_shadow or hint.account != verification.account or hint.proved == "visit":
            continue
        if verification.order is not None:
            # who the answers must be about is not known to whoever named the flow
            ref = attrs.evolve(ref, subject=subject_of(verification.order.applicant.reference))
        return Adopt(hint, str(ref))
    return None


def conclude(claim: Claim, action: Action, finding: Finding, terms: Terms) -> Change:
    """What is made of what came of an action. `claim` says what was committed meanwhile: the accounts that were asked."""
    match action:
        case Apply(change):
            return change
        case Open():
            return (
                _opened(finding, Role.CHOSEN, terms)
                if isinstance(finding, Flow)
                else _not_opened(claim, finding, terms)
            )
        case Recover():
            if isinstance(finding, Flow):
                return _opened(finding, Role.RECOVERED, terms)
            return _not_recovered(claim, finding, terms)
        case Look():
            return _seen(claim, finding, terms) if isinstance(finding, Result) else _not_seen(claim, finding, terms)
        case Adopt(hint):
            return _adopted(claim, hint, finding, terms)
        case Compare(flow):
            return _compared(claim, flow, finding, terms)
        case Erase(row):
            return _erased(claim, row, finding, terms)


# opening


def _opened(flow: Flow, role: Role, terms: Terms) -> Change:
    kind = "opened" if role is Role.CHOSEN else role.value
    data = {"account": flow.account, "ref": flow.ref, "shadow": flow.shadow.ref if flow.shadow else None}
    return Change(
        state=_following(flow.status),
        delay=terms.first,
        news=(News(kind, {name: value for name, value in data.items() if value}),),
        flow=flow,
        role=role,
        only_account=None,
    )


def _not_opened(claim: Claim, finding: Finding, terms: Terms) -> Change:
    """Nothing is opened again that may be open: only what certainly did nothing leads back to `ordered`."""
    assert isinstance(finding, IdvError)
    was_asked = claim.verification.state is State.OPENING
    is_twin = isinstance(finding, DuplicateFlow)
    refused = isinstance(finding, (NoRoute, UnsupportedOperation, InvalidOrder)) or (is_twin and not was_asked)
    if refused and (finding.nothing_done or not was_asked):
        failed = News("failed", told(finding))
        return Change(state=State.FAILED, delay=None, news=(failed,), delivery="verification.failed")
    # the twin may be what was lost here before
    if was_asked and (is_twin or not finding.nothing_done):
        return _wait(claim, State.OPENING, finding, terms, soon=_SOON)
    return _wait(claim, State.ORDERED, finding, terms)


def _not_recovered(claim: Claim, finding: Finding, terms: Terms) -> Change:
    assert isinstance(finding, IdvError)
    account = claim.verification.account
    if isinstance(finding, FlowNotFound) and finding.nothing_done:
        return Change(state=State.ORDERED, delay=timedelta(0), news=(News("not_opened", {"account": account}),))
    if isinstance(finding, (UnsupportedOperation, ConfigError, DuplicateFlow)):
        return _lost(claim, finding, terms)
    return _wait(claim, State.OPENING, finding, terms)


def _lost(claim: Claim, finding: IdvError, terms: Terms) -> Change:
    """Nobody can tell whether the account opened a flow: what its rule says."""
    verification = claim.verification
    account = verification.account
    if terms.unknown is UnknownRule.REOPEN and verification.only_account != account:
        return _again(account, "rule", None)
    if terms.unknown is UnknownRule.NEXT and terms.others:
        return attrs.evolve(_again(terms.others[0], "rule", None), news=(_reopened(account, terms.others[0], "rule"),))
    data = {
        "account": account,
        "asked_at": verification.asked_at and verification.asked_at.isoformat(),
        **told(finding),
    }
    return Change(state=State.UNKNOWN, delay=None, news=(News("unknown", data),), delivery="verification.unknown")


def _again(account: str | None, by: str, done: bytes | None) -> Change:
    return Change(
        state=State.ORDERED,
        delay=timedelta(0),
        news=(_reopened(account, account, by),),
        only_account=account,
        done=done,
    )


def _reopened(lost: str | None, account: str | None, by: str) -> News:
    return News("opened_again", {"lost_at": lost, "account": account, "by": by})


def _adopted(claim: Claim, hint: Hint, finding: Finding, terms: Terms) -> Change:
    verification = claim.verification
    if isinstance(finding, Result):
        order = verification.order
        flow = attrs.evolve(
            finding.flow,
            application_id=order.application_id if order else None,
            created_at=finding.flow.created_at or verification.asked_at,
        )
        change = _opened(flow, Role.ADOPTED, terms)
        news = News("adopted", {"account": flow.account, "ref": flow.ref, "by": hint.proved})
        return attrs.evolve(change, delay=timedelta(0), news=(news,), done=hint.digest)
    assert isinstance(finding, IdvError)
    if isinstance(finding, (FlowNotFound, InvalidOrder, UnexpectedResponse, UnsupportedOperation, ConfigError)):
        news = News("adoption_refused", {"by": hint.proved, **told(finding)})
        return Change(state=verification.state, delay=timedelta(0), news=(news,), done=hint.digest)
    return _wait(claim, verification.state, finding, terms)


# following


def _following(status: FlowStatus) -> State:
    return State.AWAITING if status in _BEFORE else State.FOLLOWING


def _seen(claim: Claim, result: Result, terms: Terms) -> Change:
    verification, flow = claim.verification, result.flow
    before = verification.flow
    assert before is not None
    flow = attrs.evolve(flow, link=flow.link or before.link, shadow=before.shadow)
    if flow.status.is_settled:
        return _settled(claim, attrs.evolve(result, flow=flow), terms)
    was_settled = before.status.is_settled or verification.state.is_ended
    if not was_settled and verification.deadline <= claim.now:
        return attrs.evolve(_expired(claim, None), flow=flow)
    changed = flow.status is not before.status
    news = (News("reopened" if was_settled else "waiting", {"status": flow.status.value}),) if changed else ()
    tries = 0 if changed or claim.is_woken else verification.tries + 1
    return Change(
        state=_following(flow.status),
        delay=_pause(claim, tries, terms),
        tries=tries,
        news=news,
        flow=flow if flow != before else None,
    )


def follow(claim: Claim, flow: Flow, news: News, terms: Terms) -> Change:
    """After something that the platform did with the flow: it is looked at soon."""
    state = claim.verification.state
    if not flow.status.is_settled and not state.is_ended:
        state = _following(flow.status)
    return Change(state=state, delay=terms.first, news=(news,), flow=flow)


def _settled(claim: Claim, result: Result, terms: Terms) -> Change:
    """The outcome; nothing is told twice, and an outcome that changed is told as the next round."""
    verification, flow = claim.verification, result.flow
    undecided = result.decision is Decision.UNDECIDED
    state = _ENDS.get(flow.status, State.DECIDED) if undecided else State.DECIDED
    rests = _shadow_pause(claim, flow, terms)
    is_same = verification.state is state and verification.decision is result.decision and not _is_new(claim, result)
    if is_same or (verification.state.is_ended and flow.status is FlowStatus.ERASED):
        return Change(state=verification.state, delay=rests, flow=flow if flow != verification.flow else None)
    data: dict[str, Any] = {
        "decision": result.decision.value,
        "status": flow.status.value,
        "reasons": [reason.code for reason in result.reasons],
        "checks": [_check(check) for check in result.checks],
    }
    kind = state.value
    return Change(
        state=state,
        delay=rests,
        news=(News(kind, data),),
        flow=flow,
        result=result,
        delivery=f"verification.{kind}",
    )


def _is_new(claim: Claim, result: Result) -> bool:
    """Whether people who review have other evidence before them than there is now."""
    before = claim.verification.result
    return result.decision is Decision.REVIEW and before is not None and _evidence(before) != _evidence(result)


def _evidence(result: Result) -> Any:
    # without the verdict: it is what a vendor makes of the person's decision that it was told
    return to_json([*result.checks, *result.documents, *result.fields])


def _check(check: Any) -> dict[str, Any]:
    said = {
        "check": check.label,
        "outcome": check.outcome.value if check.outcome else None,
        "score": check.score.value if check.score else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _shadow_pause(claim: Claim, flow: Flow, terms: Terms) -> timedelta | None:
    """When a verification that is decided is looked at again: for its shadow, or when its approval ends."""
    if flow.shadow is not None:
        return terms.first
    if flow.valid_until is not None and flow.valid_until > claim.now:
        return flow.valid_until - claim.now
    return None


def _not_seen(claim: Claim, finding: Finding, terms: Terms) -> Change:
    assert isinstance(finding, IdvError)
    verification = claim.verification
    if verification.state.is_ended:
        # it is decided; what was to be looked at again can wait, and is not waited for for ever
        if verification.tries >= _RESTING_TRIES:
            return Change(state=verification.state, delay=None)
        return _wait(claim, verification.state, finding, terms)
    if verification.deadline <= claim.now:
        return _expired(claim, finding)
    return _wait(claim, verification.state, finding, terms)


def _compared(claim: Claim, shadow: Flow, finding: Finding, terms: Terms) -> Change:
    verification = claim.verification
    flow = verification.flow
    assert flow is not None
    done = attrs.evolve(flow, shadow=None)
    rests = _shadow_pause(claim, done, terms)
    if isinstance(finding, Result) and finding.flow.status.is_settled:
        would_be = next((reason.code for reason in finding.reasons if reason.code.startswith("shadow.")), None)
        data = {
            "account": shadow.account,
            "would_be": (would_be or "").removeprefix("shadow.") or None,
            "decision": verification.decision.value if verification.decision else None,
            "status": finding.flow.status.value,
        }
        return Change(state=verification.state, delay=rests, news=(News("compared", data),), flow=done)
    if verification.deadline <= claim.now:
        data = {"account": shadow.account, "status": "not settled in time"}
        return Change(state=verification.state, delay=rests, news=(News("compared", data),), flow=done)
    tries = verification.tries + 1
    return Change(state=verification.state, delay=_pause(claim, tries, terms), tries=tries)


def _expired(claim: Claim, finding: IdvError | None) -> Change:
    data = {"deadline": claim.verification.deadline.isoformat(), **(told(finding) if finding is not None else {})}
    return Change(state=State.EXPIRED, delay=None, news=(News("expired", data),), delivery="verification.expired")


# erasing


def _erased(claim: Claim, row: FlowRow, finding: Finding, terms: Terms) -> Change:
    verification = claim.verification
    state, tries = verification.state, verification.tries + 1
    since = verification.erased_at or claim.now
    data: dict[str, Any] = {"account": row.account, "flow": row.n}
    said: str | None = None
    if isinstance(finding, Erasure):
        said = finding.status.value
        data["kept_until"] = finding.kept_until.isoformat() if finding.kept_until else None
    elif isinstance(finding, FlowNotFound):
        said = ErasureStatus.DONE.value
    elif isinstance(finding, (UnsupportedOperation, ConfigError)):
        said = "by hand"
    elif isinstance(finding, IdvError):
        data |= told(finding)
    is_over = claim.now - since > _PATIENCE
    if said is None or said == ErasureStatus.REQUESTED.value:
        if is_over:
            said = "by hand"
        elif said is None or row.erasure == said:
            pause = _pause(claim, tries, terms) if said is None else _ERASURE
            return Change(state=state, delay=pause, tries=tries)
    news = News("erasure", {name: value for name, value in {**data, "status": said}.items() if value is not None})
    pause = _ERASURE if said == ErasureStatus.REQUESTED.value else timedelta(0)
    return Change(state=state, delay=pause, news=(news,), erasure=(row.n, said))


# waiting


def _wait(claim: Claim, state: State, finding: IdvError, terms: Terms, soon: timedelta | None = None) -> Change:
    """Once more later: no sooner than the vendor asks for."""
    tries = claim.verification.tries + 1
    asked = getattr(finding, "retry_after", None) or timedelta(0)
    pause = soon if soon is not None and tries == 1 else _pause(claim, tries, terms)
    news = (News("trouble", told(finding)),) if tries == 1 else ()
    return Change(state=state, delay=max(pause, asked), tries=tries, news=news)


def _pause(claim: Claim, tries: int, terms: Terms) -> timedelta:
    """Growing from the first pause to the ceiling; where it was waited for long already, a twentieth of that. A tenth more or
    less, so that what was begun together does not come together."""
    grown = min(terms.first * _GROWTH ** min(tries, 30), terms.ceiling)
    waited = min((claim.now - claim.verification.created_at) / _SHARE, _HOURLY)
    jitter = (crc32(f"{claim.id}{tries}".encode()) % 201 - 100) / 1000
    return max(grown, waited) * (1 + jitter)


def told(error: IdvError) -> dict[str, Any]:
    """What an event says of an error: class, code, HTTP status, names of fields. No message, for a vendor wrote it."""
    said: dict[str, Any] = {"error": type(error).__name__, "at": error.account, "operation": error.operation}
    if isinstance(error, VendorError):
        said |= {"code": error.code, "http_status": error.status, "fields": list(error.fields) or None}
    return {name: value for name, value in said.items() if value is not None}
