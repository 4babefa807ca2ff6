"""Waits until a flow ends."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from inspect import isawaitable
from typing import Any, TypeAlias

from ..engine.account import AccountSession
from ..engine.effects import Await, Pause, Steps
from ..engine.log import log_look_failed
from ..engine.waiters import wake_keys
from ..errors import (
    DeadlineExceeded,
    IdvError,
    InvalidOrder,
    RateLimited,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from ..model import Flow, Result
from ..model.validation import seconds
from . import operations
from .documents import check_function
from .execution import flow_at
from .state import GatewayState

Progress: TypeAlias = Callable[[Result], Any]

# Two looks begin at least this many seconds apart, and each may take that long also when the wait is nearly over.
_LOOK_DISTANCE = 1.0
_LOOK_SECONDS = 10.0
_GROWTH = 1.5


def wait(
    state: GatewayState,
    flow: Flow | str,
    deadline: timedelta | float,
    progress: Progress | None,
) -> Steps[Result]:
    """Poll with growing pauses, and at once when a webhook arrives, until the flow ends."""
    session, flow = flow_at(state, flow)
    try:
        patience = seconds(deadline)
    except ValueError as error:
        raise InvalidOrder(f"deadline: {error}", fields=("deadline",), account=session.name, operation="wait") from None
    check_function("progress", progress)
    end = state.clock.monotonic() + patience
    pause = first = session.polling.first.total_seconds()
    ceiling = session.polling.ceiling.total_seconds()
    failure: IdvError | None = None
    # registered before the first look, so that a webhook which comes in during a look is not missed
    owner = state.active.owner(session.name)
    with state.waiters.waiting(wake_keys(owner, flow.id, flow.application_id)) as waiting:
        while True:
            seen, begun = waiting.count, state.clock.monotonic()
            before = failure
            result, failure = yield from _look(state, flow, end)
            if failure is not None and type(failure) is not type(before):
                log_look_failed(session.name, type(failure).__name__)
            if result is not None:
                flow = result.flow
                told = progress(result) if progress is not None else None
                if isawaitable(told):
                    yield Await(told)
                if result.status.is_settled:
                    return result
            left = end - state.clock.monotonic()
            if left <= 0:
                raise _too_late(session, flow, patience, failure)
            asked = failure.retry_after if isinstance(failure, VendorError) else None
            jittered = pause * random.uniform(0.9, 1.1)  # noqa: S311, no secret depends on it
            yield Pause(min(max(jittered, asked.total_seconds() if asked else 0.0), left), waiting, seen)
            woken = waiting.count != seen
            pause = first if woken else min(pause * _GROWTH, ceiling)
            # however many webhooks come in, the vendor is not asked more often than that
            early = _LOOK_DISTANCE - (state.clock.monotonic() - begun)
            if woken and early > 0:
                yield Pause(min(early, max(end - state.clock.monotonic(), 0.0)))


def _look(state: GatewayState, flow: Flow, end: float) -> Steps[tuple[Result | None, IdvError | None]]:
    """The result, or what kept it from coming that may be over at the next look."""
    left = max(end - state.clock.monotonic(), _LOOK_SECONDS)
    try:
        return (yield from operations.result(state, flow, left)), None
    except (VendorUnavailable, RateLimited, UnexpectedResponse, DeadlineExceeded) as error:
        return None, error


def _too_late(session: AccountSession, flow: Flow, patience: float, failure: IdvError | None) -> DeadlineExceeded:
    seen = f"the last status check failed ({failure.message})" if failure is not None else f"the flow is {flow.status}"
    return DeadlineExceeded(
        f"not finished within {patience:g} s: {seen}; call wait again, or check later",
        account=session.name,
        operation="wait",
    )
