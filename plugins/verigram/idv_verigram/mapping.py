"""Verigram's words in our vocabulary: the table of readings of the fact sheet, section 5.2, and the services of 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from idv_core.model import Check, CheckKind, CheckOutcome, FlowStatus, Reason, Score, VendorVerdict
from idv_core.model.public import without_secrets

KINDS = {
    "verilive": CheckKind.LIVENESS,
    "veridoc": CheckKind.DOCUMENT,
    "veriface": CheckKind.FACE_MATCH,
    "kisc": CheckKind.DATA_SOURCE,
    "esign": CheckKind.SIGNATURE,
    "consent": CheckKind.CONSENT,
    "client-card": CheckKind.OTHER,
    "doc-preview": CheckKind.OTHER,
}
_OUTCOMES = {"pass": CheckOutcome.PASSED, "success": CheckOutcome.PASSED, "fail": CheckOutcome.FAILED}
_DEEPEST = 4
_KEPT = ("service_name", "service_status", "face_match", "similarity", "vendor")


@attrs.frozen(kw_only=True)
class Reading:
    """What one answer of the result call says."""

    status: FlowStatus
    verdict: VendorVerdict | None = None
    word: str | None = None
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[Reason, ...] = ()
    raw: Mapping[str, Any] = attrs.field(factory=dict)


def read_answer(answer: Mapping[str, Any]) -> Reading:
    """Read a 200 of the result call. Only `flow_status` and `end_cause` make the verdict; services are evidence."""
    services = [_kept(service) for key, value in answer.items() for service in _services(key, value)]
    status, verdict, notes = _verdict(answer)
    checks, earlier = _last_attempts(services)
    word = _word(answer.get("flow_status"))
    raw = {"flow_status": answer.get("flow_status"), "end_cause": answer.get("end_cause"), "services": services}
    return Reading(
        status=status,
        verdict=verdict,
        word=word and word[:40],
        checks=checks,
        notes=(*notes, *earlier),
        doubts=tuple(_doubts(answer, verdict)),
        raw=without_secrets(raw),
    )


def _verdict(answer: Mapping[str, Any]) -> tuple[FlowStatus, VendorVerdict | None, tuple[str, ...]]:
    word, end = _word(answer.get("flow_status")), answer.get("end_cause")
    if word == "pass":
        if end is None or _word(end) == "completed":
            return FlowStatus.FINISHED, VendorVerdict.POSITIVE, ()
        return FlowStatus.FINISHED, VendorVerdict.DOUBTFUL, ("passed, but the flow did not end by being completed",)
    if word == "fail":
        return FlowStatus.FINISHED, VendorVerdict.NEGATIVE, ()
    notes = (f"unknown flow_status {word[:40]!r}",) if word else ()
    return FlowStatus.AWAITING_APPLICANT, None, notes


def _doubts(answer: Mapping[str, Any], verdict: VendorVerdict | None) -> Iterator[Reason]:
    """A flow that passed and still pauses at a step (section 3.3) is not understood."""
    pause = answer.get("interrupter")
    word = _word(pause.get("service_status")) if isinstance(pause, dict) else None
    if verdict is VendorVerdict.POSITIVE and pause is not None and word not in ("pass", "success"):
        yield Reason("flow.interrupted", "the flow passed, and its interrupter says that it pauses at a step")


def _services(key: str, value: object, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Services in any container of section 6.1: in lists or under keys, with a name or under the key that names them."""
    if isinstance(value, list):
        for item in value:
            yield from _services(key, item, depth + 1)
    elif isinstance(value, dict) and (depth or key != "interrupter"):
        if isinstance(value.get("service_name"), str) or key in KINDS or "service_status" in value:
            name = value.get("service_name")
            yield {**value, "service_name": name if isinstance(name, str) else key}
        elif depth < _DEEPEST:
            for inner, item in value.items():
                yield from _services(inner, item, depth + 1)


def _kept(service: Mapping[str, Any]) -> dict[str, Any]:
    """Name, status and the documented figures; the rest may be a population register's record and is dropped.

    Of a figure that is a list or an object only that it is there.
    """
    return {
        key: f"({type(service[key]).__name__})" if isinstance(service[key], (dict, list)) else service[key]
        for key in _KEPT
        if key in service
    }


def _last_attempts(services: list[dict[str, Any]]) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """The checks of each service's last attempt; notes tell of earlier ones that ended otherwise.

    A step may be tried again (`max_retries`, section 3.1), and that attempts are listed, and in which order, is documented
    nowhere. So where the last one failed after one that passed, or says nothing of what an earlier one checked, it is
    inconclusive.
    """
    attempts: dict[str, list[dict[str, Check]]] = {}
    for service in services:
        made = {check.name: check for check in _checks(service)}
        attempts.setdefault(str(service["service_name"]), []).append(made)
    checks: list[Check] = []
    notes: list[str] = []
    for tried in attempts.values():
        *earlier, last = tried
        for name in dict.fromkeys(name for attempt in tried for name in attempt):
            before = [attempt[name] for attempt in earlier if name in attempt]
            check = last.get(name)
            if check is None:
                check = attrs.evolve(before[-1], outcome=CheckOutcome.INCONCLUSIVE)
            elif check.outcome is CheckOutcome.FAILED and any(b.outcome is CheckOutcome.PASSED for b in before):
                check = attrs.evolve(check, outcome=CheckOutcome.INCONCLUSIVE)
            checks.append(check)
            others = {str(b.outcome) for b in before if b.outcome is not check.outcome}
            notes.extend(f"an earlier attempt at {name} was {outcome}" for outcome in sorted(others))
    return tuple(checks), tuple(notes)


def _checks(service: Mapping[str, Any]) -> Iterator[Check]:
    name = str(service.get("service_name"))[:40]
    compares = "face_match" in service or "similarity" in service
    # a service that is named and says neither how it went nor what it compared has not passed
    if "service_status" in service or not compares:
        word = _word(service.get("service_status"))
        yield Check(
            kind=KINDS.get(name, CheckKind.OTHER),
            name=name,
            outcome=_OUTCOMES.get(word or "", CheckOutcome.INCONCLUSIVE),
            vendor_word=word and word[:40],
        )
    if compares:
        matched = service.get("face_match")
        yield Check(
            kind=CheckKind.FACE_MATCH,
            name=f"{name}.face_match",
            outcome={True: CheckOutcome.PASSED, False: CheckOutcome.FAILED}.get(matched, CheckOutcome.INCONCLUSIVE)
            if isinstance(matched, bool)
            else CheckOutcome.INCONCLUSIVE,
            score=Score.read(service.get("similarity"), 0, 100),
        )


def _word(value: object) -> str | None:
    """A status word, trimmed and in lower case; None if there is none. What is no text is an unknown word."""
    if value is None:
        return None
    return value.strip().lower() if isinstance(value, str) else f"({type(value).__name__})"
