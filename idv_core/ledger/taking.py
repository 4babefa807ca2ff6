"""How an order becomes durable: its row, and the first event of its history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from ..model import FlowOrder
from .sealing import new_key
from .store import Store, new_id
from .tables import FORMAT, events, verifications
from .verification import News, State, Verification

_V, _E = verifications.c, events.c
_FIRST = {"round": 0, "turn": 0, "hints": 0, "seen": 0, "tries": 0, "attempts": 0}
_GIVEN = (
    *("id", "format", "tenant", "application_id", "product", "state", "due", "created_at", "deadline", "seq", "head"),
    *("data_key", "sealed_order", *_FIRST),
)
_OF_EVENT = ("seq", "at", "actor", "kind", "data", "digest")


def _both() -> Any:
    """Both rows in one statement, or none where the application has a verification: a server is asked once."""
    values = {name: bindparam(name, type_=_V[name].type) for name in _GIVEN}
    made = postgresql.insert(verifications).values(values).on_conflict_do_nothing().returning(_V.id).cte("made")
    event = (bindparam(f"event_{name}", type_=_E[name].type) for name in _OF_EVENT)
    return insert(events).from_select(["verification_id", *_OF_EVENT], select(made.c.id, *event)).returning(_E.seq)


# made once, for every order: to put such a statement together costs more than to run it
_BOTH = _both()
_NEW = sqlite.insert(verifications).on_conflict_do_nothing().returning(_V.id)
_EVENT = insert(events).inline()


def take(
    store: Store, order: FlowOrder, deadline: timedelta, connection: Connection | None, *, is_told: bool
) -> Verification:
    """The verification of the order, or that which its application has already. `is_told` notifies other processes."""
    tenant, key = order.tenant or "", new_key()
    with store.one_write(connection) as con:
        now = store.recent_now(con)
        made = Verification(
            id=new_id(now),
            tenant=order.tenant,
            application_id=order.application_id,
            product=order.product,
            state=State.ORDERED,
            due=now,
            created_at=now,
            deadline=now + deadline,
            order=order,
        )
        event = store.event(made.id, 1, b"", now, News("ordered", {"product": order.product}, "platform"))
        values = {
            **_FIRST,
            "id": made.id,
            "format": FORMAT,
            "tenant": tenant,
            "application_id": order.application_id,
            "product": order.product,
            "state": made.state.value,
            "due": now,
            "created_at": now,
            "deadline": made.deadline,
            "seq": event["seq"],
            "head": event["digest"],
            "data_key": store.wrapped(made.id, key),
            **store.sealed(key, made.id, order=order),
        }
        if _write(store, con, values, event):
            if is_told:
                store.notify(con)
            return made
        same = select(verifications).where(_V.tenant == tenant, _V.application_id == order.application_id)
        return store.read(con.execute(same).mappings().one())


def _write(store: Store, con: Connection, values: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """False where the application has a verification already."""
    if store.is_postgresql:
        return bool(con.execute(_BOTH, {**values, **{f"event_{name}": event[name] for name in _OF_EVENT}}).all())
    is_new = bool(con.execute(_NEW, values).all())
    if is_new:
        con.execute(_EVENT, event)
    return is_new
