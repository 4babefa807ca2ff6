"""The adapter. An inquiry is our flow (docs.withpersona.com/api-reference/inquiries)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs

from idv_core.plugin import (
    OVERALL,
    Coverage,
    DuplicateFlow,
    Erasure,
    Exchange,
    Flow,
    FlowNotFound,
    FlowOrder,
    InvalidOrder,
    Media,
    Polling,
    RateLimited,
    Reason,
    Refusal,
    Request,
    Response,
    Result,
    ResultCapabilities,
    Review,
    Secret,
    Webhook,
    WebhookEvent,
)

from . import life
from .inquiries import INQUIRY, Readings, answer_with, id_of, inquiry_of, looked_at
from .json_api import as_list, as_object, as_text, attributes_of
from .links import linked
from .mapping import KINDS, public, read_inquiry
from .media import download, list_media
from .openings import INQUIRIES, Openings
from .orders import told_of_order
from .settings import PersonaSettings
from .webhooks import read_event
from .words import CHECKS, ID_CLASSES, REPORTS, VERIFICATIONS


@attrs.frozen
class Persona:
    """Inquiries: opened once for each application, found again, linked to; the result; signed webhooks; cancelled, decided,
    tried again, erased; their files; the sandbox.
    """

    settings: PersonaSettings
    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    result_capabilities = ResultCapabilities(checks=KINDS, documents=True, verdict=True)
    webhook_purposes = ("events",)
    simulations = tuple(life.SIMULATIONS)

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def allowed_hosts(self) -> Collection[str]:
        return self.settings.file_hosts

    @property
    def key_mode(self) -> str | None:
        return self.settings.key_mode

    def problems(self, *, webhooks: bool) -> Iterator[tuple[str, str]]:
        if webhooks and not self.settings.webhook_secrets:
            yield "webhook_secrets", "is not set: only their address proves webhooks. Give the webhook's secret"

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers(
            {
                "Authorization": Secret(f"Bearer {self.settings.api_key.reveal()}"),
                "Persona-Version": self.settings.api_version,
                "Key-Inflection": "kebab",
            }
        )

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{"errors": [{title, details, source}]}` (docs.withpersona.com/errors)."""
        errors = [as_object(error) for error in as_list((response.json_object() or {}).get("errors"))]
        error = errors[0] if errors else {}
        title, details = as_text(error.get("title")), as_text(error.get("details"))
        said = f"{title} {details}".lower()
        kind: Any = None
        if response.status == 409 and "stale object" in said:
            kind = RateLimited
        elif response.status in (400, 409, 422) and "idempoten" in said:
            kind = DuplicateFlow
        elif response.status == 409 and request.template != INQUIRIES:
            # the inquiry is in no state for it
            kind = InvalidOrder
        pointers = (as_text(as_object(one.get("source")).get("pointer")) for one in errors)
        return Refusal(
            kind=kind,
            code=title,
            message=details,
            fields=tuple(pointer for pointer in pointers if pointer),
            # somebody else has just changed it
            retry_after=timedelta(seconds=1) if kind is RateLimited else None,
        )

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        return (yield from self._openings.open(order))

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        return (yield from self._openings.recover(order, since))

    def retry(self, flow: Flow, order: FlowOrder) -> Exchange[Flow]:
        return (yield from self._openings.retry(flow, order))

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        """Another one-time link. An inquiry that has expired is resumed first."""
        inquiry = yield from looked_at(flow)
        if attributes_of(inquiry).get("status") == "expired":
            inquiry = inquiry_of(flow, (yield Request.post(f"{INQUIRY}/resume", id_of(flow), idempotent=True)))
        renewed = yield from linked(self._readings, flow, inquiry)
        if renewed is None:
            raise FlowNotFound("Persona does not know this inquiry any more")
        return renewed

    def status(self, flow: Flow) -> Exchange[Flow]:
        inquiry = yield from looked_at(flow)
        return self._readings.flow(flow, inquiry)

    def result(self, flow: Flow) -> Exchange[Result]:
        inquiry, answer = yield from answer_with(flow, "verifications", "reports")
        result = read_inquiry(self._readings.flow(flow, inquiry), answer)
        if told_of_order(inquiry)["is_shadow"] and not flow.is_shadow:
            doubt = Reason("flow.shadow", "the inquiry was opened as a shadow, which decides nothing")
            result = attrs.evolve(result, doubts=(*result.doubts, doubt))
        return attrs.evolve(result, is_test=self.key_mode == "test", raw=public(answer))

    def check_credentials(self) -> Exchange[None]:
        yield Request.get(INQUIRIES, query={"page[size]": "1"})

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        return read_event(webhook, self.settings.webhook_secrets, self.settings.tolerance)

    def cancel(self, flow: Flow) -> Exchange[Flow]:
        return (yield from life.cancel(self._readings, flow))

    def review(self, flow: Flow, review: Review) -> Exchange[Flow]:
        return (yield from life.review(self._readings, flow, review))

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        return (yield from life.erase(flow))

    def simulate(self, flow: Flow, outcome: str) -> Exchange[Flow]:
        return (yield from life.simulate(self._readings, flow, outcome))

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        return (yield from list_media(flow))

    def download(self, flow: Flow, media: Media) -> Exchange[None]:
        yield from download(flow, media)

    def coverage(self) -> Exchange[Coverage]:
        """What Persona's pages say; what a template asks for is set up there."""
        yield from ()
        named = {*VERIFICATIONS.values(), *CHECKS.values()}
        checks = {kind.value if name == OVERALL else f"{kind.value}.{name}" for kind, name in named}
        return Coverage(
            document_types=ID_CLASSES.values(), checks={*checks, *(f"screening.{name}" for name in REPORTS.values())}
        )

    @property
    def _readings(self) -> Readings:
        return Readings(self.settings)

    @property
    def _openings(self) -> Openings:
        return Openings(self._readings)
