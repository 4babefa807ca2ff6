"""What a million waiting verifications cost in PostgreSQL, and ten thousand in SQLite: `python tests/ledger_benchmark.py [1000000]`."""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs
import psutil
from acme import order
from books import KEY, Town, account, make_gateway, make_ledger, postgresql_server
from sqlalchemy import insert, text

from idv_core.ledger import Ledger
from idv_core.ledger.tables import verifications
from idv_core.plugin.protocols import Polling
from idv_core.testing import FakeClock
from idv_core.tracker import Tracker
from idv_core.webhooks import WebhookRequest

LEASE = timedelta(seconds=130)
_ROWS = text("""
INSERT INTO idv_verification (id, tenant, application_id, product, state, round, due, turn, hints, seen, tries, attempts,
                              created_at, deadline, seq, head)
SELECT 'ROW' || lpad(n::text, 23, '0'), '', 'ROW-' || n, 'wallet', 'awaiting', 0, now() + interval '1 day' * (1 + random()),
       1, 0, 0, 0, 1, now(), now() + interval '30 days', 0, ''
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
""")


def measured(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def fill(ledger: Ledger, first: int, last: int) -> None:
    with ledger.store.engine.begin() as con:
        con.execute(_ROWS, {"first": first, "last": last})
    with ledger.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as con:
        con.execute(text("VACUUM ANALYZE idv_verification"))


def cpu(ledger: Ledger) -> float:
    """Seconds of CPU of this process and of the database's processes."""
    with ledger.store.engine.connect() as con:
        folder = con.execute(text("SHOW data_directory")).scalar_one()
    servers = [
        one
        for one in psutil.process_iter(["name", "cwd"])
        if one.info["name"] == "postgres" and one.info["cwd"] == folder
    ]
    return sum(sum(one.cpu_times()[:2]) for one in [psutil.Process(), *servers])


def latency(ledger: Ledger, other: Ledger, count: int) -> tuple[float, float]:
    """From a webhook that comes in at another process to the outcome, whose turn calls a vendor that answers at once."""
    town, heard = Town("a"), threading.Event()
    # nothing is found by polling meanwhile
    never = Polling(first=timedelta(hours=1), ceiling=timedelta(hours=1))
    gateway = make_gateway(town, FakeClock(datetime.now(UTC)), account("a", "calling", polling=never))
    for number in range(count):
        person = attrs.evolve(order().applicant, reference=f"CUST-{number}")
        ledger.take(order(application_id=f"APP-{number}", applicant=person))
    with Tracker(gateway, ledger, on_decided=lambda *_: heard.set()):
        while len(town.shops["a"].opened) < count:
            time.sleep(0.1)
        time.sleep(1)
        town.shops["a"].status = "good"
        calls = iter(list(town.shops["a"].callbacks.items()))

        def one() -> None:
            id, url = next(calls)
            path = url.removeprefix("https://platform.example/idv/a")
            heard.clear()
            with gateway.receiving("a", WebhookRequest(method="POST", path=path, query={"id": id})) as received:
                assert other.hint(received)
            assert heard.wait(10)

        result = measured(one, count)
    gateway.close()
    return result


def on_sqlite(count: int) -> None:
    """The same look on one file, and what an idle tracker takes."""
    with tempfile.TemporaryDirectory() as folder:
        clock = FakeClock(datetime.now(UTC))
        ledger = make_ledger(f"sqlite:///{folder}/idv.db", clock)
        medians = []
        for first, last in ((1, 1000), (1001, count)):
            rows = [
                {
                    "id": f"ROW{number:023}",
                    "tenant": "",
                    "application_id": f"ROW-{number}",
                    "product": "wallet",
                    "state": "awaiting",
                    "round": 0,
                    "due": clock.now() + timedelta(days=1),
                    "turn": 1,
                    "hints": 0,
                    "seen": 0,
                    "tries": 0,
                    "attempts": 1,
                    "created_at": clock.now(),
                    "deadline": clock.now() + timedelta(days=30),
                    "seq": 0,
                    "head": b"",
                }
                for number in range(first, last + 1)
            ]
            with ledger.store.engine.begin() as con:
                con.execute(insert(verifications), rows)
            p50, p99 = measured(lambda: ledger.claim("w", LEASE, 8), 1000)
            medians.append(p50)
            print(f"SQLite, empty claim, {last} waiting: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        print(f"SQLite, ratio {medians[1] / medians[0]:.2f}")
        gateway = make_gateway(Town("a"), FakeClock(datetime.now(UTC)), account("a"))
        with Tracker(gateway, ledger):
            time.sleep(2)
            begun, at = sum(psutil.Process().cpu_times()[:2]), time.monotonic()
            time.sleep(20)
            taken = sum(psutil.Process().cpu_times()[:2]) - begun
            print(f"SQLite, idle tracker, {count} waiting: {100 * taken / (time.monotonic() - at):.2f} % of a core")
        gateway.close()
        ledger.close()


def main(count: int) -> None:
    on_sqlite(min(count, 10_000))
    with postgresql_server(is_durable=True) as make:
        url = make()
        ledger = make_ledger(url, FakeClock(datetime.now(UTC)))
        other = Ledger(url, keys=[KEY])
        few = 1000
        fill(ledger, 1, few)
        small = measured(lambda: ledger.claim("w", LEASE, 8), 1000)
        fill(ledger, few + 1, count)
        large = measured(lambda: ledger.claim("w", LEASE, 8), 1000)
        print(f"empty claim, {few} waiting: p50 {small[0]:.2f} ms, p99 {small[1]:.2f} ms")
        print(
            f"empty claim, {count} waiting: p50 {large[0]:.2f} ms, p99 {large[1]:.2f} ms, ratio {large[0] / small[0]:.2f}"
        )
        gateway = make_gateway(Town("a"), FakeClock(datetime.now(UTC)), account("a"))
        with Tracker(gateway, ledger):
            time.sleep(2)
            begun, at = cpu(ledger), time.monotonic()
            time.sleep(20)
            print(
                f"idle tracker, {count} waiting: {100 * (cpu(ledger) - begun) / (time.monotonic() - at):.2f} % of a core"
            )
        p50, p99 = latency(ledger, other, 300)
        print(f"webhook in another process to the outcome, {count} waiting: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
        gateway.close()
        other.close()
        ledger.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
