"""What both families share: where Onfido is, its token, its errors, its applicants, its webhooks."""

from __future__ import annotations

import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from idv_core.plugin import (
    Erasure,
    ErasureStatus,
    Exchange,
    Flow,
    FlowOrder,
    InvalidOrder,
    NotAccepted,
    Refusal,
    Request,
    Response,
    SdkSession,
    Secret,
    UnexpectedResponse,
    Webhook,
    WebhookEvent,
    WebhookRejected,
)

from .applicants import Created, applicant_body, differing
from .mapping import as_object, as_text
from .settings import Family, OnfidoSettings

_ID = re.compile(r"[!-~]{1,255}")


@attrs.frozen
class OnfidoAccount:
    """Token, errors, applicants and their deletion, webhooks."""

    settings: OnfidoSettings
    webhook_purposes = ("events",)

    @property
    def base_url(self) -> str:
        return self.settings.base_url or f"https://api.{self.settings.region}.onfido.com/v3.6"

    @property
    def key_mode(self) -> str | None:
        return self.settings.key_mode

    def problems(self, *, webhooks: bool) -> Iterator[tuple[str, str]]:
        settings = self.settings
        if settings.family is Family.WORKFLOWS and settings.workflow_id is None:
            yield "workflow_id", "is not set: nothing can be opened but orders that name a workflow as their template"
        if (
            settings.base_url is None
            and settings.key_mode
            and not settings.token_region
            and str(settings.region) != "eu"
        ):
            yield "region", "the token names no region, as those of region eu do, and the region is another one"
        if webhooks and not settings.webhook_token:
            yield "webhook_token", "is not set: only their address proves webhooks. Give the token of the webhook"

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers({"Authorization": Secret(f"Token token={self.settings.api_token.reveal()}")})

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{"error": {type, message, fields}}`, with `fields` an object of lists."""
        error = as_object((response.json_object() or {}).get("error"))
        return Refusal(code=error.get("type"), message=error.get("message"), fields=error.get("fields"))

    def check_credentials(self) -> Exchange[None]:
        yield Request.get("/applicants", query={"per_page": "1"})

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        """An event signed with the webhook's token (header `X-SHA2-Signature`)."""
        if webhook.purpose != "events" or webhook.method != "POST":
            raise WebhookRejected("no such address", status=404)
        tokens = self.settings.webhook_token
        given = [
            part.strip().encode(errors="replace") for part in webhook.headers.get("x-sha2-signature", "").split(",")
        ]
        wanted = [sign(token, webhook.body).encode() for token in tokens]
        if tokens and not any(hmac.compare_digest(part, good) for part in given for good in wanted):
            raise WebhookRejected("the signature is missing or wrong", status=401)
        payload = as_object(webhook.json_object().get("payload"))
        flow_id = self.flow_of(payload)
        event = as_text(payload.get("action")) or "unnamed"
        return WebhookEvent(event=event[:80], flow_id=flow_id, fetch=flow_id is not None, signed=bool(tokens))

    def flow_of(self, payload: Mapping[str, Any]) -> str | None:
        """The id of our flow in an event's payload, if it is there."""
        raise NotImplementedError

    def create_applicant(self, order: FlowOrder, *, idempotent: bool) -> Exchange[str]:
        """The id of a new applicant."""
        sent = applicant_body(order)
        reply = yield Request.post("/applicants", json=sent, idempotent=idempotent)
        created = reply.structure(Created)
        self.check_mode(sandbox=created.sandbox, reply=reply)
        for name in differing(sent, created):
            raise UnexpectedResponse(
                f"the applicant is somebody else: its {name} is not what was sent", status=reply.status
            )
        return new_id(created.id, reply)

    def is_applicant_of(self, order: FlowOrder, id: str) -> Exchange[bool | None]:
        """Whether nothing in the applicant's record is of somebody else than the order's; None if Onfido has deleted it."""
        sent = applicant_body(order)
        request = Request.get("/applicants/{}", id, accept={404, 410})
        reply = yield request
        if not reply.is_success:
            if self.read_error(request, reply).code not in ("resource_not_found", "gone"):
                raise UnexpectedResponse("the answer to a look at an applicant is not Onfido's", status=reply.status)
            return None
        found = reply.structure(Created)
        self.check_mode(sandbox=found.sandbox, reply=reply)
        if not is_same_id(found.id, id):
            raise UnexpectedResponse("the answer is another applicant", status=reply.status)
        return not differing(sent, found)

    def erase_applicant(self, id: str, *, is_known: bool) -> Exchange[Erasure]:
        """Have the applicant deleted, with all documents, photos, videos, checks and runs.

        `is_known` says that there was an applicant of that id, so that none means a deleted one.
        """
        asked = yield from self._deletion(id, is_known=is_known)
        if asked is not None:
            return asked
        request = Request.delete("/applicants/{}", id, accept={404, 410})
        reply = yield request
        asked = yield from self._deletion(id, is_known=True)
        if asked is None and not reply.is_success:
            raise NotAccepted(request, reply)
        return asked or Erasure(status=ErasureStatus.REQUESTED)

    def _deletion(self, id: str, *, is_known: bool) -> Exchange[Erasure | None]:
        """How far the applicant's deletion is, None if nobody asked for it."""
        request = Request.get("/applicants/{}", id, accept={404, 410})
        reply = yield request
        if reply.is_success:
            found = reply.structure(Created)
            self.check_mode(sandbox=found.sandbox, reply=reply)
            if not is_same_id(found.id, id):
                raise UnexpectedResponse("the answer is another applicant", status=reply.status)
            if found.delete_at is None:
                return None
            reason = "Onfido deletes the applicant then, and can restore it before (POST /applicants/{id}/restore)"
            return Erasure(status=ErasureStatus.REQUESTED, kept_until=moment(found.delete_at), reason=reason)
        error = self.read_error(request, reply)
        if error.code == "gone" and "schedul" in (as_text(error.message) or "").lower():
            return Erasure(status=ErasureStatus.REQUESTED)
        if error.code == "gone" or (is_known and error.code == "resource_not_found"):
            return Erasure(status=ErasureStatus.DONE)
        raise NotAccepted(request, reply)

    def check_mode(self, *, sandbox: bool | None, reply: Response) -> None:
        """In the sandbox nothing is really checked, so a live account never takes what comes from there."""
        if self.settings.is_live and sandbox:
            raise UnexpectedResponse("the object is of the sandbox and the token is live", status=reply.status)


def sign(token: Secret, body: bytes) -> str:
    """HMAC-SHA256 over the body as it came, lower-case hex."""
    return hmac.digest(token.reveal().encode(), body, "sha256").hex()


def sdk_session(token: str, ends: datetime | None = None) -> SdkSession:
    """For `Onfido.init({token, workflowRunId})` and the apps' SDK. A token tells its own end, else it is `ends`."""
    return SdkSession(kind="onfido_sdk", token=Secret(token), expires_at=_end_of(token) or ends)


def _end_of(token: str) -> datetime | None:
    """`exp` of a JSON Web Token (RFC 7519 section 4.1.4), None where there is none to read."""
    try:
        payload = token.split(".")[1]
        told = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(told["exp"], UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return None


def is_same_id(id: str, other: str) -> bool:
    """Onfido's ids are UUIDs, whose letters may be capitals (RFC 9562 section 4)."""
    return id.lower() == other.lower()


def new_id(id: str, reply: Response) -> str:
    """The id, which must be one."""
    if not _ID.fullmatch(id):
        raise UnexpectedResponse("the answer has an id that is none", status=reply.status)
    return id


def id_of(flow: Flow) -> str:
    """The flow's id. Raises InvalidOrder for one that cannot be Onfido's."""
    if not _ID.fullmatch(flow.id):
        raise InvalidOrder(
            "the flow's id is none of Onfido's: at most 255 ASCII characters without blanks", fields=("flow",)
        )
    return flow.id


def moment(text: str | None) -> datetime | None:
    """A date and time (RFC 3339), None for anything else."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return read if read.tzinfo is not None else None
