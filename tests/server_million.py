"""The console over a million verifications, on both databases: `python tests/server_million.py [ROWS] [sqlite|postgresql]`.

Rows are inserted in bulk, as a ledger of 90 days would have them. Then the service runs, pages are asked for over HTTP, and the
plans of the list's statements are looked at. Exits with 1 where the overview takes longer than 300 ms (p99), or where a list
reads the whole table.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from books import KEY, REGISTRY, Town, account, configuration, postgresql_server
from server.plans import plan
from server.running import run_in_thread
from sqlalchemy import Table, event, insert, text

from idv_core import AsyncGateway
from idv_core.ledger import Ledger
from idv_core.ledger.store import connect, new_id
from idv_core.ledger.tables import deliveries, events, verifications
from idv_core.server import keys, performance, search
from idv_core.server.app import create_app
from idv_core.server.console import users
from idv_core.server.console.web import ConsoleOptions
from idv_core.server.migrating import migrate
from idv_core.server.performance import refreshing, rollups
from idv_core.server.tables import counts, facts, marks, reviews

ALLOWED = 300
DAYS, PART, FRESH = 90, 20_000, 5_000
ACCOUNTS = ("a", "b", "c", "d")
PRODUCTS = ("wallet", "loan", "msme-loan", "card", "account")
ENDS = [("approved", 68), ("declined", 12), ("review", 6), ("expired", 6), ("failed", 2), ("awaiting", 4)]
ENDS += [("following", 1), ("unknown", 1)]


def made(rows: int) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Verifications with their facts, the oldest first; the newest ones have no fact yet."""
    dice, now = random.Random(7), datetime.now(UTC)
    words, weights = zip(*ENDS, strict=True)
    for n in range(rows):
        at = now - timedelta(days=DAYS) * (1 - n / rows)
        word = dice.choices(words, weights)[0]
        decision = word if word in ("approved", "declined", "review") else None
        state = "decided" if decision else word
        name, product, took = dice.choice(ACCOUNTS), dice.choice(PRODUCTS), int(dice.lognormvariate(12, 1.5))
        end = at + timedelta(milliseconds=took) if decision else None
        id = new_id(at)
        zeros = dict.fromkeys(("turn", "hints", "seen", "tries", "attempts"), 0)
        common = {"product": product, "state": state, "decision": decision, "account": name, "created_at": at, "seq": 1}
        row = {
            "id": id,
            "format": 1,
            "tenant": "",
            "application_id": f"APP-{n}",
            "round": 1,
            "deadline": at,
            "head": b"",
        }
        row |= {**zeros, **common, "decided_at": end}
        fact = {
            "verification_id": id,
            **common,
            "assigned": name,
            "route": "all",
            "country": dice.choice(["IN", "KZ", "CO"]),
        }
        fact |= {"document": "passport", "opened_at": at, "started_at": at, "completed_at": end, "ended_at": end}
        fact |= {
            "outcome": decision or {"expired": "abandoned", "failed": "failed"}.get(word),
            "took": took if end else None,
        }
        fact |= {"is_waiting": word == "review" and not (n + 1) % 1000}
        fact |= {"is_prompt": end is not None, "is_faulty": word == "failed", "shadow": None, "shadow_status": None}
        yield row, fact if n < rows - FRESH else None


def unsynchronised(connection: Any, _: object) -> None:
    # nobody pulls the plug while the rows are inserted
    connection.execute("PRAGMA synchronous = OFF")


def fill(ledger: Ledger, rows: int) -> None:
    store = ledger.store
    if not store.is_postgresql:
        event.listen(store.engine, "connect", unsynchronised)
        store.engine.dispose()

    def write(table: Table, some: list[dict[str, Any]]) -> None:
        if some:
            with store.engine.begin() as con:
                con.execute(insert(table), some)

    by: Counter[rollups.Key] = Counter()
    parts: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (verifications, events, deliveries, facts, reviews)
    }
    for n, (row, fact) in enumerate(made(rows), 1):
        id, at = row["id"], row["created_at"]
        parts[verifications].append(row)
        said = {"actor": "platform", "kind": "ordered", "data": "{}", "digest": b""}
        parts[events].append({"n": n, "verification_id": id, "seq": 1, "at": at, **said})
        message = {
            "id": f"msg_{id}",
            "verification_id": id,
            "endpoint": "loans",
            "type": "verification.decided",
            "round": 1,
        }
        parts[deliveries].append({**message, "body": "{}", "created_at": at, "turn": 1, "tries": 1, "done_at": at})
        if fact is not None:
            parts[facts].append(fact)
            by.update(rollups.contributions(fact))
        if row["decision"] == "review" and n % 1000:
            parts[reviews].append({"verification_id": id, "round": 1, "outcome": "approved", "author": "ana"})
        if n % PART == 0 or n == rows:
            for table, some in parts.items():
                write(table, some)
                some.clear()
    write(counts, [dict(zip(rollups.KEY, key, strict=True)) | {"count": many} for key, many in by.items()])
    mark = refreshing.Mark(seen=rows - FRESH, safe=rows - FRESH, check=rows - FRESH)
    write(marks, [{"name": "facts", "event": mark.text}])
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as con:
        con.execute(text("ANALYZE"))
    if not store.is_postgresql:
        event.remove(store.engine, "connect", unsynchronised)
    store.engine.dispose()


