"""Benchmarks, as ratios against a peer in the same run (`nox -s bench`). Interleaved, medians; writes docs/benchmarks.md."""

from __future__ import annotations

import asyncio
import gc
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import msgspec
from canned import canned
from idv_atlas.mapping import read_cross_checks, read_documents
from idv_atlas.payloads import Extracts
from large_files import measured
from sentences import by_sentences

from idv_core import Applicant, AsyncGateway, Flow, FlowOrder, Gateway, Secret, to_json
from idv_core.config import Account, Webhooks
from idv_core.engine.account import Limits
from idv_core.plugin.http import Response
from idv_core.plugin.protocols import Polling
from idv_core.routing import Route, RoutingTable, When
from idv_core.routing.choosing import choose
from idv_core.routing.conditions import Facts
from idv_core.transports.fast import FastTransport

ROUNDS = 15
CALLS = 200
DOCS = Path(__file__).parent.parent / "docs" / "benchmarks.md"
WEBHOOKS = Webhooks("https://platform.example/idv", Secret("key-of-the-benchmarks-0123456789abcdef"))


@attrs.frozen
class Row:
    """One line of a table: ours and the peer's figure in the unit, and what was aimed at."""

    what: str
    ours: float
    peer: float
    unit: str
    goal: str = ""

    def __str__(self) -> str:
        ours, peer = (f"{figure:.0f}" if figure >= 100 else f"{figure:.3g}" for figure in (self.ours, self.peer))
        ratio = self.ours / self.peer
        return f"| {self.what} | {ours} {self.unit} | {peer} {self.unit} | {ratio:.2f} | {self.goal} |"


# Measuring


@attrs.frozen
class Spent:
    cpu: float
    wall: float


def spent(run: Callable[[], object], calls: int, clock: Callable[[], float] = time.thread_time) -> Spent:
    """Seconds for each call."""
    cpu, wall = clock(), time.perf_counter()
    run()
    return Spent((clock() - cpu) / calls, (time.perf_counter() - wall) / calls)


