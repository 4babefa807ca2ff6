"""Runs a plugin's exchange: credentials on, time bounded, errors of the one tree. No I/O here: it yields effects."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import attrs
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


@attrs.frozen
class _Run:
    """One operation under way: whose, until when (monotonic), and which personal words no error may repeat."""

    session: AccountSession
    clock: Clock
    deadline: float
    personal: tuple[str, ...]


def perform(
    session: AccountSession,
    operation: str,
    start: Callable[[], Exchange[T]],
    clock: Clock,
    personal: tuple[str, ...] = (),
) -> Steps[T]:
    """Run one operation of the account's adapter. Whatever happens, what comes out is its model or an `IdvError`.

    `personal` are texts about the applicant that a vendor's message might repeat.
    """
    run = _Run(session, clock, clock.monotonic() + session.limits.operation, personal)
    broken: str | None = None
    try:
        return (yield from _converse(run, start(), lambda request: _call(run, request)))
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


def _converse(run: _Run, exchange: Exchange[T], call: Callable[[Request], Steps[Response]]) -> Steps[T]:
    try:
        request = next(exchange)
        while True:
            response = yield from call(request)
            request = exchange.send(response)
    except StopIteration as stop:
        value: T = stop.value
        return value
    except NotAccepted as refused:
        request, response = refused.request, refused.response
    finally:
        exchange.close()
    raise _error(run, request, response)


def _call(run: _Run, request: Request) -> Steps[Response]:
    """One request with the account's token; a refused token is renewed and the call made again, once."""
    if not isinstance(request, Request):
        raise PluginError(f"plugin {run.session.plugin!r} yielded a {type(request).__name__} instead of a Request")
    if not (request.signed and run.session.has_token):
        return (yield from _accepted(run, request, None))
    token = yield from _token(run)
    try:
        return (yield from _accepted(run, request, token))
    except AuthenticationFailed:
        pass
    token = yield Locked(run.session, lambda: _renew(run, token))
    return (yield from _accepted(run, request, token))


def _token(run: _Run) -> Steps[LiveToken]:
    token = run.session.token
    if token is not None and not token.is_due(run.clock.now()):
        return token
    try:
        renewed: LiveToken = yield Locked(run.session, lambda: _renew(run, token))
        return renewed
    except VendorError:
        if token is None or token.is_over(run.clock.now()):
            raise
    log.warning("token not renewed, going on with the old one while it lasts", extra={"idv_account": run.session.name})
    return token


def _renew(run: _Run, seen: LiveToken | None) -> Steps[LiveToken]:
    """Get a new token in place of the one `seen`, unless another caller did while this one waited for the lock."""
    current = run.session.token
    if current is not None and current is not seen and not current.is_due(run.clock.now()):
        return current
    exchange = run.session.adapter.obtain_token(seen.grant if seen else None)
    grant = yield from _converse(run, exchange, lambda request: _accepted(run, request, None))
    run.session.token = LiveToken.of(grant, run.clock.now())
    return run.session.token


def _accepted(run: _Run, request: Request, token: LiveToken | None) -> Steps[Response]:
    """The answer to one request, if its status is one that the operation reads; else the error that it means."""
    response = yield from _send(run, request, token)
    if response.is_success or response.status in request.accept:
        return response
    raise _error(run, request, response)


def _send(run: _Run, request: Request, token: LiveToken | None) -> Steps[Response]:
    outgoing = request
    if request.signed:
        outgoing = run.session.adapter.authorize(request, token and token.grant.access_token, run.clock.now())
    started = run.clock.monotonic()
    if started >= run.deadline:
        raise DeadlineExceeded("the time for the whole operation was up before the next call could be made")
    fault: Exception | None = None
    response: Response | None = None
    try:
        response = yield Send(run.session, outgoing, run.deadline - started)
        return response
    except (httpx.TransportError, httpx.DecodingError) as error:
        fault = error
    finally:
        log.debug(
            "vendor call",
            extra={
                "idv_account": run.session.name,
                "idv_method": request.method,
                "idv_status": response.status if response else None,
                "idv_fault": type(fault).__name__ if fault else None,
                "idv_seconds": round(run.clock.monotonic() - started, 3),
            },
        )
    raise _fault(fault, request, run.clock.monotonic() >= run.deadline)


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


def _error(run: _Run, request: Request, response: Response) -> VendorError:
    refusal: Refusal = run.session.adapter.read_error(request, response)
    kind = refusal.kind or kind_of_status(response.status)
    refused_unseen = response.status in (401, 403, 429)
    return kind(
        _MEANINGS.get(kind.__name__, "the call failed"),
        status=response.status,
        code=redact(refusal.code, request, run.personal),
        vendor_message=redact(refusal.message, request, run.personal),
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
