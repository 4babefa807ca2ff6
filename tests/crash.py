"""Thousands of orders, each given twice, while workers are killed: `nox -s crash`, or `python tests/crash.py 200 8`.

Kills are SIGKILL at named points, so that they meet openings in flight, and at random moments. A line for each database and
driver says what came of it; the exit code is 1 where anything was lost, opened twice, told twice, or where no kill met an
opening (such a run shows nothing).
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
from acme import order
from books import KEY, make_ledger, postgresql_server
from crash_town import Around
from crash_worker import POINTS
from sqlalchemy import func, select

from idv_core.ledger import Ledger
from idv_core.ledger.tables import deliveries, events, verifications
from idv_core.testing import FakeClock

DELAY = 0.03
# a worker that has not come to its point by then is killed from outside
LONGEST = 9.0
TIMEOUT = 600.0
_V = verifications.c


def take_all(ledger: Ledger, product: str, count: int, pause: float) -> None:
    person = order().applicant
    for number in range(count):
        one = attrs.evolve(person, reference=f"{product}-{number}")
        wanted = order(application_id=one.reference, applicant=one, product=product)
        assert ledger.take(wanted).id == ledger.take(wanted).id
        time.sleep(pause)


def left(ledger: Ledger) -> int:
    with ledger.store.engine.connect() as con:
        waiting = con.execute(select(func.count()).where(_V.due.is_not(None))).scalar_one()
        unsent = con.execute(
            select(func.count()).select_from(deliveries).where(deliveries.c.due.is_not(None))
        ).scalar_one()
    return int(waiting + unsent)


class Crew:
    """Workers that are killed, each at a point of its own or from outside, and replaced."""

    def __init__(self, around: Around, workers: int, chance: random.Random) -> None:
        self._around, self._chance = around, chance
        self.at_point = self.kills = 0
        self._workers = [self._armed() for _ in range(workers)]

    def _armed(self) -> tuple[float, subprocess.Popen[str]]:
        point = f"{self._chance.choice(POINTS)}:{self._chance.randint(1, 8)}"
        return time.monotonic() + self._chance.uniform(4, LONGEST), self._around.start(point)

    def kill(self, kills: int) -> None:
        """Until so many were killed."""
        while self.kills < kills:
            time.sleep(0.02)
            for index, (end, worker) in enumerate(self._workers):
                died = worker.poll() is not None
                if not died and time.monotonic() < end:
                    continue
                self.at_point += died
                self.kills += 1
                _end(worker)
                self._workers[index] = self._armed()

    def relieve(self) -> list[subprocess.Popen[str]]:
        """The same number of workers that are left alone."""
        for _, worker in self._workers:
            _end(worker)
        return [self._around.start() for _ in self._workers]


def _end(worker: subprocess.Popen[str]) -> None:
    worker.kill()
    worker.wait()


def apply_schema(url: str) -> None:
    from procrastinate import App, SyncPsycopgConnector

    with App(connector=SyncPsycopgConnector(conninfo=url.replace("+psycopg", ""))).open() as app:
        app.schema_manager.apply_schema()


def crash(
    url: str, name: str, product: str, count: int, kills: int, workers: int, driver: str | None, seed: int
) -> bool:
    """One run. Returns whether everything that must hold did."""
    around = Around(url, delay=DELAY, driver=driver)
    make_ledger(url, FakeClock(datetime.now(UTC))).close()
    if driver == "procrastinate":
        apply_schema(url)
    ledger = Ledger(url, keys=[KEY])
    # orders come for as long as workers are killed
    taking = threading.Thread(target=take_all, args=(ledger, product, count, kills * LONGEST / 2 / workers / count))
    begun = time.monotonic()
    taking.start()
    crew = Crew(around, workers, random.Random(seed))
    crew.kill(kills)
    taking.join()
    others = crew.relieve()
    end = time.monotonic() + TIMEOUT
    while left(ledger) and time.monotonic() < end:
        time.sleep(0.5)
    for worker in others:
        _end(worker)
    good = report(ledger, around, name, product, count, crew, time.monotonic() - begun)
    ledger.close()
    around.stop()
    return good


def report(ledger: Ledger, around: Around, name: str, product: str, count: int, crew: Crew, seconds: float) -> bool:
    with ledger.store.engine.connect() as con:
        states = Counter(dict(con.execute(select(_V.state, func.count()).group_by(_V.state)).all()))
        kinds = Counter(dict(con.execute(select(events.c.kind, func.count()).group_by(events.c.kind)).all()))
        unknown = list(con.execute(select(_V.application_id).where(_V.state == "unknown")).scalars())
    shop, told = around.vendor.shop, around.platform.outcomes
    lost = count - states["decided"] - states["unknown"]
    really = sum(name in shop.flows for name in unknown)
    once = sum(len(outcomes) == 1 for outcomes in told.values())
    met = kinds["recovered"] + kinds["not_opened"] + states["unknown"]
    problems = ledger.verify().problems
    good = not lost and not shop.twice and once == count and not problems and not around.platform.forged and met > 0
    print(
        f"crash: {name} {product} {count} flows, {crew.kills} kills ({crew.at_point} at named points), {seconds:.0f} s, lost {lost}, "
        f"opened twice {len(shop.twice)}, delivered once {once}, the same message again {around.platform.repeated}, "
        f"found again {kinds['recovered']}, not opened after all {kinds['not_opened']}, "
        f"unknown {states['unknown']} (of them really opened {really}), broken chains {len(problems)}"
        f"{'' if good else '  <-- NOT GOOD'}",
        flush=True,
    )
    return good


def runs(folder: str, make: Any, wanted: set[str]) -> Iterator[tuple[str, str, str, int, str | None]]:
    for product in ("acme", "bare"):
        for name, workers, driver in (
            ("sqlite", 1, None),
            ("postgresql-1", 1, None),
            ("postgresql-4", 4, None),
            ("procrastinate", 2, "procrastinate"),
        ):
            if not wanted or name in wanted:
                url = f"sqlite:///{folder}/{product}.db" if name == "sqlite" else make()
                yield url, name, product, workers, driver


def main(count: int = 2000, kills: int = 20, *wanted: str) -> int:
    good = True
    with tempfile.TemporaryDirectory(prefix="idv-crash-") as folder, postgresql_server(is_durable=True) as make:
        for seed, (url, name, product, workers, driver) in enumerate(runs(folder, make, set(wanted)), 1):
            good &= crash(url, name, product, count, kills, workers, driver, seed)
    return 0 if good else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    arguments = sys.argv[1:]
    numbers = [int(one) for one in arguments if one.isdigit()]
    sys.exit(main(*(numbers or [2000, 20]), *(one for one in arguments if not one.isdigit())))
