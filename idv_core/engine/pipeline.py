"""Runs one operation of a plugin: asks it for requests, and takes each of them through the same stages.

    authenticate   the token and its renewal, the vendor's clock      `_Authentication`, `_token`, `_renewed_token`
    retry          once more, where that does no harm                 `_Retries`
    limit          concurrency and rate                                `_attempt`, `_rate_limited`
    guard          the circuit breaker                                `Guard`
    send           the request goes out                               `_attempt`

`perform` is the operation, `call` one of its requests, `_attempt` one try of it. Nothing else stands between the gateway and
the driver. No I/O here: effects are yielded.
"""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import httpx

from ..clock import Clock
from ..errors import (
    AuthenticationFailed,
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
from ..plugin.http import Exchange, Request, Response
from ..runtime.interrupts import interrupt_in
from ..telemetry import Observers, OperationStarted
from ..transports.sinks import Sink
from .account import AccountSession, CachedToken
from .breaker import CircuitState
from .clock_skew import skew_of
from .context import Run, Trail
from .conversation import Conversation
from .effects import Lock, Pause, Queue, Send, Steps
from .error_mapping import (
    GIVEN_UP,
    answer_error,
    fault_error,
    is_readable,
    outcome_unknown,
    unless_carried_out,
    unless_opened,
)
from .guard import Guard
from .limiters import Slot
from .log import (
    log_kept_token,
    log_operation,
    log_retry,
    log_skew,
)
from .scrubbing import keeps_tracebacks
from .servers import address_of

T = TypeVar("T")

_NOBODY = Observers()
# A refused token is replaced so often for one request.
_RENEWALS = 4


def perform(
    session: AccountSession,
    operation: str,
    start: Callable[[Any], Exchange[T]],
    clock: Clock,
    personal: tuple[str, ...] = (),
    observers: Observers = _NOBODY,
    seconds: float | None = None,
    wanted: type | None = None,
    trail: Trail | None = None,
    sink: Sink | None = None,
) -> Steps[T]:
    """Run one operation of the account's adapter. Whatever happens, what comes out is its model or an `IdvError`.

    `start` is given the adapter and begins the exchange. `personal` are texts about the applicant that a vendor's message
    might repeat, `seconds` a time that is shorter than the account's own for one operation. `wanted` is the class of what
    the plugin must return, `trail` tells the caller afterwards whether anything had gone out. `sink` takes the body
    of a request that is `streamed`.
    """
    before = sys.exception()
    begun = clock.monotonic()
    started = OperationStarted(account=session.name, plugin=session.plugin, operation=operation)
    most = session.limits.operation if seconds is None else min(seconds, session.limits.operation)
    run = Run(session, started, clock, begun + most, personal, observers, sink=sink)
    if trail is not None:
        trail.run = run
    if observers:
        observers.tell("operation_started", started)
    ended_by: str | None = "Cancelled"
    broken: str | None = None
    shown: Exception | None = None
    try:
        conversation = Conversation(run, start(session.adapter))
        try:
            conversation.begin()
            while not conversation.is_over:
                conversation.answer((yield from call(run, conversation.request)))
        finally:
            conversation.close()
        value = conversation.value
        if wanted is None or isinstance(value, wanted):
            ended_by = None
            return value
        broken = f"{operation} returned {what_is(value)}, not a {wanted.__name__}"
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
    what = f"bug in plugin {session.plugin!r}: {broken}. Please report it to the plugin's authors"
    where = {"account": session.name, "operation": operation}
    if run.unsure is not None:
        raise outcome_unknown(run, run.unsure, what, **where) from shown
    failure = PluginError(what, **where)
    failure.nothing_done = True
    raise failure from shown


def call(run: Run, request: Any, *, for_token: bool = False) -> Steps[Response]:
    """One request of a plugin, with the account's credentials, made again where that does no harm.

    `for_token` is a request that gets the account's token: it carries none, and does nothing at the vendor.
    """
    session = run.session
    if not isinstance(request, Request):
        raise PluginError(
            f"bug in plugin {session.plugin!r}: it yielded a {type(request).__name__} instead of a Request"
        )
    signed = request.signed and not for_token
    token = (yield from _token(run)) if signed and session.has_token else None
    authentication = _Authentication(session, signed)
    try:
        while True:
            run.request = request
            retries = _Retries(run, request, for_token)
            refusal: IdvError | None = None
            while refusal is None:
                try:
                    response = yield from _attempt(run, request, token, retries)
                except IdvError as error:
                    refusal = retries.after(error)
                else:
                    retries.answered(response)
                    authentication.is_understood = True
                    return response
                if refusal is None:
                    yield Pause(retries.pause)
            pause = authentication.after(refusal)
            if pause > 0:
                yield Pause(pause)
            if authentication.renews:
                token = yield from _renewed_token(run, token)
    except VendorError as error:
        authentication.ended_by(error)
        raise
    finally:
        authentication.close()


class _Authentication:
    """Whether a request whose credentials are refused is made again: once by the vendor's clock, or with a new token, a few
    times, because a vendor that keeps one token for each client may meanwhile have given another process a newer one."""

    def __init__(self, session: AccountSession, signed: bool) -> None:
        self.renews = False
        self.is_understood = False
        self._session, self._signed = session, signed
        self._skew = session.clock_skew
        self._refused = False
        self._renewals = 0

    def after(self, refusal: IdvError) -> float:
        """Seconds until the request is made again. Raises the refusal where other credentials would not help."""
        session = self._session
        if not self._signed or not isinstance(refusal, (AuthenticationFailed, PermissionDenied)):
            raise refusal
        if not self._refused:
            self.renews = session.has_token and isinstance(refusal, AuthenticationFailed)
            if not self.renews and session.clock_skew == self._skew:
                raise refusal
            self._refused = True
            return 0.0
        self._renewals += 1
        if not self.renews or self._renewals == _RENEWALS or not isinstance(refusal, AuthenticationFailed):
            raise refusal
        return random.uniform(0, session.retry.base * 2**self._renewals)  # noqa: S311, no secret depends on it

    def ended_by(self, error: VendorError) -> None:
        """Any other refusal than these says that the signature was right."""
        self.is_understood = error.status is not None and 400 <= error.status < 500 and error.status not in (401, 403)

    def close(self) -> None:
        if self._refused and not self.is_understood:
            # the date did not help, so it was none to go by: a proxy's page, for one, has its own
            self._session.clock_skew = self._skew


def _token(run: Run) -> Steps[CachedToken]:
    token = run.session.token
    if token is not None and not token.is_due(run.clock.now()):
        return token
    try:
        return (yield from _renewed_token(run, token))
    except VendorError:
        if token is None or token.is_over(run.clock.now()):
            raise
    log_kept_token(run)
    return token


def _renewed_token(run: Run, seen: CachedToken | None) -> Steps[CachedToken]:
    """A token in place of the one `seen`: a new one, or the one that another caller got while this one waited.

    One caller of the account at a time gets it; the others wait for that, no longer than they have.
    """
    session = run.session
    limiter, slot = session.renewal, Slot()
    assert limiter is not None, "only accounts with tokens ask for one"
    try:
        if not limiter.take(slot):
            yield Lock(limiter, slot, run.left())
            if not slot.granted:
                raise DeadlineExceeded("the deadline passed while another call was renewing the token")
        current = session.token
        if current is not None and current is not seen and not current.is_due(run.clock.now()):
            return current
        conversation = Conversation(run, session.adapter.obtain_token(seen.grant if seen else None))
        try:
            conversation.begin()
            while not conversation.is_over:
                conversation.answer((yield from call(run, conversation.request, for_token=True)))
        except (FlowNotFound, DuplicateFlow, InvalidOrder) as error:
            # a token is no flow: what was asked for says nothing about the one that is being worked on
            said = f"no token: {error.message}"
            raise UnexpectedResponse(said, status=error.status, code=error.code) from None
        finally:
            conversation.close()
        session.token = CachedToken.of(conversation.value, run.clock.now())
        return session.token
    finally:
        limiter.give_back(slot)


class _Retries:
    """Whether a request is made again after a failure that did no harm, as long as attempts, budget and deadline let it.

    Reading does nothing, and neither do calls for a token.
    """

    def __init__(self, run: Run, request: Request, for_token: bool) -> None:
        self.number = 1
        self.pause = 0.0
        self.does_nothing = for_token or request.reads
        self._run, self._request = run, request
        self._nothing_done = True
        run.session.budget.earn()

    def answered(self, response: Response) -> None:
        if self._nothing_done and 400 <= response.status < 500 and response.status not in GIVEN_UP:
            self._run.refused(self._request)

    def after(self, error: IdvError) -> IdvError | None:
        """None where the request is made again after `pause` seconds; else the error that it ends with."""
        run, session = self._run, self._run.session
        if isinstance(error, VendorError):
            # one attempt that may have been carried out is enough
            self._nothing_done = error.nothing_done = self.does_nothing or (self._nothing_done and error.nothing_done)
        if self._nothing_done:
            run.refused(self._request)
        if not isinstance(error, VendorError):
            # no way to send it (no usable proxy, a closed transport, a path that is none), or no time left
            is_late = isinstance(error, DeadlineExceeded) and not self._nothing_done
            return unless_opened(run, self._request, error) if is_late else error
        if not isinstance(error, (VendorUnavailable, RateLimited)):
            return unless_opened(run, self._request, error)
        chance = random.random()  # noqa: S311, no secret depends on it
        pause = session.retry.pause(self.number, error.retry_after, chance) if error.safe_to_retry else None
        now = run.clock.monotonic()
        closed = session.breaker.state(now) is CircuitState.CLOSED
        if pause is None or now + pause >= run.deadline or not closed or not session.budget.spend():
            return unless_opened(run, self._request, error)
        log_retry(run, self._request, self.number, error.status or type(error).__name__)
        self.pause = pause
        self.number += 1
        return None


def _attempt(run: Run, request: Request, token: CachedToken | None, retries: _Retries) -> Steps[Response]:
    """One try: limit, guard, send. The answer if its status is one that the operation reads; else the error it means."""
    session = run.session
    limiter, slot = session.limiter, Slot()
    try:
        if not limiter.take(slot):
            yield Queue(limiter, slot, run.left())
            if not slot.granted:
                raise DeadlineExceeded(
                    f"the deadline passed while this call was queued: all {limiter.most} concurrent calls of the account "
                    "were busy (limits.concurrency)"
                )
        wait = _rate_limited(run)
        if wait > 0:
            yield Pause(wait)
        left = run.left()
        outgoing, address = _prepared(run, request, token)
        guard = Guard(run, request, retries.number)
        try:
            guard.admit()
            guard.begin()
            if not retries.does_nothing:
                run.sent(request)
            guard.response = yield Send(session, outgoing, address, left, run.sink if outgoing.streamed else None)
        except (httpx.TransportError, UnexpectedResponse) as error:
            guard.fault = error
        finally:
            guard.settle()
    finally:
        limiter.give_back(slot)
    if guard.fault is not None:
        raise fault_error(run, guard.fault, request)
    assert guard.response is not None
    return _accepted(run, request, guard.response)


def _rate_limited(run: Run) -> float:
    """Seconds until the account's rate lets this call begin. Raises RateLimited if that is later than the deadline."""
    if run.session.rate_limiter is None:
        return 0.0
    wait, reserved = run.session.rate_limiter.reserve(run.clock.monotonic(), run.left())
    if not reserved:
        raise RateLimited(
            "our own rate limit for this account (limits.rate) allows no call before the deadline",
            safe_to_retry=True,
            nothing_done=True,
            retry_after=timedelta(seconds=wait),
        )
    return wait


def _prepared(run: Run, request: Request, token: CachedToken | None) -> tuple[Request, str]:
    """The request as it goes out, and where to. Whatever is raised here, nothing was sent."""
    try:
        outgoing = _authorized(run, request.with_fresh_nonce(), token)
        return outgoing, address_of(run.session, outgoing)
    except VendorError as error:
        error.nothing_done = True
        raise


def _authorized(run: Run, request: Request, token: CachedToken | None) -> Request:
    if not request.signed:
        return request
    session = run.session
    signed: Request = session.adapter.authorize(
        request, token and token.grant.access_token, run.clock.now() + session.clock_skew
    )
    return signed


def _accepted(run: Run, request: Request, response: Response) -> Response:
    """The answer, if its status is one that the operation reads; else raises the error that it means."""
    if is_readable(request, response):
        return response
    if response.status in (401, 403):
        skew = skew_of(response, run.session.clock_skew)
        if skew is not None:
            # a vendor may refuse what is signed by a clock that goes wrong; from now on its own is used
            run.session.clock_skew = skew
            log_skew(run, skew)
    raise answer_error(run, request, response)
