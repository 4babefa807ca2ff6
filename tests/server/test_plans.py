"""Lists are read by an index on both databases, whatever their collation: a service has millions of rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from books import KEY
from server.plans import plan

from idv_core.ledger import Ledger
from idv_core.ledger.store import Store, connect
from idv_core.server import reviews, search
from idv_core.server.migrating import migrate

# an empty table is read whole, unless that is forbidden
BY_INDEX = "enable_seqscan = off"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    engine = connect(url)
    migrate(engine)
    yield Ledger(engine, keys=[KEY]).store
    engine.dispose()


def test_what_waits_for_a_person_is_read_by_its_own_index(store: Store) -> None:
    said = plan(store, lambda: reviews.queue(store), BY_INDEX)
    assert "ix_idv_verification_review" in said
    # in its order, so that the oldest are found without sorting all
    assert "Sort" not in said
    assert "TEMP B-TREE" not in said


def test_how_an_application_begins_is_a_range_of_its_index(store: Store) -> None:
    said = plan(store, lambda: search.find(store, search.Filter(text="APP-77")), BY_INDEX)
    assert ("~>=~" if store.is_postgresql else "application_id>?") in said


def test_an_application_is_found_by_its_index(store: Store) -> None:
    said = plan(store, lambda: search.find(store, search.Filter(application_id="APP-77")), BY_INDEX)
    assert "idv_verification" in said
    assert ("(application_id)::text =" if store.is_postgresql else "application_id=?") in said
