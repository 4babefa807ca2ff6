"""Schemathesis against the API on a real socket, with every check, over a moody vendor.

`python tests/server/schemathesis_run.py [seconds] [sqlite] [postgresql]`; without seconds, 300 on each.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import httpx

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from acme import Acme, AcmeSettings  # noqa: E402
from books import KEY, AcmeCalling, Shop, account, configuration, postgresql_server  # noqa: E402
from server.running import run_in_thread  # noqa: E402

from idv_core import AsyncGateway  # noqa: E402
from idv_core.ledger import Ledger  # noqa: E402
from idv_core.ledger.store import connect  # noqa: E402
from idv_core.plugin.spec import Plugin  # noqa: E402
from idv_core.registry import registry_of  # noqa: E402
from idv_core.server import keys  # noqa: E402
from idv_core.server.app import create_app  # noqa: E402
from idv_core.server.migrating import migrate  # noqa: E402

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


@attrs.frozen
class Moody(AcmeCalling):
    """Acme with every operation but the one that finds a lost flow."""

    upload = Acme.upload
    submit = Acme.submit
    renew_link = Acme.renew_link


MOODY = Plugin(name="moody", summary="invented", settings=AcmeSettings, create=Moody, adapters=(Moody,))


class MoodyShop(Shop):
    """Of three openings one is lost, and of eleven calls one is refused; every other flow is good at once."""

    calls = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if request.method == "POST" and request.url.path == "/flows":
            if len(self.opened) % 3 == 2:
                self.opened.append("lost")
                raise httpx.ReadTimeout("nothing came")
        elif self.calls % 11 == 0:
            return httpx.Response((429, 503)[self.calls % 2])
        self.status = ("good", "busy")[sum(request.url.path.encode()) % 2]
        return super().__call__(request)


@attrs.frozen
class Counting:
    """An app, and how often which operation had which answer."""

    app: Any
    counts: Counter[tuple[str, str, int]] = attrs.field(factory=Counter)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "nowhere")
                self.counts[scope["method"], path, message["status"]] += 1
            await send(message)

        await self.app(scope, receive, counted)

    def good(self) -> set[tuple[str, str]]:
        """The operations that were carried out at least once."""
        return {(method, path) for method, path, status in self.counts if 200 <= status < 300}


@contextmanager
def service(database: str) -> Iterator[tuple[str, str, Counting]]:
    """The address of a service over that database, a key that may do everything, and what was answered."""
    engine = connect(database)
    migrate(engine)
    engine.dispose()
    ledger = Ledger(database, keys=[KEY])
    key = keys.add(ledger.store, "schemathesis", keys.SCOPES).reveal()
    transport = httpx.MockTransport(MoodyShop())
    gateway = AsyncGateway(configuration(account("a", "moody")), transport=transport, registry=registry_of(MOODY))
    app = Counting(create_app(gateway, ledger))
    url, stop = run_in_thread(app)
    try:
        yield url, key, app
    finally:
        stop()
        asyncio.run(gateway.close())
        ledger.close()


def schemathesis(url: str, key: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Every check and phase. What it says ends with how many cases there were; it fails where one fails."""
    document = str(files("idv_core.server").joinpath("openapi.json"))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run", document]
    told = ["--url", url, "--no-color", "--checks", "all", "--mode", "all"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "IDV_KEY": key, "no_proxy": "*"}
    # it keeps notes where it runs
    with tempfile.TemporaryDirectory(prefix="idv-schemathesis-") as folder:
        return subprocess.run([*command, *told, *options], capture_output=True, text=True, env=environment, cwd=folder)


def cases(said: str) -> int:
    """How many requests were tried."""
    found = re.search(r"(\d+) generated", said)
    return int(found[1]) if found else 0


def main(seconds: int, *databases: str) -> int:
    good = True
    with tempfile.TemporaryDirectory(prefix="idv-schemathesis-") as folder, postgresql_server() as make:
        for name in databases:
            database = f"sqlite:///{folder}/idv.db" if name == "sqlite" else make()
            with service(database) as (url, key, app):
                done = schemathesis(url, key, "--max-time", str(seconds))
            good &= done.returncode == 0
            print(done.stdout + done.stderr)
            for (method, path, status), count in sorted(app.counts.items(), key=str):
                print(f"{count:7} {status} {method} {path}")
            found = "nothing" if done.returncode == 0 else "FAULTS"
            print(f"schemathesis: {name}, {seconds} s, {cases(done.stdout)} cases, {found} found", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    arguments = sys.argv[1:]
    numbers = [int(one) for one in arguments if one.isdigit()]
    names = [one for one in arguments if not one.isdigit()]
    sys.exit(main(*(numbers or [300]), *(names or ["sqlite", "postgresql"])))
