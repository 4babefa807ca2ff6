"""The page of what is in trouble."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select
from starlette.responses import Response

from ...ledger import State
from ...ledger.store import Store
from ...ledger.tables import deliveries, verifications
from .web import Visit


async def page(visit: Visit) -> Response:
    ledger = visit.service.ledger
    unknown = await asyncio.to_thread(_unknown, ledger.store)
    dead = await asyncio.to_thread(_dead, ledger.store)
    return visit.page("trouble.html", unknown=unknown, dead=dead)


def _unknown(store: Store, most: int = 100) -> list[Any]:
    """The oldest. Nothing sealed is read, so that one that cannot be read does not hide the others."""
    columns = verifications.c
    found = select(columns.id, columns.application_id, columns.account, columns.asked_at)
    oldest = found.where(columns.state == State.UNKNOWN.value).order_by(columns.id).limit(most)
    with store.engine.connect() as con:
        return list(con.execute(oldest).mappings())


def _dead(store: Store, most: int = 200) -> list[Any]:
    columns = deliveries.c
    found = select(
        columns.id, columns.verification_id, columns.endpoint, columns.type, columns.last_status, columns.dead_at
    )
    with store.engine.connect() as con:
        return list(
            con.execute(found.where(columns.dead_at.is_not(None)).order_by(columns.dead_at).limit(most)).mappings()
        )
