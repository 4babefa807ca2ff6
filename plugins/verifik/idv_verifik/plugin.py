"""The adapter for Smart Enroll. Sections in comments are those of the fact sheet `shared/vendors/verifik.md`.

A registration is our flow. Both ways work: hosted (send the applicant to `flow.link`), and step by step (`upload`, then
`submit`), which uses the registration's own token; without that token a fresh one is asked for. What only Verifik has is
reached by `idv.vendor(lambda verifik: verifik.steps.send_email_code(flow, address))`, and likewise `project_flows`
and `registrations`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from idv_core.plugin import (
    JPEG,
    PNG,
    AuthenticationFailed,
    CheckKind,
    Coverage,
    Document,
    DuplicateFlow,
    Erasure,
    Exchange,
    Flow,
    FlowOrder,
    FlowStatus,
    Grant,
    InvalidOrder,
    Media,
    PermissionDenied,
    Polling,
    ProvisionedTemplate,
    Refusal,
    Request,
    Response,
    Result,
    ResultCapabilities,
    Secret,
    Template,
    UnexpectedResponse,
    UploadKind,
    Webhook,
    WebhookEvent,
    WebhookRejected,
    structure,
    without_secrets,
)

from . import erasure, mapping, reach
from .credentials import bearer, grant
from .payloads import (
    ACCOUNT_TOKENS,
    CALLER_TOKENS,
    DUPLICATES,
    SETTING_TOKENS,
    Said,
    SessionToken,
    read_said,
    reference_id,
    unwrap,
)
from .pictures import Pictures
from .project_flows import ProjectFlows
from .registrations import Registrations
from .settings import VerifikSettings
from .steps import Steps


@attrs.frozen
class Verifik:
    """Registrations under a project flow, uploads, result, webhooks, project flows."""

    settings: VerifikSettings
    result_capabilities = ResultCapabilities(
        checks={
            CheckKind.DOCUMENT,
            CheckKind.LIVENESS,
            CheckKind.FACE_MATCH,
            CheckKind.NAME_MATCH,
            CheckKind.EMAIL,
            CheckKind.PHONE,
            CheckKind.SCREENING,
        },
        scored={CheckKind.LIVENESS, CheckKind.FACE_MATCH, CheckKind.NAME_MATCH},
        documents=True,
        verdict=True,
    )
    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    # fact sheet section 8 row 10
    accepts = dict.fromkeys(UploadKind, frozenset({JPEG, PNG}))
    webhook_purposes = ("events",)

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        return self.settings.media_hosts

    def problems(self, *, webhooks: bool) -> Iterator[tuple[str, str]]:
        if self.settings.project_flow is None:
            yield "project_flow", "is not set: nothing can be opened but orders that name one as their template"

    @property
    def registrations(self) -> Registrations:
        return Registrations(self.settings)

    @property
    def steps(self) -> Steps:
        return Steps(self.registrations)

    @property
    def project_flows(self) -> ProjectFlows:
        return ProjectFlows(self.settings)

    @property
    def pictures(self) -> Pictures:
        return Pictures(self.registrations)

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        return self.registrations.open(order)

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        return self.registrations.recover(order, since)

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        return self.steps.upload(flow, documents)

    def submit(self, flow: Flow) -> Exchange[Flow]:
        return self.steps.submit(flow)

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        return self.registrations.renew_link(flow)

    def provision(self, template: Template) -> Exchange[ProvisionedTemplate]:
        return self.project_flows.provision(template)

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        return self.pictures.list(flow)

    def download(self, flow: Flow, media: Media) -> Exchange[bytes | None]:
        return self.pictures.download(flow, media)

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        return erasure.erase(self.registrations, flow)

    def coverage(self) -> Exchange[Coverage]:
        return reach.coverage(self.project_flows)

    def status(self, flow: Flow) -> Exchange[Flow]:
        registration = yield from self.registrations.retrieve(flow)
        return mapping.read_registration(registration, flow).flow

    def result(self, flow: Flow) -> Exchange[Result]:
        registration = yield from self.registrations.retrieve(flow)
        settings: Mapping[str, Any] | None = None
        if mapping.read_status(registration.get("status")) is FlowStatus.FINISHED:
            settings = yield from self.project_flows.settings_of(registration)
        result = mapping.read_registration(registration, flow, settings)
        # of the project its id only: it is about the account, and names people of it
        told = {key: reference_id(part) if key == "project" else part for key, part in registration.items()}
        return attrs.evolve(result, raw=without_secrets(told, mapping.NEVER_KEPT))

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        """`{type, object}`, or the object itself as older texts have it; only a hint which registration to fetch (4.2)."""
        if webhook.purpose != "events" or webhook.method != "POST":
            raise WebhookRejected("no such address", status=404)
        body = webhook.json_object()
        kind, entity = body.get("type"), body.get("object")
        if not isinstance(entity, dict):
            kind, entity = None, body
        event = kind.removeprefix("onboarding_")[:80] if isinstance(kind, str) else "unnamed"
        own = event.startswith(("app_registration", "face_verification")) or _is_registration(entity)
        id = reference_id(entity.get("appRegistration")) or (reference_id(entity) if own else None)
        return WebhookEvent(event=event, flow_id=id, fetch=id is not None)

    def check_credentials(self) -> Exchange[None]:
        """Lists the account's project flows, one of them (section 3.2)."""
        yield Request.get("/v2/project-flows", query={"project": self.settings.project, "page": "1", "limit": "1"})

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers(bearer(self.settings, token)) if token is not None else request

    def obtain_token(self, previous: Grant | None) -> Exchange[Grant]:
        """The configured token first; afterwards renewal of the one in use, as long as it lives (section 2.4)."""
        if previous is None:
            return grant(self.settings.token)
        asked: dict[str, Any] = {"query": {"origin": "refresh"}, "signed": False}
        asked["headers"] = bearer(self.settings, previous.access_token)
        reply = yield Request.get("/v2/auth/session", accept={404, 405}, **asked)
        if not reply.is_success:
            reply = yield Request.post("/v2/auth/session", idempotent=True, **asked)
        renewed = structure(unwrap(reply), SessionToken, status=reply.status)
        token = renewed.accessToken or renewed.token
        if not token:
            raise UnexpectedResponse("the renewal has no accessToken", status=reply.status)
        return grant(Secret(token))

    def read_error(self, request: Request, response: Response) -> Refusal:
        """Decided by the token in the words first, then by the status (section 1.7 rows 10, 11, 36 and 37)."""
        said = read_said(response)
        refusal = Refusal(code=said.code or None, message=said.token or None, fields=_missing_fields(said))
        if said.names(*DUPLICATES):
            return attrs.evolve(refusal, kind=DuplicateFlow)
        if said.names(*ACCOUNT_TOKENS) or (request.method == "POST" and said.names(*SETTING_TOKENS)):
            return attrs.evolve(refusal, kind=PermissionDenied)
        if response.status == 403 and said.names("token_expired"):
            return attrs.evolve(refusal, kind=AuthenticationFailed)
        if response.status == 429:
            return attrs.evolve(refusal, retry_after=_reset(response))
        if response.status == 409 or said.names("step_not_supported", *CALLER_TOKENS):
            return attrs.evolve(refusal, kind=InvalidOrder)
        return refusal


def _is_registration(entity: Mapping[str, Any]) -> bool:
    """Older bodies are the object itself. Only a registration has a step, or a project flow and no `type` of its own."""
    return "currentStep" in entity or ({"projectFlow", "status"} <= entity.keys() and "type" not in entity)


def _missing_fields(said: Said) -> tuple[str, ...]:
    """`missing project\\n. missing email`, or the `details` of v3."""
    details = said.body.get("details")
    named = [item.get("field") for item in details if isinstance(item, dict)] if isinstance(details, list) else []
    parts = [part.strip(" .\n") for part in said.token.split("\n")]
    named += [part.removeprefix("missing ").strip() for part in parts if part.startswith("missing ")]
    return tuple(name for name in named if isinstance(name, str) and name)


def _reset(response: Response) -> timedelta | None:
    """`X-RateLimit-Reset` is seconds or Unix time (section 7 row 3); `Retry-After` is the core's affair."""
    text = response.headers.get("x-ratelimit-reset", "")
    if "retry-after" in response.headers or not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    seconds = int(text)
    if seconds > 10**9:
        seconds = max(0, seconds - int(response.received_at.timestamp()))
    return timedelta(seconds=seconds)
