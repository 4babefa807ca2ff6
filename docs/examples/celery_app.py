"""Verifications as Celery tasks: `celery -A celery_app worker -B`, with `idv.toml` beside it.

The web process calls `start(order)`. All that must survive is in the ledger, so a task may be lost, or run twice, or too early.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from celery import Celery, Task

from idv_core import FlowOrder, Gateway, Received, Result, Secret
from idv_core.errors import VendorError
from idv_core.ledger import Ledger, Verification
from idv_core.tracker import Tracker

SWEEP = 30.0
LOOK_EVERY = 60.0
# Redis hands out a second time what waits for longer than an hour; what is due later, `sweep` finds
LONGEST = 900.0

app = Celery("platform", broker=os.environ.get("CELERY_BROKER", "redis://localhost"))
app.conf.beat_schedule = {"sweep": {"task": "celery_app.sweep", "schedule": SWEEP}}


# made in each worker, when they are first used: connections do not survive a fork
@cache
def gateway() -> Gateway:
    return Gateway.load("idv.toml")


@cache
def ledger() -> Ledger:
    return Ledger(os.environ["IDV_LEDGER"], keys=[Secret(os.environ["IDV_LEDGER_KEY"])])


@cache
def tracker() -> Tracker:
    return Tracker(gateway(), ledger(), on_decided=decided)


def decided(connection: Any, verification: Verification, result: Result | None) -> None:
    """In the transaction that writes the outcome: exactly once. `connection` is SQLAlchemy's; write your own row by it."""


def start(order: FlowOrder) -> Verification:
    """In a web process. Twice the same application is one verification."""
    taken = ledger().take(order)
    turn.delay(taken.id)
    return taken


def on_received(received: Received) -> None:
    """For `WebhookApp(gateway(), on_received=on_received)` in a web process: store the call, and look at once."""
    ledger().hint(received)
    # it names the application or, at vendors with one address for all, the flow
    named = {"application_id": received.application_id} if received.application_id else {"ref": received.flow_ref}
    found = ledger().find(**named)
    if found is not None:
        turn.delay(found.id)


@app.task(bind=True, acks_late=True, max_retries=None)
def turn(self: Task, id: str) -> None:
    """Open it, or look at it. The ledger says when the next turn is due: after the vendor's `retry_after`, if it gave one."""
    due = tracker().turn(id)
    if due is not None and due.total_seconds() <= LONGEST:
        raise self.retry(countdown=due.total_seconds())


@app.task(name="celery_app.sweep")
def sweep() -> None:
    """By celery beat: what no task stands for any more, and the messages to your endpoints."""
    tracker().step()


@app.task(bind=True, acks_late=True, max_retries=None)
def look(self: Task, flow_ref: str) -> str:
    """Without a ledger: wait for a flow that your web process has opened. Returns the decision."""
    try:
        result = gateway().result(flow_ref)
    except VendorError as error:
        if not error.safe_to_retry:
            raise
        pause = (
            error.retry_after.total_seconds() if error.retry_after else LOOK_EVERY * 2 ** min(self.request.retries, 10)
        )
        raise self.retry(countdown=min(pause, LONGEST)) from None
    if not result.status.is_settled:
        raise self.retry(countdown=LOOK_EVERY)
    return result.decision.value
