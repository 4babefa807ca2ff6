"""The adapter. A verification session is our flow (docs.stripe.com/api/identity/verification_sessions)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import attrs

from idv_core.errors import CallbackRejected, DuplicateFlow, Refusal, UnexpectedResponse
from idv_core.links import trusted_link
from idv_core.model import Flow, FlowOrder, Link, Result, Secret
from idv_core.protocols import CallbackReading, Evidence, InboundCall, Polling
from idv_core.wire import Exchange, Request, Response

from .mapping import KINDS, public, read_session, read_status
from .settings import StripeSettings

_SESSIONS = "/v1/identity/verification_sessions"
_LINK_LIFE = timedelta(hours=48)
_PAGES = 20


@attrs.frozen(kw_only=True)
class Session:
    """What is needed of a session to go on with it."""

    id: str
    status: str
    url: str | None = None
    client_secret: str | None = None
    livemode: bool = False


@attrs.frozen
class StripeIdentity:
    """Sessions: opened once for each application, found again, cancelled; the result; signed webhooks."""

    settings: StripeSettings
    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    evidence = Evidence(checks=KINDS, documents=True, verdict=True)
    callback_purposes = ("return", "events")

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        bearer = Secret(f"Bearer {self.settings.api_key.reveal()}")
        return request.with_headers({"Authorization": bearer, "Stripe-Version": self.settings.api_version})

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{"error": {type, code, message, param}}` (docs.stripe.com/api/errors)."""
        error = (response.json_object() or {}).get("error")
        error = error if isinstance(error, dict) else {}
        return Refusal(
            kind=DuplicateFlow if error.get("type") == "idempotency_error" else None,
            code=error.get("code") or error.get("type"),
            message=error.get("message"),
            fields=error.get("param"),
        )

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        """Once for each application: the idempotency key makes a repeat give the same session, for a day."""
        key = sha256(f"{order.product}\0{order.application_id}\0{order.template or ''}".encode()).hexdigest()
        reply = yield Request.post(
            _SESSIONS, form=tuple(self._form(order)), headers={"Idempotency-Key": key}, repeatable=True
        )
        return self._flow(reply)

    def recover(self, order: FlowOrder) -> Exchange[Flow]:
        """The session with this application in its metadata, among those of the applicant; else a new one."""
        query = {"client_reference_id": order.applicant.reference, "limit": "100"}
        for _ in range(_PAGES):
            reply = yield Request.get(_SESSIONS, query=query)
            listed = reply.json_object() or {}
            sessions = [item for item in listed.get("data") or () if isinstance(item, dict)]
            for session in sessions:
                metadata = session.get("metadata")
                ours = isinstance(metadata, dict) and metadata.get("application_id") == order.application_id
                if ours and session.get("client_reference_id") == order.applicant.reference:
                    return (yield from self.renew_link(Flow(id=str(session.get("id")), status="open")))
            if listed.get("has_more") is not True or not sessions:
                break
            query["starting_after"] = str(sessions[-1].get("id"))
        return (yield from self.open_flow(order))

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        """Each look at a session that waits for the applicant gives a fresh link."""
        reply = yield Request.get(f"{_SESSIONS}/{{}}", flow.id)
        found = self._flow(reply)
        if found.id != flow.id:
            raise UnexpectedResponse("the answer is another session", status=reply.status)
        return attrs.evolve(flow, status=found.status, link=found.link, secrets={**flow.secrets, **found.secrets})

    def cancel(self, flow: Flow) -> Exchange[Flow]:
        """Only this vendor's: `idv.vendor(lambda stripe: stripe.cancel(flow))`. Cannot be undone."""
        reply = yield Request.post(f"{_SESSIONS}/{{}}/cancel", flow.id, repeatable=True)
        return attrs.evolve(flow, status=read_status(reply.structure(Session).status), link=None)

    def status(self, flow: Flow) -> Exchange[Flow]:
        return (yield from self.result(flow)).flow

    def result(self, flow: Flow) -> Exchange[Result]:
        reply = yield Request.get(f"{_SESSIONS}/{{}}", flow.id, query=(("expand[]", "last_verification_report"),))
        session = reply.structure(Session)
        self._check_mode(session, reply)
        if session.id != flow.id:
            raise UnexpectedResponse("the answer is another session", status=reply.status)
        answer = reply.json_object() or {}
        reading = read_session(answer)
        return Result(
            flow=attrs.evolve(flow, status=reading.status),
            checks=reading.checks,
            documents=reading.documents,
            verdict=reading.verdict,
            vendor_word=reading.word,
            notes=reading.notes,
            raw=public(answer),
        )

    def check_credentials(self) -> Exchange[None]:
        yield Request.get(_SESSIONS, query={"limit": "1"})

    def read_callback(self, call: InboundCall) -> CallbackReading:
        """The browser's return, or an event signed by the endpoint's secret (docs.stripe.com/webhooks/signature)."""
        if call.purpose == "return" and call.method == "GET":
            return CallbackReading(event="return")
        if call.purpose != "events" or call.method != "POST":
            raise CallbackRejected("no such address", status=404)
        signed = bool(self.settings.webhook_secret)
        if signed:
            self._check_signature(call)
        body = call.json_object()
        data = body.get("data")
        session = data.get("object") if isinstance(data, dict) else None
        named = session.get("id") if isinstance(session, dict) else None
        event = body.get("type")
        flow_id = named if isinstance(named, str) and named.startswith("vs_") else None
        return CallbackReading(
            event=event[:80] if isinstance(event, str) else "unnamed",
            flow_id=flow_id,
            fetch=flow_id is not None,
            signed=signed,
        )

    def _check_signature(self, call: InboundCall) -> None:
        pairs = [part.partition("=")[::2] for part in call.headers.get("stripe-signature", "").split(",")]
        stamp = next((value for name, value in pairs if name.strip() == "t"), "")
        given = [value for name, value in pairs if name.strip() == "v1"]
        wanted = [sign(secret, stamp, call.body).encode() for secret in self.settings.webhook_secret]
        if not any(hmac.compare_digest(value.encode(errors="replace"), good) for value in given for good in wanted):
            raise CallbackRejected("the signature is missing or wrong", status=401)
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
            raise CallbackRejected("the signature has no time", status=401)
        if call.received_at is not None:
            age = abs(call.received_at.timestamp() - int(stamp))
            if age > self.settings.tolerance:
                raise CallbackRejected("the signature is too old", status=401)

    def _form(self, order: FlowOrder) -> Iterator[tuple[str, str]]:
        settings, person = self.settings, order.applicant
        template = order.template or settings.verification_flow
        if template:
            yield "verification_flow", template
        else:
            yield "type", "document"
            for name in ("require_matching_selfie", "require_live_capture", "require_id_number"):
                yield f"options[document][{name}]", "true" if getattr(settings, name) else "false"
            for index, type_ in enumerate(settings.allowed_types):
                yield f"options[document][allowed_types][{index}]", type_.value
        yield "client_reference_id", person.reference
        yield "metadata[application_id]", order.application_id
        yield "metadata[product]", order.product
        if person.email:
            yield "provided_details[email]", person.email
        if person.phone_number:
            yield "provided_details[phone]", person.phone_number
        return_url = order.callbacks.url("return") if order.callbacks else order.return_url
        if return_url:
            yield "return_url", return_url

    def _flow(self, reply: Response) -> Flow:
        session = reply.structure(Session)
        self._check_mode(session, reply)
        if not session.id:
            raise UnexpectedResponse("the answer has an empty id", status=reply.status)
        url = session.url and trusted_link(session.url, self.base_url, self.settings.link_hosts)
        return Flow(
            id=session.id,
            status=read_status(session.status),
            link=Link(url, reply.received_at + _LINK_LIFE) if url else None,
            secrets={"client_secret": Secret(session.client_secret)} if session.client_secret else {},
        )

    def _check_mode(self, session: Session, reply: Response) -> None:
        """In test mode nothing is really checked, so a live account never takes such a session."""
        if self.settings.is_live and not session.livemode:
            raise UnexpectedResponse("the session is of the test mode and the key is live", status=reply.status)


def sign(secret: Secret, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over time, a dot and the body, lower-case hex."""
    return hmac.digest(secret.reveal().encode(), stamp.encode(errors="replace") + b"." + body, "sha256").hex()


def signature_header(secret: Secret, stamp: str, body: bytes) -> dict[str, Any]:
    """The header as Stripe sends it."""
    return {"Stripe-Signature": f"t={stamp},v1={sign(secret, stamp, body)}"}
