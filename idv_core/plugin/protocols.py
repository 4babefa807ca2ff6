"""The contract: what a plugin implements. A capability is a protocol that is there, never a flag that could lie.

A plugin's adapter always implements `AdapterProtocol`, `FlowProtocol` and `ResultProtocol`; the others where the vendor
offers the thing. Operations are generators over `Request` and `Response` (see `idv_core.plugin.http`): no socket, no clock, no
thread, no environment, no retry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

from ..errors import Refusal, WebhookRejected
from ..model import CheckKind, Secret
from ..model.validation import as_timedelta, is_aware, is_some_time, plain_mapping
from .http import Exchange, Request, Response, json_object

if TYPE_CHECKING:
    from ..model import (
        Coverage,
        Document,
        Erasure,
        Flow,
        FlowOrder,
        Media,
        ProvisionedTemplate,
        Result,
        Review,
        Template,
        UploadKind,
    )

CONTRACT_VERSION = 2
"""Raised when a plugin written for an earlier one would no longer work."""


@attrs.frozen(kw_only=True)
class Grant:
    """What a token endpoint gave: the token, how long it lives, how long before its end it should be renewed."""

    access_token: Secret
    expires_in: timedelta | None = None
    expires_at: datetime | None = attrs.field(default=None, validator=is_aware)
    renew_before: timedelta = timedelta(seconds=60)
    refresh_token: Secret | None = None


_MINUTE = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class Polling:
    """When to look: first after `first`, then with growing pauses up to `ceiling`. Each a `timedelta`, or seconds.

    Without a ceiling it is a minute, or `first` where that is longer.
    """

    first: timedelta = attrs.field(default=timedelta(seconds=2), converter=as_timedelta, validator=is_some_time)
    ceiling: timedelta = attrs.field(converter=as_timedelta, validator=is_some_time)

    @ceiling.default
    def _ceiling(self) -> timedelta:
        return max(self.first, _MINUTE) if isinstance(self.first, timedelta) else _MINUTE

    def __attrs_post_init__(self) -> None:
        if self.first > self.ceiling:
            raise ValueError("first must not be longer than ceiling")


def _kinds(kinds: Iterable[CheckKind]) -> frozenset[CheckKind]:
    return frozenset(kinds)


@attrs.frozen(kw_only=True)
class ResultCapabilities:
    """What an adapter's results can hold at all, so that a policy which could never approve is found before it is live.

    `checks` are the kinds that can pass or are scored, `scored` those that may have a score. An adapter says it in an
    attribute `result_capabilities` (see `ResultCapabilitiesProtocol`); the conformance suite holds it to that.
    """

    checks: frozenset[CheckKind] = attrs.field(converter=_kinds)
    scored: frozenset[CheckKind] = attrs.field(default=(), converter=_kinds)
    documents: bool
    verdict: bool


@attrs.frozen(kw_only=True)
class WebhookKey:
    """A key that webhooks are verified with, as the vendor gives it: `data` is a JSON Web Key (RFC 7517), for one.

    It is kept until `expires_at`, a day at most.
    """

    id: str
    data: Mapping[str, Any] = attrs.field(converter=plain_mapping, repr=False, hash=False)
    expires_at: datetime | None = attrs.field(default=None, validator=is_aware)


@attrs.frozen(kw_only=True)
class Webhook:
    """A call that came in at one of the addresses we handed out, already proved to come from somebody who knows it.

    `purpose` is the word that the address was made for. `headers` have lower-case names, and a header that came several times
    is one text joined by ", ". `application_id` is what the address was made for, None for an address of the whole account.
    `received_at` is now, for vendors that sign the time (raise WebhookRejected with status 401 where a signature is wrong).
    """

    purpose: str
    method: str
    application_id: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    query: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    body: bytes = attrs.field(default=b"", repr=False)
    received_at: datetime | None = attrs.field(default=None, validator=is_aware)
    key: WebhookKey | None = attrs.field(default=None, repr=False)

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises WebhookRejected for anything else."""
        body = json_object(self.body)
        if body is None:
            raise WebhookRejected("the body is not a JSON object", status=400)
        return body


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """What a plugin makes of a webhook. It is a hint where to look, never evidence.

    `flow_id` is the vendor's id if the call names one, `document_ids` ours if it only names documents. `fetch` says that
    the result is worth fetching now. `presented` is the credential the vendor showed, which the core checks.
    `wants_token` means that the vendor asks for a token to present later: the core makes one and answers as RFC 6749 5.1.
    `signed` says that the vendor's signature over the body was checked and is right; without it only the address proves the
    call.
    """

    event: str
    flow_id: str | None = None
    document_ids: tuple[str, ...] = ()
    fetch: bool = True
    presented: Secret | None = attrs.field(default=None, repr=False)
    wants_token: bool = False
    signed: bool = False


