"""Webhooks in bulk: a third repeated, a tenth forged, shuffled, over two processes. IDV_WEBHOOKS=10000 for the long run."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import httpx
import pytest
from acme import order
from books import Town, account, later, make_gateway

from idv_core.ledger import Ledger, State
from idv_core.testing import FakeClock
from idv_core.tracker import Tracker

pytestmark = pytest.mark.long

COUNT = int(os.environ.get("IDV_WEBHOOKS", "600"))
WORKER = Path(__file__).parents[1] / "webhook_worker.py"


def test_each_counts_once_in_all_processes_and_none_that_is_forged(
    url: str, connect: Callable[..., Ledger], clock: FakeClock
) -> None:
    ledger, town, chance = connect(), Town("a"), random.Random(7)
    flows = COUNT // 15
    for number in range(flows):
        person = attrs.evolve(order().applicant, reference=f"CUST-{number}")
        ledger.take(order(application_id=f"APP-{number}", applicant=person))
    gateway = make_gateway(town, clock, account("a", "calling"))
    tracker = Tracker(gateway, ledger, transport=httpx.MockTransport(lambda _: httpx.Response(204)))
    while len(town.shops["a"].opened) < flows:
        tracker.step()
    genuine = COUNT - COUNT // 10
    ids = list(town.shops["a"].callbacks)
    calls = [
        call(town.shops["a"].callbacks[ids[number % flows]], ids[number % flows], number)
        for number in range(genuine * 2 // 3)
    ]
    unique = len(calls)
    calls += chance.choices(calls, k=genuine - unique)
    forged = [
        {**one, "path": one["path"].replace(".", ".x", 1)} if number % 2 else {**one, "headers": {"signature": "wrong"}}
        for number, one in enumerate(chance.choices(calls, k=COUNT - genuine))
    ]
    mixed = calls + forged
    chance.shuffle(mixed)
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(WORKER.parent)},
        )
        for _ in range(2)
    ]
    for index, worker in enumerate(workers):
        assert worker.stdin is not None
        worker.stdin.write("".join(json.dumps(one) + "\n" for one in mixed[index::2]))
        worker.stdin.flush()
    counts: Counter[str] = Counter()
    for worker in workers:
        said, _ = worker.communicate(timeout=300)
        counts.update(json.loads(said))
    assert counts == {"new": unique, "known": genuine - unique, "refused": len(forged)}
    town.shops["a"].status = "good"
    later(ledger, 600)
    while tracker.step():
        pass
    tracker.stop()
    gateway.close()
    verifications = [ledger.find(application_id=f"APP-{number}") for number in range(flows)]
    assert {one.state for one in verifications if one} == {State.DECIDED}
    heard = sum(event.kind == "webhook" for one in verifications if one for event in ledger.events(one.id))
    assert heard == unique
    assert ledger.verify().problems == ()


def call(url: str, id: str, number: int) -> dict[str, object]:
    path = url.removeprefix("https://platform.example/idv/a")
    return {"path": path, "headers": {}, "query": {"id": id}, "body": json.dumps({"n": number})}
