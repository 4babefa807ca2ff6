"""Verigram's words in our vocabulary: the table of readings of the fact sheet, section 5.2, and the services of 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import attrs

from idv_core.plugin import (
    OTHER,
    OVERALL,
    Check,
    CheckKind,
    CheckOutcome,
    Deferred,
    Flow,
    FlowStatus,
    Reason,
    Result,
    Score,
    VendorVerdict,
    dates_under,
    document_dates,
    failures_in,
    means_expiry,
    without_secrets,
)

SERVICES = {
    "verilive": (CheckKind.LIVENESS, OVERALL),
    "veridoc": (CheckKind.DOCUMENT, OVERALL),
    "veriface": (CheckKind.FACE_MATCH, OVERALL),
    "kisc": (CheckKind.DATA_SOURCE, "government_register"),
    "esign": (CheckKind.SIGNATURE, OVERALL),
    "consent": (CheckKind.CONSENT, OVERALL),
    "client-card": (CheckKind.OTHER, OTHER),
    "doc-preview": (CheckKind.OTHER, OTHER),
}
KINDS = {name: kind for name, (kind, _) in SERVICES.items()}
# A face is compared with the register's picture at `kisc`, elsewhere with the document's.
_COMPARED_WITH, _COMPARED = {"kisc": "selfie_to_record"}, "selfie_to_document"
COMPARED = tuple((CheckKind.FACE_MATCH, name) for name in (*_COMPARED_WITH.values(), _COMPARED))
_OUTCOMES = {"pass": CheckOutcome.PASSED, "success": CheckOutcome.PASSED, "fail": CheckOutcome.FAILED}
_KEPT = ("service_name", "service_status", "face_match", "similarity", "vendor")
# Files and a population register's record of all of a person's papers, of which some have ended (sections 3.7 and 6.3).
_RECORDS = frozenset({"kisc_pii", "kisc_face_image", "signed_doc"})
_ANSWER = frozenset({"flow_id", "person_id", "flow_status", "end_cause", "interrupter", *_RECORDS})
# Other spellings of `service_name` and `service_status`.
_NAMES, _STATUSES = ("service_name", "service", "name"), ("service_status", "status", "result")


def read_answer(flow: Flow, answer: Mapping[str, Any], today: date) -> Result:
    """Read a 200 of the result call. Only `flow_status` and `end_cause` make the verdict; services are evidence.

    A document that ended before `today` is a doubt.
    """
    rest = {key: value for key, value in answer.items() if key not in _ANSWER}
    found = [one for key, value in rest.items() for one in _services(key, value, key)]
    services = [(place, _kept(service)) for place, service in found]
    status, verdict, notes = _verdict(answer)
    checks, earlier = _last_attempts(services)
    word = _as_said(answer.get("flow_status"))
    raw = {
        "flow_status": answer.get("flow_status"),
        "end_cause": answer.get("end_cause"),
        "services": [service for _, service in services],
    }
    dates = _dates(rest)
    doubts = [*_doubts(answer, rest, verdict)]
    if dates["unread"]:
        doubts.append(Reason("document.unread", "a service tells when a document ends, and the date is not understood"))
    if dates["expires_on"] is not None and dates["expires_on"] < today:
        doubts.append(Reason("document.expired", "a service tells that a document has ended"))
    return Result(
        flow=flow if flow.status is status else attrs.evolve(flow, status=status),
        verdict=verdict,
        vendor_word=word and word[:40],
        checks=checks,
        notes=(*notes, *earlier),
        doubts=tuple(doubts),
        raw=Deferred(lambda: without_secrets(raw)),
    )


def _verdict(answer: Mapping[str, Any]) -> tuple[FlowStatus, VendorVerdict | None, tuple[str, ...]]:
    word, end = _word(answer.get("flow_status")), answer.get("end_cause")
    if word == "pass":
        if end is None or _word(end) == "completed":
            return FlowStatus.FINISHED, VendorVerdict.POSITIVE, ()
        return FlowStatus.FINISHED, VendorVerdict.DOUBTFUL, ("passed, but the flow did not end by being completed",)
    if word == "fail":
        return FlowStatus.FINISHED, VendorVerdict.NEGATIVE, ()
    said = _as_said(answer.get("flow_status"))
    notes = (f"unknown flow_status {said[:40]!r}",) if said else ()
    return FlowStatus.AWAITING_APPLICANT, None, notes


def _doubts(answer: Mapping[str, Any], rest: Mapping[str, Any], verdict: VendorVerdict | None) -> Iterator[Reason]:
    """A flow that passed and still pauses at a step (section 3.3), or tells of a failure beside, is not understood."""
    if verdict is not VendorVerdict.POSITIVE:
        return
    pause = answer.get("interrupter")
    word = _word(pause.get("service_status")) if isinstance(pause, dict) else None
    if pause is not None and word not in ("pass", "success"):
        yield Reason("flow.interrupted", "the flow passed, and its interrupter says that it pauses at a step")
    if failed := failures_in(
        {**rest, "interrupter": pause}, known={*_KEPT, *_RECORDS}, also={"reason", "reasons", "cause"}
    ):
        yield Reason(
            "answer.failure", f"the flow passed, and beside it something tells of a failure: {', '.join(failed)}"
        )


def _dates(rest: Mapping[str, Any]) -> dict[str, Any]:
    """When a document ends. No such date is documented; one that is there all the same counts. `expires_at` beside the
    services is the flow's own end.
    """
    told = {key: value for key, value in rest.items() if key != "expires_at"}
    return document_dates(expires=dates_under(told, means_expiry, known=_RECORDS))


def _services(key: str, value: object, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Services in any container of section 6.1 and the place of each: in lists or under keys, with a name, under the key that
    names them, or as a word alone under that key.
    """
    if isinstance(value, list):
        for item in value:
            yield from _services(key, item, place)
    elif isinstance(value, dict):
        name = _name_in(value, key)
        if name is not None:
            word = next((value[status] for status in _STATUSES if status in value), _ABSENT)
            yield place, {**value, "service_name": name, **({} if word is _ABSENT else {"service_status": word})}
        for inner, item in value.items():
            if inner not in _RECORDS and inner not in _KEPT:
                yield from _services(inner, item, f"{place}.{inner}")
    elif (name := _known(key)) is not None and value is not None:
        yield place, {"service_name": name, "service_status": value}


