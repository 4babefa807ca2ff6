"""Acme with the whole life of a verification (contract 2), for tests of the core, and Acme's side behind a real socket."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import attrs
import httpx
from acme import Acme, AcmeSettings, Created, Vendor

from idv_core import AsyncGateway, FlowOrder, FlowStatus, Gateway, Secret
from idv_core.config import Account
from idv_core.errors import WebhookRejected
from idv_core.model import (
    Coverage,
    Document,
    Erasure,
    Flow,
    Media,
    Review,
    Upload,
)
from idv_core.model.validation import is_base_url, without_slash
from idv_core.plugin.body import FilePart, content_of
from idv_core.plugin.http import Exchange, Request
from idv_core.plugin.protocols import Webhook, WebhookEvent, WebhookKey
from idv_core.plugin.spec import Plugin
from idv_core.registry import registry_of
from idv_core.testing import FakeClock
from idv_core.testing.asgi import serve


@attrs.frozen(kw_only=True)
class WholeSettings(AcmeSettings):
    login_url: str = attrs.field(default="https://login.acme.example", converter=without_slash, validator=is_base_url)


@attrs.frozen
class AcmeWhole(Acme):
    """Signs nonce and body; has a second server, pre-signed addresses, and every operation there is."""

    settings: WholeSettings
    allowed_hosts = ("files.acme.example", "*.cdn.acme.example")
    simulations = ("approved", "declined")
    streams_uploads = True

    @property
    def servers(self) -> Mapping[str, str]:
        return {"login": self.settings.login_url}

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        signed = request.with_headers({"Authorization": token} if token else {})
        digest = hashlib.sha256()
        for piece in signed.body_chunks():
            digest.update(piece)
        return signed.with_headers({"Nonce": signed.nonce, "Digest": digest.hexdigest()})

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        for document in documents:
            form = {"id": document.id, "file": FilePart("a.bin", content_of(document))}
            yield Request.put("/flows/{}/files", flow.id, form=form)
        return attrs.evolve(flow, uploads=[Upload(document_id=document.id) for document in documents])

    def cancel(self, flow: Flow) -> Exchange[Flow]:
        yield Request.post("/flows/{}/cancel", flow.id, idempotent=True)
        return attrs.evolve(flow, status=FlowStatus.CANCELLED, link=None)

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        reply = yield Request.post("/flows/{}/erase", flow.id, idempotent=True)
        data = reply.json()
        until = data.get("until")
        return Erasure(
            status=data["status"], kept_until=until and datetime.fromisoformat(until), reason=data.get("reason")
        )

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        reply = yield Request.get("/flows/{}/media", flow.id)
        return tuple(Media(id=id, kind=kind) for id, kind in reply.json())

    def download(self, flow: Flow, media: Media) -> Exchange[bytes | None]:
        if media.id.startswith("inside"):
            reply = yield Request.get("/media/{}", media.id)
            return base64.b64decode(reply.json()["content"])
        is_address = media.id.startswith("http")
        yield (
            Request.fetch(media.id, streamed=True) if is_address else Request.get("/media/{}", media.id, streamed=True)
        )
        return None

    def retry(self, flow: Flow, order: FlowOrder) -> Exchange[Flow]:
        callback = order.urls.webhook("done") if order.urls else None
        reply = yield Request.post("/flows/{}/attempts", flow.id, json={"callback": callback})
        return Flow(id=reply.structure(Created).id, status=FlowStatus.OPEN)

    def review(self, flow: Flow, review: Review) -> Exchange[Flow]:
        said = {"outcome": review.outcome.value, "by": review.author, "why": review.reason}
        yield Request.post("/flows/{}/review", flow.id, json=said)
        return attrs.evolve(flow, status=FlowStatus.FINISHED, may_reopen=False)

    def simulate(self, flow: Flow, outcome: str) -> Exchange[Flow]:
        yield Request.post("/flows/{}/simulate", flow.id, json={"outcome": outcome}, idempotent=True)
        return attrs.evolve(flow, status=FlowStatus.FINISHED)

    def coverage(self) -> Exchange[Coverage]:
        reply = yield Request.get("/coverage")
        return Coverage(
            countries=reply.json()["countries"], checks=("liveness.presentation_attack", "document.authenticity")
        )

    def webhook_key_id(self, webhook: Webhook) -> str | None:
        return webhook.headers.get("kid")

    def webhook_key(self, key_id: str) -> Exchange[WebhookKey]:
        reply = yield Request.get("/keys/{}", key_id)
        data = reply.json()
        until = data.get("until")
        return WebhookKey(id=data["id"], data=data, expires_at=until and datetime.fromisoformat(until))

    def read_webhook(self, call: Webhook) -> WebhookEvent:
        if call.key is None:
            raise WebhookRejected("the webhook names no key", status=401)
        if call.headers.get("signature") != call.key.data["word"]:
            raise WebhookRejected("the signature is wrong", status=401)
        return WebhookEvent(event="done", flow_id="f-1", signed=True)


WHOLE = Plugin(
    contract=2, name="whole", summary="invented", settings=WholeSettings, create=AcmeWhole, adapters=(AcmeWhole,)
)
ACCOUNT = Account("whole-1", "whole", {"key": Secret("key-of-acme-0001")})


class Idv:
    """`Gateway` or `AsyncGateway` behind the same blocking calls, so that each test runs with both."""

    def __init__(self, kind: str, accounts: list[Account], vendor: Vendor | None, **more: Any) -> None:
        plugins = more.pop("plugins", (WHOLE,))
        transport = more.pop("transport", httpx.MockTransport(vendor) if vendor else None)
        make: Any = Gateway if kind == "sync" else AsyncGateway
        shared = {"registry": registry_of(*plugins), "clock": FakeClock(), **more}
        self.gateway: Any = make(accounts, transport=transport, **shared)
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.gateway, name)
        if not inspect.iscoroutinefunction(method):
            return method
        return lambda *args, **more: self._runner.run(method(*args, **more))

    def ask(self, request: Request, account: str | None = None) -> Any:
        """The answer to one request."""

        def exchange(adapter: Any) -> Exchange[Any]:
            return (yield request)

        return self.vendor(exchange, account=account)

    def shut(self) -> None:
        closing = self.gateway.close()
        if closing is not None:
            self._runner.run(closing)
        self._runner.close()


@contextmanager
def served(vendor: Vendor) -> Iterator[str]:
    """The base URL of a real socket at which `vendor` answers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        content, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            content, more = content + message.get("body", b""), message.get("more_body", False)
        path = scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        url = f"http://{dict(scope['headers'])[b'host'].decode()}{path}"
        answer = vendor(httpx.Request(scope["method"], url, headers=scope["headers"], content=content))
        headers = [pair for pair in answer.headers.raw if pair[0].lower() != b"transfer-encoding"]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    with serve(app) as running:
        yield running.url
