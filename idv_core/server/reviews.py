"""What is `review` is a queue: somebody claims it, looks, and approves, declines or asks for another document.

A person's word stands beside the policy's decision and never replaces it: both are kept, and both are told. The reason is
sealed with the verification, for it may speak of the applicant, and is erased with it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
from sqlalchemy import Connection, RowMapping, and_, insert, select, update
from sqlalchemy.sql import ColumnElement

from ..errors import InvalidOrder
from ..ledger import Ledger, State
from ..ledger.outbox import message, note
from ..ledger.sealing import place, seal, unseal
from ..ledger.store import Store, new_id
from ..ledger.tables import deliveries, verifications
from ..ledger.verification import News
from ..model import Decision, DocumentType
from ..model.validation import text_fault
from .problems import Conflict, NotFound
from .tables import reviews

_R, _V = reviews.c, verifications.c
CLAIMED = timedelta(minutes=30)
"""How long a claim holds. Then somebody else may take it."""
OUTCOMES = ("approved", "declined")


@attrs.frozen(kw_only=True)
class Review:
    """Where the review of one outcome is: who has it, what was asked for, what was decided and by whom."""

    verification_id: str
    round: int
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    asked_for: str | None = None
    asked_at: datetime | None = None
    outcome: str | None = None
    author: str | None = None
    decided_at: datetime | None = None

    def is_held(self, now: datetime) -> bool:
        """Whether somebody's claim still holds."""
        return self.claimed_at is not None and now - self.claimed_at < CLAIMED


@attrs.frozen(kw_only=True)
class Waiting:
    """One line of the queue. It holds nothing personal."""

    id: str
    application_id: str
    product: str
    account: str | None
    decided_at: datetime | None
    review: Review | None


_COLUMNS = tuple(_R[field.name] for field in attrs.fields(Review))


def _for_review() -> ColumnElement[bool]:
    return and_(_V.state == State.DECIDED.value, _V.decision == Decision.REVIEW.value, _V.erased_at.is_(None))


def queue(store: Store, most: int = 200) -> list[Waiting]:
    """What waits for a person, the oldest first."""
    same = and_(_R.verification_id == _V.id, _R.round == _V.round)
    own = (_V.id, _V.application_id, _V.product, _V.account, _V.decided_at.label("since"))
    found = (
        select(*own, *_COLUMNS)
        .select_from(verifications.outerjoin(reviews, same))
        .where(_for_review(), _R.outcome.is_(None))
        .order_by(_V.decided_at)
        .limit(most)
    )
    with store.engine.connect() as con:
        rows = con.execute(found).mappings().all()
    return [
        Waiting(
            id=row["id"],
            application_id=row["application_id"],
            product=row["product"],
            account=row["account"],
            decided_at=row["since"],
            review=_as_review(row) if row["verification_id"] is not None else None,
        )
        for row in rows
    ]


def of(store: Store, id: str, round: int) -> Review | None:
    """The review of one outcome of a verification."""
    with store.engine.connect() as con:
        return _found(con, id, round)


def _found(con: Connection, id: str, round: int) -> Review | None:
    found = select(*_COLUMNS).where(_R.verification_id == id, _R.round == round)
    row = con.execute(found).mappings().one_or_none()
    return _as_review(row) if row is not None else None


def _as_review(row: RowMapping) -> Review:
    return Review(**{field.name: row[field.name] for field in attrs.fields(Review)})


def reason_of(store: Store, id: str, round: int) -> str | None:
    """The reason that was given. None where there is none, or it was erased."""
    both = verifications.join(reviews, _R.verification_id == _V.id)
    found = select(_V.data_key, _R.sealed_reason).select_from(both).where(_V.id == id, _R.round == round)
    with store.engine.connect() as con:
        row = con.execute(found).one_or_none()
    if row is None or row.data_key is None or row.sealed_reason is None:
        return None
    text: str = unseal(store.unwrapped(id, row.data_key), _place(id), row.sealed_reason)
    return text


def claim(ledger: Ledger, id: str, user: str) -> None:
    """Take a verification out of the queue for a while. Raises NotFound, Conflict where another has it."""
    store = ledger.store
    with store.begin() as con:
        row = _locked(store, con, id)
        review = _found(con, id, row["round"])
        if review is not None and review.claimed_by != user and review.is_held(store.now(con)):
            raise Conflict(f"{review.claimed_by} has it; it is free again in half an hour at most")
        values = {"claimed_by": user, "claimed_at": store.moment()}
        same = {"verification_id": id, "round": row["round"]}
        con.execute(store.upsert(reviews, {**same, **values}, list(same), values, _R.outcome.is_(None)))
        note(store, con, id, News("review_claimed", {}, f"user:{user}"))


