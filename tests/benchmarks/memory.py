"""Memory: flows that are waited for, and large files."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta

import attrs
import httpx
from large_files import measured

from benchmarks.answers import accounts
from benchmarks.measuring import Table, resident
from idv_core import AsyncGateway
from idv_core.plugin.protocols import Polling


def chapter() -> list[Table]:
    return [
        Table(
            "Memory",
            [
                ["one `AsyncGateway` waiting for 10 000 flows, for each", f"{waiting() / 1000:.1f} KB", ""],
                *large_files(),
            ],
            heads=("what", "additional memory", "goal"),
            about="Files are of 50 MB, signed, over a real socket to an emulator in another process.",
        )
    ]


class _Busy(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b'{"flow_status": null}'))


def waiting(flows: int = 10_000) -> float:
    """Bytes of resident memory for each flow that one AsyncGateway waits for."""

    async def run() -> float:
        account = attrs.evolve(accounts("https://v.example")[0], polling=Polling(first=timedelta(hours=1)))
        idv = AsyncGateway([account], transport=_Busy())
        await idv.result("verigram/warm")
        gc.collect()
        before = resident()
        tasks = [asyncio.create_task(idv.wait(f"verigram/f-{n}", deadline=timedelta(hours=9))) for n in range(flows)]
        for _ in range(50):
            await asyncio.sleep(0)
        gc.collect()
        grown = resident() - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return grown / flows

    return asyncio.run(run())


def large_files() -> list[list[str]]:
    """Peaks of resident memory above what there was before, in a process that has moved small files already."""
    return [[f"a file: {what}", f"{grown / 1e6:.1f} MB", "≤ 8 MB"] for what, grown in measured().items()]
