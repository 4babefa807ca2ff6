"""What importing costs, against `import httpx`."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.measuring import Table


def chapter() -> list[Table]:
    return [Table("Weight", weights(), heads=("what", "CPU until ready", "× `import httpx`", "memory"))]


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


def weights() -> list[list[str]]:
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
        [
            name,
            f"{(seconds - base[0]) * 1e3:.0f} ms",
            f"{(seconds - base[0]) / httpx_seconds:.2f}",
            f"{(kilobytes - base[1]) / 1e3:.1f} MB",
        ]
        for name, (seconds, kilobytes) in medians.items()
    ]
