"""Faults and answers to errors of the one tree: what happened, whether a repeat is safe, what to ask next."""

from __future__ import annotations

from typing import Any

import httpx

from ..errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    FlowNotFound,
    IdvError,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Refusal,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
    bounded,
    kind_of_status,
)
from ..plugin.http import Request, Response
from ..plugin.protocols import RecoverProtocol
from ..transports.causes import NOT_TRUSTED, cause_of
from .clock_skew import retry_after
from .context import Run
from .log import report_read_error
from .redaction import redact, redact_code, redact_id

# Faults of which it is certain that the vendor saw nothing of the request.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
# Answers of which it is certain that nothing was carried out (RFC 9110 section 15.5, RFC 6585 section 4, RFC 8470 5.2).
_REFUSED_UNSEEN = frozenset({425, 429})
# Answers of somebody who stopped waiting: what they were about may still be carried out. 499 is what gateways make of a call
# that was cancelled behind them (gRPC's CANCELLED).
GIVEN_UP = frozenset({408, 499})
# What a web page with such a status says is true whoever made it: of the credentials, the time, or the size.
_MEANT_BY_ANYBODY = frozenset({401, 407, 413, 414, 425, 429}) | GIVEN_UP
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "x-correlation-id")


def fault_error(run: Run, fault: Exception, request: Request) -> IdvError:
    """The error for a call that got no usable answer."""
    if isinstance(fault, _NEVER_SENT):
        cause = cause_of(fault)
        message = f"cannot connect to the vendor ({type(fault).__name__}: {cause})"
        # whoever answers there may not be the vendor, and a second try would say the same
        return VendorUnavailable(message, safe_to_retry=cause != NOT_TRUSTED, nothing_done=True)
    if isinstance(fault, UnexpectedResponse):
        if not request.idempotent:
            return outcome_unknown(run, request, fault.message, status=fault.status)
        return UnexpectedResponse(fault.message, status=fault.status, safe_to_retry=True)
    kind = f"{type(fault).__name__}: {cause_of(fault)}"
    if not request.idempotent:
        return outcome_unknown(run, request, f"no usable response came ({kind})")
    if run.clock.monotonic() >= run.deadline:
        return unless_opened(run, request, DeadlineExceeded(f"the deadline passed ({kind})"))
    return VendorUnavailable(f"the connection to the vendor failed ({kind})", safe_to_retry=True)


# What an operation whose fate is unknown is cleared up with.
_ASK = {
    "open": "recover",
    "recover": "recover",
    "upload": "status",
    "submit": "status",
    "renew_link": "renew_link",
    "provision": "provision",
    "cancel": "cancel",
    "erase": "erase",
    "review": "result",
    "simulate": "status",
}
_ADVICE = {
    "recover": "Call recover(order) to find out",
    "status": "Check status(flow) and the vendor's dashboard before you retry",
    "renew_link": "A retry is safe: only the newest link is valid",
    "provision": "A retry is safe: it looks for existing objects first",
    "cancel": "A retry is safe: cancelling twice is cancelling once",
    "erase": "A retry is safe: it tells how far the erasure is",
    "result": "Call result(flow) to see whether the decision arrived",
}


def outcome_unknown(run: Run, request: Request, what: str, **more: Any) -> OutcomeUnknown:
    """For a call that may have been carried out; `what` happened, and what to ask next."""
    ask = _ASK.get(run.operation.operation)
    if ask == "recover" and not isinstance(run.session.adapter, RecoverProtocol):
        ask = None
    advice = _ADVICE.get(ask or "", "The vendor's API cannot tell: ask its support, or wait for its webhook")
    message = f"{what}; the vendor may or may not have processed the {request.method}. {advice}"
    return OutcomeUnknown(message, ask=ask, request=name_of(request), **more)


def name_of(request: Request) -> str:
    """Method and template: what the authors of a plugin find in their code, without a value."""
    return f"{request.method} {request.template}"


def unless_opened(run: Run, request: Request, error: IdvError) -> IdvError:
    """The error of a request that may be repeated; an opening that may have been carried out is still an unknown outcome,
    and nobody but the vendor that knows it again may be asked."""
    unsure = run.is_opening and not request.reads and request.signed
    if not unsure or isinstance(error, OutcomeUnknown) or error.nothing_done:
        return error
    return _lost(run, request, error) if isinstance(error, (VendorError, DeadlineExceeded)) else error