def interleaved(runs: dict[str, Callable[[], Spent]], rounds: int = ROUNDS) -> dict[str, Spent]:
    """Medians of rounds in which everybody had a turn, after one to get warm."""
    for run in runs.values():
        run()
    seen: dict[str, list[Spent]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            gc.collect()
            seen[name].append(run())
    return {
        name: Spent(statistics.median(s.cpu for s in all_), statistics.median(s.wall for s in all_))
        for name, all_ in seen.items()
    }


def repeated(call: Callable[[], object], calls: int = CALLS) -> Callable[[], Spent]:
    def run() -> None:
        for _ in range(calls):
            call()

    return lambda: spent(run, calls)


# What is answered


def verigram_answer(size: int) -> bytes:
    """A finished flow of about that size."""
    services = [
        {"service_name": "verilive", "service_status": "pass"},
        {"service_name": "veridoc", "service_status": "pass"},
    ]
    answer = {"flow_status": "pass", "end_cause": "completed", "services": services, "pad": ""}
    return json.dumps({**answer, "pad": "x" * max(0, size - len(json.dumps(answer)))}).encode()


def atlas_extracts(size: int) -> bytes:
    """Documents of ten fields each, and a cross-check for each, of about that size."""
    entries, checks = [], []
    while len(json.dumps({"ocr_data": entries, "cross_checks": checks})) < size if len(entries) % 10 == 0 else True:
        number = len(entries)
        fields = {f"field_{i}": {"value": f"some value {number} {i}", "confidence_score": 0.93} for i in range(10)}
        entries.append(
            {"document_id": f"d-{number}", "file_uuid": f"u-{number}", "data": {"document_type": "INVOICE", **fields}}
        )
        checks.append(
            {
                "name": "CUSTOMER_NAME",
                "source_doc": "INVOICE",
                "source_field_name": "field_1",
                "source_value": "some value",
                "target_doc": "DELIVERY_ORDER",
                "target_field_name": "field_2",
                "target_value": "some value",
                "similarity_score": 93.5,
            }
        )
    return json.dumps({"flow_uuid": "f", "ocr_data": entries, "cross_checks": checks}).encode()


SDK_SIZE = 600
UUID = "0f2c1a6e-6f1e-4a52-9a3b-0d7c1c8f4e11"
EXTRACTS = atlas_extracts(200_000)
PERSON = {"first_name": "Ana", "last_name": "Ruiz", "email": "ana@example.org"}


def padded(answer: dict[str, Any], field: str, size: int = SDK_SIZE) -> bytes:
    return json.dumps({**answer, field: "x" * max(1, size - len(json.dumps(answer)) - len(field) - 6)}).encode()


ANSWERS: dict[str, bytes] = {
    "/flow/s300/": verigram_answer(300),
    "/flow/s2048/": verigram_answer(2048),
    "/flow/s600/": verigram_answer(SDK_SIZE),
    "/v3/verification/authtoken": b'{"access_token": "t", "expires_in": 3600}',
    "/v3/verification/status": b'{"master_status": "SUCCESS"}',
    "/v3/verification/extracts": EXTRACTS,
    "/onfido/applicants/": padded(
        {"id": UUID, "href": "/a", "created_at": "2026-03-02T10:15:00Z", **PERSON}, "address_line"
    ),
    "/v1/identity/verification_sessions/": padded(
        {"id": "vs_1", "object": "identity.verification_session", "status": "verified", "type": "document"},
        "client_secret",
    ),
    "/didit/session/": padded({"session_id": "s", "status": "Approved", "vendor_data": "CUST-1"}, "callback"),
    "/complycube/clients/": padded({"id": "c", "type": "person", "email": "ana@example.org"}, "externalId"),
}


def accounts(url: str, limits: Limits | None = None) -> list[Account]:
    limits = limits or Limits(concurrency=1000)
    return [
        Account(
            "verigram", "verigram", {"base_url": url, "api_key": Secret("key"), "secret": Secret("s3cr3t")}, limits
        ),
        Account(
            "atlas",
            "atlas",
            {"base_url": url, "client_id": Secret("i"), "client_secret": Secret("s"), "product_type": "P"},
            limits,
        ),
    ]


def verigram_flow(size: int) -> Flow:
    return Flow(account="verigram", id=f"s{size}", status="awaiting_applicant")


# Calls, one after the other


def blocking_calls(url: str) -> list[Row]:
    rows = []
    with Gateway(accounts(url), webhooks=WEBHOOKS) as idv, httpx.Client(headers={"X-Key": "key"}) as bare:
        for size, goal in ((300, "≤ 0.85"), (2048, "≤ 0.85")):
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
        rows += both(
            "sync, 200 KB, two calls; the peer decodes into the same models", seen["ours"], seen["bare"], "≤ 1"
        )
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
        rows += both("sync, 2048 B, 50 threads", seen["ours"], seen["bare"], "")
    return rows


def both(what: str, ours: Spent, peer: Spent, goal: str) -> list[Row]:
    return [
        Row(f"{what}: CPU", ours.cpu * 1e6, peer.cpu * 1e6, "µs", goal),
        Row(f"{what}: wall", ours.wall * 1e6, peer.wall * 1e6, "µs", ""),
    ]


# Calls at the same time


def concurrent_calls(url: str) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    throughput: list[str] = []
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
            for width, goal in ((1, ""), (50, "≤ 0.35")):

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
                rows += both(f"async, {size} B, {width} at a time, httpx's transport", seen["own"], seen["bare"], "")
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
            "≤ 1",
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
            throughput.append(f"| {width} | {1 / seen['own'].wall:.0f} | {1 / seen['fast'].wall:.0f} |")

        async def close() -> None:
            await own.close()
            await bare.aclose()
            await fast.aclose()

        runner.run(close())
    return rows, throughput


# Others' SDKs


def sdk_calls(url: str) -> list[Row]:
    import complycube
    import didit
    import onfido
    import stripe

    configuration = onfido.Configuration(host=f"{url}/onfido", api_token="api_live.t")
    onfido_api = onfido.DefaultApi(onfido.ApiClient(configuration))
    stripe_client = stripe.StripeClient("sk_test_1", base_addresses={"api": url})
    complycube._base_url = f"{url}/complycube"
    complycube_client = complycube.ComplyCubeClient(api_key="key")
    didit_client = didit.Didit(api_key="key", base_url=f"{url}/didit")
    peers: dict[str, Callable[[], object]] = {
        f"onfido-python {onfido.__version__}": lambda: onfido_api.find_applicant(UUID),
        f"stripe {stripe.VERSION}": lambda: stripe_client.v1.identity.verification_sessions.retrieve("vs_1"),
        f"didit-sdk {didit.__version__}": lambda: didit_client.sessions.get_decision("s"),
        "complycube": lambda: complycube_client.clients.get("c"),
    }
    rows = []
    with Gateway(accounts(url), webhooks=WEBHOOKS) as idv:
        flow = verigram_flow(SDK_SIZE)
        for name, call in peers.items():
            seen = interleaved({"ours": repeated(lambda: idv.result(flow)), "peer": repeated(call)}, 9)
            rows += both(f"`Gateway.result` against {name}, {SDK_SIZE} B", seen["ours"], seen["peer"], "< 1")[:1]
    return rows


# Decoding


class Field(msgspec.Struct):
    value: Any = None
    confidence_score: float | None = None


class Entry(msgspec.Struct):
    document_id: str | None = None
    file_uuid: str | None = None
    data: dict[str, Field | str] = {}


class Compared(msgspec.Struct):
    name: str | None = None
    source_doc: str | None = None
    source_field_name: str | None = None
    source_value: str | None = None
    target_doc: str | None = None
    target_field_name: str | None = None
    target_value: str | None = None
    similarity_score: float | None = None


class ExtractsStruct(msgspec.Struct):
    flow_uuid: str | None = None
    ocr_data: list[Entry] = []
    cross_checks: list[Compared] | None = None


def into_models(content: bytes) -> Any:
    """What the Atlas plugin makes of its extracts, without the framework around it."""
    extracts = _response(content).structure(Extracts)
    return read_documents(extracts.ocr_data, "data"), tuple(read_cross_checks(extracts.cross_checks or ()))


def _response(content: bytes) -> Response:
    return Response(status=200, content=content, received_at=_NOW)


_NOW = datetime.now(UTC)


def decoding() -> list[Row]:
    decoder = msgspec.json.Decoder(ExtractsStruct)
    seen = interleaved(
        {
            "payload": repeated(lambda: _response(EXTRACTS).structure(Extracts), 20),
            "models": repeated(lambda: into_models(EXTRACTS), 10),
            "json": repeated(lambda: json.loads(EXTRACTS), 20),
            "msgspec": repeated(lambda: decoder.decode(EXTRACTS), 20),
        }
    )
    size = f"{len(EXTRACTS) // 1000} KB of Atlas extracts"
    return [
        Row(
            f"{size}: payload classes (bounds checked) against msgspec structs",
            seen["payload"].cpu * 1e3,
            seen["msgspec"].cpu * 1e3,
            "ms",
            "≤ 2",
        ),
        Row(
            f"{size}: all the way to evidence against msgspec structs",
            seen["models"].cpu * 1e3,
            seen["msgspec"].cpu * 1e3,
            "ms",
            "",
        ),
        Row(
            f"{size}: payload classes against `json.loads` alone",
            seen["payload"].cpu * 1e3,
            seen["json"].cpu * 1e3,
            "ms",
            "",
        ),
    ]


# Routing

ORDER = FlowOrder(
    product="p7-wallet",
    application_id="APP-10001",
    tenant="t-0",
    applicant=Applicant(
        reference="CUST-1", given_name="Ana", family_name="Ruiz", email="ana@example.org", country="CO", locale="es"
    ),
    documents=("ID",),
    metadata={"channel": "web"},
)


def routes(count: int) -> list[Route]:
    """So many routes of tenants for products, with a split each, and one for the rest."""
    many = [
        Route(
            name=f"route {number}",
            when=When(product=f"p{number % 50}-*", tenant=f"t-{number // 50}", country=["CO", "KZ"]),
            split={"a": 90, "b": 10},
            fallback="c",
        )
        for number in range(count - 1)
    ]
    return [*many, Route(name="else", refuse="not offered")]


def routing() -> list[Row]:
    tables = {count: RoutingTable(routes(count)) for count in (10, 1_000, 10_000)}
    dumped = to_json(ORDER)

    def decide(table: RoutingTable) -> object:
        match = table.find(Facts(ORDER, _NOW))
        assert match is not None
        return choose(match.route, ORDER.application_id, {})

    runs: dict[str, Callable[[], Spent]] = {
        str(count): repeated(lambda table=table: decide(table), 2000) for count, table in tables.items()
    }
    seen = interleaved({**runs, "json": repeated(lambda: json.dumps(dumped), 2000)})
    return [
        Row(
            f"deciding route and account, {count} routes, against one `json.dumps` of the order",
            seen[str(count)].cpu * 1e6,
            seen["json"].cpu * 1e6,
            "µs",
            "< 20 µs" if count == 1_000 else "",
        )
        for count in tables
    ]


# Weight

IMPORTS = {
    "`import idv_core`": "import idv_core",
    "`from idv_core import Gateway`": "from idv_core import Gateway",
    "a `Gateway` with the Verigram plugin, ready": (
        "from idv_core import *; Gateway([Account('v', 'verigram', {'base_url': 'https://v.example', 'api_key': Secret('k')})])"
    ),
    "`import httpx`": "import httpx",
    "onfido-python": "import onfido; onfido.DefaultApi(onfido.ApiClient(onfido.Configuration(api_token='t')))",
    "stripe": "import stripe; stripe.StripeClient('sk_test_1')",
    "didit-sdk": "import didit; didit.Didit(api_key='k')",
    "complycube": "import complycube; complycube.ComplyCubeClient(api_key='k')",
}


def weights() -> list[str]:
    def run(code: str) -> tuple[float, float]:
        report = (
            "; import resource as r; u = r.getrusage(r.RUSAGE_SELF); "
            "print(u.ru_utime + u.ru_stime, int(open('/proc/self/statm').read().split()[1]) * r.getpagesize() / 1000)"
        )
        out = subprocess.run([sys.executable, "-c", code + report], capture_output=True, check=True, text=True).stdout
        seconds, kilobytes = out.split()
        return float(seconds), float(kilobytes)

    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ["nothing", *IMPORTS]}
    for _ in range(7):
        for name in seen:
            seen[name].append(run(IMPORTS.get(name, "pass")))
    medians = {name: [statistics.median(column) for column in zip(*all_, strict=True)] for name, all_ in seen.items()}
    base = medians.pop("nothing")
    httpx_seconds = medians["`import httpx`"][0] - base[0]
    return [
        f"| {name} | {(seconds - base[0]) * 1e3:.0f} ms | {(seconds - base[0]) / httpx_seconds:.2f} | {(kilobytes - base[1]) / 1e3:.1f} MB |"
        for name, (seconds, kilobytes) in medians.items()
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
        before = _resident()
        tasks = [asyncio.create_task(idv.wait(f"verigram/f-{n}", deadline=timedelta(hours=9))) for n in range(flows)]
        for _ in range(50):
            await asyncio.sleep(0)
        gc.collect()
        grown = _resident() - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return grown / flows

    return asyncio.run(run())


def large_files() -> list[str]:
    """Peaks of resident memory above what there was before, in a process that has moved small files already."""
    return [f"| {what} | {grown / 1e6:.1f} MB | ≤ 8 MB |" for what, grown in measured().items()]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def table(heads: list[str], rows: list[Any]) -> str:
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *map(str, rows)])


