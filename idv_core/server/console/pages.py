"""The pages that are looked at."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select
from starlette.responses import Response

from ...ledger import State
from ...ledger.store import Store
from ...ledger.tables import deliveries
from ...model import Decision
from .. import metrics, performance, reviews, search
from ..problems import BadRequest
from ..wire import accounts_json
from .web import HEADERS, Visit

_STATES = tuple(state.value for state in State)
_DECISIONS = tuple(decision.value for decision in Decision)


async def overview(visit: Visit) -> Response:
    store = visit.service.ledger.store
    counted = await asyncio.to_thread(search.counts, store)
    states: Counter[str] = Counter()
    decisions: Counter[str] = Counter()
    for (state, _, decision), count in counted.items():
        states[state] += count
        if decision is not None:
            decisions[decision] += count
    _, dead = await asyncio.to_thread(metrics.letters, store)
    lag = await asyncio.to_thread(metrics.due_lag, store)
    return visit.page(
        "overview.html",
        states=_bars({name: states[name] for name in _STATES if states[name]}),
        decisions=_bars({name: decisions[name] for name in _DECISIONS if decisions[name]}),
        unknown=states[State.UNKNOWN.value],
        dead=dead,
        waiting=await asyncio.to_thread(reviews.waiting, store),
        lag=round(lag.total_seconds()),
        accounts=accounts_json(visit.service.gateway),
    )


def _bars(values: Mapping[str, int]) -> list[tuple[str, int, float]]:
    """Name, count, and length in per cent of the longest."""
    longest = max(values.values(), default=1)
    return [(name, count, round(100 * count / longest, 1)) for name, count in values.items()]


async def trouble(visit: Visit) -> Response:
    ledger = visit.service.ledger
    unknown = await asyncio.to_thread(ledger.listed, State.UNKNOWN)
    dead = await asyncio.to_thread(_dead, ledger.store)
    return visit.page("trouble.html", unknown=unknown, dead=dead)


def _dead(store: Store, most: int = 200) -> list[Any]:
    columns = deliveries.c
    found = select(
        columns.id, columns.verification_id, columns.endpoint, columns.type, columns.last_status, columns.dead_at
    )
    with store.engine.connect() as con:
        return list(
            con.execute(found.where(columns.dead_at.is_not(None)).order_by(columns.dead_at).limit(most)).mappings()
        )


async def report(visit: Visit) -> Response:
    """The report as a page."""
    params = visit.request.query_params
    by = _by(visit)
    wrong, lines = None, []
    try:
        lines = await asyncio.to_thread(performance.report, visit.service.ledger.store, by, *_period(visit))
    except ValueError:
        wrong = "Dates are written as 2026-11-30."
    values = {"since": params.get("since", ""), "until": params.get("until", "")}
    query = urlencode([*(("by", one) for one in by), *((name, text) for name, text in values.items() if text)])
    status = 200 if wrong is None else 400
    more = {"by": by, "all": performance.BY, "columns": performance.COLUMNS, "query": query, "wrong": wrong, **values}
    return visit.page("performance.html", status, lines=lines, **more)


async def report_csv(visit: Visit) -> Response:
    """The same as a file."""
    by = _by(visit)
    try:
        lines = await asyncio.to_thread(performance.report, visit.service.ledger.store, by, *_period(visit))
    except ValueError:
        raise BadRequest("dates are written as 2026-11-30") from None
    headers = {**HEADERS, "content-disposition": 'attachment; filename="performance.csv"'}
    return Response(performance.as_csv(lines, by), headers=headers, media_type="text/csv")


def _by(visit: Visit) -> tuple[str, ...]:
    wanted = visit.request.query_params.getlist("by")
    return tuple(one for one in performance.BY if one in wanted) or ("account",)


def _period(visit: Visit) -> tuple[datetime | None, datetime | None]:
    params = visit.request.query_params
    since, until = (params.get(name, "").strip() for name in ("since", "until"))
    return (_midnight(since) if since else None, _midnight(until) if until else None)


def _midnight(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time(), UTC)
