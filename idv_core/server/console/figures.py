"""The pages of figures: the overview, and how the vendors do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import attrs
from sqlalchemy import Connection
from starlette.responses import Response

from ...config import Price
from ...gateway.sync import GatewayBase
from ...ledger import State
from ...ledger.store import Store
from ...model import Decision
from ...model.validation import text_fault
from .. import metrics, performance
from ..performance import rollups
from ..performance.facts import COMPLETED
from ..performance.refreshing import behind, refresh_for_page
from ..performance.rollups import sums
from ..problems import BadRequest
from ..wire import accounts_json
from .charts import Chart, stacked
from .web import HEADERS, Visit

_STATES = tuple(state.value for state in State)
_DECISIONS = tuple(decision.value for decision in Decision)
PERIODS = (7, 30, 90)
"""Days that the overview may be about, today included."""
_PERIOD = 30
NOBODY = "nobody yet"


@attrs.frozen(kw_only=True)
class _Overview:
    """What the overview shows of the database."""

    states: Counter[str]
    decisions: Counter[str]
    times: Counter[str]
    by_account: Chart
    by_product: Chart
    ordered: Counter[str]
    ended: Counter[str]
    completed: Counter[str]
    unknown: int
    waiting: int
    dead: int
    lag: timedelta
    behind: int


def _read(store: Store, days: int) -> _Overview:
    refresh_for_page(store)
    today = store.clock.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    with store.engine.connect() as con:
        by_day = sums(con, rollups.STATE, "day", "account", since=first)
        by_product = sums(con, rollups.STATE, "day", "product", since=first)
        by_outcome = sums(con, rollups.OUTCOME, "account", "word", since=first)
        states, decisions, times = (
            _by_word(con, kind, first) for kind in (rollups.STATE, rollups.DECISION, rollups.TOOK)
        )
        waiting = sums(con, rollups.WAITING).total()
    ordered, ended, completed = Counter[str](), Counter[str](), Counter[str]()
    for (_, account), count in by_day.items():
        ordered[account] += count
    for (account, outcome), count in by_outcome.items():
        ended[account] += count
        completed[account] += count if outcome in COMPLETED else 0
    named = {(day, account or NOBODY): count for (day, account), count in by_day.items()}
    return _Overview(
        states=states,
        decisions=decisions,
        times=times,
        by_account=stacked(named, first, today),
        by_product=stacked(by_product, first, today),
        ordered=ordered,
        ended=ended,
        completed=completed,
        unknown=metrics.in_state(store, State.UNKNOWN),
        waiting=waiting,
        dead=metrics.letters(store)[1],
        lag=metrics.due_lag(store),
        behind=behind(store),
    )


def _by_word(con: Connection, kind: str, since: date) -> Counter[str]:
    return Counter({word: count for (word,), count in sums(con, kind, "word", since=since).items()})


async def overview(visit: Visit) -> Response:
    given = visit.request.query_params.get("days", "")
    days = int(given) if given in map(str, PERIODS) else _PERIOD
    found = await asyncio.to_thread(_read, visit.service.ledger.store, days)
    accounts = [
        {
            **one,
            "ordered": found.ordered[one["name"]],
            "completion": _share(found.completed[one["name"]], found.ended[one["name"]]),
        }
        for one in accounts_json(visit.service.gateway)
    ]
    return visit.page(
        "overview.html",
        days=days,
        periods=PERIODS,
        charts=[("account", found.by_account), ("product", found.by_product)],
        states=_bars({name: found.states[name] for name in _STATES if found.states[name]}),
        decisions=_bars({name: found.decisions[name] for name in _DECISIONS if found.decisions[name]}),
        times=_bars({name: found.times[name] for name in rollups.NAMES}) if found.times else [],
        unknown=found.unknown,
        dead=found.dead,
        waiting=found.waiting,
        lag=round(found.lag.total_seconds()),
        behind=found.behind,
        accounts=accounts,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _bars(values: Mapping[str, int]) -> list[tuple[str, int, float, float]]:
    """Name, count, length in per cent of the longest, per cent of all."""
    longest, total = max(values.values(), default=1) or 1, sum(values.values()) or 1
    return [
        (name, count, round(100 * count / longest, 1), round(100 * count / total, 1)) for name, count in values.items()
    ]


# the report


def prices_of(gateway: GatewayBase) -> dict[str, Price | None]:
    """The prices of the accounts, as they are configured now."""
    return {one.name: one.price for one in gateway._state.active.configuration.accounts}


def compared_routes(gateway: GatewayBase) -> list[str]:
    """The routes with a split or a shadow."""
    routes = gateway._state.active.configuration.routes
    return [route.name for route in routes if route.split or route.shadow is not None]


async def report(visit: Visit) -> Response:
    """How the vendors do. The newest days unless other days are asked for."""
    params, gateway = visit.request.query_params, visit.service.gateway
    by, split = _by(visit), params.get("split", "")
    wrong, lines, verdict = None, [], None
    routes = compared_routes(gateway)
    try:
        since, until = _period(visit)
        if split and (fault := text_fault(split)):
            wrong = f"split: {fault}"
        else:
            async with visit.web.reports:
                lines = await asyncio.to_thread(_lines, visit, by, since, until)
                if split:
                    verdict = await asyncio.to_thread(
                        performance.verdict, visit.service.ledger.store, split, since, until
                    )
    except ValueError:
        wrong, since = "Dates are written as 2026-11-30.", None
    values = {
        "since": params.get("since", since.strftime("%Y-%m-%d") if since is not None else ""),
        "until": params.get("until", ""),
    }
    query = urlencode([*(("by", one) for one in by), *((name, text) for name, text in values.items() if text)])
    return visit.page(
        "performance.html",
        200 if wrong is None else 400,
        lines=lines,
        by=by,
        all=performance.BY,
        columns=[name for name in performance.COLUMNS if name not in ("errors", "unknowns")],
        rates=performance.RATES,
        query=query,
        wrong=wrong,
        routes=routes if not split or split in routes else [*routes, split],
        split=split,
        verdict=verdict,
        verdict_query=urlencode({"split": split, **{name: text for name, text in values.items() if text}}),
        **values,
    )


def _lines(visit: Visit, by: Sequence[str], since: datetime | None, until: datetime | None) -> list[performance.Line]:
    return performance.report(visit.service.ledger.store, by, since, until, prices_of(visit.service.gateway))


async def report_csv(visit: Visit) -> Response:
    """The same as a file; with `split`, the verdict on that route."""
    by, split = _by(visit), visit.request.query_params.get("split", "")
    try:
        since, until = _period(visit)
    except ValueError:
        raise BadRequest("dates are written as 2026-11-30") from None
    if split:
        if fault := text_fault(split):
            raise BadRequest(f"split: {fault}")
        async with visit.web.reports:
            found = await asyncio.to_thread(performance.verdict, visit.service.ledger.store, split, since, until)
        text = performance.csv_of(performance.verdict_rows(found), performance.VERDICT_COLUMNS)
    else:
        async with visit.web.reports:
            lines = await asyncio.to_thread(_lines, visit, by, since, until)
        text = performance.csv_of(performance.rows(lines, by), performance.columns(by))
    headers = {**HEADERS, "content-disposition": 'attachment; filename="performance.csv"'}
    return Response(text, headers=headers, media_type="text/csv")


def _by(visit: Visit) -> tuple[str, ...]:
    wanted = visit.request.query_params.getlist("by")
    return tuple(one for one in performance.BY if one in wanted) or ("account",)


def _period(visit: Visit) -> tuple[datetime | None, datetime | None]:
    """What was asked for; without a beginning the last 30 days, for a page that opens soon. An empty one means: from the
    first."""
    params: Mapping[str, Any] = visit.request.query_params
    since, until = params.get("since"), params.get("until", "").strip()
    if since is None:
        today = visit.service.ledger.store.clock.now().astimezone(UTC).date()
        begin: datetime | None = _midnight((today - timedelta(days=_PERIOD - 1)).isoformat())
    else:
        begin = _midnight(since.strip()) if since.strip() else None
    return begin, (_midnight(until) if until else None)


def _midnight(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time(), UTC)
