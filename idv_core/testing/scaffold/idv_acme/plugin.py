"""The adapter: generators that yield requests, are sent responses, and return models. No socket, no clock, no retry."""

from __future__ import annotations

from datetime import datetime

import attrs

from idv_core.plugin import (
    Exchange,
    Flow,
    FlowOrder,
    FlowStatus,
    Link,
    Refusal,
    Request,
    Response,
    Result,
    Secret,
    UnexpectedResponse,
    trusted_link,
)

from .mapping import read_check, read_status, read_verdict
from .payloads import Created, Verification
from .settings import AcmeSettings


@attrs.frozen
class Acme:
    """Opens verifications and reads their results."""

    settings: AcmeSettings

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers({"Authorization": Secret(f"Bearer {self.settings.api_key.reveal()}")})

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{"code", "message"}`; what it means is decided by the HTTP status unless `kind` says otherwise."""
        body = response.json_object() or {}
        return Refusal(code=body.get("code"), message=body.get("message"))

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        reply = yield Request.post(
            "/verifications", json={"reference": order.applicant.reference, "application": order.application_id}
        )
        created = reply.structure(Created)
        if not created.id:
            raise UnexpectedResponse("the answer has an empty id", status=reply.status)
        link = Link(trusted_link(created.url, self.base_url, ("*.acme.example",)))
        return Flow(id=created.id, status=FlowStatus.AWAITING_APPLICANT, link=link)

    def result(self, flow: Flow) -> Exchange[Result]:
        reply = yield Request.get("/verifications/{}", flow.id)
        read = reply.structure(Verification)
        if read.id != flow.id:
            raise UnexpectedResponse("the answer is another verification", status=reply.status)
        return Result(
            flow=attrs.evolve(flow, status=read_status(read.status)),
            checks=[read_check(checked) for checked in read.checks],
            verdict=read_verdict(read.status),
            vendor_word=read.status[:40],
        )
