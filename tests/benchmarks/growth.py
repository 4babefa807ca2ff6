"""Whether cost grows with the load and no faster: flows that are waited for, documents in a result, the size of an upload."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path

import attrs
import httpx
from acme_whole import ACCOUNT, WHOLE
from large_files import Storage

from benchmarks.answers import WEBHOOKS, accounts, atlas_documents
from benchmarks.measuring import GROWTH_HEADS, Growth, Spent, Table, interleaved, repeated, resident
from idv_core import AsyncGateway, Document, Flow, Gateway, Secret
from idv_core.config import Account, Limits
from idv_core.plugin.protocols import Polling
from idv_core.registry import registry_of
from idv_core.testing import serve

FLOWS = (5_000, 50_000)
DOCUMENTS = (100, 1_000)
UPLOADS = (10_000, 50_000_000)
ROUNDS = 2


def chapter() -> list[Table]:
    return [Table("Growth", [*waiting(), *documents(), *uploads()], heads=GROWTH_HEADS, about=_ABOUT)]


_ABOUT = (
    "What so many cost in all; an exponent of 1 means that each costs the same. Flows are waited for by one `AsyncGateway` "
    "in a process of its own, each asked for once; an upload is signed, over a real socket."
)


class _Busy(httpx.AsyncBaseTransport):
    """The flow is still under way, whatever it is."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b'{"flow_status": null}'))


def waiting() -> list[Growth]:
    seen: dict[int, list[tuple[float, float]]] = {flows: [] for flows in FLOWS}
    for _ in range(ROUNDS):
        for flows in FLOWS:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                seen[flows].append(process.submit(waited_for, flows).result())
    memory, cpu = ([[one[part] for one in seen[flows]] for flows in FLOWS] for part in (0, 1))
    return [
        Growth("flows that are waited for: memory", FLOWS, (memory[0], memory[1]), "MB"),
        Growth("flows that are waited for: CPU until each was asked for once", FLOWS, (cpu[0], cpu[1]), "s"),
    ]


def waited_for(flows: int) -> tuple[float, float]:
    """Bytes by which the process grew, and seconds of CPU."""

    async def run() -> tuple[float, float]:
        account = attrs.evolve(accounts("https://v.example")[0], polling=Polling(first=timedelta(hours=1)))
        idv = AsyncGateway([account], transport=_Busy())
        await idv.result("verigram/warm")
        gc.collect()
        before, begun = resident(), time.thread_time()
        tasks = [asyncio.create_task(idv.wait(f"verigram/f-{n}", deadline=timedelta(hours=9))) for n in range(flows)]
        for _ in range(50):
            await asyncio.sleep(0)
        cpu = time.thread_time() - begun
        gc.collect()
        grown = resident() - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return grown, cpu

    return asyncio.run(run())


class _Atlas(httpx.BaseTransport):
    """A finished flow with so many documents."""

    def __init__(self, count: int) -> None:
        self._extracts = atlas_documents(count)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        body = (
            b'{"access_token": "t", "expires_in": 3600}'
            if path.endswith("authtoken")
            else b'{"master_status": "SUCCESS"}'
        )
        return httpx.Response(200, stream=httpx.ByteStream(self._extracts if path.endswith("extracts") else body))


def documents() -> list[Growth]:
    flow = Flow(account="atlas", id="f", status="open")
    seen = {}
    for count in DOCUMENTS:
        with Gateway(accounts("http://127.0.0.1:1"), webhooks=WEBHOOKS, transport=_Atlas(count)) as idv:
            assert len(idv.result(flow).documents) == count
            seen[count] = interleaved({"result": repeated(lambda idv=idv: idv.result(flow), 3)}, 5)["result"].cpu
    few, many = DOCUMENTS
    what = "documents of ten fields in a result, with a cross-check each: CPU of `Gateway.result`"
    return [Growth(what, DOCUMENTS, (seen[few], seen[many]), "ms")]


def uploads() -> list[Growth]:
    storage = Storage()
    flow = Flow(id="f-1", account="whole-1", status="open")
    with serve(storage.app) as running, tempfile.TemporaryDirectory() as folder:
        settings = {**ACCOUNT.settings, "base_url": running.url, "key": Secret("k")}
        account = Account("whole-1", "whole", settings, limits=Limits(max_upload=2 * max(UPLOADS)))
        with Gateway([account], registry=registry_of(WHOLE)) as idv:

            def turn(size: int) -> Callable[[], Spent]:
                file = Path(folder, str(size))
                file.write_bytes(b"0123456789" * (size // 10))
                return repeated(lambda: idv.upload(flow, [Document("video", path=file)]), 1)

            seen = interleaved({str(size): turn(size) for size in UPLOADS}, ROUNDS)
    small, large = (seen[str(size)].cpu for size in UPLOADS)
    return [Growth("bytes of a file that is uploaded from a path: CPU of the caller", UPLOADS, (small, large), "ms")]
