"""How the vendors do, by account, route, country and document: counts and times, of facts that outlive an erasure.

A fact is one line for each verification: when it was ordered, opened, begun and ended, and how. It is made of the events, which
hold nothing personal; country and type of document, the only parts that are sealed, are kept as such. Facts are refreshed by
`refresh`: by `idv serve` every few seconds, and before each report.

Nothing here is a reason to prefer a vendor that approves more. Whom a vendor approves depends on who is sent there.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
from sqlalchemy import Connection, RowMapping, func, select, update

from ..ledger import Event, State, Verification
from ..ledger.errors import LedgerError
from ..ledger.store import Store, as_event
from ..ledger.tables import events, verifications
from ..model import Decision
from .tables import facts, marks

_E, _F, _V = events.c, facts.c, verifications.c
_MARK = "facts"
_BATCH = 500
# Transactions of ledgers take milliseconds; what was numbered within so long before may still come to light.
_SETTLED = timedelta(minutes=1)

BY = ("account", "route", "country", "document")
"""What a report may be divided by."""


@attrs.frozen(kw_only=True)
class Line:
    """How a group of verifications went.

    Args:
        group: The values of what it is divided by; None where it is not known.
        ordered: Verifications that were ordered.
        opened: Of these: the vendor made a flow.
        started: Of these: the applicant did something, as far as the vendor tells.
        completed: Of these: the vendor came to an end with the evidence.
        approved, declined, review: What the policy made of it.
        abandoned: Opened, and expired or cancelled before it was completed.
        running: Opened, and not ended yet.
        median, most: Seconds from opened to completed: half, and 95 %, took no longer. None where nothing was completed.
        errors: Verifications in which the vendor failed at least once.
        unknowns: Verifications in which nobody could tell, at least once, whether a flow was opened.
    """

    group: tuple[str | None, ...]
    ordered: int
    opened: int
    started: int
    completed: int
    approved: int
    declined: int
    review: int
    abandoned: int
    running: int
    median: float | None
    most: float | None
    errors: int
    unknowns: int

    @property
    def conversion(self) -> float | None:
        """Of those that were opened and have ended, how many were completed."""
        ended = self.opened - self.running
        return self.completed / ended if ended else None

    @property
    def error_rate(self) -> float | None:
        return self.errors / self.ordered if self.ordered else None

    @property
    def unknown_rate(self) -> float | None:
        return self.unknowns / self.ordered if self.ordered else None


# facts


def refresh(store: Store) -> int:
    """Bring the facts up to what the events say. Returns how many were written. Two processes that do it write the same."""
    written = 0
    while True:
        mark = _mark(store)
        some = select(_E.n, _E.verification_id, _E.at).where(_E.n > mark).order_by(_E.n).limit(_BATCH)
        with store.engine.connect() as con:
            rows = con.execute(some).all()
            settled = con.execute(select(store.moment(-_SETTLED))).scalar_one()
        if not rows:
            return written
        written += _write(store, dict.fromkeys(row.verification_id for row in rows))
        done = [row.n for row in rows if row.at < settled]
        if done:
            _set_mark(store, done[-1])
        if len(rows) < _BATCH or not done:
            # the last minute is looked at again next time
            return written + (_rest(store, rows[-1].n) if len(rows) == _BATCH else 0)


def _rest(store: Store, after: int) -> int:
    """What is younger than a minute, and more than one batch."""
    some = select(_E.verification_id).where(_E.n > after).distinct()
    with store.engine.connect() as con:
        return _write(store, list(con.execute(some).scalars()))


def _mark(store: Store) -> int:
    with store.engine.connect() as con:
        found = con.execute(select(marks.c.event).where(marks.c.name == _MARK)).scalar_one_or_none()
    return int(found or 0)


def _set_mark(store: Store, n: int) -> None:
    with store.begin() as con:
        con.execute(store.insert_new(marks, {"name": _MARK, "event": "0"}))
        con.execute(update(marks).where(marks.c.name == _MARK).values(event=str(n)))


def _write(store: Store, ids: Iterable[str]) -> int:
    written = 0
    for id in ids:
        with store.begin() as con:
            con.execute(update(facts).where(_F.verification_id == id).values(seq=_F.seq))
            row = store.row(con, _V.id == id)
            before = con.execute(select(facts).where(_F.verification_id == id)).mappings().one_or_none()
            if row is None or (before is not None and before["seq"] >= row["seq"]):
                continue
            values = _fact(store, con, row, before)
            same = {"verification_id": id}
            con.execute(store.upsert(facts, {**same, **values}, list(same), values, _F.seq < row["seq"]))
            written += 1
    return written


def _fact(store: Store, con: Connection, row: RowMapping, before: RowMapping | None) -> dict[str, Any]:
    history = [as_event(one) for one in con.execute(_history(row["id"])).mappings()]
    opened = _first(history, "opened", "recovered", "adopted")
    started = next((event for event in history if _is_start(event)), None)
    # only what is there can be read; what was known before an erasure stays
    known = {name: before[name] if before is not None else None for name in ("route", "country", "document")}
    try:
        known |= {name: value for name, value in _dimensions(store.read(row)).items() if value is not None}
    except LedgerError:
        # told elsewhere: the tracker logs it
        pass
    state, outcome = State(row["state"]), None
    ended: datetime | None = None
    if state is State.DECIDED:
        outcome = row["decision"]
        ended = next((event.at for event in reversed(history) if event.kind == State.DECIDED.value), row["decided_at"])
    elif state.is_ended:
        abandoned = _was_abandoned(state, history)
        outcome = "abandoned" if abandoned else "failed"
        ended = next((event.at for event in reversed(history) if event.kind == state.value), None)
    if state is State.DECIDED and outcome == Decision.UNDECIDED.value:
        outcome = "failed"
    return {
        "seq": row["seq"],
        "product": row["product"],
        "account": row["account"],
        **known,
        "created_at": row["created_at"],
        "opened_at": opened.at if opened is not None else None,
        "started_at": started.at if started is not None else None,
        "ended_at": ended,
        "outcome": outcome,
        "troubles": sum(event.kind in ("trouble", "failed") and "error" in event.data for event in history),
        "unknowns": sum(event.kind == "unknown" for event in history),
    }


def _history(id: str) -> Any:
    return select(events).where(_E.verification_id == id).order_by(_E.seq)


def _first(history: Sequence[Event], *kinds: str) -> Event | None:
    return next((event for event in history if event.kind in kinds), None)


def _is_start(event: Event) -> bool:
    """The applicant, or the platform for them, has done something."""
    if event.kind == "waiting":
        return event.data.get("status") == "processing"
    if event.kind == "decided":
        return True
    return event.kind in ("uploaded", "submitted")


def _was_abandoned(state: State, history: Sequence[Event]) -> bool:
    """Opened, and given up by the applicant: it ran out, here or at the vendor's, or was cancelled."""
    if _first(history, "opened", "recovered", "adopted") is None:
        return False
    last = next((event for event in reversed(history) if event.kind == state.value), None)
    return state is State.EXPIRED or (last is not None and last.data.get("status") in ("expired", "cancelled"))


