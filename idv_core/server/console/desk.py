"""The review desk: the queue, and what is done with what lies in it."""

from __future__ import annotations

import asyncio
from functools import partial

from starlette.responses import Response

from ...errors import IdvError, UnsupportedOperation
from ...ledger import Verification
from ...ledger.verification import News
from ...model import Review as VendorReview
from ...model import ReviewOutcome
from ...tracker.turns import told
from .. import api, reviews
from ..problems import BadRequest
from ..reviews import ReviewState
from .web import Visit, form_of

_VENDORS_WORD = {"approved": ReviewOutcome.APPROVE, "declined": ReviewOutcome.DECLINE}


async def queue(visit: Visit) -> Response:
    store = visit.service.ledger.store
    waiting = await asyncio.to_thread(reviews.queue, store)
    now = store.clock.now()
    seen = [(one.id, one.review, one.review is not None and one.review.is_held(now)) for one in waiting]
    return visit.live("queue.html", repr(seen), waiting=waiting, now=now)


async def claim(visit: Visit) -> Response:
    await form_of(visit)
    await asyncio.to_thread(reviews.claim, visit.service.ledger, visit.id, visit.who.name)
    return _back(visit)


async def decide(visit: Visit) -> Response:
    """Approve, decline, or ask for another document. The vendor is told of what counts now."""
    fields = await form_of(visit)
    outcome, reason, name = fields.get("outcome", ""), fields.get("reason", ""), visit.who.name
    ledger = visit.service.ledger
    if outcome == "another_document":
        await asyncio.to_thread(reviews.ask, ledger, visit.id, name, fields.get("document", ""), reason)
        await _tell_vendor(visit, VendorReview(outcome=ReviewOutcome.RESUBMIT, author=name, reason=reason.strip()))
        return _back(visit)
    policies = visit.service.gateway._state.active.policies.values()
    decided = partial(reviews.decide, ledger, visit.id, name, outcome, reason, policies=policies)
    if await asyncio.to_thread(decided) is ReviewState.DECIDED:
        await _tell_vendor(visit, VendorReview(outcome=_VENDORS_WORD[outcome], author=name, reason=reason.strip()))
    return _back(visit)


async def confirm(visit: Visit) -> Response:
    """The second person: confirm what the first proposes, or send it back."""
    fields = await form_of(visit)
    ledger, name = visit.service.ledger, visit.who.name
    match fields.get("what"):
        case "confirm":
            outcome = fields.get("outcome", "")
            review, reason = await asyncio.to_thread(reviews.confirm, ledger, visit.id, name, outcome)
            said = VendorReview(outcome=_VENDORS_WORD[outcome], author=str(review.author), reason=reason)
            await _tell_vendor(visit, said)
        case "send_back":
            await asyncio.to_thread(reviews.send_back, ledger, visit.id, name, fields.get("reason", ""))
        case _:
            raise BadRequest("say what it is to be: confirm or send_back")
    return _back(visit)


def _back(visit: Visit) -> Response:
    return visit.to(f"/console/verifications/{visit.id}#review")


async def _tell_vendor(visit: Visit, review: VendorReview) -> None:
    """Hand what counts to the vendor, where it has such a call, also if the browser goes away meanwhile."""
    verification = await asyncio.to_thread(visit.service.ledger.get, visit.id)
    if verification.flow is not None:
        await asyncio.shield(_hand_over(visit, verification, review))


async def _hand_over(visit: Visit, verification: Verification, review: VendorReview) -> None:
    """That it did not work is an event, and changes nothing here."""
    assert verification.flow is not None
    ledger = visit.service.ledger
    news = News("vendor_told", {"account": verification.account, "outcome": review.outcome.value}, visit.who.actor)
    try:
        await visit.service.gateway.review(verification.flow, review)
    except UnsupportedOperation:
        return
    except IdvError as error:
        news = News("vendor_not_told", told(error), visit.who.actor)
    await asyncio.to_thread(api.note_event, ledger, verification.id, news)
    if review.outcome is ReviewOutcome.RESUBMIT and news.kind == "vendor_told":
        # the vendor waits for the applicant now, and may have no webhook to say so
        await asyncio.to_thread(ledger.wake, verification.id)
