"""The adapter. A verification session is our flow (docs.stripe.com/api/identity/verification_sessions)."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import attrs

from idv_core.plugin import (
    DuplicateFlow,
    Exchange,
    Flow,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Link,
    NotAccepted,
    Polling,
    RateLimited,
    Reason,
    Refusal,
    Request,
    Response,
    Result,
    ResultCapabilities,
    Secret,
    UnexpectedResponse,
    Webhook,
    WebhookEvent,
    WebhookRejected,
    subject_of,
    trusted_link,
)

from .mapping import KINDS, as_object, as_text, public, read_session, read_status
from .same import same
from .settings import StripeSettings

_SESSIONS = "/v1/identity/verification_sessions"
_REPORT = "last_verification_report"
_OUTPUTS = "verified_outputs"
# What only a restricted key may read, and only where it is asked for (docs.stripe.com/identity/access-verification-results).
_SENSITIVE = (
    f"{_REPORT}.document.dob",
    f"{_REPORT}.document.expiration_date",
    f"{_REPORT}.document.number",
    f"{_OUTPUTS}.dob",
    f"{_OUTPUTS}.id_number",
)
_LINK_LIFE = timedelta(hours=48)
_PAGES = 100
# One key for the first session of an order, further ones for those that take the place of a dead one.
_KEYS = 10
# How many new 500s `recover` reads as kept under their keys; then it is Stripe that is not well.
_BURNT = 2
_CLOCKS_DIFFER = timedelta(minutes=1)
_ID = re.compile(r"[!-~]{1,255}")
# What tells the tenants of a platform, and shadows, apart.
_MARKS = ("tenant", "is_shadow")
_NAMING = ("application_id", "product", "client_reference_id", "verification_flow", *_MARKS)
_OPTIONS = ("require_matching_selfie", "require_live_capture", "require_id_number")


@attrs.frozen(kw_only=True)
class Session:
    """What is needed of a session to go on with it."""

    id: str
    status: str
    url: str | None = None
    client_secret: str | None = None
    livemode: bool | None = None


@attrs.frozen(kw_only=True)
class ListedSessions:
    data: tuple[dict[str, Any], ...]
    has_more: bool | None = None


@attrs.frozen
class StripeIdentity:
    """Sessions: opened once for each application, found again, cancelled; the result; signed webhooks."""

    settings: StripeSettings
    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    result_capabilities = ResultCapabilities(checks=KINDS, documents=True, verdict=True)
    webhook_purposes = ("events",)

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def key_mode(self) -> str | None:
        return self.settings.key_mode

    def problems(self, *, webhooks: bool) -> Iterator[tuple[str, str]]:
        if self.settings.api_key.reveal().startswith("pk_"):
            yield "api_key", "a publishable key (pk_) opens nothing: give a secret or a restricted one (sk_, rk_)"
        if self.settings.read_sensitive and self.settings.api_key.reveal().startswith("sk_"):
            yield "read_sensitive", "needs a restricted key (rk_): Stripe shows these fields to no secret key"
        if webhooks and not self.settings.webhook_secret:
            yield "webhook_secret", "is not set: only their address proves webhooks. Give the endpoint's signing secret"

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        bearer = Secret(f"Bearer {self.settings.api_key.reveal()}")
        return request.with_headers({"Authorization": bearer, "Stripe-Version": self.settings.api_version})

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{"error": {type, code, message, param}}` (docs.stripe.com/api/errors)."""
        error = as_object((response.json_object() or {}).get("error"))
        in_use = error.get("code") == "idempotency_key_in_use"
        kind = RateLimited if in_use else DuplicateFlow if error.get("type") == "idempotency_error" else None
        return Refusal(
            kind=kind,
            code=error.get("code") or error.get("type"),
            message=error.get("message"),
            fields=error.get("param"),
            # whoever uses the key is about to be answered
            retry_after=timedelta(seconds=1) if in_use else None,
        )

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        """Once for each order: the session that is under way, if the list has one. Else its idempotency key makes a repeat
        give the same session, for a day.

        What is replayed is the first answer, so the session is looked at; one that was cancelled gets a successor.
        """
        waiting = yield from self._listed(order, None, is_opening=True)
        again = (yield from self._now(order, waiting)) if waiting else None
        if again is not None and not again.status.is_final:
            return again
        for number in range(_KEYS):
            request = self._create(order, number, accept={400})
            reply = yield request
            flow = yield from self._alive(order, request, reply)
            if flow is not None:
                return flow
        raise DuplicateFlow(
            f"this order was opened and cancelled {_KEYS} times within a day; open it with another application_id",
            nothing_done=True,
        )

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The session of this order among those of the applicant. Where there is none it is opened with the key that the lost
        call had, so that Stripe itself keeps the two apart; where a 500 is kept under that key, with the next one.

        A session is this order's if tenant, application, applicant, product, flow, mail address, phone number and options
        agree, and if both or neither are a shadow's.
        """
        listed = yield from self._listed(order, since)
        found = (yield from self._now(order, listed)) if listed else None
        if found is not None:
            return found
        burnt = 0
        for number in range(_KEYS):
            request = self._create(order, number, accept={400, 500} if burnt < _BURNT else {400})
            reply = yield request
            if reply.status == 500 and not _is_replay(reply):
                burnt += 1
                reply = yield request
            if reply.status == 500:
                # it is the answer that is kept for this key, and the list showed no session
                continue
            flow = yield from self._alive(order, request, reply)
            if flow is not None:
                return flow
        raise DuplicateFlow(
            "no session of this order is alive, and Stripe takes no further one today; open the order with another "
            "application_id"
        )

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        """Each look at a session that waits for the applicant gives a fresh link."""
        reply = yield Request.get(f"{_SESSIONS}/{{}}", _id_of(flow))
        self._check_of(flow, reply)
        found = self._flow(reply)
        return attrs.evolve(flow, status=found.status, link=found.link, secrets={**flow.secrets, **found.secrets})

    def cancel(self, flow: Flow) -> Exchange[Flow]:
        """Only this vendor's: `idv.vendor(lambda stripe: stripe.cancel(flow))`. Cannot be undone."""
        reply = yield Request.post(f"{_SESSIONS}/{{}}/cancel", _id_of(flow), idempotent=True)
        self._check_of(flow, reply)
        return attrs.evolve(flow, status=read_status(reply.structure(Session).status), link=None)

    def status(self, flow: Flow) -> Exchange[Flow]:
        return (yield from self.result(flow)).flow

    def result(self, flow: Flow) -> Exchange[Result]:
        expand = (_REPORT, _OUTPUTS, *(_SENSITIVE if self.settings.read_sensitive else ()))
        query = tuple(("expand[]", name) for name in expand)
        reply = yield Request.get(f"{_SESSIONS}/{{}}", _id_of(flow), query=query)
        answer = self._check_of(flow, reply)
        result = read_session(flow, answer)
        return attrs.evolve(
            result,
            doubts=(*result.doubts, *_doubts(flow, answer)),
            is_test=answer.get("livemode") is not True or _report_of(answer).get("livemode") not in (None, True),
            raw=public(answer),
        )

    def check_credentials(self) -> Exchange[None]:
        yield Request.get(_SESSIONS, query={"limit": "1"})

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        """An event signed by the endpoint's secret (docs.stripe.com/webhooks/signature)."""
        if webhook.purpose != "events" or webhook.method != "POST":
            raise WebhookRejected("no such address", status=404)
        signed = bool(self.settings.webhook_secret)
        if signed:
            self._check_signature(webhook)
        body = webhook.json_object()
        data = body.get("data")
        session = data.get("object") if isinstance(data, dict) else None
        named = session.get("id") if isinstance(session, dict) else None
        event = body.get("type")
        flow_id = named if isinstance(named, str) and named.startswith("vs_") else None
        return WebhookEvent(
            event=event[:80] if isinstance(event, str) else "unnamed",
            flow_id=flow_id,
            fetch=flow_id is not None,
            signed=signed,
        )

    def _check_signature(self, call: Webhook) -> None:
        pairs = [part.partition("=")[::2] for part in call.headers.get("stripe-signature", "").split(",")]
        stamp = next((value for name, value in pairs if name.strip() == "t"), "")
        given = [value for name, value in pairs if name.strip() == "v1"]
        wanted = [sign(secret, stamp, call.body).encode() for secret in self.settings.webhook_secret]
        if not any(hmac.compare_digest(value.encode(errors="replace"), good) for value in given for good in wanted):
            raise WebhookRejected("the signature is missing or wrong", status=401)
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
            raise WebhookRejected("the signature has no time", status=401)
        if call.received_at is not None:
            age = abs(call.received_at.timestamp() - int(stamp))
            if age > self.settings.tolerance:
                raise WebhookRejected("the signature is too old", status=401)

    def _create(self, order: FlowOrder, number: int, accept: set[int]) -> Request:
        """The same bytes for the same order, and the key that belongs to them."""
        known: list[Any] = [order.product, order.application_id, order.applicant.reference, self._template(order) or ""]
        known += [*filter(None, (_marks(order), number))]
        key = sha256(json.dumps(known).encode()).hexdigest()
        return Request.post(
            _SESSIONS,
            form=tuple(self._form(order)),
            headers={"Idempotency-Key": key},
            idempotent=True,
            accept=accept,
        )

    def _alive(self, order: FlowOrder, request: Request, reply: Response) -> Exchange[Flow | None]:
        """The flow that was opened, None if it is an earlier one that has come to its end. Raises what a 400 means."""
        if not reply.is_success:
            refusal = self.read_error(request, reply)
            if refusal.kind is not DuplicateFlow:
                raise NotAccepted(request, reply)
            raise DuplicateFlow(
                "this order was opened within the last day with other details of the applicant, or by an account with "
                "other settings. Use that flow, or open the order with another application_id",
                status=reply.status,
                code=refusal.code,
                nothing_done=True,
            )
        self._check_answers(order, reply)
        flow = self._flow(reply, order.applicant.reference)
        if _is_replay(reply):
            now = yield from self._now(order, flow.id)
            return None if now is None or now.status.is_final else now
        if flow.status.is_final:
            raise UnexpectedResponse("a session that has just been made is over already", status=reply.status)
        return flow

    def _now(self, order: FlowOrder, id: str) -> Exchange[Flow | None]:
        """The order's session as it is now; None if Stripe no longer knows it or nobody can go on with it."""
        request = Request.get(f"{_SESSIONS}/{{}}", id, accept={404})
        reply = yield request
        if reply.status == 404:
            if self.read_error(request, reply).code != "resource_missing":
                raise UnexpectedResponse("the answer to a look at a session is not Stripe's", status=reply.status)
            return None
        known = Flow(id=id, status=FlowStatus.OPEN, application_id=order.application_id)
        if _is_dead(self._check_of(attrs.evolve(known, subject=subject_of(order.applicant.reference)), reply)):
            return None
        self._check_answers(order, reply)
        return self._flow(reply, order.applicant.reference)

    def _listed(self, order: FlowOrder, since: datetime | None, *, is_opening: bool = False) -> Exchange[str | None]:
        """The id of the order's session in the list of the applicant's; for an opening only one that is not over."""
        query = {"client_reference_id": order.applicant.reference, "limit": "100"}
        wanted = self._of_order(order)
        seen: set[str] = set()
        another = False
        for _ in range(_PAGES):
            reply = yield Request.get(_SESSIONS, query=query, accept={404, 410})
            if not reply.is_success:
                raise UnexpectedResponse("the answer to a list of sessions is no list", status=reply.status)
            if is_opening and "data" not in (reply.json_object() or {}):
                # the key still keeps two apart
                return None
            listed = reply.structure(ListedSessions)
            for session in listed.data:
                told = _told(session)
                if any(told[name] != wanted[name] for name in _NAMING) or _is_older(session, since):
                    continue
                if _is_dead(session) or (is_opening and read_status(session.get("status")).is_final):
                    continue
                if _ID.fullmatch(str(session.get("id"))) and not _differing(wanted, told):
                    return str(session["id"])
                another = True
            ids = [id for session in listed.data if (id := as_text(session.get("id")))]
            if listed.has_more is False or seen.issuperset(ids):
                break
            seen.update(ids)
            query["starting_after"] = ids[-1]
        else:
            raise UnexpectedResponse("the list of sessions does not end", status=reply.status)
        if another:
            raise DuplicateFlow(
                "Stripe has a session of this application whose details of the applicant, or options, are others. Cancel it "
                "there, or open the order with another application_id"
            )
        return None

    def _template(self, order: FlowOrder) -> str | None:
        return order.template or self.settings.verification_flow

    def _of_order(self, order: FlowOrder) -> dict[str, Any]:
        """What a session of this order says of itself."""
        person, template = order.applicant, self._template(order)
        return {
            "application_id": order.application_id,
            "product": order.product,
            **{name: _marks(order).get(name, "") for name in _MARKS},
            "client_reference_id": person.reference,
            "verification_flow": template,
            "email": person.email,
            "phone": person.phone_number,
            **({} if template else {name: getattr(self.settings, name) for name in _OPTIONS}),
        }

    def _form(self, order: FlowOrder) -> Iterator[tuple[str, str]]:
        settings, person = self.settings, order.applicant
        template = self._template(order)
        if template:
            yield "verification_flow", template
        else:
            yield "type", "document"
            for name in _OPTIONS:
                yield f"options[document][{name}]", "true" if getattr(settings, name) else "false"
            for index, type_ in enumerate(settings.allowed_types):
                yield f"options[document][allowed_types][{index}]", type_.value
        yield "client_reference_id", person.reference
        yield "metadata[application_id]", order.application_id
        yield "metadata[product]", order.product
        for name, value in _marks(order).items():
            yield f"metadata[{name}]", value
        if person.email:
            yield "provided_details[email]", person.email
        if person.phone_number:
            yield "provided_details[phone]", person.phone_number
        return_url = order.urls.return_url() if order.urls else order.return_url
        if return_url:
            yield "return_url", return_url

    def _flow(self, reply: Response, reference: str | None = None) -> Flow:
        session = reply.structure(Session)
        self._check_mode(session, reply)
        if not _ID.fullmatch(session.id):
            raise UnexpectedResponse("the answer has an id that is none", status=reply.status)
        status = read_status(session.status)
        waits = session.url if status is FlowStatus.AWAITING_APPLICANT else None
        url = waits and trusted_link(waits, self.base_url, self.settings.link_hosts)
        return Flow(
            id=session.id,
            status=status,
            link=Link(url, reply.received_at + _LINK_LIFE) if url else None,
            secrets={"client_secret": Secret(session.client_secret)} if session.client_secret else {},
            subject=subject_of(reference) if reference else None,
        )

    def _check_answers(self, order: FlowOrder, reply: Response) -> None:
        """A session that says that it is of another order is somebody else's."""
        answer = reply.json_object() or {}
        differing = _differing(self._of_order(order), _told(answer))
        if differing:
            raise UnexpectedResponse(
                f"the session is of another order: its {differing[0]} is not ours", status=reply.status
            )

    def _check_of(self, flow: Flow, reply: Response) -> Mapping[str, Any]:
        """The answer, which must be the flow's session, of its application and its applicant."""
        session = reply.structure(Session)
        self._check_mode(session, reply)
        answer = reply.json_object() or {}
        told = _told(answer)
        person = told["client_reference_id"]
        others = (
            session.id != flow.id,
            flow.application_id and told["application_id"] not in (None, flow.application_id),
            flow.subject
            and person is not None
            and not (isinstance(person, str) and subject_of(person) == flow.subject),
        )
        if any(others):
            raise UnexpectedResponse("the answer is another session", status=reply.status)
        report = _report_of(answer)
        if report.get("verification_session") not in (None, flow.id):
            raise UnexpectedResponse("the report is of another session", status=reply.status)
        theirs = report.get("client_reference_id")
        known = (subject_of(theirs) if isinstance(theirs, str) else None) == flow.subject if flow.subject else True
        if theirs is not None and not (known and theirs == (person or theirs)):
            raise UnexpectedResponse("the report is about another applicant", status=reply.status)
        return answer

    def _check_mode(self, session: Session, reply: Response) -> None:
        """In test mode nothing is really checked, so a live account never takes such a session."""
        if self.settings.is_live and not session.livemode:
            raise UnexpectedResponse("the session is of the test mode and the key is live", status=reply.status)


