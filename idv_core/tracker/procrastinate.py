"""For platforms that run all their work in Procrastinate (https://procrastinate.readthedocs.io): a job for each turn.

The ledger's own `due` stays what decides: a periodic sweep puts in a job for each verification that is due, so nothing hangs
on a job that a killed worker had taken, and a webhook makes its verification due like anywhere else.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Status

from ..ledger import Ledger
from .tracker import Tracker

QUEUE = "idv"
SWEEP = timedelta(seconds=2)
_MOST = 500


def make_app(tracker: Tracker, ledger: Ledger, conninfo: str, *, sweep: timedelta = SWEEP) -> App:
    """A Procrastinate app whose jobs take turns and send messages, in the queue `idv`. The tracker must not be started too.

    Args:
        tracker: What takes the turns.
        ledger: The ledger of the tracker.
        conninfo: The PostgreSQL database of Procrastinate, with its schema applied.
        sweep: How often to look for what is due, in whole seconds below a minute. It is the latency of a webhook, too.
    """
    conninfo = conninfo.replace("postgresql+psycopg://", "postgresql://")
    app = App(
        connector=PsycopgConnector(conninfo=conninfo),
        worker_defaults={"queues": [QUEUE], "delete_jobs": "always"},
    )

    @app.task(name="idv.turn", queue=QUEUE)
    async def turn(id: str) -> None:
        await asyncio.to_thread(tracker.turn, id)

    @app.task(name="idv.deliver", queue=QUEUE)
    async def deliver() -> None:
        await asyncio.to_thread(tracker.deliver)

    @app.periodic(cron=f"* * * * * */{max(1, round(sweep.total_seconds()))}")
    @app.task(name="idv.sweep", queue=QUEUE, queueing_lock="idv.sweep", pass_context=False)
    async def sweep_due(timestamp: int) -> None:
        for id in await asyncio.to_thread(ledger.overdue, _MOST):
            try:
                await turn.configure(queueing_lock=id).defer_async(id=id)
            except AlreadyEnqueued:
                pass
        try:
            await deliver.configure(queueing_lock="idv.deliver").defer_async()
        except AlreadyEnqueued:
            pass
        # jobs of workers that were killed are of no use: what they stood for is due again by itself
        for job in await app.job_manager.get_stalled_jobs(queue=QUEUE):
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)

    return app
