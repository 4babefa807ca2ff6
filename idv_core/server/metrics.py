"""Prometheus metrics, read from the ledger when they are asked for: the same in every process, and after a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from ..gateway.sync import GatewayBase
from ..ledger import Ledger, State
from ..ledger.store import Store
from ..ledger.tables import deliveries, verifications
from .performance import rollups
from .performance.refreshing import refresh_for_page
from .performance.rollups import sums

_V, _D = verifications.c, deliveries.c
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Ledger(Collector):
    def __init__(self, ledger: Ledger, gateway: GatewayBase) -> None:
        self._ledger, self._gateway = ledger, gateway

    def collect(self) -> Iterator[GaugeMetricFamily | HistogramMetricFamily]:
        store = self._ledger.store
        refresh_for_page(store)
        with store.engine.connect() as con:
            by_state = sums(con, rollups.STATE, "word", "account")
            by_decision = sums(con, rollups.DECISION, "word", "account")
            by_outcome = sums(con, rollups.OUTCOME, "word", "account")
            by_fault = sums(con, rollups.FAULT, "account")
            took = sums(con, rollups.TOOK, "account", "word")
            waiting_for_person = sums(con, rollups.WAITING).total()
        yield _family("idv_verifications", "Verifications", ("state", "account"), by_state)
        yield _family("idv_decisions", "Decisions of the policies", ("decision", "account"), by_decision)
        yield _family("idv_outcomes", "Verifications that have ended", ("outcome", "account"), by_outcome)
        text = "Verifications in which the account that the route named first failed at least once"
        yield _family("idv_faulty", text, ("account",), by_fault)
        yield _times(took)
        unknown = in_state(store, State.UNKNOWN)
        yield _one("idv_unknown", "Verifications of which nobody can tell whether a flow was opened", unknown)
        yield _one("idv_review_waiting", "Verifications that wait for a person", waiting_for_person)
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


def _times(took: Mapping[tuple[str, str], int]) -> HistogramMetricFamily:
    """How long it took from opened to completed. The sum is not kept, and a histogram may leave it out (OpenMetrics 1.0)."""
    text = "Seconds from opened to completed"
    family = HistogramMetricFamily("idv_time_to_result_seconds", text, labels=("account",))
    by_account: dict[str, dict[str, int]] = {}
    for (account, word), count in took.items():
        by_account.setdefault(account, {})[word] = count
    bounds = [*((name, f"{seconds:g}") for name, seconds in rollups.STEPS.items()), (rollups.LONGER, "+Inf")]
    for account, found in sorted(by_account.items()):
        total = 0
        buckets = [(bound, total := total + found.get(name, 0)) for name, bound in bounds]
        family.add_metric([account], buckets=buckets, sum_value=None)
    return family


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _family(name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family


def due_lag(store: Store) -> timedelta:
    """How long the oldest verification is overdue. It grows when no tracker works."""
    found = select(func.min(_V.due), store.moment().label("now")).where(_V.due.is_not(None))
    with store.engine.connect() as con:
        row = con.execute(found).one()
    return max(row[1] - row[0], timedelta(0)) if row[0] is not None else timedelta(0)


def in_state(store: Store, state: State) -> int:
    """How many are in a state now. For one that few are in: they are counted."""
    with store.engine.connect() as con:
        return int(con.execute(select(func.count()).where(_V.state == state.value)).scalar_one())


def letters(store: Store) -> tuple[int, int]:
    """How many messages are to be sent, and how many are dead."""
    # each by its own index, however many were sent
    some = (select(func.count()).where(column.is_not(None)) for column in (_D.due, _D.dead_at))
    with store.engine.connect() as con:
        waiting, dead = (con.execute(one).scalar_one() for one in some)
    return waiting, dead


def exposition(ledger: Ledger, gateway: GatewayBase) -> bytes:
    """All metrics, in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ledger(ledger, gateway))
    return generate_latest(registry)