def decide(ledger: Ledger, id: str, user: str, outcome: str, reason: str) -> None:
    """Approve or decline, with a reason: an event, and a message `verification.reviewed` to the platform.

    Raises NotFound, Conflict where another has it or it is decided, InvalidOrder for a reason that is none.
    """
    if outcome not in OUTCOMES:
        raise InvalidOrder("outcome: must be approved or declined", fields=("outcome",))
    _check_reason(reason)
    store = ledger.store
    with store.begin() as con:
        row = _held(store, con, id, user)
        sealed = seal(store.unwrapped(id, row["data_key"]), _place(id), reason.strip())
        same = and_(_R.verification_id == id, _R.round == row["round"])
        values = {"outcome": outcome, "author": user, "decided_at": store.moment(), "sealed_reason": sealed}
        con.execute(update(reviews).where(same).values(values))
        data = {"outcome": outcome, "decision": row["decision"], "round": row["round"]}
        note(store, con, id, News("reviewed", data, f"user:{user}"))
        told = {"review": {"outcome": outcome, "author": user}}
        _post(store, con, row, "verification.reviewed", tuple(ledger.endpoints), told)
    ledger._tell()


def ask(ledger: Ledger, id: str, user: str, document: str, reason: str) -> None:
    """Ask the platform for another document, by name: a message `verification.document_requested`. It stays in the queue.

    Raises NotFound, InvalidOrder for a document that there is not, Conflict where it was asked for already.
    """
    _check_reason(reason)
    try:
        wanted = DocumentType(document).value
    except ValueError as error:
        raise InvalidOrder(str(error), fields=("document",)) from None
    store = ledger.store
    with store.begin() as con:
        row = _held(store, con, id, user)
        review = _found(con, id, row["round"])
        if review is not None and review.asked_for is not None:
            raise Conflict(f"{review.asked_for} was asked for already; decide, or wait for it")
        same = and_(_R.verification_id == id, _R.round == row["round"])
        con.execute(update(reviews).where(same).values(asked_for=wanted, asked_at=store.moment()))
        note(store, con, id, News("document_requested", {"document": wanted}, f"user:{user}"))
        told = {"review": {"document": wanted, "author": user}}
        _post(store, con, row, "verification.document_requested", tuple(ledger.endpoints), told)
    ledger._tell()


def _check_reason(reason: str) -> None:
    if text_fault(reason.strip()) or not reason.strip():
        raise InvalidOrder("reason: say why, in 1 to 200 characters on one line", fields=("reason",))


def _locked(store: Store, con: Connection, id: str) -> RowMapping:
    """The row, locked for this transaction. Raises NotFound, Conflict where it does not wait for a person."""
    con.execute(update(verifications).where(_V.id == id).values(seq=_V.seq))
    row = store.row(con, _V.id == id)
    if row is None:
        raise NotFound("there is no verification of that id")
    if row["state"] != State.DECIDED.value or row["decision"] != Decision.REVIEW.value or row["data_key"] is None:
        raise Conflict("it does not wait for a review")
    review = _found(con, id, row["round"])
    if review is not None and review.outcome is not None:
        raise Conflict(f"{review.author} has decided it already: {review.outcome}")
    return row


def _held(store: Store, con: Connection, id: str, user: str) -> RowMapping:
    row = _locked(store, con, id)
    review = _found(con, id, row["round"])
    if review is None or review.claimed_by != user:
        who = review.claimed_by if review is not None else None
        raise Conflict(f"{who} has it" if who else "claim it first, so that nobody else works on it")
    return row


def _post(
    store: Store, con: Connection, row: RowMapping, kind: str, endpoints: Sequence[str], more: dict[str, Any]
) -> None:
    """Write the message for each endpoint, in the transaction of the review."""
    now = store.now(con)
    said = json.loads(message(store.read(row), kind, now))
    said["data"] |= more
    rows = [
        {
            "id": f"msg_{new_id(now)}",
            "verification_id": row["id"],
            "endpoint": endpoint,
            "type": kind,
            "round": row["round"],
            "body": json.dumps(said, ensure_ascii=True),
            "created_at": now,
            "due": now,
            "turn": 0,
            "tries": 0,
        }
        for endpoint in endpoints
    ]
    if rows:
        con.execute(insert(deliveries), rows)


def _place(id: str) -> bytes:
    return place("idv_review", "sealed_reason", id)
