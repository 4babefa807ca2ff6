"""Runs a plugin's exchange: credentials on, repeats where they are safe, time bounded, errors of the one tree.

No I/O here: it yields effects.
"""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import attrs
import httpx

from ..clock import Clock
from ..errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    IdvError,
    OutcomeUnknown,
    PermissionDenied,
    PluginError,
    RateLimited,
    Refusal,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
    bounded,
    kind_of_status,
)
from ..protocols import RecoverProtocol
from ..telemetry import CircuitChanged, Observers, OperationEnded, OperationStarted, RequestEnded, RequestStarted
from ..wire import Exchange, NotAccepted, Request, Response
from .account import AccountSession, LiveToken
from .breaker import CircuitState
from .effects import Locked, Pause, Queue, Send, Steps
from .redaction import redact
from .turns import Pace

T = TypeVar("T")
log = logging.getLogger("idv_core")

# Faults of which it is certain that the vendor saw nothing of the request.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
# Answers of which it is certain that nothing was carried out (RFC 9110 section 15.5, RFC 6585 section 4, RFC 8470 5.2).
_REFUSED_UNSEEN = frozenset({401, 403, 425, 429})
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "x-correlation-id")
# A difference of clocks that is worth correcting, and one that no clock has.
_SKEW, _MOST_SKEW = timedelta(seconds=30), timedelta(days=1)
_NOBODY = Observers()


@attrs.frozen
class _Run:
    """One operation under way: whose, until when (monotonic), and which personal words no error may repeat."""

    session: AccountSession
    operation: OperationStarted
    clock: Clock
    deadline: float
    personal: tuple[str, ...] = attrs.field(repr=False)
    observers: Observers

    def left(self) -> float:
        """Seconds until the deadline. Raises DeadlineExceeded when there are none."""
        left = self.deadline - self.clock.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the time for the whole operation was up before the next call could be made")
        return left


def perform(
    session: AccountSession,
    operation: str,
    start: Callable[[], Exchange[T]],
    clock: Clock,
    personal: tuple[str, ...] = (),
    observers: Observers = _NOBODY,
) -> Steps[T]:
    """Run one operation of the account's adapter. Whatever happens, what comes out is its model or an `IdvError`.

    `personal` are texts about the applicant that a vendor's message might repeat.
    """
    begun = clock.monotonic()
    started = OperationStarted(account=session.name, plugin=session.plugin, operation=operation)
    run = _Run(session, started, clock, begun + session.limits.operation, personal, observers)
    if observers:
        observers.tell("operation_started", started)
    ended_by: str | None = "Cancelled"
    broken: str | None = None
    try:
        value = yield from _converse(run, start(), lambda request: _call(run, request))
        ended_by = None
        return value
    except IdvError as error:
        error.account = error.account or session.name
        error.operation = error.operation or operation
        ended_by = type(error).__name__
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        broken = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
        ended_by = PluginError.__name__
    finally:
        _report_operation(run, begun, ended_by)
    # Outside the handler, so that the original (whose locals may hold personal data) is not chained.
    raise PluginError(
        f"plugin {session.plugin!r} failed where it must not ({broken}); please report it to its authors",
        account=session.name,
        operation=operation,
    )


def _converse(run: _Run, exchange: Exchange[T], call: Callable[[Request], Steps[Response]]) -> Steps[T]:
    response: Response | None = None
    try:
        request = next(exchange)
        while True:
            response = None
            response = yield from call(request)
            request = exchange.send(response)
    except StopIteration as stop:
        value: T = stop.value
        return value
    except NotAccepted as refused:
        request, response = refused.request, refused.response
    except UnexpectedResponse:
        # a plugin that cannot read the answer to a create does not know whether there is something now
        if response is None or request.repeatable:
            raise
        raise _outcome_unknown(run, request, "the answer is not understood", status=response.status) from None
    finally:
        exchange.close()
    raise _error(run, request, response)


def _call(run: _Run, request: Request) -> Steps[Response]:
    """One request with the account's credentials. If they are refused it is made again, once: with a new token, or by
    the vendor's clock."""
    session = run.session
    if not isinstance(request, Request):
        raise PluginError(f"plugin {session.plugin!r} yielded a {type(request).__name__} instead of a Request")
    if not request.signed:
        return (yield from _attempts(run, request, None))
    token = (yield from _token(run)) if session.has_token else None
    skew = session.clock_skew
    try:
        return (yield from _attempts(run, request, token))
    except (AuthenticationFailed, PermissionDenied) as error:
        renewable = session.has_token and isinstance(error, AuthenticationFailed)
        if not renewable and session.clock_skew == skew:
            raise
    if renewable:
        token = yield Locked(session, lambda: _renew(run, token))
    return (yield from _attempts(run, request, token))


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
    grant = yield from _converse(run, exchange, lambda request: _attempts(run, request, None))
    run.session.token = LiveToken.of(grant, run.clock.now())
    return run.session.token


