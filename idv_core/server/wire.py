"""What the API takes and gives, as JSON: orders in; verifications, results, events out. See `openapi.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import attrs
import cattrs
from cattrs import ForbiddenExtraKeysError

from ..errors import InvalidOrder
from ..gateway.sync import GatewayBase
from ..ledger import Event, Verification
from ..model import Applicant, Check, Document, DocumentEvidence, FlowOrder, Result, from_json, to_json
from ..model.words import listed, quoted
from ..plugin.protocols import capabilities
from .reviews import Review, state_of

# set by the gateway, never by who orders
_OURS = frozenset({"version", "urls", "is_shadow"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_A_DATE = "a date such as 1990-05-31"
_BRACKETS = re.compile(r"\[.*?\](?=[.\[]|$)")
_KINDS: tuple[tuple[type[Any], str], ...] = (
    (StrEnum, "one of the words that openapi.json has for it"),
    (str, "a string"),
    (date, _A_DATE),
    (Mapping, "an object"),
    (Sequence, "a list"),
)
# the members of an order that are JSON of the vendor's, where null means something
_VENDORS = "vendor_options"


def read_order(data: Any) -> FlowOrder:
    """The order of a request. Raises InvalidOrder that names the fields, and shows no value."""
    if not isinstance(data, Mapping):
        raise InvalidOrder("the order must be a JSON object")
    for name in sorted(_OURS & data.keys()):
        raise InvalidOrder(f"{name}: is set by the service; leave it out", fields=(name,))
    _refuse_null({name: value for name, value in data.items() if name != _VENDORS or value is None}, "")
    given = data.get("applicant")
    if not isinstance(data.get("documents", []), list):
        raise InvalidOrder("documents: must be a list of document types", fields=("documents",))
    if isinstance(given, Mapping):
        _check_applicant(given)
    with suppress(ValueError):
        return from_json(FlowOrder, data)
    if isinstance(given, Mapping):
        # read on its own, so that the message names the field of the person
        _read(Applicant, given, "applicant")
    order: FlowOrder = _read(FlowOrder, data, None)
    return order


def _refuse_null(value: Any, place: str) -> None:
    """What is not known is left out. Raises InvalidOrder."""
    if value is None:
        raise InvalidOrder(f"{place}: must not be null; leave out what is not known", fields=(place,))
    if isinstance(value, Mapping):
        for name, item in value.items():
            _refuse_null(item, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            _refuse_null(item, place)


def _check_applicant(given: Mapping[str, Any]) -> None:
    """What the model would also take in another form."""
    birthdate = given.get("birthdate")
    if birthdate is not None and not (isinstance(birthdate, str) and _DATE.fullmatch(birthdate)):
        raise InvalidOrder(f"birthdate: must be {_A_DATE}", fields=("applicant.birthdate",))
    for name in ("nationalities", "identification_numbers"):
        if not isinstance(given.get(name, []), list):
            raise InvalidOrder(f"{name}: must be a list", fields=(f"applicant.{name}",))


def _read(cls: type[Any], data: Mapping[str, Any], field: str | None) -> Any:
    try:
        return from_json(cls, data)
    except ValueError as error:
        cause = error.__context__
        # the validators of the model say what is wrong without the value
        said = _first(cause) if cause is not None else None
        if said is not None or cause is None:
            fields = (field,) if field else ()
            raise InvalidOrder(said or str(error).partition(": ")[2], fields=fields) from None
        faults = [line.rpartition(" @ $") for line in cattrs.transform_error(cause, format_exception=_fault)]
    # what stands in brackets is a number, or a name that the caller has chosen
    places = [f"{field or ''}{_BRACKETS.sub('', place)}".lstrip(".") for _, _, place in faults]
    told = dict.fromkeys(f"{place or 'the order'}: {said}" for place, (said, _, _) in zip(places, faults, strict=True))
    raise InvalidOrder("; ".join(told), fields=tuple(dict.fromkeys(filter(None, places))))


def _fault(error: BaseException, kind: Any) -> str:
    """What is wrong with one member, without its value. JSON's words, for who orders may not know Python's."""
    if isinstance(error, KeyError):
        return "is missing"
    if isinstance(error, ForbiddenExtraKeysError):
        return f"has what an order does not know: {listed(sorted(map(quoted, error.extra_fields)))}"
    # of what may be left out: the kind that it has where it is there
    kind = next((one for one in get_args(kind) if one is not NoneType), kind) if isinstance(kind, UnionType) else kind
    kind = get_origin(kind) or kind
    wanted = next((words for known, words in _KINDS if isinstance(kind, type) and issubclass(kind, known)), None)
    return f"must be {wanted}" if wanted else "must be an object" if attrs.has(kind) else "cannot be read"


def _first(error: BaseException) -> str | None:
    """The sentence of a model's own validator, `name: must ...`; None for everything else, which may hold a value."""
    for one in getattr(error, "exceptions", (error,)):
        if one is not error and (said := _first(one)) is not None:
            return said
        text = str(one)
        name, colon, _ = text.partition(": must ")
        if isinstance(one, ValueError) and colon and name.replace("_", "").isalnum():
            # what stands behind quotes what was given
            return text.partition("; '")[0]
    return None


