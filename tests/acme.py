"""Acme, a vendor that does not exist: the smallest plugin with every capability, for tests of the core."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs
import httpx

from idv_core import Applicant, AsyncGateway, FlowOrder, FlowStatus, Gateway, Secret
from idv_core.config import Account
from idv_core.errors import FlowNotFound, Refusal, WebhookRejected
from idv_core.model import Check, Document, Flow, Link, ProvisionedTemplate, Result, Template, Upload, VendorVerdict
from idv_core.model.validation import is_base_url, without_slash
from idv_core.plugin.http import Exchange, NotAccepted, Request, Response
from idv_core.plugin.protocols import Grant, Polling, Webhook, WebhookEvent
from idv_core.plugin.spec import Plugin
from idv_core.registry import registry_of
from idv_core.testing import FakeClock


@attrs.frozen(kw_only=True)
class AcmeSettings:
    key: Secret
    base_url: str = attrs.field(default="https://acme.example", converter=without_slash, validator=is_base_url)
    retries: int = 1


@attrs.frozen(kw_only=True)
class Created:
    id: str
    link: str | None = None


@attrs.frozen
class Acme:
    settings: AcmeSettings
    polling = Polling(first=timedelta(seconds=2), ceiling=timedelta(seconds=8))
    webhook_purposes = ("auth", "done")

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers({"Authorization": token}) if token else request

    def read_error(self, request: Request, response: Response) -> Refusal:
        try:
            body = response.json()
        except Exception:
            return Refusal()
        return Refusal(code=body.get("code"), message=body.get("message")) if isinstance(body, dict) else Refusal()

    def obtain_token(self, previous: Grant | None) -> Exchange[Grant]:
        reply = yield Request.post("/token", headers={"Key": self.settings.key}, signed=False, idempotent=True)
        data = reply.json()
        return Grant(access_token=Secret(data["token"]), expires_in=timedelta(seconds=data.get("lives", 600)))

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        body = {"person": order.applicant.reference, "name": order.applicant.name}
        if order.urls:
            body["callback"] = order.urls.webhook("done")
        reply = yield Request.post("/flows", json=body)
        created = reply.structure(Created)
        return Flow(id=created.id, status=FlowStatus.OPEN, link=Link(created.link) if created.link else None)

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        reply = yield Request.get("/people/{}", order.applicant.reference, accept={404})
        if reply.status == 404:
            raise FlowNotFound("nobody of that name", status=404)
        return Flow(id=reply.structure(Created).id, status=FlowStatus.OPEN)

    def status(self, flow: Flow) -> Exchange[Flow]:
        return (yield from self.result(flow)).flow

    def result(self, flow: Flow) -> Exchange[Result]:
        reply = yield Request.get("/flows/{}", flow.id)
        word = reply.json().get("status")
        status = FlowStatus.FINISHED if word == "good" else FlowStatus.PROCESSING
        verdict = VendorVerdict.POSITIVE if word == "good" else None
        checks = (Check(kind="data_source", name="government_register", outcome="passed"),) if word == "good" else ()
        return Result(flow=attrs.evolve(flow, status=status), checks=checks, verdict=verdict, vendor_word=word)

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        request = Request.post("/flows/{}/files", flow.id, json=[document.id for document in documents], accept={409})
        reply = yield request
        if reply.status == 409:
            raise NotAccepted(request, reply)
        uploads = tuple(Upload(document_id=document.id) for document in documents)
        return attrs.evolve(flow, uploads=flow.uploads + uploads)

    def submit(self, flow: Flow) -> Exchange[Flow]:
        yield Request.put("/flows/{}/end", flow.id)
        return flow

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        yield Request.post("/flows/{}/link", flow.id)
        return attrs.evolve(flow, link=Link("https://acme.example/again"))

    def provision(self, template: Template) -> Exchange[ProvisionedTemplate]:
        url = template.webhook_url
        yield Request.put("/templates/{}", template.name, json={"callback": url and url.reveal()})
        return ProvisionedTemplate(id="t-1", name=template.name, created=True)

    def read_webhook(self, call: Webhook) -> WebhookEvent:
        if call.purpose == "auth":
            return WebhookEvent(event="auth", wants_token=True)
        if call.purpose == "broken":
            raise KeyError("somebody's name")
        if call.purpose == "return":
            return WebhookEvent(event=call.query.get("id", "back"), flow_id=call.query.get("id"), signed=True)
        if call.purpose != "done":
            raise WebhookRejected("no such address", status=404)
        if call.headers.get("signature") == "wrong":
            raise WebhookRejected("the signature is wrong", status=401)
        token = call.headers.get("token")
        signed = "signature" in call.headers
        shown = Secret(token) if token else None
        return WebhookEvent(event="done", flow_id=call.query.get("id"), presented=shown, signed=signed)

    def break_down(self, what: str) -> Exchange[None]:
        """Everything that a plugin must not do."""
        match what:
            case "key":
                yield Request.get("/flows/1")
                {}["a name that must not show"]
            case "yield":
                yield "a text"  # type: ignore[misc]
            case "header":
                yield Request.get("/flows/1", headers={"X": "a\r\nY: b"})


@attrs.frozen
class AcmeBare:
    """Acme without the optional protocols and without a token."""

    settings: AcmeSettings
    base_url = Acme.base_url
    authorize = Acme.authorize
    read_error = Acme.read_error
    open_flow = Acme.open_flow
    status = Acme.status
    result = Acme.result


@attrs.frozen
class AcmeSigning(AcmeBare):
    """Acme with calls signed by the time of day."""

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers({"Signed-At": f"{now:%H:%M}"})


PLUGIN = Plugin(contract=2, name="acme", summary="invented", settings=AcmeSettings, create=Acme, adapters=(Acme,))
BARE = Plugin(contract=2, name="bare", summary="invented", settings=AcmeSettings, create=AcmeBare, adapters=(AcmeBare,))
SIGNING = Plugin(
    contract=2, name="signing", summary="", settings=AcmeSettings, create=AcmeSigning, adapters=(AcmeSigning,)
)
ACCOUNT = Account("acme-1", "acme", {"key": Secret("key-of-acme-0001")})


class Vendor:
    """Acme's side: a handler for `httpx.MockTransport` that counts and can be told what to answer."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.tokens = 0
        self.status = "busy"
        self.answers: dict[str, Callable[[httpx.Request], httpx.Response]] = {}
        self.refused_tokens: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        call = f"{request.method} {request.url.raw_path.decode()}"
        for match, answer in self.answers.items():
            if call.startswith(match):
                return answer(request)
        if request.url.path.endswith("/token"):
            self.tokens += 1
            return httpx.Response(200, json={"token": f"token-{self.tokens}", "lives": 600})
        if request.headers.get("Authorization") in self.refused_tokens:
            return httpx.Response(401, json={"code": "expired"})
        if request.method == "POST" and request.url.path.endswith("/flows"):
            return httpx.Response(201, json={"id": "f-1", "link": "https://acme.example/go?t=secret-in-link"})
        return httpx.Response(200, json={"status": self.status})

    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


def order(**changes: Any) -> FlowOrder:
    person = Applicant(reference="CUST-1", name="Meera Iyer", email="meera@example.org", country="IN")
    return FlowOrder(**{"product": "wallet", "application_id": "APP-1", "applicant": person, **changes})


def gateway(vendor: Vendor, clock: FakeClock | None = None, account: Account = ACCOUNT, **more: Any) -> Gateway:
    transport = more.pop("transport", httpx.MockTransport(vendor))
    return Gateway(
        [account], transport=transport, clock=clock or FakeClock(), registry=registry_of(PLUGIN, BARE, SIGNING), **more
    )


def async_gateway(
    vendor: Vendor, clock: FakeClock | None = None, account: Account = ACCOUNT, **more: Any
) -> AsyncGateway:
    transport = more.pop("transport", httpx.MockTransport(vendor))
    return AsyncGateway(
        [account], transport=transport, clock=clock or FakeClock(), registry=registry_of(PLUGIN, BARE, SIGNING), **more
    )