def unless_carried_out(run: Run, error: IdvError) -> IdvError:
    """The error that an operation ends with. Once a request of an opening went out that was not refused, whatever is raised
    afterwards, there may be a flow that nobody was told of."""
    if isinstance(error, OutcomeUnknown):
        return error
    if isinstance(error, VendorError) and error.request is None and run.request is not None:
        error.request = name_of(run.request)
    if run.unsure is None:
        error.nothing_done = True
        return error
    return _lost(run, run.unsure, error) if run.is_opening else error


def _lost(run: Run, request: Request, error: IdvError) -> OutcomeUnknown:
    told = ("status", "code", "vendor_message", "request_id", "retry_after", "fields")
    said = {name: getattr(error, name) for name in told if hasattr(error, name)}
    return outcome_unknown(run, request, error.message, **said)


_MEANINGS = {
    "AuthenticationFailed": "the vendor refused the credentials",
    "PermissionDenied": "the vendor does not allow this account to do this",
    "InvalidOrder": "the vendor rejected the input",
    "FlowNotFound": "the vendor does not know this flow or object",
    "DuplicateFlow": "the vendor already has a flow for this order",
    "RateLimited": "too many calls: the vendor's rate limit is reached",
    "VendorUnavailable": "the vendor is unavailable",
    "UnexpectedResponse": "the vendor's response is not understood",
}


def _read_error(run: Run, request: Request, response: Response) -> Refusal:
    """What the plugin reads out of an error answer. It must not raise; where it does, the status alone counts."""
    try:
        refusal = run.session.adapter.read_error(request, response)
    except Exception as error:
        report_read_error(run, type(error).__name__)
        return Refusal()
    return refusal if isinstance(refusal, Refusal) else Refusal()


def is_readable(request: Request, response: Response) -> bool:
    """Whether the operation that asked gets this answer: one of a status that it reads, and no page of somebody before the
    vendor. What is fetched as a file may be anything, and its store answers with XML."""
    if not (response.is_success or response.status in request.accept):
        return False
    return request.streamed or request.address is not None or not response.is_page


def _is_of_nobody(run: Run, response: Response, refusal: Refusal) -> bool:
    """Whether whoever wrote the answer may not be the vendor, so that its status says nothing of the order or the flow."""
    if not 400 <= response.status < 500 or response.status in _MEANT_BY_ANYBODY:
        return False
    if response.is_page:
        return True
    if refusal.kind is not None or kind_of_status(response.status) is not FlowNotFound:
        return False
    # an address that a proxy does not know is no list without the order in it
    return run.operation.operation == "recover" or response.is_line


def answer_error(run: Run, request: Request, response: Response) -> VendorError:
    """The error that an answer means, in the vendor's words as far as they are harmless."""
    refusal = _read_error(run, request, response)
    status = response.status
    said: dict[str, Any] = {
        "status": status,
        "code": redact_code(refusal.code, request, run.personal),
        "vendor_message": redact(refusal.message, request, run.personal),
        "fields": tuple(bounded(redact_code(field, request, run.personal) or "", 60) for field in refusal.fields[:20]),
        "request_id": next(
            (
                redact_id(response.headers[name], request, run.personal)
                for name in _REQUEST_ID_HEADERS
                if name in response.headers
            ),
            None,
        ),
        "retry_after": refusal.retry_after or retry_after(response),
    }
    if refusal.kind is None and not request.idempotent and (status < 400 or status in GIVEN_UP or status >= 500):
        return outcome_unknown(run, request, "the response is inconclusive", **said)
    kind = refusal.kind or kind_of_status(status)
    if _is_of_nobody(run, response, refusal):
        # who wrote this knows nothing of flows, fields and duplicates
        kind = UnexpectedResponse
    later = kind in (RateLimited, VendorUnavailable)
    idempotent = status in _REFUSED_UNSEEN or (request.idempotent and (status in GIVEN_UP or status >= 500 or later))
    # nothing was done, but as long as nobody changes the key, the account or the input the next call ends alike
    idempotent = idempotent and not issubclass(kind, (AuthenticationFailed, PermissionDenied, InvalidOrder))
    # an answer that a plugin names is one that its vendor documents as a refusal
    refused = refusal.kind is not None or (400 <= status < 500 and status not in GIVEN_UP)
    message = _MEANINGS.get(kind.__name__, "the call failed")
    return kind(message, safe_to_retry=idempotent, nothing_done=refused, **said)
