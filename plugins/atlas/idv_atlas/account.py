"""What all families of Atlas share: the token in the `Token` header, the errors, the address match."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from idv_core.plugin import (
    Coverage,
    DuplicateFlow,
    Exchange,
    Flow,
    FlowNotFound,
    FlowOrder,
    Grant,
    InvalidOrder,
    Media,
    PermissionDenied,
    Polling,
    Reason,
    Refusal,
    Request,
    Response,
    Result,
    ResultCapabilities,
    Score,
    Secret,
    UnexpectedResponse,
    VendorUnavailable,
    Webhook,
    WebhookEvent,
    WebhookRejected,
    structure,
    text_fault,
)

from .payloads import AddressesMatched, AddressTarget, FlowCreated, TokenGranted
from .pictures import download_picture, list_pictures
from .settings import AtlasSettings
from .vocabulary import TYPES

_BRACKETS = re.compile(r"\[([^\]]*)\]")
_ADDRESS_PATH = "/v1/address/match/batch"
# two ids and what is between them
_LONGEST_ID = 420


@attrs.frozen(kw_only=True)
class AddressMatch:
    """How well one target fits the source address: likeness of the texts, and of being the same person's."""

    index: int
    similarity: Score | None
    same_person: Score | None
    error: str | None = None


@attrs.frozen
class AtlasAccount(ABC):
    """Base of the four families' adapters."""

    settings: AtlasSettings
    # documents are read, not judged: what comes of them are errors
    result_capabilities = ResultCapabilities(checks=(), documents=True, verdict=False)
    # never more often than every 5 s (section 1.5 row 32), and a pause may be a tenth shorter
    polling = Polling(first=timedelta(seconds=6), ceiling=timedelta(seconds=10))
    webhook_purposes = ("auth", "results", "chat")

    # names as policies write them
    covered_checks = frozenset[str]()

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        return self.settings.media_hosts

    @abstractmethod
    def result(self, flow: Flow) -> Exchange[Result]:
        """Each family has its own way."""

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        return list_pictures((yield from self.result(flow)))

    def download(self, flow: Flow, media: Media) -> Exchange[None]:
        result = yield from self.result(flow)
        yield from download_picture(result, media)

    def coverage(self) -> Exchange[Coverage]:
        """What Atlas reads at all, by its pages; which of it an account does is in its `product_type`."""
        yield from ()
        return Coverage(document_types=TYPES.values(), checks=self.covered_checks)

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers({"Token": token}) if token is not None else request

    def obtain_token(self, previous: Grant | None) -> Exchange[Grant]:
        """`authtoken` with the credentials; first a refresh where the account wants it (section 2)."""
        if self.settings.refresh and previous is not None and previous.refresh_token is not None:
            path = self.settings.auth_path.rsplit("/", 1)[0] + "/refresh-token"
            headers = {"Token": previous.refresh_token}
            reply = yield Request.post(path, headers=headers, signed=False, idempotent=True, accept={400, 401})
            if reply.is_success:
                return _grant(reply.structure(TokenGranted), previous.refresh_token)
        headers = {"Client-Id": self.settings.client_id, "Client-Secret": self.settings.client_secret}
        reply = yield Request.post(self.settings.auth_path, headers=headers, signed=False, idempotent=True)
        return _grant(reply.structure(TokenGranted), None)

    def read_error(self, request: Request, response: Response) -> Refusal:
        """Three styles of body, decided by HTTP status and endpoint (section 1.5 rows 4 to 6, section 6.1)."""
        body = response.json_object() or {}
        words = [body.get(name) for name in ("error_message", "error", "reason")]
        text = "; ".join(word for word in words if isinstance(word, str) and word) or None
        refusal = Refusal(code=body.get("error_code"), message=text)
        match response.status:
            case 400:
                return attrs.evolve(refusal, fields=_names(text or ""))
            case 409:
                return attrs.evolve(
                    refusal, kind=DuplicateFlow if request.path.endswith("/flow/init") else FlowNotFound
                )
            case 410 if not _names_applicant(request):
                served = f"this API version is no longer served: {request.path.split('/')[1]}; set api_version"
                return attrs.evolve(refusal, kind=PermissionDenied, message=served)
            case 422 if request.path != _ADDRESS_PATH:
                return attrs.evolve(refusal, kind=VendorUnavailable)
        return refusal

    def match_addresses(
        self, application_id: str, source: str, targets: Sequence[str]
    ) -> Exchange[tuple[AddressMatch, ...]]:
        """Compare one address with several (section 3.15); the answers come back in the order of `targets`.

        Raises InvalidOrder when the source address cannot be understood, or there are no targets.
        """
        if not targets:
            raise InvalidOrder("there are no addresses to compare with", fields=("targets",))
        headers = {
            "client_id": self.settings.address_client_id or self.settings.client_id,
            "client_secret": self.settings.address_client_secret or self.settings.client_secret,
        }
        listed = [{"address": address, "index": index} for index, address in enumerate(targets)]
        body = {"application_id": application_id, "source_address": source, "target_addresses": listed}
        reply = yield Request.post(_ADDRESS_PATH, json=body, headers=headers, signed=False, idempotent=True)
        found: dict[int, AddressMatch] = {}
        for item in reply.structure(AddressesMatched).match_data:
            index = _index_of(item, targets)
            if index is None or index in found:
                continue
            error = _error_of(item)
            found[index] = AddressMatch(
                index=index,
                similarity=None if error else Score.read(item.similarity_score, 0, 100),
                same_person=None if error else Score.read(item.same_person_score, 0, 10),
                error=error,
            )
        lost = AddressMatch(index=-1, similarity=None, same_person=None, error="no answer for this address")
        return tuple(found.get(index, attrs.evolve(lost, index=index)) for index in range(len(targets)))

    def problems(self, *, webhooks: bool) -> Iterator[tuple[str, str]]:
        if not self.settings.product_type:
            yield "product_type", "is not set: nothing can be opened but orders that name one as their template"

    def product_type(self, order: FlowOrder) -> str:
        product = order.template or self.settings.product_type
        if not product:
            raise InvalidOrder(
                "Atlas needs its product_type: set it in the account, or as the order's template", fields=("template",)
            )
        return product

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        """The auth webhook that comes first, results, chat notes (section 4). All are hints."""
        if webhook.purpose == "auth":
            return WebhookEvent(event="auth", wants_token=True, fetch=False)
        if webhook.purpose not in ("results", "chat"):
            raise WebhookRejected("no such address", status=404)
        body = webhook.json_object()
        if webhook.purpose == "chat":
            return WebhookEvent(event="chat", fetch=False, presented=_presented(webhook))
        return WebhookEvent(
            event="results",
            flow_id=self.flow_of(body),
            document_ids=self.documents_of(body),
            presented=_presented(webhook),
        )

    def flow_of(self, body: Mapping[str, Any]) -> str | None:
        """Our flow id as far as a callback's body names it."""
        named = body.get("flow_uuid") or body.get("flow_id")
        return named if isinstance(named, str) else None

    def documents_of(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        """Our ids of documents, where a callback's body names nothing else."""
        return ()


def _index_of(item: AddressTarget, targets: Sequence[str]) -> int | None:
    """Which target it is: by its index, by its address where the index is none of ours (section 1.5 row 25)."""
    index = item.index
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(targets):
        return index
    return targets.index(item.target_address) if item.target_address in targets else None


def _error_of(item: AddressTarget) -> str | None:
    """The code of a target that was not compared, `error` where it only has a text, or a code that is none."""
    code, text = item.error_code, item.error_message
    if code in (None, ""):
        return "error" if text not in (None, "") else None
    return str(code) if isinstance(code, (str, int)) and not isinstance(code, bool) else "error"


def same_case(answer: Any, id: str, *names: str, status: int | None = None) -> bool:
    """Whether an answer names the case that it must be of. Raises UnexpectedResponse where any of `names` says another."""
    said = [answer.get(name) for name in names] if isinstance(answer, dict) else []
    said = [value for value in said if value not in (None, "")]
    if any(value != id for value in said):
        raise UnexpectedResponse("the answer is of another flow", status=status)
    return bool(said)


def unnamed(is_named: bool) -> tuple[Reason, ...]:
    """A doubt about an answer that could name its flow and does not."""
    return () if is_named else (Reason("flow.unnamed", "the vendor's answer does not say which flow it is of"),)


def opened_id(reply: Response, **asked: str) -> str:
    """The id of a flow that was opened (three names, section 1.5 row 1). What else the answer says must be what was `asked`."""
    answer = reply.json()
    created = structure(answer, FlowCreated, status=reply.status)
    id = created.id
    if len({other for other in (created.flow_uuid, created.flow_id, created.session_id) if other}) > 1:
        raise UnexpectedResponse("the answer names two flows: flow_uuid and flow_id differ", status=reply.status)
    if id is None or text_fault(id) or not id.isprintable():
        raise UnexpectedResponse("the answer has no flow_uuid or flow_id", status=reply.status)
    for name, wanted in asked.items():
        said = answer.get(name)
        if said not in (None, "") and _plain(said) != _plain(wanted):
            raise UnexpectedResponse(f"the answer is of another {name} than was asked for", status=reply.status)
    return id


def check_id(id: str) -> str:
    """Raises InvalidOrder for what cannot be an id of Atlas, before it becomes part of an address."""
    fault = text_fault(id, _LONGEST_ID)
    if fault:
        raise InvalidOrder(f"this is no flow of Atlas: {fault}", fields=("flow",))
    return id


def options_of(order: FlowOrder) -> dict[str, Any]:
    """`vendor_options["atlas"]`, always with `flow_params`. Raises InvalidOrder unless those are an object."""
    options = order.vendor_options.get("atlas", {})
    params = options.get("flow_params") or {}
    if not isinstance(params, Mapping):
        raise InvalidOrder("flow_params must be an object", fields=("vendor_options.atlas.flow_params",))
    return {**options, "flow_params": dict(params)}


def _plain(value: object) -> str:
    return " ".join(str(value).split()).casefold()


def _grant(granted: TokenGranted, refresh: Secret | None) -> Grant:
    if not granted.access_token or granted.expires_in <= 0:
        raise UnexpectedResponse("the token answer has an empty token or no lifetime")
    lifetime = timedelta(seconds=min(granted.expires_in, 10**9))
    return Grant(
        access_token=Secret(granted.access_token),
        expires_in=lifetime,
        renew_before=min(timedelta(seconds=60), lifetime / 10),
        refresh_token=Secret(granted.refresh_token) if granted.refresh_token else refresh,
    )


def _presented(call: Webhook) -> Secret | None:
    """The token in `Token`, or in `Authorization` alone or as Bearer (RFC 6750; RFC 9110 11.1: the scheme has no case).

    Another scheme there is of a proxy before us, and says nothing of the vendor.
    """
    shown = call.headers.get("token", "").strip()
    for part in call.headers.get("authorization", "").split(","):
        scheme, _, token = part.strip().partition(" ")
        shown = shown or (token.strip() if scheme.lower() == "bearer" else "" if token else scheme)
    return Secret(shown) if shown else None


def _names(text: str) -> tuple[str, ...]:
    found = _BRACKETS.search(text)
    names = [name.strip(" '\"") for name in found.group(1).split(",")] if found else []
    return tuple(name for name in names if name)


def _names_applicant(request: Request) -> bool:
    return request.path.endswith(("/status", "/docs", "/coapplicant")) and "/v3/" not in request.path
