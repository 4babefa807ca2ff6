"""What one verification contributes to the figures: a fact, read from its events. Pure; nothing in it is personal.

Facts outlive an erasure. Country and type of document, the only parts that are sealed, are kept as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import RowMapping

from ...ledger import Event, State, Verification
from ...model import Decision

ABANDONED, FAILED, ERASED = "abandoned", "failed", "erased"
"""Outcomes beside the decisions. Failed: the vendor, or we, came to no end. Erased: taken back before there was one."""
COMPLETED = (Decision.APPROVED.value, Decision.DECLINED.value, Decision.REVIEW.value)
"""Outcomes of what a vendor brought to an end with evidence."""

ASKED, ERROR, REFUSED, UNKNOWN = "asked", "error", "refused", "unknown"
DECLINED, REVIEW = Decision.DECLINED.value, Decision.REVIEW.value
"""Kinds of details. Asked: in vain, for another account has it now. Refused: for what is ours to mend, so no vendor's error."""

PASSED_OVER, NOT_ASKED = "passed_over", "not_asked"
"""Codes of errors that have no class in the events: the route went on to the next account after asking, or without."""

Detail: TypeAlias = tuple[str, str, str]
"""Account (or an empty text), kind, code."""

PROMPT = timedelta(days=1)
"""A verdict counts what was completed within this time after the order."""

_OURS = frozenset({"ConfigError", "DuplicateFlow", "InvalidOrder", "NoRoute", "UnsupportedOperation"})
_OPENED = ("opened", "recovered", "adopted")
_ANSWERS = frozenset({*_OPENED, "not_opened", "opened_again", "trouble", "failed", "unknown", "expired"})
_CODE = 100


def fact_of(
    row: RowMapping, history: Sequence[Event], known: Mapping[str, str | None]
) -> tuple[dict[str, Any], frozenset[Detail]]:
    """The fact of a verification, and its details.

    Args:
        row: Its row in the ledger.
        history: Its events up to that row's `seq`.
        known: What of `dimensions` is known, now or from before.
    """
    state = State(row["state"])
    first = _first(history, "opening")
    opened = _last(history, *_OPENED)
    since = opened.seq if opened is not None else 0
    started = next((event for event in history if _is_start(event)), None)
    completed = next((event for event in history if event.seq > since and _is_completion(event)), None)
    asked = str(first.data["account"]) if first is not None else None
    assigned = (first.data.get("instead_of") if first is not None else None) or known["assigned"] or asked
    outcome = _outcome(state, row["decision"], history)
    details = _details(history, row["account"], outcome)
    if first is not None and assigned is not None and first.data.get("instead_of"):
        details |= {(assigned, ASKED, ""), (assigned, ERROR, NOT_ASKED)}
    compared = _last(history, "compared")
    made = {
        "verification_id": row["id"],
        "seq": row["seq"],
        "product": row["product"],
        "state": state.value,
        "decision": row["decision"],
        "account": row["account"],
        "assigned": assigned or row["account"],
        "shadow": known["shadow"],
        "shadow_status": _shadow_status(known["shadow"], opened, compared),
        "route": (first.data.get("route") if first is not None else None) or known["route"],
        "country": known["country"],
        "document": known["document"],
        "created_at": row["created_at"],
        "opened_at": opened.at if opened is not None else None,
        "started_at": started.at if started is not None else None,
        "completed_at": completed.at if completed is not None else None,
        "ended_at": _ended_at(state, history, row["decided_at"]),
        "outcome": outcome,
        "took": _milliseconds(completed.at - opened.at) if completed is not None and opened is not None else None,
        "is_waiting": _is_waiting(row, state, history),
        "is_prompt": completed is not None and completed.at - row["created_at"] <= PROMPT,
        "is_faulty": _is_faulty(details, assigned or row["account"], outcome),
    }
    return made, frozenset(details)


DIMENSIONS = ("route", "assigned", "shadow", "country", "document")


