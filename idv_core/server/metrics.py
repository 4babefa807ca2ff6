"""Prometheus metrics, read from the ledger when they are asked for: the same in every process, and after a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from ..gateway.sync import GatewayBase
from ..ledger import Ledger, State
from ..ledger.store import Store
from ..ledger.tables import deliveries, verifications
from . import reviews, search

_V, _D = verifications.c, deliveries.c
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Ledger(Collector):
    def __init__(self, ledger: Ledger, gateway: GatewayBase) -> None:
        self._ledger, self._gateway = ledger, gateway

    def collect(self) -> Iterator[GaugeMetricFamily]:
        store = self._ledger.store
        counted = search.counts(store)
        by_state: Counter[tuple[str, ...]] = Counter()
        by_decision: Counter[tuple[str, ...]] = Counter()
        for (state, account, decision), count in counted.items():
            by_state[state, account or ""] += count
            if decision is not None:
                by_decision[decision, account or ""] += count
        yield _family("idv_verifications", "Verifications", ("state", "account"), by_state)
        yield _family("idv_decisions", "Decisions of the policies", ("decision", "account"), by_decision)
        unknown = sum(count for (state, *_), count in by_state.items() if state == State.UNKNOWN.value)
        yield _one("idv_unknown", "Verifications of which nobody can tell whether a flow was opened", unknown)
        yield _one("idv_review_waiting", "Verifications that wait for a person", reviews.waiting(store))
        yield _one(
            "idv_due_lag_seconds", "How long the oldest overdue verification waits", due_lag(store).total_seconds()
        )
        waiting, dead = letters(store)
        yield _one("idv_deliveries_waiting", "Messages that are still to be sent", waiting)
        yield _one("idv_deliveries_dead", "Messages that nobody took", dead)
        health = self._gateway.health()
        available = {(name,): int(one.available) for name, one in health.items()}
        yield _family(
            "idv_account_available", "Whether this process calls the account", ("account",), Counter(available)
        )


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _family(name: str, text: str, labels: tuple[str, ...], values: Counter[tuple[str, ...]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family


def due_lag(store: Store) -> timedelta:
    """How long the oldest verification is overdue. It grows when no tracker works."""
    found = select(func.min(_V.due), store.moment().label("now"))
    with store.engine.connect() as con:
        row = con.execute(found).one()
    return max(row[1] - row[0], timedelta(0)) if row[0] is not None else timedelta(0)


def letters(store: Store) -> tuple[int, int]:
    """How many messages are to be sent, and how many are dead."""
    found = select(func.count(_D.due), func.count(_D.dead_at))
    with store.engine.connect() as con:
        waiting, dead = con.execute(found).one()
    return waiting, dead


def exposition(ledger: Ledger, gateway: GatewayBase) -> bytes:
    """All metrics, in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ledger(ledger, gateway))
    return generate_latest(registry)
