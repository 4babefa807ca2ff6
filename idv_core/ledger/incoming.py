"""What comes in about a verification: a vendor's webhook, a person's word, the wish to be erased. It is stored, and wakes."""

from __future__ import annotations

import json
import secrets
from hashlib import sha256

from sqlalchemy import Connection, and_, case, or_, select, update
from sqlalchemy.sql import ColumnElement

from ..model import FlowRef
from ..webhooks import Received
from .errors import LedgerError
from .store import Store, unknown_id
from .tables import flows, hints, verifications
from .verification import News, Order, State

_V = verifications.c


def hint(store: Store, received: Received) -> bool:
    """Store a webhook and make its verification due; False if any process has stored the same call before.

    The visit of a browser is not stored: it wakes, and proves nothing.
    """
    ref = FlowRef.parse(received.flow_ref) if received.flow_ref else None
    about = _about(received, ref)
    if about is None:
        return False
    news = News("webhook", {"account": received.account, "event": received.event, "proved": received.proved}, "webhook")
    with store.begin() as con:
        if received.ticket is not None:
            row = {
                "digest": _digest(received),
                "received_at": store.moment(),
                "account": received.account,
                "event": received.event,
                "proved": received.proved,
                "application_id": received.application_id,
                "flow_id": ref.id if ref else None,
                "ref": received.flow_ref,
            }
            if not con.execute(store.insert_new(hints, row).returning(hints.c.digest)).all():
                return False
        woken = wake(store, con, about, news)
        if len(woken) == 1 and received.ticket is not None:
            # of several tenants with the same application id none can be told to be the one
            con.execute(update(hints).where(hints.c.digest == _digest(received)).values(verification_id=woken[0]))
    return True


def _about(received: Received, ref: FlowRef | None) -> ColumnElement[bool] | None:
    named = []
    if received.application_id is not None:
        named.append(_V.application_id == received.application_id)
    if ref is not None:
        named.append(and_(_V.account == received.account, _V.flow_id == ref.id))
    return or_(*named) if named else None


def _digest(received: Received) -> bytes:
    assert received.ticket is not None
    place = received.ticket.place
    return sha256(json.dumps([place.account, place.address, received.ticket.digest.hex()]).encode()).digest()


def wake(store: Store, con: Connection, which: ColumnElement[bool], *news: News) -> list[str]:
    """Make verifications due at once; whoever works on one now looks again afterwards. Returns their ids."""
    values = {"hints": _V.hints + 1, "due": case((_V.worker.is_(None), store.moment()), else_=_V.due)}
    woken = (
        update(verifications)
        .where(which, _V.erased_at.is_(None))
        .values(values)
        .returning(_V.id, _V.seq, _V.head, store.moment().label("now"))
    )
    rows = con.execute(woken).mappings().all()
    for row in rows:
        store.append(con, row["id"], row["seq"], row["head"], row["now"], news)
    store.notify(con)
    return [row["id"] for row in rows]


def resolve(store: Store, id: str, order: Order, flow_id: str | None, actor: str) -> None:
    """Store a person's word about an unknown verification.

    Raises LedgerError where it is not unknown, and where the flow is that of a verification already.
    """
    with store.begin() as con:
        news = News("resolution", {"resolution": order.value, **({"flow": flow_id} if flow_id else {})}, actor)
        which = and_(_V.id == id, _V.state == State.UNKNOWN.value)
        if not wake(store, con, which, news):
            row = store.row(con, _V.id == id)
            if row is None:
                raise unknown_id(id)
            raise LedgerError(f"verification {id} is {row['state']}, not unknown: there is nothing to resolve")
        row = store.row(con, _V.id == id)
        assert row is not None
        account = row["account"] or ""
        if flow_id is not None:
            whose = select(flows.c.verification_id).where(flows.c.account == account, flows.c.flow_id == flow_id)
            if (owner := con.execute(whose.limit(1)).scalar_one_or_none()) is not None:
                raise LedgerError(
                    f"the flow {flow_id} at {account} is that of verification {owner} already: name another"
                )
        values = {
            "digest": secrets.token_bytes(32),
            "received_at": store.moment(),
            "account": account,
            "event": order.value,
            "proved": "person",
            "flow_id": flow_id,
            "ref": str(FlowRef(account=account, id=flow_id)) if flow_id else None,
            "verification_id": id,
        }
        con.execute(hints.insert().values(values))
