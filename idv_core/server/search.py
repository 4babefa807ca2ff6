"""Finds verifications by what stands in clear. Nothing is decrypted for a list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import and_, or_, select, union_all
from sqlalchemy.sql import ColumnElement

from ..ledger import State
from ..ledger.store import _ALPHABET, Store
from ..ledger.tables import flows, verifications
from ..model import Decision, FlowRef
from .reviews import ReviewState, is_in

_V = verifications.c


@attrs.frozen(kw_only=True)
class Filter:
    """What to look for; None: anything. `text` is an id, how an application's id begins, or the vendor's id of a flow. `since`
    and `until` are about when it was ordered. `before` is the last id of the page before, `after` the first of the page after.
    """

    text: str | None = None
    application_id: str | None = None
    tenant: str | None = None
    state: State | None = None
    decision: Decision | None = None
    review_state: ReviewState | None = None
    account: str | None = None
    product: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    after: str | None = None


@attrs.frozen(kw_only=True)
class Line:
    """One line of a list."""

    id: str
    tenant: str | None
    application_id: str
    product: str
    state: str
    decision: str | None
    account: str | None
    round: int
    created_at: datetime
    decided_at: datetime | None
    erased_at: datetime | None

    def json(self) -> dict[str, Any]:
        made = attrs.asdict(self)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in made.items()}


def find(store: Store, wanted: Filter, most: int = 50) -> tuple[list[Line], str | None]:
    """The newest that fit, and the `before` of the next page if there is one. With `after`, the oldest of the newer ones, the
    newest of them first."""
    where: list[ColumnElement[bool]] = []
    for name in ("application_id", "tenant", "account", "product"):
        value = getattr(wanted, name)
        if value is not None:
            where.append(_V[name] == value)
    if wanted.state is not None:
        where.append(_V.state == wanted.state.value)
    if wanted.decision is not None:
        where.append(_V.decision == wanted.decision.value)
    if wanted.text is not None:
        text = wanted.text.strip()
        # each by its own index; with OR a database may walk through all of them, the newest first
        by_id, by_application = (select(_V.id).where(one) for one in (_V.id == text, _begins(store, text)))
        by_flow = select(flows.c.verification_id).where(_is_flow(text))
        where.append(_V.id.in_(union_all(by_id, by_application, by_flow)))
    if wanted.review_state is not None:
        where.append(is_in(wanted.review_state))
    # ids begin with the time, and are the primary key
    if wanted.since is not None:
        where.append(_V.id >= _least(wanted.since))
    if wanted.until is not None:
        where.append(_V.id < _least(wanted.until))
    if wanted.before is not None:
        where.append(_V.id < wanted.before)
    if wanted.after is not None:
        where.append(_V.id > wanted.after)
    order = _V.id.asc() if wanted.after is not None else _V.id.desc()
    columns = [_V[field.name] for field in attrs.fields(Line)]
    found = select(*columns).where(*where).order_by(order).limit(most + 1)
    with store.engine.connect() as con:
        rows = con.execute(found).mappings().all()
    lines = [Line(**{**row, "tenant": row["tenant"] or None}) for row in rows[:most]]
    if wanted.after is not None:
        lines.reverse()
        return lines, lines[-1].id if lines else None
    return lines, lines[-1].id if len(rows) > most else None


def _is_flow(text: str) -> ColumnElement[bool]:
    """The condition that a flow has that id at its vendor, or that reference."""
    try:
        ref = FlowRef.parse(text)
    except ValueError:
        return flows.c.flow_id == text
    return or_(flows.c.flow_id == text, and_(flows.c.account == ref.account, flows.c.flow_id == ref.id))


def _begins(store: Store, text: str) -> ColumnElement[bool]:
    """The condition that an application's id begins with the text."""
    id = _V.application_id
    if store.is_postgresql:
        return id.startswith(text, autoescape=True)
    # SQLite compares bytes, so that its index serves a range; for LIKE it would look at every row
    return and_(id >= text, id < text + "\U0010ffff")


def _least(moment: datetime) -> str:
    """The smallest id of that millisecond; ids begin with 1970."""
    number = max(0, int(moment.timestamp() * 1000)) << 80
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