def asked(client: httpx.Client, path: str, times: int) -> tuple[float, float, float]:
    """p50 and p99 of a page, and what client and service spend of the CPU for one, in seconds."""
    took = []
    spent = time.process_time()
    for _ in range(times):
        begin = time.perf_counter()
        assert client.get(path).status_code == 200, path
        took.append(time.perf_counter() - begin)
    took.sort()
    return took[len(took) // 2], took[min(len(took) - 1, int(0.99 * len(took)))], (time.process_time() - spent) / times


def plans(ledger: Ledger, id: str) -> Iterator[tuple[str, str]]:
    """The statements of the list, with what the database does about them."""
    wanted = {
        "first page": search.Filter(),
        "by id": search.Filter(text=id),
        "by application": search.Filter(text="APP-77"),
    }
    wanted |= {"by state": search.Filter(state=search.State.UNKNOWN), "next page": search.Filter(before=id)}
    for name, one in wanted.items():
        yield name, plan(ledger.store, partial(search.find, ledger.store, one))


def measure(url: str, rows: int) -> bool:
    engine = connect(url)
    migrate(engine)
    engine.dispose()
    ledger = Ledger(url, keys=[KEY])
    begin = time.perf_counter()
    fill(ledger, rows)
    print(f"  {rows} rows inserted in {time.perf_counter() - begin:.0f} s")
    begin = time.perf_counter()
    written = performance.refresh(ledger.store)
    print(f"  {written} facts made in {time.perf_counter() - begin:.1f} s")
    users.add(ledger.store, "ana", [], None)
    bearer = keys.add(ledger.store, "million", ["read"]).reveal()
    (newest, *_), _ = search.find(ledger.store, search.Filter(), 1)
    is_good = True
    for name, made_of in plans(ledger, newest.id):
        scans = [
            line
            for line in made_of.splitlines()
            if "Seq Scan on idv_verification" in line or line == "SCAN idv_verification"
        ]
        print(f"  plan {name}: {'reads the whole table' if scans else 'by index'}")
        if scans:
            print(made_of)
            is_good = False
    gateway = AsyncGateway(
        configuration(*(account(name) for name in ACCOUNTS)),
        transport=httpx.MockTransport(Town(*ACCOUNTS)),
        registry=REGISTRY,
    )
    address, stop = run_in_thread(create_app(gateway, ledger, console=ConsoleOptions(user_header="x-user")))
    pages = {
        "/console": 100,
        "/console?days=90": 50,
        "/console/verifications": 50,
        f"/console/verifications?text={newest.id}": 50,
        "/console/verifications?text=APP-77": 50,
        "/console/verifications?state=unknown": 20,
        "/console/verifications?product=loan": 20,
        "/console/verifications?review_state=waiting": 20,
        f"/console/verifications/{newest.id}": 20,
        "/console/review": 20,
        "/console/trouble": 20,
        "/v1/verifications?application_id=APP-77": 20,
        "/v1/verifications?account=a&decision=review&review_state=decided": 20,
        "/v1/verifications?tenant=nobody": 20,
        "/metrics": 20,
        "/console/performance": 3,
        "/console/performance?since=": 3,
    }
    with httpx.Client(
        base_url=address, headers={"x-user": "ana", "authorization": f"Bearer {bearer}"}, timeout=120
    ) as client:
        for path, times in pages.items():
            asked(client, path, 2)
            p50, p99, cpu = (1000 * seconds for seconds in asked(client, path, times))
            said = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, CPU {cpu:.0f} ms ({times} times)"
            print(f"  {path.replace(newest.id, 'ID')}: {said}")
            is_good &= path != "/console" or p99 <= ALLOWED
    stop()
    asyncio.run(gateway.close())
    ledger.close()
    return is_good


def main() -> int:
    words = sys.argv[1:]
    rows = int(words[0]) if words else 1_000_000
    kinds = words[1:] or ["sqlite", "postgresql"]
    is_good = True
    if "sqlite" in kinds:
        print("sqlite")
        with tempfile.TemporaryDirectory() as folder:
            is_good &= measure(f"sqlite:///{Path(folder)}/idv.db", rows)
    if "postgresql" in kinds:
        print("postgresql")
        with postgresql_server() as make:
            address: Callable[[], str] = make
            is_good &= measure(address(), rows)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