_MOST_DOCUMENTS = 40


def read_documents(data: Any) -> list[Document]:
    """Documents by address: `{"documents": [{"document_id": ..., "url": ...}]}`. Raises InvalidOrder."""
    given = data.get("documents") if isinstance(data, Mapping) and len(data) == 1 else None
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_DOCUMENTS:
        said = f"documents: must be a list of 1 to {_MOST_DOCUMENTS} objects with document_id and url, with nothing beside it"
        raise InvalidOrder(said, fields=("documents",))
    made = []
    for one in given:
        known = {"document_id", "url", "type", "country", "kind"}
        if not isinstance(one, Mapping) or not {"document_id", "url"} <= one.keys() <= known:
            said = "documents: each is an object with document_id and url, and may have type, country and kind"
            raise InvalidOrder(said, fields=("documents",))
        _refuse_null(one, "documents")
        made.append(make_document(**one))
    if len({document.id for document in made}) < len(made):
        raise InvalidOrder("documents: each document_id occurs once", fields=("documents",))
    return made


def make_document(document_id: Any, **given: Any) -> Document:
    """Raises InvalidOrder."""
    try:
        return Document(document_id, **given)
    except (ValueError, TypeError) as error:
        raise InvalidOrder(str(error), fields=("documents",)) from None


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value is not None else None


def verification_json(verification: Verification, review: Review | None, *, with_link: bool) -> dict[str, Any]:
    """A verification. The link and the SDK's token are for those who may act for the applicant."""
    flow, result = verification.flow, verification.result
    made: dict[str, Any] = {
        "id": verification.id,
        "application_id": verification.application_id,
        "tenant": verification.tenant,
        "product": verification.product,
        "state": verification.state.value,
        "round": verification.round,
        "account": verification.account,
        "ref": verification.ref,
        "policy": verification.policy,
        "decision": verification.decision.value if verification.decision else None,
        "reasons": [reason.code for reason in result.reasons] if result else [],
        "review_state": state_of(verification, review),
        "review": review_json(review) if review is not None and review.outcome is not None else None,
        "created_at": _moment(verification.created_at),
        "deadline": _moment(verification.deadline),
        "decided_at": _moment(verification.decided_at),
        "retain_until": _moment(verification.retain_until),
        "erased_at": _moment(verification.erased_at),
        "flow": None,
    }
    if flow is not None:
        made["flow"] = {
            "status": flow.status.value,
            "attempt": flow.attempt,
            "valid_until": _moment(flow.valid_until),
            "uploads": [{"document_id": one.document_id, "accepted": one.accepted} for one in flow.uploads],
            "link": None,
            "sdk": None,
        }
        if with_link and flow.link is not None:
            made["flow"]["link"] = {"url": flow.link.url.reveal(), "expires_at": _moment(flow.link.expires_at)}
        if with_link and flow.sdk is not None:
            token = flow.sdk.token.reveal()
            made["flow"]["sdk"] = {
                "kind": flow.sdk.kind,
                "token": token,
                "expires_at": _moment(flow.sdk.expires_at),
            }
    return made


