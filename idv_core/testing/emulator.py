"""The kit that emulators of vendors are built with: requests and responses as values, faults on request, calls going out.

An emulator is a class with handlers `(EmulatedRequest) -> EmulatedResponse` over plain state; `Emulator.app` serves them by
ASGI.
"""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, parse_qsl, unquote

import attrs
import httpx
from python_multipart import parse_form
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route, compile_path

log = logging.getLogger("idv_core.testing")


class HasNow(Protocol):
    def now(self) -> datetime: ...


@attrs.frozen(kw_only=True)
class EmulatedRequest:
    """One call to the emulator. Header names are in lower case; `form` holds texts, and bytes for files."""

    method: str
    path: str
    target: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    query: Mapping[str, str]
    query_lists: Mapping[str, list[str]]
    body: bytes
    form: Mapping[str, str | bytes]
    base_url: str

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty one if it is anything else."""
        try:
            data = json.loads(self.body)
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


@attrs.frozen
class EmulatedResponse:
    """What the emulator answers: JSON data, or `text`/`content` with its type."""

    status: int = 200
    data: Any = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    content: bytes | None = None
    type: str = "application/json"


def html(text: str, status: int = 200) -> EmulatedResponse:
    return EmulatedResponse(status, content=text.encode(), type="text/html; charset=utf-8")


def redirect(url: str) -> EmulatedResponse:
    return EmulatedResponse(303, headers={"location": url}, content=b"")


class Refused(Exception):
    """Raised in a handler to answer with an error."""

    def __init__(self, reply: EmulatedResponse) -> None:
        super().__init__(reply.status)
        self.reply = reply


@attrs.define
class Fault:
    """A scripted answer in place of the real one, for the next `times` calls whose `METHOD /path` starts with `match`."""

    match: str
    reply: EmulatedResponse
    times: int = 1


@attrs.frozen
class Outgoing:
    """A call that the emulator makes when `due` has come."""

    due: datetime
    send: Callable[[httpx.Client], Outgoing | None]


Handler = Callable[[EmulatedRequest], EmulatedResponse]


class Emulator:
    """State, clock, faults and outgoing calls of one emulated vendor. Subclasses give `routes`.

    `client` makes the client for calls that go out (webhooks, fetching of documents). `calls` lists `METHOD /path` of all
    that came in. `tick()` sends what is due; call it as time passes.
    """

    def __init__(self, clock: HasNow, client: Callable[[], httpx.Client] | None = None) -> None:
        self.clock = clock
        self.calls: list[str] = []
        self._client = client or (lambda: httpx.Client(timeout=5))
        self._faults: list[Fault] = []
        self._outgoing: list[Outgoing] = []
        self._lock = threading.RLock()
        routes = self.routes()
        self.app = Starlette(
            routes=[Route(path, self._endpoint(run), methods=[method]) for method, path, run in routes]
        )
        self._patterns = [(method, compile_path(path)[0], run) for method, path, run in routes]

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, Starlette path and handler of each call."""
        raise NotImplementedError

    def fault(self, match: str, reply: EmulatedResponse, times: int = 1) -> None:
        """Answer the next `times` calls that match with `reply`, without doing anything."""
        self._faults.append(Fault(match, reply, times))

    def clear_faults(self) -> None:
        """Answer as usual again."""
        self._faults.clear()

    def on_error(self, reply: EmulatedResponse) -> EmulatedResponse:
        """A last look at every reply; a place for the variants that a vendor's pages leave open."""
        return reply

    def later(self, due: datetime, send: Callable[[httpx.Client], Outgoing | None]) -> None:
        """Make a call when `due` has come; `send` may return the next try."""
        self._outgoing.append(Outgoing(due, send))

    def register_webhook(self, url: str) -> None:
        """Send events to this address too, as if it had been entered in the vendor's dashboard.

        Does nothing for vendors that are told an address with each flow.
        """

    def notify(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post to a webhook at the next tick. That nobody answers there does no harm."""

        def send(client: httpx.Client) -> None:
            with suppress(httpx.HTTPError):
                client.post(url, content=body, headers=dict(headers))

        self.later(self.clock.now(), send)

    def tick(self) -> None:
        """Make the calls that are due."""
        while True:
            with self._lock:
                due = [item for item in self._outgoing if item.due <= self.clock.now()]
                self._outgoing = [item for item in self._outgoing if item not in due]
            if not due:
                return
            with self._client() as client:
                for item in due:
                    again = item.send(client)
                    if again is not None:
                        self._outgoing.append(again)

    def fetch(self, url: str) -> bytes | None:
        """What lies at the address, or None."""
        try:
            with self._client() as client:
                response = client.get(url)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return response.content if response.status_code == 200 else None

    def respond(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for one call, as `app` would answer it, without ASGI or an event loop.

        Header names in lower case.
        """
        raw_path, _, query = target.partition("?")
        path = unquote(raw_path)
        for known, pattern, handler in self._patterns:
            found = pattern.match(path) if known == method else None
            if found is None:
                continue
            lists = parse_qs(query, keep_blank_values=True)
            call = EmulatedRequest(
                method=method,
                path=path,
                target=target,
                params=found.groupdict(),
                headers=headers,
                query={name: values[-1] for name, values in lists.items()},
                query_lists=lists,
                body=body,
                form=_form(headers.get("content-type", ""), body),
                base_url=base_url,
            )
            return self._rendered(self._reply(handler, call))
        return 404, {"content-type": "text/plain"}, b"Not Found"

    def _rendered(self, reply: EmulatedResponse) -> tuple[int, dict[str, str], bytes]:
        headers = {"date": format_datetime(self.clock.now(), usegmt=True), **reply.headers}
        if reply.status == 204:
            return 204, headers, b""
        content = reply.content if reply.content is not None else json.dumps(reply.data).encode()
        return reply.status, {"content-type": reply.type, **headers}, content

    def _endpoint(self, handler: Handler) -> Any:
        async def endpoint(request: StarletteRequest) -> StarletteResponse:
            reply = await run_in_threadpool(self._reply, handler, await _call(request))
            status, headers, content = self._rendered(reply)
            return StarletteResponse(content, status, headers)

        return endpoint

    def _reply(self, handler: Handler, call: EmulatedRequest) -> EmulatedResponse:
        with self._lock:
            self.calls.append(f"{call.method} {call.path}")
            for fault in self._faults:
                if fault.times > 0 and f"{call.method} {call.path}".startswith(fault.match):
                    fault.times -= 1
                    return fault.reply
            try:
                return handler(call)
            except Refused as refused:
                return self.on_error(refused.reply)


def _form(content_type: str, body: bytes) -> dict[str, str | bytes]:
    """Fields of a form as texts, files as bytes; nothing for any other body."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    if not content_type.startswith("multipart/form-data"):
        return {}
    form: dict[str, str | bytes] = {}

    def field(found: Any) -> None:
        form[found.field_name.decode()] = (found.value or b"").decode(errors="replace")

    def file(found: Any) -> None:
        found.file_object.seek(0)
        form[found.field_name.decode()] = found.file_object.read()

    parse_form({"Content-Type": content_type.encode()}, io.BytesIO(body), field, file)
    return form


async def _call(request: StarletteRequest) -> EmulatedRequest:
    body = await request.body()
    form: dict[str, str | bytes] = {}
    if request.headers.get("content-type", "").startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        async with request.form() as fields:
            for name, value in fields.items():
                form[name] = await value.read() if isinstance(value, UploadFile) else value
    raw_path = request.scope.get("raw_path", request.url.path.encode()).decode().split("?")[0]
    query = request.scope["query_string"].decode()
    return EmulatedRequest(
        method=request.method,
        path=request.url.path,
        target=f"{raw_path}?{query}" if query else raw_path,
        params=request.path_params,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query_params),
        query_lists={name: request.query_params.getlist(name) for name in request.query_params},
        body=body,
        form=form,
        base_url=str(request.base_url).rstrip("/"),
    )
