"""What both families share: where Onfido is, its token, its errors, its applicants, its webhooks."""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

from idv_core.plugin import (
    ALPHA_3,
    Exchange,
    Flow,
    FlowOrder,
    InvalidOrder,
    Refusal,
    Request,
    Response,
    Secret,
    UnexpectedResponse,
    Webhook,
    WebhookEvent,
    WebhookRejected,
)

from .mapping import as_object, as_text
from .names import is_same_name, names_of
from .settings import Family, OnfidoSettings

_ID = re.compile(r"[!-~]{1,255}")
# Fewer digits than this name nobody.
_LEAST_DIGITS = 7


@attrs.frozen(kw_only=True)
class Created:
    """Any object that has just been made, or an applicant's record. What it says of the person is compared with the order."""

    id: str
    sandbox: bool | None = None
    applicant_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    dob: str | None = None


@attrs.frozen
class OnfidoAccount:
    """Token, errors, applicants, webhooks."""

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
        sent = _applicant(order)
        reply = yield Request.post("/applicants", json=sent, idempotent=idempotent)
        created = reply.structure(Created)
        self.check_mode(sandbox=created.sandbox, reply=reply)
        for name in _differing(sent, created):
            raise UnexpectedResponse(
                f"the applicant is somebody else: its {name} is not what was sent", status=reply.status
            )
        return new_id(created.id, reply)

    def is_applicant_of(self, order: FlowOrder, id: str) -> Exchange[bool | None]:
        """Whether nothing in the applicant's record is of somebody else than the order's; None if Onfido has deleted it."""
        sent = _applicant(order)
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
        return not _differing(sent, found)

    def check_mode(self, *, sandbox: bool | None, reply: Response) -> None:
        """In the sandbox nothing is really checked, so a live account never takes what comes from there."""
        if self.settings.is_live and sandbox:
            raise UnexpectedResponse("the object is of the sandbox and the token is live", status=reply.status)


def sign(token: Secret, body: bytes) -> str:
    """HMAC-SHA256 over the body as it came, lower-case hex."""
    return hmac.digest(token.reveal().encode(), body, "sha256").hex()


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


def _applicant(order: FlowOrder) -> dict[str, Any]:
    person = order.applicant
    first, last = names_of(person, order.vendor_options.get("onfido", {}))
    country = person.country and ALPHA_3[person.country]
    known = {
        "first_name": first,
        "last_name": last,
        "email": person.email,
        "phone_number": person.phone_number,
        "dob": person.birthdate and person.birthdate.isoformat(),
        "location": country and {"country_of_residence": country},
    }
    return {name: value for name, value in known.items() if value}


def _differing(sent: Mapping[str, Any], told: Created) -> list[str]:
    """The names of what the record tells, and was sent as something else."""
    compared: dict[str, Callable[[str, str], bool]] = {
        "first_name": is_same_name,
        "last_name": is_same_name,
        "email": lambda ours, theirs: _plain(ours) == _plain(theirs),
        "phone_number": _is_same_phone,
        "dob": lambda ours, theirs: ours == theirs.strip()[: len(ours)],
    }
    pairs = {name: (sent.get(name), getattr(told, name)) for name in compared}
    return [name for name, (ours, theirs) in pairs.items() if ours and theirs and not compared[name](ours, theirs)]


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_same_phone(ours: str, told: str) -> bool:
    """By the digits; `told` may lack the country's prefix, or have zeros in its place."""
    sent, shown = ("".join(char for char in text if char.isdecimal()) for text in (ours, told))
    shown = shown.lstrip("0")
    is_part = len(shown) >= _LEAST_DIGITS and not told.lstrip().startswith("+")
    return sent == shown or (is_part and sent.endswith(shown))
