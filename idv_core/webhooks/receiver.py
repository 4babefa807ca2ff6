"""What is done with a webhook, without I/O: authenticate, limit, let the plugin read it, deduplicate."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote, urlsplit

import attrs

from ..clock import Clock
from ..engine.account import AccountSession
from ..engine.redaction import redact_word
from ..engine.waiters import wake_keys
from ..errors import IdvError, PluginError, WebhookRejected, bounded
from ..model import FlowRef, FlowUrls
from ..model.flow import RETURN
from ..model.validation import plain_mapping
from ..plugin.protocols import Webhook, WebhookEvent, WebhookProtocol
from ..runtime.interrupts import interrupt_in
from .addresses import BEARER_LIFETIME, Addressee, Addresses
from .deduplication import Memory, Met, Place, Ticket

MAX_BODY = 1_000_000
METHODS = ("GET", "HEAD", "POST")

# So many calls of one address are handed on in a minute: visits of a browser, calls to an application's address that the
# vendor did not sign. Signed calls and those to an address of the whole account are not counted: only the vendor makes them.
VISITS = 10
UNSIGNED = 60
_TWIN = timedelta(seconds=5)
_LONGEST_ID = 200
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_ACTIVE = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})


@attrs.frozen(kw_only=True)
class WebhookRequest:
    """An HTTP call as it came in. `path` is `/{token}/{purpose}` or `/{account}/{token}/{purpose}`.

    Header names may be in any case. Join a header that came several times with ", " (RFC 9110 section 5.3).
    """

    method: str
    path: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    query: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class WebhookResponse:
    """What to answer over HTTP."""

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    body: bytes = attrs.field(default=b"", repr=False)

    @classmethod
    def of(cls, error: WebhookRejected) -> WebhookResponse:
        """The answer to a call that was refused."""
        headers = {"cache-control": "no-store"}
        if error.status == 405:
            headers["allow"] = ", ".join(METHODS)
        if error.retry_after is not None:
            headers["retry-after"] = str(max(1, round(error.retry_after.total_seconds())))
        body = b""
        if error.status == 429:
            headers["content-type"] = "text/plain; charset=utf-8"
            body = b"Too many visits. Please wait a minute and load this page again."
        return cls(status=error.status, headers=headers, body=body)


@attrs.frozen(kw_only=True)
class Received:
    """What a webhook says: which flow, and whether it is a reason to fetch its result.

    `flow_ref` is set if the call names a flow, `application_id` if it came to the address of one application, `document_ids`
    if it only names documents. Both `flow_ref` and `application_id` are set only if the call came to an address of that
    application which nobody but the vendor was given. `repeated` is a call that this process has handled before; nothing need
    be done for it. `fetch` is False for a shadow (`is_shadow`), which decides nothing.

    `proved` says what the call rests on. `visit`: the applicant's browser, or whoever has seen its address bar; it names the
    application and nothing else. `address`: somebody who knows an address that only the vendor was given. `signature`: the
    vendor's signature over the body.
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
    """A call whose address is right."""

    addressee: Addressee
    purpose: str

    @property
    def is_visit(self) -> bool:
        return self.purpose == RETURN

    def place(self, account: str) -> Place:
        """The address, whatever its token looks like."""
        is_of_account = self.addressee.application_id is None
        return Place(account, f"{self.purpose}/{self.addressee.text}", is_of_account)


