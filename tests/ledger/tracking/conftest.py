"""Workers on one ledger, each as another process would have it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest
from acme import order
from books import Town, account, age, later, make_async_gateway, make_gateway, raw
from ledger.following import LEASE, LOANS, SECRET, Connect, Killed, Make, Platform, cut_off, killing, run, unreachable
from sqlalchemy import Column, Connection, MetaData, String, Table, func, insert, select
from sqlalchemy.exc import OperationalError
from standardwebhooks import Webhook

from idv_core import ConfigError, Decision, Document, Gateway, Result, Secret
from idv_core.config import Limits
from idv_core.errors import InvalidOrder
from idv_core.ledger import Endpoint, Ledger, Stale, State, Verification
from idv_core.ledger.tables import deliveries
from idv_core.testing import FakeClock
from idv_core.tracker import AsyncTracker, Tracker
from idv_core.tracker.turning import Context
from idv_core.webhooks import WebhookRequest


@pytest.fixture
def town() -> Town:
    return Town("a", "b")


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def ledger(connect: Connect) -> Ledger:
    return connect(endpoints=[LOANS])


@pytest.fixture
def gateways(town: Town, clock: FakeClock) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(*accounts: Any, **route: Any) -> Gateway:
        made.append(make_gateway(town, clock, *(accounts or (account("a"),)), **route))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def track(ledger: Ledger, gateways: Callable[..., Gateway], platform: Platform) -> Iterator[Make]:
    """A worker as another process would have it: a gateway that remembers nothing, and a tracker."""
    made: list[Tracker] = []

    def make(*accounts: Any, on: Ledger | None = None, on_decided: Any = None, **route: Any) -> Tracker:
        gateway = gateways(*accounts, **route)
        made.append(Tracker(gateway, on or ledger, on_decided=on_decided, transport=httpx.MockTransport(platform)))
        return made[-1]

    yield make
    for tracker in made:
        tracker.stop()
