"""Sums over the facts, kept with them: what the overview shows of a million verifications without looking at them.

A sum changes in the transaction that changes the fact: it loses what the fact before contributed, and gains what the new one
does. So the sums are at any time what a recount of the facts gives.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date
from typing import Any, TypeAlias

from sqlalchemy import Connection, RowMapping, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ...ledger.store import Store
from ..tables import counts

_C = counts.c
STATE, DECISION, OUTCOME, FAULT, WAITING, TOOK = "state", "decision", "outcome", "fault", "waiting", "took"
KEY = ("kind", "day", "account", "product", "word")
Key: TypeAlias = tuple[str, str, str, str, str]

STEPS: Mapping[str, float] = {
    "30 s": 30,
    "1 min": 60,
    "2 min": 120,
    "5 min": 300,
    "10 min": 600,
    "30 min": 1800,
    "1 h": 3600,
    "4 h": 14_400,
    "1 day": 86_400,
    "3 days": 259_200,
}
"""How long it took from opened to completed: upper bounds of the buckets, in seconds."""
LONGER = "longer"
_STEPS = tuple(STEPS.values())
NAMES = (*STEPS, LONGER)
"""All words of `TOOK`, in their order."""


def contributions(fact: Mapping[str, Any] | RowMapping) -> Iterator[Key]:
    """What a fact counts for, once each. A fact of an older release counts for nothing until it is made anew."""
    if fact["state"] is None:
        return
    day = fact["created_at"].astimezone(UTC).strftime("%Y-%m-%d")
    where = (day, fact["account"] or "", fact["product"])
    yield (STATE, *where, fact["state"])
    if fact["decision"] is not None:
        yield (DECISION, *where, fact["decision"])
    if fact["outcome"] is not None:
        yield (OUTCOME, *where, fact["outcome"])
    if fact["is_waiting"]:
        yield (WAITING, *where, "review")
    if fact["is_faulty"]:
        yield (FAULT, day, fact["assigned"] or "", fact["product"], "faulty")
    if fact["took"] is not None:
        yield (TOOK, *where, NAMES[bisect_left(_STEPS, fact["took"] / 1000)])


def change(store: Store, con: Connection, by: Mapping[Key, int]) -> None:
    """Add to the sums, in the transaction that writes the facts. What comes to nothing is deleted."""
    rows = [dict(zip(KEY, key, strict=True)) | {"count": n} for key, n in sorted(by.items()) if n]
    if not rows:
        return
    insert = postgresql.insert(counts) if store.is_postgresql else sqlite.insert(counts)
    added = insert.on_conflict_do_update(index_elements=list(KEY), set_={"count": _C.count + insert.excluded.count})
    con.execute(added, rows)
    touched = [{row[name] for row in rows} for name in ("kind", "day")]
    con.execute(delete(counts).where(_C.kind.in_(touched[0]), _C.day.in_(touched[1]), _C.count == 0))


def sums(con: Connection, kind: str, *by: str, since: date | None = None) -> Counter[Any]:
    """How many, by tuples of the named columns, of the orders of that UTC day and later."""
    keys = [_C[name] for name in by]
    where = [_C.kind == kind]
    if since is not None:
        where.append(_C.day >= f"{since:%Y-%m-%d}")
    found = select(*keys, func.sum(_C.count)).where(*where).group_by(*keys)
    return Counter({tuple(row[:-1]): int(row[-1]) for row in con.execute(found) if row[-1]})
