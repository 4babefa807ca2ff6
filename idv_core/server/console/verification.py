"""The page of one verification."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from starlette.responses import Response

from ...ledger import Event, State, Verification
from ...model import Check, Claim, Claims, DocumentEvidence, DocumentType, Flow, Result, Threshold, to_json
from ...model.document_types import IDENTITY_DOCUMENTS
from ...model.fields import OF_DOCUMENT
from ...plugin.protocols import capabilities
from .. import reviews
from ..problems import NotFound
from ..reviews import ReviewState
from .web import Visit

MASK = "•••"
_TO_TELL = ("reviewed", "document_requested")


@attrs.frozen
class Row:
    """One claim, and what each source says of it: None where it says nothing."""

    name: str
    agreement: str
    cells: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        return self.agreement == "differ"


@attrs.frozen
class Scored:
    """One check, with the bounds that the policy has for its score."""

    check: Check
    threshold: Threshold | None


async def page(visit: Visit) -> Response:
    return await shown(visit, is_unmasked=False)


async def shown(visit: Visit, *, is_unmasked: bool) -> Response:
    """The page of one verification. Who asks for it unmasked has noted that before."""
    service, id, user = visit.service, visit.id, visit.who
    ledger, store = service.ledger, service.ledger.store
    verification = await asyncio.to_thread(ledger.find, id)
    if verification is None:
        raise NotFound("there is no verification of that id")
    review = await asyncio.to_thread(reviews.of, store, id, verification.round)
    events = await asyncio.to_thread(ledger.events, id)
    deliveries = await asyncio.to_thread(ledger.deliveries, id)
    result, flow = verification.result, verification.flow
    state = reviews.state_of(verification, review)
    is_for_review = verification.state is State.DECIDED and state is not None and verification.erased_at is None
    is_mine = review is not None and review.claimed_by == user.name
    is_held = review is not None and review.is_held(store.clock.now())
    may_see_reason = bool({"review", "personal"} & user.roles)
    why = await asyncio.to_thread(reviews.reasons_of, store, id) if may_see_reason else {}
    # a form that somebody fills in is not exchanged under their hands
    waits = is_for_review and state is not ReviewState.DECIDED and not (is_mine and "review" in user.roles)
    is_live = not is_unmasked and (waits or not (verification.state.is_ended or verification.state is State.UNKNOWN))
    return visit.live(
        "verification.html",
        repr((len(events), is_held, [(one.done_at, one.dead_at) for one in deliveries])),
        verification=verification,
        result=result,
        explanation=list(flow.explanation.lines()) if flow is not None and flow.explanation is not None else [],
        events=[(event, _said(event), why.get(event.seq)) for event in events],
        sources=_sources(verification, result),
        rows=_rows(verification, result, is_unmasked=is_unmasked),
        checks=_scored(flow, result),
        flows=await asyncio.to_thread(ledger.flows, id),
        deliveries=deliveries,
        review=review,
        review_state=state,
        returned=_returned(events, why, verification.round),
        reason=await asyncio.to_thread(reviews.reason_of, store, id, verification.round) if may_see_reason else None,
        is_for_review=is_for_review,
        is_untold=_is_untold(events) and _can(visit, verification.account, "review"),
        is_mine=is_mine,
        is_held=is_held,
        is_own_proposal=review is not None and reviews.is_same_person(review.proposed_by, user.name),
        needs_two=reviews.needs_two(flow, service.gateway._state.active.policies.values()),
        following=await asyncio.to_thread(reviews.next_for, store, user.name, id) if "review" in user.roles else None,
        has_pictures=flow is not None and _can(visit, verification.account, "media"),
        is_live=is_live,
        is_unmasked=is_unmasked,
        applicant=_applicant(verification) if is_unmasked else [],
        documents=_to_ask_for(result),
    )


def _to_ask_for(result: Result | None) -> list[str]:
    """The documents that a person may ask for: first those that the policy misses."""
    missing = [reason.document for reason in result.reasons if reason.code == "document.missing"] if result else []
    return list(dict.fromkeys([*filter(None, missing), *sorted(IDENTITY_DOCUMENTS), DocumentType.OTHER]))


def _returned(events: Iterable[Event], why: Mapping[int, str], round: int) -> tuple[str, str | None] | None:
    """Who sent the last proposal of this outcome back, and why."""
    back = [event for event in events if event.kind == "review_returned" and event.data.get("round") == round]
    return (back[-1].actor.removeprefix("user:"), why.get(back[-1].seq)) if back else None


def _is_untold(events: Iterable[Event]) -> bool:
    """Whether what a person said last was never handed to the vendor: the process ended in between, or is about to do it."""
    said = [
        event.kind for event in events if event.kind in _TO_TELL or event.kind in ("vendor_told", "vendor_not_told")
    ]
    return bool(said) and said[-1] in _TO_TELL


def _can(visit: Visit, account: str | None, capability: str) -> bool:
    session = visit.service.gateway._state.active.sessions.get(account or "")
    return session is not None and capability in capabilities(type(session.adapter))


def _scored(flow: Flow | None, result: Result | None) -> list[Scored]:
    policy = flow.policy if flow is not None else None
    checks = result.checks if result is not None else ()
    return [Scored(check, policy.threshold(check) if policy is not None else None) for check in checks]


# claims, side by side


def _sources(verification: Verification, result: Result | None) -> list[str]:
    """The headings: the order, each document, the vendor's own record."""
    if result is None:
        return []
    record = ["The vendor's record"] if result.fields else []
    return ["As ordered", *map(_document, result.documents), *record]


