"""`verify` beside those who write: what they add meanwhile is no alarm."""

from __future__ import annotations

from typing import Any

from acme import order
from sqlalchemy import event

from idv_core.ledger import Ledger
from idv_core.ledger.outbox import note
from idv_core.ledger.verification import News


def test_an_event_that_comes_between_the_rows_and_their_events_is_no_alarm(ledger: Ledger) -> None:
    id = ledger.take(order()).id
    added: list[int] = []

    def add(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "FROM idv_event" in statement and not added:
            added.append(1)
            with ledger.store.begin() as con:
                note(ledger.store, con, id, News("looked"))

    event.listen(ledger.store.engine, "before_cursor_execute", add)
    assert ledger.verify().problems == ()
    assert added
    assert len(ledger.events(id)) == 2