def review_json(review: Review) -> dict[str, Any]:
    """A person's decision, once it counts. The reason is theirs, and not told here: it may speak of the applicant."""
    return {
        "outcome": review.outcome,
        "author": review.author,
        "confirmed_by": review.confirmed_by,
        "decided_at": _moment(review.decided_at),
    }


def result_json(verification: Verification, result: Result, *, personal: bool) -> dict[str, Any]:
    """A result: evidence and decision. Without `personal` it tells which fields there are, not what stands in them."""
    return {
        "id": verification.id,
        "application_id": verification.application_id,
        "round": verification.round,
        "decision": result.decision.value,
        "reasons": [
            {"code": one.code, "text": one.text, "check": one.check, "document": one.document} for one in result.reasons
        ],
        "status": result.status.value,
        "verdict": result.verdict.value if result.verdict else None,
        "vendor_word": result.vendor_word,
        "decided_by": result.decided_by,
        "is_test": result.is_test,
        "received_at": _moment(result.received_at),
        "checks": [_check(check, personal) for check in result.checks],
        "documents": [_document(document, personal) for document in result.documents],
        "claims": {
            claim.name.value: {
                "value": _value(claim.value) if personal else None,
                "disagrees": claim.disagrees,
                "document_ids": list(claim.document_ids),
            }
            for claim in result.claims
        },
        "is_masked": not personal,
    }


def _check(check: Check, personal: bool) -> dict[str, Any]:
    pair = check.pair
    return {
        "check": check.label,
        "outcome": check.outcome.value if check.outcome else None,
        "score": check.score.value if check.score else None,
        "raw_score": check.score.raw if check.score else None,
        "by_policy": check.by_policy,
        "document_id": check.document_id,
        "reasons": list(check.reasons) if personal else [],
        "vendor_name": check.vendor_name,
        "pair": None
        if pair is None
        else {
            "source_document": pair.source_document,
            "source_field": pair.source_field,
            "target_document": pair.target_document,
            "target_field": pair.target_field,
        },
    }


def _document(document: DocumentEvidence, personal: bool) -> dict[str, Any]:
    return {
        "document_id": document.document_id,
        "type": document.type.value if document.type else None,
        "country": document.country,
        "issued_on": document.issued_on.isoformat() if personal and document.issued_on else None,
        "expires_on": document.expires_on.isoformat() if personal and document.expires_on else None,
        "fields": [
            {
                "name": field.name.value,
                "value": _value(field.value) if personal else None,
                "confidence": field.confidence,
            }
            for field in document.fields
        ],
    }


def _value(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float)) else to_json(value)


def event_json(event: Event) -> dict[str, Any]:
    """One line of the history."""
    return {
        "seq": event.seq,
        "at": event.at.isoformat(),
        "actor": event.actor,
        "kind": event.kind,
        "data": dict(event.data),
    }


def accounts_json(gateway: GatewayBase) -> list[dict[str, Any]]:
    """The accounts, what each can do, and how it is."""
    health = gateway.health()
    sessions = gateway._state.active.sessions
    return [
        {
            "name": name,
            "plugin": session.plugin,
            "is_test": session.is_test,
            "capabilities": list(capabilities(type(session.adapter))),
            "circuit": health[name].circuit.value,
            "available": health[name].available,
            "running": health[name].running,
            "waiting": health[name].waiting,
            "last_failure": health[name].last_failure,
            "created_today": health[name].created_today,
            "daily_cap": session.daily_cap,
        }
        for name, session in sessions.items()
    ]