def _attempts(run: _Run, request: Request, token: LiveToken | None) -> Steps[Response]:
    """The call, made again after failures that did no harm, as long as attempts, budget and deadline let it."""
    session = run.session
    session.budget.earn()
    attempt = 1
    while True:
        try:
            return (yield from _accepted(run, request, token, attempt))
        except (VendorUnavailable, RateLimited) as error:
            chance = random.random()  # noqa: S311, no secret depends on it
            pause = session.retry.pause(attempt, error.retry_after, chance) if error.safe_to_repeat else None
            now = run.clock.monotonic()
            closed = session.breaker.state(now) is CircuitState.CLOSED
            if pause is None or now + pause >= run.deadline or not closed or not session.budget.spend():
                raise
            reason = error.status or type(error).__name__
        log.info("calling again", extra={**_about(run, request), "idv_attempt": attempt, "idv_reason": reason})
        yield Pause(pause, ())
        attempt += 1


def _accepted(run: _Run, request: Request, token: LiveToken | None, attempt: int) -> Steps[Response]:
    """The answer to one request, if its status is one that the operation reads; else the error that it means."""
    turns = run.session.turns
    turn = None
    if not turns.try_take():
        turn = yield Queue(turns, run.left())
    try:
        if turn is not None and not turn.granted:
            raise DeadlineExceeded(
                f"all {turns.most} calls that this account may make at a time were busy (concurrency)"
            )
        if run.session.pace is not None:
            yield from _pace(run, run.session.pace)
        response = yield from _send(run, request, token, attempt)
    finally:
        turns.give_back(turn)
    if response.is_success or response.status in request.accept:
        return response
    if response.status in (401, 403):
        _learn_skew(run, response)
    raise _error(run, request, response)


def _pace(run: _Run, pace: Pace) -> Steps[None]:
    wait, reserved = pace.reserve(run.clock.monotonic(), run.left())
    if not reserved:
        raise RateLimited(
            "our own limit for this account (rate) leaves no room before the deadline",
            safe_to_repeat=True,
            retry_after=timedelta(seconds=wait),
        )
    if wait > 0:
        yield Pause(wait, ())


def _send(run: _Run, request: Request, token: LiveToken | None, attempt: int) -> Steps[Response]:
    session, clock = run.session, run.clock
    left = run.left()
    begun = clock.monotonic()
    admission = session.breaker.admit(begun)
    if not admission.granted:
        raise VendorUnavailable(
            f"the vendor failed {session.breaker.failures} times in a row, the last time with {session.last_failure}, "
            "and is left alone for a while (circuit open)",
            safe_to_repeat=True,
            retry_after=timedelta(seconds=admission.wait),
        )
    response: Response | None = None
    fault: Exception | None = None
    alive: bool | None = None
    event = None
    try:
        outgoing = request
        if request.signed:
            now = clock.now() + session.clock_skew
            outgoing = session.adapter.authorize(request, token and token.grant.access_token, now)
        if run.observers:
            event = _report_request(run, request, attempt)
        response = yield Send(session, outgoing, left)
        alive = response.status < 500
        if not alive:
            session.last_failure = f"HTTP {response.status}"
        return response
    except (httpx.TransportError, UnexpectedResponse) as error:
        fault = error
        alive = isinstance(error, UnexpectedResponse)
        if not alive:
            session.last_failure = type(error).__name__
    finally:
        _settle(run, session.breaker.settle(admission, alive, clock.monotonic()))
        if event is not None or log.isEnabledFor(logging.DEBUG):
            _report_answer(run, request, attempt, event, clock.monotonic() - begun, response, fault)
    raise _fault(run, fault, request)


def _fault(run: _Run, fault: Exception, request: Request) -> IdvError:
    kind = type(fault).__name__
    if isinstance(fault, _NEVER_SENT):
        return VendorUnavailable(f"the vendor could not be reached ({kind})", safe_to_repeat=True)
    if isinstance(fault, UnexpectedResponse):
        if not request.repeatable:
            return _outcome_unknown(run, request, fault.message, status=fault.status)
        return UnexpectedResponse(fault.message, status=fault.status, safe_to_repeat=True)
    if not request.repeatable:
        return _outcome_unknown(run, request, f"no usable answer came ({kind})")
    if run.clock.monotonic() >= run.deadline:
        return DeadlineExceeded(f"the time for the whole operation was up ({kind})")
    return VendorUnavailable(f"the connection to the vendor failed ({kind})", safe_to_repeat=True)


# What an operation whose fate is unknown is cleared up with.
_ASK = {
    "open": "recover",
    "recover": "recover",
    "upload": "status",
    "submit": "status",
    "renew_link": "renew_link",
    "provision": "provision",
}
_ADVICE = {
    "recover": "Call recover(order) to find out",
    "status": "Look at status(flow) and at what the vendor has before you repeat it",
    "renew_link": "Repeating it is safe: only the newest link counts",
    "provision": "Repeating it is safe: it looks before it makes",
}


