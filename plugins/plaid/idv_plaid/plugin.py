"""The adapter. A verification, one attempt of one person, is our flow (plaid.com/docs/api/products/identity-verification)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from idv_core.plugin import (
    AuthenticationFailed,
    Coverage,
    DuplicateFlow,
    Exchange,
    Flow,
    FlowNotFound,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Link,
    Media,
    PermissionDenied,
    Polling,
    RateLimited,
    Reason,
    Refusal,
    Request,
    Response,
    Result,
    ResultCapabilities,
    SdkSession,
    Secret,
    UnexpectedResponse,
    Webhook,
    WebhookEvent,
    WebhookKey,
    WebhookRejected,
    subject_of,
    trusted_link,
)

from .checks import labels
from .data import as_object, as_text
from .mapping import DOCUMENT_TYPES, KINDS, read_flow, read_status, read_verification
from .media import media_of
from .person import differing, user_of
from .settings import PlaidSettings
from .signature import HEADER, check_signature, key_id
from .user_ids import read_user_id, user_id

_BASE = "/identity_verification"
_ID = re.compile(r"[!-~]{1,255}")
_PAGES = 100
# Plaid answers most errors with 400 and says in the code what is meant (plaid.com/docs/errors).
_CODES = {
    "INVALID_API_KEYS": AuthenticationFailed,
    "UNAUTHORIZED_ENVIRONMENT": PermissionDenied,
    "UNAUTHORIZED_ROUTE_ACCESS": PermissionDenied,
    "INVALID_PRODUCT": PermissionDenied,
    "PRODUCT_NOT_ENABLED": PermissionDenied,
    "NOT_FOUND": FlowNotFound,
    "INVALID_WEBHOOK_VERIFICATION_KEY_ID": FlowNotFound,
}
_KEY_LIVES = timedelta(hours=1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_EVENTS = "IDENTITY_VERIFICATION"


@attrs.frozen(kw_only=True)
class Verification:
    """What is needed of a verification to go on with it."""

    id: str
    status: str
    shareable_url: str | None = None


@attrs.frozen(kw_only=True)
class Listed:
    identity_verifications: tuple[dict[str, Any], ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class KeyFound:
    key: dict[str, Any]


@attrs.frozen(kw_only=True)
class LinkToken:
    link_token: str
    expiration: str | None = None


@attrs.frozen
class PlaidIdentityVerification:
    """Verifications: opened once for each order, found again, tried again; results, pictures, signed webhooks."""

    settings: PlaidSettings
    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    result_capabilities = ResultCapabilities(checks=KINDS, documents=True, verdict=True)
    webhook_purposes = ("events",)

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        return self.settings.media_hosts

    @property
    def key_mode(self) -> str | None:
        return self.settings.key_mode

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        client_id, secret = Secret(self.settings.client_id), self.settings.secret
        credentials = {"PLAID-CLIENT-ID": client_id, "PLAID-SECRET": secret}
        return request.with_headers({**credentials, "Plaid-Version": self.settings.api_version})

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{error_type, error_code, error_message, display_message, request_id}` (plaid.com/docs/errors)."""
        error = response.json_object() or {}
        code = error.get("error_code")
        kind = _CODES.get(code) if isinstance(code, str) and 400 <= response.status < 500 else None
        if error.get("error_type") == "RATE_LIMIT_EXCEEDED":
            kind = RateLimited
        return Refusal(kind=kind, code=code or error.get("error_type"), message=error.get("error_message"))

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        """The newest attempt of this order, if Plaid has one that is under way; else a new verification.

        Plaid keeps one verification for each `client_user_id` and template and gives that one again (`is_idempotent`), so that
        two who open the same order at the same moment get the same. Raises DuplicateFlow where the newest attempt is over, or
        is of other details of the applicant.
        """
        attempts, reply = yield from self._attempts(order)
        if attempts:
            flow = self._under_way(order, attempts[-1], reply, len(attempts))
            return attrs.evolve(flow, sdk=(yield from self._sdk(order)))
        sdk = yield from self._sdk(order)
        reply = yield self._create(order)
        flow = self._under_way(order, self._of_order(order, reply.json_object() or {}, reply), reply)
        return attrs.evolve(flow, sdk=sdk)

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The same again: Plaid itself keeps two apart, whenever the one verification of the order was made."""
        return (yield from self.open_flow(order))

    def retry(self, flow: Flow, order: FlowOrder) -> Exchange[Flow]:
        """A new attempt after `flow`, from the beginning, so that all of its evidence is its own; the one after `flow` if there
        is one already. Raises DuplicateFlow while `flow` is under way.
        """
        attempts, reply = yield from self._attempts(order)
        flows = [self._flow(order, one, reply, number) for number, one in enumerate(attempts, 1)]
        if flow.id not in [one.id for one in flows]:
            raise InvalidOrder(
                "the flow is none of this order's: pass the order that it was opened with", fields=("order",)
            )
        sdk = yield from self._sdk(order)
        if flows[-1].id != flow.id:
            return attrs.evolve(flows[-1], sdk=sdk)
        if not flows[-1].status.is_settled:
            raise DuplicateFlow("this attempt is still under way: send the applicant to its link again")
        user = user_of(order.applicant)
        body = {**self._named(order), "strategy": "reset", "is_shareable": True} | ({"user": user} if user else {})
        reply = yield Request.post(f"{_BASE}/retry", json=body)
        answer = self._of_order(order, reply.json_object() or {}, reply)
        again = self._flow(order, answer, reply, len(flows) + 1)
        if again.id == flow.id or again.previous_id not in (None, flow.id):
            raise UnexpectedResponse("the answer is no attempt after this one", status=reply.status)
        return attrs.evolve(again, previous_id=flow.id, sdk=sdk)

    def result(self, flow: Flow) -> Exchange[Result]:
        reply = yield self._get(flow)
        answer = self._check_of(flow, reply)
        result = read_verification(attrs.evolve(flow, link=self._link(answer)), answer)
        return attrs.evolve(
            result,
            doubts=(*result.doubts, *_doubts(flow, answer)),
            is_test=self.settings.key_mode == "test",
        )

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        reply = yield self._get(flow)
        return tuple(media for media, _ in media_of(self._check_of(flow, reply)))

    def download(self, flow: Flow, media: Media) -> Exchange[None]:
        reply = yield self._get(flow)
        links = {found.id: url for found, url in media_of(self._check_of(flow, reply))}
        if media.id not in links:
            raise FlowNotFound("Plaid has no such picture of this verification any more", status=reply.status)
        yield Request.fetch(Secret(links[media.id]), streamed=True)

    def coverage(self) -> Exchange[Coverage]:
        """Which countries and which documents of them is a setting of the template, which no call tells."""
        yield from ()
        templates = (self.settings.template_id,)
        return Coverage(document_types=set(DOCUMENT_TYPES.values()), checks=labels(), templates=templates)

    def webhook_key_id(self, webhook: Webhook) -> str | None:
        return key_id(webhook.headers.get(HEADER, ""))

    def webhook_key(self, key_id: str) -> Exchange[WebhookKey]:
        reply = yield Request.post("/webhook_verification_key/get", json={"key_id": key_id}, reads=True)
        key = reply.structure(KeyFound).key
        if key.get("kid") != key_id:
            raise UnexpectedResponse("the answer is another key", status=reply.status)
        return WebhookKey(id=key_id, data=key, expires_at=reply.received_at + _KEY_LIVES)

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        """Signed by Plaid. What is of another product of Plaid's leads nowhere."""
        if webhook.purpose != "events" or webhook.method != "POST":
            raise WebhookRejected("no such address", status=404)
        key = webhook.key.data if webhook.key is not None else {}
        tolerance = timedelta(seconds=self.settings.tolerance)
        check_signature(webhook.headers.get(HEADER, ""), webhook.body, key, webhook.received_at, tolerance)
        body = webhook.json_object()
        code, named = as_text(body.get("webhook_code")), as_text(body.get("identity_verification_id"))
        flow_id = named if named and body.get("webhook_type") == _EVENTS and _ID.fullmatch(named) else None
        return WebhookEvent(event=(code or "unnamed")[:80], flow_id=flow_id, fetch=flow_id is not None, signed=True)

    def check_credentials(self) -> Exchange[None]:
        """The list of the account's own template, of a person whom nobody is."""
        yield _read("list", {"template_id": self.settings.template_id, "client_user_id": "credentials-check"})

    def _get(self, flow: Flow) -> Request:
        if not _ID.fullmatch(flow.id):
            text = "the flow's id is none of Plaid's: at most 255 ASCII characters without blanks"
            raise InvalidOrder(text, fields=("flow",))
        return _read("get", {"identity_verification_id": flow.id})

    def _create(self, order: FlowOrder) -> Request:
        body: dict[str, Any] = {
            **self._named(order),
            "is_shareable": True,
            "gave_consent": self.settings.gave_consent,
            "is_idempotent": True,
        }
        user = user_of(order.applicant)
        return Request.post(f"{_BASE}/create", json=body | ({"user": user} if user else {}), idempotent=True)

    def _named(self, order: FlowOrder) -> dict[str, str]:
        """What an order is named by at Plaid."""
        return {"client_user_id": user_id(order), "template_id": order.template or self.settings.template_id}

    def _attempts(self, order: FlowOrder) -> Exchange[tuple[list[Mapping[str, Any]], Response]]:
        """The attempts of this order, the newest last; and the last answer."""
        body: dict[str, Any] = self._named(order)
        found: list[Mapping[str, Any]] = []
        for _ in range(_PAGES):
            reply = yield _read("list", body)
            listed = reply.structure(Listed)
            found += [one for one in listed.identity_verifications if not self._others(order, one)]
            if not listed.next_cursor or not listed.identity_verifications:
                return _in_order(found), reply
            body = {**body, "cursor": listed.next_cursor}
        raise UnexpectedResponse("the list of verifications does not end", status=reply.status)

    def _others(self, order: FlowOrder, answer: Mapping[str, Any]) -> list[str]:
        """In what a verification is another order's."""
        told = {
            "client_user_id": answer.get("client_user_id"),
            "template_id": as_object(answer.get("template")).get("id"),
        }
        return [name for name, value in self._named(order).items() if told[name] != value]

    def _of_order(self, order: FlowOrder, answer: Mapping[str, Any], reply: Response) -> Mapping[str, Any]:
        """The answer, which must be of this order."""
        if others := self._others(order, answer):
            text = f"the verification is of another order: its {others[0]} is not ours"
            raise UnexpectedResponse(text, status=reply.status)
        return answer

    def _sdk(self, order: FlowOrder) -> Exchange[SdkSession | None]:
        """A token for Plaid Link, which goes on with the verification of the same `client_user_id` and template."""
        if self.settings.client_name is None:
            return None
        named = self._named(order)
        body = {
            "client_name": self.settings.client_name,
            # neither is looked at with Identity Verification, and both are required
            "language": "en",
            "country_codes": ["US"],
            "products": ["identity_verification"],
            "user": {"client_user_id": named["client_user_id"]},
            "identity_verification": {"template_id": named["template_id"], "gave_consent": self.settings.gave_consent},
        }
        reply = yield Request.post("/link/token/create", json=body, reads=True)
        token = reply.structure(LinkToken)
        return SdkSession(kind="plaid_link", token=Secret(token.link_token), expires_at=_moment(token.expiration))

    def _under_way(self, order: FlowOrder, answer: Mapping[str, Any], reply: Response, attempt: int = 1) -> Flow:
        flow = self._flow(order, answer, reply, attempt)
        if flow.status.is_settled:
            raise DuplicateFlow(
                f"Plaid has verified this order already ({flow.id}), and that is over. Go on with its result, ask for a new "
                "attempt with retry(flow, order), or open the order with another application_id"
            )
        if different := differing(user_of(order.applicant), as_object(answer.get("user"))):
            raise DuplicateFlow(
                f"Plaid has a verification of this order with other details of the applicant ({different[0]}). Cancel it in "
                "Plaid's dashboard, or open the order with another application_id"
            )
        return flow

    def _check_of(self, flow: Flow, reply: Response) -> Mapping[str, Any]:
        """The answer, which must be the flow's verification, of its application and its applicant."""
        verification = reply.structure(Verification)
        answer = reply.json_object() or {}
        told = answer.get("client_user_id")
        ours = read_user_id(told) if isinstance(told, str) else None
        named = ours is not None or told is not None
        others = (
            verification.id != flow.id,
            flow.subject and named and (ours is None or ours.subject != flow.subject),
            flow.application_id and named and ours is not None and ours.application_id != flow.application_id,
        )
        if any(others):
            raise UnexpectedResponse("the answer is another verification", status=reply.status)
        return answer

    def _flow(self, order: FlowOrder, answer: Mapping[str, Any], reply: Response, attempt: int = 1) -> Flow:
        id = as_text(answer.get("id"))
        if id is None or not _ID.fullmatch(id):
            raise UnexpectedResponse("the answer has an id that is none", status=reply.status)
        made = Flow(id=id, status=FlowStatus.OPEN, attempt=attempt, subject=subject_of(order.applicant.reference))
        return attrs.evolve(read_flow(made, answer), link=self._link(answer))

    def _link(self, answer: Mapping[str, Any]) -> Link | None:
        """Plaid's links do not end; nobody is sent to a verification that is over."""
        url = as_text(answer.get("shareable_url"))
        waits = read_status(answer) is FlowStatus.AWAITING_APPLICANT
        return Link(trusted_link(url, self.base_url, self.settings.link_hosts)) if url and waits else None


