"""Runs a plugin's exchange: credentials on, time bounded, errors of the one tree. No I/O here: it yields effects."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from ..clock import Clock
from ..errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    IdvError,
    OutcomeUnknown,
    PluginError,
    Refusal,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
    bounded,
    kind_of_status,
)
from ..wire import Exchange, NotAccepted, Request, Response
from .account import AccountSession, LiveToken
from .effects import Locked, Send, Steps
from .redaction import redact

T = TypeVar("T")
log = logging.getLogger("idv_core")

# Faults of which it is certain that the vendor saw nothing of the request.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "x-correlation-id")


def perform(session: AccountSession, operation: str, start: Callable[[], Exchange[T]], clock: Clock) -> Steps[T]:
    """Run one operation of the account's adapter. Whatever happens, what comes out is its model or an `IdvError`."""
    deadline = clock.monotonic() + session.limits.operation
    broken: str | None = None
    try:
        return (yield from _converse(session, start(), clock, deadline))
    except IdvError as error:
        error.account = error.account or session.name
        error.operation = error.operation or operation
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        broken = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
    # Outside the handler, so that the original (whose locals may hold personal data) is not chained.
    raise PluginError(
        f"plugin {session.plugin!r} failed where it must not ({broken}); please report it to its authors",
        account=session.name,
        operation=operation,
    )


def _converse(session: AccountSession, exchange: Exchange[T], clock: Clock, deadline: float) -> Steps[T]:
    try:
        request = next(exchange)
        while True:
            response = yield from _call(session, request, clock, deadline)
            request = exchange.send(response)
    except StopIteration as stop:
        value: T = stop.value
        return value
    except NotAccepted as refused:
        request, response = refused.request, refused.response
    finally:
        exchange.close()
    raise _error(session.adapter.read_error(request, response), request, response)


def _call(session: AccountSession, request: Request, clock: Clock, deadline: float) -> Steps[Response]:
    """One request with the account's token; a refused token is renewed and the call made again, once."""
    if not (request.signed and session.has_token):
        return (yield from _accepted(session, request, None, clock, deadline))
    token = yield from _token(session, clock, deadline)
    try:
        return (yield from _accepted(session, request, token, clock, deadline))
    except AuthenticationFailed:
        pass
    token = yield Locked(session, lambda: _renew(session, token, clock, deadline))
    return (yield from _accepted(session, request, token, clock, deadline))


def _token(session: AccountSession, clock: Clock, deadline: float) -> Steps[LiveToken]:
    token = session.token
    if token is not None and not token.is_due(clock.now()):
        return token
    try:
        renewed: LiveToken = yield Locked(session, lambda: _renew(session, token, clock, deadline))
        return renewed
    except VendorError:
        if token is None or token.is_over(clock.now()):
            raise
    log.warning("token not renewed, going on with the old one while it lasts", extra={"idv_account": session.name})
    return token


def _renew(session: AccountSession, seen: LiveToken | None, clock: Clock, deadline: float) -> Steps[LiveToken]:
    """Get a new token in place of the one `seen`, unless another caller did while this one waited for the lock."""
    current = session.token
    if current is not None and current is not seen and not current.is_due(clock.now()):
        return current
    exchange = session.adapter.obtain_token(seen.grant if seen else None)
    try:
        request = next(exchange)
        while True:
            response = yield from _accepted(session, request, None, clock, deadline)
            request = exchange.send(response)
    except StopIteration as stop:
        session.token = LiveToken.of(stop.value, clock.now())
        return session.token
    finally:
        exchange.close()


def _accepted(
    session: AccountSession, request: Request, token: LiveToken | None, clock: Clock, deadline: float
) -> Steps[Response]:
    """The answer to one request, if its status is one that the operation reads; else the error that it means."""
    response = yield from _send(session, request, token, clock, deadline)
    if response.is_success or response.status in request.accept:
        return response
    raise _error(session.adapter.read_error(request, response), request, response)


def _send(
    session: AccountSession, request: Request, token: LiveToken | None, clock: Clock, deadline: float
) -> Steps[Response]:
    if not isinstance(request, Request):
        raise PluginError(f"plugin {session.plugin!r} yielded a {type(request).__name__} instead of a Request")
    outgoing = request
    if request.signed:
        outgoing = session.adapter.authorize(request, token and token.grant.access_token, clock.now())
    started = clock.monotonic()
    if started >= deadline:
        raise DeadlineExceeded("the time for the whole operation was up before the next call could be made")
    fault: Exception | None = None
    response: Response | None = None
    try:
        response = yield Send(session, outgoing, deadline - started)
        return response
    except (httpx.TransportError, httpx.DecodingError) as error:
        fault = error
    finally:
        log.debug(
            "vendor call",
            extra={
                "idv_account": session.name,
                "idv_method": request.method,
                "idv_status": response.status if response else None,
                "idv_fault": type(fault).__name__ if fault else None,
                "idv_seconds": round(clock.monotonic() - started, 3),
            },
        )
    raise _fault(fault, request, clock.monotonic() >= deadline)


def _fault(fault: Exception, request: Request, too_late: bool) -> IdvError:
    kind = type(fault).__name__
    if isinstance(fault, _NEVER_SENT):
        return VendorUnavailable(f"the vendor could not be reached ({kind})", safe_to_repeat=True)
    if not request.repeatable:
        return OutcomeUnknown(
            f"no usable answer came to a {request.method} that the vendor may have carried out ({kind}): "
            "find out before you repeat it"
        )
    if isinstance(fault, httpx.DecodingError):
        return UnexpectedResponse("the answer could not be decoded", safe_to_repeat=True)
    if too_late:
        return DeadlineExceeded(f"the time for the whole operation was up ({kind})")
    return VendorUnavailable(f"the connection to the vendor failed ({kind})", safe_to_repeat=True)


_MEANINGS = {
    "AuthenticationFailed": "the vendor refused the credentials",
    "PermissionDenied": "the vendor does not let this account do this",
    "InvalidOrder": "the vendor does not accept what was asked for",
    "FlowNotFound": "the vendor does not know this",
    "DuplicateFlow": "the vendor has a flow for this already",
    "RateLimited": "too many calls for the vendor",
    "VendorUnavailable": "the vendor cannot serve now",
    "UnexpectedResponse": "the vendor answered with something that is not understood",
}


def _error(refusal: Refusal, request: Request, response: Response) -> VendorError:
    kind = refusal.kind or kind_of_status(response.status)
    refused_unseen = response.status in (401, 403, 429)
    return kind(
        _MEANINGS.get(kind.__name__, "the call failed"),
        status=response.status,
        code=redact(refusal.code, request),
        vendor_message=redact(refusal.message, request),
        fields=tuple(bounded(field, 60) for field in refusal.fields[:20]),
        request_id=next((bounded(response.headers[h], 80) for h in _REQUEST_ID_HEADERS if h in response.headers), None),
        safe_to_repeat=refused_unseen or (request.repeatable and response.status >= 500),
        retry_after=refusal.retry_after or retry_after(response),
    )


def retry_after(response: Response) -> timedelta | None:
    """The `Retry-After` of an answer (RFC 9110 section 10.2.3): seconds, or a date against the time of the answer."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 8:
        return timedelta(seconds=int(text))
    try:
        moment: datetime = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(aware - response.received_at, timedelta(0))
