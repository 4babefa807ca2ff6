"""The plugin of the vendor that obeys: see `idv_core.testing.fake_vendor`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs

from ..errors import FlowNotFound, Refusal, UnexpectedResponse, WebhookRejected
from ..model import (
    Applicant,
    Check,
    CheckKind,
    CheckOutcome,
    Document,
    DocumentEvidence,
    DocumentType,
    Erasure,
    ErasureStatus,
    ExtractedField,
    FieldName,
    Flow,
    FlowOrder,
    FlowStatus,
    Link,
    Result,
    Secret,
    Upload,
    VendorVerdict,
)
from ..model.check_names import OTHER
from ..model.validation import is_base_url, without_slash
from ..plugin.dates import read_date
from ..plugin.http import Exchange, Request, Response
from ..plugin.links import trusted_link
from ..plugin.protocols import CONTRACT_VERSION, Polling, Webhook, WebhookEvent
from ..plugin.spec import Plugin

HOST = "vendor.example"
PATH = "/verifications"


@attrs.frozen(kw_only=True)
class FakeSettings:
    """Settings of an account at the fake vendor."""

    api_key: Secret
    base_url: str = attrs.field(default=f"https://{HOST}", converter=without_slash, validator=is_base_url)


@attrs.frozen(kw_only=True)
class _Checked:
    kind: str
    name: str
    outcome: str


@attrs.frozen(kw_only=True)
class _Verification:
    id: str
    application_id: str
    status: str
    verdict: str
    checks: list[_Checked]
    claims: dict[str, Any]
    may_reopen: bool


@attrs.frozen(kw_only=True)
class _Opened:
    id: str
    application_id: str
    url: str


@attrs.frozen
class FakeAdapter:
    """Opens verifications, takes documents, reads results. Never approves what it does not understand."""

    settings: FakeSettings
    webhook_purposes = ("events",)
    polling = Polling(first=timedelta(seconds=2), ceiling=timedelta(seconds=30))

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers({"Authorization": Secret(f"Bearer {self.settings.api_key.reveal()}")})

    def read_error(self, request: Request, response: Response) -> Refusal:
        body = response.json_object() or {}
        code = body.get("code")
        return Refusal(code=code, message=body.get("message"), kind=FlowNotFound if code == "NOT_FOUND" else None)

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        person = order.applicant
        told: dict[str, Any] = {
            "application_id": order.application_id,
            "reference": person.reference,
            "claims": _known(person),
            "webhook": order.urls.webhook("events") if order.urls else None,
        }
        reply = yield Request.post(PATH, json=told)
        return self._opened(reply.structure(_Opened), reply, order)

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        asked = {"application_id": order.application_id, "reference": order.applicant.reference}
        if since is not None:
            asked["since"] = since.isoformat()
        reply = yield Request.get(PATH, query=asked)
        found = reply.structure(_Opened)
        return self._opened(found, reply, order)

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        told = [{"id": document.id, "kind": document.kind.value} for document in documents]
        yield Request.post(f"{PATH}/{{}}/documents", flow.id, json={"documents": told})
        return attrs.evolve(flow, uploads=(*flow.uploads, *(Upload(document_id=document.id) for document in documents)))

    def submit(self, flow: Flow) -> Exchange[Flow]:
        reply = yield Request.post(f"{PATH}/{{}}/submission", flow.id, json={})
        return self._flow(flow, reply.structure(_Verification), reply)

    def cancel(self, flow: Flow) -> Exchange[Flow]:
        reply = yield Request.post(f"{PATH}/{{}}/cancellation", flow.id, json={})
        return attrs.evolve(self._flow(flow, reply.structure(_Verification), reply), link=None)

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        yield Request.post(f"{PATH}/{{}}/erasure", flow.id, json={})
        return Erasure(status=ErasureStatus.DONE)

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        reply = yield Request.post(f"{PATH}/{{}}/link", flow.id, json={})
        made = reply.structure(_Opened)
        if made.id != flow.id:
            raise UnexpectedResponse("the answer is another verification", status=reply.status)
        return attrs.evolve(flow, link=self._link(made.url))

    def result(self, flow: Flow) -> Exchange[Result]:
        reply = yield Request.get(f"{PATH}/{{}}", flow.id)
        read = reply.structure(_Verification)
        flow = self._flow(flow, read, reply)
        fields = [_field(name, value) for name, value in read.claims.items()]
        return Result(
            flow=flow,
            checks=[_check(checked) for checked in read.checks],
            documents=[DocumentEvidence(document_id=None, type=DocumentType.PASSPORT, fields=fields)] if fields else [],
            verdict=_verdict(read.verdict) if flow.status is FlowStatus.FINISHED else None,
            vendor_word=read.verdict[:40],
            is_test=True,
        )

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        body = webhook.json_object()
        event, id = body.get("event"), body.get("id")
        if not isinstance(event, str) or not isinstance(id, str):
            raise WebhookRejected("the webhook has no event or no id", status=400)
        return WebhookEvent(event=event, flow_id=id)

    def _opened(self, made: _Opened, reply: Response, order: FlowOrder) -> Flow:
        if not made.id or made.application_id != order.application_id:
            raise UnexpectedResponse("the answer is another verification", status=reply.status)
        return Flow(id=made.id, status=FlowStatus.AWAITING_APPLICANT, link=self._link(made.url))

    def _link(self, url: str) -> Link:
        return Link(trusted_link(url, self.base_url, (HOST,)))

    def _flow(self, flow: Flow, read: _Verification, reply: Response) -> Flow:
        other = flow.application_id is not None and read.application_id != flow.application_id
        if read.id != flow.id or other:
            raise UnexpectedResponse("the answer is another verification", status=reply.status)
        status = FlowStatus(read.status) if read.status in set(FlowStatus) else FlowStatus.PROCESSING
        return attrs.evolve(flow, status=status, may_reopen=read.may_reopen)


def _known(person: Applicant) -> dict[str, str]:
    """What the applicant's document will say, unless a test says otherwise."""
    named = {name: getattr(person, name) for name in ("name", "given_name", "family_name") if getattr(person, name)}
    return named | ({"birthdate": person.birthdate.isoformat()} if person.birthdate else {})


def _verdict(word: str) -> VendorVerdict:
    return VendorVerdict(word) if word in set(VendorVerdict) else VendorVerdict.DOUBTFUL


def _check(checked: _Checked) -> Check:
    outcome = CheckOutcome(checked.outcome) if checked.outcome in set(CheckOutcome) else CheckOutcome.INCONCLUSIVE
    try:
        return Check(kind=CheckKind(checked.kind), name=checked.name, outcome=outcome)
    except ValueError:
        return Check(kind=CheckKind.OTHER, name=OTHER, outcome=CheckOutcome.INCONCLUSIVE, vendor_name=checked.name[:40])


def _field(name: str, value: Any) -> ExtractedField:
    if name == FieldName.BIRTHDATE:
        # one that may mean another day is none
        value = read_date(value)
    try:
        return ExtractedField(name=name, value=value, vendor_name=name)
    except (ValueError, TypeError):
        return ExtractedField(name=FieldName.OTHER, value=None, vendor_name=name[:40])


def idv_plugin() -> Plugin:
    return Plugin(
        name="fake",
        summary="A vendor that obeys, for tests",
        settings=FakeSettings,
        create=FakeAdapter,
        contract=CONTRACT_VERSION,
    )
