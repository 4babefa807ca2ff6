"""Keeps facts and their sums up to what the events say, also with several processes, and through a crash at any point.

A round reads events, makes facts aside, and writes them, their sums and the mark (how far the events are read) in one
transaction. The mark is the fence: it is exchanged only if it is still the one that the round began with, so of two processes
that do the same, one writes, and the other begins anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs
from sqlalchemy import BigInteger, Connection, RowMapping, Text, cast, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from ...ledger import LedgerError
from ...ledger.store import Store, as_event
from ...ledger.tables import events, verifications
from ..tables import details, facts, marks
from . import rollups
from .facts import DIMENSIONS, Detail, dimensions, fact_of

_D, _E, _F, _M, _V = details.c, events.c, facts.c, marks.c, verifications.c
_NAME = "facts"
_BATCH = 500
_PAGE = 2


@attrs.frozen
class Mark:
    """How far the events are read.

    PostgreSQL gives an event its number before the transaction is committed, so a smaller one can come to light after a larger
    one was read. What is past `safe` is therefore looked at again, until no transaction runs that could bring any: `until` is
    what `pg_snapshot_xmax` said when everything up to `check` was numbered; once `pg_snapshot_xmin` has reached it, all of them
    have ended (PostgreSQL documentation, "System Information Functions", snapshots).

    `turn` makes every mark another one.
    """

    seen: int = 0
    safe: int = 0
    check: int = 0
    until: int = 0
    turn: int = 0

    @property
    def text(self) -> str:
        return json.dumps(attrs.asdict(self), separators=(",", ":"))


def refresh(store: Store, most: int | None = None) -> int:
    """Bring the facts up to what the events say, in at most `most` rounds. Returns how many were written.

    With `most`, for a page that must not wait, what was committed out of turn is left to the next whole refresh.
    """
    written = 0
    if most is None and store.is_postgresql:
        written += _late(store)
    rounds = 0
    while most is None or rounds < most:
        rounds += 1
        with store.engine.connect() as con:
            mark = _mark(con)
            rows = _events(con, mark.seen)
        if not rows:
            break
        written += _round(store, mark, attrs.evolve(mark, seen=rows[-1].n), rows) or 0
    return written


def refresh_for_page(store: Store) -> None:
    """As `refresh`, for a page that shows how far `behind` the facts are: it waits for a few rounds alone, for the service
    itself refreshes every few seconds, and where nothing can be written it shows what there is."""
    with suppress(DBAPIError):
        refresh(store, most=_PAGE)


def behind(store: Store) -> int:
    """How many events are not read yet, about."""
    with store.engine.connect() as con:
        last = con.execute(select(func.max(_E.n))).scalar_one()
        return max(0, int(last or 0) - _mark(con).seen)


def _late(store: Store) -> int:
    """What was committed after what was numbered later."""
    written = 0
    snapshot = func.pg_current_snapshot()
    oldest, newest = (
        cast(cast(one, Text), BigInteger) for one in (func.pg_snapshot_xmin(snapshot), func.pg_snapshot_xmax(snapshot))
    )
    with store.engine.connect() as con:
        begun = _mark(con)
        running_from, running_to = con.execute(select(oldest, newest)).one()
    if begun.safe == begun.seen:
        return 0
    after = begun.safe
    while after < begun.seen:
        with store.engine.connect() as con:
            mark = _mark(con)
            rows = _events(con, after, begun.seen)
        if not rows:
            break
        made = _round(store, mark, mark, rows)
        if made is not None:
            written, after = written + made, rows[-1].n
    with store.engine.connect() as con:
        mark = _mark(con)
    if running_from >= begun.until and (mark.safe, mark.until) == (begun.safe, begun.until):
        moved = attrs.evolve(mark, safe=begun.check, check=begun.seen, until=int(running_to))
        with store.begin() as con:
            _exchange(con, mark, moved)
    return written


def _events(con: Connection, after: int, upto: int | None = None) -> Sequence[Any]:
    found = select(_E.n, _E.verification_id, _E.seq).where(_E.n > after)
    if upto is not None:
        found = found.where(_E.n <= upto)
    return con.execute(found.order_by(_E.n).limit(_BATCH)).all()


def _mark(con: Connection) -> Mark:
    found = con.execute(select(_M.event).where(_M.name == _NAME)).scalar_one_or_none()
    return Mark() if found is None else Mark(**json.loads(found))


def _exchange(con: Connection, before: Mark, after: Mark) -> bool:
    """Whether the mark is still the one before; then it is the other one now, and locked until this transaction ends."""
    after = attrs.evolve(after, turn=before.turn + 1)
    exchanged = update(marks).where(_M.name == _NAME, _M.event == before.text).values(event=after.text)
    return bool(con.execute(exchanged).rowcount)


def _round(store: Store, before: Mark, after: Mark, rows: Sequence[Any]) -> int | None:
    """Write the facts of these events that are behind, with the mark: how many; None where somebody else wrote meanwhile."""
    newest = {row.verification_id: row.seq for row in sorted(rows, key=lambda row: row.seq)}
    # nothing is locked while they are made
    with store.engine.connect() as con:
        old = {row["verification_id"]: row for row in con.execute(_of(facts, newest)).mappings()}
        late = [id for id, seq in newest.items() if _is_late(old.get(id), seq)]
        made = _made(store, con, late, old) if late else {}
    if not made and before == after:
        return 0
    by: Counter[rollups.Key] = Counter()
    for id, (fact, _) in made.items():
        by.update(rollups.contributions(fact))
        if id in old:
            by.subtract(rollups.contributions(old[id]))
    with store.begin() as con:
        if before == Mark():
            con.execute(store.insert_new(marks, {"name": _NAME, "event": before.text}))
        if not _exchange(con, before, after):
            return None
        if made:
            con.execute(delete(facts).where(_F.verification_id.in_(list(made))))
            con.execute(insert(facts), [fact for fact, _ in made.values()])
            con.execute(delete(details).where(_D.verification_id.in_(list(made))))
            said = [_detail(id, one) for id, (_, found) in made.items() for one in sorted(found)]
            if said:
                con.execute(insert(details), said)
            rollups.change(store, con, by)
    return len(made)


def _is_late(fact: RowMapping | None, seq: int) -> bool:
    return fact is None or fact["seq"] < seq or fact["state"] is None


def _of(table: Any, ids: Iterable[str]) -> Any:
    return select(table).where(table.c.verification_id.in_(list(ids)))


def _detail(id: str, one: Detail) -> dict[str, str]:
    account, kind, code = one
    return {"verification_id": id, "account": account, "kind": kind, "code": code}


def _made(
    store: Store, con: Connection, ids: Sequence[str], old: Mapping[str, RowMapping]
) -> dict[str, tuple[dict[str, Any], frozenset[Detail]]]:
    rows = con.execute(select(verifications).where(_V.id.in_(ids))).mappings().all()
    histories: dict[str, list[Any]] = {id: [] for id in ids}
    for row in con.execute(_of(events, ids).order_by(_E.verification_id, _E.seq)).mappings():
        histories[row["verification_id"]].append(as_event(row))
    made = {}
    for row in rows:
        # the events were read after the row, and may know more
        history = [event for event in histories[row["id"]] if event.seq <= row["seq"]]
        made[row["id"]] = fact_of(row, history, _known(store, row, old.get(row["id"])))
    return made


def _known(store: Store, row: Any, before: RowMapping | None) -> dict[str, str | None]:
    """What only the sealed columns say. What was known before an erasure stays."""
    known: dict[str, str | None] = {name: before[name] if before is not None else None for name in DIMENSIONS}
    if row["data_key"] is None:
        return known
    try:
        found = dimensions(store.read(row))
    except LedgerError:
        # told elsewhere: the tracker logs it
        return known
    return known | {name: value for name, value in found.items() if value is not None}
