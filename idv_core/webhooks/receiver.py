"""Receives webhooks without I/O: authenticate, limit, parse (the plugin does), deduplicate."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import attrs

from ..clock import Clock
from ..engine.account import AccountSession
from ..engine.redaction import redact_word
from ..engine.waiters import wake_keys
from ..errors import IdvError, PluginError, WebhookRejected, bounded
from ..model import FlowRef, FlowUrls
from ..model.copies import with_changed
from ..model.flow import RETURN
from ..model.validation import is_string, plain_mapping
from ..plugin.protocols import Webhook, WebhookEvent, WebhookKeysProtocol, WebhookProtocol
from ..runtime.interrupts import interrupt_in
from .addresses import BEARER_LIFETIME, Addressee, Addresses
from .deduplication import Memory, Met, Place, Ticket
from .keys import WebhookKeys

MAX_BODY = 1_000_000
METHODS = ("GET", "HEAD", "POST")

# Most calls per address and minute: returns of a browser, and unsigned calls to an application's address. Signed calls, and
# calls to an address of the whole account, are not counted: only the vendor makes them.
VISITS = 10
UNSIGNED = 60
_TWIN = timedelta(seconds=5)
_KEY = timedelta(seconds=5)
_LONGEST_ID = 200
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_ACTIVE = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})


def _mapping(value: Any) -> Any:
    try:
        return dict(value)
    except (TypeError, ValueError):
        return value


def _raw(value: Any) -> Any:
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value


def _are_strings(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, dict) or not all(
        issubclass(kind, str) for kind in {*map(type, value), *map(type, value.values())}
    ):
        raise ValueError(f"{attribute.name}: must be a mapping of strings to strings, with one value for each name")


def _is_raw(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bytes):
        raise ValueError(f"{attribute.name}: must be the bytes that were received, not decoded")


@attrs.frozen(kw_only=True)
class WebhookRequest:
    """An incoming HTTP request.

    Args:
        method: `GET`, `HEAD` or `POST`; others get 405.
        path: `/{token}/{purpose}` or `/{account}/{token}/{purpose}`.
        headers: Names in any case. Join repeated headers with ", " (RFC 9110 section 5.3).
        query: The decoded parameters of the query string.
        body: The raw bytes, as received.

    Raises ValueError that names the field.
    """

    method: str = attrs.field(validator=is_string)
    path: str = attrs.field(validator=is_string, repr=False)
    headers: Mapping[str, str] = attrs.field(
        factory=dict, converter=_mapping, validator=_are_strings, repr=False, hash=False
    )
    query: Mapping[str, str] = attrs.field(
        factory=dict, converter=_mapping, validator=_are_strings, repr=False, hash=False
    )
    body: bytes = attrs.field(default=b"", converter=_raw, validator=_is_raw, repr=False)
    # what was found of its address, by which addresses and for whom: it is asked for before the body is read, and again
    _admitted: list[tuple[Addresses, str, Admitted]] = attrs.field(factory=list, init=False, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class WebhookResponse:
    """The HTTP response to send."""

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    body: bytes = attrs.field(default=b"", repr=False)

    @classmethod
    def of(cls, error: WebhookRejected) -> WebhookResponse:
        """The response to a refused call."""
        headers = {"cache-control": "no-store"}
        if error.status == 405:
            headers["allow"] = ", ".join(METHODS)
        if error.retry_after is not None:
            headers["retry-after"] = str(max(1, round(error.retry_after.total_seconds())))
        body = b""
        if error.status == 429:
            headers["content-type"] = "text/plain; charset=utf-8"
            body = b"Too many visits. Please wait a minute, then reload this page."
        return cls(status=error.status, headers=headers, body=body)


@attrs.frozen(kw_only=True)
class Received:
    """A webhook that was accepted. It is a hint: if `fetch` is true, fetch the result.

    Args:
        account: The account that was called.
        event: The vendor's name of the event, bounded and redacted.
        application_id: The application whose address was called; None for an address of the whole account.
        flow_ref: The flow that the call names. Set together with `application_id` only if nobody but the vendor of that
            application was given the address.
        document_ids: The ids of the documents that the call names, if it names no flow.
        fetch: Whether to fetch the result. False for events that change nothing, and for a shadow.
        is_shadow: Whether the flow is a shadow, which decides nothing.
        proved: What the call is authenticated by. `visit`: the applicant's browser, or anybody who has seen its address
            bar; it names the application and nothing else. `address`: an address that only the vendor was given.
            `signature`: the vendor's signature over the body.
        repeated: Whether this process has handled the same call before. Do nothing then.
        answer: The HTTP response to send.
    """

    account: str
    event: str
    application_id: str | None = None
    flow_ref: str | None = None
    document_ids: tuple[str, ...] = ()
    fetch: bool
    is_shadow: bool = False
    proved: Literal["visit", "address", "signature"] = "address"
    repeated: bool = False
    answer: WebhookResponse = attrs.field(factory=WebhookResponse, repr=False)
    wakes: tuple[object, ...] = attrs.field(default=(), repr=False)
    ticket: Ticket | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Admitted:
    """A call whose address was verified. `signed` is the part of its token that says whose it is."""

    addressee: Addressee
    purpose: str
    signed: str

    @property
    def is_visit(self) -> bool:
        return self.purpose == RETURN

    def place(self, account: str) -> Place:
        """The address, whichever key signed its token."""
        is_of_account = self.addressee.application_id is None
        return Place(account, f"{self.purpose}/{self.signed}", is_of_account)


@attrs.frozen
class WebhookReceiver:
    """Receives the webhooks of all accounts. Safe for threads; never blocks."""

    addresses: Addresses
    clock: Clock
    memory: Memory = attrs.field(factory=Memory, repr=False)
    keys: WebhookKeys = attrs.field(factory=WebhookKeys, repr=False)

    def urls(
        self,
        account: str,
        application_id: str | None,
        return_url: str | None = None,
        policy: str | None = None,
        is_shadow: bool = False,
    ) -> FlowUrls:
        """The addresses for one application, or for the whole account."""
        return self.addresses.make(account, Addressee(application_id, return_url, policy, is_shadow))

    def admit(self, session: AccountSession, request: WebhookRequest) -> Admitted:
        """Verify method and address only.

        Raises:
            WebhookRejected: Wrong method (405) or address (404).
        """
        if request.method not in METHODS:
            raise WebhookRejected("this method is not allowed: use GET, HEAD or POST", status=405)
        for addresses, account, admitted in request._admitted:
            if addresses is self.addresses and account == session.name:
                return admitted
        path = request.path.removeprefix("/").removeprefix(f"{session.name}/")
        token, _, purpose = path.partition("/")
        addressee = self.addresses.read(session.name, token, purpose)
        if addressee is None or not (purpose == RETURN or session.offers(WebhookProtocol)):
            raise WebhookRejected("there is no webhook URL with this path", status=404)
        admitted = Admitted(addressee, purpose, token.partition(".")[0])
        request._admitted.append((self.addresses, session.name, admitted))
        return admitted

    def missing_key(self, session: AccountSession, request: WebhookRequest) -> str | None:
        """The id of the key that has to be fetched before `receive`, None where there is nothing to fetch.

        Never raises: what is wrong with a call, `receive` says.
        """
        if not session.offers(WebhookKeysProtocol):
            return None
        now = self.clock.now()
        try:
            admitted = self.admit(session, request)
            if admitted.is_visit or len(request.body) > MAX_BODY:
                return None
            key_id = _key_id(session, _webhook(admitted, request, now))
            return key_id if key_id is not None and self.keys.get(session.name, key_id, now) is None else None
        except Exception as error:
            interrupt = interrupt_in(error)
            if interrupt is not None:
                raise interrupt from None
            return None

    def max_body(self, session: AccountSession, request: WebhookRequest) -> int:
        """The most bytes that the body may have. `request.body` is not looked at.

        Raises:
            WebhookRejected: Wrong method (405) or address (404).
        """
        self.admit(session, request)
        return MAX_BODY if request.method == "POST" else 0

    def receive(self, session: AccountSession, request: WebhookRequest, names: tuple[str, ...]) -> Received:
        """Authenticate, parse and deduplicate a call. One with a `ticket` is in progress until `handled` or `forget`.

        Args:
            session: The account that is called.
            request: The incoming request.
            names: All names of the account, former ones too: a reference may be from before it was renamed.

        Raises:
            WebhookRejected: Forged (404, 401), too large (413), malformed (400), already being handled (503), or over the
                rate limit (429).
            PluginError: The plugin has a bug.
        """
        admitted = self.admit(session, request)
        if len(request.body) > MAX_BODY:
            raise WebhookRejected(f"the body is larger than {MAX_BODY} bytes", status=413)
        addressee, now = admitted.addressee, self.clock.now()
        reading = _read(session, admitted, request, now, self.keys)
        if reading.wants_token:
            bearer = self.addresses.make_bearer(session.name, addressee, now)
            return _received(session, names, admitted, reading, answer=_token_answer(bearer.reveal()))
        if reading.presented and not self.addresses.is_bearer(session.name, addressee, reading.presented, now):
            raise WebhookRejected("the bearer token is not valid or has expired", status=401)
        answer = _goes_on(addressee) if request.method != "POST" else WebhookResponse()
        received = _received(session, names, admitted, reading, answer=answer)
        if admitted.is_visit:
            # a return is never a repetition: the applicant may have left early the first time
            self._limit(received, admitted, VISITS)
            return received
        ticket = Ticket(admitted.place(session.name), _digest(request))
        met = self.memory.begin(ticket)
        if met is Met.HANDLED:
            return with_changed(received, repeated=True, wakes=())
        if met is Met.UNDER_WAY:
            raise WebhookRejected("the same call is being handled now; retry later", status=503, retry_after=_TWIN)
        if addressee.application_id is not None and not reading.signed:
            try:
                self._limit(received, admitted, UNSIGNED)
            except WebhookRejected:
                self.memory.forget(ticket)
                raise
        return with_changed(received, ticket=ticket)

    def handled(self, received: Received) -> None:
        """Mark the call as handled: the same call is `repeated` next time."""
        if received.ticket is not None:
            self.memory.end(received.ticket)

    def forget(self, received: Received) -> None:
        """Mark the call as new for its next retry, because handling it failed."""
        if received.ticket is not None:
            self.memory.forget(received.ticket)

    def _limit(self, received: Received, admitted: Admitted, most: int) -> None:
        if not (received.fetch or received.wakes):
            return
        seconds = self.memory.wait(admitted.place(received.account), most, self.clock.monotonic())
        if seconds > 0:
            wait = timedelta(seconds=seconds)
            raise WebhookRejected(
                f"more than {most} calls to this address in a minute; retry later", status=429, retry_after=wait
            )


def _digest(request: WebhookRequest) -> bytes:
    """Two calls to one address are the same if method, query and body are."""
    head = repr((request.method, sorted(request.query.items()))).encode()
    # what Python writes has no line break
    return hashlib.sha256(head + b"\n" + request.body).digest()


def _webhook(admitted: Admitted, request: WebhookRequest, now: datetime) -> Webhook:
    return Webhook(
        purpose=admitted.purpose,
        method="GET" if request.method == "HEAD" else request.method,
        application_id=admitted.addressee.application_id,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.query,
        body=request.body,
        received_at=now,
    )


def _key_id(session: AccountSession, webhook: Webhook) -> str | None:
    if not session.offers(WebhookKeysProtocol):
        return None
    key_id = session.adapter.webhook_key_id(webhook)
    if key_id is not None and not (isinstance(key_id, str) and _is_id(key_id)):
        raise WebhookRejected("the webhook names a signing key by no valid id", status=401)
    return key_id


def _read(
    session: AccountSession, admitted: Admitted, request: WebhookRequest, now: datetime, keys: WebhookKeys
) -> WebhookEvent:
    application_id = admitted.addressee.application_id
    if admitted.is_visit:
        # a browser may send anything, and an address of the whole account names no applicant
        return WebhookEvent(event=RETURN, fetch=application_id is not None and request.method != "HEAD")
    webhook = _webhook(admitted, request, now)
    try:
        key_id = _key_id(session, webhook)
        if key_id is not None:
            key = keys.get(session.name, key_id, now)
            if key is None:
                text = "the signing key is being fetched; retry later"
                raise WebhookRejected(text, status=503, retry_after=_KEY)
            webhook = with_changed(webhook, key=key)
        reading: WebhookEvent = session.adapter.read_webhook(webhook)
        if request.method == "HEAD":
            reading = with_changed(reading, fetch=False)
        if reading.flow_id and not _is_id(reading.flow_id):
            raise WebhookRejected("the flow id in the body is not a valid id", status=400)
        return with_changed(
            reading,
            event=bounded(reading.event, 80),
            flow_id=reading.flow_id or None,
            document_ids=tuple(id for id in reading.document_ids if _is_id(id)),
        )
    except IdvError as error:
        error.account = error.account or session.name
        error.operation = error.operation or "receive"
        raise
    except Exception as error:
        interrupt = interrupt_in(error)
        if interrupt is not None:
            raise interrupt from None
        broken = type(error).__name__
    raise PluginError(
        f"bug in plugin {session.plugin!r}: read_webhook raised {broken}. Please report it to the plugin's authors",
        account=session.name,
    )


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ID and text.isprintable() and text == text.strip()


def _received(
    session: AccountSession,
    names: tuple[str, ...],
    admitted: Admitted,
    reading: WebhookEvent,
    *,
    answer: WebhookResponse,
) -> Received:
    addressee = admitted.addressee
    news = reading.fetch and not reading.wants_token
    return Received(
        account=session.name,
        event=redact_word(reading.event),
        application_id=addressee.application_id,
        flow_ref=_reference(session.name, reading.flow_id, addressee) if reading.flow_id else None,
        document_ids=reading.document_ids,
        fetch=news and not addressee.is_shadow,
        is_shadow=addressee.is_shadow,
        proved="visit" if admitted.is_visit else "signature" if reading.signed else "address",
        answer=answer,
        wakes=tuple(
            key for name in names if news for key in wake_keys(name, reading.flow_id, addressee.application_id)
        ),
    )


def _reference(account: str, flow_id: str, addressee: Addressee) -> str:
    """The reference of the flow that a call to this address names, with everything that its decision depends on."""
    return str(FlowRef(account=account, id=flow_id, policy=addressee.policy, is_shadow=addressee.is_shadow))


def _token_answer(bearer: str) -> WebhookResponse:
    grant = {"access_token": bearer, "token_type": "Bearer", "expires_in": int(BEARER_LIFETIME.total_seconds())}
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return WebhookResponse(headers=headers, body=json.dumps(grant).encode())


def _goes_on(addressee: Addressee) -> WebhookResponse:
    """Redirect the browser to the platform. The next page never learns the secret address."""
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    location = _location(addressee.return_url)
    if location is not None:
        return WebhookResponse(status=303, headers={"location": location, **headers})
    headers["content-type"] = "text/plain; charset=utf-8"
    return WebhookResponse(headers=headers, body=b"Thank you. You can close this window.")


def _location(url: str | None) -> str | None:
    """The URL in ASCII (RFC 3987 section 3.1); None if it is not valid in a header or not safe to follow."""
    if not url or not url.isprintable() or " " in url:
        return None
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        return None
    if not _SCHEME.fullmatch(scheme) or scheme.lower() in _ACTIVE:
        return None
    return quote(url, safe="%/:?#[]@!$&'()*+,;=~")
