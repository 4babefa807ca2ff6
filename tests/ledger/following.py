"""What tests of a tracker share: the platform that is told, rounds of a tracker, a process that dies."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from books import later
from standardwebhooks import Webhook

from idv_core import Secret
from idv_core.ledger import Endpoint, Ledger
from idv_core.tracker import Tracker

SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
LOANS = Endpoint("loans", "https://loans.example/hooks", SECRET)
LEASE = 200.0

Connect = Callable[..., Ledger]
Make = Callable[..., Tracker]


class Platform:
    """The endpoint: it checks signatures, and answers what it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.got: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        id, sent = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        good = Webhook(SECRET.reveal()).sign(id, datetime.fromtimestamp(int(sent), UTC), request.content.decode())
        assert good in request.headers["webhook-signature"].split(" ")
        self.got.append((id, json.loads(request.content)))
        return httpx.Response(self.status, headers=self.headers)

    def told(self) -> list[tuple[str, str]]:
        return [(said["type"], said["data"]["application_id"]) for _, said in self.got]


def run(tracker: Tracker, ledger: Ledger, rounds: int = 4, seconds: float = 120) -> None:
    for _ in range(rounds):
        tracker.step()
        later(ledger, seconds)
    tracker.step()


class Killed(BaseException):
    """What `kill -9` looks like from within: nothing after it is done."""


def killing(ledger: Ledger, name: str, *, after: bool = False) -> Any:
    """A patch of a method of the ledger, which dies before or after its work."""
    real = getattr(ledger, name)

    def patched(*args: Any, **options: Any) -> Any:
        if after:
            real(*args, **options)
        raise Killed

    return patched


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no", request=request)


def cut_off(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("no", request=request)
