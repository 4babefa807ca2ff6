"""Calls one after the other, against bare httpx; the server is canned and in a process of its own."""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from canned import canned
from certificates import make_certificate, serving_with

from benchmarks.answers import ANSWERS, WEBHOOKS, accounts, verigram_flow
from benchmarks.decoding import into_models
from benchmarks.measuring import CALLS, Row, Spent, Table, both, interleaved, repeated, spent
from idv_core import Flow, Gateway
from idv_core.transports.calls import ssl_context
from idv_core.transports.fast import FastTransport

# All kept: closing those beyond httpx's 20 races with the threads that read ("Bad file descriptor").
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100)


def chapter() -> list[Table]:
    with canned(ANSWERS) as url:
        rows = blocking_calls(url)
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(certificate[0])
        ssl_context.cache_clear()
        with canned(ANSWERS, serving_with(certificate)) as url:
            rows += one_at_a_time(url, "TLS, ", 2048, (None, 0.65), httpx.create_ssl_context())
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before
        ssl_context.cache_clear()
    return [Table("Calls against bare httpx (`Client.get().json()`)", rows)]


def blocking_calls(url: str) -> list[Row]:
    rows = []
    for size in (300, 2048):
        rows += one_at_a_time(url, "", size, (0.9, 0.6))
    with (
        FastTransport() as transport,
        Gateway(accounts(url), webhooks=WEBHOOKS) as idv,
        Gateway(accounts(url), webhooks=WEBHOOKS, transport=transport) as quick,
        httpx.Client(headers={"X-Key": "key"}, limits=_LIMITS) as bare,
    ):
        atlas = Flow(account="atlas", id="f", status="open")

        def bare_models() -> None:
            bare.get(f"{url}/v3/verification/status").json()
            into_models(bare.get(f"{url}/v3/verification/extracts").content)

        seen = interleaved(
            {
                "ours": repeated(lambda: idv.result(atlas), 10),
                "fast": repeated(lambda: quick.result(atlas), 10),
                "bare": repeated(bare_models, 10),
            }
        )
        what = "sync, 200 KB, two calls{}; the peer decodes into the same models"
        rows += both(what.format(", httpx's transport"), seen["ours"], seen["bare"])
        rows += both(what.format(", extra `fast`"), seen["fast"], seen["bare"], 0.8)
        flow, address = verigram_flow(2048), f"{url}/flow/s2048/result"

        def with_threads(call: Callable[[], object]) -> Callable[[], Spent]:
            def run() -> None:
                list(pool.map(lambda _: call(), range(CALLS)))

            return lambda: spent(run, CALLS, time.process_time)

        with ThreadPoolExecutor(50) as pool:
            runs = {
                "ours": with_threads(lambda: idv.result(flow)),
                "fast": with_threads(lambda: quick.result(flow)),
                "bare": with_threads(lambda: bare.get(address).json()),
            }
            seen = interleaved(runs, 9)
        rows += both("sync, 2048 B, 50 threads, httpx's transport", seen["ours"], seen["bare"])
        rows += both("sync, 2048 B, 50 threads, extra `fast`", seen["fast"], seen["bare"])
    return rows


def one_at_a_time(
    url: str,
    way: str,
    size: int,
    goals: tuple[float | None, float],
    trusted: ssl.SSLContext | bool = True,
) -> list[Row]:
    """With each transport; `goals` in this order: httpx's, extra `fast`."""
    flow, address = verigram_flow(size), f"{url}/flow/s{size}/result"
    with (
        FastTransport() as transport,
        Gateway(accounts(url), webhooks=WEBHOOKS) as idv,
        Gateway(accounts(url), webhooks=WEBHOOKS, transport=transport) as quick,
        httpx.Client(headers={"X-Key": "key"}, limits=_LIMITS, verify=trusted) as bare,
    ):
        seen = interleaved(
            {
                "ours": repeated(lambda: idv.result(flow)),
                "fast": repeated(lambda: quick.result(flow)),
                "bare": repeated(lambda: bare.get(address).json()),
            }
        )
    what = f"sync, {way}{size} B, 1 at a time"
    return [
        *both(f"{what}, httpx's transport", seen["ours"], seen["bare"], goals[0]),
        *both(f"{what}, extra `fast`", seen["fast"], seen["bare"], goals[1]),
    ]
