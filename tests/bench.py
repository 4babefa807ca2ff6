"""Benchmarks, as ratios against a peer in the same run (`nox -s bench`). Interleaved, medians; writes docs/benchmarks.md."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx
from idv_verigram.emulator import Variants, VerigramEmulator

from idv_core import Account, Gateway, Secret
from idv_core.testing import serve
from idv_core.testing.clock import FakeClock

ROUNDS = 15
CALLS = 200
DOCS = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def import_seconds(statement: str) -> float:
    """CPU time of a fresh interpreter that runs the import, less one that imports nothing."""

    def run(code: str) -> float:
        report = "; import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)"
        return float(subprocess.run([sys.executable, "-c", code + report], capture_output=True, check=True).stdout)

    return run(statement) - run("pass")


def imports(statement: str) -> tuple[float, float]:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(import_seconds("import httpx"))
        ours.append(import_seconds(statement))
    return statistics.median(ours), statistics.median(theirs)


def calls() -> tuple[float, float]:
    """CPU of a whole typed `result` (signing, bounds, mapping, policy) against a bare `httpx.Client` get and `.json()`."""
    emulator = VerigramEmulator(FakeClock(), variants=Variants(test_key_calls=10**9))
    with serve(emulator.app) as served:
        settings = {"base_url": served.url, "api_key": Secret(emulator.test_key)}
        headers = {"X-Verigram-Api-Key": emulator.test_key, "X-Verigram-Api-Version": "2.0"}
        with Gateway([Account("v", "verigram", settings)]) as idv, httpx.Client(headers=headers) as bare:
            created = bare.post(f"{served.url}/flow", json={"person_id": "p"}).json()
            url, ref = f"{served.url}/flow/{created['flow_id']}/result", f"v/{created['flow_id']}"
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs.append(cpu(lambda: bare.get(url).json()))
                ours.append(cpu(lambda: idv.result(ref)))
    return statistics.median(ours), statistics.median(theirs)


def cpu(call: object) -> float:
    """CPU seconds of this thread for one call."""
    start = time.thread_time()
    for _ in range(CALLS):
        call()  # type: ignore[operator]
    return (time.thread_time() - start) / CALLS


def main() -> None:
    rows = [
        ("`import idv_core` against `import httpx`, CPU", *imports("import idv_core"), "≤ 1.3"),
        (
            "`from idv_core import Gateway` against `import httpx`, CPU",
            *imports("from idv_core import Gateway"),
            "none",
        ),
        (
            "typed `Gateway.result` against bare `httpx.Client.get().json()`, CPU of the caller",
            *calls(),
            "none yet; its own issue",
        ),
    ]
    lines = [
        f"| {name} | {ours * 1e3:.2f} ms | {peer * 1e3:.2f} ms | {ours / peer:.2f} | {goal} |"
        for name, ours, peer, goal in rows
    ]
    text = "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `nox -s bench`. Each row is a ratio against a peer in the same run, interleaved, medians of "
            f"{ROUNDS} rounds; the times are of the machine it ran on and mean nothing elsewhere.",
            "",
            f"Last run: Python {platform.python_version()}, httpx {httpx.__version__}.",
            "",
            "| what | ours | peer | ratio | goal |",
            "|---|---|---|---|---|",
            *lines,
            "",
        ]
    )
    DOCS.write_text(text)
    print(text)
    print(json.dumps({name: round(ours / peer, 3) for name, ours, peer, _ in rows}))


if __name__ == "__main__":
    main()
