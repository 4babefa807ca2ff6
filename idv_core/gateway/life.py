"""What is done with a flow besides opening and reading it: cancel, erase, media, retry, review, simulate; coverage."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import attrs

from .. import model
from ..engine.account import AccountSession
from ..engine.effects import Lock, Steps
from ..engine.limiters import Slot
from ..errors import FlowNotFound, IdvError, InvalidOrder, PluginError, UnsupportedOperation
from ..model import Flow, FlowOrder
from ..plugin.protocols import (
    CancelProtocol,
    CoverageProtocol,
    EraseProtocol,
    MediaProtocol,
    RetryProtocol,
    ReviewProtocol,
    SimulateProtocol,
)
from ..transports.sinks import FileSink
from .documents import check_order
from .execution import SHADOW_SECONDS, check_granted, execute, execute_on_flow, flow_at, needs, once
from .openings import identity
from .operations import also
from .state import GatewayState

if TYPE_CHECKING:
    from ..model import Coverage, Downloaded, Erasure, Media, Review

T = TypeVar("T")

To = str | os.PathLike[str] | BinaryIO


def cancel(state: GatewayState, flow: Flow | str) -> Steps[Flow]:
    session, flow = flow_at(state, flow)
    needs(session, CancelProtocol, "cancel", "its flows end by themselves; do not hand out the link any more")
    after = yield from _cancel(state, session, flow)
    return (yield from also(state, after, "cancel", CancelProtocol, partial(_cancel, state)))


def _cancel(state: GatewayState, session: AccountSession, flow: Flow, seconds: float | None = None) -> Steps[Flow]:
    after = yield from execute_on_flow(state, session, "cancel", flow, lambda adapter: adapter.cancel(flow), seconds)
    # whatever the vendor still gives out leads nowhere any more
    return attrs.evolve(after, link=None, sdk=None)


def erase(state: GatewayState, flow: Flow | str) -> Steps[Erasure]:
    session, flow = flow_at(state, flow)
    needs(session, EraseProtocol, "erase", "its API erases nothing. Ask its support in writing, and note the answer")
    erasure = yield from execute(state, session, "erase", lambda adapter: adapter.erase(flow), model.Erasure)
    if flow.shadow is None:
        return erasure
    return attrs.evolve(erasure, shadow=(yield from _erase_shadow(state, flow.shadow)))


def _erase_shadow(state: GatewayState, shadow: Flow) -> Steps[Erasure]:
    """What goes wrong there is told, for a copy that stays is a promise broken."""
    try:
        session = state.active.session_of_flow(shadow.account)
        needs(session, EraseProtocol, "erase", "its API erases nothing. Ask its support in writing")
        return (
            yield from execute(
                state, session, "erase", lambda adapter: adapter.erase(shadow), model.Erasure, seconds=SHADOW_SECONDS
            )
        )
    except IdvError as error:
        return model.Erasure(
            status=model.ErasureStatus.REFUSED, reason=f"{shadow.account}: {error.message}; erase {shadow.ref}"
        )


def media(state: GatewayState, flow: Flow | str) -> Steps[tuple[Media, ...]]:
    session, flow = flow_at(state, flow)
    needs(session, MediaProtocol, "media", "its API gives out no pictures; look at the vendor's dashboard")
    found = yield from execute(state, session, "media", lambda adapter: adapter.media(flow), tuple)
    if not all(isinstance(one, model.Media) for one in found):
        what = f"bug in plugin {session.plugin!r}: media returned something besides Media"
        raise PluginError(what, account=session.name)
    return found


def download(state: GatewayState, flow: Flow | str, item: Media, to: To) -> Steps[Downloaded]:
    """The file goes to `to` piece by piece; a path has it whole at the end, or not at all."""
    session, flow = flow_at(state, flow)
    needs(session, MediaProtocol, "download", "its API gives out no pictures; look at the vendor's dashboard")
    if not isinstance(item, model.Media):
        raise InvalidOrder("media: give one of those that media(flow) returned", fields=("media",))
    sink = FileSink(to)
    try:
        content = yield from execute(
            state, session, "download", lambda adapter: adapter.download(flow, item), sink=sink
        )
        if isinstance(content, bytes):
            sink.begin()
            sink.write(content)
        if not sink.size:
            raise FlowNotFound("the vendor gave an empty file", account=session.name, operation="download")
        sink.commit()
    finally:
        sink.abandon()
    return model.Downloaded(
        media=item, content_type=sink.content_type or item.content_type, size=sink.size, sha256=sink.sha256
    )


def retry(state: GatewayState, flow: Flow | str, order: FlowOrder) -> Steps[Flow]:
    """A new attempt. While one is under way or was lost, there is no second one."""
    session, before = flow_at(state, flow)
    needs(session, RetryProtocol, "retry", "open another flow, under another application_id")
    check_order(order, state.clock.now())
    order = attrs.evolve(order, is_shadow=before.is_shadow)
    # decided as the attempt before
    mark = before.policy.mark if before.policy is not None else before.policy_mark
    asked = state.active.with_urls(session.name, order, mark)
    key = ("retry", state.active.owner(before.account), before.id)
    limiter, slot = state.openings.line(key), Slot()
    try:
        if not limiter.take(slot):
            yield Lock(limiter, slot, session.limits.operation)
            check_granted(slot, "retry")
        known = state.openings.flows(key).get(session.name)
        if known is not None:
            return known.flow
        after = yield from once(
            state,
            session,
            key,
            "retry",
            lambda trail: execute(
                state,
                session,
                "retry",
                lambda adapter: adapter.retry(before, asked),
                Flow,
                order.applicant.personal_texts(),
                trail=trail,
            ),
        )
        after = attrs.evolve(
            after,
            account=session.name,
            application_id=order.application_id,
            created_at=state.clock.now(),
            policy=before.policy,
            policy_mark=before.policy_mark,
            subject=after.subject or before.subject,
            is_shadow=before.is_shadow,
            explanation=before.explanation,
            previous_id=after.previous_id or before.id,
            attempt=max(after.attempt, before.attempt + 1),
        )
        for name in (key, identity(order)):
            state.openings.remember(name, order, after, state.clock.now())
        return after
    finally:
        limiter.give_back(slot)


def review(state: GatewayState, flow: Flow | str, decision: Review) -> Steps[Flow]:
    session, flow = flow_at(state, flow)
    needs(session, ReviewProtocol, "review", "it takes no decision by API; decide in its dashboard, or on your side")
    if not isinstance(decision, model.Review):
        raise InvalidOrder("review: give a Review(outcome, author, reason)", fields=("review",))
    return (yield from execute_on_flow(state, session, "review", flow, lambda adapter: adapter.review(flow, decision)))


def simulate(state: GatewayState, flow: Flow | str, outcome: str) -> Steps[Flow]:
    session, flow = flow_at(state, flow)
    needs(session, SimulateProtocol, "simulate", "its test mode cannot be told how a flow ends")
    if not session.is_test:
        raise UnsupportedOperation(
            "simulate is for test accounts: set test = true for this account",
            account=session.name,
            operation="simulate",
        )
    words = tuple(session.adapter.simulations)
    if outcome not in words:
        raise InvalidOrder(f"outcome: must be one of {', '.join(words)}", fields=("outcome",), account=session.name)
    return (
        yield from execute_on_flow(state, session, "simulate", flow, lambda adapter: adapter.simulate(flow, outcome))
    )


def coverage(state: GatewayState, account: str | None) -> Steps[Coverage]:
    session = state.active.session(account)
    needs(session, CoverageProtocol, "coverage", "its pages say what it can do, not its API")
    return (yield from execute(state, session, "coverage", lambda adapter: adapter.coverage(), model.Coverage))