def dimensions(verification: Verification) -> dict[str, str | None]:
    """What is known of a verification only as long as it can be read."""
    order, flow, result = verification.order, verification.flow, verification.result
    kinds = [one.type.value for one in result.documents if one.type is not None] if result is not None else []
    kinds += [kind.value for kind in order.documents] if order is not None else []
    why = flow.explanation if flow is not None else None
    first = why.candidates[0] if why is not None and why.candidates else None
    return {
        "route": why.route if why is not None else None,
        "assigned": first.account if first is not None and first.role.startswith("split") else None,
        "shadow": why.shadow if why is not None else None,
        "country": order.applicant.country if order is not None else None,
        "document": kinds[0] if kinds else None,
    }


def _first(history: Iterable[Event], *kinds: str) -> Event | None:
    return next((event for event in history if event.kind in kinds), None)


def _last(history: Sequence[Event], *kinds: str) -> Event | None:
    return next((event for event in reversed(history) if event.kind in kinds), None)


def _is_start(event: Event) -> bool:
    """The applicant, or the platform for them, has done something."""
    if event.kind == "waiting":
        return event.data.get("status") == "processing"
    return event.kind in ("uploaded", "submitted") or _is_completion(event)


def _is_completion(event: Event) -> bool:
    return event.kind == State.DECIDED.value and event.data.get("decision") in COMPLETED


def _outcome(state: State, decision: str | None, history: Sequence[Event]) -> str | None:
    if state is State.DECIDED:
        return decision if decision in COMPLETED else FAILED
    if state is State.ERASED:
        return ERASED
    if not state.is_ended:
        return None
    return ABANDONED if _was_abandoned(state, history) else FAILED


def _was_abandoned(state: State, history: Sequence[Event]) -> bool:
    """Opened, and given up by the applicant: it ran out, here or at the vendor's, or was cancelled."""
    if _first(history, *_OPENED) is None:
        return False
    last = _last(history, state.value)
    return state is State.EXPIRED or (last is not None and last.data.get("status") in ("expired", "cancelled"))


def _ended_at(state: State, history: Sequence[Event], decided_at: datetime | None) -> datetime | None:
    if not state.is_ended:
        return None
    last = _last(history, state.value)
    return last.at if last is not None else decided_at


def _is_waiting(row: RowMapping, state: State, history: Sequence[Event]) -> bool:
    """Whether it waits for a person's word, which is there once it is final."""
    if state is not State.DECIDED or row["decision"] != REVIEW or row["erased_at"] is not None:
        return False
    last = _last(history, State.DECIDED.value, "reviewed")
    return last is None or last.kind != "reviewed"


def _details(history: Sequence[Event], account: str | None, outcome: str | None) -> set[Detail]:
    found: set[Detail] = set()
    asked: str | None = None
    is_open = False
    for event in history:
        data = event.data
        if event.kind == "opening":
            now = str(data["account"])
            if is_open and asked is not None and asked != now:
                # who is passed over has certainly opened nothing; what it failed with is in the log alone
                found.add((asked, ERROR, PASSED_OVER))
            asked, is_open = now, True
            if asked != account:
                found.add((asked, ASKED, ""))
        elif event.kind in _ANSWERS:
            is_open = False
        if event.kind in ("trouble", "failed") and "error" in data:
            error = str(data["error"])
            who = data.get("at") or asked or account or ""
            found.add((str(who), REFUSED if error in _OURS else ERROR, error[:_CODE]))
        elif event.kind == "unknown":
            found.add((str(data.get("account") or asked or ""), UNKNOWN, str(data.get("error", "unknown"))[:_CODE]))
    decided = _last(history, State.DECIDED.value)
    if decided is not None and outcome in (DECLINED, REVIEW):
        codes = decided.data.get("reasons") or ()
        found |= {(account or "", outcome, str(code)[:_CODE]) for code in codes}
    return found


def _is_faulty(details: Iterable[Detail], account: str | None, outcome: str | None) -> bool:
    kinds = {kind for name, kind, _ in details if name == account}
    return bool(kinds & {ERROR, UNKNOWN}) or (outcome == FAILED and REFUSED not in kinds)


def _shadow_status(shadow: str | None, opened: Event | None, compared: Event | None) -> str | None:
    if shadow is None or opened is None:
        return None
    if "shadow" not in opened.data:
        return "not opened"
    return str(compared.data.get("status")) if compared is not None else None


def _milliseconds(time: timedelta) -> int:
    return max(0, time // timedelta(milliseconds=1))
