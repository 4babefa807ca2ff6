"""The page of what is in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select
from starlette.responses import Response

from ...ledger import State
from ...ledger.store import Store
from ...ledger.tables import deliveries, verifications
from .web import Visit


async def page(visit: Visit) -> Response:
    ledger = visit.service.ledger
    unknown = await asyncio.to_thread(_unknown, ledger.store)
    dead = await asyncio.to_thread(_dead, ledger.store)
    stranded = await asyncio.to_thread(_stranded, ledger.store, list(ledger.endpoints))
    return visit.page("trouble.html", unknown=unknown, dead=dead, stranded=stranded)


def _unknown(store: Store, most: int = 100) -> list[Any]:
    """The oldest. Nothing sealed is read, so that one that cannot be read does not hide the others."""
    columns = verifications.c
    found = select(columns.id, columns.application_id, columns.account, columns.asked_at)
    oldest = found.where(columns.state == State.UNKNOWN.value).order_by(columns.id).limit(most)
    with store.engine.connect() as con:
        return list(con.execute(oldest).mappings())


def _stranded(store: Store, endpoints: Collection[str]) -> list[Any]:
    """Endpoints that messages wait for and that there are no more, each with how many."""
    columns = deliveries.c
    waiting = select(columns.endpoint, func.count().label("count")).where(columns.due.is_not(None))
    found = waiting.where(columns.endpoint.not_in(endpoints)).group_by(columns.endpoint).order_by(columns.endpoint)
    with store.engine.connect() as con:
        return list(con.execute(found).mappings())


def _dead(store: Store, most: int = 200) -> list[Any]:
    columns = deliveries.c
    found = select(
        columns.id, columns.verification_id, columns.endpoint, columns.type, columns.last_status, columns.dead_at
    )
    with store.engine.connect() as con:
        return list(
            con.execute(found.where(columns.dead_at.is_not(None)).order_by(columns.dead_at).limit(most)).mappings()
        )