def _outcome_unknown(run: _Run, request: Request, what: str, **more: Any) -> OutcomeUnknown:
    ask = _ASK.get(run.operation.operation)
    if ask == "recover" and not isinstance(run.session.adapter, RecoverProtocol):
        ask = None
    advice = _ADVICE.get(ask or "", "This vendor has no call to find out: ask its staff, or wait for its callback")
    return OutcomeUnknown(f"{what}; the vendor may have carried the {request.method} out. {advice}", ask=ask, **more)


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
    status = response.status
    said: dict[str, Any] = {
        "status": status,
        "code": redact(refusal.code, request, run.personal),
        "vendor_message": redact(refusal.message, request, run.personal),
        "fields": tuple(bounded(field, 60) for field in refusal.fields[:20]),
        "request_id": next(
            (bounded(response.headers[name], 80) for name in _REQUEST_ID_HEADERS if name in response.headers), None
        ),
        "retry_after": refusal.retry_after or retry_after(response),
    }
    if refusal.kind is None and not request.repeatable and (status < 400 or status == 408 or status >= 500):
        return _outcome_unknown(run, request, "the answer says nothing certain", **said)
    kind = refusal.kind or kind_of_status(status)
    repeatable = status in _REFUSED_UNSEEN or (request.repeatable and (status == 408 or status >= 500))
    return kind(_MEANINGS.get(kind.__name__, "the call failed"), safe_to_repeat=repeatable, **said)


def retry_after(response: Response) -> timedelta | None:
    """The `Retry-After` of an answer (RFC 9110 section 10.2.3): seconds, or a date against the time of the answer."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 8:
        return timedelta(seconds=int(text))
    moment = _moment(text)
    if moment is None:
        return None
    return max(moment - (_date(response) or response.received_at), timedelta(0))


def _date(response: Response) -> datetime | None:
    """What the vendor's clock said (RFC 9110 section 6.6.1)."""
    return _moment(response.headers.get("date", ""))


def _moment(text: str) -> datetime | None:
    try:
        moment: datetime = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _learn_skew(run: _Run, response: Response) -> None:
    """A vendor may refuse what is signed by a clock that goes wrong; from then on its own clock is used."""
    date = _date(response)
    if date is None:
        return
    skew = date - response.received_at
    if abs(skew - run.session.clock_skew) > _SKEW and abs(skew) < _MOST_SKEW:
        run.session.clock_skew = skew
        log.warning("clocks differ", extra={"idv_account": run.session.name, "idv_skew": skew.total_seconds()})


def _settle(run: _Run, changed: CircuitState | None) -> None:
    if changed is None:
        return
    log.warning("circuit changed", extra={"idv_account": run.session.name, "idv_circuit": str(changed)})
    if run.observers:
        run.observers.tell("circuit_changed", CircuitChanged(account=run.session.name, state=str(changed)))


def _about(run: _Run, request: Request) -> dict[str, object]:
    """The keys that every record about a call has."""
    return {
        "idv_account": run.session.name,
        "idv_operation": run.operation.operation,
        "idv_method": request.method,
        "idv_template": request.template,
    }


def _report_operation(run: _Run, begun: float, error: str | None) -> None:
    if not (run.observers or log.isEnabledFor(logging.DEBUG)):
        return
    seconds = run.clock.monotonic() - begun
    log.debug(
        "operation",
        extra={
            "idv_account": run.session.name,
            "idv_operation": run.operation.operation,
            "idv_error": error,
            "idv_seconds": round(seconds, 3),
        },
    )
    if run.observers:
        run.observers.tell("operation_ended", OperationEnded(started=run.operation, seconds=seconds, error=error))


def _report_request(run: _Run, request: Request, attempt: int) -> RequestStarted:
    scheme, server, port = run.session.server
    event = RequestStarted(
        operation=run.operation,
        method=request.method,
        template=request.template,
        scheme=scheme,
        server=server,
        port=port,
        attempt=attempt,
    )
    run.observers.tell("request_started", event)
    return event


def _report_answer(
    run: _Run,
    request: Request,
    attempt: int,
    event: RequestStarted | None,
    seconds: float,
    response: Response | None,
    fault: Exception | None,
) -> None:
    status = response.status if response is not None else None
    kind = type(fault).__name__ if fault is not None else None
    log.debug(
        "vendor call",
        extra={
            **_about(run, request),
            "idv_attempt": attempt,
            "idv_status": status,
            "idv_fault": kind,
            "idv_seconds": round(seconds, 3),
        },
    )
    if event is not None:
        size = len(response.content) if response is not None else None
        run.observers.tell(
            "request_ended",
            RequestEnded(started=event, seconds=seconds, status=status, fault=kind, response_bytes=size),
        )
