"""What is done with an inbound call, without I/O: prove it, bound it, know it again, let the plugin read it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime

import attrs

from ..clock import Clock
from ..engine.account import AccountSession
from ..engine.forks import renew_after_fork
from ..errors import CallbackRejected, IdvError, PluginError
from ..model import CallbackUrls, FlowRef
from ..model.values import plain_mapping
from ..protocols import CallbackProtocol, CallbackReading, InboundCall
from .addresses import BEARER_LIFETIME, Addressee, Addresses

MAX_BODY = 1_000_000
_REMEMBERED = 10_000


@attrs.frozen(kw_only=True)
class Inbound:
    """An HTTP call as it came in. `path` ends with `/{token}/{purpose}`; header names in any case."""

    method: str
    path: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    query: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Answer:
    """What to answer over HTTP."""

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Received:
    """What an inbound call says: which flow, and whether it is a reason to fetch its result.

    `flow_ref` is set if the call names a flow, `application_id` if it came to the address of one application, `document_ids`
    if it only names documents. `repeated` is a call that this process has seen before; nothing need be done for it.
    """

    account: str
    event: str
    application_id: str | None = None
    flow_ref: str | None = None
    document_ids: tuple[str, ...] = ()
    fetch: bool
    repeated: bool = False
    answer: Answer = attrs.field(factory=Answer, repr=False)
    digest: bytes = attrs.field(default=b"", repr=False)


@attrs.define(eq=False)
class CallbackDesk:
    """Reads inbound calls of all accounts. Safe for threads; never blocks."""

    addresses: Addresses
    clock: Clock
    _seen: OrderedDict[bytes, None] = attrs.field(factory=OrderedDict, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def urls(self, account: str, application_id: str | None, return_url: str | None = None) -> CallbackUrls:
        """The addresses for one application, or for the whole account."""
        return self.addresses.make(account, Addressee(application_id, return_url))

    def receive(self, session: AccountSession, inbound: Inbound) -> Received:
        """Raises CallbackRejected for what is forged (404, 401), too large (413) or malformed (400)."""
        if len(inbound.body) > MAX_BODY:
            raise CallbackRejected(f"the body is larger than {MAX_BODY} bytes", status=413)
        above, _, purpose = inbound.path.rstrip("/").rpartition("/")
        token = above.rpartition("/")[2]
        addressee = self.addresses.read(session.name, token)
        if addressee is None or not isinstance(session.adapter, CallbackProtocol):
            raise CallbackRejected("no such address", status=404)
        now = self.clock.now()
        reading = _read(session, addressee, purpose, inbound, now)
        if reading.wants_token:
            bearer = self.addresses.make_bearer(session.name, token, now)
            return _received(session, addressee, reading, answer=_token_answer(bearer.reveal()))
        if reading.presented and not self.addresses.is_bearer(session.name, token, reading.presented, now):
            raise CallbackRejected("the token shown is not ours, or too old", status=401)
        digest = hashlib.sha256(f"{session.name}\0{inbound.method}\0{inbound.path}\0".encode() + inbound.body).digest()
        received = _received(session, addressee, reading, answer=_plain_answer(addressee, inbound))
        return attrs.evolve(received, digest=digest, repeated=self._is_known(digest))

    def forget(self, received: Received) -> None:
        """Take it as new when it comes again, because what it asked for could not be done."""
        with self._lock:
            self._seen.pop(received.digest, None)

    def _is_known(self, digest: bytes) -> bool:
        with self._lock:
            if digest in self._seen:
                self._seen.move_to_end(digest)
                return True
            self._seen[digest] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return False


def _read(
    session: AccountSession, addressee: Addressee, purpose: str, inbound: Inbound, now: datetime
) -> CallbackReading:
    call = InboundCall(
        purpose=purpose,
        method=inbound.method,
        application_id=addressee.application_id,
        headers={name.lower(): value for name, value in inbound.headers.items()},
        query=inbound.query,
        body=inbound.body,
        received_at=now,
    )
    try:
        reading: CallbackReading = session.adapter.read_callback(call)
    except IdvError as error:
        error.account = error.account or session.name
        error.operation = error.operation or "receive"
        raise
    except Exception as error:
        broken = type(error).__name__
    else:
        return reading
    raise PluginError(f"plugin {session.plugin!r} could not read a callback ({broken})", account=session.name)


def _received(session: AccountSession, addressee: Addressee, reading: CallbackReading, *, answer: Answer) -> Received:
    return Received(
        account=session.name,
        event=reading.event,
        application_id=addressee.application_id,
        flow_ref=str(FlowRef(account=session.name, id=reading.flow_id)) if reading.flow_id else None,
        document_ids=reading.document_ids,
        fetch=reading.fetch and not reading.wants_token,
        answer=answer,
    )


def _token_answer(bearer: str) -> Answer:
    grant = {"access_token": bearer, "token_type": "Bearer", "expires_in": int(BEARER_LIFETIME.total_seconds())}
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return Answer(headers=headers, body=json.dumps(grant).encode())


def _plain_answer(addressee: Addressee, inbound: Inbound) -> Answer:
    """A browser goes on to where the platform wants it; a server gets an empty 200."""
    if inbound.method != "GET":
        return Answer()
    if addressee.return_url:
        return Answer(status=303, headers={"location": addressee.return_url, "cache-control": "no-store"})
    return Answer(headers={"content-type": "text/plain; charset=utf-8"}, body=b"Thank you. You can close this window.")
