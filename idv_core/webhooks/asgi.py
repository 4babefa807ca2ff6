"""An ASGI app that receives webhooks: `Mount("/idv", app=WebhookApp(gateway, on_received=...))`."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import inspect
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl

from ..errors import IdvError, WebhookRejected, bounded
from ..model.copies import with_changed
from ..runtime.interrupts import interrupt_in
from .receiver import Received, WebhookRequest, WebhookResponse

log = logging.getLogger("idv_core")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# This many frames of a platform's error are logged; ours, and those that only start the thread, are left out.
_FRAMES = 12
_NOT_THEIRS = frozenset({__file__, asyncio.threads.__file__, concurrent.futures.thread.__file__})
_ANYBODY = frozenset({404, 405, 408, 429, 503})
_WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Receiver(Protocol):
    """What the app needs of a `Gateway` or an `AsyncGateway`."""

    @property
    def accounts(self) -> tuple[str, ...]: ...

    def max_body(self, account: str, request: WebhookRequest) -> int: ...

    def needs_webhook_key(self, account: str, request: WebhookRequest) -> bool: ...

    @property
    def fetch_webhook_key(self) -> Callable[[str, WebhookRequest], Any]: ...

    def receiving(self, account: str, request: WebhookRequest) -> AbstractContextManager[Received]: ...


class _Failed(Exception):
    """The platform's handler raised. It has been logged."""


class _Gone(Exception):
    """The caller disconnected before the body was complete."""


class WebhookApp:
    """An ASGI app that serves `{account}/{token}/{purpose}` below its mount point, and 404 elsewhere.

    A call wakes up `wait`, then `on_received` runs, then the vendor gets its response. If `on_received` raises or is
    cancelled, the vendor gets 500, and the same call is handled again when it is retried. So make `on_received` idempotent.
    While it runs, the same call gets 503. The address is verified before the body is read.

    Args:
        gateway: A `Gateway` or an `AsyncGateway`.
        on_received: Called with each new `Received`. A coroutine function runs in the event loop. A plain function runs in
            a thread, and to its end even if the call is cancelled.
        body_timeout: How long a body may take to arrive; then the call gets 408.
    """

    def __init__(
        self,
        gateway: Receiver,
        on_received: Callable[[Received], Any] | None = None,
        *,
        body_timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._gateway = gateway
        self._on_received = on_received
        self._is_coroutine = _is_coroutine_function(on_received)
        self._body_timeout = body_timeout.total_seconds()
        self._tasks: set[asyncio.Task[Received]] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        account, path = _below(str(scope["path"]), str(scope.get("root_path", "")))
        try:
            answer = await self._answer(scope, receive, account, path)
        except WebhookRejected as error:
            self._report_refused(account, path, error)
            answer = WebhookResponse.of(error)
        except _Failed:
            answer = WebhookResponse(status=500)
        except _Gone:
            return
        except IdvError as error:
            log.error("webhook not understood: %s", error, extra={"idv_error": type(error).__name__})
            answer = WebhookResponse(status=500)
        body = b"" if scope["method"] == "HEAD" else answer.body
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive, account: str, path: str) -> WebhookResponse:
        request = WebhookRequest(
            method=scope["method"],
            path=path,
            headers=_headers(scope.get("headers", ())),
            query=_query(scope.get("query_string", b"")),
        )
        most = self._gateway.max_body(account, request)
        if most:
            request = with_changed(request, body=await self._body(receive, most))
        if self._gateway.needs_webhook_key(account, request):
            await self._fetch_key(account, request)
        taken = self._take(account, request, path)
        if self._is_coroutine:
            return (await taken).answer
        # a thread cannot be stopped: if the call is cancelled, it stays in progress until the function has returned
        task = asyncio.create_task(taken)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return (await asyncio.shield(task)).answer

    async def _fetch_key(self, account: str, request: WebhookRequest) -> None:
        fetch = self._gateway.fetch_webhook_key
        if inspect.iscoroutinefunction(fetch):
            await fetch(account, request)
        else:
            await asyncio.to_thread(fetch, account, request)

    async def _take(self, account: str, request: WebhookRequest, path: str) -> Received:
        with self._gateway.receiving(account, request) as received:
            if self._on_received is not None and received.fetch and not received.repeated:
                await self._handle(self._on_received, received, _purpose(path))
        return received

    async def _handle(self, on_received: Callable[[Received], Any], received: Received, purpose: str) -> None:
        failure: BaseException | None = None
        try:
            if self._is_coroutine:
                await on_received(received)
            else:
                outcome, failure = await asyncio.to_thread(_outcome, on_received, received)
                if inspect.isawaitable(outcome):
                    await outcome
        except Exception as error:
            interrupt = interrupt_in(error)
            if interrupt is not None:
                raise interrupt from None
            failure = error
        if failure is None:
            return
        # the message of a platform's error may hold personal data; where it happened does not
        log.error(
            "webhook handler failed: %s, %s: %s",
            received.account,
            purpose,
            _where(failure),
            extra={"idv_account": received.account, "idv_error": type(failure).__name__},
        )
        raise _Failed

    async def _body(self, receive: Receive, most: int) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise WebhookRejected(f"the body is larger than {most} bytes", status=413)
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            pass
        raise WebhookRejected("the body did not arrive in time", status=408)

    def _report_refused(self, account: str, path: str, error: WebhookRejected) -> None:
        """Log a refused call. Anybody can cause a wrong address or too many calls (INFO); the rest needs a look (WARNING)."""
        account = account if error.status != 404 or account in self._gateway.accounts else "unknown account"
        purpose = _purpose(path)
        log.log(
            logging.INFO if error.status in _ANYBODY else logging.WARNING,
            "webhook refused: %s, %s: %s (%d)",
            account,
            purpose,
            bounded(error.message),
            error.status,
            extra={"idv_account": account, "idv_purpose": purpose, "idv_status": error.status},
        )


