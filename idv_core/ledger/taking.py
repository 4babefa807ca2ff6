"""How an order becomes durable: its row, and the first event of its history."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from ..model import FlowOrder
from .sealing import new_key
from .store import Store, new_id
from .tables import FORMAT, events, verifications
from .verification import News, State, Verification

_V = verifications.c
# made once, for every order: to put such a statement together costs more than to run it
_NEW = {
    is_postgresql: kind.insert(verifications).on_conflict_do_nothing().returning(_V.id)
    for is_postgresql, kind in ((True, postgresql), (False, sqlite))
}
_EVENT = insert(events).inline()


def take(
    store: Store, order: FlowOrder, deadline: timedelta, connection: Connection | None, *, is_told: bool
) -> Verification:
    """The verification of the order, or that which its application has already. `is_told` notifies other processes."""
    tenant, key = order.tenant or "", new_key()
    with store.begin(connection) as con:
        now = store.now(con)
        id = new_id(now)
        event = store.event(id, 1, b"", now, News("ordered", {"product": order.product}, "platform"))
        made = Verification(
            id=id,
            tenant=order.tenant,
            application_id=order.application_id,
            product=order.product,
            state=State.ORDERED,
            due=now,
            created_at=now,
            deadline=now + deadline,
            order=order,
        )
        values = {
            "id": id,
            "format": FORMAT,
            "tenant": tenant,
            "application_id": order.application_id,
            "product": order.product,
            "state": State.ORDERED.value,
            "round": 0,
            "due": now,
            "turn": 0,
            "hints": 0,
            "seen": 0,
            "tries": 0,
            "attempts": 0,
            "created_at": now,
            "deadline": made.deadline,
            "seq": 1,
            "head": event["digest"],
            "data_key": store.wrapped(id, key),
            **store.sealed(key, id, order=order),
        }
        if con.execute(_NEW[store.is_postgresql], values).first():
            con.execute(_EVENT, event)
            if is_told:
                store.notify(con)
            return made
        row = con.execute(
            select(verifications).where(_V.tenant == tenant, _V.application_id == order.application_id)
        )
        return store.read(row.mappings().one())
