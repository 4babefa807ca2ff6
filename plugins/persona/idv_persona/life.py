"""What can be done with an inquiry after it was opened: end it, decide it, erase it, play its end in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idv_core.plugin import (
    Erasure,
    ErasureStatus,
    Exchange,
    Flow,
    FlowStatus,
    InvalidOrder,
    NotAccepted,
    Request,
    Review,
    ReviewOutcome,
    UnsupportedOperation,
)

from .inquiries import INQUIRY, Readings, answer_with, id_of, inquiry_of, looked_at
from .json_api import as_list, as_object, as_text, attributes_of, included
from .mapping import is_redacted
from .orders import key_of_action

_ACCOUNT = "the person's account at Persona keeps fields of its own; redact it there when no inquiry needs it"
_DECISIONS = {ReviewOutcome.APPROVE: ("approve", "approved"), ReviewOutcome.DECLINE: ("decline", "declined")}

SIMULATIONS: Mapping[str, tuple[str, ...]] = {
    "approved": ("complete_inquiry", "approve_inquiry"),
    "declined": ("complete_inquiry", "decline_inquiry"),
    "review": ("complete_inquiry", "mark_for_review_inquiry"),
    "expired": ("expire_inquiry",),
    "failed": ("fail_inquiry",),
    "completed": ("complete_inquiry",),
}
"""Outcomes and the actions that lead to them (docs.withpersona.com/integration-testing)."""
_ENDS = {"review": "needs_review"}


def cancel(readings: Readings, flow: Flow) -> Exchange[Flow]:
    """Expire it with all its sessions. What has ended already stays as it is."""
    inquiry = yield from looked_at(flow)
    if readings.status(inquiry) is FlowStatus.AWAITING_APPLICANT:
        reply = yield Request.post(f"{INQUIRY}/expire", id_of(flow), idempotent=True)
        inquiry = inquiry_of(flow, reply)
    return readings.flow(flow, inquiry)


def review(readings: Readings, flow: Flow, review: Review) -> Exchange[Flow]:
    """Approve or decline it. The comment names the author."""
    if review.outcome not in _DECISIONS:
        raise UnsupportedOperation(
            "Persona takes no request for another document: send the applicant back with renew_link, or retry the flow"
        )
    action, word = _DECISIONS[review.outcome]
    inquiry = yield from looked_at(flow)
    if _word(inquiry) != word:
        request = Request.post(
            f"{INQUIRY}/{action}",
            id_of(flow),
            json={"meta": {"comment": f"{review.author}: {review.reason}"}},
            idempotent=True,
            accept={409, 422},
        )
        reply = yield request
        # a repeat is refused where the first one arrived
        inquiry = inquiry_of(flow, reply) if reply.is_success else (yield from looked_at(flow))
        if _word(inquiry) != word:
            raise NotAccepted(request, reply)
    return readings.flow(flow, inquiry)


def erase(flow: Flow) -> Exchange[Erasure]:
    """Redact it. Persona redacts the inquiry at once, and all that belongs to it some time later."""
    inquiry, answer = yield from answer_with(flow, "verifications", "reports")
    if is_redacted(attributes_of(inquiry)):
        parts = (*included(answer, "verification"), *included(answer, "report"))
        is_done = all(is_redacted(attributes_of(part)) for part in parts)
        return Erasure(
            status=ErasureStatus.DONE if is_done else ErasureStatus.REQUESTED, reason=_ACCOUNT if is_done else None
        )
    request = Request.delete(INQUIRY, id_of(flow), accept={409})
    reply = yield request
    if reply.is_success:
        inquiry_of(flow, reply)
        return Erasure(status=ErasureStatus.REQUESTED)
    told = " ".join(
        str(as_object(error).get("details")) for error in as_list((reply.json_object() or {}).get("errors"))
    )
    if "already redacted" in told.lower():
        return Erasure(status=ErasureStatus.REQUESTED)
    if "lock" in told.lower():
        return Erasure(
            status=ErasureStatus.REFUSED, reason="it is locked for an investigation at Persona: unlock it first"
        )
    raise NotAccepted(request, reply)


def simulate(readings: Readings, flow: Flow, outcome: str) -> Exchange[Flow]:
    """Play it to that end, in the sandbox. With `simulated_verifications` attempts at those are made, passed or failed."""
    if outcome not in SIMULATIONS:
        raise InvalidOrder(f"the outcome is none of: {', '.join(SIMULATIONS)}", fields=("outcome",))
    inquiry = yield from looked_at(flow)
    if _word(inquiry) == _ENDS.get(outcome, outcome):
        return readings.flow(flow, inquiry)
    attempt = "create_failed_verification" if outcome in ("declined", "failed") else "create_passed_verification"
    attempts = readings.settings.simulated_verifications if outcome != "expired" else ()
    actions: list[dict[str, Any]] = [{"type": "start_inquiry"}] if _word(inquiry) == "created" else []
    actions += [{"type": attempt, "data": {"verification-template-id": id}} for id in attempts]
    actions += [{"type": action} for action in SIMULATIONS[outcome]]
    reply = yield Request.post(
        f"{INQUIRY}/perform-simulate-actions",
        id_of(flow),
        json={"meta": {"simulate-actions": actions}},
        headers={"Idempotency-Key": key_of_action(inquiry, outcome)},
        idempotent=True,
    )
    return readings.flow(flow, inquiry_of(flow, reply))


def _word(inquiry: Mapping[str, Any]) -> str | None:
    return as_text(attributes_of(inquiry).get("status"))
