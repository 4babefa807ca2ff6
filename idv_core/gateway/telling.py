"""Tells observers of decisions, once in this process for each."""

from __future__ import annotations

import threading
from collections import OrderedDict

import attrs

from ..model import Decision, Result
from ..runtime.forks import renew_after_fork
from ..telemetry import Decided, Observers

_MOST = 10_000


@attrs.define(eq=False)
class Decisions:
    """What observers were told of. `are_left` says that a tracker tells instead, which knows more: the order, and whether the
    decision is stored."""

    are_left: bool = False
    _told: OrderedDict[tuple[str, str], None] = attrs.field(factory=OrderedDict, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def tell(self, observers: Observers, result: Result, seconds: float | None) -> None:
        """Tell of a result, if it is decided, final for now, and new."""
        flow = result.flow
        if not observers or self.are_left or result.decision is Decision.UNDECIDED or not flow.status.is_settled:
            return
        with self._lock:
            key = (f"{flow.account}/{flow.id}", result.decision.value)
            if key in self._told:
                return
            self._told[key] = None
            if len(self._told) > _MOST:
                self._told.popitem(last=False)
        observers.tell("decided", decided(result, seconds))


def decided(
    result: Result, seconds: float | None, *, product: str | None = None, country: str | None = None
) -> Decided:
    """The event about a result."""
    why = result.flow.explanation
    return Decided(
        account=result.flow.account,
        route=why.route if why is not None else None,
        product=product,
        country=country,
        decision=result.decision.value,
        seconds=seconds,
        reasons=tuple(reason.code for reason in result.reasons),
    )
