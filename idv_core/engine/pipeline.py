"""Runs a plugin's exchange: credentials on, repeats where they are safe, time bounded, errors of the one tree.

No I/O here: it yields effects.
"""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import httpx

from ..clock import Clock
from ..errors import (
    AuthenticationFailed,
    ConfigError,
    DeadlineExceeded,
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    PluginError,
    RateLimited,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from ..model.words import what_is
from ..plugin.http import Exchange, NotAccepted, Request, Response
from ..runtime.interrupts import interrupt_in
from ..telemetry import Observers, OperationStarted
from ..transports.causes import NOT_TRUSTED, cause_of
from .account import AccountSession, CachedToken
from .breaker import CircuitState
from .clock_skew import skew_of
from .context import Run, Trail
from .effects import Lock, Pause, Queue, Send, Steps
from .error_mapping import answer_error, fault_error, outcome_unknown, unless_carried_out, unless_opened
from .limiters import RateLimiter, Slot
from .log import (
    is_debugging,
    log_answer,
    log_circuit,
    log_distrust,
    log_kept_token,
    log_operation,
    log_request,
    log_retry,
    log_skew,
)
from .scrubbing import keeps_tracebacks

T = TypeVar("T")

_NOBODY = Observers()
# A refused token is replaced so often for one request.
_RENEWALS = 4


def perform(
    session: AccountSession,
    operation: str,
    start: Callable[[], Exchange[T]],
    clock: Clock,
    personal: tuple[str, ...] = (),
    observers: Observers = _NOBODY,
    seconds: float | None = None,
    wanted: type | None = None,
    trail: Trail | None = None,
) -> Steps[T]:
    """Run one operation of the account's adapter. Whatever happens, what comes out is its model or an `IdvError`.

    `personal` are texts about the applicant that a vendor's message might repeat, `seconds` a time that is shorter than
    the account's own for one operation. `wanted` is the class of what the plugin must return, `trail` tells the caller
    afterwards whether anything had gone out.
    """
    before = sys.exception()
    begun = clock.monotonic()
    started = OperationStarted(account=session.name, plugin=session.plugin, operation=operation)
    most = session.limits.operation if seconds is None else min(seconds, session.limits.operation)
    run = Run(session, started, clock, begun + most, personal, observers)
    if trail is not None:
        trail.run = run
    if observers:
        observers.tell("operation_started", started)
    ended_by: str | None = "Cancelled"
    broken: str | None = None
    shown: Exception | None = None
    try:
        value = yield from _converse(run, start(), lambda request: _call(run, request))
        if wanted is None or isinstance(value, wanted):
            ended_by = None
            return value
        broken = f"it returned {what_is(value)}, not a {wanted.__name__}"
    except IdvError as raised:
        error = unless_carried_out(run, raised)
        error.account = error.account or session.name
        error.operation = error.operation or operation
        ended_by = type(error).__name__
        raise error from None
    except Exception as error:
        interrupt = interrupt_in(error, before)
        if interrupt is not None:
            raise interrupt from None
        frame = traceback.extract_tb(error.__traceback__)[-1]
        broken = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
        shown = error if keeps_tracebacks() else None
    finally:
        if broken is not None:
            ended_by = PluginError.__name__ if run.unsure is None else OutcomeUnknown.__name__
        log_operation(run, begun, ended_by)
    # Outside the handler, so that the original (whose locals may hold personal data) is not chained.
    what = f"plugin {session.plugin!r} failed where it must not ({broken}); please report it to its authors"
    where = {"account": session.name, "operation": operation}
    if run.unsure is not None:
        raise outcome_unknown(run, run.unsure, what, **where) from shown
    failure = PluginError(what, **where)
    failure.nothing_done = True
    raise failure from shown


def _converse(run: Run, exchange: Exchange[T], call: Callable[[Request], Steps[Response]]) -> Steps[T]:
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
    except UnexpectedResponse as error:
        # a plugin that cannot read the answer to a create does not know whether there is something now
        if response is None or (request.idempotent and unless_opened(run, request, error) is error):
            raise
        what = f"the answer is not understood: {error.message}"
        raise outcome_unknown(run, request, what, status=response.status) from None
    finally:
        exchange.close()
    failure = answer_error(run, request, response)
    if failure.nothing_done:
        run.refused(request)
    raise failure


def _call(run: Run, request: Request) -> Steps[Response]:
    """One request with the account's credentials. If they are refused it is made again: once by the vendor's clock, or with a
    new token, a few times, because a vendor that keeps one token for each client may meanwhile have given another
    process a newer one."""
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
    understood = False
    try:
        renewals = 0
        while True:
            if renewable:
                token = yield from _renewed(run, token)
            try:
                response = yield from _attempts(run, request, token)
                understood = True
                return response
            except AuthenticationFailed:
                renewals += 1
                if not renewable or renewals == _RENEWALS:
                    raise
            yield Pause(random.uniform(0, session.retry.base * 2**renewals))  # noqa: S311, no secret depends on it
    except VendorError as error:
        # any other refusal than these says that the signature was right
        understood = error.status is not None and 400 <= error.status < 500 and error.status not in (401, 403)
        raise
    finally:
        if not understood:
            # the date did not help, so it was none to go by: a proxy's page, for one, has its own
            session.clock_skew = skew


def _token(run: Run) -> Steps[CachedToken]:
    token = run.session.token
    if token is not None and not token.is_due(run.clock.now()):
        return token
    try:
        return (yield from _renewed(run, token))
    except VendorError:
        if token is None or token.is_over(run.clock.now()):
            raise
    log_kept_token(run)
    return token


def _renewed(run: Run, seen: CachedToken | None) -> Steps[CachedToken]:
    """One caller of the account at a time gets a new token; the others wait for it, no longer than they have."""
    limiter, slot = run.session.renewal, Slot()
    try:
        if not limiter.take(slot):
            yield Lock(limiter, slot, run.left())
            if not slot.granted:
                raise DeadlineExceeded("another call was still renewing the token when the time for this one was up")
        return (yield from _renew(run, seen))
    finally:
        limiter.give_back(slot)


def _renew(run: Run, seen: CachedToken | None) -> Steps[CachedToken]:
    """Get a new token in place of the one `seen`, unless another caller did while this one waited for the lock."""
    current = run.session.token
    if current is not None and current is not seen and not current.is_due(run.clock.now()):
        return current
    exchange = run.session.adapter.obtain_token(seen.grant if seen else None)
    try:
        grant = yield from _converse(run, exchange, lambda request: _attempts(run, request, None, does_nothing=True))
    except (FlowNotFound, DuplicateFlow, InvalidOrder) as error:
        # a token is no flow: what was asked for says nothing about the one that is being worked on
        raise UnexpectedResponse(f"no token was given: {error.message}", status=error.status, code=error.code) from None
    run.session.token = CachedToken.of(grant, run.clock.now())
    return run.session.token


def _attempts(run: Run, request: Request, token: CachedToken | None, *, does_nothing: bool = False) -> Steps[Response]:
    """The call, made again after failures that did no harm, as long as attempts, budget and deadline let it.

    Reading does nothing, and neither do calls for a token.
    """
    session, run.request = run.session, request
    session.budget.earn()
    attempt = 1
    harmless = does_nothing or request.method in ("GET", "HEAD")
    certain = True
    while True:
        try:
            response = yield from _accepted(run, request, token, attempt, harmless)
            if certain and 400 <= response.status < 500 and response.status != 408:
                run.refused(request)
            return response
        except VendorError as error:
            # one attempt that may have been carried out is enough
            certain = error.nothing_done = harmless or (certain and error.nothing_done)
            if certain:
                run.refused(request)
            if not isinstance(error, (VendorUnavailable, RateLimited)):
                raise unless_opened(run, request, error) from None
            chance = random.random()  # noqa: S311, no secret depends on it
            pause = session.retry.pause(attempt, error.retry_after, chance) if error.safe_to_retry else None
            now = run.clock.monotonic()
            closed = session.breaker.state(now) is CircuitState.CLOSED
            if pause is None or now + pause >= run.deadline or not closed or not session.budget.spend():
                raise unless_opened(run, request, error) from None
            reason = error.status or type(error).__name__
        except DeadlineExceeded as error:
            if certain:
                run.refused(request)
                raise
            raise unless_opened(run, request, error) from None
        except (ConfigError, PluginError):
            # no way to send it: no usable proxy, a closed transport, a path that is none
            if certain:
                run.refused(request)
            raise
        log_retry(run, request, attempt, reason)
        yield Pause(pause)
        attempt += 1


def _accepted(run: Run, request: Request, token: CachedToken | None, attempt: int, harmless: bool) -> Steps[Response]:
    """The answer to one request, if its status is one that the operation reads; else the error that it means."""
    limiter, slot = run.session.limiter, Slot()
    try:
        if not limiter.take(slot):
            yield Queue(limiter, slot, run.left())
            if not slot.granted:
                raise DeadlineExceeded(
                    f"all {limiter.most} calls that this account may make at a time were busy (concurrency)"
                )
        if run.session.rate_limiter is not None:
            yield from _pace(run, run.session.rate_limiter)
        response = yield from _send(run, request, token, attempt, harmless)
    finally:
        limiter.give_back(slot)
    if response.is_success or response.status in request.accept:
        return response
    if response.status in (401, 403):
        skew = skew_of(response, run.session.clock_skew)
        if skew is not None:
            # a vendor may refuse what is signed by a clock that goes wrong; from now on its own is used
            run.session.clock_skew = skew
            log_skew(run, skew)
    raise answer_error(run, request, response)


def _pace(run: Run, rate_limiter: RateLimiter) -> Steps[None]:
    wait, reserved = rate_limiter.reserve(run.clock.monotonic(), run.left())
    if not reserved:
        raise RateLimited(
            "our own limit for this account (rate) leaves no room before the deadline",
            safe_to_retry=True,
            nothing_done=True,
            retry_after=timedelta(seconds=wait),
        )
    if wait > 0:
        yield Pause(wait)


def _send(run: Run, request: Request, token: CachedToken | None, attempt: int, harmless: bool) -> Steps[Response]:
    session, clock = run.session, run.clock
    left = run.left()
    begun = clock.monotonic()
    admission = session.breaker.admit(begun)
    if not admission.granted:
        raise VendorUnavailable(
            f"the vendor failed {session.breaker.failures} times in a row, the last time with {session.last_failure}, "
            "and is left alone for a while (circuit open)",
            safe_to_retry=True,
            nothing_done=True,
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
            event = log_request(run, request, attempt)
        if not harmless:
            run.sent(request)
        response = yield Send(session, outgoing, left)
        alive = response.status < 500
        if not alive:
            session.last_failure = f"HTTP {response.status}"
        return response
    except (httpx.TransportError, UnexpectedResponse) as error:
        fault = error
        alive = isinstance(error, UnexpectedResponse)
        if not alive:
            cause = cause_of(error)
            session.last_failure = f"{type(error).__name__}: {cause}"
            if cause == NOT_TRUSTED:
                log_distrust(run)
    finally:
        log_circuit(run, session.breaker.settle(admission, alive, clock.monotonic()))
        if event is not None or is_debugging():
            log_answer(run, request, attempt, event, clock.monotonic() - begun, response, fault)
    raise fault_error(run, fault, request)