@runtime_checkable
class AdapterProtocol(Protocol):
    """What every adapter has: where the vendor is, how a call is signed, how an error is read."""

    @property
    def base_url(self) -> str:
        """Scheme, host and perhaps a prefix, without a trailing slash."""
        ...

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        """The request with the credentials. Called for every attempt; `token` is the one of `TokenProtocol`, if any."""
        ...

    def read_error(self, request: Request, response: Response) -> Refusal:
        """Read an answer outside 2xx that `request.accept` does not name. Must not raise, whatever the body is."""
        ...


@runtime_checkable
class TokenProtocol(Protocol):
    """For vendors whose calls need a token that has to be fetched or renewed. The core decides when, and does it once."""

    def obtain_token(self, previous: Grant | None) -> Exchange[Grant]:
        """A first token, or a new one in place of `previous` (which may have been refused)."""
        ...


@runtime_checkable
class FlowProtocol(Protocol):
    """Opening a flow. Returns it with the vendor's id, its status and, where there is a hosted page, its link."""

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]: ...


@runtime_checkable
class StatusProtocol(Protocol):
    """For vendors where asking how far a flow is costs less than its result. Without it, the flow of `result` says it."""

    def status(self, flow: Flow) -> Exchange[Flow]: ...


@runtime_checkable
class UploadProtocol(Protocol):
    """Uploading documents by API. Returns the flow, whose `uploads` have one `Upload` more for each document.

    `content` and `back_content` are bytes here, `path` is never set.
    An adapter that knows what its vendor reads says so in `accepts` (see `PictureProtocol`).
    """

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]: ...


@runtime_checkable
class PictureProtocol(Protocol):
    """For vendors that read certain kinds of pictures only. Others are refused before anything is sent."""

    @property
    def accepts(self) -> Mapping[UploadKind, frozenset[str]]:
        """For each kind of upload the media types (of `idv_core.plugin.pictures.picture_type`) that the vendor reads.

        A kind that is not named is not looked at.
        """
        ...


@runtime_checkable
class StreamedUploadProtocol(Protocol):
    """For vendors that take large files, in a form or raw: `streams_uploads = True`. Then a document that was given by its
    path keeps it, and `content_of(document)` gives bytes or a `FileSource`, which is read while it is sent."""

    @property
    def streams_uploads(self) -> bool: ...


@runtime_checkable
class ServersProtocol(Protocol):
    """For vendors with more than one host: `Request.post("/token", server="auth")`."""

    @property
    def servers(self) -> Mapping[str, str]:
        """Base URLs by name, without a trailing slash. Each should be a setting with a default."""
        ...


@runtime_checkable
class AllowedHostsProtocol(Protocol):
    """For vendors whose answers hold addresses to call (`Request.fetch`): pre-signed uploads, pictures."""

    @property
    def allowed_hosts(self) -> Collection[str]:
        """Host names; `*` stands for one or more labels, as in `*.vendor.example`."""
        ...


@runtime_checkable
class SubmitProtocol(Protocol):
    """For vendors that must be told that all documents are uploaded. Returns the flow with its new status."""

    def submit(self, flow: Flow) -> Exchange[Flow]: ...