def _id_of(flow: Flow) -> str:
    if not _ID.fullmatch(flow.id):
        raise InvalidOrder(
            "the flow's id is none of Stripe's: at most 255 ASCII characters without blanks", fields=("flow",)
        )
    return flow.id


def _is_replay(reply: Response) -> bool:
    """Whether it is the first answer to this key once more (docs.stripe.com/api/idempotent_requests)."""
    return reply.headers.get("idempotent-replayed", "").strip().lower() == "true"


def _told(session: Mapping[str, Any]) -> dict[str, Any]:
    """What a session says of the order that it was made for; None for what it does not say."""
    metadata, details = as_object(session.get("metadata")), as_object(session.get("provided_details"))
    options = as_object(as_object(session.get("options")).get("document"))
    # a session of ours without a mark says that it has none
    is_marked = "application_id" in metadata
    return {
        "application_id": metadata.get("application_id"),
        "product": metadata.get("product"),
        **{name: metadata.get(name, "" if is_marked else None) for name in _MARKS},
        "client_reference_id": session.get("client_reference_id"),
        "verification_flow": session.get("verification_flow"),
        "email": details.get("email"),
        "phone": details.get("phone"),
        **{name: options.get(name) for name in _OPTIONS},
    }


def _report_of(session: Mapping[str, Any]) -> Mapping[str, Any]:
    """The report of the last attempt, where it was asked for in full."""
    return as_object(session.get("last_verification_report"))


