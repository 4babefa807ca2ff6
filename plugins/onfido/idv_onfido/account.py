"""What both families share: where Onfido is, its token, its errors, its applicants, its webhooks."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs
import pycountry

from idv_core.errors import CallbackRejected, InvalidOrder, Refusal, UnexpectedResponse
from idv_core.model import Flow, FlowOrder, Secret
from idv_core.protocols import CallbackReading, InboundCall
from idv_core.wire import Exchange, Request, Response

from .mapping import as_object, as_text
from .names import names_of, same_words
from .settings import Family, OnfidoSettings

_ID = re.compile(r"[!-~]{1,255}")


@attrs.frozen(kw_only=True)
class Created:
    """Any object that has just been made. What it says of the person is compared with what was sent."""

    id: str
    sandbox: bool | None = None
    applicant_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None


@attrs.frozen
class OnfidoAccount:
    """Token, errors, applicants, webhooks."""

    settings: OnfidoSettings
    callback_purposes = ("return", "events")

    @property
    def base_url(self) -> str:
        return self.settings.base_url or f"https://api.{self.settings.region}.onfido.com/v3.6"

    @property
    def key_mode(self) -> str | None:
        return self.settings.key_mode

    def problems(self, *, callbacks: bool) -> Iterator[tuple[str, str]]:
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
        if callbacks and not settings.webhook_token:
            yield "webhook_token", "is not set: only their address proves webhooks. Give the token of the webhook"

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers({"Authorization": Secret(f"Token token={self.settings.api_token.reveal()}")})

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{"error": {type, message, fields}}`, with `fields` an object of lists."""
        error = as_object((response.json_object() or {}).get("error"))
        return Refusal(code=error.get("type"), message=error.get("message"), fields=error.get("fields"))

    def check_credentials(self) -> Exchange[None]:
        yield Request.get("/applicants", query={"per_page": "1"})

    def read_callback(self, call: InboundCall) -> CallbackReading:
        """The browser's return, or an event signed with the webhook's token (header `X-SHA2-Signature`)."""
        if call.purpose == "return" and call.method == "GET":
            return CallbackReading(event="return")
        if call.purpose != "events" or call.method != "POST":
            raise CallbackRejected("no such address", status=404)
        tokens = self.settings.webhook_token
        given = [part.strip().encode(errors="replace") for part in call.headers.get("x-sha2-signature", "").split(",")]
        wanted = [sign(token, call.body).encode() for token in tokens]
        if tokens and not any(hmac.compare_digest(part, good) for part in given for good in wanted):
            raise CallbackRejected("the signature is missing or wrong", status=401)
        payload = as_object(call.json_object().get("payload"))
        flow_id = self.flow_of(payload)
        event = as_text(payload.get("action")) or "unnamed"
        return CallbackReading(event=event[:80], flow_id=flow_id, fetch=flow_id is not None, signed=bool(tokens))

    def flow_of(self, payload: Mapping[str, Any]) -> str | None:
        """The id of our flow in an event's payload, if it is there."""
        raise NotImplementedError

    def create_applicant(self, order: FlowOrder, *, repeatable: bool) -> Exchange[str]:
        """The id of a new applicant."""
        sent = _applicant(order)
        reply = yield Request.post("/applicants", json=sent, repeatable=repeatable)
        created = reply.structure(Created)
        self.check_mode(sandbox=created.sandbox, reply=reply)
        for name in ("first_name", "last_name", "email"):
            told, ours = getattr(created, name), sent.get(name)
            if told and ours and not same_words(told, ours):
                raise UnexpectedResponse(
                    f"the applicant is somebody else: its {name} is not what was sent", status=reply.status
                )
        return new_id(created.id, reply)

    def check_mode(self, *, sandbox: bool | None, reply: Response) -> None:
        """In the sandbox nothing is really checked, so a live account never takes what comes from there."""
        if self.settings.is_live and sandbox:
            raise UnexpectedResponse("the object is of the sandbox and the token is live", status=reply.status)


def sign(token: Secret, body: bytes) -> str:
    """HMAC-SHA256 over the body as it came, lower-case hex."""
    return hmac.digest(token.reveal().encode(), body, "sha256").hex()


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


def alpha_3(country: str) -> str | None:
    """Three letters of ISO 3166-1 for two; XKX for Kosovo, which has no code there."""
    if country == "XK":
        return "XKX"
    found = pycountry.countries.get(alpha_2=country)
    return str(found.alpha_3) if found else None


def _applicant(order: FlowOrder) -> dict[str, Any]:
    person = order.applicant
    first, last = names_of(person, order.vendor_options.get("onfido", {}))
    country = person.country and alpha_3(person.country)
    known = {
        "first_name": first,
        "last_name": last,
        "email": person.email,
        "phone_number": person.phone_number,
        "dob": person.birthdate and person.birthdate.isoformat(),
        "location": country and {"country_of_residence": country},
    }
    return {name: value for name, value in known.items() if value}
