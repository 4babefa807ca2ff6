"""The REST API, version 1, over ledger, tracker and gateway. `openapi.json` says what each operation takes and gives."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Any

import attrs
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import DeadlineExceeded, IdvError, InvalidOrder
from ..gateway import AsyncGateway
from ..ledger import Ledger, State, Verification
from ..ledger.outbox import note
from ..ledger.verification import News
from ..model import Decision, Document, to_json
from ..tracker import AsyncTracker
from . import idempotency, keys, reviews, search
from .keys import Key
from .problems import BadRequest, Erased, Forbidden, NotFound, TooLarge, Unauthorized, problem, unexpected
from .reviews import ReviewState
from .wire import (
    accounts_json,
    event_json,
    make_document,
    read_documents,
    read_order,
    result_json,
    verification_json,
)

MAX_JSON = 1_000_000
MAX_DOCUMENTS = 60_000_000
_LONGEST_WAIT = 30
_LOOK = 0.1
_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_FLOW = re.compile(r"[!-~]{1,300}")
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])")


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


def _guarded(scopes: tuple[str, ...], handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The handler for those whose key has one of the scopes; errors become problems."""

    async def endpoint(request: Request) -> Response:
        try:
            key = await identified(request, scopes)
            return await handler(service_of(request), key, request)
        except IdvError as error:
            return problem(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return unexpected(request, error)

    return endpoint


async def identified(request: Request, scopes: tuple[str, ...]) -> Key:
    """Who calls. Raises Unauthorized, Forbidden."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = None
    if scheme.lower() == "bearer" and token:
        store = service_of(request).ledger.store
        key = keys.recall(store, token.strip()) or await asyncio.to_thread(keys.find, store, token.strip())
    if key is None:
        raise Unauthorized("send a key of this service as: Authorization: Bearer idv_...")
    if not key.scopes & set(scopes):
        raise Forbidden(f"the key lacks a scope: one of {', '.join(scopes)} is needed")
    return key


# reading requests


async def _body(request: Request, most: int = MAX_JSON) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge(f"the body is larger than {most} bytes")
    return bytes(body)


def _data(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None


def _wait(request: Request) -> int:
    """The seconds of `Prefer: wait` (RFC 7240), 30 at most."""
    found = _WAIT.search(request.headers.get("prefer", ""))
    return min(int(found[1]), _LONGEST_WAIT) if found else 0


def _applied(wait: int) -> dict[str, str]:
    return {"preference-applied": f"wait={wait}"} if wait else {}


async def _verification(service: Service, request: Request) -> Verification:
    id = request.path_params["id"]
    found = await asyncio.to_thread(service.ledger.find, id) if is_id(id) else None
    if found is None:
        raise NotFound("there is no verification of that id")
    return found


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
    body = await _body(request)
    given = read_order(_data(body))
    wait = _wait(request)

    async def run() -> Response:
        taken = await asyncio.to_thread(service.ledger.take, given)
        if wait and taken.state in (State.ORDERED, State.OPENING):
            try:
                taken = await service.tracker.opened(taken, within=wait)
            except DeadlineExceeded:
                taken = await asyncio.to_thread(service.ledger.get, taken.id)
        return await _told(service, key, taken, 202, location=f"/v1/verifications/{taken.id}", **_applied(wait))

    given_key = request.headers.get("idempotency-key")
    return await idempotency.once(service.ledger.store, key.id, given_key, b"order\0" + body, run)


async def show(service: Service, key: Key, request: Request) -> Response:
    return await _told(service, key, await _verification(service, request))


async def find(service: Service, key: Key, request: Request) -> Response:
    query = dict(request.query_params)
    most = query.pop("limit", "50")
    if not most.isdecimal() or not 1 <= int(most) <= 200:
        raise BadRequest("limit: must be 1 to 200")
    wanted = read_filter(query)
    lines, before = await asyncio.to_thread(search.find, service.ledger.store, wanted, int(most))
    body = {"items": [line.json() for line in lines], "next_before": before}
    return JSONResponse(body, headers={"cache-control": "no-store"})


_FILTERS: dict[str, Callable[[str], Any]] = {
    "state": State,
    "decision": Decision,
    "review_state": ReviewState,
    "since": datetime.fromisoformat,
    "until": datetime.fromisoformat,
}


def read_filter(query: dict[str, str]) -> search.Filter:
    """Raises BadRequest that names the parameter."""
    known = {field.name for field in attrs.fields(search.Filter)}
    read: dict[str, Any] = {}
    for name, text in query.items():
        if name not in known:
            raise BadRequest(f"there is no such parameter (there are: {', '.join(sorted(known))}, limit)")
        try:
            value = _FILTERS.get(name, str)(text)
        except ValueError:
            raise BadRequest(f"{name}: is not one") from None
        if isinstance(value, datetime) and value.tzinfo is None:
            raise BadRequest(f"{name}: must have a time zone, such as 2026-11-30T10:00:00Z")
        if isinstance(value, str) and not value.isprintable():
            raise BadRequest(f"{name}: has a character that is not allowed")
        if name in ("before", "after") and not is_id(value):
            raise BadRequest(f"{name}: must be an id, such as the next_before of the page before")
        read[name] = value
    return search.Filter(**read)


async def documents(service: Service, key: Key, request: Request) -> Response:
    """Documents go on to the vendor. They are held in memory meanwhile, and written nowhere."""
    verification = await _verification(service, request)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        handed, content = await _parts(request)
    else:
        body = await _body(request)
        handed, content = read_documents(_data(body)), body

    async def run() -> Response:
        after = await service.tracker.upload(verification.id, handed)
        return await _told(service, key, after)

    given = request.headers.get("idempotency-key")
    fingerprint = b"documents\0" + verification.id.encode() + content
    return await idempotency.once(service.ledger.store, key.id, given, fingerprint, run)


class _InMemory(MultiPartParser):
    """Parts are never spooled to a file."""

    spool_max_size = MAX_DOCUMENTS + 1


async def _parts(request: Request) -> tuple[list[Document], bytes]:
    """The documents of a form: a file under each document's id, its back under `back.<id>`, and `type.<id>`, `country.<id>`,
    `kind.<id>` as texts. Beside them what tells two such forms apart."""

    async def bounded() -> Any:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_DOCUMENTS:
                raise TooLarge(f"the documents are larger than {MAX_DOCUMENTS} bytes together")
            yield chunk

    try:
        form = await _InMemory(request.headers, bounded(), max_files=40, max_fields=120).parse()
    except MultiPartException:
        raise BadRequest("the body is not multipart/form-data, or has more than 40 files") from None
    fields: dict[str, dict[str, Any]] = {}
    fingerprint = b""
    async with _closing(form):
        for name, value in form.multi_items():
            word, dot, id = name.partition(".")
            content: Any = await value.read() if isinstance(value, UploadFile) else value
            is_file = isinstance(value, UploadFile)
            fingerprint += sha256(
                repr((name, is_file)).encode() + sha256(content if is_file else content.encode()).digest()
            ).digest()
            if is_file:
                what, id = ("back_content", id) if dot and word == "back" else ("content", name)
            elif dot and word in ("type", "country", "kind"):
                what = word
            else:
                raise InvalidOrder(
                    "documents: texts are named type.<id>, country.<id> or kind.<id>", fields=("documents",)
                )
            if what in fields.setdefault(id, {}):
                raise InvalidOrder("documents: each id occurs once", fields=("documents",))
            fields[id][what] = content
    if not fields:
        raise InvalidOrder("documents: the form holds no file", fields=("documents",))
    return [make_document(id, **given) for id, given in fields.items()], fingerprint


class _closing:
    def __init__(self, form: Any) -> None:
        self._form = form

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        await self._form.close()


def _step(name: str) -> Handler:
    """An operation that hands something in and gives the verification after it."""

    async def handler(service: Service, key: Key, request: Request) -> Response:
        verification = await _verification(service, request)

        async def run() -> Response:
            return await _told(service, key, await getattr(service.tracker, name)(verification.id))

        given = request.headers.get("idempotency-key")
        content = f"{name}\0{verification.id}".encode()
        return await idempotency.once(service.ledger.store, key.id, given, content, run)

    return handler


async def result(service: Service, key: Key, request: Request) -> Response:
    """The result; 202 with the verification while there is none."""
    verification = await _verification(service, request)
    wait = _wait(request)
    end = time.monotonic() + wait
    while _is_open(verification) and time.monotonic() < end:
        await asyncio.sleep(_LOOK)
        verification = await _verification(service, request)
    if verification.erased_at is not None:
        raise Erased("the personal data of this verification was erased; its events remain")
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
    verification = await _verification(service, request)
    body = await _body(request)
    said = _data(body)
    if not isinstance(said, dict) or len(said) != 1 or not said.keys() <= {"adopt", "reopen", "give_up"}:
        raise BadRequest('say exactly one of {"adopt": "flow id"}, {"reopen": true} and {"give_up": true}')
    ((what, value),) = said.items()
    is_good = isinstance(value, str) and is_flow_id(value) if what == "adopt" else value is True
    if not is_good:
        raise BadRequest(f"{what}: must be {'the id of the flow at the vendor' if what == 'adopt' else 'true'}")

    async def run() -> Response:
        await asyncio.to_thread(partial(service.ledger.resolve, verification.id, **{what: value}, actor=key.actor))
        return await _told(service, key, await _verification(service, request), 202)

    given = request.headers.get("idempotency-key")
    content = b"resolution\0" + verification.id.encode() + body
    return await idempotency.once(service.ledger.store, key.id, given, content, run)


async def erase(service: Service, key: Key, request: Request) -> Response:
    verification = await _verification(service, request)
    after = await asyncio.to_thread(partial(service.ledger.erase, verification.id, actor=key.actor))
    return await _told(service, key, after, 202)


async def explanation(service: Service, key: Key, request: Request) -> Response:
    given = read_order(_data(await _body(request)))
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

    def made(path: str, method: str, handler: Handler, *scopes: str) -> Route:
        return Route(path, _guarded(scopes, handler), methods=[method])

    return [
        made("/v1/verifications", "POST", order, "verify"),
        made("/v1/verifications", "GET", find, "read"),
        made(_ONE, "GET", show, "read", "verify"),
        made(f"{_ONE}/documents", "POST", documents, "verify"),
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