def _differing(wanted: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """The names of what is told and is not what was asked for."""
    return [name for name, value in wanted.items() if told[name] is not None and not same(name, value, told[name])]


def _marks(order: FlowOrder) -> dict[str, str]:
    """What an order is named by beyond product, application and applicant. Most orders have none of it."""
    return {
        **({"tenant": order.tenant} if order.tenant is not None else {}),
        **({"is_shadow": "true"} if order.is_shadow else {}),
    }


def _doubts(flow: Flow, session: Mapping[str, Any]) -> Iterator[Reason]:
    if _told(session)["is_shadow"] and not flow.is_shadow:
        yield Reason("flow.shadow", "the session was opened as a shadow, which decides nothing")


def _is_dead(session: Mapping[str, Any]) -> bool:
    """Nobody can go on with it: cancelled, or its data are deleted (docs.stripe.com/api, `redaction`)."""
    return session.get("status") == "canceled" or session.get("redaction") is not None


def _is_older(session: Mapping[str, Any], since: datetime | None) -> bool:
    created = session.get("created")
    return since is not None and not (
        isinstance(created, (int, float)) and created >= (since - _CLOCKS_DIFFER).timestamp()
    )


def sign(secret: Secret, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over time, a dot and the body, lower-case hex."""
    return hmac.digest(secret.reveal().encode(), stamp.encode(errors="replace") + b"." + body, "sha256").hex()


def signature_header(secret: Secret, stamp: str, body: bytes) -> dict[str, Any]:
    """The header as Stripe sends it."""
    return {"Stripe-Signature": f"t={stamp},v1={sign(secret, stamp, body)}"}
