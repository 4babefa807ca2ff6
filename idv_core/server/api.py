"""The REST API, version 1, over ledger, tracker and gateway. `openapi.json` says what each operation takes and gives."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from importlib.resources import files
from typing import Any

import attrs
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import DeadlineExceeded, IdvError
from ..gateway import AsyncGateway
from ..ledger import Ledger, State, Verification
from ..ledger.outbox import note
from ..ledger.verification import News
from ..model import Decision, Document, to_json
from ..model.validation import text_fault
from ..model.words import listed
from ..tracker import AsyncTracker
from ..tracker.tracker import pause_of
from . import idempotency, keys, reviews, search
from .keys import Key
from .problems import Ambiguous, BadRequest, Conflict, Erased, Forbidden, NotFound, Unauthorized, problem, unexpected
from .reading import FORM, JSON, bearer, media_type, preferred_wait, query_of, read_body, read_data, read_form
from .reviews import ReviewState
from .wire import (
    accounts_json,
    event_json,
    read_documents,
    read_order,
    result_json,
    verification_json,
)

_ERASED = "the personal data of this verification was erased; its events remain"
_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_FLOW = re.compile(r"[!-~]{1,300}")
# RFC 3339 section 5.6; a leap second is nothing that Python can hold
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


@attrs.frozen
class Service:
    """What the handlers work with."""

    gateway: AsyncGateway
    ledger: Ledger
    tracker: AsyncTracker


Handler = Callable[[Service, Key, Request], Awaitable[Response]]


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _guarded(
    scopes: tuple[str, ...], handler: Handler, known: frozenset[str]
) -> Callable[[Request], Awaitable[Response]]:
    """The handler for those whose key has one of the scopes; errors become problems. `known` are the query's parameters."""

    async def endpoint(request: Request) -> Response:
        try:
            key = await identified(request, scopes)
            query_of(request, known)
            return await handler(service_of(request), key, request)
        except IdvError as error:
            return problem(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return unexpected(request, error)

    return endpoint


async def identified(request: Request, scopes: tuple[str, ...]) -> Key:
    """Who calls. Raises Unauthorized, Forbidden, and Ambiguous for a request whose end could be read in two ways."""
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        raise Ambiguous("send Content-Length or Transfer-Encoding, not both")
    token, store = bearer(request), service_of(request).ledger.store
    key = keys.recall(store, token) or await asyncio.to_thread(keys.find, store, token) if token else None
    if key is None:
        raise Unauthorized("send a key of this service as: Authorization: Bearer idv_...", is_wrong=token is not None)
    if not key.scopes & set(scopes):
        raise Forbidden(f"the key lacks a scope: one of {', '.join(scopes)} is needed", scopes=scopes)
    return key


def _applied(wait: int) -> dict[str, str]:
    return {"preference-applied": f"wait={wait}"} if wait else {}


async def _verification(service: Service, request: Request) -> Verification:
    id = request.path_params["id"]
    found = await asyncio.to_thread(service.ledger.find, id) if is_id(id) else None
    if found is None:
        raise NotFound("there is no verification of that id")
    return found


async def _standing(service: Service, request: Request) -> Verification:
    """A verification whose personal data is there."""
    found = await _verification(service, request)
    if found.erased_at is not None:
        raise Erased(_ERASED)
    return found


async def _opened(service: Service, request: Request) -> Verification:
    """A verification that has a flow at the vendor."""
    found = await _standing(service, request)
    if found.flow is None:
        raise Conflict(f"the verification is {found.state}: it has no flow at a vendor yet, or none any more")
    return found


def _place(verification: Verification) -> str:
    return f"/v1/verifications/{verification.id}"


def is_id(text: str) -> bool:
    """Whether it looks like the id of a verification: a ULID."""
    return _ID.fullmatch(text) is not None


def is_flow_id(text: str) -> bool:
    """Whether it may be a vendor's id of a flow."""
    return _FLOW.fullmatch(text) is not None


async def _told(
    service: Service, key: Key, verification: Verification, status: int = 200, **headers: str
) -> JSONResponse:
    review = None
    if verification.decision is Decision.REVIEW:
        review = await asyncio.to_thread(reviews.of, service.ledger.store, verification.id, verification.round)
    body = verification_json(verification, review, with_link="verify" in key.scopes)
    return JSONResponse(body, status, {"cache-control": "no-store", **headers})


# the operations


async def order(service: Service, key: Key, request: Request) -> Response:
    media_type(request, JSON)
    body = await read_body(request)
    given = read_order(read_data(body))
    wait = preferred_wait(request)

    async def run() -> Response:
        taken = await asyncio.to_thread(service.ledger.take, given)
        if wait and taken.state in (State.ORDERED, State.OPENING):
            try:
                taken = await service.tracker.opened(taken, within=wait)
            except DeadlineExceeded:
                taken = await asyncio.to_thread(service.ledger.get, taken.id)
        return await _told(service, key, taken, 202, location=_place(taken), **_applied(wait))

    answer = await _once(service, key, request, b"order\0" + body, run)
    if "idempotency-replayed" in answer.headers:
        # what was kept has the link
        before = await asyncio.to_thread(service.ledger.find, answer.headers["location"].rpartition("/")[2])
        if before is not None and before.erased_at is not None:
            raise Erased(_ERASED)
    return answer


async def _once(
    service: Service, key: Key, request: Request, content: bytes, run: Callable[[], Awaitable[Response]]
) -> Response:
    given = idempotency.read_key(request.headers.getlist("idempotency-key"))
    return await run() if given is None else await idempotency.once(service.ledger.store, key.id, given, content, run)


async def show(service: Service, key: Key, request: Request) -> Response:
    return await _told(service, key, await _verification(service, request))


async def find(service: Service, key: Key, request: Request) -> Response:
    query = query_of(request, _FINDING)
    most = query.pop("limit", "50")
    if not (most.isascii() and most.isdecimal() and len(most) <= 3 and 1 <= int(most) <= 200):
        raise BadRequest("limit: must be 1 to 200")
    wanted = read_filter(query)
    lines, before = await asyncio.to_thread(search.find, service.ledger.store, wanted, int(most))
    body = {"items": [line.json() for line in lines], "next_before": before}
    return JSONResponse(body, headers={"cache-control": "no-store"})


def _moment(text: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise ValueError
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


_WORDS: dict[str, type[StrEnum]] = {"state": State, "decision": Decision, "review_state": ReviewState}
_FILTERS: dict[str, Callable[[str], Any]] = {**_WORDS, "since": _moment, "until": _moment}
_WANTED = {
    **{name: f"must be one of {listed(words)}" for name, words in _WORDS.items()},
    **dict.fromkeys(("since", "until"), "must be a time such as 2026-11-30T10:00:00Z"),
}
_FINDING = frozenset({"limit", *(field.name for field in attrs.fields(search.Filter))})


def read_filter(query: dict[str, str]) -> search.Filter:
    """Raises BadRequest that names the parameter."""
    read: dict[str, Any] = {}
    for name, text in query.items():
        try:
            read[name] = _FILTERS.get(name, str)(text)
        except (ValueError, OverflowError):
            raise BadRequest(f"{name}: {_WANTED[name]}") from None
        fault = text_fault(text)
        if fault:
            raise BadRequest(f"{name}: {fault}")
        if name in ("before", "after") and not is_id(text):
            raise BadRequest(f"{name}: must be an id, such as the next_before of the page before")
    return search.Filter(**read)


async def document(service: Service, key: Key, request: Request) -> Response:
    """A document goes on to the vendor. It is held in memory meanwhile, and written nowhere."""
    media_type(request, FORM)
    verification = await _opened(service, request)
    handed, content = await read_form(request)
    return await _handed(service, key, request, verification, [handed], content)


async def documents(service: Service, key: Key, request: Request) -> Response:
    """Addresses go on to the vendor, which downloads the documents."""
    media_type(request, JSON)
    verification = await _opened(service, request)
    content = await read_body(request)
    return await _handed(service, key, request, verification, read_documents(read_data(content)), content)


async def _handed(
    service: Service, key: Key, request: Request, verification: Verification, handed: list[Document], content: bytes
) -> Response:
    async def run() -> Response:
        _check_new(verification, [document.id for document in handed])
        after = await service.tracker.upload(verification.id, handed)
        return await _told(service, key, after)

    return await _once(service, key, request, b"documents\0" + verification.id.encode() + content, run)


def _check_new(verification: Verification, ids: list[str]) -> None:
    flow = verification.flow
    known = {upload.document_id for upload in flow.uploads if upload.accepted} if flow is not None else set()
    if known & set(ids):
        raise Conflict("a document with that id was uploaded before: give this one another id")


def _step(name: str) -> Handler:
    """An operation that hands something in and gives the verification after it."""

    async def handler(service: Service, key: Key, request: Request) -> Response:
        verification = await _opened(service, request)

        async def run() -> Response:
            return await _told(service, key, await getattr(service.tracker, name)(verification.id))

        return await _once(service, key, request, f"{name}\0{verification.id}".encode(), run)

    return handler


async def result(service: Service, key: Key, request: Request) -> Response:
    """The result; 202 with the verification while there is none."""
    verification = await _standing(service, request)
    wait = preferred_wait(request)
    begun = time.monotonic()
    while _is_open(verification) and (waited := time.monotonic() - begun) < wait:
        await asyncio.sleep(pause_of(waited, wait))
        verification = await _standing(service, request)
    if verification.result is None:
        later = {"retry-after": "5"} if _is_open(verification) else {}
        return await _told(service, key, verification, 202, **later, **_applied(wait))
    personal = "personal" in key.scopes
    if personal:
        news = News("unmasked", {"what": "result"}, key.actor)
        await asyncio.to_thread(note_event, service.ledger, verification.id, news)
    body = result_json(verification, verification.result, personal=personal)
    return JSONResponse(body, headers={"cache-control": "no-store", **_applied(wait)})


def _is_open(verification: Verification) -> bool:
    return verification.result is None and not verification.state.is_ended


def note_event(ledger: Ledger, id: str, news: News) -> None:
    with ledger.store.begin() as con:
        note(ledger.store, con, id, news)


async def events(service: Service, key: Key, request: Request) -> Response:
    verification = await _verification(service, request)
    found = await asyncio.to_thread(service.ledger.events, verification.id)
    return JSONResponse({"items": [event_json(event) for event in found]}, headers={"cache-control": "no-store"})


async def resolution(service: Service, key: Key, request: Request) -> Response:
    media_type(request, JSON)
    verification = await _standing(service, request)
    body = await read_body(request)
    said = read_data(body)
    if not isinstance(said, dict) or len(said) != 1 or not said.keys() <= {"adopt", "reopen", "give_up"}:
        raise BadRequest('say exactly one of {"adopt": "flow id"}, {"reopen": true} and {"give_up": true}')
    ((what, value),) = said.items()
    is_good = isinstance(value, str) and is_flow_id(value) if what == "adopt" else value is True
    if not is_good:
        raise BadRequest(f"{what}: must be {'the id of the flow at the vendor' if what == 'adopt' else 'true'}")

    async def run() -> Response:
        await asyncio.to_thread(partial(service.ledger.resolve, verification.id, **{what: value}, actor=key.actor))
        return await _told(service, key, await _verification(service, request), 202, location=_place(verification))

    return await _once(service, key, request, b"resolution\0" + verification.id.encode() + body, run)


async def erase(service: Service, key: Key, request: Request) -> Response:
    verification = await _verification(service, request)
    after = await asyncio.to_thread(partial(service.ledger.erase, verification.id, actor=key.actor))
    return await _told(service, key, after, 202, location=_place(verification))


async def explanation(service: Service, key: Key, request: Request) -> Response:
    media_type(request, JSON)
    given = read_order(read_data(await read_body(request)))
    made = service.gateway.explain(given)
    return JSONResponse({**to_json(made), "text": str(made)}, headers={"cache-control": "no-store"})


async def accounts(service: Service, key: Key, request: Request) -> Response:
    return JSONResponse({"items": accounts_json(service.gateway)}, headers={"cache-control": "no-store"})


async def openapi(request: Request) -> Response:
    text = files(__package__).joinpath("openapi.json").read_bytes()
    return Response(text, media_type="application/json")


_ONE = "/v1/verifications/{id}"


def routes() -> list[Route]:
    """Each operation with the scopes of which a key needs one."""

    def made(path: str, method: str, handler: Handler, *scopes: str, known: frozenset[str] = frozenset()) -> Route:
        return Route(path, _guarded(scopes, handler, known), methods=[method])

    return [
        made("/v1/verifications", "POST", order, "verify"),
        made("/v1/verifications", "GET", find, "read", known=_FINDING),
        made(_ONE, "GET", show, "read", "verify"),
        made(f"{_ONE}/documents", "POST", document, "verify"),
        made(f"{_ONE}/documents-by-address", "POST", documents, "verify"),
        made(f"{_ONE}/submission", "POST", _step("submit"), "verify"),
        made(f"{_ONE}/link", "POST", _step("renew_link"), "verify"),
        made(f"{_ONE}/result", "GET", result, "read", "personal"),
        made(f"{_ONE}/events", "GET", events, "read"),
        made(f"{_ONE}/resolution", "POST", resolution, "operate"),
        made(f"{_ONE}/personal-data", "DELETE", erase, "operate"),
        made("/v1/explanations", "POST", explanation, "read"),
        made("/v1/accounts", "GET", accounts, "read"),
        Route("/v1/openapi.json", openapi, methods=["GET"]),
    ]
