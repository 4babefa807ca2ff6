"""The page of what is in trouble."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select
from starlette.responses import Response

from ...ledger import State
from ...ledger.store import Store
from ...ledger.tables import deliveries
from .web import Visit


async def page(visit: Visit) -> Response:
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
