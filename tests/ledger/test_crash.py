"""SIGKILL at every commit and every call of a turn, with real processes, at a vendor that can be asked and at one that
cannot."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from acme import order
from books import KEY, make_ledger, set_due
from crash_town import Around
from crash_worker import PLUGINS, POINTS

from idv_core.ledger import Ledger, State
from idv_core.testing import FakeClock

pytestmark = pytest.mark.long

# Between the vendor's work and our record nobody can tell what a vendor has that cannot be asked.
HOLE = {"intend.after", "vendor.before", "vendor.after", "commit.opened.before"}


@pytest.fixture
def around(url: str) -> Iterator[Around]:
    around = Around(url)
    yield around
    around.stop()


def test_wherever_a_worker_is_killed_nothing_is_lost_opened_twice_or_told_twice(
    url: str, around: Around, clock: FakeClock
) -> None:
    if not url.startswith("sqlite"):
        make_ledger(url, clock).close()
    ledger = Ledger(url, keys=[KEY])
    ids: dict[tuple[str, str], str] = {}
    for plugin in PLUGINS:
        for point in POINTS:
            person = attrs.evolve(order().applicant, reference=f"{plugin}-{point}")
            taken = ledger.take(order(application_id=person.reference, applicant=person, product=plugin))
            ids[plugin, point] = taken.id
            assert around.run(point) == -signal.SIGKILL, f"the worker did not come to {point}"
            # the next one finds its own order only
            set_due(ledger, datetime.now(UTC) + timedelta(days=1))
    set_due(ledger, datetime.now(UTC))
    for _ in range(10):
        assert around.run() == 0
        if all(ledger.due_in(id) is None for id in ids.values()):
            break
    for (plugin, point), id in ids.items():
        state = ledger.get(id).state
        assert state is (State.UNKNOWN if plugin == "bare" and point in HOLE else State.DECIDED), (plugin, point)
    kinds = {key: [event.kind for event in ledger.events(id)] for key, id in ids.items()}
    recovered = {point for (plugin, point), seen in kinds.items() if plugin == "acme" and "recovered" in seen}
    again = {point for (plugin, point), seen in kinds.items() if plugin == "acme" and "not_opened" in seen}
    assert recovered == {"vendor.after", "commit.opened.before"}
    assert again == {"intend.after", "vendor.before"}
    assert around.vendor.shop.twice == []
    assert {name: len(told) for name, told in around.platform.outcomes.items()} == {
        f"{plugin}-{point}": 1 for plugin, point in ids
    }
    assert around.platform.forged == 0
    assert around.platform.repeated >= 2  # sent and not noted, under the same id
    assert ledger.verify().problems == ()
    ledger.close()