def _read(path: str, body: Mapping[str, Any]) -> Request:
    """All of Plaid's calls are POST, also those that only read."""
    return Request.post(f"{_BASE}/{path}", json=body, reads=True)


def _moment(text: str | None) -> datetime | None:
    """ISO 8601 with a time zone; None for anything else."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return read if read.tzinfo is not None else None


def _in_order(attempts: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Oldest first: by what each names as the attempt before it, then by their time."""
    before = {as_text(one.get("id")): as_text(one.get("previous_attempt_id")) for one in attempts}

    def place(one: Mapping[str, Any]) -> tuple[int, datetime]:
        chain: list[str] = []
        id = as_text(one.get("id"))
        while id is not None and id not in chain:
            chain.append(id)
            id = before.get(id)
        return len(chain), _moment(as_text(one.get("created_at"))) or _LONG_AGO

    return sorted(attempts, key=place)


def _doubts(flow: Flow, answer: Mapping[str, Any]) -> Iterator[Reason]:
    told = as_text(answer.get("client_user_id"))
    ours = read_user_id(told) if told else None
    if told is None:
        yield Reason("flow.unnamed", "the answer does not say whose verification it is")
    if ours is not None and ours.is_shadow and not flow.is_shadow:
        yield Reason("flow.shadow", "the verification was opened as a shadow, which decides nothing")
