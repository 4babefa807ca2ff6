"""The program that the crash tests kill. It tracks until it is killed, or kills itself at the point that it is told.

`commit.opened.before:3` is the third time that the commit of a flow that was opened is about to begin.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import httpx
from books import KEY, REGISTRY, WEBHOOKS

import idv_core.gateway.execution as execution
import idv_core.gateway.opening as opening
import idv_core.tracker.tracker as tracker_module
import idv_core.tracker.turning as turning
from idv_core import Gateway, Secret
from idv_core.config import Account, Configuration, Limits, Retry
from idv_core.ledger import Endpoint, Ledger
from idv_core.ledger.verification import Change, Claim, State
from idv_core.model import Policy
from idv_core.plugin.protocols import Polling
from idv_core.routing import Route, When
from idv_core.tracker import Tracker

POINTS = (
    "claim.after",
    "intend.before",
    "intend.after",
    "vendor.before",
    "vendor.after",
    "commit.opened.before",
    "commit.opened.after",
    "look.after",
    "commit.decided.before",
    "commit.decided.after",
    "deliver.before",
    "deliver.after",
    "settle.after",
)
SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
PLUGINS = ("acme", "bare")
OPERATION = 2.0


class Bomb:
    def __init__(self, text: str) -> None:
        self._name, _, count = text.partition(":")
        self._left = int(count or "1")
        self._lock = threading.Lock()

    def at(self, name: str) -> None:
        if name != self._name:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()


class Fused(httpx.HTTPTransport):
    """Calls go out and come back past the bomb."""

    def __init__(self, bomb: Bomb, names: dict[str, str]) -> None:
        super().__init__()
        self._bomb, self._names = bomb, names

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = next(
            (name for start, name in self._names.items() if f"{request.method} {request.url.path}".startswith(start)),
            "",
        )
        self._bomb.at(f"{name}.before")
        response = super().handle_request(request)
        self._bomb.at(f"{name}.after")
        return response


class FusedLedger(Ledger):
    """Every transaction of a turn begins and ends at the bomb."""

    bomb: Bomb

    def claim(self, *args: Any, **options: Any) -> list[Claim]:
        claims = super().claim(*args, **options)
        for _ in claims:
            self.bomb.at("claim.after")
        return claims

    def intend(self, *args: Any, **options: Any) -> Claim:
        self.bomb.at("intend.before")
        claim = super().intend(*args, **options)
        self.bomb.at("intend.after")
        return claim

    def commit(self, claim: Claim, change: Change, *args: Any, **options: Any) -> Any:
        opens = claim.verification.state is State.OPENING and change.flow is not None
        name = "opened" if opens else "decided" if change.state is State.DECIDED else "other"
        self.bomb.at(f"commit.{name}.before")
        done = super().commit(claim, change, *args, **options)
        self.bomb.at(f"commit.{name}.after")
        return done


def make_ledger(url: str, platform: str) -> FusedLedger:
    return FusedLedger(url, keys=[KEY], endpoints=[Endpoint("platform", platform, SECRET)])


def configuration(vendor: str) -> Configuration:
    polling = Polling(first=timedelta(seconds=0.1), ceiling=timedelta(seconds=1))
    limits = Limits(operation=OPERATION)
    settings = {"key": Secret("key-of-acme-0001"), "base_url": vendor}
    return Configuration(
        accounts=[
            Account(name, name, settings, retry=Retry(attempts=1), polling=polling, limits=limits) for name in PLUGINS
        ],
        routes=[
            Route(name="bare", when=When(product="bare"), to="bare", policy="registered"),
            Route(name="others", to="acme", policy="registered"),
        ],
        policies={"registered": Policy(name="registered", verdict="ignore")},
        webhooks=WEBHOOKS,
    )


def hurry() -> None:
    """Leases of seconds, for nobody wants to wait for a real one; still longer than what is done under them."""
    turning._MARGIN, turning.SHADOW_SECONDS = timedelta(seconds=1), 0.0
    tracker_module.LEASE = timedelta(seconds=3)
    execution.SETTLING = opening.SETTLING = timedelta(seconds=0.5)


def serve() -> None:
    """Run a worker in a fork for each line that comes in, which spares the time to import everything; say how each ended."""
    for line in sys.stdin:
        told = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                track(told)
            finally:
                os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def track(told: dict[str, Any]) -> None:
    hurry()
    bomb = Bomb(told.get("crash_at") or "")
    ledger = make_ledger(told["url"], told["platform"])
    ledger.bomb = bomb
    real = turning.settle

    def settle(*args: Any, **options: Any) -> None:
        real(*args, **options)
        bomb.at("settle.after")

    turning.settle = settle  # type: ignore[assignment]
    vendor = Fused(bomb, {"POST /flows": "vendor", "GET /flows": "look"})
    gateway = Gateway(configuration(told["vendor"]), transport=vendor, registry=REGISTRY)
    tracker = Tracker(
        gateway, ledger, concurrency=told.get("concurrency", 4), poll=0.05, transport=Fused(bomb, {"POST ": "deliver"})
    )
    if told.get("driver") == "procrastinate":
        from idv_core.tracker.procrastinate import make_app

        make_app(tracker, ledger, told["url"], sweep=timedelta(seconds=1)).run_worker(
            concurrency=told.get("concurrency", 4)
        )
        return
    if told.get("until_idle"):
        idle = 0
        while idle < 5:
            idle = idle + 1 if tracker.step() == 0 else 0
            time.sleep(0.1)
        return
    tracker.start()
    threading.Event().wait()


if __name__ == "__main__":
    serve() if len(sys.argv) == 1 else track(json.loads(sys.argv[1]))
