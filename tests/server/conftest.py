"""The service on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from argon2 import PasswordHasher
from books import BOOKS, KEY, Town, account, configuration, postgresql_server
from server.operators import DOUBTING
from server.running import LOANS, Contract, Running, run_in_thread

from idv_core import AsyncGateway
from idv_core.ledger import Ledger
from idv_core.policy import Policy
from idv_core.registry import registry_of
from idv_core.routing import Route
from idv_core.server.app import create_app
from idv_core.server.console import users


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost little, and a service that stops does not wait for who may still come."""
    monkeypatch.setattr("idv_core.server.serving._GRACE", 0.0)
    monkeypatch.setattr(users, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def town() -> Town:
    return Town("a", "b")


@pytest.fixture
def accounts() -> list[Any]:
    return [account("a")]


@pytest.fixture
def policy() -> Policy:
    """What decides."""
    return Policy(name="registered", verdict="ignore")


@pytest.fixture
def routes() -> list[Route] | None:
    """Other routes than the one that leads to the first account."""
    return None


@pytest.fixture
def options() -> dict[str, Any]:
    """More arguments of `create_app`."""
    return {}


@pytest.fixture
def registry() -> Any:
    return registry_of(*BOOKS, DOUBTING)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/idv.db"


@pytest.fixture
def running(
    town: Town,
    accounts: list[Any],
    registry: Any,
    policy: Policy,
    routes: list[Route] | None,
    options: dict[str, Any],
    database: str,
) -> Iterator[Running]:
    messages: list[dict[str, Any]] = []

    def platform(request: httpx.Request) -> httpx.Response:
        messages.append(json.loads(request.content))
        return httpx.Response(200)

    ledger = Ledger(database, keys=[KEY], endpoints=[LOANS])
    configured = attrs.evolve(configuration(*accounts), policies={policy.name: policy})
    if routes is not None:
        configured = attrs.evolve(configured, routes=routes)
    gateway = AsyncGateway(configured, transport=httpx.MockTransport(town), registry=registry)
    app = create_app(gateway, ledger, transport=httpx.MockTransport(platform), **options)
    url, stop = run_in_thread(app)
    made = Running(url, ledger, gateway, town, Contract(), messages, stop, app)
    try:
        yield made
    finally:
        for client in made.clients:
            client.close()
        stop()
        # not in this thread, where Playwright has a loop
        with ThreadPoolExecutor() as pool:
            pool.submit(asyncio.run, gateway.close()).result()
        ledger.close()


@pytest.fixture
def doubtful(running: Running) -> str:
    """A verification that waits for a person."""
    made = running.decided()
    assert made.decision == "review"
    return made.id