_ABSENT = object()


def _name_in(value: Mapping[str, Any], key: str) -> str | None:
    """The service that an object is about; None if it is about none."""
    said = [value[name] for name in _NAMES if isinstance(value.get(name), str)]
    if isinstance(value.get("service_name"), str):
        return _known(said[0]) or said[0]
    says = any(status in value for status in _STATUSES)
    known = _known(key) or next((name for text in said if says and (name := _known(text))), None)
    if known is None and not {"service_status", "face_match", "similarity"}.isdisjoint(value):
        return said[0] if said else key
    return known


def _known(name: str) -> str | None:
    """The service of that name, however it is written (`VeriDoc`, `client_card`)."""
    plain = name.strip().lower().replace("_", "-")
    return plain if plain in KINDS else None


def _kept(service: Mapping[str, Any]) -> dict[str, Any]:
    """Name, status and the documented figures; the rest may be a population register's record and is dropped.

    Of a figure that is a list or an object only that it is there.
    """
    return {
        key: f"({type(service[key]).__name__})" if isinstance(service[key], (dict, list)) else service[key]
        for key in _KEPT
        if key in service
    }


def _last_attempts(services: list[tuple[str, dict[str, Any]]]) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """The checks of each service's last attempt; notes tell of earlier ones that ended otherwise.

    A step may be tried again (`max_retries`, section 3.1), and that attempts are listed, and in which order, is documented
    nowhere. So where the last one failed after one that passed, or says nothing of what an earlier one checked, it is
    inconclusive. What stands in another place is no attempt, so that two places that differ are inconclusive too.
    """
    attempts: dict[str, list[dict[str, Check]]] = {}
    places: dict[str, set[str]] = {}
    for place, service in services:
        made = {str(check.vendor_name): check for check in _checks(service)}
        attempts.setdefault(str(service["service_name"]), []).append(made)
        places.setdefault(str(service["service_name"]), set()).add(place)
    checks: list[Check] = []
    notes: list[str] = []
    for service_name, tried in attempts.items():
        *earlier, last = tried
        if not earlier:
            checks.extend(last.values())
            continue
        for name in dict.fromkeys(name for attempt in tried for name in attempt):
            before = [attempt[name] for attempt in earlier if name in attempt]
            check = last.get(name)
            if check is None:
                check = attrs.evolve(before[-1], outcome=CheckOutcome.INCONCLUSIVE)
            else:
                differs = any(b.outcome is not check.outcome for b in before) and len(places[service_name]) > 1
                worsened = check.outcome is CheckOutcome.FAILED and any(
                    b.outcome is CheckOutcome.PASSED for b in before
                )
                if differs or worsened:
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
        kind, check_name = SERVICES.get(name, (CheckKind.OTHER, OTHER))
        yield Check(
            kind=kind,
            name=check_name,
            vendor_name=name,
            outcome=_OUTCOMES.get(word or "", CheckOutcome.INCONCLUSIVE),
            vendor_word=(_as_said(service.get("service_status")) or "")[:40] or None,
        )
    if compares:
        matched, similarity = service.get("face_match"), service.get("similarity")
        unread = ("similarity",) if Score.is_unread(similarity, 0, 100) else ()
        outcome = CheckOutcome.FAILED if matched is False else CheckOutcome.INCONCLUSIVE
        yield Check(
            kind=CheckKind.FACE_MATCH,
            name=_COMPARED_WITH.get(name, _COMPARED),
            vendor_name=f"{name}.face_match",
            outcome=CheckOutcome.PASSED if matched is True and not unread else outcome,
            reasons=unread,
            score=Score.read(similarity, 0, 100),
        )


def _word(value: object) -> str | None:
    """A status word, trimmed and in lower case; None if there is none. What is no text is an unknown word."""
    said = _as_said(value)
    return said and said.lower() if isinstance(value, str) else said


def _as_said(value: object) -> str | None:
    """The word as it came, for people to read: in lower case nobody would know a name in it."""
    if value is None:
        return None
    return value.strip() if isinstance(value, str) else f"({type(value).__name__})"
