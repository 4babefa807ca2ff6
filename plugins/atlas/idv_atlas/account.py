"""What all families of Atlas share: the token in the `Token` header, the errors, uploads by URL, the address match."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from idv_core.errors import (
    CallbackRejected,
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    PermissionDenied,
    Refusal,
    UnexpectedResponse,
    VendorUnavailable,
)
from idv_core.model import Document, FlowOrder, Score, Secret, Upload
from idv_core.protocols import CallbackReading, Evidence, Grant, InboundCall, Polling
from idv_core.wire import Exchange, Request, Response, structure

from .payloads import AddressesMatched, BatchTaken, FileTaken, TokenGranted
from .settings import AtlasSettings

_BRACKETS = re.compile(r"\[([^\]]*)\]")
_ADDRESS_PATH = "/v1/address/match/batch"


@attrs.frozen(kw_only=True)
class AddressMatch:
    """How well one target fits the source address: likeness of the texts, and of being the same person's."""

    index: int
    similarity: Score | None
    same_person: Score | None
    error: str | None = None


@attrs.frozen
class AtlasAccount:
    """Base of the four families' adapters."""

    settings: AtlasSettings
    # documents are read, not judged: what comes of them are errors
    evidence = Evidence(checks=(), documents=True, verdict=False)
    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(seconds=10))
    callback_purposes = ("auth", "results", "chat")

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers({"Token": token}) if token is not None else request

    def obtain_token(self, previous: Grant | None) -> Exchange[Grant]:
        """`authtoken` with the credentials; first a refresh where the account wants it (section 2)."""
        if self.settings.refresh and previous is not None and previous.refresh_token is not None:
            path = self.settings.auth_path.rsplit("/", 1)[0] + "/refresh-token"
            headers = {"Token": previous.refresh_token}
            reply = yield Request.post(path, headers=headers, signed=False, repeatable=True, accept={400, 401})
            if reply.is_success:
                return _grant(reply.structure(TokenGranted), previous.refresh_token)
        headers = {"Client-Id": self.settings.client_id, "Client-Secret": self.settings.client_secret}
        reply = yield Request.post(self.settings.auth_path, headers=headers, signed=False, repeatable=True)
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
        reply = yield Request.post(_ADDRESS_PATH, json=body, headers=headers, signed=False, repeatable=True)
        found: dict[int, AddressMatch] = {}
        for item in reply.structure(AddressesMatched).match_data:
            index = item.index
            if index is None and item.target_address in targets:
                index = targets.index(item.target_address)
            if index is None or not 0 <= index < len(targets) or index in found:
                continue
            usable = not item.error_code
            found[index] = AddressMatch(
                index=index,
                similarity=Score.read(item.similarity_score, 0, 100) if usable else None,
                same_person=Score.read(item.same_person_score, 0, 10) if usable else None,
                error=item.error_code or None,
            )
        lost = AddressMatch(index=-1, similarity=None, same_person=None, error="no answer for this address")
        return tuple(found.get(index, attrs.evolve(lost, index=index)) for index in range(len(targets)))

    def problems(self, *, callbacks: bool) -> Iterator[tuple[str, str]]:
        if not self.settings.product_type:
            yield "product_type", "is not set: nothing can be opened but orders that name one as their template"

    def product_type(self, order: FlowOrder) -> str:
        product = order.template or self.settings.product_type
        if not product:
            raise InvalidOrder(
                "Atlas needs its product_type: set it in the account, or as the order's template", fields=("template",)
            )
        return product

    def read_callback(self, call: InboundCall) -> CallbackReading:
        """The auth call that comes first, results, chat notes (section 4). All are hints."""
        if call.purpose == "auth":
            return CallbackReading(event="auth", wants_token=True, fetch=False)
        if call.purpose not in ("results", "chat"):
            raise CallbackRejected("no such address", status=404)
        body = call.json_object()
        if call.purpose == "chat":
            return CallbackReading(event="chat", fetch=False, presented=_presented(call))
        return CallbackReading(
            event="results",
            flow_id=self.flow_of(body),
            document_ids=self.documents_of(body),
            presented=_presented(call),
        )

    def flow_of(self, body: Mapping[str, Any]) -> str | None:
        """Our flow id as far as a callback's body names it."""
        named = body.get("flow_uuid") or body.get("flow_id")
        return named if isinstance(named, str) else None

    def documents_of(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        """Our ids of documents, where a callback's body names nothing else."""
        return ()


def file_urls(documents: Iterable[Document], **more: Any) -> list[dict[str, Any]]:
    """Atlas fetches documents itself; bytes cannot be sent (section 9). Raises InvalidOrder for a document without URL."""
    without = [document.id for document in documents if document.url is None]
    if without:
        raise InvalidOrder("Atlas takes documents by URL only: give Document(id, url=...)", fields=tuple(without))
    return [
        {"file_url": document.url.reveal(), "document_id": document.id, **more}
        for document in documents
        if document.url
    ]


def read_uploads(reply: Response, documents: Iterable[Document]) -> tuple[Upload, ...]:
    """Both shapes of the answer: one object for each file, or a batch id alone (section 1.5 row 12)."""
    data = reply.json()
    if isinstance(data, list):
        taken = {file.document_id: file for file in structure(data, list[FileTaken], status=reply.status)}
    else:
        batch = reply.structure(BatchTaken).batch_id
        taken = {document.id: FileTaken(document_id=document.id, batch_id=batch) for document in documents}
    return tuple(_upload(document.id, taken.get(document.id)) for document in documents)


def _upload(id: str, file: FileTaken | None) -> Upload:
    ids = {"file_uuid": file.file_uuid, "batch_id": file.batch_id} if file else {}
    return Upload(
        document_id=id, accepted=file is not None, vendor_ids={name: value for name, value in ids.items() if value}
    )


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


def _presented(call: InboundCall) -> Secret | None:
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
