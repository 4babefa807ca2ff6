"""A small ASGI app to mount: `Mount("/idv", app=CallbackApp(gateway, on_received=...))`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from ..errors import CallbackRejected, IdvError
from .desk import MAX_BODY, Answer, Inbound, Received

log = logging.getLogger("idv_core")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Receiver(Protocol):
    """What `Gateway` and `AsyncGateway` have in common here."""

    def receive(self, account: str, inbound: Inbound) -> Received: ...

    def forget(self, received: Received) -> None: ...


class CallbackApp:
    """Answers `{account}/{token}/{purpose}` below where it is mounted.

    Whoever waits for the flow is woken. `on_received` (a function or a coroutine function) is called for each call that
    says something new; the vendor is answered after it returns, and with 500 if it raises, so that nothing is lost.
    """

    def __init__(self, gateway: Receiver, on_received: Callable[[Received], Any] | None = None) -> None:
        self._gateway = gateway
        self._on_received = on_received

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except CallbackRejected as error:
            log.info("callback refused", extra={"idv_status": error.status})
            answer = Answer(status=error.status)
        except IdvError as error:
            log.warning("callback not understood", extra={"idv_error": type(error).__name__})
            answer = Answer(status=404)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        if scope["method"] not in ("GET", "POST"):
            raise CallbackRejected("GET and POST only", status=405)
        path = str(scope["path"]).removeprefix(str(scope.get("root_path", ""))).strip("/")
        account, _, rest = path.partition("/")
        inbound = Inbound(
            method=scope["method"],
            path=rest,
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            query=dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))),
            body=await _body(receive),
        )
        received = self._gateway.receive(account, inbound)
        if self._on_received is not None and received.fetch and not received.repeated:
            try:
                outcome = self._on_received(received)
                if inspect.isawaitable(outcome):
                    await outcome
            except Exception as error:
                self._gateway.forget(received)
                log.error("callback could not be handled", extra={"idv_error": type(error).__name__})
                return Answer(status=500)
        return received.answer


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise CallbackRejected(f"the body is larger than {MAX_BODY} bytes", status=413)
        if not message.get("more_body"):
            return bytes(body)
