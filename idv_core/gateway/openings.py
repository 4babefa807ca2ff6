"""What this process knows about opened flows, so that one order becomes one flow.

Two calls for one order run one after the other; the second gets the flow of the first. A lost call is remembered with the time
at which it began. Other processes are not visible: a platform with several processes keeps the application id unique in its
own database.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

import attrs

from ..engine.limiters import ConcurrencyLimiter
from ..model import Flow, FlowOrder, Policy
from ..runtime.forks import renew_after_fork

V = TypeVar("V")

# For this many orders a second opening is given the flow of the first, as long as that is alive.
MOST = 5000
# A vendor may still carry out what it was sent when the caller's time was up; for this long after that nothing is certain.
SETTLING = timedelta(seconds=60)


def identity(order: FlowOrder) -> tuple[Hashable, ...]:
    """What makes two orders the same. Co-applicants, other products and the shadow of an order differ."""
    person = order.applicant.reference
    return (order.tenant, order.product, order.template, order.application_id, person, order.is_shadow)


@attrs.frozen(eq=False, repr=False)
class OpenedFlow:
    """A flow that this process opened, and its order."""

    order: FlowOrder = attrs.field(repr=False)
    flow: Flow
    at: datetime


@attrs.frozen(eq=False, repr=False)
class Lost:
    """A create call that got no response: when it began, and the policy of its flow."""

    since: datetime
    policy: Policy | None = attrs.field(default=None, repr=False)


@attrs.define(eq=False, repr=False)
class Openings:
    """Safe for threads."""

    _flows: OrderedDict[Hashable, dict[str, OpenedFlow]] = attrs.field(factory=OrderedDict, repr=False)
    _lost: OrderedDict[Hashable, dict[str, Lost]] = attrs.field(factory=OrderedDict, repr=False)
    _lines: WeakValueDictionary[Hashable, ConcurrencyLimiter] = attrs.field(factory=WeakValueDictionary, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In the child nobody opens anything yet."""
        self._lock = threading.Lock()
        self._lines = WeakValueDictionary()

    def line(self, key: Hashable) -> ConcurrencyLimiter:
        """The line in which all stand who do something with `key`: one at a time, in the order in which they came. It lasts
        as long as somebody holds it."""
        with self._lock:
            return self._lines.setdefault(key, ConcurrencyLimiter(1))

    def flows(self, key: Hashable) -> dict[str, OpenedFlow]:
        """What was opened under this identity, by the account's name at that time."""
        with self._lock:
            return dict(self._flows.get(key, {}))

    def remember(self, key: Hashable, order: FlowOrder, flow: Flow, now: datetime) -> None:
        with self._lock:
            _put(self._flows, key, flow.account, OpenedFlow(order, flow, now))
            _drop(self._lost, key, flow.account)

    def forget(self, key: Hashable, account: str) -> None:
        with self._lock:
            _drop(self._flows, key, account)

    def lose(self, key: Hashable, account: str, since: datetime, policy: Policy | None = None) -> None:
        """Nobody knows whether what began at `since` was carried out. The earliest such moment is kept."""
        with self._lock:
            before = self._lost.get(key, {}).get(account)
            if before is None or since < before.since:
                _put(self._lost, key, account, Lost(since, policy))

    def lost(self, key: Hashable) -> dict[str, Lost]:
        """What was lost under this identity, by the account's name at that time."""
        with self._lock:
            return dict(self._lost.get(key, {}))

    def found(self, key: Hashable, account: str) -> None:
        """It is certain now what became of what was lost."""
        with self._lock:
            _drop(self._lost, key, account)


def _put(known: OrderedDict[Hashable, dict[str, V]], key: Hashable, account: str, value: V) -> None:
    known.setdefault(key, {})[account] = value
    known.move_to_end(key)
    if len(known) > MOST:
        known.popitem(last=False)


def _drop(known: OrderedDict[Hashable, dict[str, V]], key: Hashable, account: str) -> None:
    of_key = known.get(key, {})
    of_key.pop(account, None)
    if not of_key:
        known.pop(key, None)
