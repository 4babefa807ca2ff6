"""Messages to the platform: written with the change that they tell of, sent afterwards, each under a lease of its own.

`id` is the `webhook-id` of Standard Webhooks: a message that comes twice has the same. No message holds personal data.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs
from sqlalchemy import Connection, and_, insert, select, update

from ..model import Secret
from ..model.validation import as_secrets, is_base_url, is_text
from ..model.words import quoted
from .errors import LedgerError, Stale
from .store import Store, new_id
from .tables import deliveries, verifications
from .verification import News, Verification

_D = deliveries.c
_V = verifications.c


@attrs.frozen
class Endpoint:
    """Where messages go: a name, an address, and the secret that signs them (`whsec_` and 24 to 64 random bytes in base64, as
    Standard Webhooks has it). To exchange the secret, give several: all of them sign."""

    name: str = attrs.field(validator=is_text)
    url: str = attrs.field(validator=is_base_url, repr=False)
    secret: tuple[Secret, ...] = attrs.field(converter=as_secrets)


@attrs.frozen(kw_only=True)
class Delivery:
    """One message to one endpoint. `created_at` is when it was written, `tries` how often it was sent in vain."""

    id: str
    verification_id: str
    endpoint: str
    type: str
    round: int
    body: str = attrs.field(repr=False)
    created_at: datetime
    due: datetime | None
    turn: int
    tries: int
    last_status: int | None
    done_at: datetime | None
    dead_at: datetime | None


def message(verification: Verification, kind: str, now: datetime) -> str:
    """The body of a message, as JSON (Standard Webhooks: type, timestamp, data)."""
    result = verification.result
    data: dict[str, Any] = {
        "id": verification.id,
        "application_id": verification.application_id,
        "tenant": verification.tenant,
        "product": verification.product,
        "state": verification.state.value,
        "round": verification.round,
        "account": verification.account,
        "decision": verification.decision.value if verification.decision else None,
        "reasons": [reason.code for reason in result.reasons] if result else [],
    }
    return json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, ensure_ascii=True)


def post(
    store: Store, con: Connection, after: Verification, kind: str, endpoints: Iterable[str], now: datetime
) -> None:
    """Write the message for each endpoint, in the transaction of the change."""
    body = message(after, kind, now)
    rows = [
        {
            "id": f"msg_{new_id(now)}",
            "verification_id": after.id,
            "endpoint": endpoint,
            "type": kind,
            "round": after.round,
            "body": body,
            "created_at": now,
            "due": now,
            "turn": 0,
            "tries": 0,
        }
        for endpoint in endpoints
    ]
    if rows:
        con.execute(insert(deliveries), rows)


def claim(store: Store, lease: timedelta, most: int, endpoints: Iterable[str]) -> list[Delivery]:
    """Take messages that are due, for these endpoints."""
    due = and_(_D.due <= store.moment(), _D.endpoint.in_(list(endpoints)))
    chosen = select(_D.id).where(due).order_by(_D.due).limit(most).with_for_update(skip_locked=True).cte("chosen")
    if store.is_postgresql:
        chosen = chosen.prefix_with("MATERIALIZED", dialect="postgresql")
    taken = (
        update(deliveries)
        .where(_D.id.in_(select(chosen.c.id)))
        .values(due=store.moment(lease), turn=_D.turn + 1)
        .returning(*_D)
    )
    with store.begin() as con:
        return [Delivery(**row) for row in con.execute(taken).mappings()]


def settle(store: Store, delivery: Delivery, status: int | None, *, again: timedelta | None, is_done: bool) -> None:
    """Write what came of sending it: delivered, to be sent `again`, or dead. Raises Stale.

    Only the end of a message is an event; the tries between are counted.
    """
    values: dict[str, Any] = {"last_status": status, "due": store.moment(again) if again is not None else None}
    if is_done:
        values["done_at"] = store.moment()
    else:
        values["tries"] = _D.tries + 1
        if again is None:
            values["dead_at"] = store.moment()
    with store.begin() as con:
        written = update(deliveries).where(_D.id == delivery.id, _D.turn == delivery.turn).values(values)
        if con.execute(written).rowcount != 1:
            raise Stale(f"message {delivery.id} was taken over by another worker")
        if is_done or again is None:
            data = {"endpoint": delivery.endpoint, "type": delivery.type, "id": delivery.id, "status": status}
            note(store, con, delivery.verification_id, News("delivered" if is_done else "undeliverable", data))


def redeliver(
    store: Store, *, message_id: str | None, endpoint: str | None, dead: bool, actor: str, endpoints: Collection[str]
) -> int:
    """Send again: one message, or all of an endpoint, or all that are dead. Returns how many. The ids stay the same.

    `endpoints` are those that there are. A message for another one stays as it is, for nobody would send it: raises
    LedgerError where that one is asked for.
    """
    which = [_D.id == message_id] if message_id else []
    which += [_D.endpoint == endpoint] if endpoint else []
    which += [_D.dead_at.is_not(None)] if dead else []
    if not which:
        raise LedgerError("redeliver: say which messages: an id, an endpoint, or all that are dead")
    if message_id:
        with store.engine.connect() as con:
            named = con.execute(select(_D.endpoint).where(_D.id == message_id)).scalar_one_or_none()
    else:
        named = endpoint
    if named is not None and named not in endpoints:
        raise LedgerError(f"redeliver: there is no endpoint {quoted(named)} any more: add it to [ledger.endpoints]")
    values: Mapping[str, Any] = {
        "due": store.moment(),
        "tries": 0,
        "done_at": None,
        "dead_at": None,
        "turn": _D.turn + 1,
    }
    with store.begin() as con:
        there = _D.endpoint.in_(list(endpoints))
        again = update(deliveries).where(there, *which).values(values).returning(_D.id, _D.verification_id, _D.endpoint)
        rows = con.execute(again).mappings().all()
        for row in rows:
            news = News("redelivered", {"endpoint": row["endpoint"], "id": row["id"]}, actor)
            note(store, con, row["verification_id"], news)
        store.notify(con)
    return len(rows)


def note(store: Store, con: Connection, id: str, *news: News) -> None:
    """Write events to a verification that somebody else may be working on: its turn does not change."""
    locked = (
        update(verifications)
        .where(_V.id == id)
        .values(seq=_V.seq)
        .returning(_V.seq, _V.head, store.moment().label("now"))
    )
    row = con.execute(locked).mappings().one()
    store.append(con, id, row["seq"], row["head"], row["now"], news)


def deliveries_of(con: Connection, id: str) -> tuple[Delivery, ...]:
    """All messages about a verification."""
    found = select(*_D).where(_D.verification_id == id).order_by(_D.created_at, _D.id)
    return tuple(Delivery(**row) for row in con.execute(found).mappings())
