"""Verigram's words in our vocabulary: the table of readings of the fact sheet, section 5.2, and the services of 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from idv_core.model import Check, CheckKind, CheckOutcome, FlowStatus, Score, VendorVerdict

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
_KEPT = ("service_name", "service_status", "face_match", "similarity", "vendor")


@attrs.frozen(kw_only=True)
class Reading:
    """What one answer of the result call says."""

    status: FlowStatus
    verdict: VendorVerdict | None = None
    word: str | None = None
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    raw: Mapping[str, Any] = attrs.field(factory=dict)


def read_answer(answer: Mapping[str, Any]) -> Reading:
    """Read a 200 of the result call. Only `flow_status` and `end_cause` make the verdict; services are evidence."""
    services = list(_services(answer))
    status, verdict, notes = _verdict(answer)
    return Reading(
        status=status,
        verdict=verdict,
        word=_word(answer.get("flow_status")),
        checks=tuple(check for service in services for check in _checks(service)),
        notes=notes,
        raw={"flow_status": answer.get("flow_status"), "end_cause": answer.get("end_cause"), "services": services},
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


def _services(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Services in either container: a list of objects with `service_name`, or objects under keys that name a service."""
    for key, value in answer.items():
        if isinstance(value, list):
            for item in value:
                if isinstance(item, dict) and isinstance(item.get("service_name"), str):
                    yield _kept(item)
        elif isinstance(value, dict) and key != "interrupter" and (key in KINDS or "service_status" in value):
            yield _kept({"service_name": key, **value})


def _kept(service: Mapping[str, Any]) -> dict[str, Any]:
    """Name, status and the documented figures; the rest may be a population register's record and is dropped."""
    return {key: service[key] for key in _KEPT if key in service and not isinstance(service[key], (dict, list))}


def _checks(service: Mapping[str, Any]) -> Iterator[Check]:
    name, status = str(service.get("service_name"))[:40], service.get("service_status")
    if status is not None:
        word = _word(status)
        yield Check(
            kind=KINDS.get(name, CheckKind.OTHER),
            name=name,
            outcome=_OUTCOMES.get(word or "", CheckOutcome.INCONCLUSIVE),
            vendor_word=word and word[:40],
        )
    if "face_match" in service or "similarity" in service:
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