@runtime_checkable
class ResultProtocol(Protocol):
    """Evidence. A flow that is not finished gives a result whose flow says so."""

    def result(self, flow: Flow) -> Exchange[Result]: ...


@runtime_checkable
class WebhookProtocol(Protocol):
    """For vendors whose server calls us. (The applicant's browser, which comes back to `order.urls.return_url()`, is the
    core's business.)

    An adapter lists its purposes in an attribute `webhook_purposes` (see `WebhookPurposesProtocol`).
    """

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        """Raises WebhookRejected when the call makes no sense."""
        ...


@runtime_checkable
class WebhookPurposesProtocol(Protocol):
    """For adapters that know for which purposes they ask for webhook addresses: `("events",)`. Other words are refused."""

    @property
    def webhook_purposes(self) -> Collection[str]: ...


@runtime_checkable
class PollingProtocol(Protocol):
    """For vendors that say how often to look. Without it, `Polling()`; an account's own `polling` comes first."""

    @property
    def polling(self) -> Polling: ...


@runtime_checkable
class ResultCapabilitiesProtocol(Protocol):
    """For adapters that know what their results can hold. Without it, nothing is concluded."""

    @property
    def result_capabilities(self) -> ResultCapabilities: ...


@runtime_checkable
class TemplateProtocol(Protocol):
    """For vendors that keep templates. Doing it twice leaves one."""

    def provision(self, template: Template) -> Exchange[ProvisionedTemplate]: ...


@runtime_checkable
class LinkProtocol(Protocol):
    """For vendors whose link can be renewed. Returns the flow with the new link."""

    def renew_link(self, flow: Flow) -> Exchange[Flow]: ...


@runtime_checkable
class CredentialsProtocol(Protocol):
    """For vendors whose credentials can be tried without opening anything. Where a token is fetched, that is tried anyway."""

    def check_credentials(self) -> Exchange[None]:
        """Returns if they are good; the errors are those of any call."""
        ...


@runtime_checkable
class RecoverProtocol(Protocol):
    """For vendors where it can be found out what became of an opening that was never answered."""

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """Find the one flow that the order was opened as. Only where the vendor itself keeps two apart (an idempotency key)
        it may be opened here too.

        `since` is when the lost opening began, None where nobody knows; a flow that was made before is another one. A flow is
        this order's only if everything that the vendor tells of it agrees: application, applicant, product, template. Raises
        FlowNotFound where there is none (the core knows whether that is certain yet), DuplicateFlow where the vendor has
        one and does not say its id, or has one of somebody else in its place.
        """
        ...


@runtime_checkable
class KeyModeProtocol(Protocol):
    """For vendors whose keys say whether they are of the test mode, where nothing is really checked."""

    @property
    def key_mode(self) -> str | None:
        """`test`, `live`, or None where the key does not say."""
        ...


@runtime_checkable
class SelfCheckProtocol(Protocol):
    """For adapters that see in their settings what is probably not meant. `idv config check` shows it as warnings."""

    def problems(self, *, webhooks: bool) -> Iterable[tuple[str, str]]:
        """The name of a setting and what is wrong with it, in one sentence without its value. `webhooks` tells whether
        addresses for webhooks are handed out. Nothing is called, nothing raised."""
        ...


@runtime_checkable
class WebhookKeysProtocol(Protocol):
    """For vendors whose webhooks are signed with keys that have to be fetched. The core fetches and keeps them."""

    def webhook_key_id(self, webhook: Webhook) -> str | None:
        """The name of the key (a `kid`), None where the webhook names none. Nothing is proved yet. Raises WebhookRejected."""
        ...

    def webhook_key(self, key_id: str) -> Exchange[WebhookKey]:
        """The key, which `read_webhook` then finds in `webhook.key`. Raises FlowNotFound where there is none of that name."""
        ...


@runtime_checkable
class CancelProtocol(Protocol):
    """For vendors that can end a flow, so that its link leads nowhere. Cancelling twice is cancelling once."""

    def cancel(self, flow: Flow) -> Exchange[Flow]: ...