def _document(document: DocumentEvidence) -> str:
    kind = document.type.value.replace("_", " ") if document.type is not None else "A document"
    id = document.document_id
    own_id = id if id != document.type else None
    return " · ".join(part for part in (kind.capitalize(), own_id, document.country) if part)


def _rows(verification: Verification, result: Result | None, *, is_unmasked: bool) -> list[Row]:
    if result is None:
        return []
    read = [document.claims for document in result.documents]
    read += [Claims((), result.fields)] if result.fields else []
    rows = []
    for claim in result.claims:
        said = [_told(claims[claim.name]) for claims in read]
        cells = (_ordered(verification, claim.name.value), *said)
        shown = tuple(cell if is_unmasked or cell is None else MASK for cell in cells)
        rows.append(Row(claim.name.value.replace("_", " "), _agreement(claim, said), shown))
    return rows


def _agreement(claim: Claim[Any], said: Iterable[str | None]) -> str:
    if claim.name in OF_DOCUMENT:
        return "of each document"
    if claim.disagrees:
        return "differ"
    return "agree" if len([one for one in said if one is not None]) > 1 else "one source"


def _told(claim: Claim[Any]) -> str | None:
    """What one source says, also where it contradicts itself."""
    if not claim.sources:
        return None
    texts = [_text(claim.value)] if claim else [_text(source.field.value) for source in claim.sources]
    return " / ".join(dict.fromkeys(texts))


def _text(value: Any) -> str:
    if value is None:
        return "not read"
    if isinstance(value, (str, int, float)):
        return str(value)
    made = to_json(value)
    if isinstance(made, dict):
        return ", ".join(str(part) for part in made.values() if part)
    return ", ".join(map(str, made)) if isinstance(made, (list, tuple)) else str(made)


def _ordered(verification: Verification, name: str) -> str | None:
    """What the platform knew of the applicant beforehand."""
    order = verification.order
    if order is None:
        return None
    value = order.applicant.full_name if name == "name" else getattr(order.applicant, name, None)
    return _text(value) if value else None


def _applicant(verification: Verification) -> list[tuple[str, str]]:
    order = verification.order
    if order is None:
        return []
    person = order.applicant
    names = ("full_name", "birthdate", "email", "phone_number", "country", "reference")
    return [(name.replace("_", " "), str(value)) for name in names if (value := getattr(person, name)) is not None]


# the timeline


def _said(event: Event) -> list[tuple[str, str]]:
    """The data of an event, as names and texts."""
    return [(name.replace("_", " "), _flat(value)) for name, value in event.data.items() if value not in (None, [], "")]


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_flat(one) for one in value)
    if isinstance(value, dict):
        return " ".join(_flat(one) for one in value.values())
    return str(value)