@attrs.frozen
class WebhookReceiver:
    """Reads webhooks of all accounts. Safe for threads; never blocks."""

    addresses: Addresses
    clock: Clock
    memory: Memory = attrs.field(factory=Memory, repr=False)

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
        """Looks at method and address only. Raises WebhookRejected (405, 404)."""
        if request.method not in METHODS:
            raise WebhookRejected("the method is none of GET, HEAD, POST", status=405)
        path = request.path.removeprefix("/").removeprefix(f"{session.name}/")
        token, _, purpose = path.partition("/")
        addressee = self.addresses.read(session.name, token, purpose)
        if addressee is None or not (purpose == RETURN or isinstance(session.adapter, WebhookProtocol)):
            raise WebhookRejected("no such address", status=404)
        return Admitted(addressee, purpose)

    def max_body(self, session: AccountSession, request: WebhookRequest) -> int:
        """How many bytes of body the call may have; the body is not looked at. Raises WebhookRejected (405, 404)."""
        self.admit(session, request)
        return MAX_BODY if request.method == "POST" else 0

    def receive(self, session: AccountSession, request: WebhookRequest, names: tuple[str, ...]) -> Received:
        """The call read. One with a `ticket` is under way now, until `handled` or `forget`.

        `names` are all that the account goes by: whoever waits may have a reference from before it was renamed.

        Raises WebhookRejected for what is forged (404, 401), too large (413), malformed (400), the twin of a call that is
        being handled (503) or too much (429).
        """
        admitted = self.admit(session, request)
        if len(request.body) > MAX_BODY:
            raise WebhookRejected(f"the body is larger than {MAX_BODY} bytes", status=413)
        addressee, now = admitted.addressee, self.clock.now()
        reading = _read(session, admitted, request, now)
        if reading.wants_token:
            bearer = self.addresses.make_bearer(session.name, addressee, now)
            return _received(session, names, admitted, reading, answer=_token_answer(bearer.reveal()))
        if reading.presented and not self.addresses.is_bearer(session.name, addressee, reading.presented, now):
            raise WebhookRejected("the token shown is not ours, or too old", status=401)
        answer = _goes_on(addressee) if request.method != "POST" else WebhookResponse()
        received = _received(session, names, admitted, reading, answer=answer)
        if admitted.is_visit:
            # a visit is news each time: the applicant may have left early before
            self._limit(received, admitted, VISITS)
            return received
        ticket = Ticket(admitted.place(session.name), _digest(request))
        met = self.memory.begin(ticket)
        if met is Met.HANDLED:
            return attrs.evolve(received, repeated=True, wakes=())
        if met is Met.UNDER_WAY:
            raise WebhookRejected("the same call is being handled", status=503, retry_after=_TWIN)
        if addressee.application_id is not None and not reading.signed:
            try:
                self._limit(received, admitted, UNSIGNED)
            except WebhookRejected:
                self.memory.forget(ticket)
                raise
        return attrs.evolve(received, ticket=ticket)

    def handled(self, received: Received) -> None:
        """The same call is `repeated` when it comes again."""
        if received.ticket is not None:
            self.memory.end(received.ticket)

    def forget(self, received: Received) -> None:
        """Take it as new when it comes again, because what it asked for could not be done."""
        if received.ticket is not None:
            self.memory.forget(received.ticket)

    def _limit(self, received: Received, admitted: Admitted, most: int) -> None:
        if not (received.fetch or received.wakes):
            return
        seconds = self.memory.wait(admitted.place(received.account), most, self.clock.monotonic())
        if seconds > 0:
            wait = timedelta(seconds=seconds)
            raise WebhookRejected(f"more than {most} calls in a minute", status=429, retry_after=wait)


def _digest(request: WebhookRequest) -> bytes:
    """What two calls to one address must have in common to be the same."""
    head = json.dumps([request.method, sorted(request.query.items())]).encode()
    return hashlib.sha256(hashlib.sha256(head).digest() + request.body).digest()


def _read(session: AccountSession, admitted: Admitted, request: WebhookRequest, now: datetime) -> WebhookEvent:
    application_id = admitted.addressee.application_id
    if admitted.is_visit:
        # what the applicant's browser says is nobody's word, and an address of the whole account names no applicant
        return WebhookEvent(event=RETURN, fetch=application_id is not None and request.method != "HEAD")
    webhook = Webhook(
        purpose=admitted.purpose,
        method="GET" if request.method == "HEAD" else request.method,
        application_id=application_id,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.query,
        body=request.body,
        received_at=now,
    )
    try:
        reading: WebhookEvent = session.adapter.read_webhook(webhook)
        if request.method == "HEAD":
            reading = attrs.evolve(reading, fetch=False)
        if reading.flow_id and not _is_id(reading.flow_id):
            raise WebhookRejected("the body names a flow by something that is no id", status=400)
        return attrs.evolve(
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
    raise PluginError(f"plugin {session.plugin!r} could not read a webhook ({broken})", account=session.name)


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
    """The reference of a flow that a call to this address names, with all that its decision depends on."""
    return str(FlowRef(account=account, id=flow_id, policy=addressee.policy, is_shadow=addressee.is_shadow))


def _token_answer(bearer: str) -> WebhookResponse:
    grant = {"access_token": bearer, "token_type": "Bearer", "expires_in": int(BEARER_LIFETIME.total_seconds())}
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return WebhookResponse(headers=headers, body=json.dumps(grant).encode())


def _goes_on(addressee: Addressee) -> WebhookResponse:
    """A browser goes on to where the platform wants it. The page that follows never learns the secret address."""
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    location = _location(addressee.return_url)
    if location is not None:
        return WebhookResponse(status=303, headers={"location": location, **headers})
    headers["content-type"] = "text/plain; charset=utf-8"
    return WebhookResponse(headers=headers, body=b"Thank you. You can close this window.")


def _location(url: str | None) -> str | None:
    """The address in ASCII (RFC 3987 section 3.1), or None for one that no header may hold or no browser should follow."""
    if not url or not url.isprintable() or " " in url:
        return None
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        return None
    if not _SCHEME.fullmatch(scheme) or scheme.lower() in _ACTIVE:
        return None
    return quote(url, safe="%/:?#[]@!$&'()*+,;=~")
