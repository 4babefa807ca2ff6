"""Who works on what: claiming what is due, the intent before a vendor is asked, and the commit that is fenced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, TypeAlias

import attrs
from sqlalchemy import Connection, RowMapping, and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from ..engine.daily_cap import until_tomorrow
from ..errors import RateLimited
from ..model import Flow, FlowRef, Result
from .errors import LedgerError, Stale
from .outbox import post
from .store import Store, moments_of
from .tables import FORMAT, flows, hints, openings, pace, verifications
from .verification import KEEP, Change, Claim, FlowRow, Hint, News, Role, State, Verification

log = logging.getLogger("idv_core")

Handler: TypeAlias = Callable[[Connection, Verification, Result | None], Any]

_V = verifications.c
_WITH_HINTS = frozenset({State.OPENING, State.UNKNOWN})


def claim(
    store: Store, worker: str, lease: timedelta, most: int = 1, id: str | None = None, is_due: bool = False
) -> list[Claim]:
    """Take what is due, or the one of that id if nobody else has it: the rows are this worker's until the lease is over.

    A lease is nothing but a later `due`: where a worker died, its rows are due again after that time. What cannot be read
    (another release's form, another ledger's key) is put off and left alone.
    """
    taken = _taking(store.is_postgresql, id is not None, id is None or is_due)
    given = {"most": most, "by": worker, **({} if id is None else {"which": id}), **store.moments(lease)}
    with store.begin() as con:
        rows = con.execute(taken, given).mappings().all()
        made = []
        for row in sorted(rows, key=lambda row: str(row["id"])):
            try:
                made.append(_claimed(store, con, worker, row))
            except (LedgerError, ValueError) as error:
                # it is looked at again when its lease is over, and takes nobody else's turn; a word that is not known here is a
                # ValueError, whose text may hold a value
                why = error.message if isinstance(error, LedgerError) else "it holds what this release does not know"
                log.error("verification %s is left alone: %s", row["id"], why)
    return made


@cache
def _taking(is_postgresql: bool, is_one: bool, is_due: bool) -> Any:
    """The statement, which is put together once: that costs more than to run it."""
    now, until = moments_of(is_postgresql)
    picked = select(_V.id).where(_V.format <= FORMAT)
    if is_due:
        picked = picked.where(_V.due <= now).order_by(_V.due)
    if is_one:
        picked = picked.where(_V.id == bindparam("which"), or_(_V.worker.is_(None), _V.due <= now))
    chosen = picked.limit(bindparam("most")).with_for_update(skip_locked=True).cte("chosen")
    if is_postgresql:
        chosen = chosen.prefix_with("MATERIALIZED", dialect="postgresql")
    return (
        update(verifications)
        .where(_V.id.in_(select(chosen.c.id)))
        .values(due=until, turn=_V.turn + 1, worker=bindparam("by"))
        .returning(*verifications.c, now.label("now"))
    )


def _claimed(store: Store, con: Connection, worker: str, row: RowMapping) -> Claim:
    verification = store.read(row)
    waiting: tuple[Hint, ...] = ()
    opened: tuple[FlowRow, ...] = ()
    if verification.state in _WITH_HINTS:
        columns = [hints.c[field.name] for field in attrs.fields(Hint)]
        # a flow that is known already, here or of another verification, cannot be the one that was lost
        known = select(flows.c.n).where(flows.c.account == hints.c.account, flows.c.flow_id == hints.c.flow_id).exists()
        found = select(*columns).where(hints.c.verification_id == verification.id, hints.c.done_at.is_(None), ~known)
        waiting = tuple(Hint(**one) for one in con.execute(found.order_by(hints.c.received_at)).mappings())
    if verification.erased_at is not None:
        opened = flows_of(con, verification.id)
    return Claim(
        verification=verification,
        worker=worker,
        turn=row["turn"],
        seen=row["hints"],
        now=row["now"],
        is_woken=row["hints"] > row["seen"],
        data_key=row["data_key"],
        hints=waiting,
        flows=opened,
    )


def flows_of(con: Connection, id: str) -> tuple[FlowRow, ...]:
    """All flows that were opened for a verification, in their order."""
    columns = [flows.c[field.name] for field in attrs.fields(FlowRow)]
    found = select(*columns).where(flows.c.verification_id == id).order_by(flows.c.n)
    return tuple(FlowRow(**one) for one in con.execute(found).mappings())


def _fenced(claim: Claim) -> ColumnElement[bool]:
    return and_(_V.id == claim.id, _V.turn == claim.turn)


def _late(claim: Claim) -> ColumnElement[bool]:
    states = [State.OPENING.value, State.UNKNOWN.value]
    return and_(_V.id == claim.id, _V.attempts == claim.verification.attempts, _V.state.in_(states))


def _write(
    store: Store, con: Connection, claim: Claim, values: dict[str, Any], where: ColumnElement[bool] | None = None
) -> RowMapping:
    written = (
        update(verifications)
        .where(_fenced(claim) if where is None else where)
        .values(values)
        .returning(*verifications.c, store.moment().label("now"))
    )
    row = con.execute(written).mappings().one_or_none()
    if row is None:
        raise Stale(f"verification {claim.id} was taken over by another worker")
    return row


def intend(
    store: Store,
    claim: Claim,
    account: str,
    lease: timedelta,
    cap: int | None = None,
    *,
    route: str | None = None,
    instead_of: str | None = None,
) -> Claim:
    """Commit that this account is about to be asked to open the flow, and count it. The lease begins anew.

    The event says by which route, and which account of it was the first, where that is another one.

    Whoever finds the verification in this state later knows where to look for the flow. Raises Stale where somebody else has
    the verification, RateLimited where the account's `cap` of openings in one UTC day is reached in all processes together.
    """
    before = claim.verification
    with store.begin() as con:
        row = _write(
            store,
            con,
            claim,
            {
                "state": State.OPENING.value,
                "account": account,
                "asked_at": store.moment(),
                "attempts": _V.attempts + 1,
                "due": store.moment(lease),
            },
        )
        now = row["now"]
        if before.state is State.OPENING and before.account is not None and before.asked_at is not None:
            # the account before this one has certainly opened nothing
            uncount(con, before.account, f"{before.asked_at:%Y-%m-%d}")
        values = {"account": account, "day": f"{now:%Y-%m-%d}", "count": 1}
        room = openings.c.count < cap if cap is not None else None
        counted = store.upsert(openings, values, ["account", "day"], {"count": openings.c.count + 1}, room)
        if cap == 0 or not con.execute(counted.returning(openings.c.count)).all():
            raise RateLimited(
                f"our own daily cap for this account ({cap}) is reached",
                account=account,
                operation="open",
                safe_to_retry=True,
                nothing_done=True,
                retry_after=until_tomorrow(now),
            )
        said = {"account": account, "route": route, "instead_of": instead_of if instead_of != account else None}
        news = News("opening", {name: value for name, value in said.items() if value is not None})
        store.append(con, claim.id, row["seq"], row["head"], now, [news])
    asked = attrs.evolve(before, state=State.OPENING, account=account, asked_at=now, attempts=row["attempts"])
    return attrs.evolve(claim, verification=asked, now=now)


def uncount(con: Connection, account: str, day: str) -> None:
    """An opening that certainly did not happen."""
    where = and_(openings.c.account == account, openings.c.day == day, openings.c.count > 0)
    con.execute(update(openings).where(where).values(count=openings.c.count - 1))


def reserve(store: Store, account: str, interval: timedelta) -> timedelta:
    """How long to wait for this account's turn where all processes together make one call in each `interval`. The place is
    taken at once."""
    now = store.moment()
    later = func.max(pace.c.free_at, now) if not store.is_postgresql else func.greatest(pace.c.free_at, now)
    with store.begin() as con:
        at = store.now(con) if store.is_postgresql else store.clock.now()
        base = con.execute(
            store.upsert(pace, {"account": account, "free_at": at}, ["account"], {"free_at": later}, None).returning(
                pace.c.free_at
            )
        ).scalar_one()
        con.execute(update(pace).where(pace.c.account == account).values(free_at=base + interval))
    wait: timedelta = base - at
    return max(wait, timedelta(0))


def commit(
    store: Store,
    claim: Claim,
    change: Change,
    endpoints: Sequence[str] = (),
    handlers: Iterable[Handler] = (),
    *,
    deadline: timedelta,
    retention: timedelta | None = None,
    is_late: bool = False,
) -> Verification:
    """Write what a turn came to, with its events, its messages and what the handlers write, all or nothing.

    Raises Stale, and then nothing is written, where another worker has taken the verification over meanwhile. `is_late` is for
    who held the vendor's answer to an opening when that happened: it still counts as long as the same attempt is not cleared
    up, and whoever is at that is the one who is stale.
    """
    before = claim.verification
    rests = change.state.is_ended or change.state is State.UNKNOWN
    values: dict[str, Any] = {"state": change.state.value, "tries": change.tries, "seen": claim.seen, "worker": None}
    # a turn is written once, also where the answer to the commit was lost
    values["turn"] = _V.turn + 1
    due: Any = store.moment(change.delay) if change.delay is not None else None
    if rests and before.retain_until is None and retention is not None:
        values["retain_until"] = store.moment(retention)
    if due is None and rests:
        due = values.get("retain_until", _V.retain_until if before.erased_at is None else None)
    comes = or_(_V.hints > claim.seen, and_(_V.erasure_asked_at.is_not(None), _V.erased_at.is_(None)))
    values["due"] = case((comes, store.moment()), else_=due)
    if before.state.is_ended and not rests:
        values |= {"deadline": store.moment(deadline), "retain_until": None}
    if change.account is not KEEP:
        values["account"] = change.account
    if change.only_account is not KEEP:
        values["only_account"] = change.only_account
    if change.delivery is not None:
        values["round"] = _V.round + 1
    values |= _sealed(store, claim, change)
    if change.is_erased:
        nothing = dict.fromkeys(("data_key", "sealed_order", "sealed_flow", "sealed_result"))
        values |= {**nothing, "erased_at": store.moment(), "retain_until": None}
        values["due"] = store.moment(change.delay) if change.delay is not None else None
    with store.begin() as con:
        row = _write(store, con, claim, values, _late(claim) if is_late else _fenced(claim))
        now = row["now"]
        store.append(con, claim.id, row["seq"], row["head"], now, change.news)
        if change.flow is not None and change.flow.id != (before.flow.id if before.flow else None):
            _add_flows(store, con, claim.id, change.flow, change.role, now)
        if change.erasure is not None:
            n, said = change.erasure
            where = and_(flows.c.verification_id == claim.id, flows.c.n == n)
            con.execute(update(flows).where(where).values(erasure=said, erasure_at=now))
        if change.done is not None:
            con.execute(update(hints).where(hints.c.digest == change.done).values(done_at=now))
        if change.state is State.ORDERED and before.state is State.OPENING and before.account and before.asked_at:
            uncount(con, before.account, f"{before.asked_at:%Y-%m-%d}")
        after = store.read(row)
        if change.delivery is not None:
            post(store, con, after, change.delivery, endpoints, now)
            for handler in handlers:
                handler(con, after, after.result)
    return after


def _sealed(store: Store, claim: Claim, change: Change) -> dict[str, Any]:
    """Columns of the flow and the result, and what stands in clear of them."""
    before = claim.verification
    values: dict[str, Any] = {}
    flow, result = change.flow, change.result
    if flow is not None:
        values |= {"account": flow.account, "flow_id": flow.id, "ref": flow.ref}
        values["policy"] = FlowRef.parse(flow.ref).policy
    if result is not None:
        values |= {"decision": result.decision.value, "decided_at": store.moment()}
    if flow is not None or result is not None:
        key = store.unwrapped(before.id, claim.data_key)
        sealed: dict[str, Any] = {"flow": flow, "result": result}
        values |= store.sealed(key, before.id, **{name: value for name, value in sealed.items() if value is not None})
    return values


def _add_flows(store: Store, con: Connection, id: str, flow: Flow, role: Role, now: Any) -> None:
    opened = [(flow, role)] + ([(flow.shadow, Role.SHADOW)] if flow.shadow is not None else [])
    last = con.execute(select(func.max(flows.c.n)).where(flows.c.verification_id == id)).scalar() or 0
    for n, (one, how) in enumerate(opened, last + 1):
        row = {"account": one.account, "flow_id": one.id, "ref": one.ref, "role": how.value, "opened_at": now}
        con.execute(insert(flows).values(verification_id=id, n=n, **row))
    # a webhook may have named the flow before it was known here
    early = and_(hints.c.account == flow.account, hints.c.flow_id == flow.id, hints.c.verification_id.is_(None))
    if con.execute(update(hints).where(early).values(verification_id=id)).rowcount:
        con.execute(update(verifications).where(_V.id == id).values(due=store.moment(), hints=_V.hints + 1))


def release(store: Store, claim: Claim, delay: timedelta, tries: int) -> None:
    """Give the verification back as it is, due after `delay`. Raises Stale."""
    due = case((_V.hints > claim.seen, store.moment()), else_=store.moment(delay))
    with store.begin() as con:
        _write(store, con, claim, {"worker": None, "due": due, "tries": tries, "turn": _V.turn + 1})
