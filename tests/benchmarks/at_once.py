"""Calls at the same time in one event loop, against bare `httpx.AsyncClient`."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from canned import canned

from benchmarks.answers import ANSWERS, WEBHOOKS, accounts, verigram_flow
from benchmarks.decoding import into_models
from benchmarks.measuring import Row, Spent, Table, both, interleaved, spent
from idv_core import AsyncGateway, Flow
from idv_core.transports.fast import FastTransport


def chapter() -> list[Table]:
    with canned(ANSWERS) as url:
        rows, throughput = concurrent_calls(url)
    return [
        Table("Calls at the same time, against bare `AsyncClient`", rows),
        Table(
            "Throughput of one `AsyncGateway`, 2 KB results a second",
            throughput,
            heads=("at a time", "httpx's transport", "extra `fast`"),
        ),
    ]


def concurrent_calls(url: str) -> tuple[list[Row], list[list[str]]]:
    rows: list[Row] = []
    throughput: list[list[str]] = []
    with asyncio.Runner() as runner:

        async def make() -> tuple[AsyncGateway, AsyncGateway, httpx.AsyncClient, FastTransport]:
            fast = FastTransport()
            limits = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)
            own = AsyncGateway(accounts(url), webhooks=WEBHOOKS)
            quick = AsyncGateway(accounts(url), webhooks=WEBHOOKS, transport=fast)
            return own, quick, httpx.AsyncClient(headers={"X-Key": "key"}, limits=limits, timeout=60), fast

        own, quick, bare, fast = runner.run(make())

        def at_once(call: Callable[[], Awaitable[object]], width: int, calls: int) -> Callable[[], Spent]:
            async def all_of_them() -> None:
                left = iter(range(calls))

                async def worker() -> None:
                    for _ in left:
                        await call()

                await asyncio.gather(*(worker() for _ in range(width)))

            return lambda: spent(lambda: runner.run(all_of_them()), calls)

        for size in (300, 2048):
            flow, address = verigram_flow(size), f"{url}/flow/s{size}/result"
            for width, goal in ((1, None), (50, 0.3)):

                async def bare_call(address: str = address) -> Any:
                    return (await bare.get(address)).json()

                seen = interleaved(
                    {
                        "own": at_once(lambda: own.result(flow), width, 300),
                        "fast": at_once(lambda: quick.result(flow), width, 300),
                        "bare": at_once(bare_call, width, 300),
                    },
                    9,
                )
                rows += both(f"async, {size} B, {width} at a time, httpx's transport", seen["own"], seen["bare"])
                rows += both(f"async, {size} B, {width} at a time, extra `fast`", seen["fast"], seen["bare"], goal)
        atlas = Flow(account="atlas", id="f", status="open")

        async def bare_models() -> None:
            (await bare.get(f"{url}/v3/verification/status")).json()
            into_models((await bare.get(f"{url}/v3/verification/extracts")).content)

        seen = interleaved(
            {"fast": at_once(lambda: quick.result(atlas), 50, 50), "bare": at_once(bare_models, 50, 50)}, 5
        )
        rows += both(
            "async, 200 KB, 50 at a time, extra `fast`; the peer decodes into the same models",
            seen["fast"],
            seen["bare"],
            1,
        )
        for width in (1, 50, 500):
            flow = verigram_flow(2048)
            seen = interleaved(
                {
                    "own": at_once(lambda: own.result(flow), width, 600),
                    "fast": at_once(lambda: quick.result(flow), width, 600),
                },
                3,
            )
            throughput.append(
                [str(width), *(f"{1 / statistics.median(seen[name].wall):.0f}" for name in ("own", "fast"))]
            )

        async def close() -> None:
            await own.close()
            await bare.aclose()
            await fast.aclose()

        runner.run(close())
    return rows, throughput