def _dimensions(verification: Verification) -> dict[str, str | None]:
    order, flow, result = verification.order, verification.flow, verification.result
    kinds = [one.type.value for one in result.documents if one.type is not None] if result is not None else []
    kinds += [kind.value for kind in order.documents] if order is not None else []
    return {
        "route": flow.explanation.route if flow is not None and flow.explanation is not None else None,
        "country": order.applicant.country if order is not None else None,
        "document": kinds[0] if kinds else None,
    }


# the report


def report(
    store: Store, by: Sequence[str] = ("account",), since: datetime | None = None, until: datetime | None = None
) -> list[Line]:
    """One line for each group, the largest first. `since` and `until` are about when it was ordered.

    Raises ValueError for what a report is not divided by.
    """
    if not set(by) <= set(BY):
        raise ValueError(f"by: must be of {', '.join(BY)}")
    refresh(store)
    where = [_F.created_at >= since] if since is not None else []
    where += [_F.created_at < until] if until is not None else []
    keys = [_F[name] for name in by]
    completed = _F.outcome.in_([Decision.APPROVED.value, Decision.DECLINED.value, Decision.REVIEW.value])
    counted = {
        "ordered": func.count(),
        "opened": func.count(_F.opened_at),
        "started": func.count(_F.started_at),
        "completed": _how_many(completed),
        "approved": _how_many(_F.outcome == Decision.APPROVED.value),
        "declined": _how_many(_F.outcome == Decision.DECLINED.value),
        "review": _how_many(_F.outcome == Decision.REVIEW.value),
        "abandoned": _how_many(_F.outcome == "abandoned"),
        "running": _how_many(_F.opened_at.is_not(None) & _F.outcome.is_(None)),
        "errors": _how_many(_F.troubles > 0),
        "unknowns": _how_many(_F.unknowns > 0),
    }
    columns = [value.label(name) for name, value in counted.items()]
    grouped = select(*keys, *columns).where(*where).group_by(*keys)
    times = select(*keys, _F.opened_at, _F.ended_at).where(*where, completed, _F.opened_at.is_not(None))
    took: dict[tuple[str | None, ...], list[float]] = {}
    with store.engine.connect() as con:
        rows = con.execute(grouped).all()
        for row in con.execute(times.execution_options(yield_per=10_000)):
            if row.ended_at is not None:
                took.setdefault(tuple(row[: len(by)]), []).append((row.ended_at - row.opened_at).total_seconds())
    lines = []
    for row in rows:
        group = tuple(row[: len(by)])
        seconds = sorted(took.get(group, ()))
        values = {name: int(row[len(by) + index] or 0) for index, name in enumerate(counted)}
        lines.append(Line(group=group, median=_quantile(seconds, 0.5), most=_quantile(seconds, 0.95), **values))
    return sorted(lines, key=lambda line: (-line.ordered, [name or "" for name in line.group]))


def _how_many(condition: Any) -> Any:
    return func.count().filter(condition)


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


COLUMNS = (
    "ordered",
    "opened",
    "started",
    "completed",
    "approved",
    "declined",
    "review",
    "abandoned",
    "running",
    "errors",
    "unknowns",
)


def rows(lines: Iterable[Line], by: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The report as plain rows, for JSON and CSV."""
    for line in lines:
        yield {
            **dict(zip(by, line.group, strict=True)),
            **{name: getattr(line, name) for name in COLUMNS},
            "conversion": _rounded(line.conversion, 4),
            "error_rate": _rounded(line.error_rate, 4),
            "unknown_rate": _rounded(line.unknown_rate, 4),
            "median_seconds": _rounded(line.median, 1),
            "p95_seconds": _rounded(line.most, 1),
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return round(value, digits) if value is not None else None


def as_csv(lines: Iterable[Line], by: Sequence[str]) -> str:
    """The report as CSV (RFC 4180). Names that a spreadsheet would take for a formula are quoted."""
    made = io.StringIO()
    names = [*by, *COLUMNS, "conversion", "error_rate", "unknown_rate", "median_seconds", "p95_seconds"]
    writer = csv.DictWriter(made, names)
    writer.writeheader()
    for row in rows(lines, by):
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return made.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