@runtime_checkable
class EraseProtocol(Protocol):
    """For vendors that erase a person's data on request."""

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        """Ask for it; asked again, tell how far it is."""
        ...


@runtime_checkable
class MediaProtocol(Protocol):
    """For vendors that give out the pictures, videos and reports of a flow."""

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        """What there is now."""
        ...

    def download(self, flow: Flow, media: Media) -> Exchange[bytes | None]:
        """The content. Make the request with `streamed=True` and return None: the core writes the answer's body to the
        platform's file. Where the vendor has the content inside JSON, return the bytes."""
        ...


@runtime_checkable
class RetryProtocol(Protocol):
    """For vendors where a person may try again within the same verification."""

    def retry(self, flow: Flow, order: FlowOrder) -> Exchange[Flow]:
        """A new attempt: a flow with another id, and the old one's as its `previous_id`."""
        ...


@runtime_checkable
class ReviewProtocol(Protocol):
    """For vendors that take a person's decision."""

    def review(self, flow: Flow, review: Review) -> Exchange[Flow]:
        """Raises UnsupportedOperation for an outcome that the vendor does not know."""
        ...


@runtime_checkable
class SimulateProtocol(Protocol):
    """For vendors whose test mode can be told how a flow ends. The core refuses it on accounts without `test = true`."""

    @property
    def simulations(self) -> Collection[str]:
        """The words: `approved`, `declined`, `review`, `expired` where they fit, and the vendor's own."""
        ...

    def simulate(self, flow: Flow, outcome: str) -> Exchange[Flow]: ...


@runtime_checkable
class CoverageProtocol(Protocol):
    """For vendors of which it is known, or can be asked, what an account can do."""

    def coverage(self) -> Exchange[Coverage]:
        """One that asks nothing may be written `return Coverage(...)` with `yield from ()` before it."""
        ...


CAPABILITIES: Mapping[str, type] = {
    "flow": FlowProtocol,
    "upload": UploadProtocol,
    "submit": SubmitProtocol,
    "result": ResultProtocol,
    "webhook": WebhookProtocol,
    "template": TemplateProtocol,
    "link": LinkProtocol,
    "recover": RecoverProtocol,
    "credentials": CredentialsProtocol,
    "token": TokenProtocol,
    "cancel": CancelProtocol,
    "erase": EraseProtocol,
    "media": MediaProtocol,
    "retry": RetryProtocol,
    "review": ReviewProtocol,
    "simulate": SimulateProtocol,
    "coverage": CoverageProtocol,
}


_PROTOCOLS: tuple[type, ...] = (
    AdapterProtocol,
    PictureProtocol,
    StreamedUploadProtocol,
    ServersProtocol,
    AllowedHostsProtocol,
    StatusProtocol,
    WebhookPurposesProtocol,
    WebhookKeysProtocol,
    PollingProtocol,
    ResultCapabilitiesProtocol,
    KeyModeProtocol,
    SelfCheckProtocol,
    *CAPABILITIES.values(),
)
ADAPTER_NAMES = frozenset(name for protocol in _PROTOCOLS for name in vars(protocol) if not name.startswith("_"))
"""Every method and attribute of an adapter that the core looks for."""


def status_of(adapter: Any, flow: Flow) -> Exchange[Flow]:
    """How far a flow is: by the adapter's own `status`, else by the flow of its `result`."""
    if offers(adapter, StatusProtocol):
        told: Flow = yield from adapter.status(flow)
        return told
    result: Result = yield from adapter.result(flow)
    return result.flow


def capabilities(adapter: Any) -> tuple[str, ...]:
    """The names of the protocols that an adapter (or its class) implements."""
    return tuple(name for name, protocol in CAPABILITIES.items() if offers(adapter, protocol))


def offers(adapter: Any, protocol: type) -> bool:
    """Whether an adapter (or its class) implements a protocol: a tenth of the time of `isinstance` on Python 3.11."""
    return all(getattr(adapter, name, None) is not None for name in _members(protocol))


@cache
def _members(protocol: type) -> tuple[str, ...]:
    return tuple(name for name in vars(protocol) if not name.startswith("_"))