def main() -> None:
    each_flow = waiting()
    with canned(ANSWERS) as url:
        calls = blocking_calls(url)
        sdks = sdk_calls(url)
        at_once, throughput = concurrent_calls(url)
    heads = ["what", "ours", "peer", "ratio", "goal"]
    notes = (Path(__file__).parent / "benchmark_notes.md").read_text(encoding="utf-8")
    parts = [
        "# Benchmarks",
        "Written by `nox -s bench`. Each ratio is against a peer in the same run, interleaved, medians; the times are of the "
        "machine it ran on and mean nothing elsewhere. A whole call of ours is typed and has everything on: credentials, limits, "
        "circuit breaker, bounds, redaction, policy; Verigram's are signed.",
        f"Last run: Python {platform.python_version()}, httpx {httpx.__version__}, {platform.machine()}.",
        "## Calls against bare httpx (`Client.get().json()`)",
        table(heads, calls),
        "## Calls at the same time, against bare `AsyncClient`",
        table(heads, at_once),
        "## Against official SDKs of KYC vendors",
        table(heads, sdks),
        "## Decoding",
        table(heads, decoding()),
        "## Routing",
        table(heads, routing()),
        "## Weight",
        table(["what", "CPU until ready", "× `import httpx`", "memory"], weights()),
        f"One `AsyncGateway` waiting for 10 000 flows: {each_flow / 1000:.1f} KB for each.",
        "A file of 50 MB, signed, over a real socket to an emulator in another process:",
        table(["what", "additional memory", "goal"], large_files()),
        "## Throughput of one `AsyncGateway`, 2 KB results a second",
        table(["at a time", "httpx's transport", "extra `fast`"], throughput),
        notes.strip(),
    ]
    text = "\n\n".join(parts) + "\n"
    if "--dry" not in sys.argv:
        DOCS.write_text(by_sentences(text), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
