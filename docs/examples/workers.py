"""Two web processes and two workers with one database: webhooks arrive anywhere, each result is fetched and kept once.

The web processes open flows and receive webhooks; both only write rows. A worker takes rows that are due, one at a time. SQLite
here; with PostgreSQL `SELECT ... FOR UPDATE SKIP LOCKED` does what `UPDATE ... RETURNING` does below.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from idv_core import Decision, Flow, FlowOrder, Gateway, Received, Result, WebhookApp, from_json, to_json
from idv_core.errors import IdvError

_TABLE = """
CREATE TABLE IF NOT EXISTS verification (
    application_id TEXT PRIMARY KEY,
    ref TEXT NOT NULL,            -- account/id, as webhooks name it
    flow TEXT NOT NULL,           -- to_json(flow, secrets=True): encrypt it
    decision TEXT,
    due TEXT,                     -- when to look next; NULL when it is over
    taken_by TEXT
)
"""
LOOK_EVERY = timedelta(minutes=5)


class Store:
    """The table. Each process has its own connection."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute(_TABLE)

    def add(self, flow: Flow, due: datetime) -> None:
        stored = json.dumps(to_json(flow, secrets=True))
        self._db.execute(
            "INSERT INTO verification (application_id, ref, flow, due) VALUES (?, ?, ?, ?)",
            (flow.application_id, f"{flow.account}/{flow.id}", stored, due.isoformat()),
        )

    def look_now(self, now: datetime, application_id: str | None, ref: str | None = None) -> None:
        """There is news: whatever was decided, look again."""
        values = (now.isoformat(), application_id, ref)
        self._db.execute("UPDATE verification SET due = ? WHERE application_id = ? OR ref = ?", values)

    def take(self, worker: str, now: datetime) -> tuple[str, Flow] | None:
        """One row that is due and that nobody else has."""
        row = self._db.execute(
            """UPDATE verification SET taken_by = ? WHERE application_id = (
                 SELECT application_id FROM verification
                 WHERE due <= ? AND taken_by IS NULL ORDER BY due LIMIT 1
               ) RETURNING application_id, flow""",
            (worker, now.isoformat()),
        ).fetchall()
        return (row[0][0], from_json(Flow, json.loads(row[0][1]))) if row else None

    def keep(self, application_id: str, result: Result | None, due: datetime | None) -> None:
        decision = None if result is None or result.decision is Decision.UNDECIDED else result.decision.value
        self._db.execute(
            "UPDATE verification SET decision = COALESCE(?, decision), due = ?, taken_by = NULL WHERE application_id = ?",
            (decision, due.isoformat() if due else None, application_id),
        )

    def decision(self, application_id: str) -> str | None:
        found = self._db.execute("SELECT decision FROM verification WHERE application_id = ?", (application_id,))
        return str(found.fetchone()[0] or "") or None

    def close(self) -> None:
        self._db.close()


def open_one(idv: Gateway, store: Store, order: FlowOrder, now: datetime) -> Flow:
    """In a web process: open a flow and write it down before the applicant hears of it."""
    flow = idv.open(order)
    store.add(flow, now + LOOK_EVERY)
    return flow


def webhook_app(idv: Gateway, store: Store, now: Callable[[], datetime]) -> WebhookApp:
    """In a web process: `Mount("/idv", webhook_app(...))`. The address names the application, so any process can take it."""

    def on_received(received: Received) -> None:
        # it names the application or, at vendors with one address for all, the flow
        store.look_now(now(), received.application_id, received.flow_ref)

    return WebhookApp(idv, on_received=on_received)


def work(idv: Gateway, store: Store, worker: str, now: datetime) -> int:
    """In a worker, every few seconds: look at all that is due. Returns how many there were."""
    count = 0
    while (taken := store.take(worker, now)) is not None:
        application_id, flow = taken
        count += 1
        try:
            result = idv.result(flow)
        except IdvError:
            # the vendor is down or slow: nothing is lost, look again later
            store.keep(application_id, None, now + LOOK_EVERY)
            continue
        over = result.status.is_settled and not result.flow.may_reopen
        store.keep(application_id, result, None if over else now + LOOK_EVERY)
    return count