def _outcome(on_received: Callable[[Received], Any], received: Received) -> tuple[Any, BaseException | None]:
    """What a plain function returned or raised, as a value.

    A future cannot carry StopIteration, and takes a CancelledError of other work for its own. With SystemExit a command that
    the function calls would end the server.
    """
    try:
        return on_received(received), None
    except (Exception, asyncio.CancelledError, SystemExit) as error:
        return None, error


def _purpose(path: str) -> str:
    word = path.rpartition("/")[2]
    return word if _WORD.fullmatch(word) else "no purpose"


def _is_coroutine_function(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _query(raw: bytes) -> dict[str, str]:
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True)) if raw else {}


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """One text for each name; what comes several times is joined (RFC 9110 section 5.3)."""
    headers: dict[str, str] = {}
    for raw, value in pairs:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _below(path: str, root_path: str) -> tuple[str, str]:
    """Account and rest of a path `{account}/{token}/{purpose}`; empty for any other.

    Servers differ in whether `path` has `root_path` in front (ASGI says it does), and a proxy may have taken off its beginning.
    So the longest end of `root_path` is taken off that leaves an address.
    """
    segments = path.removeprefix("/").split("/")
    root = [segment for segment in root_path.split("/") if segment]
    for start in range(len(root) + 1):
        above = root[start:]
        rest = segments[len(above) :]
        if segments[: len(above)] == above and len(rest) == 3:
            return rest[0], f"{rest[1]}/{rest[2]}"
    return "", ""


def _where(error: BaseException) -> str:
    """Type and frames of an error and its causes: `KeyError at app.py:12 in store < app.py:30 in handle`. No values."""
    told: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(told) < 3:
        frames = [frame for frame in traceback.extract_tb(seen.__traceback__) if frame.filename not in _NOT_THEIRS]
        places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in reversed(frames[-_FRAMES:])]
        told.append(f"{type(seen).__name__} at " + " < ".join(places or ["an unknown place"]))
        seen = _behind(seen)
    return "; caused by ".join(told)


def _behind(error: BaseException) -> BaseException | None:
    """What led to it: of several errors of a task group the first."""
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)
