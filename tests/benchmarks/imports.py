"""What importing costs, against `import httpx`: ours in an environment with the core alone, all of it compiled."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.environment import core_only, plain_environment
from benchmarks.measuring import Row, Table

STARTS = 21
_READY = (
    "from idv_core import Gateway, Secret; from idv_core.config import Account; "
    "Gateway([Account('v', 'verigram', {'base_url': 'https://v.example', 'api_key': Secret('k')})])"
)
OURS = {
    "`import idv_core`": ("import idv_core", None),
    "`from idv_core import Gateway`": ("from idv_core import Gateway", 1.6),
    "a `Gateway` with the Verigram plugin, ready": (_READY, None),
}
OTHERS = {
    "onfido-python": "import onfido; onfido.DefaultApi(onfido.ApiClient(onfido.Configuration(api_token='t')))",
    "stripe": "import stripe; stripe.StripeClient('sk_test_1')",
    "didit-sdk": "import didit; didit.Didit(api_key='k')",
    "complycube": "import complycube; complycube.ComplyCubeClient(api_key='k')",
}
_REPORT = (
    "; import resource as r; u = r.getrusage(r.RUSAGE_SELF); "
    "print(u.ru_utime + u.ru_stime, int(open('/proc/self/statm').read().split()[1]) * r.getpagesize())"
)


def chapter() -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        core = core_only(Path(folder) / "core")
        here = Path(sys.executable)
        starts = {name: (core, code) for name, (code, _) in OURS.items()}
        starts |= {name: (here, code) for name, code in OTHERS.items()}
        starts |= {"nothing": (core, "pass"), "httpx": (core, "import httpx")}
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in starts}
        for _ in range(STARTS):
            for name, (python, code) in starts.items():
                seen[name].append(started(python, code))
    above = {
        name: [
            tuple(a - b for a, b in zip(one, none, strict=True))
            for one, none in zip(all_, seen["nothing"], strict=True)
        ]
        for name, all_ in seen.items()
    }
    peer_cpu, peer_memory = zip(*above["httpx"], strict=True)
    rows = []
    for name in (*OURS, *OTHERS):
        cpu, memory = zip(*above[name], strict=True)
        goal = OURS[name][1] if name in OURS else None
        rows += [
            Row(f"{name}: CPU until ready", cpu, peer_cpu, "ms", goal),
            Row(f"{name}: memory", memory, peer_memory, "MB"),
        ]
    return [
        Table(
            "Weight, against `import httpx`",
            rows,
            about="Above a bare interpreter. Ours and httpx without extras, bytecode compiled; the others as `nox -s bench` installs them.",
        )
    ]


def started(python: Path, code: str) -> tuple[float, float]:
    """CPU seconds of a start, and the bytes that are in memory then."""
    command = [str(python), "-c", code + _REPORT]
    out = subprocess.run(command, capture_output=True, check=True, text=True, env=plain_environment()).stdout
    seconds, size = out.split()
    return float(seconds), float(size)
