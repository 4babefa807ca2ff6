"""The report: counts, rates, times, costs and reasons by account, route, country and document, of the facts."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import attrs
from sqlalchemy import Connection, func, select
from sqlalchemy.sql import ColumnElement

from ...config import Price
from ...ledger.store import Store
from ..tables import details, facts
from .facts import ABANDONED, ASKED, COMPLETED, DECLINED, ERROR, FAILED, REVIEW, UNKNOWN
from .refreshing import refresh

_D, _F = details.c, facts.c
BY = ("account", "route", "country", "document")
"""What a report may be divided by."""

Group: TypeAlias = tuple[str | None, ...]

COLUMNS = (
    "ordered",
    "asked",
    "opened",
    "started",
    "completed",
    "approved",
    "declined",
    "review",
    "abandoned",
    "failed",
    "running",
    "errors",
    "unknowns",
)
RATES = ("conversion", "completion", "success_rate", "error_rate", "unknown_rate")
_REASONS = 5
_CENTS = Decimal("0.0001")


@attrs.frozen(kw_only=True)
class Cost:
    """What a group has cost, by the prices of its accounts. All of them have one, in the same currency."""

    total: Decimal
    currency: str
    completed: int
    decided: int

    @property
    def per_completed(self) -> Decimal | None:
        return _share_of(self.total, self.completed)

    @property
    def per_decided(self) -> Decimal | None:
        """Decided: approved or declined."""
        return _share_of(self.total, self.decided)


def _share_of(total: Decimal, count: int) -> Decimal | None:
    return (total / count).quantize(_CENTS) if count else None


@attrs.frozen(kw_only=True)
class Line:
    """How a group of verifications went.

    Args:
        group: The values of what it is divided by; None where it is not known.
        ordered: Verifications that were ordered. Divided by account: that it has now.
        asked: Those, and those in which it was asked, or should have been, and another account has it now.
        opened: Of `ordered`: the vendor made a flow.
        started: Of these: the applicant did something, as far as the vendor tells.
        completed: Of these: the vendor came to an end with the evidence.
        approved: The policy approved it.
        declined: The policy declined it.
        review: The policy left it to a person.
        abandoned: Opened, and expired or cancelled before it was completed.
        failed: Ended by an error, before or after it was opened.
        running: Opened, and not ended yet.
        median: Seconds from opened to completed: half took no longer. None where nothing was completed.
        p95: The same for 95 %.
        errors: Of `asked`: the vendor failed at least once.
        unknowns: Of `asked`: nobody could tell, at least once, whether a flow was opened.
        cost: What it cost. None where a price is missing, or the accounts have prices in several currencies.
        reasons: The most frequent codes of what was declined, sent to review or failed, each with its kind and count.
    """

    group: Group
    ordered: int = 0
    asked: int = 0
    opened: int = 0
    started: int = 0
    completed: int = 0
    approved: int = 0
    declined: int = 0
    review: int = 0
    abandoned: int = 0
    failed: int = 0
    running: int = 0
    median: float | None = None
    p95: float | None = None
    errors: int = 0
    unknowns: int = 0
    cost: Cost | None = None
    reasons: tuple[tuple[str, str, int], ...] = ()

    @property
    def conversion(self) -> float | None:
        """Of those that were begun, how many were completed, whatever the decision.

        Plaid's conversion rate: https://plaid.com/docs/identity-verification/reporting/
        """
        return _rate(self.completed, self.started)

    @property
    def completion(self) -> float | None:
        """Of those that were opened and have ended, how many were completed. Needs no vendor to tell who began."""
        return _rate(self.completed, self.opened - self.running)

    @property
    def success_rate(self) -> float | None:
        """Of those that were completed, how many were approved; what waits for a person was not.

        Plaid's success rate: https://plaid.com/docs/identity-verification/reporting/
        """
        return _rate(self.approved, self.completed)

    @property
    def error_rate(self) -> float | None:
        return _rate(self.errors, self.asked)

    @property
    def unknown_rate(self) -> float | None:
        return _rate(self.unknowns, self.asked)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


def report(
    store: Store,
    by: Sequence[str] = ("account",),
    since: datetime | None = None,
    until: datetime | None = None,
    prices: Mapping[str, Price | None] | None = None,
) -> list[Line]:
    """One line for each group, the largest first. `since` and `until` are about when it was ordered; `prices` by account.

    Raises ValueError for what a report is not divided by.
    """
    if not set(by) <= set(BY):
        raise ValueError(f"by: must be one or more of {', '.join(BY)}")
    refresh(store)
    where = [_F.created_at >= since] if since is not None else []
    where += [_F.created_at < until] if until is not None else []
    with store.engine.connect() as con:
        counted, costs = _counted(con, by, where, prices or {})
        for group, more in _detailed(con, by, where).items():
            counted.setdefault(group, Counter()).update(more)
        times = _times(con, by, where)
        reasons = _reasons(con, by, where)
    lines = [
        Line(
            group=group,
            **{name: counts[name] for name in COLUMNS},
            median=times.get(group, (None, None))[0],
            p95=times.get(group, (None, None))[1],
            cost=costs.get(group),
            reasons=reasons.get(group, ()),
        )
        for group, counts in counted.items()
    ]
    return sorted(lines, key=lambda line: (-line.ordered, [name or "" for name in line.group]))


def _how_many(condition: Any) -> Any:
    return func.count().filter(condition)


_COUNTED: Mapping[str, Any] = {
    "ordered": func.count(),
    "opened": func.count(_F.opened_at),
    "started": func.count(_F.started_at),
    "completed": _how_many(_F.outcome.in_(COMPLETED)),
    **{one: _how_many(_F.outcome == one) for one in COMPLETED},
    ABANDONED: _how_many(_F.outcome == ABANDONED),
    FAILED: _how_many(_F.outcome == FAILED),
    "running": _how_many(_F.opened_at.is_not(None) & _F.outcome.is_(None)),
}


def _counted(
    con: Connection, by: Sequence[str], where: list[ColumnElement[bool]], prices: Mapping[str, Price | None]
) -> tuple[dict[Group, Counter[str]], dict[Group, Cost]]:
    """Counts and costs. Both are first made by account too, which has the price."""
    keys = [_F[name] for name in by]
    found = select(*keys, _F.account, *_COUNTED.values()).where(*where).group_by(*keys, _F.account)
    counted: dict[Group, Counter[str]] = defaultdict(Counter)
    parts: dict[Group, list[tuple[str, Counter[str]]]] = defaultdict(list)
    for row in con.execute(found):
        group, account, numbers = tuple(row[: len(by)]), row[len(by)], row[len(by) + 1 :]
        counts = Counter({name: int(number) for name, number in zip(_COUNTED, numbers, strict=True)})
        counted[group] += counts
        counted[group]["asked"] += counts["ordered"]
        if counts["opened"]:
            parts[group].append((account, counts))
    costs = {group: cost for group, some in parts.items() if (cost := cost_of(some, prices)) is not None}
    return dict(counted), costs


def cost_of(parts: Iterable[tuple[str, Mapping[str, int]]], prices: Mapping[str, Price | None]) -> Cost | None:
    """The cost of accounts with their counts; None where one has no price, or the currencies differ."""
    total, completed, decided = Decimal(0), 0, 0
    currencies: set[str] = set()
    for account, counts in parts:
        price = prices.get(account)
        if price is None:
            return None
        currencies.add(price.currency)
        total += price.opened * counts["opened"] + price.completed * counts["completed"]
        completed += counts["completed"]
        decided += counts["approved"] + counts["declined"]
    if len(currencies) != 1:
        return None
    return Cost(total=total, currency=currencies.pop(), completed=completed, decided=decided)


def _joined(by: Sequence[str], where: list[ColumnElement[bool]], *columns: Any) -> Any:
    """Columns of the details by group. Divided by account, it is the one of the detail, which may not have the flow now."""
    keys = [_D.account if name == "account" else _F[name] for name in by]
    both = details.join(facts, _F.verification_id == _D.verification_id)
    some = select(*keys, *columns, func.count(_D.verification_id.distinct())).select_from(both).where(*where)
    return some.group_by(*keys, *columns)


def _group(row: Any, by: Sequence[str]) -> Group:
    return tuple(value or None if name == "account" else value for name, value in zip(by, row, strict=False))


def _detailed(con: Connection, by: Sequence[str], where: list[ColumnElement[bool]]) -> dict[Group, Counter[str]]:
    names = {ASKED: "asked", ERROR: "errors", UNKNOWN: "unknowns"}
    kinds = [kind for kind in names if kind != ASKED or "account" in by]
    counted: dict[Group, Counter[str]] = defaultdict(Counter)
    for row in con.execute(_joined(by, [*where, _D.kind.in_(kinds)], _D.kind)):
        counted[_group(row, by)][names[row[-2]]] += int(row[-1])
    return counted


def _reasons(
    con: Connection, by: Sequence[str], where: list[ColumnElement[bool]]
) -> dict[Group, tuple[tuple[str, str, int], ...]]:
    kinds = (DECLINED, REVIEW, ERROR, UNKNOWN)
    found: dict[Group, list[tuple[str, str, int]]] = defaultdict(list)
    for row in con.execute(_joined(by, [*where, _D.kind.in_(kinds)], _D.kind, _D.code)):
        found[_group(row, by)].append((row[-3], row[-2], int(row[-1])))
    return {
        group: tuple(sorted(some, key=lambda one: (-one[2], one[0], one[1]))[:_REASONS])
        for group, some in found.items()
    }


def _times(
    con: Connection, by: Sequence[str], where: list[ColumnElement[bool]]
) -> dict[Group, tuple[float | None, float | None]]:
    """The smallest time that half, and 95 %, do not exceed (nearest rank), of what the database sorts."""
    keys = [_F[name] for name in by]
    place = func.row_number().over(partition_by=keys or None, order_by=_F.took).label("place")
    many = func.count().over(partition_by=keys or None).label("many")
    timed = select(*keys, _F.took, place, many).where(*where, _F.took.is_not(None)).subquery()
    ranks = [(timed.c.many * share + 99) // 100 for share in (50, 95)]
    columns = [timed.c[name] for name in by]
    picked = select(*columns, timed.c.took, timed.c.place == ranks[0], timed.c.place == ranks[1])
    made: dict[Group, tuple[float | None, float | None]] = {}
    for row in con.execute(picked.where(timed.c.place.in_(ranks))):
        group, (took, is_median, is_p95) = tuple(row[: len(by)]), row[len(by) :]
        median, p95 = made.get(group, (None, None))
        made[group] = (took / 1000 if is_median else median, took / 1000 if is_p95 else p95)
    return made


# as plain rows

_MORE = ("median_seconds", "p95_seconds", "cost", "cost_per_completed", "cost_per_decided", "currency", "reasons")


def rows(lines: Iterable[Line], by: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The report as plain rows, for JSON and CSV. Money is text, so that nobody reads it as a float."""
    for line in lines:
        cost = line.cost
        yield {
            **dict(zip(by, line.group, strict=True)),
            **{name: getattr(line, name) for name in COLUMNS},
            **{name: _rounded(getattr(line, name), 4) for name in RATES},
            "median_seconds": _rounded(line.median, 1),
            "p95_seconds": _rounded(line.p95, 1),
            "cost": str(cost.total) if cost is not None else None,
            "cost_per_completed": _text(cost.per_completed) if cost is not None else None,
            "cost_per_decided": _text(cost.per_decided) if cost is not None else None,
            "currency": cost.currency if cost is not None else None,
            "reasons": "; ".join(f"{kind} {code}: {count}" for kind, code, count in line.reasons) or None,
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return round(value, digits) if value is not None else None


def _text(value: Decimal | None) -> str | None:
    return str(value) if value is not None else None


def columns(by: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns of `rows`."""
    return (*by, *COLUMNS, *RATES, *_MORE)


def csv_of(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Rows as CSV (RFC 4180). Texts that a spreadsheet would take for a formula are quoted."""
    made = io.StringIO()
    writer = csv.DictWriter(made, names)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return made.getvalue()


# OWASP, "CSV Injection", with the wide forms that Japanese spreadsheets take for the same
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
