"""The pages that are looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import resources
from typing import Any
from urllib.parse import quote

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from ...ledger import Event, State, Verification
from ...ledger.store import Store
from ...ledger.tables import deliveries
from ...model import Decision, DocumentType, Result, to_json
from ...model.document_types import IDENTITY_DOCUMENTS
from .. import reviews, search
from ..api import read_filter
from ..problems import BadRequest, NotFound
from ..wire import accounts_json
from .web import HEADERS, Visit

_STATES = tuple(state.value for state in State)
_DECISIONS = tuple(decision.value for decision in Decision)
MASK = "•••"


async def listed(visit: Visit) -> Response:
    given = {name: value.strip() for name, value in visit.request.query_params.items() if value.strip()}
    query = {name: f"{value}T00:00:00+00:00" if name in ("since", "until") else value for name, value in given.items()}
    wrong = None
    lines: list[search.Line] = []
    before: str | None = None
    try:
        wanted = read_filter(query)
        lines, before = await asyncio.to_thread(search.find, visit.service.ledger.store, wanted)
    except BadRequest as error:
        wrong = error.message
    return visit.page(
        "list.html",
        200 if wrong is None else 400,
        lines=lines,
        before=before,
        given=given,
        wrong=wrong,
        states=_STATES,
        decisions=_DECISIONS,
        accounts=visit.service.gateway.accounts,
        more="&".join(f"{name}={value}" for name, value in _quoted(given)),
    )


def _quoted(given: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(quote(name, safe=""), quote(value, safe="")) for name, value in given.items() if name != "before"]


async def one(visit: Visit) -> Response:
    return await shown(visit, is_unmasked=False)


async def shown(visit: Visit, *, is_unmasked: bool) -> Response:
    """The page of one verification. Who asks for it unmasked has noted that before."""
    ledger = visit.service.ledger
    id = visit.request.path_params["id"]
    verification = await asyncio.to_thread(ledger.find, id)
    if verification is None:
        raise NotFound("there is no verification of that id")
    store = ledger.store
    review = await asyncio.to_thread(reviews.of, store, id, verification.round)
    events = await asyncio.to_thread(ledger.events, id)
    result, flow = verification.result, verification.flow
    is_for_review = (
        verification.state is State.DECIDED
        and verification.decision is Decision.REVIEW
        and verification.erased_at is None
    )
    may_see_reason = visit.user is not None and bool({"review", "personal"} & visit.user.roles)
    reason = await asyncio.to_thread(reviews.reason_of, store, id, verification.round) if may_see_reason else None
    return visit.page(
        "verification.html",
        verification=verification,
        result=result,
        explanation=list(flow.explanation.lines()) if flow is not None and flow.explanation is not None else [],
        events=[(event, _said(event)) for event in events],
        claims=_claims(result, is_unmasked) if result is not None else [],
        checks=result.checks if result is not None else (),
        flows=await asyncio.to_thread(ledger.flows, id),
        deliveries=await asyncio.to_thread(ledger.deliveries, id),
        review=review,
        reason=reason,
        is_for_review=is_for_review,
        is_mine=review is not None and visit.user is not None and review.claimed_by == visit.user.name,
        is_held=review is not None and review.is_held(store.clock.now()),
        is_unmasked=is_unmasked,
        applicant=_applicant(verification) if is_unmasked else [],
        documents=[kind.value for kind in sorted(IDENTITY_DOCUMENTS)] + [DocumentType.OTHER.value],
    )


def _claims(result: Result, is_unmasked: bool) -> list[tuple[str, bool, list[tuple[str, str]]]]:
    """Each claim with whether its sources disagree, and what each of them says."""
    return [
        (
            claim.name.value,
            claim.disagrees,
            [(_source(one), _text(one.field.value) if is_unmasked else MASK) for one in claim.sources],
        )
        for claim in result.claims
    ]


def _source(source: Any) -> str:
    kind = source.document_type.value if source.document_type is not None else None
    parts = [part for part in (kind, source.document_id) if part]
    return " ".join(parts) or ("a document" if source.document is not None else "the vendor's record")


def _text(value: Any) -> str:
    if value is None:
        return "not read"
    if isinstance(value, (str, int, float)):
        return str(value)
    made = to_json(value)
    if isinstance(made, dict):
        return ", ".join(str(part) for part in made.values() if part)
    return ", ".join(map(str, made)) if isinstance(made, (list, tuple)) else str(made)


def _applicant(verification: Verification) -> list[tuple[str, str]]:
    order = verification.order
    if order is None:
        return []
    person = order.applicant
    names = ("full_name", "birthdate", "email", "phone_number", "country", "reference")
    return [(name.replace("_", " "), str(value)) for name in names if (value := getattr(person, name)) is not None]


def _said(event: Event) -> list[tuple[str, str]]:
    """The data of an event, as names and texts."""
    return [(name.replace("_", " "), _flat(value)) for name, value in event.data.items() if value not in (None, [], "")]


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_flat(one) for one in value)
    if isinstance(value, dict):
        return " ".join(_flat(one) for one in value.values())
    return str(value)


async def queue(visit: Visit) -> Response:
    waiting = await asyncio.to_thread(reviews.queue, visit.service.ledger.store)
    return visit.page("queue.html", waiting=waiting, now=visit.service.ledger.store.clock.now())


async def trouble(visit: Visit) -> Response:
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


async def accounts(visit: Visit, checked: str | None = None, said: str | None = None) -> Response:
    shown = accounts_json(visit.service.gateway)
    return visit.page("accounts.html", accounts=shown, checked=checked, said=said)


async def static(request: Request) -> Response:
    text = resources.files(__package__).joinpath("static/console.css").read_bytes()
    headers = {**HEADERS, "cache-control": "public, max-age=300"}
    return Response(text, headers=headers, media_type="text/css")
