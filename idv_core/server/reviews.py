"""What is `review` is a queue: somebody claims it, looks, and approves, declines or asks for another document.

A person's word stands beside the policy's decision and never replaces it: both are kept, and both are told. Where the policy
asks for four eyes, the first word is a proposal, which another person confirms or sends back; nobody is told before. The
reasons are sealed with the verification, for they may speak of the applicant, and are erased with it.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import attrs
from sqlalchemy import Connection, RowMapping, and_, insert, literal_column, not_, select, update
from sqlalchemy.sql import ColumnElement

from ..errors import InvalidOrder
from ..ledger import Ledger, State, Verification
from ..ledger.outbox import message, note
from ..ledger.sealing import place, seal, unseal
from ..ledger.store import Store, new_id
from ..ledger.tables import deliveries, verifications
from ..ledger.verification import News
from ..model import Decision, DocumentType, Flow, Policy
from ..model.validation import text_fault
from .problems import Conflict, NotFound
from .tables import reasons, reviews

_R, _V = reviews.c, verifications.c
CLAIMED = timedelta(minutes=30)
"""How long a claim holds. Then somebody else may take it."""
OUTCOMES = ("approved", "declined")


class ReviewState(StrEnum):
    """How far the review of an outcome is: it waits for a person, for a second one who confirms, or is decided."""

    WAITING = "waiting"
    PROPOSED = "proposed"
    DECIDED = "decided"


@attrs.frozen(kw_only=True)
class Review:
    """Where the review of one outcome is: who has it, what was asked for, what is proposed, what was decided and by whom.

    `author` is who decided; where it took two, `confirmed_by` is the second.
    """

    verification_id: str
    round: int
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    asked_for: str | None = None
    asked_at: datetime | None = None
    proposed: str | None = None
    proposed_by: str | None = None
    proposed_at: datetime | None = None
    outcome: str | None = None
    author: str | None = None
    confirmed_by: str | None = None
    decided_at: datetime | None = None

    @property
    def state(self) -> ReviewState:
        if self.outcome is not None:
            return ReviewState.DECIDED
        return ReviewState.PROPOSED if self.proposed is not None else ReviewState.WAITING

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


def state_of(verification: Verification, review: Review | None) -> ReviewState | None:
    """How far the review is. None where there is nothing to review, as where it was erased or is followed again; what a person
    decided stands. `is_in` says the same in SQL."""
    if verification.decision is not Decision.REVIEW:
        return None
    state = review.state if review is not None else ReviewState.WAITING
    is_for_review = verification.state is State.DECIDED and verification.erased_at is None
    return state if is_for_review or state is ReviewState.DECIDED else None


def is_same_person(one: str | None, other: str | None) -> bool:
    """Whether two names are of one person: case, blanks and the forms of Unicode (NFKC) do not tell persons apart."""
    return one is not None and other is not None and _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def needs_two(flow: Flow | None, policies: Iterable[Policy]) -> bool:
    """Whether a decision needs a second person: the policy that the flow began with says so, or one of that name among
    `policies`. For a flow whose policy is not known: any of them."""
    own = flow.policy if flow is not None else None
    if own is None:
        return any(policy.review.four_eyes for policy in policies)
    return own.review.four_eyes or any(one.review.four_eyes for one in policies if one.name == own.name)


_COLUMNS = tuple(_R[field.name] for field in attrs.fields(Review))
# said in the very words of the index ix_idv_verification_review, or it does not serve
_IS_REVIEW = and_(_V.decision == literal_column("'review'"), _V.erased_at.is_(None))
_FOR_REVIEW = and_(_V.state == State.DECIDED.value, _IS_REVIEW)


def is_in(state: ReviewState) -> ColumnElement[bool]:
    """The condition that the review of a verification is so far."""
    same = select(_R.round).where(_R.verification_id == _V.id, _R.round == _V.round)
    decided, proposed = same.where(_R.outcome.is_not(None)).exists(), same.where(_R.proposed.is_not(None)).exists()
    is_review = _V.decision == Decision.REVIEW.value
    if state is ReviewState.DECIDED:
        return and_(is_review, decided)
    return and_(_FOR_REVIEW, not_(decided), proposed if state is ReviewState.PROPOSED else not_(proposed))


def queue(store: Store, most: int = 200) -> list[Waiting]:
    """What waits for a person, the oldest first."""
    same = and_(_R.verification_id == _V.id, _R.round == _V.round)
    own = (_V.id, _V.application_id, _V.product, _V.account, _V.decided_at.label("since"))
    found = (
        select(*own, *_COLUMNS)
        .select_from(verifications.outerjoin(reviews, same))
        .where(_FOR_REVIEW, _R.outcome.is_(None))
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


def next_for(store: Store, user: str, besides: str) -> Waiting | None:
    """What somebody may take next: held by nobody else, and not their own proposal. None where there is nothing among the
    oldest."""
    now = store.clock.now()
    for one in queue(store, 50):
        review = one.review
        is_taken = review is not None and review.is_held(now) and review.claimed_by != user
        if one.id != besides and not is_taken and not (review and is_same_person(review.proposed_by, user)):
            return one
    return None


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
    """The reason of what was decided or is proposed. None where there is none, or it was erased."""
    both = verifications.join(reviews, _R.verification_id == _V.id)
    found = select(_V.data_key, _R.sealed_reason).select_from(both).where(_V.id == id, _R.round == round)
    with store.engine.connect() as con:
        row = con.execute(found).one_or_none()
    if row is None or row.data_key is None or row.sealed_reason is None:
        return None
    text: str = unseal(store.unwrapped(id, row.data_key), _place(id), row.sealed_reason)
    return text


def reasons_of(store: Store, id: str) -> Mapping[int, str]:
    """The reasons of all steps of its reviews, by the number of the event. Empty once they are erased."""
    found = select(reasons.c.seq, reasons.c.sealed).where(reasons.c.verification_id == id)
    with store.engine.connect() as con:
        wrapped = con.execute(select(_V.data_key).where(_V.id == id)).scalar_one_or_none()
        rows = con.execute(found).all() if wrapped is not None else []
    return {seq: unseal(store.unwrapped(id, wrapped), _place_of_step(id, seq), sealed) for seq, sealed in rows}


def claim(ledger: Ledger, id: str, user: str) -> None:
    """Take a verification out of the queue for a while, to decide it, or to look at what another proposes.

    Raises NotFound, Conflict where another has it, or where it is one's own proposal.
    """
    store = ledger.store
    with store.begin() as con:
        row = _locked(store, con, id)
        review = _found(con, id, row["round"])
        if review is not None and is_same_person(review.proposed_by, user):
            raise Conflict("you proposed it yourself: another person must look at it")
        if review is not None and review.claimed_by != user and review.is_held(store.now(con)):
            raise Conflict(f"{review.claimed_by} has it; it is free again in half an hour at most")
        values = {"claimed_by": user, "claimed_at": store.moment()}
        same = {"verification_id": id, "round": row["round"]}
        con.execute(store.upsert(reviews, {**same, **values}, list(same), values, _R.outcome.is_(None)))
        note(store, con, id, News("review_claimed", {}, f"user:{user}"))


def decide(ledger: Ledger, id: str, user: str, outcome: str, reason: str, *, policies: Iterable[Policy]) -> ReviewState:
    """Approve or decline, with a reason. Where the policy asks for four eyes (see `needs_two`), it is a proposal until another
    person confirms it; else it is decided: a message `verification.reviewed` goes to the platform.

    Raises NotFound, Conflict where another has it or it is decided or proposed, InvalidOrder for a reason that is none.
    """
    if outcome not in OUTCOMES:
        raise InvalidOrder("outcome: must be approved or declined", fields=("outcome",))
    _check_reason(reason)
    store = ledger.store
    with store.begin() as con:
        row, review = _held(store, con, id, user)
        if review.proposed is not None:
            raise Conflict(f"{review.proposed_by} proposed an outcome: confirm it, or send it back")
        is_proposal = needs_two(store.read(row).flow, policies)
        data = {"outcome": outcome, "decision": row["decision"], "round": row["round"]}
        _step(store, con, row, News("review_proposed" if is_proposal else "reviewed", data, f"user:{user}"), reason)
        sealed = seal(store.unwrapped(id, row["data_key"]), _place(id), reason.strip())
        if is_proposal:
            values = {"proposed": outcome, "proposed_by": user, "proposed_at": store.moment()}
            # free for whoever looks at it next
            _change(con, row, {**values, "sealed_reason": sealed, "claimed_by": None, "claimed_at": None})
            return ReviewState.PROPOSED
        values = {"outcome": outcome, "author": user, "decided_at": store.moment(), "sealed_reason": sealed}
        _change(con, row, values)
        _post_decided(ledger, con, row, outcome, user, None)
    ledger._tell()
    return ReviewState.DECIDED


def confirm(ledger: Ledger, id: str, user: str, outcome: str) -> tuple[Review, str]:
    """Confirm what another person proposed: now it is decided, and the platform is told by `verification.reviewed`.

    Gives what is decided, and the reason of who proposed it.

    `outcome` is the one that was seen. Raises NotFound, Conflict where it is not (or no longer) that proposal, or one's own,
    where another has it, or where it is decided.
    """
    store = ledger.store
    with store.begin() as con:
        row, review = _proposal(store, con, id, user)
        if review.proposed != outcome:
            raise Conflict("the proposal is another one now: load the page again")
        author = str(review.proposed_by)
        both = {"outcome": outcome, "proposed_by": author, "round": row["round"]}
        decided = {"outcome": outcome, "decision": row["decision"], "round": row["round"], "author": author}
        _step(store, con, row, News("review_confirmed", both, f"user:{user}"))
        _step(store, con, row, News("reviewed", decided, f"user:{user}"))
        values = {"outcome": outcome, "author": author, "confirmed_by": user, "decided_at": store.moment()}
        _change(con, row, values)
        _post_decided(ledger, con, row, outcome, author, user)
        sealed = con.execute(select(_R.sealed_reason).where(_same(row))).scalar_one()
        reason: str = unseal(store.unwrapped(id, row["data_key"]), _place(id), sealed)
    ledger._tell()
    return attrs.evolve(review, outcome=outcome, author=author, confirmed_by=user), reason


def send_back(ledger: Ledger, id: str, user: str, reason: str) -> None:
    """Do not confirm: the proposal is gone, and the verification waits for a person again, whoever that is.

    Raises NotFound, Conflict as `confirm`, InvalidOrder for a reason that is none.
    """
    _check_reason(reason)
    store = ledger.store
    with store.begin() as con:
        row, review = _proposal(store, con, id, user)
        data = {"outcome": review.proposed, "proposed_by": review.proposed_by, "round": row["round"]}
        _step(store, con, row, News("review_returned", data, f"user:{user}"), reason)
        gone = ("proposed", "proposed_by", "proposed_at", "sealed_reason", "claimed_by", "claimed_at")
        _change(con, row, dict.fromkeys(gone))


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
        row, review = _held(store, con, id, user)
        if review.proposed is not None:
            raise Conflict(f"{review.proposed_by} proposed an outcome: confirm it, or send it back")
        if review.asked_for is not None:
            raise Conflict(f"{review.asked_for} was asked for already; decide, or wait for it")
        _change(con, row, {"asked_for": wanted, "asked_at": store.moment()})
        _step(store, con, row, News("document_requested", {"document": wanted}, f"user:{user}"), reason)
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


def _held(store: Store, con: Connection, id: str, user: str) -> tuple[RowMapping, Review]:
    row = _locked(store, con, id)
    review = _found(con, id, row["round"])
    if review is None or review.claimed_by != user:
        who = review.claimed_by if review is not None else None
        raise Conflict(f"{who} has it" if who else "claim it first, so that nobody else works on it")
    return row, review


def _proposal(store: Store, con: Connection, id: str, user: str) -> tuple[RowMapping, Review]:
    """What another person proposed, and this one has claimed."""
    row, review = _held(store, con, id, user)
    if review.proposed is None:
        raise Conflict("nothing is proposed; decide it yourself")
    if is_same_person(review.proposed_by, user):
        raise Conflict("you proposed it yourself: another person must look at it")
    return row, review


def _change(con: Connection, row: RowMapping, values: Mapping[str, Any]) -> None:
    con.execute(update(reviews).where(_same(row)).values(values))


def _same(row: RowMapping) -> ColumnElement[bool]:
    return and_(_R.verification_id == row["id"], _R.round == row["round"])


def _step(store: Store, con: Connection, row: RowMapping, news: News, reason: str | None = None) -> None:
    """Write an event, and its reason sealed beside it."""
    note(store, con, row["id"], news)
    if reason is not None:
        seq = con.execute(select(_V.seq).where(_V.id == row["id"])).scalar_one()
        sealed = seal(store.unwrapped(row["id"], row["data_key"]), _place_of_step(row["id"], seq), reason.strip())
        con.execute(insert(reasons).values(verification_id=row["id"], seq=seq, sealed=sealed))


def _post_decided(
    ledger: Ledger, con: Connection, row: RowMapping, outcome: str, author: str, confirmed_by: str | None
) -> None:
    told: dict[str, Any] = {"outcome": outcome, "author": author, "confirmed_by": confirmed_by}
    _post(ledger.store, con, row, "verification.reviewed", tuple(ledger.endpoints), {"review": told})


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


def _place_of_step(id: str, seq: int) -> bytes:
    return place("idv_review_reason", "sealed", f"{id}/{seq}")
