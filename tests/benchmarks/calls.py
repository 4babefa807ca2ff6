"""Calls one after the other, against bare httpx; the server is canned and in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
from canned import canned

from benchmarks.answers import ANSWERS, WEBHOOKS, accounts, verigram_flow
from benchmarks.decoding import into_models
from benchmarks.measuring import CALLS, Row, Spent, Table, both, interleaved, repeated, spent
from idv_core import Flow, Gateway


def chapter() -> list[Table]:
    with canned(ANSWERS) as url:
        return [Table("Calls against bare httpx (`Client.get().json()`)", blocking_calls(url))]


def blocking_calls(url: str) -> list[Row]:
    rows = []
    # all kept: closing those beyond httpx's 20 races with the threads that read ("Bad file descriptor")
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    with (
        Gateway(accounts(url), webhooks=WEBHOOKS) as idv,
        httpx.Client(headers={"X-Key": "key"}, limits=limits) as bare,
    ):
        for size, goal in ((300, 0.9), (2048, 0.9)):
            flow, address = verigram_flow(size), f"{url}/flow/s{size}/result"
            seen = interleaved(
                {"ours": repeated(lambda: idv.result(flow)), "bare": repeated(lambda: bare.get(address).json())}
            )
            rows += both(f"sync, {size} B, 1 at a time", seen["ours"], seen["bare"], goal)
        atlas = Flow(account="atlas", id="f", status="open")

        def bare_models() -> None:
            bare.get(f"{url}/v3/verification/status").json()
            into_models(bare.get(f"{url}/v3/verification/extracts").content)

        seen = interleaved({"ours": repeated(lambda: idv.result(atlas), 10), "bare": repeated(bare_models, 10)})
        rows += both("sync, 200 KB, two calls; the peer decodes into the same models", seen["ours"], seen["bare"], 1)
        flow, address = verigram_flow(2048), f"{url}/flow/s2048/result"

        def with_threads(call: Callable[[], object]) -> Callable[[], Spent]:
            def run() -> None:
                list(pool.map(lambda _: call(), range(CALLS)))

            return lambda: spent(run, CALLS, time.process_time)

        with ThreadPoolExecutor(50) as pool:
            runs = {
                "ours": with_threads(lambda: idv.result(flow)),
                "bare": with_threads(lambda: bare.get(address).json()),
            }
            seen = interleaved(runs, 9)
        rows += both("sync, 2048 B, 50 threads", seen["ours"], seen["bare"])
    return rows
