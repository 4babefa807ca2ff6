"""What this process knows of the openings of its orders, so that one order becomes one flow.

Two calls for one order come one after the other; the second gets the flow of the first. What was lost on the way is
remembered with the moment at which it began. Other processes are not seen here: a platform that runs several keeps the
application's id unique in its own database before it opens.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

import attrs

from .engine.forks import renew_after_fork
from .engine.turns import Turns
from .model import Flow, FlowOrder

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# For so long, and for so many orders, a second opening is given the flow of the first.
REMEMBERED = timedelta(hours=1)
MOST = 5000
# A vendor may still carry out what it was sent when the caller's time was up; for so long after that nothing is certain.
SETTLING = timedelta(seconds=60)


def identity(order: FlowOrder) -> tuple[str | None, ...]:
    """What makes two orders the same opening. Co-applicants of one application, and other products of it, are others."""
    return (order.tenant, order.product, order.template, order.application_id, order.applicant.reference)


@attrs.frozen
class OpenedFlow:
    """A flow that was opened here, with the order that it was opened for."""

    order: FlowOrder = attrs.field(repr=False)
    flow: Flow
    at: datetime


@attrs.define(eq=False)
class Openings:
    """Safe for threads."""

    _flows: OrderedDict[tuple[Hashable, str], OpenedFlow] = attrs.field(factory=OrderedDict, repr=False)
    _lost: OrderedDict[tuple[Hashable, str], datetime] = attrs.field(factory=OrderedDict, repr=False)
    _lines: dict[Hashable, tuple[Turns, int]] = attrs.field(factory=dict, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In the child nobody opens anything yet."""
        self._lock = threading.Lock()
        self._lines = {}

    @contextmanager
    def line(self, key: Hashable) -> Iterator[Turns]:
        """The line in which all stand who do something with `key`: one at a time, in the order in which they came."""
        with self._lock:
            turns, users = self._lines.get(key, (None, 0))
            turns = turns or Turns(1)
            self._lines[key] = (turns, users + 1)
        try:
            yield turns
        finally:
            with self._lock:
                _, users = self._lines.get(key, (turns, 1))
                if users > 1:
                    self._lines[key] = (turns, users - 1)
                else:
                    self._lines.pop(key, None)

    def opened(self, key: Hashable, accounts: Iterable[str], now: datetime) -> OpenedFlow | None:
        """The flow that was opened under this identity at one of the accounts, if it is not too long ago."""
        with self._lock:
            known = (self._flows.get((key, account)) for account in accounts)
            return next((found for found in known if found and now - found.at < REMEMBERED), None)

    def remember(self, key: Hashable, order: FlowOrder, flow: Flow, now: datetime) -> None:
        with self._lock:
            _put(self._flows, (key, flow.account), OpenedFlow(order, flow, now))
            self._lost.pop((key, flow.account), None)

    def forget(self, key: Hashable, account: str) -> None:
        with self._lock:
            self._flows.pop((key, account), None)

    def lost(self, key: Hashable, account: str, since: datetime) -> None:
        """Nobody knows whether the opening that began at `since` was carried out. The earliest such moment is kept."""
        with self._lock:
            _put(self._lost, (key, account), min(since, self._lost.get((key, account), since)))

    def lost_since(self, key: Hashable, account: str) -> datetime | None:
        with self._lock:
            return self._lost.get((key, account))

    def found_nothing(self, key: Hashable, account: str) -> None:
        """It is certain now that what was lost was not carried out."""
        with self._lock:
            self._lost.pop((key, account), None)


def _put(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > MOST:
        known.popitem(last=False)
